"""Sign, Verify, GenerateMac, VerifyMac: every spec and algorithm, against Python's `cryptography` both ways, and AWS's refusals."""

import hashlib
import hmac
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from conftest import refused

MESSAGE = b"a message that somebody signs"
HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
RSA = [
    "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
    "RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
]  # fmt: skip
SIGNING = {
    "RSA_2048": RSA,
    "RSA_3072": RSA,
    "RSA_4096": RSA,
    "ECC_NIST_P256": ["ECDSA_SHA_256"],
    "ECC_NIST_P384": ["ECDSA_SHA_384"],
    "ECC_NIST_P521": ["ECDSA_SHA_512"],
    "ECC_SECG_P256K1": ["ECDSA_SHA_256"],
    "ECC_NIST_EDWARDS25519": ["ED25519_SHA_512", "ED25519_PH_SHA_512"],
}
MACS = {"HMAC_224": ("SHA_224", 28), "HMAC_256": ("SHA_256", 32), "HMAC_384": ("SHA_384", 48), "HMAC_512": ("SHA_512", 64)}
PAIRS = [(spec, algorithm) for spec, algorithms in SIGNING.items() for algorithm in algorithms]
each_pair = pytest.mark.parametrize(("spec", "algorithm"), PAIRS)
each_mac = pytest.mark.parametrize("spec", MACS)
_keys = {}


def key_of(client, spec, usage="SIGN_VERIFY"):
    """One key of each kind for the whole file: an RSA key takes its time."""
    if (spec, usage) not in _keys:
        _keys[spec, usage] = client.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]
    return _keys[spec, usage]


def digest(algorithm, message=MESSAGE):
    return hashlib.new(f"sha{algorithm[-3:]}", message).digest()


def verified(public, algorithm, message, signature):
    """The second implementation's verdict; raises InvalidSignature."""
    chosen = HASHES[algorithm[-3:]]()
    if algorithm.startswith("ED25519"):
        public.verify(signature, message)
    elif algorithm.startswith("ECDSA"):
        public.verify(signature, message, ec.ECDSA(chosen))
    elif "PSS" in algorithm:
        public.verify(signature, message, padding.PSS(padding.MGF1(chosen), padding.PSS.DIGEST_LENGTH), chosen)
    else:
        public.verify(signature, message, padding.PKCS1v15(), chosen)


def public_key(client, key):
    return serialization.load_der_public_key(client.get_public_key(KeyId=key)["PublicKey"])


@pytest.mark.parametrize("spec", SIGNING)
def test_what_a_signing_key_shows(admin, spec):
    found = admin.describe_key(KeyId=key_of(admin, spec))["KeyMetadata"]
    assert (found["KeySpec"], found["KeyUsage"]) == (spec, "SIGN_VERIFY")
    assert found["SigningAlgorithms"] == SIGNING[spec]
    assert found.get("CustomerMasterKeySpec") == (None if spec == "ECC_NIST_EDWARDS25519" else spec)
    for absent in ("EncryptionAlgorithms", "MacAlgorithms", "KeyAgreementAlgorithms", "CurrentKeyMaterialId"):
        assert absent not in found


@each_pair
def test_a_second_implementation_verifies(admin, spec, algorithm):
    key = key_of(admin, spec)
    by_digest = algorithm == "ED25519_PH_SHA_512"
    asked = {"Message": digest(algorithm), "MessageType": "DIGEST"} if by_digest else {"Message": MESSAGE}
    made = admin.sign(KeyId=key, SigningAlgorithm=algorithm, **asked)
    assert set(made) - {"ResponseMetadata"} == {"KeyId", "Signature", "SigningAlgorithm"}
    assert (made["KeyId"], made["SigningAlgorithm"]) == (key, algorithm)
    answer = admin.verify(KeyId=key, SigningAlgorithm=algorithm, Signature=made["Signature"], **asked)
    assert set(answer) - {"ResponseMetadata"} == {"KeyId", "SignatureValid", "SigningAlgorithm"}
    assert (answer["KeyId"], answer["SignatureValid"], answer["SigningAlgorithm"]) == (key, True, algorithm)
    if by_digest:
        return  # `cryptography` has no Ed25519ph.
    public = public_key(admin, key)
    verified(public, algorithm, MESSAGE, made["Signature"])
    with pytest.raises(InvalidSignature):
        verified(public, algorithm, MESSAGE + b".", made["Signature"])


@each_pair
def test_raw_and_digest_agree(admin, spec, algorithm):
    key = key_of(admin, spec)
    raw = {"Message": MESSAGE, "MessageType": "RAW"}
    hashed = {"Message": digest(algorithm), "MessageType": "DIGEST"}
    if algorithm.startswith("ED25519"):
        wrong, kind = (raw, "RAW") if "PH" in algorithm else (hashed, "DIGEST")
        with refused("ValidationException", f"MessageType {kind} is not valid for algorithm {algorithm}."):
            admin.sign(KeyId=key, SigningAlgorithm=algorithm, **wrong)
        with refused("ValidationException", f"MessageType {kind} is not valid for algorithm {algorithm}."):
            admin.verify(KeyId=key, SigningAlgorithm=algorithm, Signature=b"x" * 64, **wrong)
        return
    for by in (raw, hashed):
        signature = admin.sign(KeyId=key, SigningAlgorithm=algorithm, **by)["Signature"]
        for other in (raw, hashed):
            assert admin.verify(KeyId=key, SigningAlgorithm=algorithm, Signature=signature, **other)["SignatureValid"]
        verified(public_key(admin, key), algorithm, MESSAGE, signature)


@pytest.mark.parametrize(("spec", "algorithm"), [pair for pair in PAIRS if pair[1] != "ED25519_SHA_512"])
def test_digests_of_another_length(admin, spec, algorithm):
    key = key_of(admin, spec)
    for length in (1, len(digest(algorithm)) - 1, len(digest(algorithm)) + 1):
        asked = {"KeyId": key, "SigningAlgorithm": algorithm, "Message": b"x" * length, "MessageType": "DIGEST"}
        with refused("ValidationException", f"Digest is invalid length for algorithm {algorithm}."):
            admin.sign(**asked)
        with refused("ValidationException", f"Digest is invalid length for algorithm {algorithm}."):
            admin.verify(**asked, Signature=b"x")


@each_pair
def test_each_field_that_is_changed_makes_it_invalid(admin, spec, algorithm):
    key = key_of(admin, spec)
    by_digest = algorithm == "ED25519_PH_SHA_512"
    asked = {
        "KeyId": key,
        "SigningAlgorithm": algorithm,
        "Message": digest(algorithm) if by_digest else MESSAGE,
        "MessageType": "DIGEST" if by_digest else "RAW",
    }
    signature = admin.sign(**asked)["Signature"]
    for place in {0, 1, len(signature) // 2, len(signature) - 1}:
        bent = bytearray(signature)
        bent[place] ^= 1
        with refused("KMSInvalidSignatureException", ""):
            admin.verify(**asked, Signature=bytes(bent))
    for bent in (signature[:-1], signature + b"\0", b"\0", b"x" * 6144):
        with refused("KMSInvalidSignatureException", ""):
            admin.verify(**asked, Signature=bent)
    message = bytes([asked["Message"][0] ^ 1]) + asked["Message"][1:]
    with refused("KMSInvalidSignatureException", ""):
        admin.verify(**{**asked, "Message": message}, Signature=signature)
    for other in SIGNING[spec]:
        if other == algorithm or other.startswith("ED25519"):
            continue
        with refused("KMSInvalidSignatureException", ""):
            admin.verify(**{**asked, "SigningAlgorithm": other}, Signature=signature)
    other_key = admin.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"] if spec[:3] == "ECC" else None
    if other_key:
        with refused("KMSInvalidSignatureException", ""):
            admin.verify(**{**asked, "KeyId": other_key}, Signature=signature)


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [("ECC_NIST_P256", "ECDSA_SHA_384"), ("ECC_NIST_P256", "RSASSA_PSS_SHA_256"), ("RSA_2048", "ECDSA_SHA_256"),
     ("ECC_NIST_P521", "ED25519_SHA_512"), ("ECC_NIST_P256", "SM2DSA"), ("ECC_NIST_P256", "ML_DSA_SHAKE_256")],
)  # fmt: skip
def test_an_algorithm_of_another_spec(admin, spec, algorithm):
    text = f"Algorithm {algorithm} is incompatible with key spec {spec}."
    with refused("InvalidKeyUsageException", text):
        admin.sign(KeyId=key_of(admin, spec), Message=MESSAGE, SigningAlgorithm=algorithm)
    with refused("InvalidKeyUsageException", text):
        admin.verify(KeyId=key_of(admin, spec), Message=MESSAGE, SigningAlgorithm=algorithm, Signature=b"x")


def test_another_usage(admin, shared_key):
    agrees = key_of(admin, "ECC_NIST_P256", "KEY_AGREEMENT")
    macs = key_of(admin, "HMAC_256", "GENERATE_VERIFY_MAC")
    signs = key_of(admin, "ECC_NIST_P256")
    sign = {"Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    code = {"Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
    for key, usage in ((shared_key, "ENCRYPT_DECRYPT"), (agrees, "KEY_AGREEMENT"), (macs, "GENERATE_VERIFY_MAC")):
        with refused("InvalidKeyUsageException", f"{key} key usage is {usage} which is not valid for Sign."):
            admin.sign(KeyId=key, **sign)
        with refused("InvalidKeyUsageException", f"{key} key usage is {usage} which is not valid for Verify."):
            admin.verify(KeyId=key, Signature=b"x", **sign)
    for key, usage in ((shared_key, "ENCRYPT_DECRYPT"), (signs, "SIGN_VERIFY")):
        with refused("InvalidKeyUsageException", f"{key} key usage is {usage} which is not valid for GenerateMac."):
            admin.generate_mac(KeyId=key, **code)
        with refused("InvalidKeyUsageException", f"{key} key usage is {usage} which is not valid for VerifyMac."):
            admin.verify_mac(KeyId=key, Mac=b"x", **code)
    for key, usage in ((signs, "SIGN_VERIFY"), (macs, "GENERATE_VERIFY_MAC")):
        with refused("InvalidKeyUsageException", f"{key} key usage is {usage} which is not valid for Encrypt."):
            admin.encrypt(KeyId=key, Plaintext=b"x")
        with refused("InvalidKeyUsageException", f"{key} key usage is {usage} which is not valid for GenerateDataKey."):
            admin.generate_data_key(KeyId=key, KeySpec="AES_256")


def test_a_symmetric_ciphertext_and_the_key_of_another_usage(admin, shared_key):
    blob = admin.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    text = "The key ID in the request does not identify a CMK that can perform this operation."
    for key in (key_of(admin, "HMAC_256", "GENERATE_VERIFY_MAC"), key_of(admin, "RSA_2048", "ENCRYPT_DECRYPT")):
        with refused("IncorrectKeyException", text):
            admin.decrypt(CiphertextBlob=blob, KeyId=key)


@pytest.mark.parametrize("length", [1, 4096])
def test_lengths_of_messages(admin, length):
    for spec, algorithm in (("ECC_NIST_P256", "ECDSA_SHA_256"), ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512")):
        key, message = key_of(admin, spec), b"m" * length
        signature = admin.sign(KeyId=key, Message=message, SigningAlgorithm=algorithm)["Signature"]
        verified(public_key(admin, key), algorithm, message, signature)
    key = key_of(admin, "HMAC_256", "GENERATE_VERIFY_MAC")
    assert len(admin.generate_mac(KeyId=key, Message=message, MacAlgorithm="HMAC_SHA_256")["Mac"]) == 32


def test_lengths_that_are_refused(region, admin):
    loose = region.client(validate=False)
    key = key_of(admin, "ECC_NIST_P256")
    text = "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length "
    with refused("ValidationException", text + "less than or equal to 4096"):
        loose.sign(KeyId=key, Message=b"x" * 4097, SigningAlgorithm="ECDSA_SHA_256")
    with refused("ValidationException", text + "greater than or equal to 1"):
        loose.sign(KeyId=key, Message=b"", SigningAlgorithm="ECDSA_SHA_256")
    with refused("ValidationException") as seen:
        loose.verify(KeyId=key, Message=b"x", SigningAlgorithm="ECDSA_SHA_256", Signature=b"x" * 6145)
    assert "at 'signature' failed to satisfy constraint: Member must have length less than or equal to 6144" in seen.message


@each_mac
def test_what_an_hmac_key_shows(admin, spec):
    found = admin.describe_key(KeyId=key_of(admin, spec, "GENERATE_VERIFY_MAC"))["KeyMetadata"]
    assert (found["KeySpec"], found["KeyUsage"]) == (spec, "GENERATE_VERIFY_MAC")
    assert found["MacAlgorithms"] == [f"HMAC_{MACS[spec][0]}"]
    for absent in ("EncryptionAlgorithms", "SigningAlgorithms", "KeyAgreementAlgorithms", "CurrentKeyMaterialId"):
        assert absent not in found


@each_mac
def test_codes(admin, spec):
    key = key_of(admin, spec, "GENERATE_VERIFY_MAC")
    algorithm = f"HMAC_{MACS[spec][0]}"
    asked = {"KeyId": key, "Message": MESSAGE, "MacAlgorithm": algorithm}
    made = admin.generate_mac(**asked)
    assert set(made) - {"ResponseMetadata"} == {"KeyId", "Mac", "MacAlgorithm"}
    assert (made["KeyId"], made["MacAlgorithm"], len(made["Mac"])) == (key, algorithm, MACS[spec][1])
    assert admin.generate_mac(**asked)["Mac"] == made["Mac"]
    answer = admin.verify_mac(**asked, Mac=made["Mac"])
    assert set(answer) - {"ResponseMetadata"} == {"KeyId", "MacValid", "MacAlgorithm"}
    assert (answer["KeyId"], answer["MacValid"], answer["MacAlgorithm"]) == (key, True, algorithm)
    other_key = admin.create_key(KeySpec=spec, KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"]
    code = made["Mac"]
    for bent in (
        {"Mac": code[:-1]},
        {"Mac": code + b"\0"},
        {"Mac": bytes([code[0] ^ 1]) + code[1:]},
        {"Message": MESSAGE + b"."},
        {"KeyId": other_key},
    ):
        with refused("KMSInvalidMacException", ""):
            admin.verify_mac(**{**asked, "Mac": code, **bent})
    others = {f"HMAC_{name}" for name, _ in MACS.values()} - {algorithm}
    for other in others:
        text = f"Algorithm {other} is incompatible with key spec {spec}."
        with refused("InvalidKeyUsageException", text):
            admin.generate_mac(**{**asked, "MacAlgorithm": other})
        with refused("InvalidKeyUsageException", text):
            admin.verify_mac(**{**asked, "MacAlgorithm": other}, Mac=code)


def test_a_code_is_no_plain_hash(admin):
    key = key_of(admin, "HMAC_256", "GENERATE_VERIFY_MAC")
    code = admin.generate_mac(KeyId=key, Message=MESSAGE, MacAlgorithm="HMAC_SHA_256")["Mac"]
    for guess in (b"", bytes(32)):
        assert hmac.new(guess, MESSAGE, "sha256").digest() != code


def test_prehashed_by_the_second_implementation(admin):
    """What `cryptography` signs by digest elsewhere is what Sign makes of a digest here: the public keys verify it."""
    key = key_of(admin, "ECC_NIST_P384")
    made = admin.sign(KeyId=key, Message=digest("384"), MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_384")
    public_key(admin, key).verify(made["Signature"], digest("384"), ec.ECDSA(Prehashed(hashes.SHA384())))


def test_conditions_on_algorithms(region, admin, nobody):
    """Each condition key of these operations, in a key policy that allows one value only."""
    root = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}
    who = {"AWS": region.credentials("nobody").arn}

    def only(action, conditions):
        rule = {"Effect": "Allow", "Principal": who, "Action": action, "Resource": "*", "Condition": {"StringEquals": conditions}}
        return json.dumps({"Version": "2012-10-17", "Statement": [root, rule]})

    policy = only("kms:Sign", {"kms:SigningAlgorithm": "RSASSA_PSS_SHA_256", "kms:MessageType": "RAW"})
    key = admin.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY", Policy=policy)["KeyMetadata"]["Arn"]
    nobody.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm="RSASSA_PSS_SHA_256")
    with refused("AccessDeniedException"):
        nobody.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm="RSASSA_PSS_SHA_512")
    with refused("AccessDeniedException"):
        nobody.sign(KeyId=key, Message=digest("256"), MessageType="DIGEST", SigningAlgorithm="RSASSA_PSS_SHA_256")
    policy = only("kms:GenerateMac", {"kms:MacAlgorithm": "HMAC_SHA_256"})
    key = admin.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC", Policy=policy)["KeyMetadata"]["Arn"]
    nobody.generate_mac(KeyId=key, Message=MESSAGE, MacAlgorithm="HMAC_SHA_256")
    with refused("AccessDeniedException"):
        nobody.generate_mac(KeyId=key, Message=MESSAGE, MacAlgorithm="HMAC_SHA_512")
    policy = only("kms:DeriveSharedSecret", {"kms:KeyAgreementAlgorithm": "ECDH", "kms:KeyUsage": "KEY_AGREEMENT"})
    key = admin.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT", Policy=policy)["KeyMetadata"]["Arn"]
    peer = admin.get_public_key(KeyId=key)["PublicKey"]
    nobody.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer)
    policy = only("kms:GenerateDataKeyPair", {"kms:DataKeyPairSpec": "ECC_NIST_P256"})
    key = admin.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    nobody.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    with refused("AccessDeniedException"):
        nobody.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P384")
    policy = only("kms:Encrypt", {"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"})
    key = admin.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT", Policy=policy)["KeyMetadata"]["Arn"]
    nobody.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    with refused("AccessDeniedException"):
        nobody.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1")

"""GetPublicKey, DeriveSharedSecret, data key pairs and RSA encryption, against Python's `cryptography` and `openssl`, both ways."""

import base64
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from conftest import refused
from test_boto3_signing import MESSAGE, SIGNING, digest, key_of, public_key, verified

CURVES = {
    "ECC_NIST_P256": ec.SECP256R1(),
    "ECC_NIST_P384": ec.SECP384R1(),
    "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}
NIST = ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"]
RSA_BITS = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
OAEP = {"RSAES_OAEP_SHA_1": hashes.SHA1, "RSAES_OAEP_SHA_256": hashes.SHA256}
ROOM = {"RSA_2048": (214, 190), "RSA_3072": (342, 318), "RSA_4096": (470, 446)}
each_rsa = pytest.mark.parametrize("spec", RSA_BITS)
each_nist = pytest.mark.parametrize("spec", NIST)


def oaep(algorithm):
    chosen = OAEP[algorithm]()
    return padding.OAEP(padding.MGF1(chosen), chosen, None)


def spki(public):
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def is_of(spec, public):
    if spec in RSA_BITS:
        return isinstance(public, rsa.RSAPublicKey) and public.key_size == RSA_BITS[spec] and public.public_numbers().e == 65537
    if spec == "ECC_NIST_EDWARDS25519":
        return isinstance(public, ed25519.Ed25519PublicKey)
    return isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name == CURVES[spec].name


def openssl(*arguments, stdin=b""):
    return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("spec", SIGNING)
def test_public_key_of_a_signing_key(admin, spec):
    key = key_of(admin, spec)
    shown = admin.get_public_key(KeyId=key)
    assert (shown["KeyId"], shown["KeySpec"], shown["KeyUsage"]) == (key, spec, "SIGN_VERIFY")
    assert shown["SigningAlgorithms"] == SIGNING[spec]
    assert shown.get("CustomerMasterKeySpec") == (None if spec == "ECC_NIST_EDWARDS25519" else spec)
    for absent in ("EncryptionAlgorithms", "KeyAgreementAlgorithms", "EncapsulationAlgorithms"):
        assert absent not in shown
    public = serialization.load_der_public_key(shown["PublicKey"])
    assert is_of(spec, public)
    assert spki(public) == shown["PublicKey"], "the one encoding that a second implementation makes of it"
    assert admin.get_public_key(KeyId=key)["PublicKey"] == shown["PublicKey"]


def test_public_keys_of_other_usages(admin):
    encrypts = admin.get_public_key(KeyId=key_of(admin, "RSA_2048", "ENCRYPT_DECRYPT"))
    assert encrypts["EncryptionAlgorithms"] == list(OAEP)
    assert "SigningAlgorithms" not in encrypts
    agrees = admin.get_public_key(KeyId=key_of(admin, "ECC_NIST_P256", "KEY_AGREEMENT"))
    assert agrees["KeyAgreementAlgorithms"] == ["ECDH"]
    assert "SigningAlgorithms" not in agrees


def test_keys_without_a_public_key(admin, shared_key):
    for key in (shared_key, key_of(admin, "HMAC_256", "GENERATE_VERIFY_MAC")):
        with refused("UnsupportedOperationException", ""):
            admin.get_public_key(KeyId=key)


@pytest.mark.parametrize(("spec", "algorithm"), [(s, a) for s, many in SIGNING.items() for a in many if "PH" not in a])
def test_openssl_verifies(admin, tmp_path, spec, algorithm):
    key = key_of(admin, spec)
    made = admin.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"]
    for name, content in (("public", admin.get_public_key(KeyId=key)["PublicKey"]), ("signature", made), ("message", MESSAGE)):
        (tmp_path / name).write_bytes(content)
    how = ["-verify", "-pubin", "-keyform", "DER", "-inkey", str(tmp_path / "public"), "-sigfile", str(tmp_path / "signature")]
    if algorithm == "ED25519_SHA_512":
        how += ["-rawin"]
    else:
        how += ["-pkeyopt", f"digest:sha{algorithm[-3:]}"]
        (tmp_path / "message").write_bytes(digest(algorithm))
    if "PSS" in algorithm:
        how += ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"]
    done = openssl("pkeyutl", *how, "-in", str(tmp_path / "message"))
    assert done.returncode == 0, done.stdout + done.stderr
    bent = bytearray((tmp_path / "message").read_bytes())
    bent[0] ^= 1
    (tmp_path / "message").write_bytes(bent)
    assert openssl("pkeyutl", *how, "-in", str(tmp_path / "message")).returncode != 0


@each_nist
def test_shared_secrets(admin, spec):
    key = key_of(admin, spec, "KEY_AGREEMENT")
    other = ec.generate_private_key(CURVES[spec])
    made = admin.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=spki(other.public_key()))
    assert set(made) - {"ResponseMetadata"} == {"KeyId", "SharedSecret", "KeyAgreementAlgorithm", "KeyOrigin"}
    assert (made["KeyId"], made["KeyAgreementAlgorithm"], made["KeyOrigin"]) == (key, "ECDH", "AWS_KMS")
    assert made["SharedSecret"] == other.exchange(ec.ECDH(), public_key(admin, key))
    assert len(made["SharedSecret"]) == (CURVES[spec].key_size + 7) // 8


@each_nist
def test_public_keys_that_cannot_be_agreed_with(admin, spec):
    key = key_of(admin, spec, "KEY_AGREEMENT")
    good = spki(ec.generate_private_key(CURVES[spec]).public_key())
    elsewhere = next(curve for name, curve in CURVES.items() if name != spec)
    off_curve = bytearray(good)
    off_curve[-1] ^= 1
    point = ec.generate_private_key(CURVES[spec]).public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    for bad in (
        bytes(off_curve),
        good[:-1],
        good + b"\0",
        b"\0",
        point,
        spki(ec.generate_private_key(elsewhere).public_key()),
        spki(ed25519.Ed25519PrivateKey.generate().public_key()),
        spki(rsa.generate_private_key(65537, 2048).public_key()),
    ):
        with refused("ValidationException", ""):
            admin.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=bad)


def test_keys_that_do_not_agree(admin, shared_key):
    peer = spki(ec.generate_private_key(CURVES["ECC_NIST_P256"]).public_key())
    for key, usage in ((key_of(admin, "ECC_NIST_P256"), "SIGN_VERIFY"), (shared_key, "ENCRYPT_DECRYPT")):
        with refused("InvalidKeyUsageException", f"{key} key usage is {usage} which is not valid for DeriveSharedSecret."):
            admin.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer)


PAIR_SPECS = [*SIGNING]


@pytest.mark.parametrize("spec", PAIR_SPECS)
def test_data_key_pairs(admin, shared_key, spec):
    context = {"for": "a pair"}
    made = admin.generate_data_key_pair(KeyId=shared_key, KeyPairSpec=spec, EncryptionContext=context)
    assert set(made) - {"ResponseMetadata"} == {
        "KeyId", "KeyPairSpec", "KeyMaterialId", "PublicKey", "PrivateKeyPlaintext", "PrivateKeyCiphertextBlob",
    }  # fmt: skip
    assert (made["KeyId"], made["KeyPairSpec"]) == (shared_key, spec)
    opened = admin.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"], EncryptionContext=context)
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    assert opened["KeyMaterialId"] == made["KeyMaterialId"]
    private = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
    assert is_of(spec, private.public_key())
    assert spki(private.public_key()) == made["PublicKey"]
    own = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert own == made["PrivateKeyPlaintext"], "PKCS #8 as a second implementation writes it"
    assert openssl("pkey", "-inform", "DER", "-check", "-noout", stdin=own).returncode == 0
    with refused("InvalidCiphertextException", ""):
        admin.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"])
    hidden = admin.generate_data_key_pair_without_plaintext(KeyId=shared_key, KeyPairSpec=spec)
    assert "PrivateKeyPlaintext" not in hidden
    assert hidden["PublicKey"] != made["PublicKey"]
    private = serialization.load_der_private_key(admin.decrypt(CiphertextBlob=hidden["PrivateKeyCiphertextBlob"])["Plaintext"], None)
    assert spki(private.public_key()) == hidden["PublicKey"]


@pytest.mark.parametrize("spec", ["SM2", "ML_KEM_512"])
def test_data_key_pairs_that_are_not_offered(admin, shared_key, spec):
    with refused("UnsupportedOperationException"):
        admin.generate_data_key_pair(KeyId=shared_key, KeyPairSpec=spec)
    with refused("UnsupportedOperationException"):
        admin.generate_data_key_pair_without_plaintext(KeyId=shared_key, KeyPairSpec=spec)


def test_data_key_pairs_need_a_symmetric_key(admin):
    key = key_of(admin, "RSA_2048", "ENCRYPT_DECRYPT")
    with refused("InvalidKeyUsageException", "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048."):
        admin.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    signs = key_of(admin, "ECC_NIST_P256")
    with refused("InvalidKeyUsageException", f"{signs} key usage is SIGN_VERIFY which is not valid for GenerateDataKeyPair."):
        admin.generate_data_key_pair(KeyId=signs, KeyPairSpec="ECC_NIST_P256")


@each_rsa
def test_what_an_rsa_key_for_encryption_shows(admin, spec):
    found = admin.describe_key(KeyId=key_of(admin, spec, "ENCRYPT_DECRYPT"))["KeyMetadata"]
    assert (found["KeySpec"], found["CustomerMasterKeySpec"], found["KeyUsage"]) == (spec, spec, "ENCRYPT_DECRYPT")
    assert found["EncryptionAlgorithms"] == ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
    for absent in ("SigningAlgorithms", "MacAlgorithms", "KeyAgreementAlgorithms", "CurrentKeyMaterialId"):
        assert absent not in found


@pytest.mark.parametrize("algorithm", OAEP)
@each_rsa
def test_rsa_encryption(admin, spec, algorithm):
    key = key_of(admin, spec, "ENCRYPT_DECRYPT")
    most = ROOM[spec][list(OAEP).index(algorithm)]
    asked = {"KeyId": key, "EncryptionAlgorithm": algorithm}
    for size in (1, 32, most):
        made = admin.encrypt(Plaintext=b"p" * size, **asked)
        assert set(made) - {"ResponseMetadata"} == {"CiphertextBlob", "KeyId", "EncryptionAlgorithm"}
        assert (made["KeyId"], made["EncryptionAlgorithm"]) == (key, algorithm)
        assert len(made["CiphertextBlob"]) == RSA_BITS[spec] // 8
        opened = admin.decrypt(CiphertextBlob=made["CiphertextBlob"], **asked)
        assert set(opened) - {"ResponseMetadata"} == {"Plaintext", "KeyId", "EncryptionAlgorithm"}
        assert opened["Plaintext"] == b"p" * size
    text = f"Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {most} bytes."
    with refused("ValidationException", text):
        admin.encrypt(Plaintext=b"p" * (most + 1), **asked)
    # Encrypted by a second implementation under the public key.
    foreign = public_key(admin, key).encrypt(b"from elsewhere", oaep(algorithm))
    assert admin.decrypt(CiphertextBlob=foreign, **asked)["Plaintext"] == b"from elsewhere"


@pytest.mark.parametrize("algorithm", OAEP)
def test_openssl_encrypts(admin, tmp_path, algorithm):
    key = key_of(admin, "RSA_2048", "ENCRYPT_DECRYPT")
    (tmp_path / "public").write_bytes(admin.get_public_key(KeyId=key)["PublicKey"])
    name = algorithm.replace("RSAES_OAEP_SHA_", "sha")
    how = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{name}", "-pkeyopt", f"rsa_mgf1_md:{name}"]
    made = openssl("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", str(tmp_path / "public"), *how, stdin=b"hello")
    assert made.returncode == 0, made.stderr
    opened = admin.decrypt(KeyId=key, CiphertextBlob=made.stdout, EncryptionAlgorithm=algorithm)
    assert opened["Plaintext"] == b"hello"


def test_what_a_pair_of_ours_encrypts_a_second_implementation_decrypts(admin, shared_key):
    """RSA private keys never leave; a data key pair's does, and is the same kind of key."""
    made = admin.generate_data_key_pair(KeyId=shared_key, KeyPairSpec="RSA_2048")
    private = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
    public = serialization.load_der_public_key(made["PublicKey"])
    for algorithm in OAEP:
        assert private.decrypt(public.encrypt(b"x", oaep(algorithm)), oaep(algorithm)) == b"x"
    verified(public, "RSASSA_PSS_SHA_256", MESSAGE, private.sign(MESSAGE, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()))


def test_each_field_that_is_changed_makes_an_rsa_ciphertext_invalid(admin):
    key = key_of(admin, "RSA_2048", "ENCRYPT_DECRYPT")
    algorithm, other = OAEP
    blob = admin.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm=algorithm)["CiphertextBlob"]
    asked = {"KeyId": key, "CiphertextBlob": blob, "EncryptionAlgorithm": algorithm}
    bent = [bytes([blob[0] ^ 1]) + blob[1:], blob[:-1] + bytes([blob[-1] ^ 1]), blob[:-1], blob + b"\0", b"\0", b"\xff" * 256]
    for wrong in bent:
        with refused("InvalidCiphertextException", ""):
            admin.decrypt(**{**asked, "CiphertextBlob": wrong})
    with refused("InvalidCiphertextException", ""):
        admin.decrypt(**{**asked, "EncryptionAlgorithm": other})
    second = admin.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"]
    with refused("InvalidCiphertextException", ""):
        admin.decrypt(**{**asked, "KeyId": second})
    # Nothing in an asymmetric ciphertext says whose it is, or that it is one.
    with refused("InvalidCiphertextException", ""):
        admin.decrypt(CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
    with refused("InvalidCiphertextException", ""):
        admin.decrypt(CiphertextBlob=blob, KeyId=key)
    with refused("ValidationException"):
        admin.decrypt(**asked, EncryptionContext={"a": "b"})
    with refused("ValidationException"):
        admin.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm=algorithm, EncryptionContext={"a": "b"})


def test_rsa_keys_need_an_algorithm(admin):
    text = "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048."
    with refused("InvalidKeyUsageException", text):
        admin.encrypt(KeyId=key_of(admin, "RSA_2048", "ENCRYPT_DECRYPT"), Plaintext=b"x")
    signs = key_of(admin, "RSA_2048")
    with refused("InvalidKeyUsageException", f"{signs} key usage is SIGN_VERIFY which is not valid for Encrypt."):
        admin.encrypt(KeyId=signs, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")


def test_re_encrypt_between_any_two(admin, shared_key):
    rsa_key, rsa_other = key_of(admin, "RSA_2048", "ENCRYPT_DECRYPT"), key_of(admin, "RSA_3072", "ENCRYPT_DECRYPT")
    ends = {
        shared_key: {"algorithm": "SYMMETRIC_DEFAULT", "context": {"a": "b"}},
        rsa_key: {"algorithm": "RSAES_OAEP_SHA_1", "context": {}},
        rsa_other: {"algorithm": "RSAES_OAEP_SHA_256", "context": {}},
    }
    for source, by in ends.items():
        for destination, to in ends.items():
            blob = admin.encrypt(
                KeyId=source, Plaintext=b"moved", EncryptionAlgorithm=by["algorithm"], EncryptionContext=by["context"]
            )["CiphertextBlob"]
            moved = admin.re_encrypt(
                CiphertextBlob=blob,
                SourceKeyId=source,
                SourceEncryptionAlgorithm=by["algorithm"],
                SourceEncryptionContext=by["context"],
                DestinationKeyId=destination,
                DestinationEncryptionAlgorithm=to["algorithm"],
                DestinationEncryptionContext=to["context"],
            )
            assert (moved["SourceKeyId"], moved["KeyId"]) == (source, destination)
            assert moved["SourceEncryptionAlgorithm"] == by["algorithm"]
            assert moved["DestinationEncryptionAlgorithm"] == to["algorithm"]
            assert ("SourceKeyMaterialId" in moved, "DestinationKeyMaterialId" in moved) == (source == shared_key, destination == shared_key)
            opened = admin.decrypt(
                CiphertextBlob=moved["CiphertextBlob"],
                KeyId=destination,
                EncryptionAlgorithm=to["algorithm"],
                EncryptionContext=to["context"],
            )
            assert opened["Plaintext"] == b"moved"


def test_re_encrypt_to_a_key_without_room(admin, shared_key):
    destination = key_of(admin, "RSA_2048", "ENCRYPT_DECRYPT")
    blob = admin.encrypt(KeyId=shared_key, Plaintext=b"x" * 191)["CiphertextBlob"]
    with refused("ValidationException", "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes."):
        admin.re_encrypt(CiphertextBlob=blob, DestinationKeyId=destination, DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_256")
    signs = key_of(admin, "RSA_2048")
    with refused("InvalidKeyUsageException", f"{signs} key usage is SIGN_VERIFY which is not valid for ReEncryptTo."):
        admin.re_encrypt(CiphertextBlob=blob, DestinationKeyId=signs, DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_256")


def test_the_old_name_of_the_spec(admin):
    made = admin.create_key(CustomerMasterKeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    assert (made["KeySpec"], made["CustomerMasterKeySpec"]) == ("ECC_NIST_P384", "ECC_NIST_P384")


@pytest.mark.parametrize(
    ("spec", "usage"),
    [("RSA_2048", "GENERATE_VERIFY_MAC"), ("RSA_2048", "KEY_AGREEMENT"), ("ECC_SECG_P256K1", "KEY_AGREEMENT"),
     ("ECC_NIST_EDWARDS25519", "ENCRYPT_DECRYPT"), ("HMAC_256", "SIGN_VERIFY"), ("HMAC_256", "ENCRYPT_DECRYPT")],
)  # fmt: skip
def test_usages_that_a_spec_does_not_have(admin, spec, usage):
    with refused("ValidationException", f"KeyUsage {usage} is not compatible with KeySpec {spec}"):
        admin.create_key(KeySpec=spec, KeyUsage=usage)


@pytest.mark.parametrize("spec", ["RSA_4096", "ECC_NIST_P256", "HMAC_512", "ECC_NIST_EDWARDS25519"])
def test_a_usage_must_be_named(admin, spec):
    with refused("ValidationException", "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."):
        admin.create_key(KeySpec=spec)


def test_a_recipient_is_not_taken_for_granted(admin, shared_key):
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"not a document"}
    peer = spki(ec.generate_private_key(CURVES["ECC_NIST_P256"]).public_key())
    agrees = key_of(admin, "ECC_NIST_P256", "KEY_AGREEMENT")
    with refused("UnsupportedOperationException"):
        admin.generate_data_key_pair(KeyId=shared_key, KeyPairSpec="ECC_NIST_P256", Recipient=recipient)
    with refused("UnsupportedOperationException"):
        admin.derive_shared_secret(KeyId=agrees, KeyAgreementAlgorithm="ECDH", PublicKey=peer, Recipient=recipient)


def test_grants_are_of_what_the_key_can_do(region, admin):
    grantee = region.credentials("nobody").arn
    signs = key_of(admin, "ECC_NIST_P256")
    admin.create_grant(KeyId=signs, GranteePrincipal=grantee, Operations=["Sign", "Verify", "GetPublicKey", "DescribeKey"])
    for operation in ("Encrypt", "GenerateMac", "DeriveSharedSecret", "GenerateDataKeyPair"):
        with refused("ValidationException"):
            admin.create_grant(KeyId=signs, GranteePrincipal=grantee, Operations=[operation])
    with refused("ValidationException"):
        constraints = {"EncryptionContextSubset": {"a": "b"}}
        admin.create_grant(KeyId=signs, GranteePrincipal=grantee, Operations=["Sign"], Constraints=constraints)


def test_keys_survive_a_restart(region, folder):
    """What was made before is what is there after: signatures verify, ciphertexts open, public keys are the same."""
    from conftest import running
    from region import Region

    with running(Region(folder / "again", manifest=region.manifest_path)) as own:
        client = own.client()
        made = {}
        for spec, usage in (("RSA_2048", "SIGN_VERIFY"), ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"), ("HMAC_224", "GENERATE_VERIFY_MAC")):
            made[spec] = client.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]
        sign = {"KeyId": made["RSA_2048"], "Message": MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_384"}
        signature = client.sign(**sign)["Signature"]
        public = client.get_public_key(KeyId=made["ECC_NIST_EDWARDS25519"])["PublicKey"]
        code = {"KeyId": made["HMAC_224"], "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_224"}
        mac = client.generate_mac(**code)["Mac"]
        own.stop()
        client = own.start().client()
        assert client.verify(**sign, Signature=signature)["SignatureValid"]
        assert client.get_public_key(KeyId=made["ECC_NIST_EDWARDS25519"])["PublicKey"] == public
        assert client.verify_mac(**code, Mac=mac)["MacValid"]
        assert base64.b64encode(public).startswith(b"MCowBQYDK2VwAyEA")

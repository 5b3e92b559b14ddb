"""Encrypt and its family: sizes, contexts, tampering, wrong keys and the order of errors."""

import random

import pytest
from botocore.exceptions import ClientError

from conftest import refused
from region import Region

INCORRECT = "The key ID in the request does not identify a CMK that can perform this operation."
CONTEXT = {"Department": "IT", "Purpose": "Test", "ümlaut": "日本"}


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 31, 32, 33, 255, 1024, 4095, 4096])
def test_sizes(admin, shared_key, size):
    plaintext = random.Random(size).randbytes(size)
    made = admin.encrypt(KeyId=shared_key, Plaintext=plaintext)
    assert set(made) - {"ResponseMetadata"} == {"CiphertextBlob", "EncryptionAlgorithm", "KeyId"}
    assert (made["KeyId"], made["EncryptionAlgorithm"]) == (shared_key, "SYMMETRIC_DEFAULT")
    assert size < len(made["CiphertextBlob"]) <= size + 96
    opened = admin.decrypt(CiphertextBlob=made["CiphertextBlob"])
    assert opened["Plaintext"] == plaintext
    assert (opened["KeyId"], opened["EncryptionAlgorithm"]) == (shared_key, "SYMMETRIC_DEFAULT")
    material = admin.describe_key(KeyId=shared_key)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert opened["KeyMaterialId"] == material


def test_sizes_that_are_refused(region, shared_key):
    loose = region.client(validate=False)
    too_long = "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"
    with refused("ValidationException", too_long):
        loose.encrypt(KeyId=shared_key, Plaintext=b"x" * 4097)
    too_short = "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1"
    with refused("ValidationException", too_short):
        loose.encrypt(KeyId=shared_key, Plaintext=b"")


def test_the_same_plaintext_never_looks_the_same(admin, shared_key):
    blobs = {admin.encrypt(KeyId=shared_key, Plaintext=b"same")["CiphertextBlob"] for _ in range(20)}
    assert len(blobs) == 20


def test_names_of_a_key(admin, key):
    admin.create_alias(AliasName="alias/crypto-names", TargetKeyId=key)
    alias_arn = f"{key.rsplit(':', 1)[0]}:alias/crypto-names"
    for named in (key, key.rsplit("/", 1)[1], "alias/crypto-names", alias_arn):
        made = admin.encrypt(KeyId=named, Plaintext=b"x")
        assert made["KeyId"] == key
        assert admin.decrypt(CiphertextBlob=made["CiphertextBlob"], KeyId=named)["Plaintext"] == b"x"


def test_context(admin, shared_key):
    blob = admin.encrypt(KeyId=shared_key, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    shuffled = dict(reversed(CONTEXT.items()))
    assert admin.decrypt(CiphertextBlob=blob, EncryptionContext=shuffled)["Plaintext"] == b"x"
    wrong = [
        {},
        {**CONTEXT, "more": "1"},
        {name: value for name, value in CONTEXT.items() if name != "Purpose"},
        {**CONTEXT, "Purpose": "test"},
        {**{name: value for name, value in CONTEXT.items() if name != "Purpose"}, "purpose": "Test"},
        {"DepartmentIT": "", "Purpose": "Test", "ümlaut": "日本"},
    ]
    for context in wrong:
        with refused("InvalidCiphertextException", ""):
            admin.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    plain = admin.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    assert admin.decrypt(CiphertextBlob=plain, EncryptionContext={})["Plaintext"] == b"x"
    with refused("InvalidCiphertextException", ""):
        admin.decrypt(CiphertextBlob=plain, EncryptionContext={"a": "b"})


def test_tampering(admin, shared_key):
    blob = admin.encrypt(KeyId=shared_key, Plaintext=b"forty characters of some plaintext......")["CiphertextBlob"]
    places = sorted({0, 1, 2, 33, 34, 49, 50, 61, 62, len(blob) // 2, len(blob) - 17, len(blob) - 16, len(blob) - 1})
    for place in places:
        bent = bytearray(blob)
        bent[place] ^= 1
        with refused("InvalidCiphertextException", ""):
            admin.decrypt(CiphertextBlob=bytes(bent), KeyId=shared_key)
    for bent in (blob + b"\0", blob[:-1], blob[1:], blob[:20], b"\0", b"garbage" * 20, b"\xff" * 6144):
        for named in ({}, {"KeyId": shared_key}):
            with refused("InvalidCiphertextException", ""):
                admin.decrypt(CiphertextBlob=bent, **named)


def test_another_key(admin, shared_key, key):
    blob = admin.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    with refused("IncorrectKeyException", INCORRECT):
        admin.decrypt(CiphertextBlob=blob, KeyId=key)
    with refused("IncorrectKeyException", INCORRECT):
        admin.re_encrypt(CiphertextBlob=blob, SourceKeyId=key, DestinationKeyId=shared_key)


def test_wrong_algorithm(admin, shared_key):
    with refused("InvalidKeyUsageException", "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT."):
        admin.encrypt(KeyId=shared_key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")


def test_an_absent_key_of_the_own_account(admin):
    arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-1111-4222-8333-444444444444"
    with refused("NotFoundException", f"Key '{arn}' does not exist"):
        admin.encrypt(KeyId=arn, Plaintext=b"x")


def test_re_encrypt(admin, shared_key, key):
    blob = admin.encrypt(KeyId=shared_key, Plaintext=b"moved", EncryptionContext={"a": "1"})["CiphertextBlob"]
    moved = admin.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext={"a": "1"},
        DestinationKeyId=key,
        DestinationEncryptionContext={"b": "2"},
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (shared_key, key)
    assert moved["SourceEncryptionAlgorithm"] == moved["DestinationEncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    for named, member in ((shared_key, "SourceKeyMaterialId"), (key, "DestinationKeyMaterialId")):
        assert moved[member] == admin.describe_key(KeyId=named)["KeyMetadata"]["CurrentKeyMaterialId"]
    opened = admin.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"b": "2"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"moved", key)
    with refused("InvalidCiphertextException", ""):
        admin.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)


@pytest.mark.parametrize(
    ("asked", "size"),
    [({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 1}, 1), ({"NumberOfBytes": 1024}, 1024)],
)
def test_data_keys(admin, shared_key, asked, size):
    context = {"for": "data"}
    made = admin.generate_data_key(KeyId=shared_key, EncryptionContext=context, **asked)
    assert made["KeyId"] == shared_key
    assert len(made["Plaintext"]) == size
    assert made["KeyMaterialId"] == admin.describe_key(KeyId=shared_key)["KeyMetadata"]["CurrentKeyMaterialId"]
    opened = admin.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=context)
    assert opened["Plaintext"] == made["Plaintext"]
    with refused("InvalidCiphertextException", ""):
        admin.decrypt(CiphertextBlob=made["CiphertextBlob"])
    hidden = admin.generate_data_key_without_plaintext(KeyId=shared_key, EncryptionContext=context, **asked)
    assert "Plaintext" not in hidden
    assert hidden["KeyMaterialId"] == made["KeyMaterialId"]
    assert len(admin.decrypt(CiphertextBlob=hidden["CiphertextBlob"], EncryptionContext=context)["Plaintext"]) == size


def test_data_keys_of_no_or_two_sizes(admin, shared_key):
    text = "Please specify either number of bytes or key spec."
    for asked in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}):
        with refused("ValidationException", text):
            admin.generate_data_key(KeyId=shared_key, **asked)
        with refused("ValidationException", text):
            admin.generate_data_key_without_plaintext(KeyId=shared_key, **asked)


@pytest.mark.parametrize("size", [1, 32, 1024])
def test_random(admin, size):
    one, two = (admin.generate_random(NumberOfBytes=size)["Plaintext"] for _ in range(2))
    assert len(one) == len(two) == size
    if size > 1:
        assert one != two


def test_random_needs_a_size(admin):
    with refused("ValidationException", "NumberOfBytes is required."):
        admin.generate_random()


def test_a_recipient_is_not_taken_for_granted(admin, shared_key):
    """An attestation document that nobody checks must not be answered with a plaintext."""
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"not a document"}
    blob = admin.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    for attempt in (
        lambda: admin.decrypt(CiphertextBlob=blob, Recipient=recipient),
        lambda: admin.generate_data_key(KeyId=shared_key, KeySpec="AES_256", Recipient=recipient),
        lambda: admin.generate_random(NumberOfBytes=8, Recipient=recipient),
    ):
        try:
            answer = attempt()
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        else:
            assert not answer.get("Plaintext"), "a plaintext in spite of a recipient"


def test_another_region_opens_nothing(region, admin, shared_key, folder):
    """The same manifest in a region of its own has other key material."""
    blob = admin.encrypt(KeyId="alias/declared", Plaintext=b"x")["CiphertextBlob"]
    other = Region(folder / "other", manifest=region.manifest_path)
    try:
        other.start()
        with refused("AccessDeniedException"):
            other.client().decrypt(CiphertextBlob=blob)
        # An id of material that the region never had is a spoilt header as much as another key's.
        with pytest.raises(ClientError) as seen:
            other.client().decrypt(CiphertextBlob=blob, KeyId="alias/declared")
        assert seen.value.response["Error"]["Code"] in ("IncorrectKeyException", "InvalidCiphertextException")
    finally:
        other.kill()

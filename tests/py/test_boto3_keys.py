"""Keys: what CreateKey makes and DescribeKey repeats, how a key is named, and how its life ends."""

import datetime
import re

import pytest

from conftest import refused

MEMBERS = {
    "AWSAccountId", "Arn", "CreationDate", "CurrentKeyMaterialId", "CustomerMasterKeySpec", "Description", "Enabled",
    "EncryptionAlgorithms", "KeyId", "KeyManager", "KeySpec", "KeyState", "KeyUsage", "MultiRegion", "Origin",
}  # fmt: skip
ABSENT = "00000000-1111-4222-8333-444444444444"


def described(client, key):
    return client.describe_key(KeyId=key)["KeyMetadata"]


def test_create_and_describe(admin):
    made = admin.create_key()["KeyMetadata"]
    assert set(made) == MEMBERS
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["KeyId"])
    assert made["Arn"] == f"arn:aws:kms:us-east-1:111122223333:key/{made['KeyId']}"
    assert re.fullmatch(r"[0-9a-f]{64}", made["CurrentKeyMaterialId"])
    fixed = {name: made[name] for name in MEMBERS - {"Arn", "KeyId", "CreationDate", "CurrentKeyMaterialId"}}
    assert fixed == {
        "AWSAccountId": "111122223333",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": "",
        "Enabled": True,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": False,
        "Origin": "AWS_KMS",
    }
    age = datetime.datetime.now(datetime.timezone.utc) - made["CreationDate"]
    assert abs(age.total_seconds()) < 60
    assert described(admin, made["KeyId"]) == made
    assert described(admin, made["Arn"]) == made


def test_two_keys_share_nothing(admin):
    one, two = (admin.create_key()["KeyMetadata"] for _ in range(2))
    assert one["KeyId"] != two["KeyId"]
    assert one["CurrentKeyMaterialId"] != two["CurrentKeyMaterialId"]


def test_create_with_everything(admin):
    made = admin.create_key(
        Description="ledger",
        KeyUsage="ENCRYPT_DECRYPT",
        KeySpec="SYMMETRIC_DEFAULT",
        Origin="AWS_KMS",
        MultiRegion=False,
        Tags=[{"TagKey": "team", "TagValue": "blue"}],
    )["KeyMetadata"]
    assert made["Description"] == "ledger"
    assert admin.list_resource_tags(KeyId=made["KeyId"])["Tags"] == [{"TagKey": "team", "TagValue": "blue"}]


def test_create_refusals(admin):
    with refused("ValidationException", "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT"):
        admin.create_key(KeyUsage="SIGN_VERIFY", KeySpec="SYMMETRIC_DEFAULT")
    with refused("ValidationException", "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."):
        admin.create_key(KeySpec="RSA_2048")
    text = "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated."
    with refused("ValidationException", text):
        admin.create_key(KeySpec="SYMMETRIC_DEFAULT", CustomerMasterKeySpec="SYMMETRIC_DEFAULT")


@pytest.mark.parametrize("spec", ["SM2", "ML_DSA_65", "ML_KEM_768"])
def test_a_spec_that_is_not_there_yet_is_refused(admin, spec):
    usage = "ENCAPSULATE_DECAPSULATE" if spec.startswith("ML_KEM") else "SIGN_VERIFY"
    with refused("UnsupportedOperationException"):
        admin.create_key(KeySpec=spec, KeyUsage=usage)


@pytest.mark.parametrize("named", ["fake-key-id", "0" * 32, "mrk-fake-key-id"])
def test_a_name_of_no_valid_form(admin, named):
    with refused("NotFoundException", f"Invalid keyId '{named}'"):
        admin.describe_key(KeyId=named)


def test_an_absent_key(admin):
    arn = f"arn:aws:kms:us-east-1:111122223333:key/{ABSENT}"
    for named in (ABSENT, arn):
        with refused("NotFoundException", f"Key '{arn}' does not exist"):
            admin.describe_key(KeyId=named)
    multi = "mrk-" + "0" * 32
    with refused("NotFoundException", f"Key 'arn:aws:kms:us-east-1:111122223333:key/{multi}' does not exist"):
        admin.describe_key(KeyId=multi)


def test_an_arn_of_another_region(admin, shared_key):
    with refused("NotFoundException", "Invalid arn us-west-2"):
        admin.describe_key(KeyId=shared_key.replace("us-east-1", "us-west-2"))


def test_absent_alias(admin):
    with refused("NotFoundException", "Alias arn:aws:kms:us-east-1:111122223333:alias/absent is not found."):
        admin.describe_key(KeyId="alias/absent")


def test_describe_by_alias_and_alias_arn(admin, key):
    admin.create_alias(AliasName="alias/described", TargetKeyId=key)
    for named in ("alias/described", "arn:aws:kms:us-east-1:111122223333:alias/described"):
        assert described(admin, named)["Arn"] == key


def test_an_alias_where_only_keys_are_taken(admin, key):
    admin.create_alias(AliasName="alias/only-keys", TargetKeyId=key)
    with refused("NotFoundException") as seen:
        admin.enable_key(KeyId="alias/only-keys")
    assert "alias/only-keys" in seen.message


def test_another_users_key_is_named_by_arn_only(partner, key):
    with refused("NotFoundException") as seen:
        partner.describe_key(KeyId=key.rsplit("/", 1)[1])
    assert "444455556666" in seen.message


def test_description(admin, key):
    assert "Description" not in admin.update_key_description(KeyId=key, Description="second")
    assert described(admin, key)["Description"] == "second"
    admin.update_key_description(KeyId=key, Description="")
    assert described(admin, key)["Description"] == ""


def test_disable_and_enable(admin, key):
    admin.disable_key(KeyId=key)
    admin.disable_key(KeyId=key)
    found = described(admin, key)
    assert (found["KeyState"], found["Enabled"]) == ("Disabled", False)
    with refused("DisabledException", f"{key} is disabled."):
        admin.encrypt(KeyId=key, Plaintext=b"x")
    admin.enable_key(KeyId=key)
    admin.enable_key(KeyId=key)
    found = described(admin, key)
    assert (found["KeyState"], found["Enabled"]) == ("Enabled", True)
    admin.encrypt(KeyId=key, Plaintext=b"x")


@pytest.mark.parametrize(("asked", "days"), [({}, 30), ({"PendingWindowInDays": 7}, 7), ({"PendingWindowInDays": 30}, 30)])
def test_schedule_and_cancel(admin, key, asked, days):
    answer = admin.schedule_key_deletion(KeyId=key, **asked)
    assert answer["KeyId"] == key
    assert answer["KeyState"] == "PendingDeletion"
    assert answer["PendingWindowInDays"] == days
    due = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    assert abs((answer["DeletionDate"] - due).total_seconds()) < 60
    found = described(admin, key)
    assert (found["KeyState"], found["Enabled"]) == ("PendingDeletion", False)
    assert found["DeletionDate"] == answer["DeletionDate"]
    with refused("KMSInvalidStateException", f"{key} is pending deletion."):
        admin.schedule_key_deletion(KeyId=key)
    assert admin.cancel_key_deletion(KeyId=key)["KeyId"] == key
    found = described(admin, key)
    assert (found["KeyState"], found["Enabled"]) == ("Disabled", False)
    assert "DeletionDate" not in found
    with refused("KMSInvalidStateException", f"{key} is not pending deletion."):
        admin.cancel_key_deletion(KeyId=key)


def test_a_disabled_key_can_be_scheduled(admin, key):
    admin.disable_key(KeyId=key)
    admin.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert described(admin, key)["KeyState"] == "PendingDeletion"


@pytest.mark.parametrize("days", [1, 6, 31, 365])
def test_windows_that_are_refused(admin, key, days):
    with refused("ValidationException"):
        admin.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    assert described(admin, key)["KeyState"] == "Enabled"


def test_the_declared_key_is_there(admin):
    found = described(admin, "alias/declared")
    assert found["KeyId"] == "11111111-2222-4333-8444-555555555555"
    assert found["Description"] == "Declared in the manifest"
    tags = admin.list_resource_tags(KeyId=found["KeyId"])["Tags"]
    assert tags == [{"TagKey": "env", "TagValue": "prod"}]


def test_list_keys_has_each_key_once(admin, key):
    found = [row for page in admin.get_paginator("list_keys").paginate() for row in page["Keys"]]
    assert {"KeyId": key.rsplit("/", 1)[1], "KeyArn": key} in found
    assert len({row["KeyId"] for row in found}) == len(found)


def test_list_keys_shows_one_account_only(partner, key):
    found = [row["KeyArn"] for page in partner.get_paginator("list_keys").paginate() for row in page["Keys"]]
    assert key not in found

"""Aliases: their names, what they may point at, and that a use goes where they point now."""

import pytest

from conftest import refused
from scenes import alias_name

PREFIX = "arn:aws:kms:us-east-1:111122223333:"


def rows(client, **asked):
    return [row for page in client.get_paginator("list_aliases").paginate(**asked) for row in page["Aliases"]]


def test_create_list_delete(admin, key):
    name = alias_name()
    admin.create_alias(AliasName=name, TargetKeyId=key)
    (row,) = rows(admin, KeyId=key)
    assert set(row) == {"AliasName", "AliasArn", "TargetKeyId", "CreationDate", "LastUpdatedDate"}
    assert (row["AliasName"], row["AliasArn"]) == (name, PREFIX + name)
    assert row["TargetKeyId"] == key.rsplit("/", 1)[1], "an ARN as target shows as the id"
    assert row in rows(admin)
    admin.delete_alias(AliasName=name)
    assert rows(admin, KeyId=key) == []
    with refused("NotFoundException", f"Alias {PREFIX}{name} is not found."):
        admin.delete_alias(AliasName=name)


def test_no_prefix(admin, key):
    text = (
        'Alias must start with the prefix "alias/". Please see'
        " https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
    )
    with refused("ValidationException", text):
        admin.create_alias(AliasName="plain", TargetKeyId=key)


def test_reserved(admin, key):
    for attempt in (admin.create_alias, admin.update_alias):
        with refused("NotAuthorizedException", ""):
            attempt(AliasName="alias/aws/mine", TargetKeyId=key)
    with refused("NotAuthorizedException", ""):
        admin.delete_alias(AliasName="alias/aws/mine")


def test_a_colon(admin, key):
    with refused("ValidationException", "alias/my:alias contains invalid characters for an alias"):
        admin.create_alias(AliasName="alias/my:alias", TargetKeyId=key)


def test_characters_outside_the_pattern(admin, key):
    text = (
        "1 validation error detected: Value 'alias/my alias' at 'aliasName' failed to satisfy constraint:"
        " Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"
    )
    with refused("ValidationException", text):
        admin.create_alias(AliasName="alias/my alias", TargetKeyId=key)


@pytest.mark.parametrize("ending", ["/", "_", "-", "/deep/er"])
def test_odd_names_that_are_legal(admin, key, ending):
    name = alias_name() + ending
    admin.create_alias(AliasName=name, TargetKeyId=key)
    assert admin.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == key


def test_a_target_that_is_an_alias(admin, key):
    first = alias_name()
    admin.create_alias(AliasName=first, TargetKeyId=key)
    with refused("ValidationException", "Aliases must refer to keys. Not aliases"):
        admin.create_alias(AliasName=alias_name(), TargetKeyId=first)


def test_duplicate(admin, key):
    name = alias_name()
    admin.create_alias(AliasName=name, TargetKeyId=key)
    with refused("AlreadyExistsException", f"An alias with the name {PREFIX}{name} already exists"):
        admin.create_alias(AliasName=name, TargetKeyId=key)


def test_update_moves_it(admin, key):
    name = alias_name()
    admin.create_alias(AliasName=name, TargetKeyId=key)
    blob = admin.encrypt(KeyId=name, Plaintext=b"x")["CiphertextBlob"]
    other = admin.create_key()["KeyMetadata"]
    admin.update_alias(AliasName=name, TargetKeyId=other["KeyId"])
    assert admin.encrypt(KeyId=name, Plaintext=b"x")["KeyId"] == other["Arn"]
    assert rows(admin, KeyId=key) == []
    assert admin.decrypt(CiphertextBlob=blob)["KeyId"] == key, "the old key still opens what it sealed"
    with refused("IncorrectKeyException"):
        admin.decrypt(CiphertextBlob=blob, KeyId=name)
    admin.update_alias(AliasName=name, TargetKeyId=other["KeyId"])


def test_update_of_an_absent_alias(admin, key):
    with refused("NotFoundException", f"Alias {PREFIX}alias/absent is not found."):
        admin.update_alias(AliasName="alias/absent", TargetKeyId=key)


def test_a_key_that_goes_away(admin, key):
    name = alias_name()
    admin.create_alias(AliasName=name, TargetKeyId=key)
    admin.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    with refused("KMSInvalidStateException", f"{key} is pending deletion."):
        admin.create_alias(AliasName=alias_name(), TargetKeyId=key)
    admin.delete_alias(AliasName=name)


def test_the_same_name_in_two_accounts(admin, partner, key):
    name = alias_name()
    admin.create_alias(AliasName=name, TargetKeyId=key)
    theirs = partner.create_key()["KeyMetadata"]["Arn"]
    partner.create_alias(AliasName=name, TargetKeyId=theirs)
    assert admin.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == key
    assert partner.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == theirs

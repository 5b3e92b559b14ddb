"""Grants: tokens, constraints, delegation, lists, and that a revocation is over when it returns."""

import re

import pytest

from conftest import allow, document, refused
from scenes import CONTEXT, PLAINTEXT, Scene


@pytest.fixture
def scene(region, keeper):
    """A key that only the keeper may use, so that whatever else works is a grant's doing."""
    return Scene(keeper, region.credentials("keeper").arn, document(allow(region.credentials("keeper").arn)))


@pytest.fixture
def grantee(region):
    return region.credentials("nobody").arn


def grants(client, key, **asked):
    return [row for page in client.get_paginator("list_grants").paginate(KeyId=key, **asked) for row in page["Grants"]]


def test_create_use_list_revoke(scene, keeper, nobody, grantee):
    made = scene.grant(GranteePrincipal=grantee, Operations=["Encrypt", "Decrypt"], Name="use")
    assert re.fullmatch(r"[0-9a-f]{64}", made["GrantId"])
    assert re.fullmatch(r"[A-Za-z0-9+/=_-]{1,8192}", made["GrantToken"])
    blob = nobody.encrypt(KeyId=scene.arn, Plaintext=b"x")["CiphertextBlob"]
    assert nobody.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    with refused("AccessDeniedException"):
        nobody.generate_data_key(KeyId=scene.arn, KeySpec="AES_256")
    (row,) = grants(keeper, scene.arn)
    assert set(row) == {
        "KeyId", "GrantId", "Name", "CreationDate", "GranteePrincipal", "IssuingAccount", "Operations",
    }  # fmt: skip
    assert (row["KeyId"], row["GrantId"], row["Name"]) == (scene.arn, made["GrantId"], "use")
    assert row["GranteePrincipal"] == grantee
    assert row["IssuingAccount"] == "arn:aws:iam::111122223333:root"
    assert sorted(row["Operations"]) == ["Decrypt", "Encrypt"]
    keeper.revoke_grant(KeyId=scene.arn, GrantId=made["GrantId"])
    with refused("AccessDeniedException"):
        nobody.encrypt(KeyId=scene.arn, Plaintext=b"x")
    assert grants(keeper, scene.arn) == []
    with refused("NotFoundException"):
        keeper.revoke_grant(KeyId=scene.arn, GrantId=made["GrantId"])


def test_a_revocation_that_returned_is_over(scene, keeper, nobody, grantee):
    for _ in range(20):
        made = scene.grant(GranteePrincipal=grantee)
        nobody.encrypt(KeyId=scene.arn, Plaintext=b"x")
        keeper.revoke_grant(KeyId=scene.arn, GrantId=made["GrantId"])
        with refused("AccessDeniedException"):
            nobody.encrypt(KeyId=scene.arn, Plaintext=b"x")


def test_the_same_name_is_the_same_grant(scene, grantee):
    first = scene.grant(GranteePrincipal=grantee, Name="once")
    again = scene.grant(GranteePrincipal=grantee, Name="once")
    assert again["GrantId"] == first["GrantId"]
    unnamed = {scene.grant(GranteePrincipal=grantee)["GrantId"] for _ in range(2)}
    assert len(unnamed) == 2
    other = scene.grant(GranteePrincipal=grantee, Name="once", Operations=["Decrypt"])
    assert other["GrantId"] != first["GrantId"]


def test_the_same_name_on_two_keys(scene, region, keeper, grantee):
    other = Scene(keeper, region.credentials("keeper").arn)
    first, second = (each.grant(GranteePrincipal=grantee, Name="shared-name") for each in (scene, other))
    assert first["GrantId"] != second["GrantId"]


def test_tokens(scene, nobody, grantee):
    tokens = [scene.grant(GranteePrincipal=grantee)["GrantToken"] for _ in range(11)]
    nobody.encrypt(KeyId=scene.arn, Plaintext=b"x", GrantTokens=tokens[:1])
    nobody.encrypt(KeyId=scene.arn, Plaintext=b"x", GrantTokens=tokens[:10])
    with refused("ValidationException") as seen:
        nobody.encrypt(KeyId=scene.arn, Plaintext=b"x", GrantTokens=tokens)
    assert seen.message.startswith("1 validation error detected: Value '[")
    assert seen.message.endswith(
        "at 'grantTokens' failed to satisfy constraint: Member must have length less than or equal to 10"
    )


@pytest.mark.parametrize("bend", [lambda token: "bm90IGEgdG9rZW4=", lambda token: token[:-8], lambda token: "A" + token])
def test_invalid_tokens(scene, nobody, grantee, bend):
    token = scene.grant(GranteePrincipal=grantee)["GrantToken"]
    with refused("InvalidGrantTokenException"):
        nobody.encrypt(KeyId=scene.arn, Plaintext=b"x", GrantTokens=[bend(token)])


def test_context_equals(scene, nobody, grantee):
    scene.grant(GranteePrincipal=grantee, Constraints={"EncryptionContextEquals": {"a": "1", "b": "2"}})
    nobody.encrypt(KeyId=scene.arn, Plaintext=b"x", EncryptionContext={"b": "2", "a": "1"})
    for context in ({}, {"a": "1"}, {"a": "1", "b": "2", "c": "3"}, {"A": "1", "b": "2"}, {"a": "1", "b": "3"}):
        with refused("AccessDeniedException"):
            nobody.encrypt(KeyId=scene.arn, Plaintext=b"x", EncryptionContext=context)


def test_context_subset(scene, nobody, grantee, keeper):
    scene.grant(GranteePrincipal=grantee, Constraints={"EncryptionContextSubset": {"a": "1"}}, Operations=["Encrypt", "DescribeKey"])
    for context in ({"a": "1"}, {"a": "1", "c": "3"}):
        nobody.encrypt(KeyId=scene.arn, Plaintext=b"x", EncryptionContext=context)
    for context in ({}, {"a": "2"}, {"c": "3"}):
        with refused("AccessDeniedException"):
            nobody.encrypt(KeyId=scene.arn, Plaintext=b"x", EncryptionContext=context)
    nobody.describe_key(KeyId=scene.arn)
    (row,) = grants(keeper, scene.arn)
    assert row["Constraints"] == {"EncryptionContextSubset": {"a": "1"}}


def test_refusals_of_create(scene, keeper, grantee):
    with refused("ValidationException"):
        keeper.create_grant(KeyId=scene.arn, GranteePrincipal=grantee, Operations=["Sign"])
    with refused("ValidationException"):
        keeper.create_grant(KeyId=scene.arn, GranteePrincipal=grantee, Operations=["encrypt"])
    with refused("InvalidArnException"):
        keeper.create_grant(KeyId=scene.arn, GranteePrincipal="not-an-arn", Operations=["Encrypt"])
    with refused("InvalidArnException"):
        keeper.create_grant(KeyId=scene.arn, GranteePrincipal="arn:aws:iam::111122223333:user/ghost", Operations=["Encrypt"])
    keeper.create_alias(AliasName=f"alias/grant-{scene.id}", TargetKeyId=scene.id)
    with refused("InvalidArnException", "Key Aliases are not supported for this operation."):
        keeper.create_grant(KeyId=f"alias/grant-{scene.id}", GranteePrincipal=grantee, Operations=["Encrypt"])


def test_delegation_only_narrows(region, scene, nobody, grantee):
    """A grantee with CreateGrant may pass on a part of what it has, no more."""
    application = region.credentials("application").arn
    scene.grant(
        GranteePrincipal=grantee,
        Operations=["Encrypt", "Decrypt", "CreateGrant"],
        Constraints={"EncryptionContextSubset": {"a": "1"}},
    )

    def pass_on(operations, constraints=None):
        more = {"Constraints": constraints} if constraints else {}
        return nobody.create_grant(KeyId=scene.arn, GranteePrincipal=application, Operations=operations, **more)

    pass_on(["Encrypt"], {"EncryptionContextSubset": {"a": "1", "b": "2"}})
    pass_on(["Encrypt", "Decrypt"], {"EncryptionContextEquals": {"a": "1"}})
    for operations, constraints in [
        (["Encrypt"], None),
        (["Encrypt"], {"EncryptionContextSubset": {"b": "2"}}),
        (["GenerateDataKey"], {"EncryptionContextSubset": {"a": "1"}}),
    ]:
        with refused("AccessDeniedException"):
            pass_on(operations, constraints)
    region.client("application").encrypt(KeyId=scene.arn, Plaintext=b"x", EncryptionContext={"a": "1", "b": "2"})


def test_retire(region, scene, keeper, nobody, grantee):
    application = region.credentials("application").arn
    made = scene.grant(GranteePrincipal=grantee, RetiringPrincipal=application)
    with refused("AccessDeniedException"):
        nobody.retire_grant(KeyId=scene.arn, GrantId=made["GrantId"])
    region.client("application").retire_grant(GrantToken=made["GrantToken"])
    with refused("AccessDeniedException"):
        nobody.encrypt(KeyId=scene.arn, Plaintext=b"x")
    made = scene.grant(GranteePrincipal=grantee, RetiringPrincipal=application)
    region.client("application").retire_grant(KeyId=scene.arn, GrantId=made["GrantId"])
    made = scene.grant(GranteePrincipal=grantee, Operations=["Encrypt", "RetireGrant"])
    nobody.retire_grant(KeyId=scene.arn, GrantId=made["GrantId"])
    assert grants(keeper, scene.arn) == []


def test_list_retirable(region, scene, keeper, grantee):
    application = region.credentials("application").arn
    made = scene.grant(GranteePrincipal=grantee, RetiringPrincipal=application, Name="to-retire")
    pages = keeper.get_paginator("list_retirable_grants").paginate(RetiringPrincipal=application)
    found = {row["GrantId"]: row for page in pages for row in page["Grants"]}
    row = found[made["GrantId"]]
    assert (row["KeyId"], row["RetiringPrincipal"], row["Name"]) == (scene.arn, application, "to-retire")
    keeper.revoke_grant(KeyId=scene.arn, GrantId=made["GrantId"])
    pages = keeper.get_paginator("list_retirable_grants").paginate(RetiringPrincipal=application)
    assert made["GrantId"] not in {row["GrantId"] for page in pages for row in page["Grants"]}


def test_list_filters(region, scene, keeper, grantee):
    one = scene.grant(GranteePrincipal=grantee)["GrantId"]
    two = scene.grant(GranteePrincipal=region.credentials("application").arn)["GrantId"]
    assert {row["GrantId"] for row in grants(keeper, scene.arn)} == {one, two}
    assert [row["GrantId"] for row in grants(keeper, scene.arn, GrantId=one)] == [one]
    assert [row["GrantId"] for row in grants(keeper, scene.arn, GranteePrincipal=grantee)] == [one]


def test_a_grant_across_accounts(region, scene):
    """The grant alone is enough for a user of another account who has no identity policy."""
    scene.grant(GranteePrincipal=region.credentials("stranger").arn, Operations=["Encrypt", "Decrypt"])
    stranger = region.client("stranger")
    blob = stranger.encrypt(KeyId=scene.arn, Plaintext=PLAINTEXT, EncryptionContext=CONTEXT)["CiphertextBlob"]
    assert stranger.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"] == PLAINTEXT


def test_a_grant_is_gone_with_its_state(scene, keeper, nobody, grantee):
    scene.grant(GranteePrincipal=grantee)
    keeper.disable_key(KeyId=scene.arn)
    with refused("DisabledException", f"{scene.arn} is disabled."):
        nobody.encrypt(KeyId=scene.arn, Plaintext=b"x")
    keeper.enable_key(KeyId=scene.arn)
    nobody.encrypt(KeyId=scene.arn, Plaintext=b"x")

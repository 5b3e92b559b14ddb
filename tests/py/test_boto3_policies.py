"""Key policies: the default one, what is refused at put time, the lock-out check, and that a change decides the next call."""

import json

import pytest

from conftest import allow, deny, document, refused


def policy(client, key):
    return json.loads(client.get_key_policy(KeyId=key, PolicyName="default")["Policy"])


def put(client, key, text, **more):
    return client.put_key_policy(KeyId=key, PolicyName="default", Policy=text, **more)


ROOT = "arn:aws:iam::111122223333:root"


def test_default(admin, key):
    answer = admin.get_key_policy(KeyId=key, PolicyName="default")
    assert answer["PolicyName"] == "default"
    assert "\n" in answer["Policy"], "AWS prints the default policy over several lines"
    assert json.loads(answer["Policy"]) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": ROOT},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
    assert json.loads(admin.get_key_policy(KeyId=key)["Policy"]) == policy(admin, key)


def test_list(admin, key):
    answer = admin.list_key_policies(KeyId=key)
    assert (answer["PolicyNames"], answer["Truncated"]) == (["default"], False)
    assert "NextMarker" not in answer


def test_put_and_read_back(admin, key):
    text = document(allow(ROOT), deny("*", "kms:Encrypt", Sid="No encryption"))
    put(admin, key, text)
    assert policy(admin, key) == json.loads(text)
    with refused("AccessDeniedException") as seen:
        admin.encrypt(KeyId=key, Plaintext=b"x")
    assert seen.message.endswith(f"on resource: {key} with an explicit deny in a resource-based policy")
    put(admin, key, document(allow(ROOT)))
    admin.encrypt(KeyId=key, Plaintext=b"x")


def test_create_with_a_policy(admin):
    text = document(allow(ROOT), allow("arn:aws:iam::111122223333:user/nobody", "kms:Encrypt"))
    key = admin.create_key(Policy=text)["KeyMetadata"]["Arn"]
    assert policy(admin, key) == json.loads(text)


def test_other_policy_names(admin, key):
    for attempt in (
        lambda: admin.get_key_policy(KeyId=key, PolicyName="mine"),
        lambda: admin.put_key_policy(KeyId=key, PolicyName="mine", Policy=document(allow(ROOT))),
    ):
        with refused("NotFoundException", "No such policy exists"):
            attempt()


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        '{"Version":"2012-10-17"}',
        '{"Version":"2011-01-01","Statement":[]}',
        document({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}),
        document({**allow(ROOT), "Effect": "Perhaps"}),
        document({**allow(ROOT), "NotAction": "kms:Encrypt"}),
        document({**allow(ROOT), "Wish": "x"}),
        document(allow(ROOT, Condition={"StringAlmost": {"aws:username": "x"}})),
        document({**allow(ROOT), "Principal": {"Planet": "Earth"}}),
    ],
    ids=["text", "list", "no-statement", "version", "no-principal", "effect", "both-actions", "element", "operator", "principal-type"],
)  # fmt: skip
def test_malformed(admin, key, text):
    before = policy(admin, key)
    with refused("MalformedPolicyDocumentException"):
        put(admin, key, text)
    assert policy(admin, key) == before


def test_an_unknown_principal(admin, key):
    text = document(allow(ROOT), allow("arn:aws:iam::111122223333:user/ghost"))
    message = "Policy contains a statement with one or more invalid principals."
    with refused("MalformedPolicyDocumentException", message):
        put(admin, key, text)


def test_lock_out(region, admin, key):
    message = "The new key policy will not allow you to update the key policy in the future."
    text = document(allow(region.credentials("keeper").arn))
    with refused("MalformedPolicyDocumentException", message):
        put(admin, key, text)
    with refused("MalformedPolicyDocumentException", message):
        admin.create_key(Policy=text)
    put(admin, key, text, BypassPolicyLockoutSafetyCheck=True)
    with refused("AccessDeniedException"):
        policy(admin, key)
    assert policy(region.client("keeper"), key) == json.loads(text)


def test_too_large(admin, key):
    text = document(allow(ROOT), allow(ROOT, Sid="x" * 33000))
    with refused("LimitExceededException"):
        put(admin, key, text)


def test_a_user_named_directly_needs_no_identity_policy(region, admin, nobody, key):
    with refused("AccessDeniedException"):
        nobody.encrypt(KeyId=key, Plaintext=b"x")
    put(admin, key, document(allow(ROOT), allow(region.credentials("nobody").arn, "kms:Encrypt")))
    nobody.encrypt(KeyId=key, Plaintext=b"x")
    put(admin, key, document(allow(ROOT)))
    with refused("AccessDeniedException"):
        nobody.encrypt(KeyId=key, Plaintext=b"x")


def test_conditions_on_the_context(region, admin, nobody, key):
    where = {"StringEquals": {"kms:EncryptionContext:team": "blue"}}
    put(admin, key, document(allow(ROOT), allow(region.credentials("nobody").arn, "kms:Encrypt", Condition=where)))
    nobody.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"team": "blue"})
    for context in ({}, {"team": "red"}, {"other": "blue"}):
        with refused("AccessDeniedException"):
            nobody.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)


def test_conditions_on_the_alias_asked_for(region, admin, nobody, key):
    where = {"StringEquals": {"kms:RequestAlias": "alias/asked-for"}}
    admin.create_alias(AliasName="alias/asked-for", TargetKeyId=key)
    put(admin, key, document(allow(ROOT), allow(region.credentials("nobody").arn, "kms:Encrypt", Condition=where)))
    nobody_key = f"{key.rsplit(':', 1)[0]}:alias/asked-for"
    nobody.encrypt(KeyId=nobody_key, Plaintext=b"x")
    nobody.encrypt(KeyId="alias/asked-for", Plaintext=b"x")
    with refused("AccessDeniedException"):
        nobody.encrypt(KeyId=key, Plaintext=b"x")


def test_conditions_on_the_source(region, admin, key):
    """Through an endpoint its VPC is known and the public address is not; on the public listener the reverse."""
    nobody = region.credentials("nobody").arn
    cases = [
        ({"StringEquals": {"aws:SourceVpce": "vpce-0aaaaaaaaaaaaaaa1"}}, "open", "public"),
        ({"StringEquals": {"aws:SourceVpc": "vpc-0aaaaaaaaaaaaaaa1"}}, "open", "denying"),
        ({"IpAddress": {"aws:VpcSourceIp": "127.0.0.0/8"}}, "open", "public"),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, "public", "open"),
        ({"StringEquals": {"kannuki:SourceVpcTag/env": "dev"}}, "open", "denying"),
        ({"StringEquals": {"kannuki:SourceVpceTag/name": "denying"}}, "denying", "open"),
        ({"Null": {"aws:SourceVpc": "true"}}, "public", "open"),
        ({"Bool": {"aws:SecureTransport": "true"}}, "open", None),
        ({"StringEquals": {"aws:PrincipalArn": nobody}}, "open", None),
        ({"NumericLessThan": {"aws:EpochTime": "1000000000"}}, None, "open"),
    ]
    for where, passes, fails in cases:
        put(admin, key, document(allow(ROOT), allow(nobody, "kms:Encrypt", Condition=where)))
        if passes:
            region.client("nobody", passes).encrypt(KeyId=key, Plaintext=b"x")
        if fails:
            with refused("AccessDeniedException"):
                region.client("nobody", fails).encrypt(KeyId=key, Plaintext=b"x")


def test_a_change_decides_the_very_next_call(region, admin, nobody, key):
    grantee = region.credentials("nobody").arn
    for _ in range(20):
        put(admin, key, document(allow(ROOT), allow(grantee, "kms:Encrypt")))
        nobody.encrypt(KeyId=key, Plaintext=b"x")
        put(admin, key, document(allow(ROOT)))
        with refused("AccessDeniedException"):
            nobody.encrypt(KeyId=key, Plaintext=b"x")

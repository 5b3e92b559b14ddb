"""Each operation x {unauthenticated, wrong secret, unknown key, endpoint policy, key policy, identity, grant only, another account}.

The table must have a row for each operation that the service has; what it lacks stands in a list that can only become shorter.
"""

import json

import pytest
from botocore.exceptions import ClientError

from conftest import allow, document, refused
from region import FIXTURES
from scenes import Scene, ask, table, unsupported
from signing import CONTENT_TYPE, Connection, call

ROWS = table("authorization.tsv")
ROW = {row["operation"]: row for row in ROWS}
# Lower it when an operation arrives; never raise it.
UNSUPPORTED_MAX = 19
ABSENT = "00000000-1111-4222-8333-444444444444"

each_operation = pytest.mark.parametrize("operation", sorted(ROW))


def locked(region):
    """The policy of a key that only the keeper may use."""
    return document(allow(region.credentials("keeper").arn))


def owned_by(region, user, policy=None, operation=None):
    scene = Scene(region.client(user), region.credentials(user).arn, policy, operation)
    if operation == "CancelKeyDeletion":
        scene.put("PendingDeletion")
    return scene


def text(region, user, row, reason, resources):
    """The refusals that are right for a row: one for each resource that may be named first."""
    who = f"User: {region.credentials(user).arn} is not authorized to perform: {row['action']}"
    reason = reason.format(action=row["action"])
    if row["resource"] == "none":
        return [f"{who} {reason}"]
    return [f"{who} on resource: {resource} {reason}" for resource in resources]


def resources(scene, request):
    named = [scene.arn]
    if "AliasName" in request:
        named.append(scene.alias_arn(request["AliasName"]))
    return named


def test_the_table_has_each_operation_of_the_service(region):
    names = set(json.loads((FIXTURES / "model" / "kms.json").read_text())["operations"])
    assert len(names) == 56
    lacking = set()
    for name in sorted(names):
        answer = call(region, name, {})
        assert answer.code != "UnknownOperationException", name
        # A real operation never answers an empty request so: it lacks a required member before anything else.
        if answer.code == "UnsupportedOperationException":
            lacking.add(name)
    listed = unsupported()
    assert listed == sorted(set(listed)), "the list is sorted and names nothing twice"
    assert lacking == set(listed)
    assert set(ROW) == names - lacking
    assert len(listed) <= UNSUPPORTED_MAX


@each_operation
def test_unauthenticated(region, operation):
    connection = Connection(region)
    headers = [
        ("host", connection.host),
        ("content-type", CONTENT_TYPE),
        ("x-amz-target", f"TrentService.{operation}"),
    ]
    answer = connection.send(headers, b"{}")
    connection.close()
    assert (answer.status, answer.code) == (400, "MissingAuthenticationTokenException"), answer
    assert answer.message == "Missing Authentication Token"


@each_operation
def test_wrong_secret(region, operation):
    answer = call(region, operation, {}, secret="x" * 40)
    assert (answer.status, answer.code) == (400, "InvalidSignatureException"), answer


@each_operation
def test_unknown_access_key(region, operation):
    answer = call(region, operation, {}, key_id="AKIAUNKNOWN222222222")
    assert (answer.status, answer.code) == (400, "UnrecognizedClientException"), answer
    assert answer.message == "The security token included in the request is invalid."


@each_operation
def test_denied_by_endpoint_policy(region, operation):
    scene = owned_by(region, "administrator", operation=operation)
    request = scene.request(operation)
    reason = "because no VPC endpoint policy allows the {action} action"
    with refused("AccessDeniedException") as seen:
        ask(region.client("administrator", "closed"), operation, request)
    assert seen.message in text(region, "administrator", ROW[operation], reason, resources(scene, request))
    ask(region.client("administrator"), operation, request)


@pytest.mark.parametrize("operation", sorted(o for o, row in ROW.items() if row["key_policy"] == "denied"))
def test_denied_by_key_policy(region, operation):
    scene = owned_by(region, "keeper", locked(region), operation)
    request = scene.request(operation)
    reason = "because no resource-based policy allows the {action} action"
    with refused("AccessDeniedException") as seen:
        ask(region.client("administrator"), operation, request)
    assert seen.message in text(region, "administrator", ROW[operation], reason, [scene.arn])
    ask(region.client("keeper"), operation, request)


@each_operation
def test_denied_by_silent_identity(region, operation):
    scene = owned_by(region, "administrator", operation=operation)
    request = scene.request(operation)
    reason = "because no identity-based policy allows the {action} action"
    with refused("AccessDeniedException") as seen:
        ask(region.client("nobody"), operation, request)
    assert seen.message in text(region, "nobody", ROW[operation], reason, resources(scene, request))


@pytest.mark.parametrize("operation", sorted(o for o, row in ROW.items() if row["resource"] != "none"))
def test_allowed_by_grant_only(region, operation):
    scene = Scene(region.client("keeper"), region.credentials("keeper").arn, locked(region), operation)
    grantee = region.credentials("nobody").arn
    scene.grant(GranteePrincipal=grantee, Operations=scene.granted)
    if operation == "CancelKeyDeletion":
        scene.put("PendingDeletion")
    request = scene.request(operation)
    if operation == "RetireGrant":
        request["GrantId"] = scene.grant(GranteePrincipal=grantee, Operations=["RetireGrant"])["GrantId"]
    if ROW[operation]["grant"] == "yes":
        ask(region.client("nobody"), operation, request)
    else:
        with refused("AccessDeniedException"):
            ask(region.client("nobody"), operation, request)


@pytest.mark.parametrize("operation", sorted(o for o, row in ROW.items() if row["resource"] != "none"))
def test_another_account_when_both_sides_allow(region, operation):
    keeper, partner = region.credentials("keeper"), region.credentials("partner")
    policy = document(allow(keeper.arn), allow(f"arn:aws:iam::{partner.account}:root"))
    scene = owned_by(region, "keeper", policy, operation)
    request = scene.request(operation)
    if operation == "PutKeyPolicy":
        request["Policy"] = policy
    if operation in ("UpdateAlias", "DeleteAlias"):
        request["AliasName"] = scene.alias_arn(request["AliasName"])
    if "TargetKeyId" in request:
        request["TargetKeyId"] = scene.arn
    if ROW[operation]["cross_account"] == "yes":
        ask(region.client("partner"), operation, request)
    else:
        with pytest.raises(ClientError) as seen:
            ask(region.client("partner"), operation, request)
        # An alias ARN is no valid alias name for these, which is said before anything is looked up.
        allowed = {"ValidationException", "NotFoundException"} if "AliasName" in request else set()
        assert seen.value.response["Error"]["Code"] in {"AccessDeniedException"} | allowed


@pytest.mark.parametrize("operation", sorted(o for o, row in ROW.items() if row["cross_account"] == "yes"))
def test_another_account_needs_both_sides(region, operation):
    keeper, partner = region.credentials("keeper"), region.credentials("partner")
    open_to_partner = document(allow(keeper.arn), allow(f"arn:aws:iam::{partner.account}:root"))
    scene = owned_by(region, "keeper", open_to_partner, operation)
    with refused("AccessDeniedException"):
        ask(region.client("stranger"), operation, scene.request(operation))
    silent = owned_by(region, "keeper", locked(region), operation)
    with refused("AccessDeniedException"):
        ask(region.client("partner"), operation, silent.request(operation))


@pytest.mark.parametrize("operation", sorted(o for o, row in ROW.items() if row["resource"] == "key"))
def test_a_foreign_key_looks_alike_whether_it_exists_or_not(region, operation):
    scene = owned_by(region, "keeper", locked(region), operation)
    request = scene.request(operation)
    absent = {name: scene.arn.replace(scene.id, ABSENT) if value == scene.arn else value for name, value in request.items()}
    assert absent != request
    seen = []
    for asked in (request, absent):
        with refused("AccessDeniedException") as refusal:
            ask(region.client("partner"), operation, asked)
        seen.append(refusal.message.replace(scene.id, "ID").replace(ABSENT, "ID"))
    assert seen[0] == seen[1]


def test_an_explicit_deny_of_the_endpoint_wins(region):
    with refused("AccessDeniedException") as seen:
        region.client("administrator", "denying").list_keys()
    assert seen.message.endswith("with an explicit deny in a VPC endpoint policy")
    region.client("administrator", "denying").list_aliases()


def test_an_explicit_deny_of_the_identity_wins(region, key):
    arn = region.credentials("restrained").arn
    with refused("AccessDeniedException") as seen:
        region.client("restrained").encrypt(KeyId=key, Plaintext=b"x")
    assert seen.message == (
        f"User: {arn} is not authorized to perform: kms:Encrypt on resource: {key}"
        " with an explicit deny in an identity-based policy"
    )
    region.client("restrained").describe_key(KeyId=key)


def test_a_deny_beats_a_grant(region, keeper, nobody):
    policy = document(
        allow(region.credentials("keeper").arn),
        {**allow(region.credentials("nobody").arn, "kms:Encrypt"), "Effect": "Deny"},
    )
    scene = Scene(keeper, region.credentials("keeper").arn, policy)
    scene.grant(GranteePrincipal=region.credentials("nobody").arn, Operations=["Encrypt", "Decrypt"])
    with refused("AccessDeniedException") as seen:
        ask(nobody, "Encrypt", scene.request("Encrypt"))
    assert seen.message.endswith("with an explicit deny in a resource-based policy")
    ask(nobody, "Decrypt", scene.request("Decrypt"))


def test_refused_before_the_state_is_told(region, keeper, admin):
    scene = Scene(keeper, region.credentials("keeper").arn, locked(region)).put("Disabled")
    with refused("AccessDeniedException"):
        ask(admin, "Encrypt", scene.request("Encrypt"))
    with refused("DisabledException", f"{scene.arn} is disabled."):
        ask(keeper, "Encrypt", scene.request("Encrypt"))


def test_a_ciphertext_gives_nothing_away(region, keeper, admin):
    scene = Scene(keeper, region.credentials("keeper").arn, locked(region))
    request = scene.request("Decrypt")
    del request["KeyId"]
    with refused("AccessDeniedException") as seen:
        ask(admin, "Decrypt", request)
    assert seen.message == (
        "The ciphertext refers to a customer master key that does not exist,"
        " does not exist in this region, or you are not allowed to access."
    )

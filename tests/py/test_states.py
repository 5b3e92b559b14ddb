"""Each operation in each state that a key can be brought into, after the table of key states."""

import pytest
from botocore.exceptions import ClientError

from scenes import Scene, ask, table, unsupported

REACHABLE = ["Enabled", "Disabled", "PendingDeletion"]
REFUSALS = {
    "disabled": ("DisabledException", "{arn} is disabled."),
    "pending_deletion": ("KMSInvalidStateException", "{arn} is pending deletion."),
    "not_pending_deletion": ("KMSInvalidStateException", "{arn} is not pending deletion."),
}
LACKING = set(unsupported())
ROWS = [row for row in table("key_states.tsv") if row["operation"].split(":")[0] not in LACKING]
CASES = [(row["operation"], state, row[state]) for row in ROWS for state in REACHABLE]


def prepared(admin, arn, row, state):
    """The scene in its state, the operation and its request. What the request needs is made before the state changes."""
    operation, _, part = row.partition(":")
    scene = Scene(admin, arn, operation=operation)
    other = Scene(admin, arn) if part else None
    request = scene.request(operation)
    if row == "ReEncrypt:source":
        request = scene.re_encrypt(scene.arn, other.arn, scene.blob)
    elif row == "ReEncrypt:destination":
        request = scene.re_encrypt(other.arn, scene.arn, other.blob)
    elif row == "UpdateAlias:new":
        request = {"AliasName": other.alias(), "TargetKeyId": scene.id}
    elif row == "UpdateAlias:old":
        request = {"AliasName": scene.alias(), "TargetKeyId": other.id}
    elif operation == "ListAliases":
        request = {"KeyId": scene.arn}
    scene.put(state)
    return scene, operation, request


@pytest.mark.parametrize(("row", "state", "expected"), CASES, ids=[f"{r}-{s}" for r, s, _ in CASES])
def test_state(region, admin, row, state, expected):
    scene, operation, request = prepared(admin, region.credentials("administrator").arn, row, state)
    if expected == "ok":
        ask(admin, operation, request)
        return
    code, message = REFUSALS[expected]
    with pytest.raises(ClientError) as seen:
        ask(admin, operation, request)
    error = seen.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, message.format(arn=scene.arn))


def test_the_state_is_named_by_arn_even_for_an_id(region, admin):
    scene = Scene(admin, region.credentials("administrator").arn).put("Disabled")
    with pytest.raises(ClientError) as seen:
        admin.encrypt(KeyId=scene.id, Plaintext=b"x")
    assert seen.value.response["Error"]["Message"] == f"{scene.arn} is disabled."


def test_each_key_operation_of_the_service_has_a_row():
    rows = {row["operation"].split(":")[0] for row in ROWS}
    keyed = {row["operation"] for row in table("authorization.tsv") if row["resource"] != "none"}
    assert rows - {"ListAliases"} == keyed

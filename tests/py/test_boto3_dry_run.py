"""DryRun: everything is checked, nothing is done."""

import pytest

from conftest import refused
from scenes import Scene, ask

OPERATIONS = [
    "Encrypt",
    "Decrypt",
    "ReEncrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "Sign",
    "Verify",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
    "CreateGrant",
    "RetireGrant",
    "RevokeGrant",
]
WOULD = "The request would have succeeded, but the DryRun option is set."
each_operation = pytest.mark.parametrize("operation", OPERATIONS)


@pytest.fixture
def scene(region, admin, request):
    operation = request.node.callspec.params.get("operation") if hasattr(request.node, "callspec") else None
    return Scene(admin, region.credentials("administrator").arn, operation=operation)


@each_operation
def test_would_have_succeeded(admin, scene, operation):
    request = scene.request(operation)
    with refused("DryRunOperationException", WOULD):
        ask(admin, operation, {**request, "DryRun": True})
    ask(admin, operation, {**request, "DryRun": False})


@each_operation
def test_a_refusal_comes_first(nobody, scene, operation):
    with refused("AccessDeniedException"):
        ask(nobody, operation, {**scene.request(operation), "DryRun": True})


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each not in ("RetireGrant", "RevokeGrant")])
def test_a_state_comes_first(admin, scene, operation):
    request = scene.request(operation)
    scene.put("Disabled")
    with refused("DisabledException", f"{scene.arn} is disabled."):
        ask(admin, operation, {**request, "DryRun": True})


def test_a_validation_comes_first(region, scene):
    with refused("ValidationException"):
        region.client(validate=False).encrypt(KeyId=scene.arn, Plaintext=b"x" * 4097, DryRun=True)


def test_a_wrong_algorithm_comes_first(admin, scene):
    with refused("InvalidKeyUsageException"):
        admin.encrypt(KeyId=scene.arn, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1", DryRun=True)


def test_nothing_is_done(region, admin, scene):
    before = admin.list_grants(KeyId=scene.arn)["Grants"]
    with refused("DryRunOperationException", WOULD):
        ask(admin, "CreateGrant", {**scene.request("CreateGrant"), "DryRun": True})
    assert admin.list_grants(KeyId=scene.arn)["Grants"] == before
    grant = scene.grant()["GrantId"]
    for attempt in (admin.revoke_grant, admin.retire_grant):
        with refused("DryRunOperationException", WOULD):
            attempt(KeyId=scene.arn, GrantId=grant, DryRun=True)
    assert grant in [row["GrantId"] for row in admin.list_grants(KeyId=scene.arn)["Grants"]]

"""Two accounts of one organization, with groups, boundaries, roles and control policies, as boto3 meets them.

The manifest is changed and applied again while the connections stay open.
"""

import json
import shutil
import signal
import subprocess
import time

import pytest

from conftest import refused, running
from region import FIXTURES, Region, binary

MANIFEST = FIXTURES / "manifests" / "organization.toml"
MANAGEMENT, MEMBER = "111122223333", "444455556666"


@pytest.fixture
def own(folder):
    shutil.copy(MANIFEST, folder / "manifest.toml")
    with running(Region(folder / "data", manifest=folder / "manifest.toml")) as started:
        yield started


def client(region, user):
    return region.client(user, endpoint="public")


def change(region, old, new, applied=True):
    """Replaces a part of the manifest and has it applied, or refused."""
    path = region.manifest_path
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    before = region.metric("kannuki_manifest_applied_total")
    region.signal(signal.SIGHUP)
    if not applied:
        time.sleep(0.5)
        assert region.metric("kannuki_manifest_applied_total") == before, "a faulty manifest was applied"
        return
    until = time.monotonic() + 5
    while region.metric("kannuki_manifest_applied_total") == before:
        assert time.monotonic() < until, "SIGHUP did not apply the manifest"
        time.sleep(0.02)


def test_a_group_gives_and_a_boundary_takes(own):
    ana, keeper = client(own, "ana"), client(own, "keeper")
    key = keeper.create_key()["KeyMetadata"]["Arn"]
    blob = ana.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    who = f"User: arn:aws:iam::{MEMBER}:user/ana is not authorized to perform:"
    with refused("AccessDeniedException") as seen:
        ana.list_keys()
    assert seen.message == f"{who} kms:ListKeys because no permissions boundary allows the kms:ListKeys action"
    with refused("AccessDeniedException") as seen:
        ana.list_aliases()
    assert seen.message == f"{who} kms:ListAliases because no identity-based policy allows the kms:ListAliases action"
    change(own, 'groups = ["developers"]\n', "")
    with refused("AccessDeniedException") as seen:
        ana.decrypt(CiphertextBlob=blob, KeyId=key)
    reason = "because no identity-based policy allows the kms:Decrypt action"
    assert seen.message == f"{who} kms:Decrypt on resource: {key} {reason}"


def test_control_policies_bind_the_member_and_not_the_management_account(own):
    keeper, administrator = client(own, "keeper"), client(own, "administrator")
    key = keeper.create_key()["KeyMetadata"]["Arn"]
    who = f"User: arn:aws:iam::{MEMBER}:user/keeper is not authorized to perform:"
    with refused("AccessDeniedException") as seen:
        keeper.schedule_key_deletion(KeyId=key)
    reason = "with an explicit deny in a service control policy"
    assert seen.message == f"{who} kms:ScheduleKeyDeletion on resource: {key} {reason}"
    managed = administrator.create_key()["KeyMetadata"]["Arn"]
    administrator.schedule_key_deletion(KeyId=managed)
    # The perimeter lets in whoever is of the organization, and nobody else.
    keeper.create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{MANAGEMENT}:user/administrator", Operations=["DescribeKey"]
    )
    administrator.describe_key(KeyId=key)
    change(own, '"aws:PrincipalOrgID": "o-exampleorgid"', '"aws:PrincipalOrgID": "o-anotherorgid"')
    with refused("AccessDeniedException") as seen:
        keeper.describe_key(KeyId=key)
    reason = "with an explicit deny in a resource control policy"
    assert seen.message == f"{who} kms:DescribeKey on resource: {key} {reason}"
    with refused("AccessDeniedException") as seen:
        administrator.describe_key(KeyId=key)
    assert seen.message.endswith("because no resource-based policy allows the kms:DescribeKey action")


def test_who_is_declared_anew_is_someone_else(own):
    ana, keeper = client(own, "ana"), client(own, "keeper")
    arn = f"arn:aws:iam::{MEMBER}:user/ana"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": MEMBER}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:GetKeyPolicy", "Resource": "*"},
        ],
    }
    key = keeper.create_key(Policy=json.dumps(policy))["KeyMetadata"]["KeyId"]
    assert json.loads(ana.get_key_policy(KeyId=key)["Policy"]) == policy
    text = own.manifest_path.read_text()
    start = text.index('[[account.user]]\nname = "ana"')
    block = text[start : text.index("[[account.user]]", start + 1)]
    trusting = '"AWS": "arn:aws:iam::444455556666:user/ana"'
    # Roles still trust her: such a manifest is not applied.
    change(own, block, "", applied=False)
    change(own, trusting, '"AWS": "444455556666"')
    shown = json.loads(keeper.get_key_policy(KeyId=key)["Policy"])["Statement"][1]["Principal"]["AWS"]
    assert shown.startswith("AIDA") and len(shown) == 21
    with refused("UnrecognizedClientException"):
        ana.describe_key(KeyId=key)
    change(own, '[[account.user]]\nname = "keeper"', block + '[[account.user]]\nname = "keeper"')
    ana.describe_key(KeyId=key)
    with refused("AccessDeniedException"):
        ana.get_key_policy(KeyId=key)
    assert json.loads(keeper.get_key_policy(KeyId=key)["Policy"])["Statement"][1]["Principal"]["AWS"] == shown


def test_all_faults_of_a_manifest_are_told_at_once(folder):
    path = folder / "manifest.toml"
    text = MANIFEST.read_text()
    for old, new in [
        ('groups = ["developers"]', 'groups = ["designers"]'),
        ('managed_policies = ["everything"]', 'managed_policies = ["nothing"]'),
        ("max_session_duration_seconds = 7200", "max_session_duration_seconds = 60"),
        ('"Action":"kms:ScheduleKeyDeletion"', '"Action":"ScheduleKeyDeletion"'),
        ('parent = "ou-ab12-11111111"', 'parent = "ou-ab12-33333333"'),
    ]:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    (folder / "region.toml").write_text(f'manifest = "{path}"\n')
    told = subprocess.run([binary(), "check-config", folder / "region.toml"], capture_output=True, text=True, timeout=20)
    assert told.returncode == 1
    lines = (told.stderr + told.stdout).splitlines()
    numbers = {line.split(":")[1] for line in lines if line.startswith(str(path))}
    wanted = ["designers", '"nothing"', "= 60", '"ScheduleKeyDeletion"', "33333333"]
    at = {str(number) for number, line in enumerate(text.splitlines(), 1) if any(word in line for word in wanted)}
    assert numbers == at and len(at) == 5, told.stderr

"""What a first start makes: the demo's two users and two endpoints, as a new user meets them."""

import os
import signal
import stat
import subprocess
import time

import pytest

from conftest import env_client, refused, running
from region import LOOPBACKS, Region, sourced

NAMES = {
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CA_BUNDLE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
}


def modes(folder):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_the_data_folder(demo):
    assert stat.S_IMODE(demo.data.stat().st_mode) == 0o700
    assert (demo.data / ".gitignore").read_text().strip() == "*"
    found = modes(demo.data)
    for name in ("env", "env-strict", "manifest.toml", "ca-key.pem", "server-key.pem"):
        assert found[name] == 0o600, name
    assert {"ca.pem", "server.pem"} <= set(found)
    # Whatever else is there belongs to the owner alone, certificates apart.
    for path in demo.data.rglob("*"):
        if path.is_file() and path.suffix != ".pem" and path.name != ".gitignore":
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_ca_is_constrained_to_names(demo):
    text = subprocess.run(
        ["openssl", "x509", "-in", demo.data / "ca.pem", "-noout", "-text"], capture_output=True, check=True, text=True
    ).stdout
    assert "X509v3 Name Constraints" in text
    assert "CA:TRUE" in text
    subprocess.run(
        ["openssl", "verify", "-CAfile", demo.data / "ca.pem", demo.data / "server.pem"], check=True, capture_output=True
    )


def test_the_env_files(demo, demo_env, strict_env):
    for env in (demo_env, strict_env):
        assert NAMES <= set(env)
        assert os.path.isabs(env["AWS_CA_BUNDLE"])
        assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "us-east-1"
    assert demo_env["AWS_ENDPOINT_URL_KMS"] == f"https://127.0.10.1:{demo.port}"
    assert strict_env["AWS_ENDPOINT_URL_KMS"] == f"https://127.0.20.1:{demo.port}"
    assert demo_env["AWS_ACCESS_KEY_ID"] != strict_env["AWS_ACCESS_KEY_ID"]


def test_create_key_is_refused_through_endpoint_two(demo, demo_env, strict_env, demo_admin):
    through_two = env_client({**demo_env, "AWS_ENDPOINT_URL_KMS": strict_env["AWS_ENDPOINT_URL_KMS"]})
    with refused("AccessDeniedException") as seen:
        through_two.create_key()
    arn = "arn:aws:iam::111122223333:user/administrator"
    assert seen.message == (
        f"User: {arn} is not authorized to perform: kms:CreateKey"
        " because no VPC endpoint policy allows the kms:CreateKey action"
    )
    demo_admin.create_key()


def test_the_application_uses_the_demo_key_through_endpoint_two(demo_strict):
    blob = demo_strict.encrypt(KeyId="alias/demo", Plaintext=b"hello")["CiphertextBlob"]
    assert demo_strict.decrypt(CiphertextBlob=blob)["Plaintext"] == b"hello"
    demo_strict.describe_key(KeyId="alias/demo")


def test_endpoint_two_lets_nothing_else_through(demo_strict, demo_admin):
    other = demo_admin.create_key(Tags=[{"TagKey": "env", "TagValue": "prod"}])["KeyMetadata"]["Arn"]
    for attempt in (
        lambda: demo_strict.generate_data_key(KeyId="alias/demo", KeySpec="AES_256"),
        lambda: demo_strict.encrypt(KeyId=other, Plaintext=b"x"),
        lambda: demo_strict.list_keys(),
        lambda: demo_strict.schedule_key_deletion(KeyId="alias/demo"),
    ):
        with pytest.raises(demo_strict.exceptions.ClientError) as seen:
            attempt()
        assert seen.value.response["Error"]["Code"] in ("AccessDeniedException", "NotFoundException")


def test_a_refusal_at_the_endpoint_reaches_no_key_manager(demo, demo_env, strict_env):
    through_two = env_client({**demo_env, "AWS_ENDPOINT_URL_KMS": strict_env["AWS_ENDPOINT_URL_KMS"]})
    refusals, reached = "kannuki_endpoint_refusals_total", "kannuki_key_manager_requests_total"
    before = demo.metric(refusals), demo.metric(reached)
    for _ in range(5):
        with refused("AccessDeniedException"):
            through_two.create_key()
    assert (demo.metric(refusals), demo.metric(reached)) == (before[0] + 5, before[1])


def test_a_tag_of_the_key_flips_the_next_decision(demo_admin, demo_strict):
    demo = demo_admin.describe_key(KeyId="alias/demo")["KeyMetadata"]["Arn"]
    try:
        for value, allowed in (("dev", False), ("prod", True), ("dev", False)):
            demo_admin.tag_resource(KeyId=demo, Tags=[{"TagKey": "env", "TagValue": value}])
            if allowed:
                demo_strict.encrypt(KeyId="alias/demo", Plaintext=b"x")
            else:
                with refused("AccessDeniedException") as seen:
                    demo_strict.encrypt(KeyId="alias/demo", Plaintext=b"x")
                assert seen.message.endswith("because no VPC endpoint policy allows the kms:Encrypt action")
    finally:
        demo_admin.tag_resource(KeyId=demo, Tags=[{"TagKey": "env", "TagValue": "prod"}])


def test_a_tag_of_the_vpc_flips_the_next_decision(folder):
    """On a connection that stays open. The manifest is applied again by SIGHUP."""
    with running(Region(folder / "data")) as own:
        client = env_client(sourced(own.data / "env-strict"))
        client.encrypt(KeyId="alias/demo", Plaintext=b"x")
        retag(own, "prod", "staging")
        with refused("AccessDeniedException") as seen:
            client.encrypt(KeyId="alias/demo", Plaintext=b"x")
        assert seen.message.endswith("because no VPC endpoint policy allows the kms:Encrypt action")
        retag(own, "staging", "prod")
        client.encrypt(KeyId="alias/demo", Plaintext=b"x")


def retag(own, old, new):
    """Changes the tag `env` of the strict endpoint's VPC in the manifest and has it applied."""
    manifest = own.manifest()
    strict = next(e for e in manifest["endpoint"] if e["interfaces"][0]["address"] == "127.0.20.1")
    path = own.data / "manifest.toml"
    head, vpc, rest = path.read_text().partition(f'id = "{strict["vpc"]}"')
    assert vpc, "the VPC is declared by its id"
    block, mark, tail = rest.partition("[[")
    assert f'"{old}"' in block
    path.write_text(head + vpc + block.replace(f'"{old}"', f'"{new}"') + mark + tail)
    before = own.metric("kannuki_manifest_applied_total")
    own.signal(signal.SIGHUP)
    until = time.monotonic() + 5
    while own.metric("kannuki_manifest_applied_total") == before:
        assert time.monotonic() < until, "SIGHUP did not apply the manifest"
        time.sleep(0.02)


@pytest.mark.parametrize("address", LOOPBACKS)
def test_each_zone_and_the_public_side_answer(demo, demo_env, address):
    client = env_client({**demo_env, "AWS_ENDPOINT_URL_KMS": f"https://{address}:{demo.port}"})
    if address.startswith("127.0.20."):
        with refused("AccessDeniedException"):
            client.list_keys()
    else:
        client.list_keys()


def test_the_second_start_finds_everything_as_it_was(folder):
    own = Region(folder / "data")
    with running(own):
        client = env_client(sourced(own.data / "env"))
        blob = client.encrypt(KeyId="alias/demo", Plaintext=b"kept")["CiphertextBlob"]
        made = client.create_key(Description="kept")["KeyMetadata"]
        assert own.stop() == 0
    kept = ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem", "manifest.toml", "env", "env-strict", ".gitignore"]
    before = {name: (own.data / name).read_bytes() for name in kept}
    with running(own):
        assert {name: (own.data / name).read_bytes() for name in kept} == before
        client = env_client(sourced(own.data / "env"))
        assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
        assert client.describe_key(KeyId=made["KeyId"])["KeyMetadata"] == made


def test_two_regions_side_by_side(folder, demo):
    with running(Region(folder / "other")) as other:
        mine = env_client(sourced(other.data / "env")).describe_key(KeyId="alias/demo")["KeyMetadata"]
        theirs = env_client(sourced(demo.data / "env")).describe_key(KeyId="alias/demo")["KeyMetadata"]
        assert mine["CurrentKeyMaterialId"] != theirs["CurrentKeyMaterialId"]


def test_an_occupied_port_is_said_clearly(folder, demo):
    own = Region(folder / "data", port=demo.port)
    own.spawn()
    try:
        assert own.process.wait(10) != 0
        assert str(demo.port) in own.output()
        assert "panicked" not in own.output()
    finally:
        own.kill()

"""The load generator against a region, and against a service that breaks a promise on purpose."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from conftest import running
from fake_kms import FakeKms
from region import FIXTURES, Region

CRYPTOGRAPHY = "Encrypt=3,Decrypt=3,GenerateDataKey=1"
SIGNING = "Sign,Verify,GenerateMac,VerifyMac"
MADE_UP = {"AWS_ACCESS_KEY_ID": "AKIAFAKEFAKEFAKEFAKE", "AWS_SECRET_ACCESS_KEY": "not/a/real/secret"}


def program():
    """No default, as for the service."""
    path = os.environ.get("KANNUKI_LOAD")
    if not path:
        raise RuntimeError("KANNUKI_LOAD must name the kannuki-load binary (tests/run sets it)")
    return str(Path(path).resolve())


class Run:
    """A finished run: its exit code, what it printed, and its report (None if it wrote none)."""

    def __init__(self, code, out, errors, json_path):
        self.code, self.out, self.errors = code, out, errors
        self.report = json.loads(json_path.read_text()) if json_path.exists() else None

    def operation(self, name):
        return next(each for each in self.report["operations"] if each["name"] == name)


def start(folder, arguments, env):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [program(), "--json", str(folder / "report.json"), *arguments]
    return subprocess.Popen(
        command, env={**variables, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(folder, process):
    try:
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    return Run(process.returncode, out, errors, folder / "report.json")


def load(folder, arguments, env):
    return finish(folder, start(folder, arguments, env))


def as_user(region, user="administrator"):
    who = region.credentials(user)
    return {"AWS_ACCESS_KEY_ID": who.key_id, "AWS_SECRET_ACCESS_KEY": who.secret, "AWS_CA_BUNDLE": str(region.ca)}


def zones(region, number=3):
    return [word for zone in range(number) for word in ("--endpoint", region.url("open", zone))]


@contextlib.contextmanager
def fake(**how):
    service = FakeKms(**how)
    try:
        yield service
    finally:
        service.close()


def against(folder, service, mix, *more, duration="3s"):
    arguments = ["--endpoint", service.url, "--mix", mix, "--keys", "2", "--connections", "4", "--warm-up", "0s"]
    return load(folder, [*arguments, "--duration", duration, "--revocations", "200ms", *more], MADE_UP)


def violation(run):
    assert run.code == 3, run.out + run.errors
    assert run.report["ended_by"] == "Violation"
    broken = run.report["violation"]
    assert broken["what"] in run.out, "the table does not say it"
    for name in ("operation", "key", "endpoint", "call began", "call ended", "request"):
        assert broken["evidence"][name]
    return broken


def key_ids(kms):
    pages = kms.get_paginator("list_keys").paginate()
    return {key["KeyId"] for page in pages for key in page["Keys"]}


# Keys that the region had before: other suites leave some that nobody may look at.
OTHERS = set()


@pytest.fixture(scope="module", autouse=True)
def others(region):
    for user in ("administrator", "partner"):
        OTHERS.update(key_ids(region.client(user)))


def states(region, user="administrator"):
    """The states of the load generator's keys: a set."""
    kms = region.client(user)
    described = (kms.describe_key(KeyId=key)["KeyMetadata"] for key in key_ids(kms) - OTHERS)
    ours = ("made by kannuki-load", "made under load")
    return {metadata["KeyState"] for metadata in described if metadata["Description"] in ours}


# Against the service itself.


def test_a_run_over_three_zones(region, folder):
    run = load(folder, [*zones(region), "--mix", "all", "--duration", "2s", "--html", str(folder / "page.html")], as_user(region))
    assert run.code == 0, run.out + run.errors
    report = run.report
    assert report["violation"] is None and report["ended_by"] == "Duration"
    assert report["total"]["calls"] == sum(each["calls"] for each in report["operations"]) > 500
    assert report["total"]["succeeded"] + report["total"]["failed_after_retries"] == report["total"]["calls"]
    assert {"Encrypt", "Decrypt", "CreateGrant", "RevokeGrant", "CreateKey"} <= {one["name"] for one in report["operations"]}
    assert not set(report["left_out"]) & {one["name"] for one in report["operations"]}
    for endpoint in report["endpoints"]:
        assert endpoint["attempts"] > 100
    checks = report["checks"]
    assert checks["ciphertexts that decrypted to what went in"] > 50
    assert checks["revocations answered"] >= 2 and checks["calls refused under a revoked key"] > 0
    latency = run.operation("Encrypt")["latency"]
    assert 0 < latency["p50_us"] <= latency["p99_us"] <= latency["p99_99_us"] <= latency["max_us"]
    assert len(report["timeline"]) >= 2 and report["own_cpu_seconds"] > 0
    assert "Encrypt" in run.out and (folder / "page.html").read_text().lstrip().startswith("<!DOCTYPE html>")
    assert states(region) == {"PendingDeletion"}


def test_signed_ahead_and_at_a_rate(region, folder):
    arguments = ["--presign", "--rate", "200", "--ramp", "1s", "--duration", "3s", "--warm-up", "500ms", "--revocations", "0s"]
    run = load(folder, [*zones(region, 1), *arguments, "--mix", CRYPTOGRAPHY], as_user(region))
    assert run.code == 0, run.out + run.errors
    due = 200 * (3 - 0.5)
    refused = run.report["checks"].get("wrong encryption contexts refused", 0)
    made = run.report["total"]["calls"] + refused + run.report["calls_not_made"]
    assert abs(made - due) <= 3, "an open loop makes the calls that are due, and no others"
    assert run.report["total"]["failed_after_retries"] == 0


def test_two_accounts(region, folder):
    profiles = ""
    for user in ("administrator", "partner"):
        who = region.credentials(user)
        profiles += f"[{user}]\naws_access_key_id = {who.key_id}\naws_secret_access_key = {who.secret}\n"
    (folder / "credentials").write_text(profiles)
    arguments = ["--credentials", str(folder / "credentials"), "--profile", "administrator", "--profile", "partner"]
    run = load(folder, [*zones(region), *arguments, "--count", "500", "--ca", str(region.ca)], {})
    assert run.code == 0, run.out + run.errors
    assert run.report["ended_by"] == "Count" and run.report["total"]["calls"] <= 500
    assert run.report["total"]["failed_after_retries"] == 0
    assert states(region) == states(region, "partner") == {"PendingDeletion"}


def test_an_interrupt_ends_with_the_report_and_takes_the_keys_away(region, folder):
    process = start(folder, [*zones(region), "--duration", "1h"], as_user(region))
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    run = finish(folder, process)
    assert run.code == 0, run.out + run.errors
    assert run.report["ended_by"] == "Interrupt" and run.report["total"]["succeeded"] > 0
    assert states(region) == {"PendingDeletion"}


def test_a_crash_in_the_middle_is_an_outage_and_no_violation(folder):
    with running(Region(folder / "data", manifest=FIXTURES / "manifests" / "suite.toml")) as own:
        process = start(folder, [*zones(own), "--duration", "5s", "--warm-up", "0s", "--mix", "all"], as_user(own))
        time.sleep(2)
        own.kill()
        time.sleep(1)
        own.start()
        run = finish(folder, process)
        assert run.code == 0, run.out + run.errors
        assert run.report["violation"] is None
        assert run.report["longest_gap_us"] > 500_000
        assert run.report["total"]["failed_at_first"] > 0 and run.report["total"]["errors"]["connect"] > 0
        assert states(own) == {"PendingDeletion"}


def test_a_dead_zone_is_failed_over_or_not(region, folder):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = ["--endpoint", f"https://127.0.0.1:{nobody.getsockname()[1]}"]
        arguments = [*zones(region, 1), *dead, "--mix", CRYPTOGRAPHY, "--duration", "2s", "--warm-up", "0s"]
        over = load(folder, [*arguments, "--failover", "sdk"], as_user(region))
        assert over.code == 0, over.out + over.errors
        assert over.report["total"]["failed_at_first"] > 0 and over.report["total"]["failed_after_retries"] == 0
        assert over.report["endpoints"][0]["failed_over_to"] > 0


# Against one that breaks a promise.


def test_an_honest_service_passes(folder):
    with fake() as service:
        run = against(folder, service, f"{CRYPTOGRAPHY},{SIGNING},DescribeKey,ReEncrypt", duration="4s")
        assert run.code == 0, run.out + run.errors
        checks = run.report["checks"]
        for name in (
            "ciphertexts that decrypted to what went in",
            "wrong encryption contexts refused",
            "signatures verified by the load generator",
            "signatures verified by the service",
            "wrong signatures refused",
            "MACs made again and found equal",
            "MACs verified by the service",
            "wrong MACs refused",
            "revocations answered",
            "calls refused under a revoked key",
        ):
            assert checks[name] > 0, name
        assert set(run.report["left_out"]) == {"ReEncrypt", "GenerateDataKey"}
        assert service.keys and all(key.deleted for key in service.keys.values())


@pytest.mark.parametrize(
    ("broken", "mix", "says"),
    [
        ("plaintexts", CRYPTOGRAPHY, "a ciphertext decrypted to something else than what went in"),
        ("ciphertexts", CRYPTOGRAPHY, "a ciphertext does not decrypt any more"),
        ("contexts", CRYPTOGRAPHY, "must be refused with InvalidCiphertextException succeeded"),
        ("revocations", CRYPTOGRAPHY, "a call succeeded that began after"),
        ("keys", "DescribeKey", "a key that was made is not there any more"),
        ("signatures", SIGNING, "a signature does not verify under the key's public key"),
        ("macs", SIGNING, "MAC"),
    ],
)
def test_a_broken_promise_ends_the_run_with_its_evidence(folder, broken, mix, says):
    with fake(breaks=broken) as service:
        found = violation(against(folder, service, mix))
        assert says in found["what"]
        if broken == "revocations":
            assert found["evidence"]["revocation answered"] < found["evidence"]["call began"]
        assert all(key.deleted for key in service.keys.values())


def test_a_promise_that_is_broken_from_the_start_is_a_violation_too(folder):
    with fake(breaks="everything") as service:
        found = violation(against(folder, service, "Decrypt"))
        assert "decrypted to something else" in found["what"]


def test_requests_signed_ahead_are_checked_too(folder):
    with fake(breaks="plaintexts") as service:
        violation(against(folder, service, CRYPTOGRAPHY, "--presign"))


def test_retries_are_counted_and_calls_that_failed_are_told_apart(folder):
    with fake(fails_each=10) as service:
        run = against(folder, service, CRYPTOGRAPHY, "--fail-on-errors", duration="2s")
        total = run.report["total"]
        assert run.code == (4 if total["failed_after_retries"] else 0)
        assert total["failed_at_first"] > 0 and total["errors"]["KMSInternalException"] >= total["failed_at_first"]
        assert total["attempts"] > total["calls"]
        run = against(folder, service, CRYPTOGRAPHY, "--retry", "none", "--fail-on-errors", duration="1s")
        total = run.report["total"]
        assert run.code == 4
        assert total["failed_after_retries"] == total["failed_at_first"] > 0 and total["attempts"] == total["calls"]


# The command line.


def test_wrong_usage_is_told_from_what_cannot_run(folder):
    for wrong in (["--mix", "Encipher"], ["--rate", "-1"], ["--duration", "30h"], ["--compare", "a"]):
        assert load(folder, wrong, {}).code == 2, wrong
    nobody = load(folder, ["--endpoint", "http://127.0.0.1:9", "--mix", "GenerateRandom"], MADE_UP)
    assert nobody.code == 1 and "connect" in nobody.errors
    assert load(folder, [], {}).code == 1


def test_two_runs_are_compared(folder):
    with fake() as service:
        against(folder, service, CRYPTOGRAPHY, "--count", "50")
    report = str(folder / "report.json")
    done = subprocess.run([program(), "--compare", report, report], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "Encrypt" in done.stdout
    (folder / "other.json").write_text("{}")
    done = subprocess.run([program(), "--compare", report, str(folder / "other.json")], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "other.json" in done.stderr

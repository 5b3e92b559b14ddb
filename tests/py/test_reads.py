"""What reads: it changes no file but the audit log, and asks the disk for nothing."""

import hashlib
import re
import time

import pytest

import audit_trail
from conftest import running
from region import FIXTURES, Region

READS = 504
# Calls that open, read, write or sync a file. Sockets and pipes are told apart by what the descriptor is.
CALLS = "openat,open,creat,read,readv,pread64,write,writev,pwrite64,fsync,fdatasync,sync_file_range,ftruncate,rename,unlink,mmap"
LINE = re.compile(r"^\d+\s+(\w+)\((.*)$")


class Traced(Region):
    """A region under strace, which names the file behind each descriptor."""

    @property
    def trace_path(self):
        return self.data.parent / "trace"

    def command(self):
        # The tracer is a grandchild (-D), so that the process that is stopped in the end is the service itself.
        return ["strace", "-D", "-f", "-y", "-qq", "-s", "0", "-e", f"trace={CALLS}", "-o", str(self.trace_path), *super().command()]


@pytest.fixture(params=[Region, Traced], ids=["plain", "traced"])
def own(request, folder):
    with running(request.param(folder / "data", manifest=FIXTURES / "manifests" / "suite.toml")) as region:
        yield region


def read_operations(client):
    """One call of each kind; whatever has to exist for them is made first."""
    made = client.create_key(Tags=[{"TagKey": "env", "TagValue": "dev"}])["KeyMetadata"]
    key = {"KeyId": made["KeyId"]}
    other = {"KeyId": client.create_key()["KeyMetadata"]["KeyId"]}
    client.create_alias(AliasName="alias/read", TargetKeyId=made["KeyId"])
    client.create_grant(**key, GranteePrincipal=made["Arn"].replace(":kms:us-east-1:", ":iam::").split(":key/")[0] + ":root", Operations=["Encrypt"])
    blob = client.encrypt(**key, Plaintext=b"read")["CiphertextBlob"]
    return [
        lambda: client.encrypt(KeyId="alias/read", Plaintext=b"read"),
        lambda: client.decrypt(CiphertextBlob=blob),
        lambda: client.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other["KeyId"]),
        lambda: client.generate_data_key(**key, KeySpec="AES_256"),
        lambda: client.generate_data_key_without_plaintext(**key, KeySpec="AES_256"),
        lambda: client.generate_random(NumberOfBytes=32),
        lambda: client.describe_key(**key),
        lambda: client.list_keys(),
        lambda: client.list_aliases(),
        lambda: client.list_grants(**key),
        lambda: client.list_resource_tags(**key),
        lambda: client.get_key_policy(**key),
        lambda: client.list_key_policies(**key),
        lambda: client.list_retirable_grants(RetiringPrincipal="arn:aws:iam::111122223333:user/nobody"),
    ]  # fmt: skip


def outside_audit(region):
    """Contents and times of every file of the data folder but the audit log's."""
    files = (path for path in region.data.rglob("*") if path.is_file() and "audit" not in path.relative_to(region.data).parts)
    return {path: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in files}


def touched(lines):
    """The calls on files, as `(call, path)`."""
    found = set()
    for line in lines:
        called = LINE.match(line)
        if called is None:
            continue
        call, arguments = called.groups()
        # A file is a path in angle brackets; what has no path is shown as `socket:[1]` or `anon_inode:[eventpoll]`.
        paths = re.findall(r"<(/[^>]*)>", arguments) + re.findall(r'"(/[^"]*)"', arguments if call in ("open", "openat", "creat", "rename", "unlink") else "")
        found |= {(call, path) for path in paths}
    return {(call, path) for call, path in found if not path.startswith(("/dev/", "/proc/", "/sys/"))}


def test_reads_touch_the_audit_log_only(own):
    calls = read_operations(own.client())
    for call in calls:
        call()
    # The log is synced within 100 ms of the last of these, and the store has nothing left to do.
    time.sleep(1)
    before, records = outside_audit(own), len(audit_trail.records(own.data / "audit"))
    assert any(path.name == "store.redb" for path in before)
    traced = own.trace_path.read_text().splitlines() if isinstance(own, Traced) else []
    for number in range(READS):
        calls[number % len(calls)]()
    time.sleep(1)
    assert outside_audit(own) == before
    assert len(audit_trail.records(own.data / "audit")) == records + READS
    if isinstance(own, Traced):
        found = touched(own.trace_path.read_text().splitlines()[len(traced) :])
        audit = str((own.data / "audit").resolve())
        assert {path for _, path in found if not path.startswith(audit)} == set()
        assert {call for call, _ in found} <= {"write", "writev", "pwrite64", "fsync", "fdatasync"}, found
        assert any(call.startswith(("write", "pwrite")) for call, _ in found), "the trace shows nothing"


def test_the_trace_shows_what_a_write_touches(folder):
    """The test above would see the store being written: here it is."""
    with running(Traced(folder / "data", manifest=FIXTURES / "manifests" / "suite.toml")) as region:
        client = region.client()
        time.sleep(1)
        before = len(region.trace_path.read_text().splitlines())
        client.create_key()
        time.sleep(1)
        found = touched(region.trace_path.read_text().splitlines()[before:])
        assert any(path.endswith("/store.redb") for _, path in found), found

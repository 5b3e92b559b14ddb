"""The operator's commands on a running region: apply, diff, get and key recover-policy over the admin socket.

A small manifest of its own, so that each test can say what it changes about it.
"""

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import tomllib

import pytest

import audit_trail
from conftest import allow, deny, document, refused, running
from region import Credentials, Region, binary, boto_client
from signing import Connection, Signer, context

ACCOUNT = "111122223333"
ADMIN = Credentials(ACCOUNT, "admin", "AKIAAPPLYADMIN222222", "apply/admin/not/a/real/secret/0000000000")
EVERYTHING = document({"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
NOTHING = document({"Effect": "Deny", "Action": "kms:*", "Resource": "*"})
ENDPOINT = "vpce-0aaaaaaaaaaaaaaa1"
SECOND = "vpce-0aaaaaaaaaaaaaaa2"


def user(name, policy=EVERYTHING, keys="[]"):
    return f"""
[[account.user]]
name = "{name}"
access_keys = {keys}
policies = [{{ name = "own", document = '{policy}' }}]
"""


ADMIN_KEYS = f'[{{ id = "{ADMIN.key_id}", secret = "{ADMIN.secret}" }}]'


def endpoint(name, address, policy=None):
    return f"""
[[endpoint]]
id = "{name}"
vpc = "vpc-0aaaaaaaaaaaaaaa1"
interfaces = [{{ zone = "us-east-1a", address = "{address}" }}]
""" + (f"policy = '{policy}'\n" if policy else "")


def declaration(users=user("admin", keys=ADMIN_KEYS), endpoints=endpoint(ENDPOINT, "127.0.10.1")):
    network = f'\n[[vpc]]\nid = "vpc-0aaaaaaaaaaaaaaa1"\naccount = "{ACCOUNT}"\ncidrs = ["127.0.0.0/8"]\n'
    return f'[[account]]\nid = "{ACCOUNT}"\n{users}{network}{endpoints}'


class Operated(Region):
    """A region with the commands of its operator."""

    def __init__(self, folder, text=None):
        self.folder = folder
        super().__init__(folder / "data", manifest=self.write("manifest.toml", text or declaration()))

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def run(self, *command):
        arguments = [binary(), *map(str, command), "--data", str(self.data)]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=120, cwd=self.folder)

    def apply(self, text, code=0, name="next.toml"):
        """What it printed; refusals on standard error."""
        done = self.run("apply", self.write(name, text))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout

    def revision(self):
        return self.metric("kannuki_store_revision")

    def records(self):
        found = audit_trail.records(self.data / "audit")
        return [record for record in found if record.get("eventSource") == "admin.kannuki"]

    def as_user(self, credentials, address="127.0.10.1"):
        return boto_client("kms", f"https://{address}:{self.port}", self.ca, credentials)


@pytest.fixture
def own(folder):
    with running(Operated(folder)) as started:
        yield started


class Held:
    """A TLS connection that stays open, to any address."""

    def __init__(self, region, address="127.0.10.1"):
        self.host = f"{address}:{region.port}"
        self.tls = context(region).wrap_socket(
            socket.create_connection((address, region.port), timeout=10), server_hostname=address
        )

    def head(self, target="TrentService.ListKeys", body=b"{}"):
        signer = Signer(ADMIN.key_id, ADMIN.secret)
        pairs = [*signer.headers(self.host, target, body), ("content-length", str(len(body)))]
        return b"POST / HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in pairs).encode() + b"\r\n"

    def ask(self):
        self.tls.sendall(self.head() + b"{}")
        return self.hear()

    def hear(self):
        """An answer's head, in lower case, and body."""
        seen = b""
        while b"\r\n\r\n" not in seen:
            piece = self.tls.recv(65536)
            assert piece, "the connection was closed in place of an answer"
            seen += piece
        head, _, body = seen.partition(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
        while len(body) < length:
            body += self.tls.recv(65536)
        return head.decode().lower(), body.decode()

    def is_closed(self, within=3.0):
        self.tls.settimeout(within)
        try:
            return self.tls.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


def test_what_is_applied_holds_for_the_next_request_on_an_open_connection(own):
    connection = Held(own)
    assert connection.ask()[0].startswith("http/1.1 200")
    printed = own.apply(declaration(user("admin", NOTHING, ADMIN_KEYS)))
    assert printed.splitlines() == [f"~ user {ACCOUNT}/admin policies"]
    head, body = connection.ask()
    assert head.startswith("http/1.1 400") and "explicit deny in an identity-based policy" in body
    own.apply(declaration())
    assert connection.ask()[0].startswith("http/1.1 200")


def test_with_one_fault_nothing_changes_and_all_faults_are_told(own):
    before = own.revision()
    own.write("bad.json", '{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}')
    users = user("admin", keys=ADMIN_KEYS) + user("good") + (
        '\n[[account.user]]\nname = "bad"\npolicies = [{ name = "p", file = "bad.json" }]\n'
        '\n[[account.user]]\nname = "worse"\npolicies = [{ name = "p", document = "{" }]\n'
    )
    text = declaration(users, endpoint(ENDPOINT, "127.0.10.1", document({"Effect": "Allow"})))
    said = own.apply(text, code=1)
    line = {word: number for number, row in enumerate(text.splitlines(), 1) for word in ('"{"', '"Allow"') if word in row}
    told = sorted(said.splitlines())
    assert len(told) == 3, said
    assert told[0].startswith(f"{own.folder}/bad.json: Syntax errors in policy."), said
    places = [f"{own.folder}/next.toml:{number}:" for number in sorted(line.values())]
    assert [row for place in places for row in told[1:] if row.startswith(place)] == told[1:], said
    assert own.revision() == before
    assert "good" not in own.run("get", "user").stdout


def test_what_only_the_region_can_see_is_told_all_at_once(own):
    before = own.revision()
    users = user("admin", keys='[{ id = "AKIANOTTHERE22222222" }]') + user("other", keys='[{ id = "AKIANORTHERE22222222" }]')
    with socket.create_server(("127.0.10.9", own.port)):
        said = own.apply(declaration(users, endpoint(ENDPOINT, "127.0.10.9")), code=1)
    assert "AKIANOTTHERE22222222" in said and "AKIANORTHERE22222222" in said
    assert f"cannot listen on 127.0.10.9:{own.port}" in said
    assert own.revision() == before
    own.as_user(ADMIN).list_keys()
    [record] = own.records()
    assert record["errorCode"] == "MalformedManifest"


def test_the_second_apply_changes_nothing(own):
    text = declaration(endpoints=endpoint(ENDPOINT, "127.0.10.1", document(allow("*"))))
    own.apply(text)
    revision, records = own.revision(), len(own.records())
    assert own.run("diff", "next.toml").returncode == 0
    assert own.apply(text) == "no change\n"
    assert (own.revision(), len(own.records())) == (revision, records)
    # The file that was served at first is what is there no more.
    done = own.run("diff", own.manifest_path)
    assert (done.returncode, done.stdout) == (1, f"~ endpoint {ENDPOINT} policy\n")


def test_endpoints_come_and_go_without_a_restart(own):
    pid = own.process.pid
    both = endpoint(ENDPOINT, "127.0.10.1") + endpoint(SECOND, "127.0.20.1")
    assert own.apply(declaration(endpoints=both)) == f"+ endpoint {SECOND}\n"
    busy, idle, other = Held(own, "127.0.20.1"), Held(own, "127.0.20.1"), Held(own)
    for connection in (busy, idle, other):
        assert connection.ask()[0].startswith("http/1.1 200")
    # A request of which only the head has come when its endpoint goes.
    busy.tls.sendall(busy.head())
    time.sleep(0.2)
    assert own.apply(declaration()) == f"- endpoint {SECOND}\n"
    assert idle.is_closed()
    busy.tls.sendall(b"{}")
    head, body = busy.hear()
    assert "connection: close" in head
    assert head.startswith("http/1.1 400") and "VPC endpoint policy" in body
    assert busy.is_closed()
    with pytest.raises(OSError):
        Held(own, "127.0.20.1")
    assert "connection: close" not in other.ask()[0]
    # SIGHUP does it too.
    own.write("manifest.toml", declaration(endpoints=endpoint(SECOND, "127.0.20.1")))
    own.signal(signal.SIGHUP)
    assert other.is_closed()
    own.as_user(ADMIN, "127.0.20.1").list_keys()
    assert own.process.pid == pid and own.process.poll() is None


def test_an_address_may_pass_to_another_endpoint(own):
    held = Held(own)
    assert held.ask()[0].startswith("http/1.1 200")
    own.apply(declaration(endpoints=endpoint(SECOND, "127.0.10.1", document(deny("*")))))
    assert held.is_closed()
    with refused("AccessDeniedException") as seen:
        own.as_user(ADMIN).list_keys()
    assert "explicit deny in a VPC endpoint policy" in seen.message


def test_an_access_key_is_made_and_shown_once(own):
    text = declaration(user("admin", keys=ADMIN_KEYS) + user("alice", keys="[{}]"))
    preview = own.run("diff", own.write("next.toml", text))
    assert (preview.returncode, preview.stdout) == (
        1, f"+ user {ACCOUNT}/alice\n+ access-key {ACCOUNT}/alice/(new)\n",
    )  # fmt: skip
    printed = own.apply(text)
    key_id, secret = re.search(rf"access key (AKIA\w{{16}}) of {ACCOUNT}/alice, .*: (\S{{40}})$", printed, re.M).groups()
    alice = Credentials(ACCOUNT, "alice", key_id, secret)
    own.as_user(alice).list_keys()
    assert own.apply(text) == "no change\n"
    shown = own.run("get").stdout
    assert key_id in shown and secret not in shown
    told = "".join(path.read_text() for path in audit_trail.files(own.data / "audit"))
    assert key_id in told and secret not in told and secret not in own.output()
    assert secret.encode() not in (own.data / "store.redb").read_bytes()
    # Named by its id it stays, and one more is made beside it; dropped, it is gone.
    own.apply(text.replace("[{}]", f'[{{ id = "{key_id}" }}, {{}}]'))
    own.as_user(alice).list_keys()
    assert len(tomllib.loads(own.run("get", "user", "alice").stdout)["account"][0]["user"][0]["access_keys"]) == 2
    own.apply(text.replace("[{}]", "[]"))
    with refused("UnrecognizedClientException"):
        own.as_user(alice).list_keys()


def test_another_secret_is_told_as_a_change_and_not_shown(own):
    other = Credentials(ACCOUNT, "admin", ADMIN.key_id, "apply/admin/another/made/up/secret/00000")
    printed = own.apply(declaration().replace(ADMIN.secret, other.secret))
    assert printed == f"~ access-key {ACCOUNT}/admin/{ADMIN.key_id} secret\n"
    own.as_user(other).list_keys()
    with refused("InvalidSignatureException"):
        own.as_user(ADMIN).list_keys()


def test_get_prints_what_apply_accepts(own):
    own.apply(declaration(endpoints=endpoint(ENDPOINT, "127.0.10.1", document(allow("*")))))
    whole = own.run("get")
    assert whole.returncode == 0 and ADMIN.secret not in whole.stdout
    own.write("got.toml", whole.stdout)
    assert own.run("diff", "got.toml").returncode == 0
    assert own.apply(whole.stdout, name="got.toml") == "no change\n"
    part = tomllib.loads(own.run("get", "endpoint", ENDPOINT).stdout)
    assert list(part) == ["endpoint"] and part["endpoint"][0]["policy"] == document(allow("*"))
    missing = own.run("get", "endpoint", SECOND)
    assert (missing.returncode, missing.stderr) == (1, f"kannuki: no endpoint {SECOND} is declared\n")


def test_several_files_make_one_manifest(own):
    (own.folder / "net").mkdir()
    own.write("net/open.json", document(allow("*")))
    whole = declaration(endpoints=endpoint(ENDPOINT, "127.0.10.1") + 'policy_file = "open.json"\n')
    people, network = whole.split("\n[[vpc]]")
    own.write("people.toml", people)
    own.write("net/network.toml", "[[vpc]]" + network)
    done = own.run("apply", "people.toml", "net/network.toml")
    assert (done.returncode, done.stdout) == (0, f"~ endpoint {ENDPOINT} policy\n"), done.stderr
    twice = own.run("apply", "people.toml", "net/network.toml", "people.toml")
    assert twice.returncode == 1 and "first on line 2" in twice.stderr, twice.stderr


def test_each_change_has_its_record(own):
    own.apply(declaration(user("admin", keys=ADMIN_KEYS) + user("alice")))
    [record] = own.records()
    assert (record["eventName"], record["eventType"]) == ("ApplyManifest", "KannukiAdminAction")
    assert record["userIdentity"]["principalId"] == f"uid:{os.geteuid()}"
    told = record["requestParameters"]
    assert told["uid"] == os.geteuid() and told["pid"] > 0
    lines = f"+ user {ACCOUNT}/alice\n"
    assert told["changes"] == lines.splitlines()
    assert told["changeSha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert told["declarationSha256"] != told["declarationSha256Before"]
    own.apply(declaration())
    assert own.records()[1]["requestParameters"]["declarationSha256"] == told["declarationSha256Before"]
    assert own.run("audit", "verify", own.data / "audit").returncode == 2, "that command takes no --data"
    assert subprocess.run([binary(), "audit", "verify", own.data / "audit"], check=False).returncode == 0


def test_a_key_that_locked_everyone_out_is_recovered(own):
    admin = own.as_user(ADMIN)
    key = admin.create_key()["KeyMetadata"]["Arn"]
    only_nobody = document(deny("*"))
    admin.put_key_policy(KeyId=key, Policy=only_nobody, BypassPolicyLockoutSafetyCheck=True)
    with refused("AccessDeniedException"):
        admin.get_key_policy(KeyId=key)
    locked = own.run("key", "recover-policy", key, "--policy", own.write("locked.json", only_nobody))
    assert locked.returncode == 1 and "will not allow you to update the key policy" in locked.stderr
    stranger = own.write("stranger.json", document(allow(f"arn:aws:iam::{ACCOUNT}:user/stranger")))
    assert "invalid principals" in own.run("key", "recover-policy", key, "--policy", stranger).stderr
    with refused("AccessDeniedException"):
        admin.get_key_policy(KeyId=key)
    mine = own.write("mine.json", document(allow(f"arn:aws:iam::{ACCOUNT}:user/admin")))
    assert own.run("key", "recover-policy", key, "--policy", mine).returncode == 0
    assert admin.get_key_policy(KeyId=key)["Policy"] == mine.read_text()
    assert own.run("key", "recover-policy", key).returncode == 0
    default = admin.get_key_policy(KeyId=key)["Policy"]
    assert json.loads(default)["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    digest = lambda text: hashlib.sha256(text.encode()).hexdigest()  # noqa: E731
    last = own.records()[-1]
    assert last["eventName"] == "RecoverKeyPolicy" and last["resources"][0]["ARN"] == key
    told = last["requestParameters"]
    assert (told["policySha256Before"], told["policySha256"]) == (digest(mine.read_text()), digest(default))
    assert [record.get("errorCode") for record in own.records()] == ["MalformedPolicyDocumentException"] * 2 + [None] * 2
    missing = own.run("key", "recover-policy", key[:-12] + "0" * 12)
    assert missing.returncode == 1 and "NotFoundException" in missing.stderr


def test_a_restart_keeps_what_was_applied_and_reads_a_changed_file(own):
    both = endpoint(ENDPOINT, "127.0.10.1") + endpoint(SECOND, "127.0.20.1")
    own.apply(declaration(endpoints=both))
    revision = own.revision()
    assert own.stop() == 0
    own.start()
    assert own.revision() == revision
    own.as_user(ADMIN, "127.0.20.1").list_keys()
    # Neither does SIGHUP take the file's word, as it has nothing new to say.
    before = own.metric("kannuki_manifest_applied_total")
    own.signal(signal.SIGHUP)
    until = time.monotonic() + 5
    while own.metric("kannuki_manifest_applied_total") == before:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert own.revision() == revision
    assert own.stop() == 0
    own.write("manifest.toml", declaration(user("admin", keys=ADMIN_KEYS) + user("bob")))
    own.start()
    assert own.run("get", "user", "bob").returncode == 0
    assert own.run("get", "endpoint", SECOND).returncode == 1
    with pytest.raises(OSError):
        Held(own, "127.0.20.1")


def test_what_is_applied_survives_a_kill(own):
    own.apply(declaration(user("admin", keys=ADMIN_KEYS) + user("alice")))
    own.kill()
    own.start()
    assert own.run("get", "user", "alice").returncode == 0


def test_credentials_by_file_serve_two_regions(folder):
    (folder / "id").write_text(ADMIN.key_id + "\n")
    (folder / "secret").write_text(ADMIN.secret + "\n")
    text = declaration(user("admin", keys='[{ id_file = "../id", secret_file = "../secret" }]'))
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    with running(Operated(folder / "one", text)) as one, running(Operated(folder / "two", text)) as two:
        assert one.port != two.port
        for region in (one, two):
            region.as_user(ADMIN).list_keys()
            assert region.run("diff", region.manifest_path).returncode == 0


def test_only_the_operator_may_ask(own):
    folder = own.data / "admin"
    assert folder.stat().st_mode & 0o777 == 0o700
    if os.geteuid() != 0:
        return
    own.data.chmod(0o755)
    assert heard_by_nobody(own.data) == "PermissionError"
    # Also when the folder has been opened.
    folder.chmod(0o755)
    (folder / "socket").chmod(0o777)
    assert "only the service's own user and root may ask" in heard_by_nobody(own.data)
    assert own.records() == []


def heard_by_nobody(data):
    """What another user hears on the socket. Nobody may enter the folders above, so that is where it starts from."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chdir(data)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                client.connect("admin/socket")
                # The service does not wait for what a stranger has to say.
                with contextlib.suppress(BrokenPipeError):
                    client.sendall(b'{"version":1,"say":"get"}\n')
                heard = client.recv(65536)
        except OSError as error:
            heard = type(error).__name__.encode()
        os.write(writer, heard)
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as told:
        return told.read()


def test_without_a_region_it_says_so(folder):
    (folder / "m.toml").write_text(declaration())
    done = subprocess.run([binary(), "apply", "m.toml", "--data", "absent"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2 and "no region answers in absent" in done.stderr

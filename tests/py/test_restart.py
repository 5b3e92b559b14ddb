"""Ends and beginnings: SIGTERM loses no request, damage is refused in words, certificates and settings are read again."""

import http.client
import json
import signal
import socket
import subprocess
import threading
import time

import pytest
from cryptography import x509

from certificates import Authority
from conftest import running
from region import FIXTURES, LOOPBACKS, ROOT, Region, binary, free_port
from signing import Connection, Signer, context

MANIFEST = FIXTURES / "manifests" / "suite.toml"


@pytest.fixture
def own(folder):
    """A region of the test's own, not started yet; it is ended with the test."""
    made = Region(folder / "data", manifest=MANIFEST)
    yield made
    made.kill()


class Client(threading.Thread):
    """Sends one request after the other over one connection until told `close`, and counts what it lost."""

    def __init__(self, region, pause, operation):
        super().__init__(daemon=True)
        self.region, self.pause, self.operation = region, pause, operation
        self.answered, self.lost, self.refused = 0, [], False
        self.who = region.credentials("administrator")

    def run(self):
        connection = None
        while True:
            try:
                connection = connection or self.connected()
            except OSError:
                self.refused = True
                return
            try:
                answer = connection.send(*self.request(connection))
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                return
            if answer.status != 200:
                self.lost.append(repr(answer))
                return
            self.answered += 1
            if answer.headers.get("connection", "").lower() == "close":
                connection.close()
                connection = None
            time.sleep(self.pause)

    def connected(self):
        made = Connection(self.region)
        made.http.connect()
        return made

    def request(self, connection):
        payload = {"NumberOfBytes": 1024} if self.operation == "GenerateRandom" else {}
        body = json.dumps(payload).encode()
        signer = Signer(self.who.key_id, self.who.secret)
        return signer.headers(connection.host, f"TrentService.{self.operation}", body), body


def test_sigterm_loses_no_request(own):
    """Busy connections and nearly idle ones alike: each request that was sent is answered."""
    own.start()
    clients = [Client(own, pause, op) for pause in (0, 0.01, 0.2) for op in ("GenerateRandom", "CreateKey", "ListKeys")]
    for client in clients:
        client.start()
    time.sleep(1)
    assert own.stop() == 0
    for client in clients:
        client.join(10)
        assert not client.is_alive()
        assert client.answered > 0
        assert client.lost == [], client.operation
        assert client.refused, "after the drain nothing listens"


def test_sigterm_ends_soon_although_a_connection_stays_open(own):
    own.start()
    with socket.create_connection((own.address(), own.port), timeout=5) as plain:
        with context(own).wrap_socket(plain, server_hostname=own.address()):
            began = time.monotonic()
            assert own.stop() == 0
            assert time.monotonic() - began < 15


def test_not_ready_while_it_drains(own):
    own.start()
    assert own.operations("/ready")[0] == 200
    own.signal(signal.SIGTERM)
    until = time.monotonic() + 15
    while own.process.poll() is None and time.monotonic() < until:
        assert own.operations("/ready")[0] in (200, 503, 0)
        time.sleep(0.02)
    assert own.process.poll() == 0


def test_everything_is_there_after_a_restart(own):
    own.start()
    admin, nobody = own.client("administrator"), own.credentials("nobody").arn
    key = admin.create_key(Description="d", Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]
    admin.create_alias(AliasName="alias/kept", TargetKeyId=key["KeyId"])
    grant = admin.create_grant(KeyId=key["KeyId"], GranteePrincipal=nobody, Operations=["Decrypt"])
    blob = admin.encrypt(KeyId="alias/kept", Plaintext=b"kept")["CiphertextBlob"]
    leaving = admin.create_key()["KeyMetadata"]["KeyId"]
    due = admin.schedule_key_deletion(KeyId=leaving, PendingWindowInDays=7)["DeletionDate"]
    marker = admin.list_keys(Limit=1)["NextMarker"]
    assert own.stop() == 0

    own.start()
    admin = own.client("administrator")
    assert admin.describe_key(KeyId="alias/kept")["KeyMetadata"] == key
    assert admin.list_resource_tags(KeyId=key["KeyId"])["Tags"] == [{"TagKey": "a", "TagValue": "b"}]
    opened = own.client("nobody").decrypt(CiphertextBlob=blob, GrantTokens=[grant["GrantToken"]])
    assert opened["Plaintext"] == b"kept"
    assert admin.describe_key(KeyId=leaving)["KeyMetadata"]["DeletionDate"] == due
    assert admin.list_keys(Limit=1, Marker=marker)["Keys"]


def stores(region):
    found = [path for path in region.data.rglob("*.redb") if path.is_file()]
    assert found, f"no store in {sorted(path.name for path in region.data.iterdir())}"
    return found


def middle_overwritten(data):
    bent = bytearray(data)
    for place in range(len(bent) // 4, len(bent), 997):
        bent[place] ^= 0xFF
    return bytes(bent)


@pytest.mark.parametrize(
    "damage",
    [middle_overwritten, lambda data: data[: len(data) // 2], lambda data: b"not a database at all" * 1000, lambda data: b""],
    ids=["overwritten", "cut", "other-file", "empty"],
)
def test_a_damaged_store_refuses_to_start(own, damage):
    own.start()
    admin = own.client("administrator")
    for _ in range(20):
        admin.create_key(Description="x" * 200)
    own.stop()
    store = max(stores(own), key=lambda path: path.stat().st_size)
    store.write_bytes(damage(store.read_bytes()))
    refuses(own, store.name)


@pytest.mark.parametrize("left_out", ["store", "seal", "domain"])
def test_a_part_of_the_state_that_is_gone_is_not_made_anew(own, left_out):
    """An empty store beside keys, or fresh keys beside a store, would be a loss that nobody notices."""
    own.start()
    own.client("administrator").create_key()
    own.stop()
    by_part = {
        "store": stores(own),
        "seal": [path for path in own.data.rglob("*seal*") if path.is_file()],
        "domain": [path for path in own.data.rglob("*") if "ring" in path.name or "domain" in path.name],
    }
    assert by_part[left_out], sorted(path.name for path in own.data.rglob("*"))
    for path in by_part[left_out]:
        path.unlink()
    refuses(own)


def test_a_seal_that_others_can_read_is_refused(own):
    own.start()
    own.stop()
    (seal,) = [path for path in own.data.rglob("*seal*") if path.is_file()]
    seal.chmod(0o644)
    refuses(own, seal.name)


def refuses(region, *words):
    """The start fails soon, in words, without a panic."""
    before = len(region.output_path.read_text())
    region.spawn()
    try:
        assert region.process.wait(15) not in (0, None)
    finally:
        region.kill()
    said = region.output_path.read_text()[before:]
    assert said.strip(), "nothing was said"
    assert "panicked" not in said, said
    for word in words:
        assert word in said, said


def test_a_second_process_on_the_same_data_is_refused(own):
    own.start()
    other = Region(own.data, manifest=MANIFEST)
    other.output_path = own.data.parent / "second.out"
    other.output_path.touch()
    refuses(other)
    assert own.operations("/ready")[0] == 200


# A real set-up: its own certificates, its own settings.


def configured(folder, more=""):
    authority = Authority(folder / "authority.pem")
    authority.server(folder / "server.pem", folder / "server-key.pem", LOOPBACKS)
    port = free_port()
    config = folder / "region.toml"
    config.write_text(
        f'manifest = "{MANIFEST}"\n\n[region]\nname = "us-east-1"\ndata = "{folder / "data"}"\n\n'
        f'[listen]\nport = {port}\n\n[tls]\ncertificate = "{folder / "server.pem"}"\nkey = "{folder / "server-key.pem"}"\n{more}'
    )
    return authority, config, port


class Configured(Region):
    """A region that is started with `--config`."""

    def __init__(self, folder, config, port):
        super().__init__(folder / "data", manifest=MANIFEST, port=port)
        self.config, self.authority_path = config, folder / "authority.pem"

    def command(self):
        return [binary(), "serve", "--config", str(self.config)]

    @property
    def ca(self):
        return self.authority_path


def serial(region):
    with socket.create_connection((region.address(), region.port), timeout=5) as plain:
        with context(region).wrap_socket(plain, server_hostname=region.address()) as tls:
            return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True)).serial_number


def test_sighup_reloads_certificates(folder):
    authority, config, port = configured(folder)
    with running(Configured(folder, config, port)) as region:
        region.client().list_keys()
        kept = Connection(region)
        kept.http.connect()
        before = serial(region)
        after = authority.server(folder / "server.pem", folder / "server-key.pem", LOOPBACKS)
        assert serial(region) == before != after
        region.signal(signal.SIGHUP)
        until = time.monotonic() + 5
        while serial(region) != after:
            assert time.monotonic() < until, "SIGHUP did not change the certificate"
            time.sleep(0.05)
        who = region.credentials("administrator")
        headers = Signer(who.key_id, who.secret).headers(kept.host, "TrentService.ListKeys", b"{}")
        assert kept.send(headers, b"{}").status == 200, "a connection that was open goes on"
        kept.close()
        (folder / "server.pem").write_text("not a certificate")
        region.signal(signal.SIGHUP)
        time.sleep(0.5)
        assert serial(region) == after, "a certificate that cannot be read leaves the old one in use"
        assert any("certificate" in name and "expir" in name for name in region.metrics())


def test_no_demo_is_made_with_a_configuration(folder):
    _, config, port = configured(folder)
    with running(Configured(folder, config, port)) as region:
        names = {path.name for path in region.data.rglob("*")}
        assert not names & {"env", "env-strict", "manifest.toml", "ca-key.pem"}


def check(config):
    done = subprocess.run([binary(), "check-config", str(config)], capture_output=True, text=True, timeout=20, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


def test_check_config(folder):
    _, config, _ = configured(folder)
    assert check(config)[0] == 0
    text = config.read_text()
    config.write_text(text + "\n[limits]\nbody_bytes_maximum = 1\n")
    code, said = check(config)
    assert code != 0
    line = config.read_text().splitlines().index("body_bytes_maximum = 1") + 1
    assert "body_bytes_maximum" in said and str(line) in said and config.name in said, said
    config.write_text("[region\n")
    code, said = check(config)
    assert code != 0 and "1" in said
    assert check(folder / "absent.toml")[0] != 0
    done = subprocess.run([binary(), "serve", "--config", str(config)], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "panicked" not in done.stderr


def test_arguments_that_mean_nothing_are_refused(folder):
    for arguments in (["fancy"], ["serve", "--fancy"], ["serve", "--port", "99999"], ["serve", "--manifest", "absent.toml"]):
        done = subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=20, cwd=folder)
        assert done.returncode != 0, arguments
        assert "panicked" not in done.stderr and done.stderr.strip(), arguments

"""The two ways by which somebody else than a listener says where a request comes from, spoken by hand: PROXY headers
and source attestations; and a region whose settings believe them.

Written from the PROXY protocol's specification, AWS's description of its TLV, and RFC 7515 to 7519.
"""

import base64
import contextlib
import hashlib
import http.client
import ipaddress
import json
import re
import shutil
import socket
import struct
import subprocess
import time
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

import audit_trail
from region import REGION, ROOT, Region, binary, free_port
from signing import Answer, Signer, context

ACCOUNT = "111122223333"
# What the endpoints let pass, by the name that they have here.
ENDPOINTS = {
    "addressed": "vpce-0aaaaaaaaaaaaaa11",
    "reading": "vpce-0aaaaaaaaaaaaaa12",
    "fenced": "vpce-0aaaaaaaaaaaaaa13",
    "foreign": "vpce-0aaaaaaaaaaaaaa14",
}
GONE = "vpce-0aaaaaaaaaaaaaa99"
EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'
ADDRESSED = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*",'
    '"Condition":{"IpAddress":{"aws:VpcSourceIp":["127.0.0.1/32","127.0.61.7/32"]}}}]}'
)
READING = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:List*","Resource":"*"}]}'
)
MANIFEST = f"""
[[account]]
id = "{ACCOUNT}"

[[account.user]]
name = "administrator"
policies = [{{ name = "everything", document = '{EVERYTHING}' }}]
access_keys = [{{ id = "AKIAWAYSINADMIN22222", secret = "ways-in/administrator/not/a/real/secret" }}]

# and whom else a test wants

[[vpc]]
id = "vpc-0aaaaaaaaaaaaaa11"
account = "{ACCOUNT}"
cidrs = ["127.0.0.0/8"]

[[endpoint]]
id = "{ENDPOINTS["addressed"]}"
vpc = "vpc-0aaaaaaaaaaaaaa11"
policy = '{ADDRESSED}'
interfaces = [{{ zone = "us-east-1a", address = "127.0.10.1" }}]

[[endpoint]]
id = "{ENDPOINTS["reading"]}"
vpc = "vpc-0aaaaaaaaaaaaaa11"
policy = '{READING}'
interfaces = [{{ zone = "us-east-1a", address = "127.0.10.2" }}]

[[endpoint]]
id = "{ENDPOINTS["fenced"]}"
vpc = "vpc-0aaaaaaaaaaaaaa11"
client_ranges = ["127.0.50.77/32"]
interfaces = [{{ zone = "us-east-1a", address = "127.0.10.3" }}]

[[endpoint]]
id = "{ENDPOINTS["foreign"]}"
vpc = "vpc-0aaaaaaaaaaaaaa11"
interfaces = [{{ zone = "us-east-1a", address = "127.0.20.1" }}]
"""


class WaysIn(Region):
    """A region whose `region.toml` has these tables after its own, and whose account has `people` beside the
    administrator. `{port}` in the tables is the region's port.
    """

    def __init__(self, folder, tables, people=""):
        (folder / "manifest-of-test.toml").write_text(MANIFEST.replace("# and whom else a test wants\n", people))
        super().__init__(folder / "data", manifest=folder / "manifest-of-test.toml", port=free_port())
        self.config = folder / "region.toml"
        settings = f'manifest = "{self.manifest_path}"\n[region]\ndata = "data"\n[listen]\nport = {self.port}\n'
        self.config.write_text(settings + tables.replace("{port}", str(self.port)))

    def command(self):
        return [binary(), "serve", "--config", str(self.config)]

    def record_of(self, answered, event_type="AwsApiCall"):
        """The audit record of a call, by its answer here or from boto3."""
        metadata = answered["ResponseMetadata"]["HTTPHeaders"] if isinstance(answered, dict) else answered.headers
        records = audit_trail.records(self.data / "audit")
        of_call = [each for each in records if each.get("requestID") == metadata["x-amzn-requestid"]]
        (found,) = [record for record in of_call if record["eventType"] == event_type]
        return found

    def refusals(self, what, reason):
        """How often one of the two was not believed for this reason: `proxy_headers` or `attestations`."""
        return self.metrics().get(f'kannuki_{what}_refused_total{{reason="{reason}"}}', 0)


@contextlib.contextmanager
def haproxy(region, to, folder):
    """The README's HAProxy in front of an address of the region; answers where clients find it."""
    example = re.search(r"```haproxy\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    port = free_port()
    for written, here in [
        ("127.0.0.1:8470", f"127.0.0.1:{port}"),
        ("127.0.0.1:8450", to),
        ("kannuki-data/ca.pem", str(region.ca)),
    ]:
        assert example.count(written) == 1, written
        example = example.replace(written, here)
    config = folder / "haproxy.cfg"
    config.write_text(example)
    program = shutil.which("haproxy", path="/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin")
    assert program, "haproxy is not installed"
    process = subprocess.Popen([program, "-db", "-f", str(config)], stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
            assert process.poll() is None and time.monotonic() < until, "HAProxy does not listen"
            time.sleep(0.02)
        yield "127.0.0.1", port
    finally:
        process.kill()
        process.wait(10)


class Line:
    """A TLS connection from an address of choice to an address of choice, begun with bytes of choice."""

    def __init__(self, region, to, source="127.0.0.1", before=b""):
        self.region, self.host = region, f"{to[0]}:{to[1]}"
        plain = socket.create_connection(to, timeout=10, source_address=(source, 0))
        plain.sendall(before)
        self.http = http.client.HTTPConnection(*to)
        self.http.sock = context(region).wrap_socket(plain, server_hostname=to[0])

    def send(self, method, path, headers, body=b""):
        self.http.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            self.http.putheader(name, value)
        self.http.putheader("content-length", str(len(body)))
        self.http.endheaders(body)
        answer = self.http.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())

    def get(self, path):
        return self.send("GET", path, [("host", self.host)])

    def signed(self, operation, payload):
        """The headers of a call, and its body."""
        who, body = self.region.credentials("administrator"), json.dumps(payload).encode()
        return Signer(who.key_id, who.secret).headers(self.host, f"TrentService.{operation}", body), body

    def call(self, operation, payload=None, attest=None):
        headers, body = self.signed(operation, payload or {})
        if attest:
            headers.append((HEADER, attest(dict(headers)["authorization"])))
        return self.send("POST", "/", headers, body)

    def close(self):
        self.http.close()


# PROXY protocol, version 2.

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def endpoint_tlv(endpoint):
    return tlv(0xEA, b"\x01" + endpoint.encode("ascii"))


def proxy_header(client, tlvs=b"", checksum=False):
    """PROXY for a TCP client; 127.0.0.1:443 is where it connected to."""
    address = ipaddress.ip_address(client)
    family, local = (0x11, "127.0.0.1") if address.version == 4 else (0x21, "::1")
    block = address.packed + ipaddress.ip_address(local).packed + struct.pack("!HH", 40000, 443) + tlvs
    if checksum:
        block += tlv(0x03, b"\0\0\0\0")
    whole = SIGNATURE + struct.pack("!BBH", 0x21, family, len(block)) + block
    return whole[:-4] + struct.pack("!I", crc32c(whole)) if checksum else whole


LOCAL = SIGNATURE + b"\x20\x00\x00\x00"


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


# Source attestations.

HEADER = "x-kms-source-attestation"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Edge:
    """Somebody with a key who attests. The public key is in `path`."""

    def __init__(self, name, path, algorithm="ES256"):
        self.name, self.algorithm = name, algorithm
        self.key = ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else ed25519.Ed25519PrivateKey.generate()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        path.write_bytes(self.key.public_key().public_bytes(serialization.Encoding.PEM, form))

    def sign(self, data):
        if self.algorithm != "ES256":
            return self.key.sign(data)
        r, s = utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def token(self, authorization, endpoint, client, header=None, **claims):
        """An attestation for one request; `header` and `claims` replace members, or take them out when None."""
        now = int(time.time())
        whole = {
            "iss": self.name,
            "aud": REGION,
            "iat": now,
            "exp": now + 30,
            "jti": str(uuid.uuid4()),
            "endpoint": endpoint,
            "client": client,
            "authorization": base64url(hashlib.sha256(authorization.encode()).digest()),
            **claims,
        }
        head = {"alg": self.algorithm, "typ": "source-attestation+jwt", "kid": self.name, **(header or {})}
        parts = ({name: value for name, value in part.items() if value is not None} for part in (head, whole))
        text = ".".join(base64url(json.dumps(part).encode()) for part in parts)
        return f"{text}.{base64url(self.sign(text.encode()))}"

    def attesting(self, endpoint, client, **bent):
        """What makes an attestation of a request's `Authorization`."""
        return lambda authorization: self.token(authorization, endpoint, client, **bent)

    def in_front_of(self, client, endpoint, address):
        """Has a boto3 client's requests attested after they are signed, as an edge would."""

        def attest(request, **_):
            signed = request.headers.get("Authorization", "")
            signed = signed.decode() if isinstance(signed, bytes) else signed
            request.headers[HEADER] = self.token(signed, endpoint, address)

        client.meta.events.register("before-send.*", attest)
        return client

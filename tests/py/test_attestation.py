"""Source attestations: boto3 with an edge in front of it, and tokens with each part bent."""

import json
import subprocess
import time

import pytest

import audit_trail
from conftest import refused, running
from region import binary, boto_client
from ways_in import ENDPOINTS, GONE, HEADER, Edge, Line, WaysIn

MESSAGE = "The source of the request could not be verified."
READING, ADDRESSED = ENDPOINTS["reading"], ENDPOINTS["addressed"]


class Attested(WaysIn):
    """Believes `edge` (ES256) on the public listener and at the endpoint `reading`, and `side` (EdDSA) elsewhere."""

    def __init__(self, folder):
        self.edge = Edge("edge", folder / "edge.pem")
        self.side = Edge("side", folder / "side.pem", "EdDSA")
        self.other = Edge("edge", folder / "other.pem")
        listed = json.dumps([READING, ADDRESSED, ENDPOINTS["fenced"], GONE])
        super().__init__(folder, f"""
[[attestation]]
name = "edge"
key = "edge.pem"
algorithm = "ES256"
endpoints = {listed}
from = ["127.0.0.1/32"]
listeners = ["public", "{READING}"]

[[attestation]]
name = "side"
key = "side.pem"
algorithm = "EdDSA"
endpoints = ["{READING}"]
from = ["127.0.61.0/24"]
""")

    def line(self, endpoint="public", source="127.0.0.1"):
        return Line(self, (self.address(endpoint), self.port), source=source)


@pytest.fixture(scope="module")
def attested(tmp_path_factory):
    with running(Attested(tmp_path_factory.mktemp("attestation"))) as region:
        # Nothing is believed that was signed before the service began.
        time.sleep(1.1)
        yield region


def test_boto3_through_an_edge(attested):
    def client(service, endpoint, address):
        made = boto_client(service, attested.url("public"), attested.ca, attested.credentials("administrator"))
        return attested.edge.in_front_of(made, endpoint, address)

    kms = client("kms", ADDRESSED, "127.0.61.7")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"attested")["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=sealed)
    assert opened["Plaintext"] == b"attested"
    record = attested.record_of(opened)
    assert (record["vpcEndpointId"], record["sourceIPAddress"]) == (ADDRESSED, "127.0.61.7")
    assert record["kannuki"]["source"] == {"proof": "attestation", "by": "edge"}
    with refused("AccessDeniedException") as seen:
        client("kms", ADDRESSED, "127.0.61.8").encrypt(KeyId=key, Plaintext=b"attested")
    assert "because no VPC endpoint policy allows" in seen.message
    reading = client("kms", READING, "127.0.61.8")
    reading.list_keys()
    with refused("AccessDeniedException") as seen:
        reading.create_key()
    assert "because no VPC endpoint policy allows" in seen.message
    identity = client("sts", READING, "127.0.61.8").get_caller_identity()
    assert identity["Account"] == "111122223333"
    assert attested.record_of(identity)["vpcEndpointId"] == READING


def test_the_source_is_the_requests_not_the_connections(attested):
    line = attested.line()
    for endpoint, address, status in [
        (None, None, 200),
        (READING, "127.0.61.8", 400),
        (ADDRESSED, "127.0.61.7", 200),
        (None, None, 200),
        (ADDRESSED, "127.0.61.8", 400),
    ]:
        attest = endpoint and attested.edge.attesting(endpoint, address)
        answer = line.call("CreateKey", attest=attest)
        assert answer.status == status, (endpoint, address, answer)
        record = attested.record_of(answer)
        assert record.get("vpcEndpointId") == endpoint
        assert record["sourceIPAddress"] == (address or "127.0.0.1")
        assert record["kannuki"]["source"] == (
            {"proof": "attestation", "by": "edge"} if endpoint else {"proof": "listener"}
        )
    line.close()


def test_eddsa_from_its_own_place(attested):
    line = attested.line(source="127.0.61.9")
    answer = line.call("ListKeys", attest=attested.side.attesting(READING, "127.0.61.8"))
    assert answer.status == 200
    assert attested.record_of(answer)["kannuki"]["source"] == {"proof": "attestation", "by": "side"}
    line.close()


def test_two_proofs_that_agree(attested):
    line = attested.line(READING)
    answer = line.call("ListKeys", attest=attested.edge.attesting(READING, "127.0.61.8"))
    assert answer.status == 200
    assert attested.record_of(answer)["sourceIPAddress"] == "127.0.61.8"
    line.close()


def unbelieved(region, reason, line, operation="ListKeys", attest=None):
    before, records = region.refusals("attestations", reason), len(list(audit_trail.lines(region.data / "audit")))
    answer = line.call(operation, attest=attest)
    assert (answer.status, answer.code, answer.message) == (400, "AccessDeniedException", MESSAGE), (reason, answer)
    assert region.refusals("attestations", reason) == before + 1, reason
    assert len(list(audit_trail.lines(region.data / "audit"))) == records, "nobody knows where it came from"


def test_whatever_is_wrong_is_refused(attested):
    now, edge = int(time.time()), attested.edge
    line = attested.line()
    for reason, attest in [
        # Another key, under this one's name; another algorithm than the key's; none at all.
        ("signature", attested.other.attesting(READING, "127.0.61.8")),
        ("signature", edge.attesting(READING, "127.0.61.8", header={"alg": "HS256"})),
        ("malformed", edge.attesting(READING, "127.0.61.8", header={"alg": "none"})),
        ("malformed", edge.attesting(READING, "127.0.61.8", header={"typ": "JWT"})),
        ("unknown key", edge.attesting(READING, "127.0.61.8", header={"kid": "nobody"})),
        # A key that may not attest from here.
        ("unknown key", attested.side.attesting(READING, "127.0.61.8")),
        ("signature", edge.attesting(READING, "127.0.61.8", aud="eu-west-9")),
        ("signature", edge.attesting(READING, "127.0.61.8", iss="side")),
        ("signature", edge.attesting(READING, "127.0.61.8", jti=None)),
        ("endpoint not allowed", edge.attesting(ENDPOINTS["foreign"], "127.0.61.8")),
        ("unknown endpoint", edge.attesting(GONE, "127.0.61.8")),
        ("outside client ranges", edge.attesting(ENDPOINTS["fenced"], "127.0.61.8")),
        ("time", edge.attesting(READING, "127.0.61.8", iat=now + 20, exp=now + 50)),
        ("time", edge.attesting(READING, "127.0.61.8", iat=now - 70, exp=now - 20)),
        ("lifetime", edge.attesting(READING, "127.0.61.8", exp=now + 120)),
        ("other request", lambda _: edge.token("AWS4-HMAC-SHA256 of another request", READING, "127.0.61.8")),
        ("malformed", lambda _: "not a token"),
    ]:
        unbelieved(attested, reason, line, attest=attest)
    line.close()
    log = (attested.data / "access.log").read_text()
    assert "the source attestation is for another request" in log


def test_a_replay_is_refused(attested):
    line = attested.line()
    headers, body = line.signed("ListKeys", {})
    token = attested.edge.token(dict(headers)["authorization"], READING, "127.0.61.8")
    assert line.send("POST", "/", headers + [(HEADER, token)], body).status == 200
    # To the letter the same request, on this connection and on another one.
    for each in (line, attested.line()):
        before = attested.refusals("attestations", "replayed")
        answer = each.send("POST", "/", headers + [(HEADER, token)], body)
        assert (answer.status, answer.code, answer.message) == (400, "AccessDeniedException", MESSAGE)
        assert attested.refusals("attestations", "replayed") == before + 1
        each.close()
    # For a new request with the old id, too.
    line = attested.line()
    edge = attested.edge
    assert line.call("ListKeys", attest=edge.attesting(READING, "127.0.61.8", jti="again")).status == 200
    unbelieved(attested, "replayed", line, attest=edge.attesting(READING, "127.0.61.8", jti="again"))
    line.close()


def test_two_proofs_that_disagree(attested):
    line = attested.line(READING)
    unbelieved(attested, "contradiction", line, attest=attested.edge.attesting(ADDRESSED, "127.0.61.7"))
    line.close()


def test_where_nobody_may_attest_the_header_is_an_error(attested):
    good = attested.edge.attesting(READING, "127.0.61.8")
    for line in (attested.line(ADDRESSED), attested.line(source="127.0.62.1"), attested.line(ADDRESSED, "127.0.61.7")):
        unbelieved(attested, "unexpected", line, attest=good)
        unbelieved(attested, "unexpected", line, attest=lambda _: "anything")
        assert line.call("ListKeys").status == 200
        line.close()


def test_it_comes_once(attested):
    line = attested.line()
    headers, body = line.signed("ListKeys", {})
    token = attested.edge.token(dict(headers)["authorization"], READING, "127.0.61.8")
    before = attested.refusals("attestations", "repeated")
    answer = line.send("POST", "/", headers + [(HEADER, token), (HEADER, token)], body)
    assert (answer.code, answer.message) == ("AccessDeniedException", MESSAGE)
    assert attested.refusals("attestations", "repeated") == before + 1
    line.close()


def test_sts_spells_it_its_own_way(attested):
    sts = boto_client("sts", attested.url("public"), attested.ca, attested.credentials("administrator"))
    attested.other.in_front_of(sts, READING, "127.0.61.8")
    with refused("AccessDenied", MESSAGE):
        sts.get_caller_identity()


def test_check_config_reads_the_keys(attested, folder):
    def check():
        return subprocess.run([binary(), "check-config", str(config)], capture_output=True, text=True, timeout=20)

    config = folder / "region.toml"
    config.write_text(attested.config.read_text())
    for edge in ("edge", "side"):
        (folder / f"{edge}.pem").write_bytes((attested.config.parent / f"{edge}.pem").read_bytes())
    assert check().returncode == 0, check().stdout
    (folder / "side.pem").write_bytes((folder / "edge.pem").read_bytes())
    assert (check().returncode, "side.pem: is not a public key for EdDSA in PEM" in check().stdout) == (1, True)
    (folder / "side.pem").unlink()
    assert (check().returncode, "side.pem: cannot be read" in check().stdout) == (1, True)

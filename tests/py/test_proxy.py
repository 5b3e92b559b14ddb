"""Behind a load balancer: HAProxy as Debian has it, and bytes as AWS's balancers send them."""

import time

import pytest
from botocore.exceptions import ClientError

from conftest import refused, running
from region import boto_client
from ways_in import ENDPOINTS, GONE, LOCAL, Line, WaysIn, endpoint_tlv, haproxy, proxy_header, tlv

TABLES = f"""
[[listen.balancer]]
name = "front"
address = "127.0.60.1:{{port}}"
from = ["127.0.60.9/32"]
endpoints = ["{ENDPOINTS["addressed"]}", "{ENDPOINTS["reading"]}", "{ENDPOINTS["fenced"]}", "{GONE}"]

[[listen.balancer]]
name = "side"
address = "127.0.60.2:{{port}}"
from = ["127.0.0.1/32"]
endpoint = "{ENDPOINTS["addressed"]}"
"""


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    with running(WaysIn(tmp_path_factory.mktemp("proxy"), TABLES)) as region:
        yield region


@pytest.fixture(scope="module")
def through(behind, tmp_path_factory):
    """Where HAProxy, in front of the balancer `side`'s listener, is found."""
    with haproxy(behind, f"127.0.60.2:{behind.port}", tmp_path_factory.mktemp("haproxy")) as found:
        yield found


def test_boto3_through_haproxy(behind, through):
    who = behind.credentials("administrator")
    client = boto_client("kms", "https://{}:{}".format(*through), behind.ca, who)
    key = client.create_key()["KeyMetadata"]["KeyId"]
    sealed = client.encrypt(KeyId=key, Plaintext=b"through HAProxy")["CiphertextBlob"]
    opened = client.decrypt(CiphertextBlob=sealed)
    assert opened["Plaintext"] == b"through HAProxy"
    record = behind.record_of(opened)
    assert record["vpcEndpointId"] == ENDPOINTS["addressed"]
    assert record["sourceIPAddress"] == "127.0.0.1"
    assert record["kannuki"]["source"] == {"proof": "proxy", "by": "side"}
    assert "zone" not in record["kannuki"]


def test_the_policy_sees_the_clients_address(behind, through):
    allowed = Line(behind, through, source="127.0.61.7")
    assert allowed.call("ListKeys").status == 200
    denied = Line(behind, through, source="127.0.61.8")
    answer = denied.call("ListKeys")
    assert (answer.code, "because no VPC endpoint policy allows" in answer.message) == ("AccessDeniedException", True)
    assert behind.record_of(answer)["sourceIPAddress"] == "127.0.61.8"
    owners = behind.record_of(answer, "AwsVpceEvent")
    assert (owners["errorCode"], owners["vpcEndpointId"]) == ("VpceAccessDenied", ENDPOINTS["addressed"])
    for line in (allowed, denied):
        line.close()


def test_haproxy_finds_out_whether_the_service_is_well(behind, through):
    until = time.monotonic() + 15
    while behind.metrics().get('kannuki_requests_total{operation="health",code="OK"}', 0) < 2:
        assert time.monotonic() < until, "no health check has passed"
        time.sleep(0.1)


def front(region, header, source="127.0.60.9"):
    return Line(region, ("127.0.60.1", region.port), source=source, before=header)


@pytest.mark.parametrize("checksum", [False, True])
def test_the_endpoint_in_awss_tlv(behind, checksum):
    for endpoint, client, operation, passes in [
        ("addressed", "127.0.61.7", "ListAliases", True),
        ("addressed", "127.0.61.8", "ListAliases", False),
        ("reading", "127.0.61.8", "ListAliases", True),
        ("reading", "127.0.61.7", "CreateKey", False),
        ("fenced", "127.0.50.77", "CreateKey", True),
    ]:
        padding = tlv(0x04, b"\0" * 5) + tlv(0x02, b"kms.example")
        header = proxy_header(client, padding + endpoint_tlv(ENDPOINTS[endpoint]), checksum)
        line = front(behind, header)
        # The source is the connection's: it holds for every request on it.
        for _ in range(2):
            answer = line.call(operation)
            assert (answer.status == 200) == passes, (endpoint, client, operation, answer)
            assert passes or "VPC endpoint policy" in answer.message
        line.close()
        record = behind.record_of(answer)
        assert (record["vpcEndpointId"], record["sourceIPAddress"]) == (ENDPOINTS[endpoint], client)
        assert record["kannuki"]["source"] == {"proof": "proxy", "by": "front"}


def closed(region, to, header, source):
    """The connection must end before TLS does."""
    with pytest.raises(OSError):
        Line(region, (to, region.port), source=source, before=header).get("/health")


def test_what_is_not_believed_is_closed_and_counted(behind):
    good = proxy_header("127.0.61.7", endpoint_tlv(ENDPOINTS["addressed"]))
    for reason, header in [
        ("unknown endpoint", proxy_header("127.0.61.7", endpoint_tlv(GONE))),
        ("endpoint not allowed", proxy_header("127.0.61.7", endpoint_tlv(ENDPOINTS["foreign"]))),
        ("malformed", proxy_header("127.0.61.7", endpoint_tlv(ENDPOINTS["addressed"]) * 2)),
        ("malformed", good.replace(b"QUIT", b"quit")),
        ("malformed", proxy_header("127.0.61.7", tlv(0xE0, b"\0" * 600))),
        ("malformed", proxy_header("127.0.61.7", endpoint_tlv(ENDPOINTS["addressed"]), True)[:-1] + b"\x7f"),
        ("malformed", b"PROXY TCP4 127.0.61.7 127.0.0.1 40000 443\r\n"),
        ("malformed", b""),
    ]:
        before = behind.refusals("proxy_headers", reason)
        closed(behind, "127.0.60.1", header, "127.0.60.9")
        assert behind.refusals("proxy_headers", reason) == before + 1, reason
    # A second header is not TLS, nor is one where none is expected.
    before = behind.metric("kannuki_tls_handshakes_failed_total")
    closed(behind, "127.0.60.1", good + good, "127.0.60.9")
    closed(behind, "127.0.0.1", good, "127.0.60.9")
    closed(behind, "127.0.10.1", good, "127.0.60.9")
    assert behind.metric("kannuki_tls_handshakes_failed_total") == before + 3
    # Only the balancer is heard, and a client outside the endpoint's ranges is not let in.
    before = behind.metric("kannuki_connections_refused_total")
    closed(behind, "127.0.60.1", good, "127.0.60.8")
    closed(behind, "127.0.60.1", proxy_header("127.0.50.78", endpoint_tlv(ENDPOINTS["fenced"])), "127.0.60.9")
    assert behind.metric("kannuki_connections_refused_total") == before + 2


@pytest.mark.parametrize("header", [LOCAL, proxy_header("127.0.61.7"), proxy_header("::1")])
def test_without_an_endpoint_there_is_health_and_nothing_else(behind, header):
    line = front(behind, header)
    for path in ("/health", "/ready"):
        answer = line.get(path)
        assert (answer.status, answer.json) == (200, {"status": "ok"})
    answer = line.call("ListKeys")
    assert (answer.status, answer.code) == (403, "AccessDeniedException")
    line.close()
    other = front(behind, header)
    assert other.get("/metrics").status == 403
    other.close()


def test_elsewhere_nobody_is_asked_for_health(behind):
    client = behind.client("administrator", "public")
    client.list_keys()
    line = Line(behind, ("127.0.0.1", behind.port))
    assert line.get("/health").status == 405
    line.close()
    with refused("AccessDeniedException"):
        try:
            behind.client("administrator", ENDPOINTS["reading"]).create_key()
        except ClientError as error:
            assert "VPC endpoint policy" in error.response["Error"]["Message"]
            raise

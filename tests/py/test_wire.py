"""AWS JSON 1.1 and HTTP from the unfriendly side: what is not a proper request gets a clear error, at once.

Sizes and times here are the defaults of a region: bodies over the limit are refused, a request has 8 seconds.
"""

import datetime
import hashlib
import json
import re
import socket
import ssl
import threading
import time

import pytest

from conftest import allow, document
from signing import CONTENT_TYPE, Connection, Signer, call, context

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CUT_WITHIN_S = 20


def signed(region, connection, target="TrentService.ListKeys", body=b"{}", **bent):
    who = region.credentials("administrator")
    return Signer(who.key_id, who.secret).headers(connection.host, target, body, **bent)


@pytest.fixture
def connection(region):
    made = Connection(region)
    yield made
    made.close()


def is_clear(answer, code=None, status=None):
    """An error that a client can read: JSON with a type, a request id, a status of the client's fault."""
    assert 400 <= answer.status < 500, answer
    assert answer.code, answer
    assert UUID.fullmatch(answer.headers.get("x-amzn-requestid", "")), answer.headers
    assert answer.headers["content-type"].startswith(CONTENT_TYPE)
    if code:
        assert answer.code == code, answer
    if status:
        assert answer.status == status, answer


def test_a_good_answer(region):
    answer = call(region, "ListKeys", {"Limit": 1})
    assert answer.status == 200
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert UUID.fullmatch(answer.headers["x-amzn-requestid"])
    assert "date" in answer.headers
    assert "server" not in answer.headers


def test_request_ids_differ(region):
    ids = {call(region, "ListKeys", {}).headers["x-amzn-requestid"] for _ in range(10)}
    assert len(ids) == 10


def test_empty_outputs_are_empty(region, key):
    for operation in ("EnableKey", "DisableKey"):
        answer = call(region, operation, {"KeyId": key})
        assert (answer.status, answer.json) == (200, {})


def test_blobs_and_times(region, key):
    made = call(region, "DescribeKey", {"KeyId": key}).json["KeyMetadata"]
    assert isinstance(made["CreationDate"], (int, float))
    assert abs(made["CreationDate"] - time.time()) < 60
    blob = call(region, "Encrypt", {"KeyId": key, "Plaintext": "eA=="}).json["CiphertextBlob"]
    assert call(region, "Decrypt", {"CiphertextBlob": blob}).json["Plaintext"] == "eA=="


def test_access_denied_spells_message_with_a_capital(region, key):
    answer = call(region, "Encrypt", {"KeyId": key, "Plaintext": "eA=="}, user="nobody")
    assert set(answer.json) == {"__type", "Message"}
    answer = call(region, "Encrypt", {"KeyId": "nonsense", "Plaintext": "eA=="})
    assert set(answer.json) == {"__type", "message"}


def test_no_message_is_no_member(region, key):
    answer = call(region, "Decrypt", {"CiphertextBlob": "AAAA", "KeyId": key})
    assert answer.json == {"__type": "InvalidCiphertextException"}


def test_null_members_count_as_absent_and_unknown_ones_are_ignored(region, key):
    answer = call(region, "DescribeKey", {"KeyId": key, "GrantTokens": None, "Fancy": [1, {"a": None}]})
    assert answer.status == 200
    assert call(region, "ListKeys", b"").status == 200, "an empty body is an empty request"


@pytest.mark.parametrize("target", ["TrentService.Fancy", "TrentService.", "TrentService.listkeys", "Other.ListKeys", "ListKeys"])
def test_unknown_target(region, connection, target):
    is_clear(connection.send(signed(region, connection, target), b"{}"), "UnknownOperationException", 400)


def test_no_target(region, connection):
    is_clear(connection.send(signed(region, connection, None), b"{}"))


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "application/xml", "", None])
def test_wrong_content_type(region, connection, content_type):
    is_clear(connection.send(signed(region, connection, content_type=content_type), b"{}"))


def test_content_type_with_a_parameter(region, connection):
    answer = connection.send(signed(region, connection, content_type=f"{CONTENT_TYPE}; charset=utf-8"), b"{}")
    assert answer.status == 200, answer


@pytest.mark.parametrize("body", [b"{", b'{"Limit":', b"[]", b"null", b'"x"', b"\xff\xfe{}", b"{} {}", b"[" * 50000])
def test_broken_json(region, body):
    is_clear(call(region, "ListKeys", body), "SerializationException", 400)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods(region, connection, method):
    is_clear(connection.send(signed(region, connection, method=method), b"{}", method=method))


def test_head(region, connection):
    answer = connection.send(signed(region, connection, method="HEAD", body=b""), b"", method="HEAD")
    assert 400 <= answer.status < 500
    assert UUID.fullmatch(answer.headers["x-amzn-requestid"])


@pytest.mark.parametrize("path", ["/keys", "/..", "//", "/%2e", "/metrics", "/health", "/ready"])
def test_other_paths(region, connection, path):
    is_clear(connection.send(signed(region, connection), b"{}", path=path))


def test_the_service_says_nothing_of_its_operations_port(region):
    for page in ("/", "/nonsense"):
        assert region.operations(page)[0] == 404
    assert region.operations("/health")[0] == 200


# Sizes and slowness.


def raw(region, text, seconds=5.0, endpoint="open"):
    """Sends bytes over TLS and reads until the answer is whole, the peer closes or the time is up."""
    with socket.create_connection((region.address(endpoint), region.port), timeout=seconds) as plain:
        with context(region).wrap_socket(plain, server_hostname=region.address(endpoint)) as tls:
            tls.sendall(text)
            return read_answer(tls)


def read_answer(tls):
    seen = b""
    try:
        while True:
            piece = tls.recv(65536)
            if not piece:
                return seen
            seen += piece
            head, found, body = seen.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            if found and length and len(body) >= int(length.group(1)):
                return seen
    except (TimeoutError, ConnectionError):
        return seen


def head(region, length, extra=""):
    host = f"{region.address()}:{region.port}"
    return (
        f"POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: {CONTENT_TYPE}\r\n"
        f"x-amz-target: TrentService.ListKeys\r\ncontent-length: {length}\r\n{extra}\r\n"
    ).encode()


def test_a_body_that_is_announced_too_large_is_refused_unread(region):
    began = time.monotonic()
    answer = raw(region, head(region, 50_000_000))
    assert time.monotonic() - began < 2
    assert answer.startswith(b"HTTP/1.1 413"), answer[:300]
    assert b"x-amzn-requestid" in answer.lower()
    assert b"__type" in answer


def test_a_chunked_body_that_grows_too_large_is_refused(region):
    host = f"{region.address()}:{region.port}"
    text = f"POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: {CONTENT_TYPE}\r\nx-amz-target: TrentService.ListKeys\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with socket.create_connection((region.address(), region.port), timeout=5) as plain:
        with context(region).wrap_socket(plain, server_hostname=region.address()) as tls:
            tls.sendall(text.encode())
            try:
                for _ in range(200):
                    tls.sendall(chunk)
            except (ConnectionError, TimeoutError, OSError):
                return
            answer = read_answer(tls)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:300]


def test_the_largest_proper_request_passes(region, key):
    """A policy of the largest size that the API allows is read, and refused for what it is."""
    answer = call(region, "PutKeyPolicy", {"KeyId": key, "PolicyName": "default", "Policy": "x" * 131072})
    assert answer.code in ("MalformedPolicyDocumentException", "LimitExceededException"), answer


def test_headers_that_are_too_large(region):
    answer = raw(region, head(region, 2, "x-filler: " + "f" * 200_000 + "\r\n") + b"{}")
    assert answer == b"" or re.match(rb"HTTP/1.1 4\d\d", answer), answer[:300]


def drip(region, text, pause):
    """Sends one byte after the other; answers what came back and the seconds until it was cut."""
    began = time.monotonic()
    with socket.create_connection((region.address(), region.port), timeout=CUT_WITHIN_S) as plain:
        with context(region).wrap_socket(plain, server_hostname=region.address()) as tls:
            tls.settimeout(pause)
            seen = b""
            for place in range(len(text)):
                try:
                    tls.sendall(text[place : place + 1])
                    piece = tls.recv(65536)
                except TimeoutError:
                    if time.monotonic() - began > CUT_WITHIN_S:
                        break
                    continue
                except (ConnectionError, OSError):
                    break
                seen += piece
                break
            return seen, time.monotonic() - began


def test_dripping_and_half_open_connections(region):
    """All at once, since each of them waits for a deadline; meanwhile others are served."""
    body = b'{"Limit": 1' + b" " * 200 + b"}"
    results = {}

    def run(name, work):
        results[name] = work()

    def opened_and_silent():
        began = time.monotonic()
        with socket.create_connection((region.address(), region.port), timeout=CUT_WITHIN_S) as plain:
            try:
                return plain.recv(1), time.monotonic() - began
            except (TimeoutError, ConnectionError):
                return None, time.monotonic() - began

    def body_drips():
        began = time.monotonic()
        with socket.create_connection((region.address(), region.port), timeout=CUT_WITHIN_S) as plain:
            with context(region).wrap_socket(plain, server_hostname=region.address()) as tls:
                tls.sendall(head(region, len(body)))
                tls.settimeout(0.2)
                seen = b""
                for place in range(len(body)):
                    try:
                        tls.sendall(body[place : place + 1])
                        seen = tls.recv(65536)
                        break
                    except TimeoutError:
                        continue
                    except (ConnectionError, OSError):
                        break
                return seen, time.monotonic() - began

    work = {
        "headers": lambda: drip(region, head(region, 2), 0.2),
        "body": body_drips,
        "silent": opened_and_silent,
    }
    threads = [threading.Thread(target=run, args=item) for item in work.items()]
    halves = [socket.create_connection((region.address(), region.port), timeout=5) for _ in range(100)]
    try:
        for thread in threads:
            thread.start()
        for _ in range(20):
            began = time.monotonic()
            assert call(region, "ListKeys", {"Limit": 1}).status == 200
            assert time.monotonic() - began < 2
        for thread in threads:
            thread.join(CUT_WITHIN_S + 10)
    finally:
        for half in halves:
            half.close()
    for name in work:
        answer, seconds = results[name]
        assert seconds < CUT_WITHIN_S, f"{name} was not cut"
    answer = results["body"][0]
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408"), answer[:300]


def test_pipelined_requests_are_answered_in_order(region, connection):
    parts = []
    for target in ("TrentService.ListKeys", "TrentService.Fancy", "TrentService.ListAliases"):
        lines = signed(region, connection, target) + [("content-length", "2")]
        parts.append("POST / HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines) + "\r\n{}")
    with socket.create_connection((region.address(), region.port), timeout=5) as plain:
        with context(region).wrap_socket(plain, server_hostname=region.address()) as tls:
            tls.sendall("".join(parts).encode())
            seen, until = b"", time.monotonic() + 5
            while seen.count(b"HTTP/1.1 ") < 3 and time.monotonic() < until:
                seen += tls.recv(65536)
    assert re.findall(rb"HTTP/1.1 (\d+)", seen) == [b"200", b"400", b"200"]
    assert seen.index(b'"Keys"') < seen.index(b"UnknownOperationException") < seen.index(b'"Aliases"')


def test_plain_http_gets_nothing(region):
    with socket.create_connection((region.address(), region.port), timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"200" not in read_answer(plain)[:20]


def test_old_tls_is_refused(region):
    for version, accepted in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_1, False)):
        wanted = context(region)
        wanted.set_ciphers("DEFAULT:@SECLEVEL=0")
        wanted.minimum_version = ssl.TLSVersion.TLSv1
        wanted.maximum_version = version
        try:
            with socket.create_connection((region.address(), region.port), timeout=5) as plain:
                with wanted.wrap_socket(plain, server_hostname=region.address()):
                    assert accepted, version
        except (ssl.SSLError, ConnectionError):
            assert not accepted, version


# Where a request comes from.


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Kms-Source-Attestation", "True-Client-IP"])
def test_no_header_is_believed_about_the_source(region, admin, key, name):
    nobody = region.credentials("nobody").arn
    root = "arn:aws:iam::111122223333:root"
    where = {"IpAddress": {"aws:VpcSourceIp": "203.0.113.7/32"}}
    public = {"IpAddress": {"aws:SourceIp": "203.0.113.7/32"}}
    policy = document(
        allow(root), allow(nobody, "kms:Encrypt", Condition=where), allow(nobody, "kms:Encrypt", Condition=public)
    )
    admin.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    value = "for=203.0.113.7" if name == "Forwarded" else "203.0.113.7"
    for endpoint in ("open", "public"):
        for unsigned in ((), (name.lower(),)):
            answer = call(
                region,
                "Encrypt",
                {"KeyId": key, "Plaintext": "eA=="},
                user="nobody",
                endpoint=endpoint,
                extra=[(name.lower(), value)],
                unsigned=unsigned,
            )
            assert answer.status == 400, answer
            # An attestation from someone who is no trusted edge may be called an error of its own.
            assert answer.code == "AccessDeniedException" or name == "X-Kms-Source-Attestation", answer


def test_a_proxy_header_closes_the_connection(region):
    """PROXY protocol from whoever cares to send it must not become a source."""
    first = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("203.0.113.7") * 2 + b"\x01\xbb\x01\xbb"
    with socket.create_connection((region.address(), region.port), timeout=5) as plain:
        plain.sendall(first)
        plain.settimeout(5)
        try:
            seen = plain.recv(1024)
        except (ConnectionError, TimeoutError) as error:
            assert not isinstance(error, TimeoutError), "the connection was kept open"
            return
        assert not seen.startswith(b"HTTP"), seen


def test_a_client_outside_the_ranges_is_closed_at_accept(region):
    with socket.create_connection((region.address("fenced"), region.port), timeout=5) as plain:
        with pytest.raises((ConnectionError, OSError)):
            context(region).wrap_socket(plain, server_hostname=region.address("fenced"))
    inside = socket.create_connection((region.address("fenced"), region.port), 5, ("127.0.50.77", 0))
    with inside, context(region).wrap_socket(inside, server_hostname=region.address("fenced")) as tls:
        tls.sendall(head(region, 2) + b"{}")
        assert read_answer(tls).startswith(b"HTTP/1.1 400")


# Signatures.


def test_tampered_body(region, connection):
    headers = signed(region, connection, body=b'{"Limit":1}')
    is_clear(connection.send(headers, b'{"Limit":2}'), "InvalidSignatureException", 400)


def test_tampered_target(region, connection):
    headers = signed(region, connection)
    headers = [(name, "TrentService.ListAliases" if name == "x-amz-target" else value) for name, value in headers]
    answer = connection.send(headers, b"{}")
    is_clear(answer, "InvalidSignatureException", 400)
    assert answer.message.startswith("The request signature we calculated does not match the signature you provided.")


@pytest.mark.parametrize(("minutes", "text"), [(-6, "Signature expired: "), (6, "Signature not yet current: ")])
def test_skew(region, minutes, text):
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    answer = call(region, "ListKeys", {}, now=now)
    is_clear(answer, "InvalidSignatureException", 400)
    assert answer.message.startswith(text)
    within = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes * 4 / 6)
    assert call(region, "ListKeys", {}, now=within).status == 200


@pytest.mark.parametrize("scope", [{"region_name": "us-west-2"}, {"service": "s3"}])
def test_wrong_scope(region, scope):
    answer = call(region, "ListKeys", {}, **scope)
    is_clear(answer, "InvalidSignatureException", 400)
    assert answer.message.startswith("Credential should be scoped to")


REFUSED = {"InvalidSignatureException", "IncompleteSignatureException", "MissingAuthenticationTokenException"}


@pytest.mark.parametrize("left_out", ["host", "x-amz-target", "x-amz-date"])
def test_headers_that_must_be_signed(region, connection, left_out):
    answer = connection.send(signed(region, connection, unsigned=(left_out,)), b"{}")
    is_clear(answer)
    assert answer.code in REFUSED, answer


def test_a_harmless_header_need_not_be_signed(region, connection):
    answer = connection.send(signed(region, connection, extra=[("x-trace", "1")], unsigned=("x-trace",)), b"{}")
    assert answer.status == 200


def test_repeated_headers(region, connection):
    twice = [("x-note", "one"), ("x-note", "two")]
    assert connection.send(signed(region, connection, extra=twice), b"{}").status == 200, "signed as they came"
    headers = signed(region, connection, extra=[("x-note", "one")])
    is_clear(connection.send(headers + [("x-note", "two")], b"{}"), "InvalidSignatureException", 400)
    for repeated in ("authorization", "x-amz-date", "x-amz-target", "host"):
        headers = signed(region, connection)
        value = next(value for name, value in headers if name == repeated)
        fresh = Connection(region)
        answer = fresh.send(headers + [(repeated, value)], b"{}")
        fresh.close()
        assert 400 <= answer.status < 500, (repeated, answer)


@pytest.mark.parametrize(
    "bend",
    [
        lambda text: text.replace("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA512 "),
        lambda text: text.split(", Signature=")[0],
        lambda text: text.replace("SignedHeaders=", "SomeHeaders="),
        lambda text: text.replace("Credential=", "Credentials="),
        lambda text: text.replace("/aws4_request", "/aws5_request"),
        lambda text: text.replace("/us-east-1/kms/", "/kms/"),
        lambda text: "AWS4-HMAC-SHA256",
        lambda text: "Bearer abc",
        lambda text: text[:-1],
        lambda text: text + "00",
        lambda text: text.replace("Signature=", "Signature=é"),
    ],
    ids=["algorithm", "no-signature", "no-headers", "no-credential", "terminator", "short-scope", "bare", "bearer", "cut", "long", "non-ascii"],
)  # fmt: skip
def test_bent_authorization(region, connection, bend):
    headers = [(name, bend(value) if name == "authorization" else value) for name, value in signed(region, connection)]
    answer = connection.send(headers, b"{}")
    is_clear(answer)
    assert answer.code in REFUSED, answer


def test_payload_hash_header(region, connection):
    digest = hashlib.sha256(b"{}").hexdigest()
    good = call(region, "ListKeys", {}, extra=[("x-amz-content-sha256", digest)])
    assert good.status == 200
    for value in ("0" * 64, "UNSIGNED-PAYLOAD"):
        assert call(region, "ListKeys", {}, extra=[("x-amz-content-sha256", value)]).code in REFUSED


def test_a_session_token_that_was_never_issued(region):
    answer = call(region, "ListKeys", {}, extra=[("x-amz-security-token", "abc")])
    is_clear(answer)
    assert answer.code in {"UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException"}


def test_one_connection_serves_many(region, connection):
    for _ in range(50):
        answer = connection.send(signed(region, connection), json.dumps({}).encode())
        assert answer.status == 200, answer

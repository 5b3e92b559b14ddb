"""Signature Version 4 written out, and requests sent as bytes, so that a test can get either of them wrong.

botocore's signer is the reference elsewhere (test_sigv4.py); this one exists to be bent.
"""

import datetime
import hashlib
import hmac
import http.client
import json
import ssl
import urllib.parse

CONTENT_TYPE = "application/x-amz-json-1.1"


class Answer:
    """A status, headers by lower-case name, and the body as JSON (None when it is not)."""

    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers}
        try:
            self.json = json.loads(body) if body else {}
        except ValueError:
            self.json = None

    @property
    def code(self):
        return ((self.json or {}).get("__type") or "").rsplit("#", 1)[-1]

    @property
    def message(self):
        """None when the member is absent, in either spelling."""
        found = self.json or {}
        return found.get("message", found.get("Message"))

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class Signer:
    """Signs one request. Each argument can be set to something false."""

    def __init__(self, key_id, secret, region="us-east-1", service="kms", now=None):
        self.key_id, self.secret, self.region, self.service = key_id, secret, region, service
        self.now = now or datetime.datetime.now(datetime.timezone.utc)

    def headers(self, host, target, body, extra=(), unsigned=(), content_type=CONTENT_TYPE, method="POST"):
        """All headers of a signed request, as pairs. Names in `unsigned` are sent and not signed."""
        stamp = self.now.strftime("%Y%m%dT%H%M%SZ")
        pairs = [("host", host), ("x-amz-date", stamp), *extra]
        if content_type is not None:
            pairs.append(("content-type", content_type))
        if target is not None:
            pairs.append(("x-amz-target", target))
        signed = [(name, value) for name, value in pairs if name.lower() not in unsigned]
        return pairs + [("authorization", self.authorization(method, signed, body, stamp))]

    def authorization(self, method, signed, body, stamp):
        folded = {}
        for name, value in signed:
            folded.setdefault(name.lower(), []).append(" ".join(value.split()))
        names = ";".join(sorted(folded))
        lines = "".join(f"{name}:{','.join(folded[name])}\n" for name in sorted(folded))
        canonical = "\n".join([method, "/", "", lines, names, hashlib.sha256(body).hexdigest()])
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signature = _hmac(self.day_key(stamp[:8]), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}").hex()
        return f"AWS4-HMAC-SHA256 Credential={self.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"

    def day_key(self, day):
        key = _hmac(("AWS4" + self.secret).encode(), day)
        return _hmac(_hmac(_hmac(key, self.region), self.service), "aws4_request")


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def context(region):
    return ssl.create_default_context(cafile=str(region.ca))


class Connection:
    """One TLS connection to an endpoint's interface that stays open over requests."""

    def __init__(self, region, endpoint="open", timeout=20):
        self.host = urllib.parse.urlsplit(region.url(endpoint)).netloc
        address, port = self.host.rsplit(":", 1)
        self.http = http.client.HTTPSConnection(address, int(port), timeout=timeout, context=context(region))

    def send(self, headers, body, method="POST", path="/"):
        self.http.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            self.http.putheader(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.http.putheader("content-length", str(len(body)))
        self.http.endheaders(body)
        answer = self.http.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())

    def close(self):
        self.http.close()


def call(region, operation, payload, user="administrator", endpoint="open", **bent):
    """One signed call with a JSON body (or raw bytes); `bent` goes to the signer or to `headers`."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    who = region.credentials(user)
    made = {name: bent.pop(name) for name in ("region_name", "service", "now", "key_id", "secret") if name in bent}
    signer = Signer(
        made.get("key_id", who.key_id),
        made.get("secret", who.secret),
        made.get("region_name", "us-east-1"),
        made.get("service", "kms"),
        made.get("now"),
    )
    connection = Connection(region, endpoint)
    try:
        return connection.send(signer.headers(connection.host, f"TrentService.{operation}", body, **bent), body)
    finally:
        connection.close()

"""Generated requests signed by botocore are accepted as they are, and not when anything in them is changed."""

import hashlib
import random
import string
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import signing
from signing import CONTENT_TYPE, Connection

ROUNDS = 150
TEXT = string.ascii_letters + string.digits + " \t,;=/+%&~'\"()[]{}<>@!$*|^`#?:._-"


def generated(seed, host):
    """A path with an odd query string, headers with odd spacing and a body, which botocore is then asked to sign."""
    draw = random.Random(seed)

    def text(most):
        return "".join(draw.choice(TEXT) for _ in range(draw.randrange(most)))

    headers = {"Host": host, "Content-Type": CONTENT_TYPE, "X-Amz-Target": "TrentService.ListKeys"}
    for number in range(draw.randrange(6)):
        name = draw.choice(["X-Note", "x-amz-meta", "Accept-Language", "x-UPPER-lower", "Zzz", "a"])
        headers[f"{name}-{number}"] = draw.choice(["", " ", "  "]) + text(30).strip() + draw.choice(["", "  ", "\t"])
    pairs = [f"{quote(text(6), safe='-_.~')}={quote(text(9), safe='-_.~')}" for _ in range(draw.randrange(4))]
    path = "/?" + "&".join(pairs) if pairs else "/"
    body = b'{"Limit":1' + b" " * draw.randrange(60) + b"}"
    return path, headers, body


def sign(region, path, headers, body):
    who = region.credentials("administrator")
    request = AWSRequest("POST", f"https://{headers['Host']}{path}", headers=headers, data=body)
    SigV4Auth(Credentials(who.key_id, who.secret), "kms", "us-east-1").add_auth(request)
    return list(request.headers.items())


@pytest.fixture
def connection(region):
    made = Connection(region)
    yield made
    made.close()


def test_botocore_is_believed(region, connection):
    for seed in range(ROUNDS):
        path, headers, body = generated(seed, connection.host)
        answer = connection.send(sign(region, path, headers, body), body, path=path)
        assert answer.status == 200, (seed, headers, answer)


def test_any_change_is_noticed(region):
    for seed in range(ROUNDS):
        connection = Connection(region)
        draw = random.Random(seed)
        path, headers, body = generated(seed, connection.host)
        pairs = sign(region, path, headers, body)
        changed = draw.choice(["body", "header", "query", "signature"])
        if changed == "body":
            body = body[:-1] + b" }"
        elif changed == "query":
            path += "&z=1" if "?" in path else "?z=1"
        else:
            names = [name for name, _ in pairs if name in headers and name not in ("Host", "Content-Type")]
            chosen = draw.choice(names) if changed == "header" else "Authorization"
            pairs = [(name, bent(name, value) if name == chosen else value) for name, value in pairs]
        answer = connection.send(pairs, body, path=path)
        connection.close()
        assert answer.code in ("InvalidSignatureException", "UnknownOperationException"), (seed, changed, answer)
        if changed != "header":
            assert answer.code == "InvalidSignatureException"


def bent(name, value):
    if name == "Authorization":
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    return value + "x"


def test_our_own_signer_agrees_with_botocore(region):
    """signing.py is used to bend signatures; straight, it must say what botocore says."""
    who = region.credentials("administrator")
    for seed in range(ROUNDS):
        _, headers, body = generated(seed, "127.0.10.1:8443")
        theirs = dict(sign(region, "/", headers, body))
        stamp = theirs["X-Amz-Date"]
        pairs = [(name, value) for name, value in headers.items()] + [("x-amz-date", stamp)]
        ours = signing.Signer(who.key_id, who.secret).authorization("POST", pairs, body, stamp)
        assert ours == theirs["Authorization"], (seed, hashlib.sha256(body).hexdigest())

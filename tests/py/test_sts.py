"""The one STS operation of a region so far: who am I."""

import json
import os
import subprocess
import sys

import pytest

from conftest import env_client
from signing import Connection, Signer

CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
BODY = b"Action=GetCallerIdentity&Version=2011-06-15"


def test_boto3(demo_env):
    found = env_client(demo_env, "sts").get_caller_identity()
    assert found["Account"] == "111122223333"
    assert found["Arn"] == "arn:aws:iam::111122223333:user/administrator"
    assert found["UserId"].startswith("AIDA")


def test_the_command_line(demo_env, strict_env):
    for env, user in ((demo_env, "administrator"), (strict_env, "application")):
        command = [os.path.join(os.path.dirname(sys.executable), "aws"), "sts", "get-caller-identity"]
        done = subprocess.run(command, env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["Arn"] == f"arn:aws:iam::111122223333:user/{user}"


def ask(region, secret=None, key_id=None, body=BODY):
    who = region.credentials("administrator")
    connection = Connection(region)
    signer = Signer(key_id or who.key_id, secret or who.secret, service="sts")
    try:
        return connection.send(signer.headers(connection.host, None, body, content_type=CONTENT_TYPE), body)
    finally:
        connection.close()


def test_the_answer_is_xml(region):
    answer = ask(region)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/xml")
    assert b"<Arn>arn:aws:iam::111122223333:user/administrator</Arn>" in answer.body
    assert answer.headers["x-amzn-requestid"].encode() in answer.body


@pytest.mark.parametrize(
    ("bent", "code"),
    [({"secret": "x" * 40}, b"SignatureDoesNotMatch"), ({"key_id": "AKIAUNKNOWN222222222"}, b"InvalidClientTokenId")],
)
def test_refusals_are_spelled_as_sts_spells_them(region, bent, code):
    answer = ask(region, **bent)
    assert answer.status == 403
    assert b"<ErrorResponse" in answer.body and b"<Code>" + code + b"</Code>" in answer.body, answer


def test_other_actions_are_clear_errors(region):
    answer = ask(region, body=b"Action=GetFederationToken&Version=2011-06-15")
    assert 400 <= answer.status < 500
    assert b"<Code>" in answer.body

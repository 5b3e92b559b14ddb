"""AWS's validation texts, from the tables under tests/fixtures/validation: one file for each group of operations.

A case is {operation, input, code, message | matches}. In the input {"$repeat": [text, times]} is a long string,
{"$blob": times} that many bytes, "$key" the ARN of a key that exists; {"$raw": text} is sent as the body as it stands.
`message` is compared to the letter, null meaning that the member is absent; `matches` is a regular expression for the whole text.
A message or a raw body that is a list is its parts joined.
"""

import base64
import json
import re

import pytest

from region import FIXTURES
from signing import call

FILES = sorted((FIXTURES / "validation").glob("*.json"))
CASES = [(path.stem, index, case) for path in FILES for index, case in enumerate(json.loads(path.read_text()))]


def spelled_out(value, key):
    if isinstance(value, list):
        return [spelled_out(each, key) for each in value]
    if not isinstance(value, dict):
        return key if value == "$key" else value
    if "$repeat" in value:
        text, times = value["$repeat"]
        return text * times
    if "$blob" in value:
        return base64.b64encode(b"x" * value["$blob"]).decode()
    return {name: spelled_out(each, key) for name, each in value.items()}


def joined(text, key):
    return "".join(spelled_out(text, key)) if isinstance(text, list) else text


@pytest.mark.parametrize(("file", "index", "case"), CASES, ids=[f"{f}-{i}-{c['operation']}" for f, i, c in CASES])
def test_text(region, shared_key, file, index, case):
    payload = case["input"]
    if isinstance(payload, dict) and "$raw" in payload:
        payload = joined(payload["$raw"], shared_key).encode()
    else:
        payload = spelled_out(payload, shared_key)
    answer = call(region, case["operation"], payload)
    assert (answer.status, answer.code) == (400, case["code"]), answer
    if "matches" in case:
        assert re.fullmatch(case["matches"], answer.message, re.DOTALL), answer.message
    elif "message" in case:
        assert answer.message == joined(case["message"], shared_key)


def test_there_are_cases():
    assert len(CASES) > 60

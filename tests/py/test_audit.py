"""The audit log: one record for each authenticated call, chained, and without a secret in it."""

import base64
import hashlib
import json
import shutil
import subprocess

import pytest
from botocore.exceptions import ClientError

import audit_trail
from conftest import running
from region import FIXTURES, Region, binary
from scenes import CONTEXT, PLAINTEXT, Scene, ask, table
from signing import call

OPERATIONS = sorted(row["operation"] for row in table("authorization.tsv"))
READ_ONLY = {row["operation"] for row in table("effects.tsv") if row["effect"] == "read"}


class Said:
    """What a client saw of one call."""

    def __init__(self, operation, request_id, code):
        self.operation, self.request_id, self.code = operation, request_id, code


def observed(client, operation, request):
    try:
        answer = ask(client, operation, request)
        return Said(operation, answer["ResponseMetadata"]["RequestId"], None)
    except ClientError as error:
        return Said(operation, error.response["ResponseMetadata"]["RequestId"], error.response["Error"]["Code"])


@pytest.fixture(scope="module")
def story(workspace):
    """A region of its own, each operation once as it should be, once denied by a policy and once by the endpoint."""
    own = Region(workspace / "audited", manifest=FIXTURES / "manifests" / "suite.toml")
    with running(own):
        admin, arn = own.client("administrator"), own.credentials("administrator").arn
        said, tokens = [], []
        for operation in OPERATIONS:
            scene = Scene(admin, arn, operation=operation)
            tokens.append(scene.grant()["GrantToken"])
            if operation == "CancelKeyDeletion":
                scene.put("PendingDeletion")
            request = scene.request(operation)
            for client in (own.client("nobody"), own.client("administrator", "closed"), admin):
                said.append(observed(client, operation, request))
        scene = Scene(admin, arn)
        said.append(observed(admin, "Encrypt", {**scene.request("Encrypt"), "GrantTokens": [scene.grant()["GrantToken"]]}))
        said.append(observed(admin, "Decrypt", {"CiphertextBlob": scene.blob}))
        said.append(observed(admin, "DescribeKey", {"KeyId": "nonsense"}))
        call(own, "ListKeys", {}, secret="x" * 40)
        own.stop()
    return own, said, tokens


@pytest.fixture(scope="module")
def folder(story):
    return story[0].data / "audit"


@pytest.fixture(scope="module")
def by_request(folder):
    """The callers' records; what an endpoint's owner has beside them is not among them."""
    found = {}
    for record in audit_trail.records(folder):
        if record.get("requestID") and record["eventType"] == "AwsApiCall":
            found.setdefault(record["requestID"], []).append(record)
    return found


def test_one_record_for_each_call(story, by_request):
    for said in story[1]:
        records = by_request.get(said.request_id, [])
        assert len(records) == 1, (said.operation, said.code, len(records))
        (record,) = records
        assert record["eventName"] == said.operation
        # CloudTrail writes some codes without their suffix, AccessDenied for instance.
        assert (record.get("errorCode") or "").removesuffix("Exception") == (said.code or "").removesuffix("Exception")


def test_the_shape_of_a_record(by_request, story):
    said = next(each for each in story[1] if each.operation == "Encrypt" and each.code is None)
    (record,) = by_request[said.request_id]
    assert record["eventSource"] == "kms.amazonaws.com"
    assert record["awsRegion"] == "us-east-1"
    assert record["eventType"] == "AwsApiCall"
    assert record["recipientAccountId"] == "111122223333"
    assert record["vpcEndpointId"] == "vpce-0aaaaaaaaaaaaaaa1"
    assert record["sourceIPAddress"].startswith("127.")
    assert record["readOnly"] is True
    identity = record["userIdentity"]
    assert (identity["type"], identity["userName"]) == ("IAMUser", "administrator")
    assert identity["arn"] == "arn:aws:iam::111122223333:user/administrator"
    assert identity["accountId"] == "111122223333"
    (resource,) = record["resources"]
    assert resource["ARN"].startswith("arn:aws:kms:us-east-1:111122223333:key/")
    assert resource["accountId"] == "111122223333"
    assert record["requestParameters"]["encryptionContext"] == CONTEXT
    assert record["tlsDetails"]["tlsVersion"].startswith("TLSv1.")
    assert record["kannuki"]["vpc"] == "vpc-0aaaaaaaaaaaaaaa1"


def test_read_only(by_request, story):
    for said in story[1]:
        (record,) = by_request[said.request_id]
        assert record["readOnly"] is (said.operation in READ_ONLY), said.operation


def test_a_refusal_names_what_decided(by_request, story):
    layers = {"nobody": [], "administrator": []}
    for said in story[1]:
        (record,) = by_request[said.request_id]
        if said.code == "AccessDeniedException":
            layers[record["userIdentity"]["userName"]].append(record["kannuki"]["decision"]["layer"].lower())
    assert all(layer == "vpce" for layer in layers["administrator"]), layers
    assert layers["nobody"] and not any("endpoint" in layer for layer in layers["nobody"]), layers


def test_the_endpoints_owner_has_a_record_of_what_its_endpoint_refused(by_request, folder):
    owners = [record for record in audit_trail.records(folder) if record["eventType"] == "AwsVpceEvent"]
    refused = [id for id, (record,) in by_request.items() if by_endpoint(record)]
    assert len(refused) >= len(OPERATIONS) // 2
    assert sorted(record["requestID"] for record in owners) == sorted(refused)
    for record in owners:
        assert (record["eventCategory"], record["errorCode"]) == ("NetworkActivity", "VpceAccessDenied")
        assert set(record["userIdentity"]) == {"type", "principalId", "accountId"}


def by_endpoint(record):
    decision = record.get("kannuki", {}).get("decision", {})
    return decision.get("layer") == "vpce" and decision["verdict"] != "allow"


def test_no_secret_in_any_file_that_the_service_writes(story):
    own, _, tokens = story
    secrets = [PLAINTEXT, base64.b64encode(PLAINTEXT)[:-4], PLAINTEXT.hex().encode()]
    credentials = [own.credentials(user).secret.encode() for user in ("administrator", "nobody")]
    paths = [path for path in own.data.rglob("*") if path.is_file() and path.name != "manifest.toml"]
    assert any(path.suffix == ".redb" for path in paths)
    for path in [*paths, own.output_path]:
        text = path.read_bytes()
        for secret in secrets + credentials + [token.encode() for token in tokens]:
            assert secret not in text, (path.name, secret)


def test_what_fails_authentication_is_not_in_the_audit_log(story, folder):
    assert not any(record.get("errorCode") == "InvalidSignatureException" for record in audit_trail.records(folder))


def test_the_chain_holds(folder):
    counts = audit_trail.verify(folder)
    assert sum(counts.values()) == len(audit_trail.records(folder)) > 3 * len(OPERATIONS)


def service_verifies(folder):
    done = subprocess.run([binary(), "audit", "verify", str(folder)], capture_output=True, text=True, timeout=60)
    return done.returncode == 0, done.stdout + done.stderr


def test_the_service_verifies_it_too(folder):
    fine, text = service_verifies(folder)
    assert fine, text


def changed(data):
    return data.replace(b'"readOnly":false', b'"readOnly":true ', 1)


def without_a_line(data):
    rows = data.split(b"\n")
    return b"\n".join(rows[: len(rows) // 2] + rows[len(rows) // 2 + 1 :])


def two_swapped(data):
    rows = data.split(b"\n")
    middle = len(rows) // 2
    rows[middle - 1], rows[middle] = rows[middle], rows[middle - 1]
    return b"\n".join(rows)


@pytest.mark.parametrize("damage", [changed, without_a_line, two_swapped])
def test_damage_is_found_by_both(folder, tmp_path, damage):
    copy = tmp_path / "audit"
    shutil.copytree(folder, copy)
    largest = max(audit_trail.files(copy), key=lambda path: path.stat().st_size)
    data = largest.read_bytes()
    assert damage(data) != data
    largest.write_bytes(damage(data))
    with pytest.raises(audit_trail.Broken):
        audit_trail.verify(copy)
    fine, text = service_verifies(copy)
    assert not fine
    assert largest.name in text


def chained(previous, sequence):
    start = json.dumps({"a": 1, "chain": {"writer": "w", "sequence": sequence, "previous": previous}}, separators=(",", ":"))
    start = start.removesuffix("}}")
    return f'{start},"hash":"{hashlib.sha256(start.encode()).hexdigest()}"}}}}'


def test_the_independent_verifier_can_fail(tmp_path):
    first = chained(audit_trail.START, 1)
    second = chained(hashlib.sha256(first.encode()).hexdigest(), 2)
    path = tmp_path / "w.jsonl"
    path.write_text(f"{first}\n{second}\n")
    assert audit_trail.verify(tmp_path) == {"w": 2}
    for bent in (f"{first} \n{second}\n", f"{second}\n", "\n".join([first, second.replace('"a":1', '"a":2')])):
        path.write_text(bent)
        with pytest.raises(audit_trail.Broken):
            audit_trail.verify(tmp_path)

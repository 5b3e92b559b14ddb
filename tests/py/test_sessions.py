"""AssumeRole and what its sessions may do: boto3 through an endpoint and off one."""

import base64
import datetime
import json
import re
import shutil
import signal
import time

import pytest

from audit_trail import records
from conftest import refused, running
from region import FIXTURES, Region
from sessions import fetch, sts, with_session

ACCOUNT = "111122223333"
WORKER = f"arn:aws:iam::{ACCOUNT}:role/teams/worker"


def role(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


@pytest.fixture(scope="module")
def region(workspace):
    """A region with roles; its manifest is a copy that tests may change."""
    manifest = workspace / "sessions.toml"
    shutil.copy(FIXTURES / "manifests" / "sessions.toml", manifest)
    with running(Region(workspace / "sessions", manifest=manifest)) as started:
        yield started


@pytest.fixture(scope="module")
def admin(region):
    return region.client("administrator")


@pytest.fixture(scope="module")
def key(admin):
    return admin.create_key()["KeyMetadata"]["Arn"]


def assume(region, arn=WORKER, name="one", user="administrator", endpoint="open", **more):
    return sts(region, user, endpoint).assume_role(RoleArn=arn, RoleSessionName=name, **more)


@pytest.mark.parametrize("endpoint", ["open", "public"])
def test_a_session_encrypts_and_decrypts(region, key, endpoint):
    answer = assume(region, endpoint=endpoint)
    credentials = answer["Credentials"]
    assert re.fullmatch(r"ASIA[A-Z2-7]{16}", credentials["AccessKeyId"])
    assert len(credentials["SecretAccessKey"]) == 40
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/one"
    assert re.fullmatch(r"AROA\w+:one", answer["AssumedRoleUser"]["AssumedRoleId"])
    assert "PackedPolicySize" not in answer
    left = credentials["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 3500 < left.total_seconds() <= 3600
    kms = with_session(region, credentials, endpoint=endpoint)
    sealed = kms.encrypt(KeyId=key, Plaintext=b"hello")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"hello"
    who = with_session(region, credentials, "sts", endpoint).get_caller_identity()
    assert who["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert who["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]


def test_a_session_survives_a_restart(region, key):
    credentials = assume(region)["Credentials"]
    region.stop()
    region.start()
    assert with_session(region, credentials).describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key


def test_writes_work_and_policies_of_keys_bind(region, admin):
    kms = with_session(region, assume(region)["Credentials"])
    own = kms.create_key()["KeyMetadata"]["Arn"]
    kms.disable_key(KeyId=own)
    with refused("DisabledException"):
        kms.encrypt(KeyId=own, Plaintext=b"x")
    kms.enable_key(KeyId=own)
    deny = {"Sid": "Not", "Effect": "Deny", "Principal": {"AWS": WORKER}, "Action": "kms:Encrypt", "Resource": "*"}
    allow = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    admin.put_key_policy(KeyId=own, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny, allow]}))
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/one"
    text = f"User: {session} is not authorized to perform: kms:Encrypt on resource: {own}"
    with refused("AccessDeniedException", f"{text} with an explicit deny in a resource-based policy"):
        kms.encrypt(KeyId=own, Plaintext=b"x")


def test_an_external_id_must_match(region):
    assert assume(region, role("partners"), user="partner", ExternalId="contract-17")
    text = (
        "User: arn:aws:iam::444455556666:user/partner is not authorized to perform: sts:AssumeRole on resource: "
        + role("partners")
    )
    for more in ({}, {"ExternalId": "contract-18"}):
        with refused("AccessDenied", text):
            assume(region, role("partners"), user="partner", **more)
    with refused("AccessDenied", text.replace("partners", "missing")):
        assume(region, role("missing"), user="partner", ExternalId="contract-17")


def test_the_caller_s_own_policies_count_where_the_trust_policy_delegates(region):
    text = f"User: arn:aws:iam::{ACCOUNT}:user/nobody is not authorized to perform: sts:AssumeRole on resource: {WORKER}"
    with refused("AccessDenied", f"{text} because no identity-based policy allows the sts:AssumeRole action"):
        assume(region, user="nobody")


def test_sts_is_not_subject_to_an_endpoint_s_policy_and_the_source_reaches_the_trust_policy(region, key):
    with refused("AccessDenied"):
        assume(region, role("inside"))
    credentials = assume(region, role("inside"), endpoint="closed")["Credentials"]
    assert with_session(region, credentials).describe_key(KeyId=key)
    with refused("AccessDeniedException"):
        with_session(region, credentials, endpoint="closed").describe_key(KeyId=key)


def test_a_session_policy_limits(region, key):
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}]}
    for more in ({"Policy": json.dumps(policy)}, {"PolicyArns": [{"arn": f"arn:aws:iam::{ACCOUNT}:policy/encrypt-only"}]}):
        answer = assume(region, **more)
        assert 0 < answer["PackedPolicySize"] < 100
        kms = with_session(region, answer["Credentials"])
        sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        with refused("AccessDeniedException") as seen:
            kms.decrypt(CiphertextBlob=sealed, KeyId=key)
        assert seen.message.endswith("because no session policy allows the kms:Decrypt action")
    with refused("MalformedPolicyDocument"):
        assume(region, Policy='{"Statement":{}}')
    with refused("PackedPolicyTooLarge"):
        assume(region, Policy=json.dumps(policy).replace("kms:Encrypt", "kms:" + "x" * 2048))


def test_session_tags_are_the_principal_s(region, admin):
    blue = admin.create_key(Tags=[{"TagKey": "team", "TagValue": "blue"}])["KeyMetadata"]["Arn"]
    tags = [{"Key": "team", "Value": "blue"}]
    kms = with_session(region, assume(region, role("tagged"), Tags=tags)["Credentials"])
    assert kms.describe_key(KeyId=blue)
    tags[0]["Value"] = "red"
    with refused("AccessDeniedException"):
        with_session(region, assume(region, role("tagged"), Tags=tags)["Credentials"]).describe_key(KeyId=blue)
    with refused("InvalidParameterValue"):
        assume(region, Tags=[{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "1"}])


def test_durations(region):
    answer = assume(region, DurationSeconds=900)["Credentials"]
    left = answer["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 800 < left.total_seconds() <= 900
    assert assume(region, DurationSeconds=7200)
    with refused("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."):
        assume(region, DurationSeconds=7201)
    chained = with_session(region, answer, "sts")
    assert chained.assume_role(RoleArn=WORKER, RoleSessionName="two")["Credentials"]
    text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    with refused("ValidationError", text):
        chained.assume_role(RoleArn=WORKER, RoleSessionName="two", DurationSeconds=3601)


def test_a_token_and_its_key_belong_together(region, key):
    one, two = assume(region)["Credentials"], assume(region, name="two")["Credentials"]
    header, claims, signature = one["SessionToken"].split(".")
    flipped = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    decoded["exp"] += 3600
    extended = base64.urlsafe_b64encode(json.dumps(decoded).encode()).rstrip(b"=").decode()
    for bent in (
        {**one, "SessionToken": two["SessionToken"]},
        {**one, "SessionToken": None},
        {**one, "SessionToken": f"{header}.{claims}.{flipped}"},
        {**one, "SessionToken": f"{header}.{extended}.{signature}"},
        {**one, "SessionToken": "no token"},
    ):
        with refused("UnrecognizedClientException", "The security token included in the request is invalid."):
            with_session(region, bent).describe_key(KeyId=key)
        with refused("InvalidClientTokenId"):
            with_session(region, bent, "sts").get_caller_identity()
    with refused("InvalidSignatureException"):
        with_session(region, {**one, "SecretAccessKey": two["SecretAccessKey"]}).describe_key(KeyId=key)
    # Nor does a token go with a user's own key.
    user = region.credentials("administrator")
    mixed = {"AccessKeyId": user.key_id, "SecretAccessKey": user.secret, "SessionToken": one["SessionToken"]}
    with refused("UnrecognizedClientException"):
        with_session(region, mixed).describe_key(KeyId=key)


def test_sessions_from_before_are_revoked_by_their_role_s_policy(region, key):
    kms = with_session(region, assume(region)["Credentials"])
    assert kms.describe_key(KeyId=key)
    time.sleep(1.1)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    before = region.manifest_path.read_text()
    revoke = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": "*",
                "Resource": "*",
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": now}},
            }
        ],
    }
    own = 'path = "/teams/"\nmax_session_duration_seconds = 7200\npolicies = ['
    assert own in before
    region.manifest_path.write_text(before.replace(own, own + f"{{ name = \"revoke\", document = '{json.dumps(revoke)}' }}, "))
    try:
        reload(region)
        with refused("AccessDeniedException") as seen:
            kms.describe_key(KeyId=key)
        assert seen.message.endswith("with an explicit deny in an identity-based policy")
        assert with_session(region, assume(region)["Credentials"]).describe_key(KeyId=key)
    finally:
        region.manifest_path.write_text(before)
        reload(region)


def reload(region):
    applied = region.metric("kannuki_manifest_applied_total")
    region.signal(signal.SIGHUP)
    for _ in range(200):
        if region.metric("kannuki_manifest_applied_total") > applied:
            return
        time.sleep(0.05)
    raise AssertionError("the manifest was not applied:\n" + region.output())


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_url_that_is_signed_in_its_query(region, method):
    client = sts(region)
    url = client.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod=method)
    status, text = fetch(region, url, method)
    assert (status, "user/administrator</Arn>" in text) == (200, True), text
    status, text = fetch(region, url.replace("Version=2011-06-15", "Version=2011-06-16"), method)
    assert (status, "<Code>SignatureDoesNotMatch</Code>" in text) == (403, True), text
    status, text = fetch(region, url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"), method)
    assert (status, "<Code>SignatureDoesNotMatch</Code>" in text) == (403, True), text


def test_a_session_signs_urls_and_assumes_roles_by_them(region):
    credentials = assume(region)["Credentials"]
    client = with_session(region, credentials, "sts")
    parameters = {"RoleArn": WORKER, "RoleSessionName": "by-url"}
    url = client.generate_presigned_url("assume_role", Params=parameters, ExpiresIn=60, HttpMethod="GET")
    status, text = fetch(region, url)
    assert (status, "assumed-role/worker/by-url</Arn>" in text) == (200, True), text


def test_a_url_does_not_last(region):
    url = sts(region).generate_presigned_url("get_caller_identity", ExpiresIn=1, HttpMethod="GET")
    time.sleep(2.1)
    status, text = fetch(region, url)
    assert (status, "<Message>Signature expired" in text) == (403, True), text


def test_kms_takes_no_signature_in_a_query(region):
    url = sts(region).generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    status, text = fetch(region, url.replace("Action=GetCallerIdentity&", ""))
    assert status == 405, text


def test_the_record_names_the_session_and_never_its_secret(region, key):
    answer = assume(region, name="recorded", SourceIdentity="ana")
    credentials = answer["Credentials"]
    with_session(region, credentials).describe_key(KeyId=key)
    all_records = records(region.data / "audit")
    made = [each for each in all_records if (each.get("requestParameters") or {}).get("roleSessionName") == "recorded"]
    assert len(made) == 1
    assert made[0]["eventSource"] == "sts.amazonaws.com" and made[0]["eventName"] == "AssumeRole"
    assert made[0]["responseElements"]["credentials"]["accessKeyId"] == credentials["AccessKeyId"]
    assert made[0]["kannuki"]["decision"]["verdict"] == "allow"
    used = [each for each in all_records if each["userIdentity"].get("accessKeyId") == credentials["AccessKeyId"]]
    assert used and all(each["userIdentity"]["type"] == "AssumedRole" for each in used)
    everything = json.dumps(all_records)
    assert credentials["SecretAccessKey"] not in everything and credentials["SessionToken"] not in everything
    with refused("AccessDenied"):
        assume(region, name="denied", user="nobody")
    denied = [each for each in records(region.data / "audit") if each.get("errorCode") == "AccessDenied"]
    denied = [each for each in denied if each["requestParameters"]["roleSessionName"] == "denied"]
    assert [each["kannuki"]["decision"]["layer"] for each in denied] == ["identity"]

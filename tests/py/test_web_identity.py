"""AssumeRoleWithWebIdentity: keys of an issuer from a file and over HTTPS, and every way in which a token can be wrong."""

import json
import time

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from audit_trail import records
from conftest import refused, running
from issuer import EcKey, RsaKey, Server, key_set, token
from region import REGION, Region, free_port
from sessions import with_session

ACCOUNT = "111122223333"
BY_FILE = "https://file.idp.example/tenant"
BY_URL = "https://url.idp.example"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/federated"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/"

MANIFEST = """
[[account]]
id = "{account}"

[[account.user]]
name = "administrator"
policies = [{{ name = "all", document = '{{"Statement":[{{"Effect":"Allow","Action":"kms:*","Resource":"*"}}]}}' }}]
access_keys = [{{ id = "AKIAFEDERATEDADMIN22", secret = "federated/administrator/not/a/secret/000" }}]

[[account.issuer]]
url = "{by_file}"
client_ids = ["kms", "second"]
jwks_file = "keys.json"

[[account.issuer]]
url = "{by_url}"
client_ids = ["kms"]
jwks_url = "{jwks_url}"

[[account.role]]
name = "federated"
policies = [{{ name = "use", document = '{{"Statement":[{{"Effect":"Allow","Action":"kms:*","Resource":"*"}}]}}' }}]
trust_policy = '{trust}'

[[vpc]]
id = "vpc-0aaaaaaaaaaaaaaa1"
account = "{account}"
cidrs = ["127.0.0.0/8"]

[[endpoint]]
id = "vpce-0aaaaaaaaaaaaaaa1"
vpc = "vpc-0aaaaaaaaaaaaaaa1"
tags = {{ name = "open" }}
interfaces = [{{ zone = "us-east-1a", address = "127.0.10.1" }}]
"""


def trust():
    """Subjects that begin with `an`, of either issuer."""
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"Federated": PROVIDER + url.removeprefix("https://")},
            "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
            "Condition": {
                "StringLike": {f"{url.removeprefix('https://')}:sub": "an*"},
                "StringEquals": {f"{url.removeprefix('https://')}:aud": "kms"},
            },
        }
        for url in (BY_FILE, BY_URL)
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class Place:
    def __init__(self, folder):
        self.file_key, self.url_key = RsaKey("file-1"), EcKey("url-1")
        self.server = Server(folder)
        (folder / "keys.json").write_text(key_set(self.file_key))
        self.server.answer = (200, {}, key_set(self.url_key))
        manifest = folder / "manifest.toml"
        manifest.write_text(
            MANIFEST.format(
                account=ACCOUNT, by_file=BY_FILE, by_url=BY_URL, jwks_url=self.server.url, trust=trust()
            )
        )
        port = free_port()
        config = folder / "region.toml"
        config.write_text(
            f'manifest = "manifest.toml"\n[region]\ndata = "data"\n[listen]\nport = {port}\n'
            f'public = "127.0.0.1:{port}"\noperations = "127.0.0.1:{port + 1}"\n'
            f'[web_identity]\nca_file = "{self.server.ca.name}"\n'
        )
        self.region = Configured(config, folder / "data", manifest, port)


class Configured(Region):
    """A region that is started with a configuration file."""

    def __init__(self, config, data, manifest, port):
        super().__init__(data, manifest=manifest, port=port)
        self.config = config

    def command(self):
        return super().command()[:2] + ["--config", str(self.config)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("web-identity"))
    with running(made.region):
        yield made
    made.server.close()


def client(place):
    return boto3.session.Session().client(
        "sts",
        endpoint_url=place.region.url(),
        verify=str(place.region.ca),
        region_name=REGION,
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )


def trade(place, text, **more):
    parameters = {"RoleArn": ROLE, "RoleSessionName": "web", "WebIdentityToken": text, **more}
    return client(place).assume_role_with_web_identity(**parameters)


def test_a_token_is_traded_for_a_session(place):
    answer = trade(place, token(place.file_key, BY_FILE))
    assert answer["SubjectFromWebIdentityToken"] == "ana" and answer["Audience"] == "kms"
    assert answer["Provider"] == BY_FILE
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/federated/web"
    kms = with_session(place.region, answer["Credentials"])
    key = kms.create_key()["KeyMetadata"]["Arn"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"hello")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"hello"
    public = with_session(place.region, answer["Credentials"], endpoint="public")
    assert public.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"hello"


def test_the_keys_of_a_url_are_fetched_kept_and_fetched_anew_for_an_unknown_key(place):
    deadline = time.monotonic() + 20
    while True:
        try:
            assert trade(place, token(place.url_key, BY_URL))
            break
        except client(place).exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "IDPCommunicationError"
            assert time.monotonic() < deadline, place.region.output()
            time.sleep(0.2)
    # They are in the store: a new start needs no issuer.
    asked = place.server.asked
    place.region.stop()
    place.server.answer = (500, {}, "out of order")
    place.region.start()
    assert trade(place, token(place.url_key, BY_URL))
    # An unknown key makes one fetch, and not one for each request.
    newer = EcKey("url-2")
    place.server.answer = (200, {}, key_set(place.url_key, newer))
    text = "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"
    with refused("InvalidIdentityToken", text):
        trade(place, token(newer, BY_URL))
    deadline = time.monotonic() + 20
    while True:
        try:
            assert trade(place, token(newer, BY_URL))
            break
        except client(place).exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidIdentityToken"
            assert time.monotonic() < deadline, place.region.output()
            time.sleep(0.1)
    for _ in range(20):
        with refused("InvalidIdentityToken"):
            trade(place, token(EcKey("url-3"), BY_URL))
    time.sleep(1.5)
    assert place.server.asked - asked <= 2


@pytest.mark.parametrize(
    "answer",
    [
        (302, {"Location": "https://127.0.0.1:1/"}, ""),
        (200, {}, "x" * 200_000),
        (200, {}, '{"keys": []}'),
        (200, {}, "<html>"),
    ],
)
def test_an_answer_that_is_no_key_set_is_not_taken(folder, answer):
    own = Place(folder)
    own.server.answer = answer
    try:
        with running(own.region):
            for _ in range(100):
                if own.region.metric("kannuki_issuer_fetch_failures_total") > 0:
                    break
                time.sleep(0.1)
            assert own.region.metric("kannuki_issuer_fetch_failures_total") == 1
            assert own.server.asked == 1
            with refused("IDPCommunicationError"):
                trade(own, token(own.url_key, BY_URL))
            # Whoever has a file is not concerned.
            assert trade(own, token(own.file_key, BY_FILE))
    finally:
        own.server.close()


def test_what_is_wrong_with_a_token_is_said(place):
    key = place.file_key
    wrong = [
        ("no token", "InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"),
        (token(key, "https://other.example"), "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://other.example"),
        (token(key, BY_FILE, audience="third"), "InvalidIdentityToken", "Incorrect token audience"),
        (token(RsaKey("file-1"), BY_FILE), "InvalidIdentityToken", "The token's signature does not verify"),
        (token(key, BY_FILE, iat=int(time.time()) + 60), "InvalidIdentityToken", None),
        (token(key, BY_FILE, nbf=int(time.time()) + 60), "InvalidIdentityToken", None),
        (token(key, BY_FILE, exp=None), "InvalidIdentityToken", None),
        (token(key, BY_FILE, header={"alg": "HS256"}), "InvalidIdentityToken", None),
        (token(key, BY_FILE, header={"alg": "none"}), "InvalidIdentityToken", None),
        (token(key, BY_FILE, seconds=-60), "ExpiredTokenException", None),
    ]
    for text, code, message in wrong:
        with refused(code, message):
            trade(place, text)


def test_the_trust_policy_decides(place):
    text = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    with refused("AccessDenied", text):
        trade(place, token(place.file_key, BY_FILE, subject="eve"))
    with refused("AccessDenied", text):
        trade(place, token(place.file_key, BY_FILE, audience="second"))
    with refused("AccessDenied", text):
        trade(place, token(place.file_key, BY_FILE), RoleArn=ROLE + "s")
    # Being trusted with a token is not being trusted with a signature.
    with refused("AccessDenied"):
        sts = with_session(place.region, trade(place, token(place.file_key, BY_FILE))["Credentials"], "sts")
        sts.assume_role(RoleArn=ROLE, RoleSessionName="chained")


def test_tags_of_a_token_are_tags_of_the_session(place):
    tags = {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]}
    answer = trade(place, token(place.file_key, BY_FILE, **{"https://aws.amazon.com/tags": tags}))
    assert answer["PackedPolicySize"] > 0


def test_the_record_says_whom_the_issuer_vouched_for(place):
    answer = trade(place, token(place.file_key, BY_FILE, subject="anders"), RoleSessionName="recorded")
    found = records(place.region.data / "audit")
    made = [each for each in found if (each.get("requestParameters") or {}).get("roleSessionName") == "recorded"]
    assert len(made) == 1 and made[0]["eventName"] == "AssumeRoleWithWebIdentity"
    identity = made[0]["userIdentity"]
    assert (identity["type"], identity["userName"]) == ("WebIdentityUser", "anders")
    assert identity["principalId"] == f"{PROVIDER}file.idp.example/tenant:kms:anders"
    assert made[0]["responseElements"]["credentials"]["accessKeyId"] == answer["Credentials"]["AccessKeyId"]
    everything = json.dumps(found)
    assert answer["Credentials"]["SecretAccessKey"] not in everything

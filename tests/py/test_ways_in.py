"""Assumed-role and web-identity sessions through each way in: an endpoint's listener, HAProxy, an edge that attests."""

import json
import time

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from conftest import refused, running
from issuer import EcKey, key_set, token
from region import REGION, boto_client
from sessions import CONFIG
from ways_in import ACCOUNT, ENDPOINTS, EVERYTHING, Edge, WaysIn, haproxy

ADDRESSED, READING = ENDPOINTS["addressed"], ENDPOINTS["reading"]
IDP = "https://file.idp.example/tenant"
TABLES = f"""
[[listen.balancer]]
name = "side"
address = "127.0.60.2:{{port}}"
from = ["127.0.0.1/32"]
endpoint = "{ADDRESSED}"

[[attestation]]
name = "edge"
key = "edge.pem"
algorithm = "ES256"
endpoints = ["{ADDRESSED}", "{READING}"]
from = ["127.0.0.1/32"]
"""


def trust(principal, action, **more):
    """A trust policy for who comes through the endpoint `addressed`."""
    condition = {"StringEquals": {"aws:SourceVpce": ADDRESSED, **more}}
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


PEOPLE = f"""
[[account.issuer]]
url = "{IDP}"
client_ids = ["kms"]
jwks_file = "keys.json"

[[account.role]]
name = "worker"
policies = [{{ name = "everything", document = '{EVERYTHING}' }}]
trust_policy = '{trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/administrator"}, "sts:AssumeRole")}'

[[account.role]]
name = "federated"
policies = [{{ name = "everything", document = '{EVERYTHING}' }}]
trust_policy = '{trust({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/file.idp.example/tenant"},
    "sts:AssumeRoleWithWebIdentity", **{"file.idp.example/tenant:aud": "kms"})}'
"""
LISTENER = {"proof": "listener"}
PROXY = {"proof": "proxy", "by": "side"}
ATTESTATION = {"proof": "attestation", "by": "edge"}


class Everywhere(WaysIn):
    def __init__(self, folder):
        self.edge, self.idp = Edge("edge", folder / "edge.pem"), EcKey("first")
        (folder / "keys.json").write_text(key_set(self.idp))
        super().__init__(folder, TABLES, PEOPLE)
        self.haproxy = None

    def client_of(self, service, way, credentials=None, endpoint=ADDRESSED, signed=True):
        """A client that comes that way, as the administrator or with a session's credentials."""
        balancer = "https://{}:{}".format(*self.haproxy)
        url = {"listener": self.url(endpoint), "proxy": balancer, "attestation": self.url("public")}[way]
        if credentials is None and signed:
            client = boto_client(service, url, self.ca, self.credentials("administrator"))
        else:
            session = credentials or {"AccessKeyId": "none", "SecretAccessKey": "none"}
            client = boto3.session.Session().client(
                service,
                endpoint_url=url,
                verify=str(self.ca),
                region_name=REGION,
                aws_access_key_id=session["AccessKeyId"],
                aws_secret_access_key=session["SecretAccessKey"],
                aws_session_token=session.get("SessionToken"),
                config=CONFIG if signed else CONFIG.merge(Config(signature_version=UNSIGNED)),
            )
        return self.edge.in_front_of(client, endpoint, "127.0.61.7") if way == "attestation" else client


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory):
    folder = tmp_path_factory.mktemp("everywhere")
    with running(Everywhere(folder)) as region:
        with haproxy(region, f"127.0.60.2:{region.port}", folder) as region.haproxy:
            time.sleep(1.1)
            yield region


def works(region, way, source, credentials):
    """The session encrypts and decrypts that way, and the record says which way it was."""
    kms = region.client_of("kms", way, credentials)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"a session")["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=sealed)
    assert opened["Plaintext"] == b"a session"
    record = region.record_of(opened)
    assert (record["userIdentity"]["type"], record["vpcEndpointId"]) == ("AssumedRole", ADDRESSED)
    assert record["kannuki"]["source"] == source


@pytest.mark.parametrize("way, source", [("listener", LISTENER), ("proxy", PROXY), ("attestation", ATTESTATION)])
def test_an_assumed_role(everywhere, way, source):
    role = f"arn:aws:iam::{ACCOUNT}:role/worker"
    answer = everywhere.client_of("sts", way).assume_role(RoleArn=role, RoleSessionName="one")
    works(everywhere, way, source, answer["Credentials"])
    assert everywhere.record_of(answer)["kannuki"]["source"] == source


def test_a_trust_policy_that_wants_another_source(everywhere):
    role = f"arn:aws:iam::{ACCOUNT}:role/worker"
    for client in [
        boto_client("sts", everywhere.url("public"), everywhere.ca, everywhere.credentials("administrator")),
        everywhere.client_of("sts", "listener", endpoint=READING),
        everywhere.client_of("sts", "attestation", endpoint=READING),
    ]:
        with refused("AccessDenied"):
            client.assume_role(RoleArn=role, RoleSessionName="one")


@pytest.mark.parametrize("way, source", [("listener", LISTENER), ("proxy", PROXY), ("attestation", ATTESTATION)])
def test_a_web_identity(everywhere, way, source):
    # This call is signed by nobody, so there is no request to which an attestation could be bound.
    first = "listener" if way == "attestation" else way
    answer = everywhere.client_of("sts", first, signed=False).assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/federated",
        RoleSessionName="ana",
        WebIdentityToken=token(everywhere.idp, IDP),
    )
    works(everywhere, way, source, answer["Credentials"])


def test_an_attestation_needs_a_signed_request(everywhere):
    before = everywhere.refusals("attestations", "other request")
    with refused("AccessDenied", "The source of the request could not be verified."):
        everywhere.client_of("sts", "attestation", signed=False).assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/federated",
            RoleSessionName="ana",
            WebIdentityToken=token(everywhere.idp, IDP),
        )
    assert everywhere.refusals("attestations", "other request") == before + 1

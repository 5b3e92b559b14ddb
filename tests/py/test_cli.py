"""The `aws` command line against the demo, for each operation that the service has, with nothing set but a sourced env file."""

import base64
import json
import os
import subprocess
import sys

import pytest
from botocore import xform_name

from scenes import table

OPERATIONS = {row["operation"] for row in table("authorization.tsv")}
AWS = os.path.join(os.path.dirname(sys.executable), "aws")
used = set()


class CommandLine:
    """Runs `aws kms <command>`; answers its JSON, or its error's text."""

    def __init__(self, env, home):
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1", **env}

    def run(self, operation, *arguments):
        used.add(operation)
        command = [AWS, "kms", xform_name(operation, "-"), *arguments, "--output", "json"]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=60)

    def __call__(self, operation, *arguments):
        done = self.run(operation, *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def refused(self, operation, *arguments):
        done = self.run(operation, *arguments)
        assert done.returncode != 0
        return done.stderr


@pytest.fixture(scope="module")
def aws(demo_env, workspace):
    return CommandLine(demo_env, workspace)


@pytest.fixture(scope="module")
def strict(strict_env, workspace):
    return CommandLine(strict_env, workspace)


@pytest.fixture(scope="module")
def key(aws):
    return aws("CreateKey", "--description", "from the command line")["KeyMetadata"]["Arn"]


def test_life_of_a_key(aws, key):
    assert aws("DescribeKey", "--key-id", key)["KeyMetadata"]["Description"] == "from the command line"
    assert key in [row["KeyArn"] for row in aws("ListKeys")["Keys"]]
    aws("UpdateKeyDescription", "--key-id", key, "--description", "changed")
    aws("DisableKey", "--key-id", key)
    text = aws.refused("Encrypt", "--key-id", key, "--plaintext", "eA==")
    assert f"An error occurred (DisabledException) when calling the Encrypt operation: {key} is disabled." in text
    aws("EnableKey", "--key-id", key)
    other = aws("CreateKey")["KeyMetadata"]["KeyId"]
    assert aws("ScheduleKeyDeletion", "--key-id", other, "--pending-window-in-days", "7")["KeyState"] == "PendingDeletion"
    aws("CancelKeyDeletion", "--key-id", other)


def test_crypto(aws, key, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"from a file")
    blob = aws("Encrypt", "--key-id", key, "--plaintext", f"fileb://{secret}", "--encryption-context", "a=b")["CiphertextBlob"]
    path = tmp_path / "blob"
    path.write_bytes(base64.b64decode(blob))
    opened = aws("Decrypt", "--ciphertext-blob", f"fileb://{path}", "--encryption-context", "a=b")
    assert base64.b64decode(opened["Plaintext"]) == b"from a file"
    other = aws("CreateKey")["KeyMetadata"]["KeyId"]
    moved = aws(
        "ReEncrypt", "--ciphertext-blob", f"fileb://{path}", "--source-encryption-context", "a=b",
        "--destination-key-id", other,
    )  # fmt: skip
    assert moved["SourceKeyId"] == key
    assert len(base64.b64decode(aws("GenerateDataKey", "--key-id", key, "--key-spec", "AES_256")["Plaintext"])) == 32
    assert "Plaintext" not in aws("GenerateDataKeyWithoutPlaintext", "--key-id", key, "--number-of-bytes", "64")
    assert len(base64.b64decode(aws("GenerateRandom", "--number-of-bytes", "24")["Plaintext"])) == 24
    text = aws.refused("Decrypt", "--ciphertext-blob", f"fileb://{path}")
    assert "(InvalidCiphertextException)" in text


def test_signatures(aws, tmp_path):
    made = aws("CreateKey", "--key-spec", "ECC_NIST_P256", "--key-usage", "SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    on_key = ["--key-id", made, "--message", "eA==", "--signing-algorithm", "ECDSA_SHA_256"]
    signature = tmp_path / "signature"
    signature.write_bytes(base64.b64decode(aws("Sign", *on_key)["Signature"]))
    assert aws("Verify", *on_key, "--signature", f"fileb://{signature}")["SignatureValid"] is True
    text = aws.refused("Verify", *on_key, "--message", "eQ==", "--signature", f"fileb://{signature}")
    assert "(KMSInvalidSignatureException)" in text


def test_codes(aws, tmp_path):
    made = aws("CreateKey", "--key-spec", "HMAC_384", "--key-usage", "GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    on_key = ["--key-id", made, "--message", "eA==", "--mac-algorithm", "HMAC_SHA_384"]
    code = tmp_path / "code"
    code.write_bytes(base64.b64decode(aws("GenerateMac", *on_key)["Mac"]))
    assert aws("VerifyMac", *on_key, "--mac", f"fileb://{code}")["MacValid"] is True


def test_public_keys(aws, key, tmp_path):
    one, two = (
        aws("CreateKey", "--key-spec", "ECC_NIST_P384", "--key-usage", "KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
        for _ in range(2)
    )
    secrets = set()
    for own, other in ((one, two), (two, one)):
        public = tmp_path / "public"
        public.write_bytes(base64.b64decode(aws("GetPublicKey", "--key-id", other)["PublicKey"]))
        asked = ["--key-id", own, "--key-agreement-algorithm", "ECDH", "--public-key", f"fileb://{public}"]
        secrets.add(aws("DeriveSharedSecret", *asked)["SharedSecret"])
    assert len(secrets) == 1
    pair = ["--key-id", key, "--key-pair-spec", "ECC_NIST_EDWARDS25519"]
    assert "PrivateKeyPlaintext" in aws("GenerateDataKeyPair", *pair)
    assert "PrivateKeyPlaintext" not in aws("GenerateDataKeyPairWithoutPlaintext", *pair)


def test_aliases(aws, key):
    aws("CreateAlias", "--alias-name", "alias/cli", "--target-key-id", key)
    assert "alias/cli" in [row["AliasName"] for row in aws("ListAliases", "--key-id", key)["Aliases"]]
    aws("UpdateAlias", "--alias-name", "alias/cli", "--target-key-id", key)
    aws("DeleteAlias", "--alias-name", "alias/cli")


def test_tags(aws, key):
    aws("TagResource", "--key-id", key, "--tags", "TagKey=a,TagValue=b", "TagKey=c,TagValue=d")
    aws("UntagResource", "--key-id", key, "--tag-keys", "a")
    assert aws("ListResourceTags", "--key-id", key)["Tags"] == [{"TagKey": "c", "TagValue": "d"}]


def test_policies(aws, key, tmp_path):
    policy = aws("GetKeyPolicy", "--key-id", key, "--policy-name", "default")["Policy"]
    path = tmp_path / "policy.json"
    path.write_text(policy)
    aws("PutKeyPolicy", "--key-id", key, "--policy-name", "default", "--policy", f"file://{path}")
    assert aws("ListKeyPolicies", "--key-id", key)["PolicyNames"] == ["default"]


def test_grants(aws, key):
    user = "arn:aws:iam::111122223333:user/application"
    grant = ["--key-id", key, "--grantee-principal", user, "--retiring-principal", user, "--operations", "Encrypt"]
    made = aws("CreateGrant", *grant)
    assert made["GrantId"] in [row["GrantId"] for row in aws("ListGrants", "--key-id", key)["Grants"]]
    retirable = aws("ListRetirableGrants", "--retiring-principal", user)["Grants"]
    assert made["GrantId"] in [row["GrantId"] for row in retirable]
    aws("RevokeGrant", "--key-id", key, "--grant-id", made["GrantId"])
    again = aws("CreateGrant", *grant)
    aws("RetireGrant", "--key-id", key, "--grant-id", again["GrantId"])


def test_through_the_strict_endpoint(strict, aws):
    assert "CiphertextBlob" in strict("Encrypt", "--key-id", "alias/demo", "--plaintext", "aGVsbG8=")
    text = strict.refused("CreateKey")
    assert "(AccessDeniedException)" in text
    assert "because no VPC endpoint policy allows the kms:CreateKey action" in text


def test_an_operation_that_is_not_there_yet(aws, key):
    text = aws.refused("ReplicateKey", "--key-id", key, "--replica-region", "eu-west-1")
    used.discard("ReplicateKey")
    assert "(UnsupportedOperationException)" in text


def test_each_operation_was_called():
    """The last of this file, and of use only after the others: none of the service's operations was left out above."""
    assert used == OPERATIONS

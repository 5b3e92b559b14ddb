"""For each operation a request that would succeed, on a key of its own.

The tables (authorization, states, audit) take any operation and bend one thing; what a plain request looks like is said once, here.
"""

import itertools
import uuid

from botocore import xform_name

from conftest import allow, document
from region import FIXTURES

PLAINTEXT = b"a plaintext that must not be found anywhere"
CONTEXT = {"purpose": "scene"}
# The kinds of keys that operations are about: spec, usage, and what a grant on such a key can allow beside what all can.
SYMMETRIC = (
    "SYMMETRIC_DEFAULT",
    "ENCRYPT_DECRYPT",
    [
        "Encrypt",
        "Decrypt",
        "ReEncryptFrom",
        "ReEncryptTo",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
    ],
)
SIGNING = ("ECC_NIST_P256", "SIGN_VERIFY", ["Sign", "Verify", "GetPublicKey"])
MAC = ("HMAC_256", "GENERATE_VERIFY_MAC", ["GenerateMac", "VerifyMac"])
AGREEMENT = ("ECC_NIST_P256", "KEY_AGREEMENT", ["DeriveSharedSecret", "GetPublicKey"])
KINDS = {
    "Sign": SIGNING,
    "Verify": SIGNING,
    "GetPublicKey": SIGNING,
    "GenerateMac": MAC,
    "VerifyMac": MAC,
    "DeriveSharedSecret": AGREEMENT,
}
_numbers = itertools.count(1)


def table(name):
    """The rows of a tab-separated fixture as dicts; `#` begins a remark."""
    lines = [line for line in (FIXTURES / name).read_text().splitlines() if line and not line.startswith("#")]
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]


def unsupported():
    return (FIXTURES / "unsupported_operations.txt").read_text().split()


def method(operation):
    """boto3's method name of an operation."""
    return xform_name(operation)


def ask(client, operation, request):
    return getattr(client, method(operation))(**request)


def alias_name():
    return f"alias/scene-{next(_numbers)}-{uuid.uuid4().hex[:8]}"


class Scene:
    """A key, made by `owner`, and what a request about it needs. Nothing is made before it is asked for."""

    def __init__(self, owner, owner_arn, policy=None, operation=None):
        """The key is of the kind that the operation is about."""
        self.owner, self.owner_arn = owner, owner_arn
        self.policy = policy
        self.kind = KINDS.get(operation, SYMMETRIC)
        spec, usage, allowed = self.kind
        self.granted = [*allowed, "CreateGrant", "RetireGrant", "DescribeKey"]
        made = owner.create_key(
            **({"Policy": policy} if policy else {}),
            Tags=[{"TagKey": "old", "TagValue": "1"}],
            KeySpec=spec,
            KeyUsage=usage,
        )
        self.arn = made["KeyMetadata"]["Arn"]
        self.id = made["KeyMetadata"]["KeyId"]
        self.account = made["KeyMetadata"]["AWSAccountId"]
        self.blob = self.made()

    def made(self):
        """A ciphertext, signature or code that the key made, or its public key."""
        if self.kind is SYMMETRIC:
            return self.owner.encrypt(KeyId=self.arn, Plaintext=PLAINTEXT, EncryptionContext=CONTEXT)["CiphertextBlob"]
        if self.kind is SIGNING:
            return self.owner.sign(KeyId=self.arn, Message=PLAINTEXT, SigningAlgorithm="ECDSA_SHA_256")["Signature"]
        if self.kind is MAC:
            return self.owner.generate_mac(KeyId=self.arn, Message=PLAINTEXT, MacAlgorithm="HMAC_SHA_256")["Mac"]
        return self.owner.get_public_key(KeyId=self.arn)["PublicKey"]

    def alias(self):
        name = alias_name()
        self.owner.create_alias(AliasName=name, TargetKeyId=self.id)
        return name

    def alias_arn(self, name):
        return f"{self.arn.rsplit(':', 1)[0]}:{name}"

    def grant(self, **more):
        grantee = {"GranteePrincipal": self.owner_arn, "Operations": self.granted[:1], **more}
        return self.owner.create_grant(KeyId=self.arn, **grantee)

    def request(self, operation):
        """A request that succeeds for whoever is allowed to make it, while the key is Enabled (CancelKeyDeletion: PendingDeletion)."""
        on_key = {"KeyId": self.arn}
        data_key = {**on_key, "KeySpec": "AES_256", "EncryptionContext": CONTEXT}
        signed = {**on_key, "Message": PLAINTEXT, "SigningAlgorithm": "ECDSA_SHA_256"}
        coded = {**on_key, "Message": PLAINTEXT, "MacAlgorithm": "HMAC_SHA_256"}
        makers = {
            "CreateKey": lambda: {"Description": "made by a scene"},
            "ListKeys": lambda: {"Limit": 10},
            "ListAliases": lambda: {"Limit": 10},
            "GenerateRandom": lambda: {"NumberOfBytes": 32},
            "ListRetirableGrants": lambda: {"RetiringPrincipal": self.owner_arn},
            "Encrypt": lambda: {**on_key, "Plaintext": PLAINTEXT, "EncryptionContext": CONTEXT},
            "Decrypt": lambda: {**on_key, "CiphertextBlob": self.blob, "EncryptionContext": CONTEXT},
            "ReEncrypt": lambda: self.re_encrypt(self.arn, self.arn, self.blob),
            "GenerateDataKey": lambda: data_key,
            "GenerateDataKeyWithoutPlaintext": lambda: data_key,
            "GenerateDataKeyPair": lambda: {**on_key, "KeyPairSpec": "ECC_NIST_P256"},
            "GenerateDataKeyPairWithoutPlaintext": lambda: {**on_key, "KeyPairSpec": "ECC_NIST_P256"},
            "Sign": lambda: signed,
            "Verify": lambda: {**signed, "Signature": self.blob},
            "GenerateMac": lambda: coded,
            "VerifyMac": lambda: {**coded, "Mac": self.blob},
            "DeriveSharedSecret": lambda: {**on_key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": self.blob},
            "UpdateKeyDescription": lambda: {**on_key, "Description": "changed"},
            "ScheduleKeyDeletion": lambda: {**on_key, "PendingWindowInDays": 7},
            "TagResource": lambda: {**on_key, "Tags": [{"TagKey": "new", "TagValue": "2"}]},
            "UntagResource": lambda: {**on_key, "TagKeys": ["old"]},
            "PutKeyPolicy": lambda: {**on_key, "PolicyName": "default", "Policy": self.current_policy()},
            "GetKeyPolicy": lambda: {**on_key, "PolicyName": "default"},
            "CreateGrant": lambda: {**on_key, "GranteePrincipal": self.owner_arn, "Operations": ["Encrypt"]},
            "RetireGrant": lambda: {**on_key, "GrantId": self.grant()["GrantId"]},
            "RevokeGrant": lambda: {**on_key, "GrantId": self.grant()["GrantId"]},
            "CreateAlias": lambda: {"AliasName": alias_name(), "TargetKeyId": self.id},
            "UpdateAlias": lambda: {"AliasName": self.alias(), "TargetKeyId": self.id},
            "DeleteAlias": lambda: {"AliasName": self.alias()},
        }
        return makers.get(operation, lambda: on_key)()

    def current_policy(self):
        return self.policy or document(allow(f"arn:aws:iam::{self.account}:root"))

    @staticmethod
    def re_encrypt(source, destination, blob):
        return {
            "SourceKeyId": source,
            "DestinationKeyId": destination,
            "CiphertextBlob": blob,
            "SourceEncryptionContext": CONTEXT,
            "DestinationEncryptionContext": {"purpose": "moved"},
        }

    def put(self, state):
        """Brings the fresh, Enabled key into a state."""
        if state == "Disabled":
            self.owner.disable_key(KeyId=self.arn)
        elif state == "PendingDeletion":
            self.owner.schedule_key_deletion(KeyId=self.arn, PendingWindowInDays=7)
        else:
            assert state == "Enabled", state
        return self

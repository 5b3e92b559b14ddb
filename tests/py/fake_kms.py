"""A service that speaks enough of KMS over plain HTTP for the load generator, and can break one promise on purpose.

Knows no cryptography but signatures: a ciphertext is what went in, with its key and context, in base64.
"""

import base64
import http.server
import json
import threading
import uuid

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ACCOUNT = "111122223333"
CALLER = f"arn:aws:iam::{ACCOUNT}:user/load"
DEFAULT_POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": CALLER}}]})


class Refused(Exception):
    """An error of the service: its status and its code."""

    def __init__(self, code, status=400):
        super().__init__(code)
        self.code, self.status = code, status


class Key:
    """One key and its state."""

    def __init__(self, spec, policy):
        self.id, self.spec, self.policy = str(uuid.uuid4()), spec, policy or DEFAULT_POLICY
        self.enabled, self.deleted, self.grants = True, False, set()
        self.by_grant_only = policy is not None
        self.private = ec.generate_private_key(ec.SECP256R1()) if spec.startswith("ECC") else None

    @property
    def arn(self):
        return f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{self.id}"


class FakeKms:
    """`breaks` names the promise that it does not keep; `fails_each` fails every so manieth request."""

    def __init__(self, breaks=None, fails_each=0):
        self.breaks, self.fails_each = breaks, fails_each
        self.keys, self.lock, self.requests, self.served = {}, threading.Lock(), 0, {}
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body are one packet each; without this the second waits for the first's acknowledgement.
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status, answer = fake.answer(self.headers, body)
                self.send_response(status)
                self.send_header("x-amzn-requestid", str(uuid.uuid4()))
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, headers, body):
        target = headers.get("x-amz-target")
        if target is None:
            return 200, f"<GetCallerIdentityResult><Arn>{CALLER}</Arn></GetCallerIdentityResult>".encode()
        operation = target.split(".")[1]
        with self.lock:
            self.requests += 1
            self.served[operation] = self.served.get(operation, 0) + 1
            try:
                fails = self.fails_each and self.requests % self.fails_each == 0
                if fails and operation in ("Encrypt", "Decrypt"):
                    raise Refused("KMSInternalException", 500)
                act = getattr(self, operation, None)
                if act is None:
                    raise Refused("UnsupportedOperationException")
                return 200, json.dumps(act(json.loads(body)) or {}).encode()
            except Refused as refused:
                return refused.status, json.dumps({"__type": refused.code, "message": "as it was told to"}).encode()

    def key(self, asked):
        key = self.keys.get(asked["KeyId"])
        if key is None:
            raise Refused("NotFoundException")
        return key

    def usable(self, asked):
        return self.checked(self.key(asked))

    def checked(self, key):
        """Refuses as a revocation asks for, unless this is the promise that is broken."""
        if self.breaks != "revocations":
            if not key.enabled:
                raise Refused("DisabledException")
            denied = '"Deny"' in key.policy or (key.by_grant_only and not key.grants)
            if denied:
                raise Refused("AccessDeniedException")
        return key

    # Keys.

    def CreateKey(self, asked):
        spec = asked.get("KeySpec", "SYMMETRIC_DEFAULT")
        key = Key(spec, asked.get("Policy"))
        self.keys[key.id] = key
        return {"KeyMetadata": {"KeyId": key.id, "Arn": key.arn}}

    def DescribeKey(self, asked):
        key = self.key(asked)
        if self.breaks == "keys" and self.served["DescribeKey"] > 50:
            raise Refused("NotFoundException")
        return {"KeyMetadata": {"KeyId": key.id, "Arn": key.arn}}

    def GetKeyPolicy(self, asked):
        return {"Policy": self.key(asked).policy}

    def PutKeyPolicy(self, asked):
        self.key(asked).policy = asked["Policy"]

    def DisableKey(self, asked):
        self.key(asked).enabled = False

    def EnableKey(self, asked):
        self.key(asked).enabled = True

    def CreateGrant(self, asked):
        grant = uuid.uuid4().hex
        self.key(asked).grants.add(grant)
        return {"GrantId": grant, "GrantToken": "token"}

    def RevokeGrant(self, asked):
        self.key(asked).grants.discard(asked["GrantId"])

    def ScheduleKeyDeletion(self, asked):
        self.key(asked).deleted = True
        return {"KeyId": self.key(asked).arn}

    # Cryptography.

    def Encrypt(self, asked):
        key = self.usable(asked)
        sealed = json.dumps([key.id, asked["Plaintext"], asked["EncryptionContext"]]).encode()
        return {"KeyId": key.arn, "CiphertextBlob": base64.b64encode(sealed).decode()}

    def Decrypt(self, asked):
        key_id, plaintext, context = json.loads(base64.b64decode(asked["CiphertextBlob"]))
        key = self.checked(self.keys[key_id])
        if context != asked["EncryptionContext"] and self.breaks != "contexts":
            raise Refused("InvalidCiphertextException")
        each = {"plaintexts": 100, "everything": 1}.get(self.breaks, 0)
        if each and self.served["Decrypt"] % each == 0:
            plaintext = base64.b64encode(b"something else").decode()
        if self.breaks == "ciphertexts" and self.served["Decrypt"] % 100 == 0:
            raise Refused("InvalidCiphertextException")
        return {"KeyId": key.arn, "Plaintext": plaintext}

    def GetPublicKey(self, asked):
        public = self.key(asked).private.public_key()
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return {"PublicKey": base64.b64encode(der).decode()}

    def Sign(self, asked):
        message = base64.b64decode(asked["Message"])
        if self.breaks == "signatures" and self.served["Sign"] % 50 == 0:
            message += b"!"
        signature = self.key(asked).private.sign(message, ec.ECDSA(hashes.SHA256()))
        return {"KeyId": self.key(asked).arn, "Signature": base64.b64encode(signature).decode()}

    def Verify(self, asked):
        public = self.key(asked).private.public_key()
        try:
            signature, message = base64.b64decode(asked["Signature"]), base64.b64decode(asked["Message"])
            public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise Refused("KMSInvalidSignatureException") from None
        return {"KeyId": self.key(asked).arn, "SignatureValid": True}

    def GenerateMac(self, asked):
        made = self.mac(asked)
        if self.breaks == "macs" and self.served["GenerateMac"] % 50 == 0:
            made = base64.b64encode(b"another one").decode()
        return {"KeyId": self.key(asked).arn, "Mac": made}

    def VerifyMac(self, asked):
        if self.mac(asked) != asked["Mac"]:
            raise Refused("KMSInvalidMacException")
        return {"KeyId": self.key(asked).arn, "MacValid": True}

    def mac(self, asked):
        made = hmac.HMAC(self.key(asked).id.encode(), hashes.SHA256())
        made.update(base64.b64decode(asked["Message"]))
        return base64.b64encode(made.finalize()).decode()

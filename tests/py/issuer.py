"""An OpenID Connect issuer of the tests' own: keys, tokens, and a key set in a file or behind HTTPS."""

import base64
import http.server
import json
import ssl
import threading
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from certificates import Authority


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, length=None):
    return encoded(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


class RsaKey:
    algorithm = "RS256"

    def __init__(self, kid):
        self.kid, self.key = kid, rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self):
        public = self.key.public_key().public_numbers()
        return {"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256", "n": number(public.n), "e": number(public.e)}

    def sign(self, message):
        return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())


class EcKey:
    algorithm = "ES256"

    def __init__(self, kid):
        self.kid, self.key = kid, ec.generate_private_key(ec.SECP256R1())

    def jwk(self):
        public = self.key.public_key().public_numbers()
        x, y = number(public.x, 32), number(public.y, 32)
        return {"kty": "EC", "kid": self.kid, "use": "sig", "crv": "P-256", "x": x, "y": y}

    def sign(self, message):
        r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def key_set(*keys):
    return json.dumps({"keys": [key.jwk() for key in keys]})


def token(key, url, audience="kms", subject="ana", seconds=300, header=None, **more):
    now = int(time.time())
    claims = {"iss": url, "aud": audience, "sub": subject, "iat": now, "exp": now + seconds, **more}
    claims = {name: value for name, value in claims.items() if value is not None}
    header = {"alg": key.algorithm, "kid": key.kid, "typ": "JWT", **(header or {})}
    message = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    return f"{message}.{encoded(key.sign(message.encode()))}"


class Server:
    """Answers `answer` (status, headers, body) to every request, over HTTPS, and counts."""

    def __init__(self, folder):
        self.answer, self.asked = (200, {}, "{}"), 0
        self.ca = folder / "issuer-ca.pem"
        certificate, key = folder / "issuer.pem", folder / "issuer-key.pem"
        Authority(self.ca).server(certificate, key, ["127.0.0.1"])
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked += 1
                status, headers, body = server.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.server.server_address[1]}/keys"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

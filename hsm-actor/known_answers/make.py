"""Makes the known answers of the self-test with Python's `cryptography`: keys of no other use, and what they sign and decrypt.

Run it in this folder; every run makes other keys.
"""

from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

TEXT = b"known answer"
SHA256 = hashes.SHA256()


def write(name, content):
    Path(name).write_bytes(content)


def pair(name, private):
    write(f"{name}.private", private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    write(f"{name}.public", private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


key = rsa.generate_private_key(65537, 2048)
pair("rsa", key)
write("rsa.pkcs1", key.sign(TEXT, padding.PKCS1v15(), SHA256))
write("rsa.pss", key.sign(TEXT, padding.PSS(padding.MGF1(SHA256), 32), SHA256))
write("rsa.oaep", key.public_key().encrypt(TEXT, padding.OAEP(padding.MGF1(SHA256), SHA256, None)))

key, peer = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
pair("ecc", key)
write("ecc.signature", key.sign(TEXT, ec.ECDSA(SHA256)))
write("ecc.peer", peer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
write("ecc.secret", peer.exchange(ec.ECDH(), key.public_key()))

key = ed25519.Ed25519PrivateKey.generate()
pair("ed25519", key)
write("ed25519.signature", key.sign(TEXT))

"""A certificate authority of the tests' own, for regions that bring their certificates along."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Writes its certificate to `path`; signs server certificates for addresses."""

    def __init__(self, path):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = self.signed(self.name, self.key, [(constraints, True)])
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def signed(self, subject, key, extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=30))
        )
        usual = [
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False),
        ]
        for extension, critical in extensions + usual:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, hashes.SHA256())

    def server(self, certificate_path, key_path, addresses):
        """Writes a fresh pair; answers the certificate's serial number."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(each)) for each in addresses])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test region")])
        made = self.signed(subject, key, [(names, False), (x509.BasicConstraints(ca=False, path_length=None), True)])
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key_path.touch(mode=0o600)
        key_path.write_bytes(private)
        certificate_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return made.serial_number

"""A PKI that DCMTK and this package both trust, as files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from _dcmtk import KeyPair
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pki import dsa_key

from dicomseal import TrustStore

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey


class Pki:
    """A CA, and certificates that it has issued; all files are PEM, made when first asked for.

    Args:
        folder: where the files go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pairs: dict[str, KeyPair] = {}
        # dcmsign takes the time of a signature for UTC, and wants it within the validity
        self._from = datetime.now(UTC) - timedelta(minutes=10)
        self._ca_key = rsa.generate_private_key(65537, 2048)
        self._ca = self._build("Interop CA", self._ca_key, ca=True)
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(self._ca.public_bytes(Encoding.PEM))
        self.trust = TrustStore.from_files(self.ca)

    def _build(self, name: str, key: Key, ca: bool = False) -> x509.Certificate:
        common = x509.NameOID.COMMON_NAME
        issuer = x509.Name([x509.NameAttribute(common, "Interop CA")])
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(common, name)]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._from)
            .not_valid_after(self._from + timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self._ca_key, hashes.SHA256())
        )

    def pair(self, kind: str, odd: bool | None = None) -> KeyPair:
        """A key and its certificate.

        Args:
            kind: ``rsa`` (2048), ``ec`` (P-256) or ``dsa`` (2048).
            odd: whether the DER of the certificate is to have an odd length; None: no matter.
        """
        name = kind if odd is None else f"{kind}-{'odd' if odd else 'even'}"
        if name not in self._pairs:
            key = make_key(kind)
            certificate = self._build(f"Signer {name}", key)
            while odd is not None and len(certificate.public_bytes(Encoding.DER)) % 2 != odd:
                # the serial number, and a DSA or ECDSA key, vary in length as well
                subject = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
                certificate = self._build(f"{subject[0].value}.", key)
            self._pairs[name] = self._write(name, key, certificate)
        return self._pairs[name]

    def _write(self, name: str, key: Key, certificate: x509.Certificate) -> KeyPair:
        pair = KeyPair(self._folder / f"{name}.key", self._folder / f"{name}.pem")
        pair.key.touch(0o600)
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        pair.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        return pair


def make_key(kind: str) -> Key:
    """A new private key."""
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return dsa_key()

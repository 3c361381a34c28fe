"""Keys, certificates and revocation lists that the command lines name (see `_kitchen`)."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pki as members
from _dcmtk import find
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

MEMBERS = {"rsa": "", "rsa two": "two", "ec": "ec", "dsa": "dsa", "weak": "weak",
           "below": "below", "expired": "expired"}  # fmt: skip
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


class Pantry:
    """A folder with a PKI in it."""

    folder: Path

    def put(self, name: str, data: bytes | str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(0o600)  # keys are among them

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def _certificates(self) -> None:
        for name, stem in MEMBERS.items():
            key, certificate = members.member(name).pair
            plain = serialization.NoEncryption()
            form = serialization.PrivateFormat
            pem = certificate.public_bytes(PEM)
            if stem:
                self.put(f"{stem}.crt", pem)
                self.put(f"{stem}.key", key.private_bytes(PEM, form.PKCS8, plain))
                continue
            self.put("cert.pem", pem)
            self.put("cert.der", certificate.public_bytes(DER))
            self.put("key.pem", key.private_bytes(PEM, form.PKCS8, plain))
            self.put("key.der", key.private_bytes(DER, form.TraditionalOpenSSL, plain))
            self.put("key8.der", key.private_bytes(DER, form.PKCS8, plain))
            secret = serialization.BestAvailableEncryption(b"secret")
            self.put("encrypted.pem", key.private_bytes(PEM, form.PKCS8, secret))
        shutil.move(self.folder / "two.key", self.folder / "other.pem")
        root, intermediate = (members.member(n).certificate for n in ("root", "intermediate"))
        self.put("ca.pem", root.public_bytes(PEM))
        self.put("ca.der", root.public_bytes(DER))
        self.put("intermediate.pem", intermediate.public_bytes(PEM))
        self.put("both.pem", root.public_bytes(PEM) + intermediate.public_bytes(PEM))
        self.put("other-ca.pem", members.member("other root").certificate.public_bytes(PEM))
        for name, serials, days in (("crl", (), 1), ("revoked", ("rsa",), 1), ("old-crl", (), -1)):
            crl_of_it = crl([members.member(s).certificate for s in serials], days)
            self.put(f"{name}.pem", crl_of_it.public_bytes(PEM))
            if name == "crl":
                self.put("crl.der", crl_of_it.public_bytes(DER))
        self.put("later.pem", crl([members.member("rsa").certificate], 1, -0.5).public_bytes(PEM))
        self._folders()

    def _folders(self) -> None:
        """Hashed directories, and some that are none."""
        of_ca = subject_hash(self.folder / "ca.pem")
        for target, source in (
            ("unhashed/ca.pem", "ca.pem"),
            (f"hashed/{of_ca}.0", "ca.pem"),
            (f"hashed-crl/{of_ca}.0", "ca.pem"),
            (f"hashed-crl/{of_ca}.r0", "crl.pem"),
            (f"hashed-revoked/{of_ca}.0", "ca.pem"),
            (f"hashed-revoked/{of_ca}.r0", "revoked.pem"),
            (f"hashed-der/{of_ca}.0", "ca.der"),
            (f"hashed-gap/{of_ca}.1", "ca.pem"),
            (f"hashed-second/{of_ca}.0", "other-ca.pem"),
            (f"hashed-second/{of_ca}.1", "ca.pem"),
            (f"hashed-wrong/{'0' * 8}.0", "ca.pem"),
        ):
            self.put(target, self.read(source))

    def issue(
        self, name: str, key: object, issuer: str = "root", until: datetime | None = None,
        *extensions: x509.ExtensionType, days: float = 1,
    ) -> None:  # fmt: skip
        """A certificate, valid since some days, and its key, as NAME.crt and NAME.key."""
        now = datetime.now(UTC).replace(microsecond=0)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Test {name}")]))
            .issuer_name(members.member(issuer).certificate.subject)
            .public_key(key.public_key())  # type: ignore[attr-defined]
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=days, seconds=2))
            .not_valid_after(until or now + timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        certificate = builder.sign(members.key(issuer), hashes.SHA256())
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.put(f"{name}.crt", certificate.public_bytes(PEM))
        self.put(f"{name}.key", key.private_bytes(PEM, *form))  # type: ignore[attr-defined]

    def authority(self, name: str, issuer: str) -> None:
        """A timestamp authority."""
        usage = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING])
        self.issue(name, members.key("rsa two"), issuer, None, usage)
        self.put("serial", "01")
        self.put("tsa.cnf", "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\n"
                 "default_policy = 1.2.3\nother_policies = 1.2.3\ndigests = sha1, sha256, sha512\n"
                 "signer_digest = sha256\ness_cert_id_alg = sha256\n")  # fmt: skip


def crl(
    revoked: list[x509.Certificate], days: int, ago: float = 2
) -> x509.CertificateRevocationList:
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(members.member("root").certificate.subject)
        .last_update(now - timedelta(days=3))
        .next_update(now + timedelta(days=days))
    )
    for certificate in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
        builder = builder.add_revoked_certificate(
            entry.revocation_date(now - timedelta(days=ago)).build()
        )
    return builder.sign(members.key("root"), hashes.SHA256())


def subject_hash(path: Path) -> str:
    """By which OpenSSL finds a certificate in a hashed directory."""
    done = subprocess.run(
        [find("openssl"), "x509", "-hash", "-noout", "-in", path], capture_output=True, check=True
    )
    return done.stdout.decode().strip()

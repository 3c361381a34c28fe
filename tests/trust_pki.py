"""A PKI for the tests of trust, declared in one table: NIST's PKITS in spirit, in files of our own.

Certificates are made when they are first asked for; CRLs and OCSP responses by `crl` and `ocsp`.
Those over SHA-1 and MD5 are signed by the openssl command: cryptography refuses to make them.
"""

from __future__ import annotations

import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp as x509_ocsp
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
    ObjectIdentifier,
)

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
NOW = datetime.now(UTC).replace(microsecond=0)
KEYS = {
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EC 192": lambda: ec.generate_private_key(ec.SECP192R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA 1024": lambda: rsa.generate_private_key(65537, 1024),
    "RSA 2048": lambda: rsa.generate_private_key(65537, 2048),
}
_FLAGS = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
_EXTENDED = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "email": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "documents": ObjectIdentifier("1.3.6.1.5.5.7.3.36"),
    "time": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp": ExtendedKeyUsageOID.OCSP_SIGNING,
}
CA = "key_cert_sign crl_sign"
SIGN = "digital_signature"
UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("2.16.840.1.101.2.1.12.2"), b"\x05\x00")


class Row(NamedTuple):
    """One certificate.

    Attributes:
        issuer: a name in the table; its own: self-signed.
        key: one of `KEYS`.
        days: validity, counted from `NOW`.
        ca: whether Basic Constraints say so; None: there are none.
        length: their path length.
        usages: Key Usage; empty: there is none.
        extended: Extended Key Usage, the first one ``critical`` or not.
        subject, issued_by: the names to write, where they are not those of the table.
        hash: sha256; others are signed by openssl.
        extra: extensions, each with its criticality.
        signed_by: whose key signs, where it is not the issuer's.
    """

    issuer: str
    key: str = "EC"
    days: tuple[int, int] = (-100, 100)
    ca: bool | None = False
    length: int | None = None
    usages: str = SIGN
    extended: str = ""
    subject: str = ""
    hash: str = "sha256"
    extra: tuple[tuple[Any, bool], ...] = ()
    signed_by: str = ""
    key_of: str = ""


def _authority(issuer: str = "root", **more: Any) -> Row:
    row = {"days": (-4000, 4000), "ca": True, "usages": CA, **more}
    return Row(issuer, **row)


def name(text: str) -> x509.Name:
    """``a/b`` is the organization ``a`` and the common name ``b``; ``Clinic`` an organization."""
    organization, slash, common = text.rpartition("/")
    if text in ("Clinic", "Elsewhere"):
        return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, text)])
    some = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if slash else []
    return x509.Name([*some, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _directory(text: str) -> x509.DirectoryName:
    return x509.DirectoryName(name(text))


def _policies(*numbers: str) -> tuple[Any, bool]:
    some = [x509.PolicyInformation(ObjectIdentifier(n), None) for n in numbers]
    return x509.CertificatePolicies(some), False


def _constraints(permitted: Any = None, excluded: Any = None) -> tuple[Any, bool]:
    return x509.NameConstraints(permitted, excluded), True


def _crl_at(url: str, issuer: str = "") -> tuple[Any, bool]:
    whole = [x509.UniformResourceIdentifier(url)] if url else None
    by = [_directory(issuer)] if issuer else None
    return x509.CRLDistributionPoints([x509.DistributionPoint(whole, None, None, by)]), False


def ocsp_at(url: str) -> tuple[Any, bool]:
    """Authority Information Access with a responder."""
    place = x509.UniformResourceIdentifier(url)
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)]
    ), False


NO_CHECK = x509.OCSPNoCheck(), False
P1, P2 = "2.16.840.1.101.3.2.1.48.1", "2.16.840.1.101.3.2.1.48.2"

TABLE = {
    "root": _authority("root"),
    "other root": _authority("other root"),
    "ca": _authority(),
    "leaf": Row("ca"),
    "direct": Row("root"),
    # PKITS 4.1: signatures
    "forged": Row("ca", signed_by="other root"),
    "forged ca": _authority(signed_by="other root"),
    "below forged ca": Row("forged ca"),
    # 4.2: validity
    "expired": Row("ca", days=(-20, -10)),
    "future": Row("ca", days=(10, 20)),
    "expired ca": _authority(days=(-300, -10)),
    "below expired ca": Row("expired ca"),
    "future ca": _authority(days=(10, 300)),
    "below future ca": Row("future ca"),
    "expired root": _authority("expired root", days=(-300, -10)),
    "below expired root": Row("expired root"),
    # 4.6: basic constraints and path length
    "no ca": _authority(ca=False),
    "below no ca": Row("no ca"),
    "no constraints": _authority(ca=None),
    "below no constraints": Row("no constraints"),
    "length 0": _authority(length=0),
    "below length 0": Row("length 0"),
    "ca below length 0": _authority("length 0"),
    "two below length 0": Row("ca below length 0"),
    "length 1": _authority(length=1),
    "ca below length 1": _authority("length 1"),
    "two below length 1": Row("ca below length 1"),
    # 4.7: key usage
    "ca without cert sign": _authority(usages="crl_sign"),
    "below ca without cert sign": Row("ca without cert sign"),
    "no usage": Row("ca", usages=""),
    "non-repudiation": Row("ca", usages="content_commitment"),
    "encipherment": Row("ca", usages="key_encipherment"),
    "server": Row("ca", extended="server"),
    "e-mail": Row("ca", extended="email"),
    "document": Row("ca", extended="critical documents"),
    "signing ca": _authority(usages=CA + " digital_signature"),
    # 4.8 to 4.12: policies
    "policy ca": _authority(extra=(_policies(P1),)),
    "policy one": Row("policy ca", extra=(_policies(P1),)),
    "policy two": Row("policy ca", extra=(_policies(P2),)),
    "no policy": Row("policy ca"),
    "explicit ca": _authority(extra=(_policies(P1), (x509.PolicyConstraints(0, None), True))),
    "explicit one": Row("explicit ca", extra=(_policies(P1),)),
    "explicit none": Row("explicit ca"),
    # 4.13: name constraints
    "names ca": _authority(extra=(_constraints([_directory("Clinic")]),)),
    "named inside": Row("names ca", subject="Clinic/CT"),
    "named outside": Row("names ca", subject="Elsewhere/CT"),
    "excluding ca": _authority(extra=(_constraints(None, [_directory("Clinic")]),)),
    "excluded": Row("excluding ca", subject="Clinic/CT"),
    "not excluded": Row("excluding ca", subject="Elsewhere/CT"),
    "dns ca": _authority(extra=(_constraints([x509.DNSName("clinic.example")]),)),
    "dns inside": Row("dns ca", extra=(
        (x509.SubjectAlternativeName([x509.DNSName("ct.clinic.example")]), False),)),
    "dns outside": Row("dns ca", extra=(
        (x509.SubjectAlternativeName([x509.DNSName("ct.elsewhere.example")]), False),)),
    # 4.16: private extensions
    "unknown critical": Row("ca", extra=((UNKNOWN, True),)),
    "unknown": Row("ca", extra=((UNKNOWN, False),)),
    "unknown critical ca": _authority(extra=((UNKNOWN, True),)),
    "below unknown critical ca": Row("unknown critical ca"),
    # algorithms and keys
    "sha1": Row("ca", hash="sha1"),
    "rsa ca": _authority(key="RSA 2048"),
    "md5": Row("rsa ca", hash="md5"),  # there is no ECDSA over MD5
    "sha1 ca": _authority(hash="sha1"),
    "below sha1 ca": Row("sha1 ca"),
    "small": Row("ca", key="RSA 1024"),
    "small ec": Row("ca", key="EC 192"),
    "rsa": Row("ca", key="RSA 2048"),
    "small ca": _authority(key="RSA 1024"),
    "below small ca": Row("small ca"),
    "ed ca": _authority(key="Ed25519"),
    "below ed ca": Row("ed ca"),
    "edwards": Row("ca", key="Ed25519"),
    # several ways up, and none
    "crossed": _authority("root"),
    "crossed otherwise": _authority("other root", subject="crossed", key_of="crossed"),
    "below crossed": Row("crossed"),
    "loop one": _authority("loop two", signed_by="loop two"),
    "loop two": _authority("loop one", signed_by="loop one"),
    "below loop": Row("loop one"),
    # trusted by themselves
    "modality": Row("modality", ca=None, usages=""),
    "old modality": Row("old modality", ca=None, usages="", days=(-300, -10)),
    "md5 modality": Row("md5 modality", ca=None, usages="", hash="md5", key="RSA 2048"),
    # for timestamps
    "tsa root": _authority("tsa root"),
    "tsa": Row("tsa root", extended="critical time"),
    "tsa not critical": Row("tsa root", extended="time"),
    "tsa and more": Row("tsa root", extended="critical time email"),
    "tsa without": Row("tsa root"),
    # of docs/trust.md
    "Hospital CA": _authority("Hospital CA", key="RSA 2048"),
    "CT 1": Row("Hospital CA", key="RSA 2048"),
    "CT 2": Row("Hospital CA", key="RSA 2048"),
    "Retired CT": Row("Hospital CA", key="RSA 2048", days=(-800, -70)),
    "Ultrasound 7": Row("Ultrasound 7", key="RSA 2048", ca=None, usages=""),
    # who signs CRLs and OCSP responses
    "crl signer": Row("ca", usages="crl_sign"),
    "ca crl key": Row("ca", usages="crl_sign", subject="ca"),
    "old ca crl key": Row("ca", usages="crl_sign", subject="ca", days=(-300, -10)),
    "no crl signer": Row("ca", usages=SIGN, subject="ca"),
    "ca without crl sign": _authority(usages="key_cert_sign"),
    "below ca without crl sign": Row("ca without crl sign"),
    "indirect signer": Row("root", usages="crl_sign"),
    "with indirect": Row("ca", extra=(_crl_at("", "indirect signer"),)),
    "responder": Row("ca", extended="ocsp", extra=(NO_CHECK,)),
    "responder to check": Row("ca", extended="ocsp"),
    "no responder": Row("ca"),
    "old responder": Row("ca", extended="ocsp", extra=(NO_CHECK,), days=(-300, -10)),
    "young responder": Row("ca", extended="ocsp", extra=(NO_CHECK,), days=(-2, 20)),
}  # fmt: skip


@lru_cache
def key(of: str) -> Any:
    row = TABLE[of]
    return key(row.key_of) if row.key_of else KEYS[row.key]()


def _subject(of: str) -> x509.Name:
    return name(TABLE[of].subject or of)


@lru_cache
def cert(of: str) -> x509.Certificate:
    """The certificate with a name in the table."""
    row = TABLE[of]
    openssl = row.hash != "sha256"  # which certifies only what is self-signed
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(of))
        .issuer_name(_subject(of if openssl else row.issuer))
        .public_key(key(of).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at(row.days[0]))
        .not_valid_after(at(row.days[1]))
    )
    if row.ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(row.ca, row.length), critical=True)
    if row.usages:
        usage = x509.KeyUsage(*(flag in row.usages.split() for flag in _FLAGS))
        builder = builder.add_extension(usage, critical=True)
    if row.extended:
        words = row.extended.split()
        purposes = [_EXTENDED[word] for word in words if word != "critical"]
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), "critical" in words)
    for extension, critical in row.extra:
        builder = builder.add_extension(extension, critical)
    signer = key(row.signed_by or row.issuer)
    if openssl:
        return _signed_by_openssl(builder.sign(key(of), hashes.SHA256()), row)
    return builder.sign(signer, None if _is_edwards(signer) else hashes.SHA256())


def _is_edwards(signer: Any) -> bool:
    return isinstance(signer, ed25519.Ed25519PrivateKey)


def _signed_by_openssl(made: x509.Certificate, row: Row) -> x509.Certificate:
    """The same certificate, signed by its issuer over another hash."""
    signer = key(row.signed_by or row.issuer)
    with tempfile.TemporaryDirectory() as folder:
        at_key, at_cert = Path(folder, "key.pem"), Path(folder, "cert.pem")
        private = serialization.PrivateFormat.PKCS8
        at_key.write_bytes(signer.private_bytes(PEM, private, serialization.NoEncryption()))
        at_cert.write_bytes(made.public_bytes(PEM))
        issuer = Path(folder, "issuer.pem")
        issuer.write_bytes(_named(_subject(row.issuer), signer).public_bytes(PEM))
        plain = Path(folder, "plain.cnf")  # without an identifier of the makeshift issuer
        plain.write_text("authorityKeyIdentifier=none\nsubjectKeyIdentifier=none\n")
        done = subprocess.run(
            ["openssl", "x509", "-in", at_cert, "-CA", issuer, "-CAkey", at_key, f"-{row.hash}",
             "-extfile", plain, "-preserve_dates", "-set_serial", str(made.serial_number)],
            capture_output=True, check=True,
        )  # fmt: skip
    return x509.load_pem_x509_certificate(done.stdout)


def _named(subject: x509.Name, private: Any) -> x509.Certificate:
    """A certificate for openssl to take the issuer's name from."""
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(private.public_key()).serial_number(1)
    return builder.not_valid_before(NOW).not_valid_after(at(1)).sign(private, hashes.SHA256())


def certs(*names: str) -> list[x509.Certificate]:
    return [cert(one) for one in names]


def der(of: str) -> bytes:
    return cert(of).public_bytes(DER)


def at(days: float) -> datetime:
    """A moment, counted from `NOW`."""
    return NOW + timedelta(days=days)


class Entry(NamedTuple):
    """A revoked certificate: when, why, and since when it was not to be relied on."""

    of: str
    days: float = -5
    reason: x509.ReasonFlags | None = None
    invalid: float | None = None
    issuer: str = ""
    critical: bool = False


def crl(
    issuer: str,
    *entries: Entry,
    window: tuple[float, float] = (-1, 7),
    signer: str = "",
    extensions: tuple[tuple[Any, bool], ...] = (),
    algorithm: Any = None,
) -> bytes:
    """The DER of a CRL; ``window`` is from thisUpdate to nextUpdate, in days from `NOW`."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(_subject(issuer))
        .last_update(at(window[0]))
        .next_update(at(window[1]))
    )
    for entry in entries:
        made = (
            x509.RevokedCertificateBuilder()
            .serial_number(cert(entry.of).serial_number)
            .revocation_date(at(entry.days))
        )
        if entry.reason:
            made = made.add_extension(x509.CRLReason(entry.reason), critical=False)
        if entry.invalid is not None:
            made = made.add_extension(x509.InvalidityDate(at(entry.invalid)), critical=False)
        if entry.issuer:
            whose = x509.CertificateIssuer([_directory(entry.issuer)])
            made = made.add_extension(whose, critical=True)
        if entry.critical:
            made = made.add_extension(UNKNOWN, critical=True)
        builder = builder.add_revoked_certificate(made.build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    own = key(signer or issuer)
    chosen = None if _is_edwards(own) else algorithm or hashes.SHA256()
    return builder.sign(own, chosen).public_bytes(DER)


def ocsp(
    of: str,
    status: str = "good",
    responder: str = "ca",
    *,
    days: float = -5,
    window: tuple[float, float] = (-1, 7),
    reason: x509.ReasonFlags | None = None,
    included: tuple[str, ...] = (),
    issuer: str = "ca",
    damaged: bool = False,
    named_by: Any = None,
) -> bytes:
    """The DER of an OCSP response about one certificate; ``damaged`` in its signed part."""
    states = {
        "good": x509_ocsp.OCSPCertStatus.GOOD,
        "revoked": x509_ocsp.OCSPCertStatus.REVOKED,
        "unknown": x509_ocsp.OCSPCertStatus.UNKNOWN,
    }
    revoked = status == "revoked"
    builder = x509_ocsp.OCSPResponseBuilder().add_response(
        cert(of), cert(issuer), named_by or hashes.SHA1(), states[status], at(window[0]), at(window[1]),
        at(days) if revoked else None, reason if revoked else None,
    )  # fmt: skip
    builder = builder.responder_id(x509_ocsp.OCSPResponderEncoding.HASH, cert(responder))
    if included:
        builder = builder.certificates(certs(*included))
    made = builder.sign(key(responder), hashes.SHA256())
    data = made.public_bytes(DER)
    if damaged:  # a year of another century
        signed = made.tbs_response_bytes
        data = data.replace(signed, signed.replace(b"\x18\x0f20", b"\x18\x0f19", 1))
    return data


def scope(
    *,
    users: bool = False,
    authorities: bool = False,
    reasons: frozenset[x509.ReasonFlags] | None = None,
    indirect: bool = False,
) -> tuple[Any, bool]:
    """Issuing Distribution Point of a CRL that is not about everything."""
    return x509.IssuingDistributionPoint(
        None, None, users, authorities, reasons, indirect, False
    ), True

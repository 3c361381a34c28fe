"""Makes what `trust_table` declares: certificates when first asked for, CRLs, OCSP responses.

Certificates over SHA-1 and MD5 are signed by the openssl command: cryptography refuses to.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from asn1crypto import algos
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509 import ocsp as x509_ocsp
from cryptography.x509.oid import ObjectIdentifier
from trust_table import (
    ANY,
    EXTENDED,
    FLAGS,
    KEYS,
    P1,
    P2,
    TABLE,
    UNKNOWN,
    Row,
    crl_at,
    directory,
    name,
    ocsp_at,
)

__all__ = ["ANY", "P1", "P2", "UNKNOWN", "ObjectIdentifier", "crl_at", "ocsp_at", "x509"]

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
NOW = datetime.now(UTC).replace(microsecond=0)


@cache  # one of each: another would have another key and number
def key(of: str) -> Any:
    row = TABLE[of]
    return key(row.key_of) if row.key_of else KEYS[row.key]()


def _subject(of: str) -> x509.Name:
    return name(TABLE[of].subject or of)


def _issuer(of: str) -> x509.Name:
    row = TABLE[of]
    return name(row.issued_by) if row.issued_by else _subject(row.issuer)


@cache  # one of each: another would have another key and number
def cert(of: str) -> x509.Certificate:
    """The certificate with a name in the table."""
    row = TABLE[of]
    openssl = row.hash != "sha256"  # which certifies only what is self-signed
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(of))
        .issuer_name(_issuer(of) if not openssl else _subject(of))
        .public_key(key(of).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at(row.days[0]))
        .not_valid_after(at(row.days[1]))
    )
    if row.ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(row.ca, row.length), critical=True)
    if row.usages:
        usage = x509.KeyUsage(*(flag in row.usages.split() for flag in FLAGS))
        builder = builder.add_extension(usage, row.usages_critical)
    if row.extended:
        words = row.extended.split()
        purposes = [EXTENDED[word] for word in words if word != "critical"]
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), "critical" in words)
    for extension, critical in row.extra:
        builder = builder.add_extension(extension, critical)
    signer = key(row.signed_by or row.issuer)
    if openssl:
        return _signed_by_openssl(builder.sign(key(of), hashes.SHA256()), row)
    certificate = builder.sign(signer, None if _is_edwards(signer) else hashes.SHA256())
    return _of_version_1(certificate, signer) if row.version == 1 else certificate


def _of_version_1(cert: x509.Certificate, signer: Any) -> x509.Certificate:
    """The same without extensions, which cryptography does not make."""
    plain = asn1.Certificate.load(cert.public_bytes(DER))
    fields = plain["tbs_certificate"]
    kept = ("serial_number", "signature", "issuer", "validity", "subject",
            "subject_public_key_info")  # fmt: skip
    plain["tbs_certificate"] = asn1.TbsCertificate(
        {name: fields[name] for name in kept} | {"version": "v1"}
    )
    return x509.load_der_x509_certificate(_signed_anew(plain, signer))


def _signed_anew(cert: asn1.Certificate, signer: Any) -> bytes:
    signed = cert["tbs_certificate"].dump(force=True)
    cert["signature_value"] = signer.sign(signed, ec.ECDSA(hashes.SHA256()))
    data: bytes = cert.dump(force=True)
    return data


def changed(of: str, change: Callable[[Any], None]) -> bytes:
    """The DER of a certificate that no decent authority issues, signed by its EC issuer.

    Args:
        of: a name in the table.
        change: gets it as an `asn1crypto.x509.Certificate`.
    """
    certificate = asn1.Certificate.load(der(of))
    change(certificate)
    return _signed_anew(certificate, key(TABLE[of].issuer))


def _is_edwards(signer: Any) -> bool:
    return isinstance(signer, ed25519.Ed25519PrivateKey)


def _signed_by_openssl(cert: x509.Certificate, row: Row) -> x509.Certificate:
    """The same certificate, signed by its issuer over another hash."""
    signer = key(row.signed_by or row.issuer)
    with tempfile.TemporaryDirectory() as folder:
        at_key, at_cert = Path(folder, "key.pem"), Path(folder, "cert.pem")
        private = serialization.PrivateFormat.PKCS8
        at_key.write_bytes(signer.private_bytes(PEM, private, serialization.NoEncryption()))
        at_cert.write_bytes(cert.public_bytes(PEM))
        issuer = Path(folder, "issuer.pem")
        issuer.write_bytes(_named(_subject(row.issuer), signer).public_bytes(PEM))
        plain = Path(folder, "plain.cnf")  # without an identifier of the makeshift issuer
        plain.write_text("authorityKeyIdentifier=none\nsubjectKeyIdentifier=none\n")
        done = subprocess.run(
            ["openssl", "x509", "-in", at_cert, "-CA", issuer, "-CAkey", at_key, f"-{row.hash}",
             "-extfile", plain, "-preserve_dates", "-set_serial", str(cert.serial_number)],
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
        revoked_certificate_builder = (
            x509.RevokedCertificateBuilder()
            .serial_number(cert(entry.of).serial_number)
            .revocation_date(at(entry.days))
        )
        if entry.reason:
            revoked_certificate_builder = revoked_certificate_builder.add_extension(
                x509.CRLReason(entry.reason), critical=False
            )
        if entry.invalid is not None:
            revoked_certificate_builder = revoked_certificate_builder.add_extension(
                x509.InvalidityDate(at(entry.invalid)), critical=False
            )
        if entry.issuer:
            whose = x509.CertificateIssuer([directory(entry.issuer)])
            revoked_certificate_builder = revoked_certificate_builder.add_extension(
                whose, critical=True
            )
        if entry.critical:
            revoked_certificate_builder = revoked_certificate_builder.add_extension(
                UNKNOWN, critical=True
            )
        builder = builder.add_revoked_certificate(revoked_certificate_builder.build())
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
        cert(of), cert(issuer), named_by or hashes.SHA1(), states[status],
        at(window[0]), at(window[1]), at(days) if revoked else None, reason if revoked else None,
    )  # fmt: skip
    builder = builder.responder_id(x509_ocsp.OCSPResponderEncoding.HASH, cert(responder))
    if included:
        builder = builder.certificates(certs(*included))
    certificate = builder.sign(key(responder), hashes.SHA256())
    data = certificate.public_bytes(DER)
    if damaged:  # a year of another century
        signed = certificate.tbs_response_bytes
        data = data.replace(signed, signed.replace(b"\x18\x0f20", b"\x18\x0f19", 1))
    return data


def scope(
    *,
    users: bool = False,
    authorities: bool = False,
    reasons: frozenset[x509.ReasonFlags] | None = None,
    indirect: bool = False,
    at: str = "",
) -> tuple[Any, bool]:
    """Issuing Distribution Point of a CRL that is not about everything."""
    whole = [x509.UniformResourceIdentifier(at)] if at else None
    return x509.IssuingDistributionPoint(
        whole, None, users, authorities, reasons, indirect, False
    ), True


def without_next_update(der: bytes, signer: str) -> bytes:
    """A CRL by an EC key without nextUpdate, which RFC 5280 does not allow."""
    revocations = asn1_crl.CertificateList.load(der)
    fields = revocations["tbs_cert_list"]
    del fields["next_update"]
    signed = fields.dump(force=True)
    revocations["signature"] = key(signer).sign(signed, ec.ECDSA(hashes.SHA256()))
    data: bytes = revocations.dump(force=True)
    return data


def over_sha1(der: bytes, signer: str) -> bytes:
    """A CRL by an EC key, signed anew over SHA-1, which cryptography does not make."""
    revocations = asn1_crl.CertificateList.load(der)
    algorithm = algos.SignedDigestAlgorithm({"algorithm": "sha1_ecdsa"})
    revocations["tbs_cert_list"]["signature"] = algorithm
    revocations["signature_algorithm"] = algorithm
    signed = revocations["tbs_cert_list"].dump(force=True)
    revocations["signature"] = key(signer).sign(signed, ec.ECDSA(hashes.SHA1()))
    data: bytes = revocations.dump(force=True)
    return data

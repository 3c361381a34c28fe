"""Chains of certificates made one by one, for what no table of decent certificates can declare."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from asn1crypto import core
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier

from dicomseal import TrustStore

NOW = datetime.now(UTC).replace(microsecond=0)
NAME_CONSTRAINTS, ALTERNATIVE_NAMES = "2.5.29.30", "2.5.29.17"
CERT_SIGN = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
SIGN = x509.KeyUsage(True, False, False, False, False, False, False, False, False)


class Member(NamedTuple):
    key: Any
    name: x509.Name
    der: bytes

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)


@cache
def key(of: str) -> Any:
    return ec.generate_private_key(ec.SECP256R1())


def named(common: str, organization: str = "") -> x509.Name:
    some = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*some, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def raw(number: str, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(ObjectIdentifier(number), value)


def tlv(tag: int, content: bytes) -> bytes:
    """DER with any tag, of what no decent encoder makes."""
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    if length < 256:
        return bytes([tag, 0x81, length]) + content
    return bytes([tag, 0x82]) + length.to_bytes(2, "big") + content


def make(
    name: str | x509.Name,
    issuer: Member | None = None,
    *extensions: tuple[Any, bool],
    ca: bool | None = True,
    length: int | None = None,
    usage: x509.KeyUsage | None = None,
    days: tuple[float, float] = (-100, 100),
    key_of: str = "",
    change: Callable[[Any], None] | None = None,
) -> Member:
    """A certificate.

    Args:
        name: of its subject.
        issuer: who signs it; None: it does so itself.
        extensions: each with its criticality.
        ca, length: Basic Constraints; None: there are none.
        usage: Key Usage, where it is not that of a CA, or of a signer.
        days: validity, counted from now.
        key_of: whose key it has, where it is not its own.
        change: what is done to it before it is signed, as an `asn1crypto.x509.TbsCertificate`.
    """
    subject = name if isinstance(name, x509.Name) else named(name)
    own = key(key_of or subject.rfc4514_string())
    signer = issuer.key if issuer else own
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.name if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, length), critical=True)
        builder = builder.add_extension(usage or (CERT_SIGN if ca else SIGN), critical=True)
    elif usage is not None:
        builder = builder.add_extension(usage, critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    if change is not None:
        parsed = asn1.Certificate.load(certificate)
        change(parsed["tbs_certificate"])
        signed = parsed["tbs_certificate"].dump()
        value = core.BitString.load(tlv(3, b"\0" + signer.sign(signed, ec.ECDSA(hashes.SHA256()))))
        certificate = tlv(0x30, signed + parsed["signature_algorithm"].dump() + value.dump())
    return Member(own, subject, certificate)


def judge(leaf: Member, anchor: Member, *between: Member, **options: Any) -> Any:
    """What a store with this anchor says of the leaf."""
    some = [one.certificate for one in between]
    return TrustStore([anchor.certificate], some, **options).judge(leaf.der)


def constraints(permitted: Any = (), excluded: Any = ()) -> tuple[Any, bool]:
    """Name Constraints, critical, of `asn1crypto` general names or whole subtrees."""
    value = {}
    for field, some in (("permitted_subtrees", permitted), ("excluded_subtrees", excluded)):
        trees = [one if isinstance(one, dict) else {"base": one} for one in some]
        if trees:
            value[field] = asn1.GeneralSubtrees(trees)
    return raw(NAME_CONSTRAINTS, asn1.NameConstraints(value).dump()), True


def alternatives(*names: Any) -> tuple[Any, bool]:
    """Subject Alternative Name of `asn1crypto` general names."""
    return raw(ALTERNATIVE_NAMES, asn1.GeneralNames(list(names)).dump()), False

"""The PKI for the tests of trust, declared: one row a certificate. `trust_pki` makes them.

NIST's PKITS is the model; its sections stand beside the rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
    ObjectIdentifier,
)

KEYS = {
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EC 192": lambda: ec.generate_private_key(ec.SECP192R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA 1024": lambda: rsa.generate_private_key(65537, 1024),
    "RSA 2048": lambda: rsa.generate_private_key(65537, 2048),
}
FLAGS = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
EXTENDED = {
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
        days: validity, counted from `trust_pki.NOW`.
        ca: whether Basic Constraints say so; None: there are none.
        length: their path length.
        usages: Key Usage; empty: there is none.
        usages_critical: whether that extension is critical.
        extended: Extended Key Usage, the first one ``critical`` or not.
        subject, issued_by: the names to write, where they are not those of the table.
        hash: sha256; others are signed by openssl.
        extra: extensions, each with its criticality.
        signed_by: whose key signs, where it is not the issuer's.
        key_of: whose key it has, where it is not its own.
        version: 1 has no extensions.
    """

    issuer: str
    key: str = "EC"
    days: tuple[int, int] = (-100, 100)
    ca: bool | None = False
    length: int | None = None
    usages: str = SIGN
    usages_critical: bool = True
    extended: str = ""
    subject: str = ""
    issued_by: str = ""
    hash: str = "sha256"
    extra: tuple[tuple[Any, bool], ...] = ()
    signed_by: str = ""
    key_of: str = ""
    version: int = 3


def _authority(issuer: str = "root", **more: Any) -> Row:
    row = {"days": (-4000, 4000), "ca": True, "usages": CA, **more}
    return Row(issuer, **row)


def name(text: str) -> x509.Name:
    """``a/b`` is the organization ``a`` and the common name ``b``; ``Clinic`` an organization.

    ``~a/b`` has them the other way round.
    """
    organization, slash, common = text.removeprefix("~").rpartition("/")
    if text in ("Clinic", "Elsewhere"):
        return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, text)])
    some = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if slash else []
    some = [*some, x509.NameAttribute(NameOID.COMMON_NAME, common)]
    return x509.Name(some[::-1] if text.startswith("~") else some)


def directory(text: str) -> x509.DirectoryName:
    return x509.DirectoryName(name(text))


def _policies(*numbers: str) -> tuple[Any, bool]:
    some = [x509.PolicyInformation(ObjectIdentifier(n), None) for n in numbers]
    return x509.CertificatePolicies(some), False


def _mapping(of: str, to: str) -> tuple[Any, bool]:
    policy_mappings = asn1.PolicyMappings(
        [{"issuer_domain_policy": of, "subject_domain_policy": to}]
    )
    return x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.33"), policy_mappings.dump()), True


def _limits(explicit: int | None = None, mapping: int | None = None) -> tuple[Any, bool]:
    return x509.PolicyConstraints(explicit, mapping), True


def _alternative(*names: Any) -> tuple[Any, bool]:
    return x509.SubjectAlternativeName(names), False


def _constraints(permitted: Any = None, excluded: Any = None) -> tuple[Any, bool]:
    return x509.NameConstraints(permitted, excluded), True


def crl_at(url: str, issuer: str = "") -> tuple[Any, bool]:
    whole = [x509.UniformResourceIdentifier(url)] if url else None
    by = [directory(issuer)] if issuer else None
    return x509.CRLDistributionPoints([x509.DistributionPoint(whole, None, None, by)]), False


def ocsp_at(url: str) -> tuple[Any, bool]:
    """Authority Information Access with a responder."""
    place = x509.UniformResourceIdentifier(url)
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)]
    ), False


NO_CHECK = x509.OCSPNoCheck(), False
P1, P2, ANY = "2.16.840.1.101.3.2.1.48.1", "2.16.840.1.101.3.2.1.48.2", "2.5.29.32.0"
NO_ANY = x509.InhibitAnyPolicy(0), True

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
    # 4.3: names; the first two are written otherwise, and are the same by RFC 5280 7.1
    "capitals": Row("ca", issued_by="CA"),
    "spaces": Row("ca", issued_by="  ca "),
    "misnamed": Row("ca", issued_by="another ca"),
    "ordered ca": _authority(subject="Clinic CAs/one"),
    "ordered": Row("ordered ca"),
    "reordered": Row("ordered ca", issued_by="~Clinic CAs/one"),
    # 4.5: an authority that certifies its own next key
    "ca's next key": _authority("ca", subject="ca"),
    "below the next key": Row("ca's next key"),
    # 4.6: basic constraints and path length
    "no ca": _authority(ca=False),
    "below no ca": Row("no ca"),
    "no constraints": _authority(ca=None),
    "below no constraints": Row("no constraints"),
    "length 0": _authority(length=0),
    "below length 0": Row("length 0"),
    "ca below length 0": _authority("length 0"),
    "two below length 0": Row("ca below length 0"),
    "length 0's next key": _authority("length 0", subject="length 0"),  # takes up no length
    "below length 0's next key": Row("length 0's next key"),
    "ca below length 0's next key": _authority("length 0's next key"),
    "two below length 0's next key": Row("ca below length 0's next key"),
    "length 1": _authority(length=1),
    "ca below length 1": _authority("length 1"),
    "two below length 1": Row("ca below length 1"),
    "second ca below length 1": _authority("ca below length 1", length=5),
    "three below length 1": Row("second ca below length 1"),
    # version 1 has no basic constraints
    "v1": Row("ca", version=1, ca=None, usages=""),
    "v1 ca": _authority(version=1, ca=None, usages=""),
    "below v1 ca": Row("v1 ca"),
    "v1 root": _authority("v1 root", version=1, ca=None, usages=""),
    "below v1 root": Row("v1 root"),
    # 4.7: key usage
    "ca without cert sign": _authority(usages="crl_sign"),
    "below ca without cert sign": Row("ca without cert sign"),
    "ca that hints at no cert sign": _authority(usages="crl_sign", usages_critical=False),
    "below ca that hints at no cert sign": Row("ca that hints at no cert sign"),
    "ca without usage": _authority(usages=""),
    "below ca without usage": Row("ca without usage"),
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
    "any policy ca": _authority(extra=(_policies(ANY),)),
    "one below any policy": Row("any policy ca", extra=(_policies(P1),)),
    "explicit ca": _authority(extra=(_policies(P1), _limits(explicit=0))),
    "explicit one": Row("explicit ca", extra=(_policies(P1),)),
    "explicit none": Row("explicit ca"),
    "explicit 2 ca": _authority(extra=(_policies(P1), _limits(explicit=2))),
    "none below explicit 2": Row("explicit 2 ca"),
    "ca below explicit 2": _authority("explicit 2 ca"),
    "none two below explicit 2": Row("ca below explicit 2"),
    "explicit 3 ca": _authority(extra=(_limits(explicit=3),)),
    "ca below explicit 3": _authority("explicit 3 ca"),
    "none two below explicit 3": Row("ca below explicit 3"),
    "mapping ca": _authority(extra=(_policies(P1), _mapping(P1, P2))),
    "mapped": Row("mapping ca", extra=(_policies(P2),)),
    "not mapped": Row("mapping ca", extra=(_policies(P1),)),
    "mapping any ca": _authority(extra=(_policies(P1, ANY), _mapping(ANY, P2))),
    "mapped from any": Row("mapping any ca", extra=(_policies(P2),)),
    "no mapping ca": _authority(extra=(_policies(P1), _limits(mapping=0))),
    "mapping below no mapping": _authority(
        "no mapping ca", extra=(_policies(P1), _mapping(P1, P2))),
    "mapped below no mapping": Row("mapping below no mapping", extra=(_policies(P2),)),
    "mapping 1 ca": _authority(extra=(_policies(P1), _limits(mapping=1))),
    "mapping below mapping 1": _authority(
        "mapping 1 ca", extra=(_policies(P1), _mapping(P1, P2))),
    "mapped below mapping 1": Row("mapping below mapping 1", extra=(_policies(P2),)),
    "no any policy ca": _authority(extra=(_policies(P1), NO_ANY)),
    "any below no any policy": Row("no any policy ca", extra=(_policies(ANY),)),
    "one below no any policy": Row("no any policy ca", extra=(_policies(P1),)),
    "any policy 1 ca": _authority(extra=(_policies(P1), (x509.InhibitAnyPolicy(1), True))),
    "any below any policy 1": Row("any policy 1 ca", extra=(_policies(ANY),)),
    # 4.13: name constraints
    "names ca": _authority(extra=(_constraints([directory("Clinic")]),)),
    "named inside": Row("names ca", subject="Clinic/CT"),
    "named outside": Row("names ca", subject="Elsewhere/CT"),
    "excluding ca": _authority(extra=(_constraints(None, [directory("Clinic")]),)),
    "excluded": Row("excluding ca", subject="Clinic/CT"),
    "not excluded": Row("excluding ca", subject="Elsewhere/CT"),
    "dns ca": _authority(extra=(_constraints([x509.DNSName("clinic.example")]),)),
    "dns inside": Row("dns ca", extra=(_alternative(x509.DNSName("ct.clinic.example")),)),
    "dns outside": Row("dns ca", extra=(_alternative(x509.DNSName("ct.elsewhere.example")),)),
    "mail ca": _authority(extra=(_constraints([x509.RFC822Name("clinic.example")]),)),
    "mail inside": Row("mail ca", extra=(_alternative(x509.RFC822Name("ct@clinic.example")),)),
    "mail outside": Row("mail ca", extra=(_alternative(x509.RFC822Name("ct@x.clinic.example")),)),
    "uri ca": _authority(extra=(
        _constraints(None, [x509.UniformResourceIdentifier(".clinic.example")]),)),
    "uri excluded": Row("uri ca", extra=(
        _alternative(x509.UniformResourceIdentifier("http://ct.clinic.example/a")),)),
    "uri not excluded": Row("uri ca", extra=(
        _alternative(x509.UniformResourceIdentifier("http://ct.elsewhere.example/a")),)),
    "names sub ca": _authority("names ca", subject="Clinic/sub", extra=(
        _constraints([directory("Elsewhere")]),)),  # nothing is left
    "named inside both": Row("names sub ca", subject="Clinic/CT"),
    # 4.14: distribution points
    "with a point": Row("ca", extra=(crl_at("http://clinic.example/1.crl"),)),
    "with another point": Row("ca", extra=(crl_at("http://clinic.example/2.crl"),)),
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
    "sha1 root": _authority("sha1 root", hash="sha1"),
    "below sha1 root": Row("sha1 root"),
    "small root": _authority("small root", key="RSA 1024"),
    "below small root": Row("small root"),
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
    "crossed, expired": _authority(
        "other root", subject="crossed", key_of="crossed", days=(-300, -10)),
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
    "tsa for other things": Row("tsa root", extended="critical time", usages="key_encipherment"),
    "tsa without usage": Row("tsa root", extended="critical time", usages=""),
    "tsa ca": _authority("tsa root"),
    "tsa below": Row("tsa ca", extended="critical time"),
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
    "with indirect": Row("ca", extra=(crl_at("", "indirect signer"),)),
    "responder": Row("ca", extended="ocsp", extra=(NO_CHECK,)),
    "responder to check": Row("ca", extended="ocsp"),
    "no responder": Row("ca"),
    "old responder": Row("ca", extended="ocsp", extra=(NO_CHECK,), days=(-300, -10)),
    "young responder": Row("ca", extended="ocsp", extra=(NO_CHECK,), days=(-2, 20)),
    "short responder": Row("ca", extended="ocsp", extra=(NO_CHECK,), days=(-2, 3)),
}  # fmt: skip

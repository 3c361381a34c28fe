"""The lines of ``--verbose`` about a signature, as dcmsign prints them.

Reports of `verification.verifier` have less than these lines, and in other words. So the object is
read again, which costs nothing without ``--verbose``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from .. import profiles, purposes
from ..encoding import values
from ..errors import DicomSealError
from ..profiles import Facts, Profile
from ..signature import digital_signature, element_views, mac_parameters
from ..signature.certificate import Certificate, kind_of, parse
from ..standard import terms, transfer_syntaxes
from ..standard.tags import is_signable_tag, keyword
from ..timestamps import token as certified_timestamp
from .log import Log

if TYPE_CHECKING:
    from cryptography import x509

    from ..encoding.backend import Index
    from ..report import SignatureReport
    from ..signature.digital_signature import DigitalSignature
    from ..signature.mac_parameters import MacParameters

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CURVES = {"secp256r1": "prime256v1"}  # OpenSSL has another name for it
_NAMES = {"1.2.840.113549.1.9.1": "emailAddress", "2.5.4.5": "serialNumber", "2.5.4.4": "SN"}
_SYNTAXES = {
    transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN: "=Little Endian Explicit",
    transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN: "=Big Endian Explicit",
    transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN: "=Little Endian Implicit",
}
_MAX_SERIAL = (1 << 63) - 1  # the largest serial number that dcmsign can hold


# PS3.15 C.4 as dcmsign implements it
SR_WITHOUT_PURPOSE = structs.replace(profiles.SR, purpose=None)


class Stored(NamedTuple):
    """A signature as it is stored in the object, its scope, and its MAC Parameters."""

    elements: element_views.Elements
    signature: DigitalSignature
    mac: MacParameters | None


def stored(index: Index) -> Iterator[Stored]:
    """Yield every signature of an object, in the order of the reports on them."""
    for scope in index.scopes:
        elements = element_views.Elements(index, scope)
        macs = dict(reversed(mac_parameters.read_ids(index, scope)))  # the first one of each number
        for item in values.items_of(index, scope, terms.DIGITAL_SIGNATURES_SEQUENCE):
            signature = digital_signature.read(index, item)
            at = macs.get(signature.mac_id)
            yield Stored(
                elements, signature, None if at is None else mac_parameters.read(index, at)
            )


def say(one: SignatureReport, found: Stored, log: Log) -> None:
    """Print the lines about a signature, without the result of its verification."""
    signature, mac = found.signature, found.mac
    unknown = "(unknown)"
    _row(log, "Location", one.location or "Main Dataset")
    _row(log, "MAC ID", unknown if signature.mac_id is None else str(signature.mac_id))
    _row(log, "MAC algorithm", mac.algorithm if mac else unknown)
    syntax = mac.transfer_syntax if mac else unknown
    _row(log, "MAC calculation xfer syntax", _SYNTAXES.get(syntax, syntax))
    if mac is None:
        _row(log, "Data elements signed", unknown)
    else:
        log.info("  Data elements signed        :")
        for tag in mac.data_elements_signed:
            name = keyword(tag) or "Unknown Tag & Data"
            log.info(f"      ({tag >> 16:04x},{tag & 0xFFFF:04x}) {name}")
    _row(log, "Signature date/time", signature.datetime or unknown)
    purpose = "(not specified)"
    if signature.purpose:
        code, scheme, meaning = signature.purpose
        purpose = f"{meaning} ({code}, {scheme})"
    _row(log, "Signature purpose", purpose)
    _row(log, "Certificate of signer", "")
    try:
        _certificate(log, parse(signature.certificate))
    except DicomSealError:
        log.info("      none")
    for message in one.messages:
        log.info(f"  {message}")


def say_timestamp(one: SignatureReport, found: Stored, choice: str, log: Log) -> None:
    """Print the lines about its Certified Timestamp; ``choice`` is one of three options."""
    there = one.timestamp is not None or bool(found.signature.timestamp)
    if not there:
        why = ", but required by timestamp policy" if choice == "--require-ts" else ""
        _row(log, "Certified timestamp", f"absent{why}")
        return
    if choice == "--ignore-ts":
        _row(log, "Certified timestamp", "present, but ignored according to timestamp policy")
        return
    try:
        token = certified_timestamp.read(found.signature.timestamp)
    except DicomSealError as error:
        _row(log, "Certified timestamp", str(error))
        return
    accuracy = "not specified" if token.accuracy is None else f"{token.accuracy:g} s"
    _row(log, "Certified timestamp", "CMS_TSP version 1")
    for name, value in (
        ("Policy OID", token.policy),
        ("Imprint MAC algorithm", token.algorithm),
        ("Serial number", hexadecimal(token.serial)),
        ("Nonce", "none" if token.nonce is None else hexadecimal(token.nonce)),
        ("Accuracy", accuracy),
        ("Timestamp", token.time.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")),
    ):
        log.info(f"      {name:<23} : {value}")
    for der in token.certificates:
        authority = parse(der)
        if one.timestamp and authority.signer.subject == one.timestamp.authority:
            log.info("  Timestamp signature certificate: ")
            _certificate(log, authority)
            break


def profiles_of(one: SignatureReport, found: Stored) -> tuple[str, ...]:
    """Return the profiles whose demands a signature meets, even if it does not verify."""
    facts = _facts(one, found)
    return () if facts is None else profiles.satisfied(facts)


def follows(profile: Profile, one: SignatureReport, found: Stored) -> bool:
    """Return whether a signature meets the demands of a profile, even if it does not verify."""
    facts = _facts(one, found)
    return facts is not None and not any(profile.unmet(facts))


def _facts(one: SignatureReport, found: Stored) -> Facts | None:
    signature, mac = found.signature, found.mac
    if mac is None or one.signer is None:
        return None
    signed = set(mac.data_elements_signed)
    code = purposes.code_of(signature.purpose) if signature.purpose else None
    return Facts(
        found.elements,
        not one.location,
        mac.data_elements_signed,
        all(tag in signed for tag in found.elements.present() if is_signable_tag(tag)),
        kind_of(parse(signature.certificate).public_key),
        mac.algorithm,
        signature.certificate_type,
        signature.timestamp_type,
        code,
    )


def _row(log: Log, name: str, value: str) -> None:
    log.info(f"  {name:<27} : {value}")


def hexadecimal(number: int) -> str:
    """Return a serial number or nonce as dcmsign prints it, without a leading zero."""
    return f"{'-' if number < 0 else ''}0x{abs(number):X}"


def _certificate(log: Log, certificate: Certificate) -> None:
    from ..signature.lenient_certificate import Certificate as Parsed

    x509_certificate = certificate.x509
    parsed = Parsed.load(certificate.der)
    serial = parsed.serial_number
    log.info(f"      X.509{parsed['tbs_certificate']['version'].native}")
    for name, value in (
        (
            "Subject",
            one_line(x509_certificate.subject) if x509_certificate else _raw_line(parsed.subject),
        ),
        (
            "Issued by",
            one_line(x509_certificate.issuer) if x509_certificate else _raw_line(parsed.issuer),
        ),
        ("Serial no.", str(serial if serial <= _MAX_SERIAL else -1)),
        ("Validity", f"not before {moment(certificate.not_before)}"),
        ("Validity", f"not after {moment(certificate.not_after)}"),
        ("Public key", _key(certificate.public_key)),
    ):
        log.info(f"      {name:<23} : {value}")


def _raw_line(name: Any) -> str:
    """Return the line for a name that `cryptography` cannot read, with its bytes."""
    parts = []
    for attribute in (one for part in name.chosen for one in part):
        oid = attribute["type"].dotted
        short, _, _ = attribute.rfc4514.partition("=")
        shown = _printable(attribute["value"].contents)
        parts.append(f"/{_NAMES.get(oid, short)}={shown}")
    return "".join(parts)


def _printable(raw: bytes) -> str:
    return "".join(chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02X}" for b in raw)


def one_line(name: x509.Name) -> str:
    """Return ``/C=DE/CN=Name``; other characters than ASCII as OpenSSL writes them in one line."""
    parts = []
    for attribute in name:
        oid = attribute.oid.dotted_string
        value = attribute.value
        raw = value if isinstance(value, bytes) else value.encode()
        short = _NAMES.get(oid, attribute.rfc4514_attribute_name)
        parts.append(f"/{short}={_printable(raw)}")
    return "".join(parts)


def _key(key: Any) -> str:
    kind = kind_of(key)
    if kind == "ECDSA":
        return f"EC, curve {_CURVES.get(key.curve.name, key.curve.name)}, {key.key_size} bits"
    return f"{kind}, {key.key_size} bits" if kind else "unknown type"


def moment(when: datetime) -> str:
    """Return a time as ``Nov 21 08:28:59 2026 GMT``."""
    return (
        f"{_MONTHS[when.month - 1]} {when.day:2} {when.hour:02}:{when.minute:02}:{when.second:02} "
        f"{when.year} GMT"
    )

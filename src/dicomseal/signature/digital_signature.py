"""An item of the Digital Signatures Sequence (FFFA,FFFA).

In: the index of an object, and the record of the item.
Out: a `DigitalSignature`; and back, the elements of an item.
PS3: PS3.3 Table C.12-6; PS3.5 Section 6.2 (DT).
"""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

import msgspec

from ..encoding import values
from ..encoding.backend import Index
from ..encoding.limits import USUAL_CERTIFICATE, Limits
from ..encoding.record import SignatureValues, too_long
from ..errors import MalformedError
from ..standard import terms
from . import items
from .der import without_padding

_DT = re.compile(r"(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:\.(\d{1,6}))?([+-]\d{4})?")

_FULL = re.compile(r"[0-9]{14}\.[0-9]{6}[+-][0-9]{4}").fullmatch


class DigitalSignature(msgspec.Struct, frozen=True, gc=False):
    """One signature as it is stored in the object.

    Attributes:
        mac_id: MAC ID Number (0400,0005) of its MAC Parameters item; None if absent.
        uid: Digital Signature UID (0400,0100).
        datetime: Digital Signature DateTime (0400,0105), as stored.
        certificate_type: Certificate Type (0400,0110).
        certificate: Certificate of Signer (0400,0115), DER without padding; empty if absent.
        signature: Signature (0400,0120), as stored.
        purpose: Digital Signature Purpose Code Sequence (0400,0401) as Code Value, Coding Scheme
            Designator and Code Meaning; None if absent.
        timestamp_type: Certified Timestamp Type (0400,0305); empty if absent.
        timestamp: Certified Timestamp (0400,0310), DER without padding; empty if absent.
    """

    mac_id: int | None
    uid: str
    datetime: str
    certificate_type: str
    certificate: bytes
    signature: bytes = b""
    purpose: tuple[str, str, str] | None = None
    timestamp_type: str = ""
    timestamp: bytes = b""

    def item(self) -> items.Item:
        """Return the elements of a sequence item, ascending; empty optional ones are left out."""
        elements: items.Item = [
            (terms.MAC_ID_NUMBER, "US", struct.pack("<H", self.mac_id or 0)),
            items.text(terms.DIGITAL_SIGNATURE_UID, "UI", self.uid),
            items.text(terms.DIGITAL_SIGNATURE_DATETIME, "DT", self.datetime),
            items.text(terms.CERTIFICATE_TYPE, "CS", self.certificate_type),
            items.binary(terms.CERTIFICATE_OF_SIGNER, self.certificate),
        ]
        if self.signature:
            elements.append(items.binary(terms.SIGNATURE, self.signature))
        if self.timestamp:
            elements.append(items.text(terms.CERTIFIED_TIMESTAMP_TYPE, "CS", self.timestamp_type))
            elements.append(items.binary(terms.CERTIFIED_TIMESTAMP, self.timestamp))
        if self.purpose:
            value, scheme, meaning = self.purpose
            code: items.Item = [
                items.text(terms.CODE_VALUE, "SH", value),
                items.text(terms.CODING_SCHEME_DESIGNATOR, "SH", scheme),
                items.text(terms.CODE_MEANING, "LO", meaning),
            ]
            elements.append((terms.DIGITAL_SIGNATURE_PURPOSE_CODE_SEQUENCE, "SQ", [code]))
        return elements

    def own(self) -> bytes:
        """Return the canonical form of what the signature protects of its own item."""
        if self.purpose:
            out: list[memoryview | bytes] = []
            Index(items.encode(self.item())).stream(
                lambda data: out.append(bytes(data)), 0, None, without=terms.NOT_IN_MAC
            )
            return b"".join(out)
        # plain elements are in the stream as they are in a file
        return self._plain()

    def _plain(self) -> bytes:
        return _plain(self.mac_id or 0, self.uid, self.datetime, self.certificate_type)

    def encoded(self, implicit: bool, big_endian: bool) -> bytes:
        """Return the encoded sequence item."""
        if implicit or big_endian or self.purpose or self.timestamp or not self.signature:
            return items.encode_item(self.item(), implicit, big_endian)
        # nearly every new signature: the same bytes, several times faster
        content = b"".join(
            (
                self._plain(),
                _certificate_element(self.certificate),
                _element(terms.SIGNATURE, "OB", self.signature),
            )
        )
        return _ITEM.pack(0xFFFE, 0xE000, len(content)) + content


_ITEM = struct.Struct("<HHL")


@lru_cache(4)  # a new signature's are hashed, and then written
def _plain(mac_id: int, uid: str, datetime: str, certificate_type: str) -> bytes:
    """Return MAC ID, UID, DateTime and Certificate Type in explicit VR little endian."""
    return b"".join(
        (
            _element(terms.MAC_ID_NUMBER, "US", struct.pack("<H", mac_id)),
            _element(terms.DIGITAL_SIGNATURE_UID, "UI", uid.encode("ascii")),
            _element(terms.DIGITAL_SIGNATURE_DATETIME, "DT", datetime.encode("ascii")),
            _certificate_type_element(certificate_type),
        )
    )


def _element(tag: int, vr: str, value: bytes) -> bytes:
    head, length, pad = items.form(tag, vr)
    if len(value) & 1:
        value += pad
    return head + length.pack(len(value)) + value


@lru_cache(64)
def _certificate_type_element(term: str) -> bytes:
    return _element(terms.CERTIFICATE_TYPE, "CS", term.encode("ascii"))


@lru_cache(64)
def _certificate_element(der: bytes) -> bytes:
    return _element(terms.CERTIFICATE_OF_SIGNER, "OB", der)


_CODE_FIELDS = (terms.CODE_VALUE, terms.CODING_SCHEME_DESIGNATOR, terms.CODE_MEANING)
_LIMITS = Limits()
# the objects of one device have the same certificate, which is recognised by the cache
_unpadded = lru_cache(512)(without_padding)


def read(index: Index, item: int, limits: Limits = _LIMITS) -> DigitalSignature:
    """Read the signature in an item of the sequence; missing values are empty.

    Raises:
        MalformedError: its certificate, timestamp or signature is longer than its limit.
    """
    return from_values(index, item, index.signature(item), limits)


def from_values(
    index: Index, item: int, stored: SignatureValues, limits: Limits
) -> DigitalSignature:
    """Return the signature in an item whose values are at hand; errors as for `read`."""
    mac_id, uid, when, kind, certificate, signature, timestamp_type, timestamp, purposed = stored
    long = limits.certificate
    if len(certificate) > long or len(timestamp) > long or len(signature) > limits.signature:
        raise _too_long(index, item, limits)
    return DigitalSignature(
        mac_id,
        uid,
        when,
        kind,
        _unpadded(certificate)
        if len(certificate) <= USUAL_CERTIFICATE
        else without_padding(certificate),
        signature,
        _purpose(index, item) if purposed else None,
        timestamp_type,
        without_padding(timestamp) if timestamp else b"",
    )


def _purpose(index: Index, item: int) -> tuple[str, str, str] | None:
    """Return Code Value, Coding Scheme Designator and Code Meaning of the purpose."""
    sequence = index.find(item, terms.DIGITAL_SIGNATURE_PURPOSE_CODE_SEQUENCE)
    for code in index.children(sequence):
        value, scheme, meaning = index.values(code, _CODE_FIELDS)
        return values.as_text(value), values.as_text(scheme), values.as_text(meaning)
    return None


def _too_long(index: Index, item: int, limits: Limits) -> MalformedError:
    for tag, most in (
        (terms.CERTIFICATE_OF_SIGNER, limits.certificate),
        (terms.SIGNATURE, limits.signature),
        (terms.CERTIFIED_TIMESTAMP, limits.certificate),
    ):
        record = index.record(index.find(item, tag)) if index.find(item, tag) >= 0 else None
        if record is not None and record.end - record.value > most:
            return too_long(tag, record.start, record.end - record.value, most)
    raise AssertionError("none of them is too long")


def parse_datetime(value: str, offset: str = "") -> datetime | None:
    """Parse a DT value (PS3.5 Section 6.2), as an aware datetime if the offset is known.

    Args:
        value: the stored text.
        offset: Timezone Offset From UTC (0008,0201) of the object, used if the value has none.

    Returns:
        None if it is not a date and time.
    """
    if _FULL(value) and value[12:14] != "60":  # true of nearly every signature
        try:
            return datetime.fromisoformat(f"{value[:8]}T{value[8:]}")
        except ValueError:
            return None
    match = _DT.fullmatch(value)
    if not match:
        return None
    *parts, fraction, zone = match.groups()
    defaults = (1, 1, 1, 0, 0, 0)
    year, month, day, hour, minute, second = (
        int(part) if part else default for part, default in zip(parts, defaults, strict=True)
    )
    try:
        microsecond = int((fraction or "").ljust(6, "0"))
        # PS3.5 allows a leap second; in Python a second ends at 59, so the next one begins
        leap = second == 60
        moment = datetime(year, month, day, hour, minute, second - leap, microsecond)
        moment += timedelta(seconds=leap)
        zone = zone or (offset if re.fullmatch(r"[+-]\d{4}", offset) else None)
        if zone is None:
            return moment
        distance = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
        return moment.replace(tzinfo=timezone(-distance if zone[0] == "-" else distance))
    except (ValueError, OverflowError):
        return None


def iso(moment: datetime) -> str:
    """Return ISO 8601 as isoformat() writes it, which is several times slower."""
    if moment.tzinfo is not UTC:
        return moment.isoformat()
    text: str = msgspec.to_builtins(moment)  # with a Z
    return text[:-1] + "+00:00"


def format_datetime(when: datetime) -> str:
    """Write an aware datetime as a DT value with its offset from UTC."""
    if when.year < 1000:
        return when.strftime("%Y%m%d%H%M%S.%f%z")[:26]
    # the same from ISO 8601, which is several times faster than strftime
    text = when.isoformat(timespec="microseconds").replace("-", "", 2).replace(":", "")
    return (text[:8] + text[9:])[:26]

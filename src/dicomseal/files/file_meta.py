"""File Meta Information: where the data set begins, and how it is encoded.

In: the first bytes of a file.
Out: a `FileMeta`, with a reason if the information is not exactly as in PS3.10.
PS3: PS3.10 Section 7.1.

Readers repair wrong File Meta Information in different ways: one trusts the group length, another
the group of each element, a third one guesses.
"""

from __future__ import annotations

import re
import struct
from typing import Any, NamedTuple

from ..errors import MalformedError
from ..standard import terms, transfer_syntaxes
from ..standard.tags import format_tag

# the BER encoding of a sequence of any length that begins with an object identifier (RFC 5652
# Section 3)
_CMS = re.compile(rb"\x30(?:\x80|\x81.|\x82..|\x83...|\x84....)\x06\x09", re.DOTALL)
_PREFIX = 128  # bytes of the preamble
_LONG_VRS = frozenset(vr.encode() for vr in terms.LONG_VRS)
_VRS = _LONG_VRS | frozenset(vr.encode() for vr in terms.SHORT_VRS)
_UID_CHARACTERS = frozenset("0123456789.")
_GROUP_LENGTH = 0x00020000
_CREATOR, _INFORMATION = 0x00020100, 0x00020102  # of Private Information
_header = struct.Struct("<HH2sH").unpack_from


class FileMeta(NamedTuple):
    """The File Meta Information, as far as it says how to read the data set.

    Attributes:
        start: offset of the data set.
        transfer_syntax: Transfer Syntax UID; empty if it is absent.
        doubt: why readers may take the encoding for another, a sentence; empty if they cannot.
        sop_class, sop_instance: Media Storage SOP Class and Instance UID as stored.
    """

    start: int
    transfer_syntax: str
    doubt: str
    sop_class: bytes = b""
    sop_instance: bytes = b""


NOTHING = FileMeta(0, "", "the object has no File Meta Information that states its encoding")


def read(head: Any) -> FileMeta:
    """Read the File Meta Information at the start of a file.

    Args:
        head: the first bytes, as many as it may have.

    Raises:
        MalformedError: it is cut short, not in explicit VR, or states two transfer syntaxes.
    """
    doubt = ""
    if head[_PREFIX : _PREFIX + 4] == b"DICM":
        position = _PREFIX + 4
    elif head[:2] == b"\x02\x00" and bytes(head[4:6]).isalpha():
        position = 0
        doubt = "there is no preamble with DICM at byte 128"
    else:
        return NOTHING
    return _elements(head, position, doubt)


def _elements(head: Any, position: int, doubt: str) -> FileMeta:
    start = position
    size = len(head)
    last = -1
    end = None  # the end by the group length
    values: dict[int, bytes] = {}
    while position + 8 <= size:
        group, element, vr, length = _header(head, position)
        if group != 2:
            break
        tag = 0x00020000 | element
        value = position + 8
        if vr in _LONG_VRS or vr not in _VRS:
            if length and vr.isalpha() and vr.isupper():
                doubt = doubt or f"the reserved bytes of {format_tag(tag)} are not zero"
            value, length = _long_header(head, position, tag, vr)
        if value + length > size:
            raise _cut_short(position)
        data = bytes(head[value : value + length])
        doubt = doubt or _oddity(tag, vr, length, last)
        if tag == _GROUP_LENGTH and position == start and length == 4:
            end = value + 4 + int.from_bytes(data, "little")
        if tag == terms.TRANSFER_SYNTAX_UID and tag in values:
            raise MalformedError(
                "the File Meta Information states two transfer syntaxes", "malformed", position
            )
        values[tag] = data
        last = tag
        position = value + length
    doubt = doubt or _group_length_doubt(end, position) or _private_information(values)
    uid = _transfer_syntax(values.get(terms.TRANSFER_SYNTAX_UID, b""), position)
    doubt = doubt or _label(uid)
    return FileMeta(
        position,
        uid,
        doubt and f"the File Meta Information is not as PS3.10 has it: {doubt}",
        values.get(terms.MEDIA_STORAGE_SOP_CLASS_UID, b""),
        values.get(terms.MEDIA_STORAGE_SOP_INSTANCE_UID, b""),
    )


def _group_length_doubt(stated: int | None, end: int) -> str:
    if stated == end:
        return ""
    return f"its group length (0002,0000) is {'absent' if stated is None else 'wrong'}"


def _long_header(head: Any, position: int, tag: int, vr: bytes) -> tuple[int, int]:
    """Return where the value of an element begins whose header has 12 bytes, and its length."""
    if not (vr.isalpha() and vr.isupper()):
        raise MalformedError(
            f"{format_tag(tag)} in the File Meta Information is not in explicit VR",
            "malformed", position,
        )  # fmt: skip
    value = position + 12
    if value > len(head):
        raise _cut_short(position)
    (length,) = struct.unpack_from("<L", head, position + 8)
    return value, length


def _oddity(tag: int, vr: bytes, length: int, last: int) -> str:
    known = terms.FILE_META_VRS.get(tag)
    if tag <= last:
        return f"{format_tag(tag)} occurs twice or is out of order"
    if known is None:
        return f"{format_tag(tag)} is not known there"
    if known.encode() != vr:
        return f"{format_tag(tag)} has the VR {vr.decode('latin-1')}, and not {known}"
    if length % 2:
        return f"{format_tag(tag)} has an odd length"
    return ""


def _private_information(values: dict[int, bytes]) -> str:
    """Return private Information is there if its creator is, and only then (PS3.10 Table 7.1-1)."""
    creator, information = _CREATOR in values, _INFORMATION in values
    if creator == information:
        return ""
    there, lacking = (_CREATOR, _INFORMATION) if creator else (_INFORMATION, _CREATOR)
    return f"{format_tag(there)} is there without {format_tag(lacking)}"


def _transfer_syntax(value: bytes, position: int) -> str:
    uid = value.rstrip(b"\0 ").decode("latin-1")
    if not set(uid) <= _UID_CHARACTERS:
        raise MalformedError(f"the Transfer Syntax UID {uid!r} is not a UID", "malformed", position)
    return uid


def _label(uid: str) -> str:
    if not uid:
        return "it states no Transfer Syntax UID (0002,0010)"
    if uid not in transfer_syntaxes.TRANSFER_SYNTAXES:
        return f"the Transfer Syntax UID {uid} is not known"
    return ""


def recognise(head: bytes, has_meta: bool, label: str = "") -> str:
    """Return the transfer syntax of a data set without a known one, by its first element.

    Args:
        head: the first 8 bytes of the data set, or as many as there are.
        has_meta: whether File Meta Information precedes it.
        label: the Transfer Syntax UID there, which is not known; for the message.

    Raises:
        MalformedError: it does not look like a data set.
    """
    if len(head) < 8:
        if has_meta and not head:
            return transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN
        raise MalformedError("not DICOM: too short", "not_dicom", 0)
    (little,), (big,) = struct.unpack("<H", head[:2]), struct.unpack(">H", head[:2])
    explicit = head[4:6] in _VRS
    # without any label, only a data set that begins in the usual way is accepted
    highest = 0xFFFE if has_meta else 0x0010
    if little <= big and 0 < little <= highest:
        return (
            transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN
            if explicit
            else transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN
        )
    if 0 < big <= highest and explicit:
        return transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN
    if not has_meta and _CMS.match(head):
        raise MalformedError(
            "not DICOM: a CMS (PKCS #7) envelope, perhaps with a DICOM file in it (PS3.10 Section "
            "7.4); take the content out first, e.g. with openssl cms", "not_dicom", 0,
        )  # fmt: skip
    if label:
        raise MalformedError(
            f"the Transfer Syntax {label} is not known, and the bytes do not show another",
            "unsupported", 0,
        )  # fmt: skip
    raise MalformedError(
        "not DICOM: no DICM at byte 128, and no data set at the first byte", "not_dicom", 0
    )


def begins_like_a_data_set(data: bytes) -> bool:
    """Return whether the first little endian element fits the bytes, in either VR encoding."""
    if len(data) < 8:
        return False
    vr = data[4:6]
    if vr in _LONG_VRS:
        size = 12 + int.from_bytes(data[8:12], "little")
    elif vr in _VRS:
        size = 8 + int.from_bytes(data[6:8], "little")
    else:
        size = 8 + int.from_bytes(data[4:8], "little")
    return size <= len(data)


def _cut_short(position: int) -> MalformedError:
    return MalformedError("the File Meta Information is cut short", "truncated", position)

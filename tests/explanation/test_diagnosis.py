"""Every cause by its code: made on purpose, found again, and proven; for RSA, ECDSA and DSA."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from _altered import CT, MAC, SIGNATURES, assembled, changed, explained, moved, signed, written
from _tamper import index_of, tampered
from pki import IMPLICIT, part10

from dicomseal.editing.reencode import reencode
from dicomseal.explanation.diagnosis.budget import Effort
from dicomseal.explanation.explanation import to_json
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode
from dicomseal.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN

VECTORS = Path(__file__).parents[1] / "data" / "dcmsign"
NAME, ID, DESCRIPTION, NUMBER, PIXELS = 0x00100010, 0x00100020, 0x00081030, 0x00200013, 0x7FE00010


def original(*changes: tuple[int, str, bytes], when: bytes = b"20260102030405") -> Any:
    """An item of Original Attributes Sequence."""
    return [
        (0x04000550, "SQ", [[*changes]]),
        (0x04000562, "DT", when),
        (0x04000563, "LO", b"ARCHIVE1"),
        (0x04000565, "CS", b"COERCE"),
    ]


def private(vr: str) -> list[Any]:
    return changed({0x00290010: ("LO", b"SOMEBODY"), 0x00291001: (vr, b"\1\2\3\4")})


def recoded(value: str = "Schädel nativ ") -> Any:
    utf8 = value.encode()
    return utf8 + b" " * (len(utf8) % 2)


def long_lengths(data: bytes) -> bytes:
    """The group length of group 0008, before all else."""
    index, _ = index_of(part10(encode(CT)))
    size = sum(
        index.record(n).end - index.record(n).start
        for n in index.children(0)
        if index.record(n).tag >> 16 == 0x0008
    )
    return encode([(0x00080000, "UL", size.to_bytes(4, "little"))]) + data


def swapped(data: bytes) -> bytes:
    pixels = bytes(range(32))
    turned = b"".join(pixels[at : at + 2][::-1] for at in range(0, 32, 2))
    assert pixels in data
    return data.replace(pixels, turned)


def coerced(who: str, *, name: bytes = b"Doe^Jane", empty: bool = False) -> bytes:
    before = changed({0x00080050: ("SH", b"")} if empty else {})
    old = [(0x00100010, "PN", b"Doe^John"), (0x00100020, "LO", b"PID 0815")]
    now = {NAME: name, ID: b"PID 0001"}
    if empty:
        old.insert(0, (0x00080050, "SH", b""))
    after = changed({**now, 0x04000561: ("SQ", [original(*old)])})
    return moved(signed(before, who), after)


def padded(value: bytes, now: bytes, tag: int = NAME) -> Any:
    return lambda who: moved(signed(changed({tag: value}), who), changed({tag: now}))


def relisted(who: str, signs: set[int], lists: set[int]) -> bytes:
    """Some elements are signed, and others are listed as signed then."""
    source = signed(CT, who, tags=sorted(signs))
    index, _ = index_of(source)
    words = [word for tag in sorted(lists) for word in (tag >> 16, tag & 0xFFFF)]
    mac = [
        (0x04000005, "US", b"\0\0"),
        (0x04000010, "UI", EXPLICIT_VR_LITTLE_ENDIAN.encode() + b"\0"),
        (0x04000015, "CS", b"SHA256"),
        (0x04000020, "AT", struct.pack(f"<{len(words)}H", *words)),
    ]
    record = index.record(index.find(0, SIGNATURES))
    taken = {SIGNATURES: source[record.start : record.end]}
    return assembled(CT, {MAC: encode([(MAC, "SQ", [mac])]), **taken})


def original_attributes(mac: bytes, signature: bytes) -> dict[int, bytes]:
    """Original Attributes Sequence with an item that holds a signature."""
    content = mac + signature
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content
    return {0x04000561: struct.pack("<HH2s2xL", 0x0400, 0x0561, b"SQ", len(item)) + item}


ALL = {element[0] for element in CT}
CODES = {0x00080005: b"ISO_IR 100", 0x00080060: b"CT", 0x00280004: b"MONOCHROME2 "}


CASES: dict[str, tuple[str, Any, str]] = {
    "name trimmed": ("VALUE_PADDING", padded(b"Doe^John  ", b"Doe^John"), "PatientName"),
    "much trimmed": ("VALUE_PADDING", padded(b"Doe^John" + b" " * 12, b"Doe^John"), "PatientName"),
    "padding added": ("VALUE_PADDING", padded(b"Doe^John", b"Doe^John    "), "PatientName"),
    "NUL for space": ("VALUE_PADDING", padded(b"Doe^Joh\0", b"Doe^Joh "), "PatientName"),
    "no padding at all": (
        "VALUE_PADDING", lambda who: written(
            who,
            lambda data, own: data.replace(b"PN\x08\0Doe^Joh ", b"PN\x07\0Doe^Joh") + own,
            changed({NAME: b"Doe^Joh "}),
        ),
        "PatientName",
    ),
    "very much trimmed": (
        "VALUE_PADDING", padded(b"PID 0815" + b" " * 40, b"PID 0815", ID), "PatientID",
    ),
    "filled to 64": ("VALUE_PADDING", padded(b"PID 0815".ljust(64), b"PID 0815", ID), "PatientID"),
    "each code filled to 16": (
        "VALUE_PADDING",
        lambda who: moved(
            signed(changed({tag: value.ljust(16) for tag, value in CODES.items()}), who), CT
        ),
        "PhotometricInterpretation",
    ),
    "UID with a space": (
        "VALUE_PADDING", padded(b"2.25.4711 ", b"2.25.4711\0", 0x00080018), "SOPInstanceUID",
    ),
    "in an item": (
        "VALUE_PADDING",
        lambda who: moved(
            signed(changed({0x00400275: [[(0x00400007, "LO", b"inner   ")]]}), who),
            changed({0x00400275: [[(0x00400007, "LO", b"inner ")]]}),
        ),
        "ScheduledProcedureStepDescription",
    ),
    "two names": (
        "VALUE_PADDING",
        lambda who: moved(
            signed(changed({NAME: b"Doe^John  ", ID: b"PID 0815  "}), who), CT
        ),
        "PatientID",
    ),
    "coerced": ("COERCED", coerced, "PatientName"),
    "coerced, empty before": ("COERCED", lambda who: coerced(who, empty=True), "AccessionNumber"),
    "OB for OW": (
        "AMBIGUOUS_VR",
        lambda who: moved(signed(changed({PIXELS: ("OB", bytes(range(32)))}), who), CT),
        "PixelData",
    ),
    "SS for US": (
        "AMBIGUOUS_VR",
        lambda who: moved(signed(changed({0x00280106: ("SS", b"\1\0")}), who), CT),
        "SmallestImagePixelValue",
    ),
    "private VR": ("LOST_VR", lambda who: moved(signed(private("UL"), who), private("OB")),
                   "(0029,1001)"),
    "private VR to UN": ("LOST_VR", lambda who: moved(signed(private("SL"), who), private("UN")),
                         "(0029,1001)"),
    "UTF-8": (
        "CHARACTER_SET",
        lambda who: moved(
            signed(CT, who),
            changed({0x00080005: b"ISO_IR 192", DESCRIPTION: recoded()}),
        ),
        "StudyDescription",
    ),
    "Latin-1": (
        "CHARACTER_SET",
        lambda who: moved(
            signed(changed({0x00080005: b"ISO_IR 192", DESCRIPTION: recoded()}), who), CT
        ),
        "StudyDescription",
    ),
    "bytes not swapped": (
        "BYTE_ORDER", lambda who: written(who, lambda data, own: swapped(data) + own), "PixelData",
    ),
    "group lengths": (
        "GROUP_LENGTHS", lambda who: written(who, lambda data, own: long_lengths(data) + own), "",
    ),
    "without its own item": (
        "ITEM_FIELDS", lambda who: written(who, lambda data, own: data), "MACIDNumber",
    ),
    "without MAC ID": (
        "ITEM_FIELDS", lambda who: written(who, lambda data, own: data + own[10:]), "MACIDNumber",
    ),
    "tag put in": ("TAG_LIST", lambda who: relisted(who, ALL - {ID}, ALL), "PatientID"),
    "tag taken out": ("TAG_LIST", lambda who: relisted(who, ALL, ALL - {ID}), "PatientID"),
    "one for another": (
        "TAG_LIST", lambda who: relisted(who, ALL - {ID}, ALL - {NAME}), "PatientID",
    ),
    "empty one removed": (
        "REMOVED",
        lambda who: moved(signed(changed({0x00080050: ("SH", b"")}), who), CT),
        "AccessionNumber",
    ),
    "empty sequence removed": (
        "REMOVED",
        lambda who: moved(signed(changed({0x00081140: ("SQ", [])}), who), CT),
        "ReferencedImageSequence",
    ),
    "numbered anew": (
        "OTHER_SIGNED_COPY",
        lambda who: moved(signed(changed({NUMBER: b"118 "}), who), CT),
        "InstanceNumber",
    ),
    "another hash": (
        "MAC_ALGORITHM",
        lambda who: written(
            who, lambda data, own: data + own, algorithm="SHA512", said="SHA256"
        ),
        "MACAlgorithm",
    ),
    "in Original Attributes": (
        "FOREIGN_FORMAT",
        lambda who: written(who, lambda data, own: data + own, into=original_attributes),
        "OriginalAttributesSequence",
    ),
    "without MAC ID Number": (
        "FOREIGN_FORMAT",
        lambda who: written(who, lambda data, own: data + own, mac_id=None),
        "MACIDNumber",
    ),
}  # fmt: skip


@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
@pytest.mark.parametrize("name", CASES)
def test_a_cause_is_found_and_proven(name, who):
    code, make, element = CASES[name]
    explanation = explained(make(who))
    (one,) = explanation.signatures
    assert [(cause.code, cause.certainty) for cause in one.causes] == [(code, "proven")], name
    assert not element or any(element in named for named in one.causes[0].elements)
    assert explanation.report.verdict != "passed"
    told = json.loads(to_json(explanation))["signatures"][0]["causes"]
    assert told[0]["code"] == code


@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({DESCRIPTION: b"Head    "}, {DESCRIPTION: b"Head"}),
        (
            {tag: value.ljust(16) for tag, value in CODES.items()},
            CODES,
        ),
    ],
    ids=["one", "each of a VR"],
)
def test_coercion_and_padding_at_once(who, before, now):
    """Of what was not coerced; and another value than the old one is explained by neither."""
    old = original((NAME, "PN", b"Doe^John"), (ID, "LO", b"PID 0815"))
    source = signed(changed(before), who)
    new = {**now, NAME: b"Doe^Jane", ID: b"PID 0001", 0x04000561: ("SQ", [old])}
    after = moved(source, changed(new))
    explanation = explained(after)
    first, second = explanation.signatures[0].causes
    assert (first.code, first.certainty) == ("COERCED", "proven")
    assert (second.code, second.certainty) == ("VALUE_PADDING", "proven")
    assert first.elements == ("(0010,0010) PatientName", "(0010,0020) PatientID")
    assert {name[:11] for name in second.elements} == {
        f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in now
    }
    assert (explanation.report.verdict, explanation.signatures[0].report.integrity) == (
        "failed",
        "altered",
    )
    assert "before the archive changed it" in (explanation.remedy or "")
    other = moved(source, changed({**new, 0x00100030: b"19700102"}))
    assert explained(other, Effort(hashes=2000)).signatures[0].causes == ()


@pytest.mark.parametrize("file", ["jpeg-legacy.dcm", "rle-legacy-ec.dcm"])
def test_the_old_form_of_dcmsign_is_proven(file):
    """By its own files, of RSA and of ECDSA; and not where anything else was changed too."""
    data = (VECTORS / file).read_bytes()
    explanation = explained(data)
    (one,) = explanation.signatures
    assert [(c.code, c.certainty) for c in one.causes] == [("LEGACY_FRAGMENTS", "proven")]
    assert one.causes[0].elements == ("(7FE0,0010) PixelData",)
    assert (explanation.report.verdict, one.report.integrity) == ("failed", "altered")
    assert "--accept-legacy-format" in (explanation.remedy or "")
    assert explained(data, accept_legacy=True).signatures[0].causes == ()
    (_, other), *_ = tampered(data, 1)
    assert "LEGACY_FRAGMENTS" not in {c.code for c in explained(other).signatures[0].causes}


@pytest.mark.parametrize("who", ["rsa", "ec"])
def test_what_was_changed_on_the_way_through_implicit_vr(who):
    """Pixels of 8 bits were signed as OB, which implicit VR does not say; and padding is gone."""
    data = signed(changed({PIXELS: ("OB", bytes(range(32))), NAME: b"Doe^John  "}), who)
    now = changed({PIXELS: ("OB", bytes(range(32)))})
    index, _ = index_of(data)
    taken = [
        data[index.record(n).start : index.record(n).end]
        for n in (index.find(0, MAC), index.find(0, SIGNATURES))
    ]
    explicit = assembled(now, dict(zip((MAC, SIGNATURES), taken, strict=True)))
    explanation = explained(converted(explicit))
    assert [(c.code, c.certainty) for c in explanation.signatures[0].causes] == [
        ("VALUE_PADDING", "proven")
    ]
    # the VRs are as they were before the search
    assert "OW" in {element.vr for element in explanation.signatures[0].covered.elements}


def converted(data):
    """The same in implicit VR."""
    explicit = Part10.from_bytes(data)
    reencoded, _ = reencode(explicit, explicit.index(), IMPLICIT)
    return reencoded

"""The header of a CT slice as a scanner writes it: about 120 elements, sequences included.

One element a line: tag, VR, value; ``{name}`` is filled in for each slice. Indented lines are the
items of the sequence above, ``-`` starts an item.
"""

from __future__ import annotations

import struct

from .encode import Writer

COMMON = """
00080005 CS ISO_IR 100
00080008 CS ORIGINAL\\PRIMARY\\AXIAL\\CT_SOM5 SPI
00080012 DA 20260114
00080013 TM 101502.312000
00080016 UI {sop_class}
00080018 UI {uid}.{instance}
00080020 DA 20260114
00080021 DA 20260114
00080022 DA 20260114
00080023 DA 20260114
00080030 TM 100811.140000
00080031 TM 101122.406000
00080032 TM 101438.917234
00080033 TM 101438.917234
00080050 SH A10{series}7731
00080060 CS CT
00080070 LO Example Medical Systems
00080080 LO University Hospital
00080081 ST 1 Hospital Road, Exampletown
00080090 PN Referrer^Rita^^Dr.
00081010 SH CTAWP7731
00081030 LO Thorax^01_ThoraxRoutine (Adult)
0008103E LO Thorax 1.0 B70f
00081040 LO Radiology
00081050 PN Performer^Paul
00081070 PN Operator^Olga
00081090 LO Example Scanner 64
00081110 SQ
 - 00081150 UI 1.2.840.10008.3.1.2.3.1
   00081155 UI {uid}.7001
00081111 SQ
 - 00081150 UI 1.2.840.10008.3.1.2.3.3
   00081155 UI {uid}.7002
00081140 SQ
 - 00081150 UI 1.2.840.10008.5.1.4.1.1.2
   00081155 UI {uid}.8001
 - 00081150 UI 1.2.840.10008.5.1.4.1.1.2
   00081155 UI {uid}.8002
 - 00081150 UI 1.2.840.10008.5.1.4.1.1.2
   00081155 UI {uid}.8003
00082112 SQ
 - 00081150 UI 1.2.840.10008.5.1.4.1.1.2
   00081155 UI {uid}.9001
00082218 SQ
 - 00080100 SH T-D3000
   00080102 SH SRT
   00080104 LO Chest
00100010 PN Example^Erika^M
00100020 LO PID-{series}-004711
00100021 LO University Hospital
00100030 DA 19610412
00100040 CS F
00101010 AS 064Y
00101020 DS 1.68
00101030 DS 71.5
00102160 SH unknown
001021B0 LT No known allergies. Follow-up of a nodule seen in the left upper lobe.
00102180 SH Teacher
00104000 LT Cooperative; breath held well.
00120062 CS NO
00180010 LO Iohexol 350
00180015 CS CHEST
00180022 CS HELICAL MODE
00180050 DS 1
00180060 DS 120
00180090 DS 500
00181000 LO 55{series}19
00181020 LO syngo CT 2012B
00181030 LO 01_ThoraxRoutine
00181040 LO IV
00181041 DS 90
00181044 DS 90
00181100 DS 353
00181110 DS 1085.6
00181111 DS 595
00181120 DS 0
00181130 DS 168.5
00181140 CS CW
00181150 IS 500
00181151 IS 187
00181152 IS 94
00181160 SH FLAT
00181170 IS 23
00181190 DS 1.2
00181200 DA 20260113
00181201 TM 063000.000000
00181210 SH B70f
00185100 CS HFS
0020000D UI {uid}.1
0020000E UI {uid}.2.{series}
00200010 SH 7731
00200011 IS {series}
00200012 IS 3
00200013 IS {instance}
00200020 CS L\\P
00200032 DS -176.15527\\-318.15527\\{position}
00200037 DS 1\\0\\0\\0\\1\\0
00200052 UI {uid}.3
00200060 CS U
00201040 LO {position}
00201041 DS {position}
00204000 LT {position}mm
00321032 PN Requester^Rolf
00321033 LO Pneumology
00321060 LO CT Thorax native
00380050 LO none
00400002 DA 20260114
00400003 TM 100000.000000
00400244 DA 20260114
00400245 TM 100811.140000
00400253 SH PPS7731
00400254 LO CT Thorax native
00400275 SQ
 - 00400007 LO CT Thorax native
   00400008 SQ
    - 00080100 SH CTTHORAX
      00080102 SH 99LOCAL
      00080104 LO CT Thorax native
   00400009 SH SPS7731
   00401001 SH RP7731
00400280 ST no remarks
00402017 LO PON-7731
"""

# VRs that Implicit VR leaves to a dictionary, which readers do not share: explicit files only.
EXPLICIT_ONLY = """
00090010 LO BENCH PRIVATE 01
00091001 LO private text
00091002 DS 0.6836
00091003 UI {uid}.99
00190010 LO BENCH PRIVATE 02
00191008 CS IMAGE NUM 4
00191009 LO 1.0
0019100A US #4
0019100B DS 12500
00191010 OB *512
"""


def header(w: Writer, instance: int, uid: str, sop_class: str) -> list[tuple[int, bytes]]:
    """(tag, encoded element) of everything but group 0028, in order."""
    words = {
        "uid": uid,
        "instance": str(instance),
        "series": str(3 + instance % 7),
        "position": f"{-1183.5 - instance:.1f}",
        "sop_class": sop_class,
    }
    lines = COMMON.strip("\n").splitlines()
    if not w.implicit:
        lines += EXPLICIT_ONLY.strip("\n").splitlines()
    return sorted(_elements(w, lines, words))


def image(w: Writer, rows: int, bits: int, frames: int = 0) -> list[tuple[int, bytes]]:
    """(tag, encoded element) of group 0028, for monochrome images."""

    def us(tag: int, value: int) -> tuple[int, bytes]:
        return tag, w.element(tag, "US", struct.pack("<H", value))

    def text(tag: int, vr: str, value: str) -> tuple[int, bytes]:
        return tag, w.element(tag, vr, value)

    elements = [
        us(0x00280002, 1),
        text(0x00280004, "CS", "MONOCHROME2"),
        us(0x00280010, rows),
        us(0x00280011, rows),
        text(0x00280030, "DS", "0.689453125\\0.689453125"),
        us(0x00280100, bits),
        us(0x00280101, min(bits, 12)),
        us(0x00280102, min(bits, 12) - 1),
        us(0x00280103, 0),
        text(0x00281050, "DS", "50\\-600"),
        text(0x00281051, "DS", "350\\1200"),
        text(0x00281052, "DS", "-1024"),
        text(0x00281053, "DS", "1"),
        text(0x00281055, "LO", "WINDOW1\\WINDOW2"),
    ]
    if frames:
        elements.append(text(0x00280008, "IS", str(frames)))
    return sorted(elements)


def _elements(w: Writer, lines: list[str], words: dict[str, str]) -> list[tuple[int, bytes]]:
    """Elements at the left margin of ``lines``; what is indented belongs to the one above."""
    found = []
    number = 0
    while number < len(lines):
        tag_text, vr, *rest = lines[number].split(" ", 2)
        number += 1
        inside = []
        while number < len(lines) and lines[number].startswith(" "):
            inside.append(lines[number])
            number += 1
        tag = int(tag_text, 16)
        if vr == "SQ":
            found.append((tag, w.sequence(tag, _items(w, inside, words))))
        else:
            found.append((tag, w.element(tag, vr, _value(rest[0].format(**words)))))
    return found


def _items(w: Writer, lines: list[str], words: dict[str, str]) -> list[bytes]:
    margin = lines[0].index("-")
    items: list[list[str]] = []
    for line in lines:
        if line[margin] == "-":
            items.append([])
        items[-1].append(line[margin + 2 :])
    return [b"".join(data for _, data in _elements(w, item, words)) for item in items]


def _value(text: str) -> str | bytes:
    if text.startswith("#"):  # an unsigned short
        return struct.pack("<H", int(text[1:]))
    if text.startswith("*"):  # so many bytes
        return bytes(range(256)) * (int(text[1:]) // 256)
    return text

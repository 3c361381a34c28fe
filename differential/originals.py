"""Signed objects in all encodings, by dicomseal and by dcmsign; the mutants begin with these.

They are made once for a cache, with the keys of the fuzzing corpus.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import NamedTuple

from fuzz import seeds

from dicomseal import sign_file

from . import CACHE, ROOT
from .tree import BIG, EXPLICIT, IMPLICIT, PIXEL_DATA, Node, Style, emit, parse

EXPLICIT_UID = "1.2.840.10008.1.2.1"
IMPLICIT_UID = "1.2.840.10008.1.2"
BIG_UID = "1.2.840.10008.1.2.2"
DEFLATED_UID = "1.2.840.10008.1.2.1.99"
RLE_UID = "1.2.840.10008.1.2.5"
JPEG_UID = "1.2.840.10008.1.2.4.50"
STYLES = {IMPLICIT_UID: IMPLICIT, BIG_UID: BIG}
SEQUENCES = frozenset(
    (0x00081110, 0x00409096, 0x0040A043, 0x0040A730, 0x4FFE0001, 0xFFFAFFFA, 0x04000401, 0x00540016)
)
MAC_PARAMETERS, SIGNATURES = 0x4FFE0001, 0xFFFAFFFA
SECONDARY_CAPTURE, SR = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.88.33"
SIZE = 8  # rows and columns


class Original(NamedTuple):
    """A signed object, taken apart.

    ``signed`` are the tags that its signature of the main data set lists.
    """

    name: str
    data: bytes
    syntax: str
    head: bytes
    body: bytes
    nodes: list[Node]
    signed: frozenset[int]

    @property
    def style(self) -> Style:
        return STYLES.get(self.syntax, EXPLICIT)

    @property
    def deflated(self) -> bool:
        return self.syntax == DEFLATED_UID

    def file(self, body: bytes, head: bytes | None = None) -> bytes:
        """A file with another data set, and perhaps another beginning."""
        return (self.head if head is None else head) + (deflate(body) if self.deflated else body)


def deflate(data: bytes) -> bytes:
    """As PS3.5 Annex A.5 wants it."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    return packed + b"\0" * (len(packed) % 2)


def uid(text: str) -> bytes:
    return text.encode() + b"\0" * (len(text) % 2)


def meta(syntax: str, sop_class: str = SECONDARY_CAPTURE) -> list[tuple[int, bytes, bytes]]:
    """File Meta Information without its group length (PS3.10 Section 7.1)."""
    return [
        (0x00020001, b"OB", b"\0\1"), (0x00020002, b"UI", uid(sop_class)),
        (0x00020003, b"UI", uid("2.25.1234")), (0x00020010, b"UI", uid(syntax)),
        (0x00020012, b"UI", uid("2.25.99")),
    ]  # fmt: skip


def with_head(elements: list[tuple[int, bytes, bytes]]) -> bytes:
    """Preamble, prefix, group length and these elements."""
    group = b"".join(EXPLICIT.element(*row) for row in elements)
    length = EXPLICIT.element(0x00020000, b"UL", struct.pack("<L", len(group)))
    return b"\0" * 128 + b"DICM" + length + group


def frames(first: int, count: int) -> list[bytes]:
    """Pixels of 16 bits, each frame of another grey; a corner is another again."""
    return [
        struct.pack("<H", first + 100 * n + 7) + struct.pack("<H", first + 100 * n) * (SIZE**2 - 1)
        for n in range(count)
    ]


def rle(frame: bytes) -> bytes:
    """A frame as RLE Lossless, all of it literal runs (PS3.5 Annex G)."""
    segments = []
    for plane in (frame[1::2], frame[::2]):
        packed = b"".join(
            bytes([len(plane[at : at + 128]) - 1]) + plane[at : at + 128]
            for at in range(0, len(plane), 128)
        )
        segments.append(packed + b"\0" * (len(packed) % 2))
    offsets = [64, 64 + len(segments[0])]
    return struct.pack("<16L", 2, *offsets, *[0] * 13) + b"".join(segments)


def image(name: str, patient: str, grey: int, count: int, coded: str = "") -> list[Node]:
    """A small image; ``coded`` says how its pixels are encapsulated."""
    pixels = frames(grey, count)
    code = [Node(0x00080100, b"SH", b"T-1 "), Node(0x00080104, b"LO", name.encode())]
    nodes = [
        Node(0x00080008, b"CS", b"DERIVED\\SECONDARY "),
        Node(0x00080016, b"UI", uid(SECONDARY_CAPTURE)), Node(0x00080018, b"UI", b"2.25.1234\0"),
        Node(0x00080020, b"DA", b"20200101"), Node(0x00080060, b"CS", b"OT"),
        Node(0x00080064, b"CS", b"WSD "), Node(0x00081010, b"SH", b"STATION-12345 "),
        Node(0x00081110, b"SQ", items=[[
            Node(0x00081150, b"UI", uid(SECONDARY_CAPTURE)), Node(0x00081155, b"UI", b"2.25.77\0"),
            Node(0x0040A043, b"SQ", items=[code, code]),
        ]]),
        Node(0x00090010, b"LO", b"GEMS_IDEN_01"), Node(0x00091002, b"SH", b"SUITE1"),
        Node(0x00100010, b"PN", name.encode()), Node(0x00100020, b"LO", patient.encode()),
        Node(0x00100030, b"DA", b"19700101"), Node(0x00100040, b"CS", b"M "),
        Node(0x0020000D, b"UI", b"2.25.1\0\0"[:6]), Node(0x0020000E, b"UI", b"2.25.2"),
        Node(0x00200011, b"IS", b"1 "), Node(0x00200013, b"IS", b"1 "),
        Node(0x00280002, b"US", b"\1\0"), Node(0x00280004, b"CS", b"MONOCHROME2 "),
    ]  # fmt: skip
    if count > 1:
        nodes.append(Node(0x00280008, b"IS", b"%d " % count))
    numbers = [(0x10, SIZE), (0x11, SIZE), (0x100, 16), (0x101, 16), (0x102, 15), (0x103, 0)]
    nodes += [Node(0x00280000 | e, b"US", struct.pack("<H", value)) for e, value in numbers]
    nodes += [
        Node(0x00280106, b"US", b"\x10\0"), Node(0x00280120, b"US", b"\0\x80"),
        Node(0x00281050, b"DS", b"100 "), Node(0x00281051, b"DS", b"400 "),
        Node(0x00281052, b"DS", b"-8"), Node(0x00281053, b"DS", b"2 "),
        Node(0x00281054, b"LO", b"US"),
        Node(0x00409096, b"SQ", items=[[
            Node(0x00409211, b"US", b"\0\xf0"), Node(0x00409216, b"US", b"\0\0"),
            Node(0x00409224, b"FD", struct.pack("<d", 0.5)),
            Node(0x00409225, b"FD", struct.pack("<d", 2.0)),
        ]]),
        Node(0x00720026, b"AT", b"\x28\0\x10\0"), Node(0x00720065, b"OB", b"\1\2\3\4"),
        Node(0x00720068, b"LT", b"Some text."), Node(0x00720074, b"FD", struct.pack("<d", 3.0)),
        Node(0x00720078, b"UL", b"\1\2\3\4"), Node(0x0072007A, b"US", b"\0\xff"),
    ]  # fmt: skip
    if coded:
        coder = [rle(p) for p in pixels]
        table = b""
        if "table" in coded:
            starts = [sum(8 + len(c) for c in coder[:n]) for n in range(count)]
            table = struct.pack(f"<{count}L", *starts)
        nodes.append(Node(PIXEL_DATA, b"OB", fragments=[table, *coder], undefined=True))
    else:
        nodes.append(Node(PIXEL_DATA, b"OW", b"".join(pixels)))
    return nodes


def bytes_in_words(name: str, patient: str, grey: int) -> list[Node]:
    """An image of 8 bits in OW, of which two make a word (PS3.5 Section 8.1.1, Annex D)."""
    fields = {0x00280100: b"\x08\0", 0x00280101: b"\x08\0", 0x00280102: b"\7\0"}
    nodes = []
    for node in image(name, patient, 0, 1):
        pixels = node.tag == PIXEL_DATA
        value = bytes((grey + n) & 0xFF for n in range(SIZE * SIZE)) if pixels else node.value
        nodes.append(Node(node.tag, node.vr, fields.get(node.tag, value), node.items))
    return nodes


def photograph(name: str, patient: str) -> list[Node]:
    """A colour image in JPEG, whose fragment comes from a file that dcmsign signed."""
    data = (ROOT / "tests" / "data" / "dcmsign" / "jpeg.dcm").read_bytes()
    at = data.index(b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff")
    (pixels,) = (n for n in parse(data[at:], EXPLICIT) if n.tag == PIXEL_DATA)
    fields = {0x00280002: b"\3\0", 0x00280004: b"YBR_FULL", 0x00280006: b"\0\0",
              0x00280010: b"\3\0", 0x00280011: b"\3\0", 0x00280100: b"\x08\0",
              0x00280101: b"\x08\0", 0x00280102: b"\7\0"}  # fmt: skip
    nodes = []
    for node in image(name, patient, 0, 1):
        if (node.tag >> 8 in (0x2810, 0x2801) and node.tag > 0x00280103) or node.tag == PIXEL_DATA:
            continue
        if node.tag == 0x00280004:
            nodes += [Node(node.tag, b"CS", fields[node.tag]), Node(0x00280006, b"US", b"\0\0")]
        else:
            nodes.append(Node(node.tag, node.vr, fields.get(node.tag, node.value), node.items))
    return [*nodes, pixels]


def report(name: str, patient: str, text: str) -> list[Node]:
    """A Structured Report: sequences in sequences."""

    def code(meaning: bytes) -> list[Node]:
        return [Node(0x00080100, b"SH", b"T-1 "), Node(0x00080102, b"SH", b"99TEST"),
                Node(0x00080104, b"LO", meaning)]  # fmt: skip

    def item(words: str, *inner: list[Node]) -> list[Node]:
        nodes = [
            Node(0x0040A010, b"CS", b"CONTAINS"), Node(0x0040A040, b"CS", b"TEXT"),
            Node(0x0040A043, b"SQ", items=[code(b"Finding ")]),
            Node(0x0040A160, b"UT", words.encode() + b" " * (len(words) % 2)),
        ]  # fmt: skip
        return nodes + ([Node(0x0040A730, b"SQ", items=list(inner))] if inner else [])

    return [
        Node(0x00080016, b"UI", uid(SR)), Node(0x00080018, b"UI", b"2.25.1234\0"),
        Node(0x00080060, b"CS", b"SR"), Node(0x00100010, b"PN", name.encode()),
        Node(0x00100020, b"LO", patient.encode()), Node(0x0020000D, b"UI", b"2.25.1"),
        Node(0x0020000E, b"UI", b"2.25.2"), Node(0x00200011, b"IS", b"1 "),
        Node(0x0040A040, b"CS", b"CONTAINER "), Node(0x0040A043, b"SQ", items=[code(b"Report")]),
        Node(0x0040A730, b"SQ", items=[
            item(text), item("one", item("two", item(text), item("three")), item("four")),
        ]),
    ]  # fmt: skip


DOE = ("Doe^John", "1234")
MALLORY = ("Mallory^Evil", "6666")
PLANS = {
    "image": (lambda name, patient, grey: image(name, patient, grey, 1), False),
    "frames": (lambda name, patient, grey: image(name, patient, grey, 3), False),
    "bytes": (bytes_in_words, False),
    "report": (lambda name, patient, grey: report(name, patient, f"It is {grey:04}"), False),
    "rle": (lambda name, patient, grey: image(name, patient, grey, 3, "rle"), True),
    "table": (lambda name, patient, grey: image(name, patient, grey, 3, "rle table"), True),
    "jpeg": (lambda name, patient, _grey: photograph(name, patient), True),
}  # fmt: skip
ENCODINGS = {
    "explicit": EXPLICIT_UID, "implicit": IMPLICIT_UID, "big": BIG_UID, "deflated": DEFLATED_UID
}  # fmt: skip
SIGNERS = ("dicomseal", "dcmsign", "both")  # one after the other


def forged(kind: str) -> list[Node]:
    """The content that somebody would like to be seen, of the kind of an original."""
    return PLANS[kind][0](*MALLORY, 999)  # type: ignore[no-untyped-call]


def plain(kind: str, syntax: str, undefined: bool) -> bytes:
    """An unsigned file."""
    body = emit(PLANS[kind][0](*DOE, 100), STYLES.get(syntax, EXPLICIT), undefined)  # type: ignore[no-untyped-call]
    head = with_head(meta(syntax, SR if kind == "report" else SECONDARY_CAPTURE))
    return head + (deflate(body) if syntax == DEFLATED_UID else body)


def make() -> None:
    """Write the originals into the cache, if they are not there."""
    folder = _folder()
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for kind, (_, encapsulated) in PLANS.items():
        syntaxes = ENCODINGS if not encapsulated else {
            "compressed": JPEG_UID if kind == "jpeg" else RLE_UID
        }  # fmt: skip
        for encoding, syntax in syntaxes.items():
            for signer in SIGNERS if shutil.which("dcmsign") else SIGNERS[:1]:
                # some sequences have lengths, some have delimiters
                source = folder / "plain"
                source.write_bytes(plain(kind, syntax, signer == "dcmsign"))
                target = folder / f"{kind}-{encoding}-{signer}.dcm"
                _sign(source, target, signer, "ec" if kind == "image" else "rsa")
                source.unlink()
    (folder / "done").touch()


def _sign(source: Path, target: Path, signer: str, kind: str) -> None:
    pair = seeds.pair(kind)
    if signer == "both":
        _sign(source, target, "dicomseal", "rsa")
        source.write_bytes(target.read_bytes())
        _sign(source, target, "dcmsign", kind)
        return
    if signer == "dicomseal":
        sign_file(source, target, *pair)
        return
    key = seeds.CACHE / f"{kind}.key"
    subprocess.run(
        ["dcmsign", "+s", key, key.with_suffix(".pem"), "+m2", source, target],
        check=True, capture_output=True, env=os.environ | {"TZ": "UTC"},
    )  # fmt: skip


def _folder() -> Path:
    """Where they lie; other plans and other programs make others."""
    digest = hashlib.sha256(Path(__file__).read_bytes() + bytes(shutil.which("dcmsign") is None))
    return CACHE / f"originals-{digest.hexdigest()[:8]}"


def load() -> list[Original]:
    """The originals, by name."""
    make()
    paths = sorted(_folder().glob("*.dcm"))
    return [taken_apart(path.stem, path.read_bytes()) for path in paths]


def taken_apart(name: str, data: bytes) -> Original:
    """A signed file."""
    at, syntax = 132, ""
    while data[at : at + 2] == b"\2\0":
        value = at + 8
        length = int.from_bytes(data[at + 6 : value], "little")
        if data[at + 4 : at + 6] == b"OB":
            value, length = at + 12, int.from_bytes(data[at + 8 : at + 12], "little")
        if data[at + 2 : at + 4] == b"\x10\0":
            syntax = data[value : value + length].rstrip(b"\0").decode()
        at = value + length
    body = data[at:]
    if syntax == DEFLATED_UID:
        body = zlib.decompressobj(-15).decompress(body)
    nodes = parse(body, STYLES.get(syntax, EXPLICIT), SEQUENCES)
    signed: set[int] = set()
    for node in nodes:
        for item in (node.items or []) if node.tag == MAC_PARAMETERS else []:
            for inner in item:
                if inner.tag == 0x04000020:
                    words = struct.unpack(f"<{len(inner.value) // 2}H", inner.value)
                    signed.update(g << 16 | e for g, e in zip(*[iter(words)] * 2, strict=True))
    return Original(name, data, syntax, data[:at], body, nodes, frozenset(signed))

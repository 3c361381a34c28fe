"""What strangers send breaks neither the terminal, nor the page, nor the budget."""

from __future__ import annotations

import json
import random
import struct
import time

import pytest
from _altered import CT, MAC, SIGNATURES, changed, explained, moved, signed
from _tamper import index_of, tampered
from pki import part10, small

from dicomseal import verify
from dicomseal.encoding.limits import Limits
from dicomseal.explanation.comparison.compare import compare
from dicomseal.explanation.diagnosis.budget import Effort
from dicomseal.explanation.explanation import MAX_EXPLAINED, explain, to_json
from dicomseal.explanation.html import render as page
from dicomseal.explanation.subject import Subject
from dicomseal.explanation.text import render
from dicomseal.signature.items import encode, encode_item
from dicomseal.verification.options import Options

SHORT = Effort(hashes=300, seconds=2)


def all_formats(explanation):
    """Each of them can be written; what came of it."""
    lines = list(render(explanation))
    assert all(line.isprintable() for line in lines)
    return lines, json.loads(to_json(explanation)), page(explanation)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"garbage", b"\xff" * 5000, b"%PDF-1.7" * 99, small()[:300], small()[:-3]],
    ids=["nothing", "NUL", "garbage", "FF", "PDF", "cut early", "cut late"],
)  # fmt: skip
def test_garbage(data):
    explanation = explained(data, SHORT)
    assert explanation.report.verdict == "error"
    lines, told, _ = all_formats(explanation)
    assert lines[0].startswith("error")
    assert told["signatures"] == []


def test_unsigned():
    lines, told, _ = all_formats(explained(small(), SHORT))
    assert lines[0].startswith("unsigned")
    assert told["verdict"] == "unsigned"


def test_every_flipped_byte_is_explained_or_reported():
    """Whatever is damaged: an explanation has the verdict of a verification, and never raises."""
    data = signed(CT)
    chance = random.Random(16)
    for _ in range(150):
        other = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            other[chance.randrange(132, len(data))] = chance.randrange(256)
        explanation = explained(bytes(other), Effort(hashes=50, seconds=1))
        all_formats(explanation)


def test_every_cut_is_explained_or_reported():
    data = signed(CT)
    for size in range(140, len(data), 97):
        all_formats(explained(data[:size], Effort(hashes=20, seconds=1)))


def test_damage_inside_of_the_signature():
    """Its own fields: MAC ID, UID, time, type, certificate, value."""
    data = signed(CT)
    index, _ = index_of(data)
    for tag in (MAC, SIGNATURES):
        (item,) = index.children(index.find(0, tag))
        for number in index.children(item):
            record = index.record(number)
            for at in (record.start, record.value, record.end - 1):
                other = bytearray(data)
                other[at] ^= 0x5A
                all_formats(explained(bytes(other), SHORT))


def many(count):
    """An object with so many signatures, one like the other."""
    data = signed(CT)
    index, _ = index_of(data)
    sequence = index.record(index.find(0, SIGNATURES))
    (item,) = index.children(index.find(0, SIGNATURES))
    one = data[index.record(item).start : index.record(item).end]
    head = struct.pack("<HH2s2xL", SIGNATURES >> 16, SIGNATURES & 0xFFFF, b"SQ", len(one) * count)
    return data[: sequence.start] + head + one * count


def test_very_many_signatures():
    data = many(3000).replace(b"Doe^John", b"Eve^John")
    explanation = explained(data, SHORT)
    assert len(explanation.signatures) == MAX_EXPLAINED
    assert explanation.left_out == 3000 - MAX_EXPLAINED
    assert sum(one.search.hashes for one in explanation.signatures) <= SHORT.hashes
    lines, told, _ = all_formats(explanation)
    assert len(told["signatures"]) == 3000
    assert told["signatures_not_explained"] == explanation.left_out
    assert sum("causes" in one for one in told["signatures"]) == MAX_EXPLAINED
    assert any("--uid" in line for line in lines)


def test_very_many_elements():
    """400,000 of them, in 100,000 items: the search ends at its budget, and soon after."""
    item = encode_item([(0x00400007, "LO", b"inner "), (0x00400009, "SH", b"1 ")]) * 200_000
    sequence = struct.pack("<HH2s2xL", 0x0040, 0x0275, b"SQ", len(item)) + item
    before = [element for element in CT if element[0] < 0x00400275]
    after = [element for element in CT if element[0] > 0x00400275]
    data = signed_bytes(part10(encode(before) + sequence + encode(after)))
    data = data.replace(b"Doe^John", b"Eve^John")
    begin = time.monotonic()
    verdict = verify(data, integrity_only=True)
    plain = time.monotonic() - begin
    subject = Subject(data, Options(integrity_only=True))
    explanation = explain(subject, Effort(hashes=10**6, seconds=1))
    assert explanation.report == verdict
    assert time.monotonic() - begin < 10 * plain + 20  # it would take hours
    assert not explanation.signatures[0].search.complete
    all_formats(explanation)


def signed_bytes(data):
    import io

    from pki import member

    from dicomseal import sign_file

    out = io.BytesIO()
    sign_file(data, out, *member("rsa").pair)
    return out.getvalue()


HOSTILE = [
    b"\x1b]0;title\x07", b"\x1b[2J\x1b[1;1H", b"<img src=x onerror=alert(1)>", b"a\r\nb",
    "\u202e\u2066\u200f".encode(), b"\xc2\x9b31m", b"\x00\x01\x7f", b"%s%n{0}", b"\xff\xfe\xfd",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_and_names(value):
    value += b" " * (len(value) % 2)
    elements = changed({0x00100010: value, 0x00080018: b"1.2" + b"\x1b[31m</b>"[:9]})
    data = moved(signed(elements), changed({0x00100010: value + b"  "}, elements))
    explanation = explain(Subject(data, Options(integrity_only=True)), SHORT, with_values=True)
    lines, _, html = all_formats(explanation.at("/x/" + value.decode("utf-8", "surrogateescape")))
    text = html.decode()
    for bad in ("\x1b", "\x07", "\u202e", "\u2066", "\u200f", "\x9b", "\x7f", "<img"):
        assert bad not in text
        assert not any(bad in line for line in lines if bad != "<img")


def test_hostile_signers():
    """Names in a certificate are a stranger's, too; here they are in the report's sentences."""
    data = signed(CT).replace(b"Test rsa", b"\x1b[31mrsa"[:8])
    for format_of in (
        lambda explanation: "\n".join(render(explanation)),
        lambda explanation: page(explanation).decode(),
    ):
        assert "\x1b" not in format_of(explained(data, SHORT))


def test_deep_nesting():
    """As deep as the limits let it be; Python's own stack ends before that."""
    depth = 1500
    begin = bytes.fromhex("40007502535100 00FFFFFFFF FEFF00E0FFFFFFFF")
    end = bytes.fromhex("FEFF0DE000000000 FEFFDDE000000000")
    nested = begin * depth + encode([(0x00400009, "SH", b"1 ")]) + end * depth
    before = [element for element in CT if element[0] < 0x00400275]
    data = signed_bytes(part10(encode(before) + nested))
    explanation = explained(data.replace(b"Doe^John", b"Eve^John"), SHORT)
    assert explanation.report.verdict == "failed"
    all_formats(explanation)
    (one,) = compare(data, data.replace(b"SH\2\0001 ", b"SH\2\0002 "), Limits()).differences
    assert one.location.count("[0]") == depth


def test_tampered_items_and_implicit_objects():
    for form in ("implicit", "big endian"):
        data = signed_bytes(small(form))
        for _, other in tampered(data, 8):
            explanation = explained(other, SHORT)
            assert explanation.report.verdict in ("failed", "indeterminate")
            all_formats(explanation)

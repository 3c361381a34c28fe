"""What a hostile object may cost: each limit has a verdict, and no work is quadratic."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import pki
import pytest
from _apart import MACS, SIGNATURES, Signed, sequence

from dicomseal import Limits, sign_file, verify
from dicomseal.encoding.limits import MIN_READ_BUDGET, ReadBudget
from dicomseal.errors import MalformedError
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode
from dicomseal.standard import terms, transfer_syntaxes


@pytest.fixture
def ct(test_files, tmp_path) -> Signed:
    return Signed(tmp_path, Path(test_files, "CT_small.dcm"))


def answer(data, **limits):
    return verify(data, integrity_only=True, limits=Limits(**limits))


def told(report) -> str:
    assert (report.verdict, report.error.code) == ("error", "limit")
    return report.error.message


def with_id(content: bytes, number: int) -> bytes:
    """An item's content with another MAC ID Number, its first element."""
    assert content[:8] == b"\x00\x04\x05\x00US\x02\x00"
    return content[:8] + struct.pack("<H", number) + content[10:]


def signed_by_many(ct: Signed, count: int) -> bytes:
    return ct.rebuilt(tfffafffa=sequence(SIGNATURES, *[ct.content(SIGNATURES)] * count))


def test_signatures(ct):
    data = signed_by_many(ct, 5)
    assert answer(data, signatures=5).verdict == "passed"
    assert told(answer(data, signatures=4)) == "the object has more than 4 signatures"


def test_signatures_in_items_count_too(test_files, tmp_path):
    path = tmp_path / "plan.dcm"
    sign_file(str(Path(test_files, "rtplan.dcm")), path, *pki.member("rsa").pair)
    sign_file(path, path, *pki.member("rsa").pair, items="BeamSequence[0]")
    assert answer(str(path), signatures=2).verdict == "passed"
    assert "more than 1 " in told(answer(str(path), signatures=1))


@pytest.mark.parametrize(
    ("tag", "limit"),
    [(terms.CERTIFICATE_OF_SIGNER, "certificate"), (terms.SIGNATURE, "signature")],
)
def test_certificates_and_signatures(ct, tag, limit, backend):
    size = len(ct.index.values(next(ct.index.children(ct.index.find(0, SIGNATURES))), (tag,))[0])
    assert answer(ct.data, **{limit: size}).verdict == "passed"
    message = told(answer(ct.data, **{limit: size - 1}))
    assert f"has {size} bytes; at most {size - 1} are read" in message


def test_certified_timestamp(ct):
    item = ct.content(SIGNATURES) + encode([(terms.CERTIFIED_TIMESTAMP, "OB", bytes(70_000))])
    assert "(0400,0310) has 70000 bytes" in told(
        answer(ct.rebuilt(tfffafffa=sequence(SIGNATURES, item)))
    )


def test_data_sets_in_memory_have_limits_too(test_files):
    from pydicom import dcmread

    report = verify(dcmread(Path(test_files, "CT_small.dcm")), limits=Limits(records=10))
    assert told(report) == "the data set holds more than 10 elements and items (offset 226)"


def test_meta_information_is_limited(ct, tmp_path):
    private = b"\x02\x00\x02\x01OB\0\0" + struct.pack("<L", 70_000) + bytes(70_000)
    meta = ct.head + private
    (tmp_path / "a.dcm").write_bytes(meta + ct.data[len(ct.head) :])
    for source in (meta + ct.data[len(ct.head) :], str(tmp_path / "a.dcm")):
        assert "File Meta Information has more than 65528 bytes" in told(answer(source))


def test_work_is_counted():
    work = ReadBudget(10, Limits(passes=3))
    work.read(MIN_READ_BUDGET)
    with pytest.raises(MalformedError, match="more than 3 times over"):
        work.read(1)
    work = ReadBudget(MIN_READ_BUDGET, Limits(passes=3))
    work.read(3 * MIN_READ_BUDGET)
    with pytest.raises(MalformedError):
        work.read(1)


def test_signatures_over_different_elements_may_not_cost_without_end(ct, monkeypatch, backend):
    """Each list needs a pass of its own over the pixels; equal ones share it."""
    monkeypatch.setattr("dicomseal.encoding.limits.MIN_READ_BUDGET", 0)
    mac, signature = ct.content(MACS), ct.content(SIGNATURES)
    head = ct.without(mac, terms.DATA_ELEMENTS_SIGNED)

    def listing(tag: int) -> bytes:
        words = (tag >> 16, tag & 0xFFFF, 0x7FE0, 0x0010)
        return head + encode([(terms.DATA_ELEMENTS_SIGNED, "AT", struct.pack("<4H", *words))])

    numbers = range(100)
    signatures = sequence(SIGNATURES, *(with_id(signature, n) for n in numbers))
    different = [with_id(listing(0x00100010 + n), n) for n in numbers]
    equal = [with_id(listing(0x00100010), n) for n in numbers]
    data = ct.rebuilt(tfffafffa=signatures, t4ffe0001=sequence(MACS, *different))
    answered = answer(data, passes=10)
    assert "would have to be read more than 10 times over" in told(answered)
    assert answer(data, passes=100).verdict == "failed"
    data = ct.rebuilt(tfffafffa=signatures, t4ffe0001=sequence(MACS, *equal))
    assert answer(data, passes=2).verdict == "failed"


def test_signatures_inside_one_another_may_not_either(monkeypatch):
    """Every level is hashed again by each level around it."""
    monkeypatch.setattr("dicomseal.encoding.limits.MIN_READ_BUDGET", 0)
    mac = encode(
        [
            (0x04000005, "US", b"\0\0"),
            (0x04000010, "UI", b"1.2.840.10008.1.2.1\0"),
            (0x04000015, "CS", b"SHA256"),
            (0x04000020, "AT", struct.pack("<4H", 0x0040, 0xA730, 0x0040, 0xA160)),
        ]
    )
    certificate = pki.member("rsa").der
    signature = encode(
        [
            (0x04000005, "US", b"\0\0"),
            (0x04000110, "CS", b"X509_1993_SIG "),
            (0x04000115, "OB", certificate + b"\0" * (len(certificate) % 2)),
            (0x04000120, "OB", b"\x01" * 256),
        ]
    )
    value = encode([(0x0040A160, "UT", b"x" * 1000)])
    level = value
    for _ in range(100):
        inner = sequence(0x0040A730, level)
        level = value + inner + sequence(MACS, mac) + sequence(SIGNATURES, signature)
    data = Part10.from_data_set(level, transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN)
    assert len(data.index().scopes) == 100
    meta = b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"
    file = bytes(128) + b"DICM" + meta + level
    assert "more than 10 times over" in told(answer(file, passes=10))
    assert answer(file, passes=120).verdict == "failed"


def seconds(data: bytes, verdict: str, **limits) -> float:
    taken = []
    for _ in range(3):
        begin = time.process_time()
        answered = answer(data, **limits)
        taken.append(time.process_time() - begin)
        assert answered.verdict == verdict, answered.sentence()
    return min(taken)


def test_many_signatures_cost_so_many_times_one(ct):
    few, many = (seconds(signed_by_many(ct, n), "passed") for n in (500, 4000))
    assert many < 8 * few * 3


def test_many_mac_parameters_cost_so_many_times_one(ct):
    mac = ct.content(MACS)
    few, many = (
        seconds(
            ct.rebuilt(t4ffe0001=sequence(MACS, *[with_id(mac, 0)], *[with_id(mac, 9)] * n)),
            "passed",
        )
        for n in (2000, 16000)
    )
    assert many < 8 * few * 3


def test_many_listed_tags_cost_so_many_times_one(test_files, tmp_path):
    """In implicit VR the list may be as long as it likes; many signatures share it."""
    signed = Signed(tmp_path, Path(test_files, "rtplan.dcm"))
    assert signed.part10.implicit
    mac, signature = signed.content(MACS), signed.content(SIGNATURES)
    at = mac.index(b"\x00\x04\x20\x00")

    def file(count: int, signatures: int) -> bytes:
        tags = range(0x00100000, 0x00100000 + 16 * count, 16)
        value = b"".join(
            struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags if tag & 0xFFFF
        )
        listed = mac[:at] + b"\x00\x04\x20\x00" + struct.pack("<L", len(value)) + value
        return signed.rebuilt(
            t4ffe0001=implicit_sequence(MACS, listed),
            tfffafffa=implicit_sequence(SIGNATURES, *[signature] * signatures),
        )

    few, many = (seconds(file(n, 1), "failed") for n in (20_000, 160_000))
    assert many < 8 * few * 3
    alone, shared = (seconds(file(160_000, n), "failed") for n in (1, 50))
    assert shared < 5 * alone


def implicit_sequence(tag: int, *contents: bytes) -> bytes:
    items = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(c)) + c for c in contents)
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(items)) + items


def test_empty_lists_of_signatures_at_great_depth_cost_nothing(tmp_path):
    """Where a scope lies is only asked if it holds a signature."""
    deep, empty = b"", sequence(SIGNATURES)
    for level in range(1000):
        content = b"".join([sequence(0x00400440, *[empty] * 2000)] if level == 0 else [])
        deep = sequence(0x0040A730, content + deep)
    file = bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0" + deep
    assert seconds(file, "unsigned") < 2


def test_signatures_at_great_depth_are_limited(ct, monkeypatch):
    monkeypatch.setattr("dicomseal.encoding.limits.MIN_READ_BUDGET", 0)
    mac, signature = ct.content(MACS), ct.content(SIGNATURES)
    signed = sequence(MACS, mac) + sequence(SIGNATURES, signature)
    deep = sequence(0x00400440, *[signed] * 50)
    for _ in range(500):
        deep = sequence(0x0040A730, deep)
    file = ct.head + deep
    assert "times over" in told(answer(file, passes=64))


def test_many_altered_signatures_over_a_long_list_are_limited(test_files, tmp_path, monkeypatch):
    """Why a signature fails may take a look at all that it lists; that is counted."""
    signed = Signed(tmp_path, Path(test_files, "rtplan.dcm"))
    mac, signature = signed.content(MACS), signed.content(SIGNATURES)
    at = mac.index(b"\x00\x04\x20\x00")
    tags = [tag for tag in range(0x00120000, 0x00120000 + 110_000) if tag & 0xFFFF]
    value = b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)
    listed = mac[:at] + b"\x00\x04\x20\x00" + struct.pack("<L", len(value)) + value
    name = b"\x10\x00\x10\x00"
    listed = listed[:at] + b"\x00\x04\x20\x00" + struct.pack("<L", len(value) + 4) + name + value
    data = signed.rebuilt(
        t4ffe0001=implicit_sequence(MACS, listed),
        tfffafffa=implicit_sequence(SIGNATURES, *[signature] * 2000),
    )
    begin = time.process_time()
    assert answer(data).verdict in ("failed", "error")
    assert time.process_time() - begin < 15


def test_removing_many_signatures_costs_so_many_times_one(ct, tmp_path):
    from dicomseal import remove_file

    taken = []
    for count in (1000, 8000):
        path = tmp_path / f"{count}.dcm"
        path.write_bytes(signed_by_many(ct, count))
        times = []
        for _ in range(3):
            begin = time.process_time()
            assert remove_file(path, tmp_path / "out.dcm").removed == count
            times.append(time.process_time() - begin)
        taken.append(min(times))
    assert taken[1] < 8 * taken[0] * 4  # quadratic would be 64


def inside(content: bytes, depth: int, order: str, vr: bytes) -> bytes:
    """Content in a sequence in a sequence ..., of defined lengths."""
    for _ in range(depth):
        head = struct.pack(f"{order}HH", 0x0040, 0xA730) + vr
        item = struct.pack(f"{order}HHL", 0xFFFE, 0xE000, len(content)) + content
        content = head + struct.pack(f"{order}L", len(item)) + item
    return content


@pytest.mark.parametrize("kind", ["US or SS", "group length"])
def test_deep_elements_are_looked_at_once_and_not_once_for_each_level(backend, kind):
    """What the data sets around an element say of it is asked once for all of its scope."""
    count = 6000
    if kind == "US or SS":
        one = struct.pack("<HHL", 0x0028, 0x0106, 2) + b"\0\0"
        form = {"implicit": True}
        nested = [inside(one * count, depth, "<", b"") for depth in (1, 1000)]
    else:
        one = struct.pack(">HH", 0x0009, 0) + b"UL" + struct.pack(">HL", 4, 0)
        form = {"big_endian": True}
        nested = [inside(one * 10 * count, depth, ">", b"SQ\0\0") for depth in (1, 1000)]
    taken = []
    for data in nested:
        times = []
        for _ in range(2):
            begin = time.process_time()
            assert len(backend.Index(data, **form)) > count
            times.append(time.process_time() - begin)
        taken.append(min(times))
    assert taken[1] < 6 * taken[0] + 0.2


def test_many_values_of_pixel_data_in_one_data_set(backend):
    fragment = b"\xfe\xff\0\xe0\x02\0\0\0ab"
    pixels = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\0\0\0\0" + fragment
    pixels += b"\xfe\xff\xdd\xe0\0\0\0\0"
    elements = encode([e for e in pki.SMALL if e[0] < 0x7FE00010])
    out = io.BytesIO()
    sign_file(pki.part10(elements + pixels, pki.JPEG), out, *pki.member("rsa").pair)
    many = out.getvalue().replace(pixels, pixels * 30_000)
    begin = time.process_time()
    assert answer(many).verdict == "failed"
    assert time.process_time() - begin < 10  # each with all of them took minutes

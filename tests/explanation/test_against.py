"""`explain --against`: what two copies of an object differ in."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from _altered import CT, changed, signed
from pki import BIG, EXPLICIT, IMPLICIT, body_of, part10, small, undefined

from dicomseal.encoding.limits import Limits
from dicomseal.explanation.comparison.compare import compare
from dicomseal.explanation.comparison.samples import differing
from dicomseal.signature.items import encode
from dicomseal.standard.transfer_syntaxes import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN as DEFLATED

NAME, PIXELS, SEQUENCE = 0x00100010, 0x7FE00010, 0x00400275
FORMS = {"explicit": EXPLICIT, "implicit": IMPLICIT, "big endian": BIG, "deflated": DEFLATED}
OBJECT = part10(encode(CT))


def found(a, b):
    return [(one.location, one.kind, one.a, one.b) for one in compare(a, b, Limits()).differences]


@pytest.mark.parametrize("other", FORMS)
@pytest.mark.parametrize("form", FORMS)
def test_how_it_is_encoded_makes_no_difference(form, other):
    a, b = (part10(body_of(one, CT), FORMS[one]) for one in (form, other))
    comparison = compare(a, b, Limits())
    assert (comparison.same, comparison.differences) == (True, ())
    assert bool(comparison.notes) == (form != other)


def test_nor_do_lengths_of_sequences_and_signatures():
    assert found(OBJECT, part10(undefined(CT))) == []
    comparison = compare(OBJECT, signed(CT), Limits())
    assert comparison.same
    assert comparison.notes == ("there are 0 signatures in a, and 1 in b",)


CHANGES = {
    "a value": ({NAME: b"Doe^Jane"}, "(0010,0010) PatientName", "changed",
                '"Doe^John"', '"Doe^Jane"'),
    "padding": ({NAME: b"Doe^John  "}, "(0010,0010) PatientName", "reencoded",
                '"Doe^John"', '"Doe^John  "'),
    "a VR": ({0x00280106: ("SS", b"\1\0")}, "(0028,0106) SmallestImagePixelValue", "reencoded",
             "US 1", "SS 1"),
    "one more": ({0x00100040: ("CS", b"M ")}, "(0010,0040) PatientSex", "added", None, '"M "'),
    "one less": ({0x00100020: None}, "(0010,0020) PatientID", "removed", '"PID 0815"', None),
    "in an item": (
        {SEQUENCE: [[(0x00400007, "LO", b"other "), (0x00400009, "SH", b"1 ")]]},
        "RequestAttributesSequence[0].(0040,0007) ScheduledProcedureStepDescription", "changed",
        '"inner "', '"other "',
    ),
    "an item more": (
        {SEQUENCE: [*CT[18][2], [(0x00400007, "LO", b"more")]]},
        "RequestAttributesSequence[1]", "added", None, "an item of 1 elements",
    ),
    "no item": ({SEQUENCE: []}, "RequestAttributesSequence[0]", "removed",
                "an item of 2 elements", None),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_each_kind(name):
    changes, *expected = CHANGES[name]
    assert found(OBJECT, part10(encode(changed(changes)))) == [tuple(expected)]


@pytest.mark.parametrize("name", CHANGES)
def test_the_other_way_round(name):
    changes, where, kind, a, b = CHANGES[name]
    kind = {"added": "removed", "removed": "added"}.get(kind, kind)
    assert found(part10(encode(changed(changes))), OBJECT) == [(where, kind, b, a)]


def test_a_vr_that_is_not_stated_is_no_difference():
    """Pixel Data of 8 bits are OB here, and in implicit VR nothing says so."""
    elements = changed({PIXELS: ("OB", bytes(range(32)))})
    assert found(part10(encode(elements)), part10(encode(elements, True), IMPLICIT)) == []


def test_text_in_another_character_set():
    utf8 = changed({0x00080005: b"ISO_IR 192", 0x00081030: "Schädel nativ".encode()})
    label, text = found(OBJECT, part10(encode(utf8)))
    assert label[:2] == ("(0008,0005) SpecificCharacterSet", "changed")
    assert text[:2] == ("(0008,1030) StudyDescription", "reencoded")


def test_an_element_of_unknown_vr_is_compared_too():
    a, b = (changed({0x00090010: ("LO", b"ME"), 0x00091001: ("UN", value)}) for value in
            (b"\1\2", b"\1\3"))  # fmt: skip
    assert found(part10(encode(a)), part10(encode(b))) == [
        ("(0009,1001)", "changed", "01 02", "01 03")
    ]


def pixels(frames, bits=16, **changes):
    frame = 4 * 4 * bits // 8
    data = bytearray(frames * frame)
    for at, byte in changes.items():
        data[int(at[1:])] = byte
    return changed({
        0x00280008: ("IS", b"%d " % frames), PIXELS: ("OW", bytes(data)),
        0x00280100: bits.to_bytes(2, "little"),
    })  # fmt: skip


def test_frames_and_samples_of_pixels():
    a = part10(encode(pixels(5)))
    b = part10(encode(pixels(5, _33=1, _34=255, _35=1, _159=8)))
    (one,) = compare(a, b, Limits()).differences
    assert (one.kind, one.frames, one.samples, one.of_samples) == ("changed", (2, 5), 3, 80)
    assert one.first == 33
    assert one.offset_a == one.offset_b


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_every_bit_of_a_sample_counts(width):
    data = bytes(range(64))
    for bit in range(8 * 64):
        other = bytearray(data)
        other[bit // 8] ^= 1 << bit % 8
        assert differing(data, bytes(other), width) == 1
    assert differing(data, bytes(x ^ 0xFF for x in data), width) == 64 // width
    assert differing(data, data, width) == 0


def rle(elements):
    """The object compressed by RLE Lossless, by pydicom."""
    import io

    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("numpy")
    dataset = pydicom.dcmread(io.BytesIO(part10(encode(elements))))
    dataset.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def test_the_same_pixels_compressed():
    before = pixels(3, _40=7)
    packed = rle(before)
    (one,) = compare(part10(encode(before)), packed, Limits()).differences
    assert (one.location, one.kind) == ("(7FE0,0010) PixelData", "reencoded")
    assert "decoded, the pixels are the same" in one.note
    assert found(packed, packed) == []


def test_other_pixels_compressed():
    (one,) = compare(rle(pixels(3)), rle(pixels(3, _32=7, _36=1)), Limits()).differences
    assert (one.kind, one.frames, one.samples, one.of_samples) == ("changed", (2,), 2, 48)


def test_what_nothing_decodes_is_not_called_the_same(monkeypatch):
    monkeypatch.setattr("dicomseal.explanation.comparison.pixels.decoded", lambda _part10: None)
    (one,) = compare(rle(pixels(3)), rle(pixels(3, _32=7)), Limits()).differences
    assert (one.kind, one.frames, one.samples) == ("changed", (2,), None)
    assert "not known" in one.note


def test_fragments_cut_otherwise():
    def jpeg(*fragments):
        items = b"".join(
            bytes.fromhex("FEFF00E0") + len(one).to_bytes(4, "little") + one for one in fragments
        )
        head = bytes.fromhex("E07F10004F420000FFFFFFFF")
        rest = [element for element in CT if element[0] != PIXELS]
        end = bytes.fromhex("FEFFDDE000000000")
        return part10(encode(rest) + head + items + end, "1.2.840.10008.1.2.4.50")

    one, other = jpeg(b"", b"\xff\xd8ab"), jpeg(b"", b"\xff\xd8", b"ab")
    assert [kind for _, kind, *_ in found(one, other)] == ["reencoded"]
    assert [kind for _, kind, *_ in found(one, jpeg(b"", b"\xff\xd8ac"))] == ["changed"]


def test_the_command(run, tmp_path):
    a, b, c = (tmp_path / name for name in ("a.dcm", "b.dcm", "c.dcm"))
    a.write_bytes(small())
    b.write_bytes(small("implicit"))
    c.write_bytes(part10(encode(changed({NAME: b"Doe^Jane"}))))
    code, out, err = run("explain", a, "--against", b)
    assert (code, out.splitlines()[0], err) == (0, "the same content", "")
    code, out, err = run("explain", a, "--against", c, "--format", "json")
    content = json.loads(out)
    assert (code, content["same"], err) == (1, False, "")
    assert {"location", "kind", "a", "b"} <= content["differences"][0].keys()
    assert run("explain", a, "--against", b, "--format", "html")[0] == 2
    others = ("--list",), ("--export", tmp_path / "it"), ("--uid", "1.2"), ("--effort", "hashes=1")
    for other in others:
        code, out, err = run("explain", a, "--against", b, *other)
        assert (code, out, other[0] in err) == (2, "", True)
    assert not (tmp_path / "it").exists()
    b.write_bytes(b"no DICOM at all, and long enough to be looked at" * 9)
    code, out, err = run("explain", a, "--against", b)
    assert (code, out) == (4, "")
    assert "b.dcm" in err


def test_the_first_byte_that_differs(run, tmp_path):
    """``Doe^J``, and then o or a: from 0 in JSON, as offsets are, and from 1 for a person."""
    a, b = tmp_path / "a.dcm", tmp_path / "b.dcm"
    a.write_bytes(OBJECT)
    b.write_bytes(part10(encode(changed({NAME: b"Doe^Jane"}))))
    (one,) = json.loads(run("explain", a, "--against", b, "--format", "json")[1])["differences"]
    assert one["first"] == 5
    assert "the first other byte is number 6 of" in run("explain", a, "--against", b)[1]


def test_hostile_values_do_not_reach_the_terminal(run, tmp_path):
    a, b = tmp_path / "a.dcm", tmp_path / "b.dcm"
    a.write_bytes(OBJECT)
    b.write_bytes(part10(encode(changed({NAME: b"\x1b[31mred\x07\r\n"}))))
    code, out, _ = run("explain", a, "--against", b)
    assert code == 1
    assert not set(out) - {"\n"} & {chr(n) for n in (*range(32), 127)}
    assert "\\x1b[31mred" in out


def test_memory_does_not_grow_with_the_objects(tmp_path):
    """Two sparse files of 300 MB, compared by a process that is watched."""
    if not os.path.exists("/proc/self/status"):
        pytest.skip("no /proc here, which tells what a program took")
    size = 300 << 20
    paths = []
    for name, last in (("a.dcm", b"\0\0"), ("b.dcm", b"\0\1")):
        path = tmp_path / name
        rest = [element for element in CT if element[0] != PIXELS]
        head = part10(encode(rest)) + bytes.fromhex("E07F10004F570000") + size.to_bytes(4, "little")
        with path.open("wb") as file:
            file.write(head)
            file.truncate(len(head) + size)
            file.seek(len(head) + size - 2)
            file.write(last)
        paths.append(str(path))
    program = (
        "import sys; from dicomseal.encoding.limits import Limits;"
        "from dicomseal.explanation.comparison.compare import compare;"
        "made = compare(*sys.argv[1:], Limits()); (one,) = made.differences;"
        # not ru_maxrss, which begins with what the parent had when it forked
        "(most,) = [line for line in open('/proc/self/status') if line.startswith('VmHWM')];"
        "print(one.samples, most.split()[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *paths], capture_output=True, text=True, check=True
    )
    samples, kilobytes = map(int, done.stdout.split())
    assert samples == 1
    assert kilobytes < 150_000

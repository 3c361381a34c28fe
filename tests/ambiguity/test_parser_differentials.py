"""What other readers may take for another data set never passes, though every signed byte is kept.

Each kind is put beside a signed object, or around it, and both twins of the index look at it. That
real readers do show something else is shown by the differential tests.
"""

from __future__ import annotations

import struct
import zlib

import pki
import pytest
from _forms import ITEM, ITEM_END, SEQUENCE_END, answer, explicit, implicit, put, signed, split, why

from dicomseal.errors import SigningError
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode, encode_item
from dicomseal.standard import terms, transfer_syntaxes

UN_WITH_ITEM = ITEM + implicit(0x00100020, b"6666") + ITEM_END + SEQUENCE_END

# --- what can never be signed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00000002, "UI", b"1.2 "),
        (0x00010001, "LO", b"free"),
        (0x00020010, "UI", b"1.2\0"),
        (0x00030010, "LO", b"free"),
        (0x00060001, "LO", b"free"),
        (0x00070010, "LO", b"free"),
        (0x00041130, "CS", b"FREE"),
        (0x00041220, "OB", b"free"),
        (0x00080000, "OB", b"free"),
        (0x00080000, "UL", bytes(8)),
        (0x00080001, "UL", bytes(8)),
        (0x00080001, "LO", b"free"),
        (0x00100000, "SQ", b""),
        (0x4FFE0001, "OB", b"free"),
        (0xFFFCFFFC, "LO", b"free"),
        (0xFFFCFFFC, "SQ", encode_item([(0x00100020, "LO", b"6666")])),
    ],
)
def test_what_can_never_be_signed_has_its_form_or_fails(signed_forms, backend, tag, vr, value):
    report = answer(put(signed_forms["explicit"], explicit(tag, vr, value), tag))
    if tag >> 16 == 2 and vr == "UI":  # it follows upon the File Meta Information: a second label
        assert (report.verdict, report.error.code) == ("error", "malformed")
        return
    assert report.verdict == "failed"
    assert f"({tag >> 16:04X},{tag & 0xFFFF:04X})" in why(report) or "0004" in why(report)
    all_signed = answer(
        put(signed_forms["explicit"], explicit(tag, vr, value), tag), require_all_signed=True
    )
    assert all_signed.verdict == "failed"
    if tag >> 16 != 4 or vr != "CS":
        assert report.uncovered_elements >= 1


@pytest.mark.parametrize(
    "element",
    [
        explicit(0x00041130, "CS", b"FREE"),
        explicit(0x00041220, "SQ", b"\xfe\xff\x00\xe0\x0c\0\0\0\x10\0\x10\0PN\4\0E^F "),
    ],
    ids=["name", "records"],
)
def test_a_label_makes_no_dicomdir_of_what_is_none(signed_forms, backend, element):
    """Nobody signs the SOP Class of the File Meta Information; dcmdump shows the second name."""
    label = explicit(0x00020002, "UI", terms.MEDIA_STORAGE_DIRECTORY.encode())
    label += explicit(0x00020010, "UI", b"1.2.840.10008.1.2.1\0")
    head = bytes(128) + b"DICM" + explicit(0x00020000, "UL", struct.pack("<L", len(label))) + label
    body = split(signed_forms["explicit"])[1]
    assert answer(head + body).verdict == "passed"
    report = answer(head + element + body)
    assert report.verdict == "failed"
    assert "group 0004 are in an object that is not a DICOMDIR" in why(report)


@pytest.mark.parametrize("tag", [0x00010001, 0x00060001, 0x00080001, 0x00100000, 0xFFFCFFFC])
def test_no_sequence_stands_where_nothing_can_be_signed(signed_forms, backend, tag):
    """A UN of undefined length there would be a second data set for whoever reads it otherwise."""
    free = explicit(tag, "UN", UN_WITH_ITEM, size=0xFFFFFFFF)
    assert answer(put(signed_forms["explicit"], free, tag)).verdict == "failed"


@pytest.mark.parametrize(
    ("tag", "vr", "value", "told"),
    [
        (0x00100000, "UL", struct.pack("<L", 28), False),
        (0x00100000, "UL", struct.pack("<L", 27), True),
        (0x00080001, "UL", bytes(4), True),
        (0xFFFCFFFC, "OB", bytes(8), False),
        (0xFFFCFFFC, "OB", b"anything", False),
    ],
)
def test_what_the_standard_lets_stand_there_passes(signed_forms, backend, tag, vr, value, told):
    """A group length that is wrong misleads nobody: it is said, and counted."""
    data = put(signed_forms["explicit"], explicit(tag, vr, value), tag)
    report = answer(data)
    assert report.verdict == "passed"
    assert any("how long its group is" in said for said in report.messages) == told
    assert report.uncovered_elements == told
    verdict = "failed" if told or value.strip(b"\0") == b"anything" else "passed"
    assert answer(data, require_all_signed=True).verdict == verdict


def test_the_length_to_the_end_is_that_of_the_data_set(signed_forms, backend):
    head, body = split(signed_forms["explicit"])
    first = explicit(0x00080001, "UL", struct.pack("<L", len(body)))
    assert answer(head + first + body).messages == ()


@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
def test_group_lengths_are_read_in_every_encoding(signed_forms, backend, form):
    _, is_implicit, big = pki.SYNTAX_AND_FORM[form]
    for length, messages in ((28, 0), (5, 1)):
        value = struct.pack(">L" if big else "<L", length)
        element = encode([(0x00100000, "UL", bytes(4))], is_implicit, big)[:-4] + value
        report = answer(put(signed_forms[form], element, 0x00100000))
        assert (report.verdict, len(report.messages)) == ("passed", messages)


def test_nothing_is_added_to_mac_parameters_and_signatures(signed_forms, backend):
    data = signed_forms["explicit"]
    index = Part10.from_bytes(data).index()
    for tag, more in (
        (terms.MAC_PARAMETERS_SEQUENCE, explicit(0x04000100, "UI", b"1.2\0")),
        (terms.MAC_PARAMETERS_SEQUENCE, explicit(0x04010010, "LO", b"free")),
        (terms.MAC_PARAMETERS_SEQUENCE, explicit(0x00090010, "LO", b"free")),
        (terms.MAC_PARAMETERS_SEQUENCE, explicit(0x04000021, "UN", UN_WITH_ITEM, size=0xFFFFFFFF)),
        (terms.DIGITAL_SIGNATURES_SEQUENCE, explicit(0x04000310, "SQ", b"")),
        (terms.DIGITAL_SIGNATURES_SEQUENCE, explicit(0x04000305, "LO", b"free")),
    ):
        sequence = index.record(index.find(0, tag))
        item = index.record(index.find(0, tag) + 1)
        content = data[item.value : item.end]
        content = more + content if more[:2] == b"\x09\0" else content + more
        whole = struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content
        head = data[sequence.start : sequence.start + 8] + struct.pack("<L", len(whole))
        report = answer(data[: sequence.start] + head + whole + data[sequence.end :])
        assert report.verdict == "failed"
        assert "Digital Signatures Macro" in why(report)
        assert report.uncovered_elements >= 1


def test_a_mac_parameters_sequence_in_an_item_is_looked_at_too(signed_forms, backend):
    """Nothing covers it, wherever it stands, whether a signature refers to it or not."""
    hidden = encode_item([(0x00100020, "LO", b"6666")])
    nested = encode_item([(0x00400007, "LO", b"step"), (terms.MAC_PARAMETERS_SEQUENCE, "SQ", [])])
    nested = nested[:-12] + explicit(terms.MAC_PARAMETERS_SEQUENCE, "SQ", hidden)
    nested = nested[:4] + struct.pack("<L", len(nested) - 8) + nested[8:]
    report = answer(put(signed_forms["explicit"], explicit(0x00400275, "SQ", nested), 0x00400275))
    assert report.verdict == "failed"
    assert "(0010,0020) does not belong in this item" in why(report)


# --- lengths --------------------------------------------------------------------------------------


def shortened(data: bytes, tag: int) -> bytes:
    """A copy of an explicit VR file without the last byte of an element."""
    index = Part10.from_bytes(data).index()
    record = index.record(index.find(0, tag))
    size = record.end - record.value - 1
    length = (
        struct.pack("<H", size) if record.value - record.start == 8 else struct.pack("<L", size)
    )
    start = record.value - len(length)
    return data[:start] + length + data[record.value : record.end - 1] + data[record.end :]


@pytest.mark.parametrize(
    ("tag", "vr", "value", "verdict"),
    [
        (0x00100020, "LO", b"12345 ", "failed"),
        (0x00104000, "LT", b"text. ", "failed"),
        (0x0020000D, "UI", b"1.2.3.4.5\0", "failed"),
        (0x00280010, "US", b"\x10\0", "failed"),
        (0x00281053, "DS", b"2.5 ", "failed"),
        (0x00660016, "OF", b"\1\2\3\0", "failed"),
        (0x00420011, "OB", b"%PDF-\0", "passed"),
        (0x00281201, "OW", b"\1\0", "failed"),
    ],
)
def test_the_padding_that_is_taken_away(backend, tag, vr, value, verdict):
    """The stream stays the same; of text and numbers a reader shows one character less."""
    elements = sorted([e for e in pki.SMALL if e[0] != tag] + [(tag, vr, value)])
    data = signed(pki.small(elements=elements))
    assert answer(data).verdict == "passed"
    report = answer(shortened(data, tag))
    assert report.verdict == verdict
    said = why(report) if verdict == "failed" else " ".join(report.messages)
    assert "has an odd number of bytes" in said


def test_an_odd_text_is_not_signed():
    odd = [(0x00100010, "PN", b"Doe")]
    with pytest.raises(SigningError, match="odd number of bytes"):
        signed(pki.part10(encode(odd)))


@pytest.mark.parametrize(
    ("form", "element"),
    [
        ("implicit", implicit(0x00091010, bytes(13))),
        ("implicit", implicit(0x00420011, bytes(13))),
        ("explicit", explicit(0x00091010, "UL", bytes(6))),
        ("explicit", explicit(0x00FF4AA5, "OB", b"ab")),
        ("explicit", explicit(0x00091010, "UN", ITEM + implicit(0x00420011, bytes(13)) + ITEM_END
                              + SEQUENCE_END, size=0xFFFFFFFF)),
    ],
)  # fmt: skip
def test_lengths_that_a_reader_repairs(signed_forms, backend, form, element):
    tag = int.from_bytes(element[:2], "little") << 16 | int.from_bytes(element[2:4], "little")
    report = answer(put(signed_forms[form], element, tag))
    assert report.verdict == "failed"
    assert "takes for another" in why(report) or "take for another" in why(report)


@pytest.mark.parametrize(
    ("element", "said"),
    [
        (explicit(0x00091010, "OB", b"ab", reserved=b"\1\0"), "reserved bytes"),
        (explicit(0x00281052, "US", bytes(2)), ""),
        (explicit(0x00189074, "FD", bytes(4)), "not a multiple of the size of its values"),
        (explicit(0x00280009, "AT", bytes(2)), "not a multiple of the size of its values"),
        (explicit(0x00091010, "OB", b"abc"), "has an odd number of bytes"),
        (explicit(0x00091010, "OB", struct.pack("<HHL", 0xFFFE, 0xE000, 2) + b"ab" + SEQUENCE_END,
                  size=0xFFFFFFFF), "is not Pixel Data"),
        (explicit(0x00081140, "SQ", ITEM + ITEM_END[:4] + b"\4\0\0\0" + SEQUENCE_END,
                  size=0xFFFFFFFF), "a delimiter that has a length"),
        (explicit(0x00081140, "SQ", ITEM + ITEM_END + SEQUENCE_END[:4] + b"\xff" * 4,
                  size=0xFFFFFFFF), "a delimiter that has a length"),
    ],
)  # fmt: skip
def test_what_is_odd_and_misleads_nobody_is_said(signed_forms, backend, element, said):
    tag = int.from_bytes(element[:2], "little") << 16 | int.from_bytes(element[2:4], "little")
    report = answer(put(signed_forms["explicit"], element, tag))
    assert report.verdict == "passed"
    assert any(said in message for message in report.messages) if said else not report.messages


# --- two encodings --------------------------------------------------------------------------------


def test_an_item_of_un_that_looks_like_explicit_vr(signed_forms, backend):
    """PS3.5 Section 6.2.2 has it in implicit VR; a reader looks at its first element."""
    length = 0x4F4C  # "LO"
    for value, verdict in ((bytes(length), "failed"), (bytes(0x4F00), "passed")):
        inside = ITEM + implicit(0x00104000, value) + ITEM_END + SEQUENCE_END
        data = put(
            signed_forms["explicit"], explicit(0x00091010, "UN", inside, size=0xFFFFFFFF), 0x91010
        )
        assert answer(data).verdict == verdict


@pytest.mark.parametrize("kind", ["meta", "nested"])
def test_a_value_that_another_dictionary_may_call_a_sequence(signed_forms, backend, kind):
    """In implicit VR it matters where its items end, if somebody reads it as items."""
    closed = ITEM + implicit(0x00104000, b"text") + ITEM_END
    for value, verdict in (
        (closed, "passed"),
        (closed[:-8], "failed"),
        (ITEM[:4] + b"xx", "passed"),
    ):
        element = implicit(0x00091010, value)
        if kind == "nested":
            inside = struct.pack("<HHL", 0xFFFE, 0xE000, len(element)) + element
            element = implicit(0x00081140, inside)
        tag = 0x00091010 if kind == "meta" else 0x00081140
        assert answer(put(signed_forms["implicit"], element, tag)).verdict == verdict


def test_sequences_in_values_in_values_come_to_an_end(signed_forms, backend):
    value = ITEM[:4] + b"\x08\0\0\0" + implicit(0x00091011)
    for _ in range(40):
        value = implicit(0x00091010, value)
        value = struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value
    report = answer(put(signed_forms["implicit"], implicit(0x00091010, value), 0x00091010))
    assert report.verdict == "failed"


@pytest.mark.parametrize("syntax", sorted(transfer_syntaxes.DEFLATED))
def test_deflated_bytes_that_are_a_data_set_as_well(signed_forms, backend, syntax):
    """A stored block whose head reads as an element: seen by readers that do not know the label."""
    _, body = split(signed_forms["explicit"])
    tail = zlib.compressobj(9, zlib.DEFLATED, -15)
    rest = tail.compress(body) + tail.flush()
    stored = b"\x00" + struct.pack("<HH", 0, 0xFFFF)  # an empty stored block: 00 00 00 FF FF
    native = stored + rest
    assert zlib.decompress(native, -15) == body
    fits = 8 + int.from_bytes(native[4:8], "little") <= len(native)
    report = answer(pki.part10(native + b"\0" * (len(native) % 2), syntax))
    known = syntax == transfer_syntaxes.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
    assert report.verdict == ("failed" if fits and not known else "passed")
    # an element of no length, and then one that takes in the rest
    looks = b"\x00\x00\x00\xff\xff" * 2 + rest
    assert zlib.decompress(looks, -15) == body


# --- pixels ---------------------------------------------------------------------------------------


def image(pixels: bytes, bits: int = 16, rows: int = 2, columns: int = 4) -> bytes:
    return encode(
        [
            *pki.SMALL[:4],
            (0x00280002, "US", b"\1\0"),
            (0x00280010, "US", struct.pack("<H", rows)),
            (0x00280011, "US", struct.pack("<H", columns)),
            (0x00280100, "US", struct.pack("<H", bits)),
            (0x7FE00010, "OW" if bits == 16 else "OB", pixels),
        ]
    )


def test_the_last_byte_of_an_image_is_no_padding(backend):
    """It was zero, so the stream is the same without it; a reader shows what lies behind."""
    data = signed(pki.part10(image(bytes(range(1, 16)) + b"\0")))
    assert answer(data).verdict == "passed"
    report = answer(shortened(data, 0x7FE00010))
    assert report.signatures[0].integrity == "intact"
    assert (report.verdict, "fewer than their frames need" in why(report)) == ("failed", True)


def test_an_odd_number_of_pixels_may_lack_its_padding(backend):
    data = signed(pki.part10(image(bytes(9) + b"\0", bits=8, rows=3, columns=3)))
    report = answer(shortened(data, 0x7FE00010))
    assert (report.verdict, report.reasons) == ("passed", ())
    assert report.messages == ("(7FE0,0010) has an odd number of bytes",)


@pytest.mark.parametrize(
    ("frames", "lacks"), [("1", False), ("2", True), ("1" * 5000, True), ("0" * 5000 + "1", False)]
)
def test_a_number_of_frames_of_any_length(backend, frames, lacks):
    """Python converts no text of more than 4300 digits to a number, and anyone writes a file."""
    data = signed(pki.part10(image(bytes(9) + b"\0", bits=8, rows=3, columns=3)))
    frames += " " * (len(frames) % 2)
    data = put(data, explicit(0x00280008, "IS", frames.encode()), 0x00280008)
    report = answer(shortened(data, 0x7FE00010))
    assert ("fewer than their frames need" in why(report)) == lacks
    assert report.verdict == ("failed" if lacks else "passed")


@pytest.mark.parametrize(
    "label", sorted(transfer_syntaxes.NATIVE - {pki.IMPLICIT, pki.BIG} - transfer_syntaxes.DEFLATED)
)
def test_fragments_under_a_label_for_native_pixels(backend, label):
    """Who believes the label shows the compressed bytes as pixels."""
    pixels = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"
    for fragment in (b"", b"\xff\xd8\xff image\xff\xd9\0"):
        pixels += struct.pack("<HHL", 0xFFFE, 0xE000, len(fragment)) + fragment
    body = image(b"")[:-12] + pixels + SEQUENCE_END
    data = signed(pki.part10(body, pki.JPEG))
    assert answer(data).verdict == "passed"
    report = answer(pki.part10(split(data)[1], label))
    assert (report.verdict, "says that they are not" in why(report)) == ("failed", True)


@pytest.mark.parametrize(("vr", "verdict"), [("OW", "failed"), ("OB", "passed")])
def test_an_icon_that_lacks_a_byte(backend, vr, verdict):
    """A reader shows one word less of it; of bytes, none."""
    icon = encode_item([(0x00280010, "US", b"\2\0"), (0x7FE00010, vr, b"\1\0\5\0")])
    source = pki.part10(encode(pki.SMALL[:2]) + explicit(0x00880200, "SQ", icon))
    data = signed(source)
    assert answer(data).verdict == "passed"
    short = icon[:-8] + struct.pack("<L", 3) + b"\1\0\5"
    short = short[:4] + struct.pack("<L", len(short) - 8) + short[8:]
    at = data.index(icon) - 4
    forged = data[:at] + struct.pack("<L", len(short)) + short + data[at + 4 + len(icon) :]
    assert answer(forged).verdict == verdict

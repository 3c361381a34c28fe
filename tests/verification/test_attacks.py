"""Objects made to show one content and verify another; each of them passed once.

The attacker may change every byte, but cannot make a signature value.
"""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pki
import pytest
from _apart import MACS, SIGNATURES, Signed, sequence

from dicomseal import remove_file, sign_file, verify
from dicomseal.ambiguity import hidden_elements
from dicomseal.encoding.backend import Index
from dicomseal.errors import SigningError
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode, encode_item
from dicomseal.standard import terms, transfer_syntaxes


@pytest.fixture
def ct(test_files, tmp_path) -> Signed:
    return Signed(tmp_path, Path(test_files, "CT_small.dcm"))


def only(report):
    (signature,) = report.signatures
    return signature


def test_signed_elements_moved_into_the_signatures_item(test_files, tmp_path):
    """The stream has no mark between the data set and the item that follows it."""
    signed = Signed(tmp_path, Path(test_files, "CT_small.dcm"), tags=["PatientName", "PatientID"])
    assert verify(signed.data, integrity_only=True).verdict == "passed"
    index = signed.index
    moved = signed.raw(index.find(0, 0x00100010)) + signed.raw(index.find(0, 0x00100020))
    mac = signed.content(MACS)
    listed = struct.pack("<4H", 0x0010, 0x0010, 0x0010, 0x0020)
    assert listed in mac
    forged = signed.rebuilt(
        t00100010=encode([(0x00100010, "PN", b"Forged^Name ")]),
        t00100020=encode([(0x00100020, "LO", b"FORGEDID")]),
        t4ffe0001=sequence(MACS, mac.replace(listed, struct.pack("<4H", 0x0010, 0x4000, 0, 0))),
        tfffafffa=sequence(SIGNATURES, moved + signed.content(SIGNATURES)),
    )
    signature = only(verify(forged, integrity_only=True))
    assert (signature.integrity, signature.integrity_reason.code) == ("altered", "FORMAT_FAILURE")
    assert "(0010,0010) is in the signature's own item" in signature.integrity_reason.message


FEW = [element for element in pki.SMALL if element[0] < 0x00200000]


@pytest.fixture
def few(tmp_path) -> Signed:
    """A signed object whose tags all are below those of a signature."""
    source = tmp_path / "few.dcm"
    source.write_bytes(pki.small(elements=FEW))
    return Signed(tmp_path, source)


def test_the_last_element_moved_and_no_longer_listed(few):
    """All that is left is signed, and in order, as in most objects."""
    assert verify(few.data, integrity_only=True).verdict == "passed"
    moved = few.raw(few.index.find(0, 0x00100020))
    mac = few.content(MACS)
    listed = struct.pack("<8H", 8, 0x16, 8, 0x18, 0x10, 0x10, 0x10, 0x20)
    assert listed in mac
    head = mac[: mac.index(listed) - 2] + struct.pack("<H", len(listed) - 4)
    forged = few.rebuilt(
        t00100020=b"",
        t4ffe0001=sequence(MACS, head + listed[:-4]),
        tfffafffa=sequence(SIGNATURES, moved + few.content(SIGNATURES)),
    )
    signature = only(verify(forged, integrity_only=True))
    assert (signature.integrity, signature.integrity_reason.code) == ("altered", "FORMAT_FAILURE")
    assert "(0010,0020) is in the signature's own item" in signature.integrity_reason.message


def test_what_no_mac_protects_in_the_signatures_item(ct):
    more = encode([(0x04000F00, "UN", b"forged")])
    forged = ct.rebuilt(tfffafffa=sequence(SIGNATURES, ct.content(SIGNATURES) + more))
    signature = only(verify(forged, integrity_only=True))
    assert (signature.integrity, signature.integrity_reason.code) == ("altered", "FORMAT_FAILURE")
    assert "with the VR UN, which no MAC protects" in signature.integrity_reason.message


def test_a_list_that_matches_nothing(ct):
    mac = ct.content(MACS)
    head = mac[: mac.index(b"\x00\x04\x20\x00AT")]
    other = head + encode([(terms.DATA_ELEMENTS_SIGNED, "AT", struct.pack("<HH", 0x0010, 0x4000))])
    signature = only(verify(ct.rebuilt(t4ffe0001=sequence(MACS, other)), integrity_only=True))
    assert (signature.integrity, signature.signed_elements) == ("altered", 0)
    assert "none of the elements" in signature.integrity_reason.message


def test_forged_purpose(ct):
    """A sequence that holds a UN is not hashed, so nothing in it may be believed."""
    code = [
        (0x00080100, "SH", b"1 "), (0x00080102, "SH", b"ASTM-sigpurpose "),
        (0x00080104, "LO", b"Author Signature"), (0x00091001, "UN", b""),
    ]  # fmt: skip
    purpose = encode([(terms.DIGITAL_SIGNATURE_PURPOSE_CODE_SEQUENCE, "SQ", [code])])
    forged = ct.rebuilt(tfffafffa=sequence(SIGNATURES, ct.content(SIGNATURES) + purpose))
    signature = only(verify(forged, integrity_only=True))
    assert (signature.integrity, signature.integrity_reason.code) == ("altered", "FORMAT_FAILURE")


def test_a_vr_that_readers_take_differently(ct, backend):
    """After an unknown VR some read a length of 16 bits, and elements where others see bytes."""
    payload = struct.pack("<2sH", b"PN", 12) + b"Forged^Three" + bytes(64)
    odd = struct.pack("<HH2s2xL", 0x000F, 0x1001, b"ZZ", len(payload)) + payload
    name = ct.raw(ct.index.find(0, 0x00100010))
    report = verify(ct.rebuilt(t00100010=odd + name), integrity_only=True)
    assert (only(report).integrity, report.verdict) == ("intact", "failed")
    assert report.reasons[0].message.startswith("(000F,1001) has a VR that the standard does not")


def test_implicit_vr_that_begins_as_explicit(test_files, tmp_path):
    """pydicom changes its mind about the encoding by the first element."""
    signed = Signed(tmp_path, Path(test_files, "rtplan.dcm"))
    length = 0x00084F4C  # its first two bytes are "LO"
    first = struct.pack("<HHL", 0x0007, 0x0010, length) + bytes(length)
    report = verify(signed.head + first + signed.data[len(signed.head) :], integrity_only=True)
    assert (only(report).integrity, report.verdict) == ("intact", "failed")
    assert "(0007,0010) begins what is in implicit VR" in report.reasons[0].message


def test_two_transfer_syntaxes(ct):
    uid = encode([(terms.TRANSFER_SYNTAX_UID, "UI", b"1.2.840.10008.1.2\0")])
    position = ct.data.index(b"\x02\x00\x10\x00UI")
    report = verify(ct.data[:position] + uid + ct.data[position:], integrity_only=True)
    assert (report.verdict, report.error.code) == ("error", "malformed")


def test_a_signed_object_wrapped_in_another(ct):
    inner = ct.data[ct.part10.start :]
    outer = encode([(0x00080018, "UI", b"1.2.3.4\0"), (0x00100010, "PN", b"Forged^Wrap ")])
    forged = ct.head + outer + sequence(0x00880200, inner)
    report = verify(forged, integrity_only=True)
    assert report.verdict == "indeterminate"
    said = "only items are signed: no signature protects the main data set"
    assert [(reason.code, reason.message) for reason in report.reasons] == [
        ("UNSIGNED_CONTENT", said)
    ]
    first, second = verify(forged, integrity_only=True, unsigned="accept").messages
    assert first == said
    assert "the SOP Instance UID of the data set 1.2.3.4" in second
    assert verify(forged, integrity_only=True, require=["signature"]).verdict == "failed"


def test_pixel_data_under_another_label(test_files, tmp_path):
    signed = Signed(tmp_path, Path(test_files, "MR_small_RLE.dcm"))
    meta = signed.head.replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.4.50")
    length = struct.pack("<H", 20), struct.pack("<H", 22)
    position = meta.index(b"\x02\x00\x10\x00UI") + 6
    meta = meta[:position] + meta[position:].replace(*length, 1)
    signature = only(verify(meta + signed.data[len(signed.head) :], integrity_only=True))
    assert "signed in transfer syntax 1.2.840.10008.1.2.5" in signature.messages[-1]


def test_a_long_row_of_zeros_is_looked_at_once(backend):
    data = encode([(0x00080018, "UI", b"1.2\0")], implicit=True) + bytes(1 << 20) + b"\1"
    start = time.perf_counter()
    verify(pki.part10(data, transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN))
    assert time.perf_counter() - start < 20  # the pure twin takes 2 s; quadratic takes an hour


def test_a_uid_of_two_mebibytes(backend):
    report = verify(pki.part10(encode([(0x00080018, "OB", bytes(2 << 20))])))
    assert (report.verdict, report.error.code) == ("error", "limit")
    assert "(0008,0018) has 2097152 bytes" in report.error.message


def test_a_certificate_of_the_year_zero(ct):
    der = pki.member("rsa").der
    validity = der.index(b"\x17\x0d")  # UTCTime, 13 digits
    other = der[:validity] + b"\x18\x0d" + b"0000010100Z  "[:13] + der[validity + 15 :]
    assert len(other) == len(der)
    signature = only(verify(ct.data.replace(der, other)))
    assert signature.integrity in ("unverifiable", "altered")


def test_nothing_is_signed_inside_un(tmp_path):
    un = struct.pack("<HH2s2xL", 0x0009, 0x1010, b"UN", 0xFFFFFFFF)
    inner = encode_item([(0x00080060, "CS", b"CT")], implicit=True)
    data = encode([(0x00080018, "UI", b"1.2\0")]) + un + inner
    path = tmp_path / "un.dcm"
    path.write_bytes(pki.part10(data + bytes.fromhex("FEFFDDE000000000")))
    with pytest.raises(SigningError, match="UN"):
        sign_file(path, tmp_path / "out.dcm", *pki.member("rsa").pair, items="0009,1010[0]")


def test_several_signatures_over_the_same_elements(ct, tmp_path, test_files):
    """They share one pass over the data; each still has a MAC of its own."""
    path = tmp_path / "several.dcm"
    path.write_bytes(ct.data)
    uids = [sign_file(path, path, *pki.member("rsa").pair)[0] for _ in range(3)]
    assert verify(path, integrity_only=True).verdict == "passed"
    data = path.read_bytes()
    forged = data.replace(uids[1].encode(), uids[1].encode()[:-1] + b"x")
    assert [s.integrity for s in verify(forged).signatures] == [
        "intact", "intact", "altered", "intact",
    ]  # fmt: skip
    remove_file(path, path)
    assert path.read_bytes() == Path(test_files, "CT_small.dcm").read_bytes()


def test_signatures_turned_into_un(ct):
    """What a system that does not know the sequence may leave of it."""
    raw = ct.raw(ct.index.find(0, SIGNATURES))
    report = verify(ct.rebuilt(tfffafffa=raw.replace(b"SQ", b"UN", 1)), integrity_only=True)
    assert (report.verdict, report.signatures) == ("indeterminate", ())
    assert "has the VR UN" in report.messages[0]


def test_what_could_not_pass_is_not_signed(test_files, tmp_path):
    """The doubts of verifying are those of signing."""
    source = Path(test_files, "rtplan.dcm").read_bytes()
    start = Part10.from_bytes(source).start
    first = struct.pack("<HHL", 0x0007, 0x0010, 0x00084F4C) + bytes(0x00084F4C)
    path = tmp_path / "odd.dcm"
    path.write_bytes(source[:start] + first + source[start:])
    with pytest.raises(SigningError, match="looks like explicit VR"):
        sign_file(path, tmp_path / "out.dcm", *pki.member("rsa").pair)
    assert not (tmp_path / "out.dcm").exists()


@pytest.mark.parametrize("first", [0x00080000, 0x00100000, 0x04000000])
def test_signed_elements_moved_behind_a_group_length(test_files, tmp_path, backend, first):
    """A group length is in no MAC: it must not hide what follows it in the signature's item."""
    tags = ["SOPInstanceUID", "PatientName", "PatientID"]
    signed = Signed(tmp_path, Path(test_files, "CT_small.dcm"), tags=tags)
    index = signed.index
    moved = signed.raw(index.find(0, 0x00100010)) + signed.raw(index.find(0, 0x00100020))
    mac = signed.content(MACS)
    listed = struct.pack("<6H", 0x0008, 0x0018, 0x0010, 0x0010, 0x0010, 0x0020)
    assert listed in mac
    other = struct.pack("<6H", 0x0008, 0x0018, 0x0010, 0x4000, 0x0010, 0x4001)
    length = encode([(first, "UL", struct.pack("<L", 0))])
    forged = signed.rebuilt(
        t00100010=encode([(0x00100010, "PN", b"Forged^Name ")]),
        t00100020=encode([(0x00100020, "LO", b"FORGEDID")]),
        t4ffe0001=sequence(MACS, mac.replace(listed, other)),
        tfffafffa=sequence(SIGNATURES, length + moved + signed.content(SIGNATURES)),
    )
    report = verify(forged, integrity_only=True)
    assert report.verdict == "failed"
    assert only(report).integrity == "altered"
    harmless = signed.rebuilt(
        tfffafffa=sequence(
            SIGNATURES,
            encode([(0x04000000, "UL", struct.pack("<L", 0))]) + signed.content(SIGNATURES),
        )
    )
    assert verify(harmless, integrity_only=True).verdict == "passed"


def test_a_list_that_changes_after_the_last_look(tmp_path, ct, monkeypatch):
    """A large file is read piece by piece; the last look at its times comes after the last read."""
    from dicomseal.verification import coverage

    path = tmp_path / "large.dcm"
    pixels = encode([(0x7FE00010, "OW", bytes(9 << 20))])
    source = tmp_path / "plain.dcm"
    source.write_bytes(ct.rebuilt(t7fe00010=pixels, tfffafffa=b"", t4ffe0001=b""))
    sign_file(source, path, *pki.member("rsa").pair, tags=["Modality", "PixelData"])
    assert verify(path, integrity_only=True, unsigned="accept").verdict == "passed"
    measure = coverage.measure

    def meddle(*arguments):
        data = path.read_bytes()
        place = data.index(struct.pack("<4H", 0x0008, 0x0060, 0x7FE0, 0x0010))
        with open(path, "r+b") as file:
            file.seek(place)
            file.write(struct.pack("<2H", 0x0010, 0x0010))
        return measure(*arguments)

    monkeypatch.setattr(coverage, "measure", meddle)
    report = verify(path, integrity_only=True, require_signed="PatientName")
    assert (report.verdict, report.error.code) == ("error", "changed")


def test_signatures_turned_into_un_beside_a_signed_item(test_files, tmp_path):
    """The main data set's signatures are hidden; that an item's one is intact changes nothing."""
    path = tmp_path / "plan.dcm"
    sign_file(str(Path(test_files, "rtplan.dcm")), path, *pki.member("rsa").pair,
              items="BeamSequence[0]", transfer_syntax="explicit")  # fmt: skip
    assert verify(path, integrity_only=True, unsigned="accept").verdict == "passed"
    hidden = path.read_bytes() + encode([(SIGNATURES, "UN", b"\0\0\0\0")])
    report = verify(hidden, integrity_only=True, unsigned="accept")
    assert report.verdict == "indeterminate"
    assert any("Sequence (FFFA,FFFA) has the VR UN" in said for said in report.messages)


@pytest.mark.parametrize("empty_first", [True, False])
def test_two_transfer_syntaxes_of_which_one_is_empty(ct, empty_first, backend):
    uid = b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"
    empty = b"\x02\x00\x10\x00UI\x00\x00"
    pair = empty + uid if empty_first else uid + empty
    data = bytes(128) + b"DICM" + pair + ct.data[len(ct.head) :]
    report = verify(data, integrity_only=True)
    assert report.verdict == "error"
    assert "two transfer syntaxes" in report.error.message


@pytest.mark.parametrize(("piece", "list_too"), [(None, False), (None, True), (4, True), (5, True)])
def test_elements_swallowed_by_the_last_fragment(
    test_files, tmp_path, backend, monkeypatch, piece, list_too
):
    """The stream is the same, and no MAC protects the list: what stands there gives it away."""
    if piece:
        monkeypatch.setattr(hidden_elements, "_PIECE", piece)
    source = Path(test_files, "MR_small_RLE.dcm").read_bytes()
    part10 = Part10.from_bytes(source)
    index = part10.index()
    end = index.record(index.find(0, terms.PIXEL_DATA)).end
    private = sequence(0x7FE11001, encode([(0x00080070, "LO", b"signed private")]))
    (tmp_path / "in.dcm").write_bytes(
        source[:end] + encode([(0x7FE10010, "LO", b"Vendor")]) + private
    )
    signed = Signed(tmp_path, tmp_path / "in.dcm")
    before = verify(signed.data, integrity_only=True, require_all_signed=True)
    index = signed.index
    pixels = index.record(index.find(0, terms.PIXEL_DATA))
    fragment = index.record(list(index.children(index.find(0, terms.PIXEL_DATA)))[-1])
    stream = bytearray()
    index.stream(stream.extend, 0, [0x7FE10010, 0x7FE11001])
    end_of_sequence = b"\xfe\xff\xdd\xe0"
    assert stream.endswith(end_of_sequence)
    value = signed.data[fragment.value : fragment.end] + end_of_sequence + bytes(stream[:-4])
    forged = signed.rebuilt(
        t7fe00010=signed.data[pixels.start : fragment.start]
        + struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value + end_of_sequence + bytes(4),
        t7fe10010=b"",
        t7fe11001=b"",
        **({"t4ffe0001": listed_less(signed, 2)} if list_too else {}),
    )  # fmt: skip
    after = verify(forged, integrity_only=True, require_all_signed=True)
    assert (before.verdict, after.verdict) == ("passed", "failed")
    assert only(after).signed_elements == only(before).signed_elements - 2
    assert only(after).integrity_reason.code == "FORMAT_FAILURE"
    assert only(after).integrity_reason.message == (
        "(7FE1,0010) was signed as an element, and is now hidden in a fragment of the encapsulated "
        "(7FE0,0010)"
    )


def listed_less(signed, count):
    """The MAC Parameters without the last tags in their list."""
    mac = signed.content(MACS)
    listed = index_of(mac, terms.DATA_ELEMENTS_SIGNED)
    length = struct.pack("<H", listed.end - listed.value - 4 * count)
    less = mac[: listed.value - 2] + length + mac[listed.value : listed.end - 4 * count]
    return sequence(MACS, less + mac[listed.end :])


def test_what_a_fragment_holds_is_no_reason_where_nothing_is_missing(test_files, tmp_path, backend):
    """Compressed bytes may look like anything."""
    source = Path(test_files, "MR_small_RLE.dcm").read_bytes()
    index = Part10.from_bytes(source).index()
    fragment = index.record(list(index.children(index.find(0, terms.PIXEL_DATA)))[-1])
    look = b"\xfe\xff\xdd\xe0\x10\x00\x10\x00PN"
    (tmp_path / "in.dcm").write_bytes(
        source[: fragment.end - len(look)] + look + source[fragment.end :]
    )
    signed = Signed(tmp_path, tmp_path / "in.dcm")
    assert verify(signed.data, integrity_only=True).verdict == "passed"
    # the list is in no MAC: it may name what never was there
    mac = signed.content(MACS)
    listed = index_of(mac, terms.DATA_ELEMENTS_SIGNED)
    more = mac[: listed.value] + struct.pack("<2H", 0x7FE1, 0x0010) + mac[listed.value :]
    more = more.replace(mac[listed.start : listed.value], mac[listed.start : listed.value - 2]
                        + struct.pack("<H", listed.end - listed.value + 4))  # fmt: skip
    named = signed.rebuilt(t4ffe0001=sequence(MACS, more))
    assert b"\xe1\x7f\x10\x00" in named
    assert verify(named, integrity_only=True).verdict == "passed"


def index_of(item: bytes, tag: int):
    index = Index(item)
    return index.record(index.find(0, tag))

"""File Meta Information is exactly as PS3.10 has it, or the encoding is not stated."""

from __future__ import annotations

import struct
from pathlib import Path

import pki
import pytest
from _forms import answer, explicit, implicit, split, why

from dicomseal import Limits, verify
from dicomseal.errors import UsageError
from dicomseal.standard import transfer_syntaxes


def meta(*elements: bytes, length: int | None = None) -> bytes:
    content = b"".join(elements)
    size = len(content) if length is None else length
    return b"\0" * 128 + b"DICM" + explicit(0x00020000, "UL", struct.pack("<L", size)) + content


VERSION = explicit(0x00020001, "OB", b"\0\1")
CLASS = explicit(0x00020002, "UI", b"1.2.840.10008.5.1.4.1.1.7\0")
INSTANCE = explicit(0x00020003, "UI", b"2.25.1234\0")
SYNTAX = explicit(0x00020010, "UI", b"1.2.840.10008.1.2.1\0")
WRITER = explicit(0x00020012, "UI", b"2.25.99\0")

FILE_META = {
    "as it should be": (meta(VERSION, CLASS, INSTANCE, SYNTAX, WRITER), ""),
    "the syntax alone": (meta(SYNTAX), ""),
    "a private element": (
        meta(SYNTAX, explicit(0x00020100, "UI", b"1.2\0"), explicit(0x00020102, "OB", b"ab")), "",
    ),
    "private information of nobody": (
        meta(SYNTAX, explicit(0x00020102, "OB", b"ab")), "(0002,0102) is there without (0002,0100)",
    ),
    "somebody's private information, and none": (
        meta(SYNTAX, explicit(0x00020100, "UI", b"1.2\0")),
        "(0002,0100) is there without (0002,0102)",
    ),
    "no group length": (b"\0" * 128 + b"DICM" + VERSION + SYNTAX, "(0002,0000) is absent"),
    "too short a group length": (meta(VERSION, SYNTAX, length=14), "(0002,0000) is wrong"),
    "too long a group length": (meta(VERSION, SYNTAX, length=60), "(0002,0000) is wrong"),
    "no syntax": (meta(VERSION, CLASS), "no Transfer Syntax UID"),
    "an empty syntax": (meta(VERSION, explicit(0x00020010, "UI")), "no Transfer Syntax UID"),
    "a syntax that nobody knows": (
        meta(explicit(0x00020010, "UI", b"1.2.3.4\0")), "Transfer Syntax UID 1.2.3.4 is not known",
    ),
    "a syntax of another kind": (
        meta(explicit(0x00020010, "UI", b"1.2.840.10008.1.20")), "1.2.840.10008.1.20 is not known",
    ),
    "out of order": (meta(CLASS, VERSION, SYNTAX), "(0002,0001) occurs twice or is out of"),
    "twice": (meta(CLASS, CLASS, SYNTAX), "(0002,0002) occurs twice or is out of order"),
    "an unknown element": (meta(SYNTAX, explicit(0x00020011, "LO", b"ab")), "not known there"),
    "another VR": (meta(explicit(0x00020002, "LO", b"1.2 "), SYNTAX), "the VR LO, and not UI"),
    "an odd length": (meta(explicit(0x00020002, "UI", b"1.2"), SYNTAX), "has an odd length"),
    "reserved bytes": (
        meta(explicit(0x00020001, "OB", b"\0\1", reserved=b"\1\0"), SYNTAX), "reserved bytes",
    ),
    "an unknown VR": (
        meta(explicit(0x00020005, "ZZ") + b"\0\0\0\0", SYNTAX), "(0002,0005) is not known there",
    ),
    "no preamble": (meta(VERSION, SYNTAX)[132:], "no preamble"),
    "none": (b"", "no File Meta Information"),
}  # fmt: skip


@pytest.mark.parametrize("what", FILE_META)
def test_file_meta_information_is_exact_or_the_encoding_is_not_stated(signed_forms, backend, what):
    head, doubt = FILE_META[what]
    report = answer(head + split(signed_forms["explicit"])[1])
    assert report.verdict == ("indeterminate" if doubt else "passed")
    assert [reason.code for reason in report.reasons] == ["ENCODING_NOT_STATED"] * bool(doubt)
    assert doubt in why(report)
    assert report.signatures[0].integrity == "intact"


def test_what_is_broken_stays_broken_without_a_label(signed_forms):
    data = FILE_META["no syntax"][0] + split(signed_forms["explicit"])[1].replace(b"Doe^", b"Roe^")
    assert answer(data).verdict == "failed"


def test_an_unsigned_object_without_a_label_is_unsigned():
    assert verify(split(pki.small())[1]).verdict == "unsigned"


def test_whoever_holds_a_bare_data_set_names_its_encoding(signed_forms, backend, tmp_path, run):
    for form, (syntax, _, _) in pki.SYNTAX_AND_FORM.items():
        body = split(signed_forms[form])[1]
        assert answer(body).verdict == "indeterminate"
        report = answer(body, transfer_syntax=syntax)
        assert (report.verdict, report.transfer_syntax) == ("passed", syntax)
    path = tmp_path / "bare"
    path.write_bytes(body)
    code, out, _ = run("verify", "--integrity-only", "--transfer-syntax", syntax, path)
    assert (code, out.split()[0]) == (0, "passed")
    code, out, _ = run("verify", "--integrity-only", path)
    assert (code, "no File Meta Information" in out) == (3, True)


def test_a_name_does_not_replace_a_label(signed_forms):
    data = FILE_META["no syntax"][0] + split(signed_forms["explicit"])[1]
    assert answer(data, transfer_syntax=pki.EXPLICIT).verdict == "indeterminate"
    assert answer(signed_forms["explicit"], transfer_syntax=pki.IMPLICIT).verdict == "passed"
    with pytest.raises(UsageError, match="not a known Transfer Syntax UID"):
        answer(signed_forms["explicit"], transfer_syntax="1.2.3")


def test_the_private_transfer_syntax_of_ge_is_named(backend):
    _, body = split(pki.small("implicit"))
    report = verify(pki.part10(body, transfer_syntaxes.GE_PRIVATE_IMPLICIT))
    assert (report.verdict, report.error.code) == ("error", "unsupported")
    assert "1.2.840.113619.5.2 of GE" in report.error.message


SHOWN = {"implicit": "implicit VR", "explicit": "explicit VR", "big endian": "big endian",
         "deflated": "deflated"}  # fmt: skip
KINDS = tuple(pki.LABELS)


def labelled(form: str, label: str, more: bytes = b"") -> bytes:
    """A data set of one encoding with the label of another, and zeros as Pixel Data if asked for.

    With some millions of them the wrong lengths fit into the file.
    """
    elements = [*pki.SMALL[:-1], (0x7FE00010, "OW", more)] if more else pki.SMALL
    return pki.part10(pki.body_of(form, elements), pki.LABELS[label])


@pytest.mark.parametrize("more", [0, 3 << 20, 20 << 20], ids=["small", "large", "window"])
@pytest.mark.parametrize(
    ("label", "form"), [(label, form) for label in KINDS for form in KINDS if label != form]
)
def test_a_label_that_contradicts_the_data_set(backend, label, form, more):
    """pydicom goes by the first element; the lengths need not fit into the file."""
    report = answer(labelled(form, label, bytes(more)))
    assert (report.verdict, report.error) == ("failed", None)
    (sentence,) = (reason.message for reason in report.reasons)
    uid = pki.LABELS[label]
    said, found = sentence.split(", and the data set is ")
    assert SHOWN[label] in said
    assert f"(Transfer Syntax {uid})" in said
    assert SHOWN[form] in found
    assert found.endswith(": two readers may see two contents")
    assert "cut short" not in sentence


@pytest.mark.parametrize("form", KINDS)
def test_the_right_label_contradicts_nothing(backend, form):
    assert answer(labelled(form, form, bytes(3 << 20))).verdict == "unsigned"


@pytest.mark.parametrize("more", [0, 3 << 20], ids=["small", "large"])
@pytest.mark.parametrize(
    ("label", "form"),
    [(a, b) for a in KINDS for b in KINDS if a != b and b != "deflated"],
)
def test_a_label_that_contradicts_what_is_cut_short(backend, label, form, more):
    """Its first bytes tell, whether the rest can be read or not."""
    report = answer(labelled(form, label, bytes(more))[:-3])
    assert (report.verdict, report.error) == ("failed", None)
    assert f"is stated (Transfer Syntax {pki.LABELS[label]})" in why(report)
    report = answer(labelled(form, form, bytes(more))[:-3])
    assert (report.verdict, report.error.code) == ("error", "truncated")


def test_a_private_element_first(backend):
    """Its tag shows nothing: that all of it reads otherwise does."""
    elements = [(0x00090010, "LO", b"ACME"), (0x00091001, "LO", b"X ")]
    report = answer(pki.part10(pki.body_of("implicit", elements), pki.EXPLICIT))
    assert (report.verdict, "is in implicit VR" in why(report)) == ("failed", True)


@pytest.mark.parametrize("label", ["1.2.3.4", ""])
def test_what_is_deflated_under_an_unknown_label_is_not_cut_short(backend, label):
    report = verify(pki.part10(pki.body_of("deflated"), label))
    assert (report.verdict, report.error.code) == ("error", "unsupported")
    assert "the data set is deflated" in report.error.message


def test_what_fails_does_not_become_an_error_by_what_it_costs(backend):
    """A limit is met after it was seen that readers may see two contents."""
    first = implicit(0x00070010, bytes(0x00084F4C))  # its length reads as the VR LO
    data = pki.part10(first + pki.body_of("implicit"), pki.IMPLICIT)
    report = answer(data, limits=Limits(value=4))
    assert (report.verdict, report.error) == ("failed", None)
    assert "looks like explicit VR" in why(report)
    assert "at most 4 are read" in report.messages[0]
    assert answer(pki.small("implicit"), limits=Limits(value=4)).error.code == "limit"


FORMS = {
    "explicit": (pki.EXPLICIT, "explicit VR"),
    "implicit": (pki.IMPLICIT, "implicit VR"),
    "big endian": (pki.BIG, "explicit VR big endian"),
    "deflated": (transfer_syntaxes.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, "deflated explicit VR"),
}


@pytest.mark.parametrize("pixels", [0, 3 << 20])
@pytest.mark.parametrize("is_signed", [True, False])
@pytest.mark.parametrize("form", ["explicit", "implicit", "big endian"])
@pytest.mark.parametrize("label", FORMS)
def test_every_label_that_contradicts_the_data_set(
    signed_forms, backend, label, form, is_signed, pixels
):
    """Zeros in a large value may make sense in another encoding; the answer is the same."""
    if label == form:
        return
    big, implied = form == "big endian", form == "implicit"
    _, body = split(signed_forms[form] if is_signed else pki.small(form))
    if pixels:
        head = struct.pack(">HH" if big else "<HH", 0x7FE0, 0x0010)
        head += b"" if implied else b"OW\0\0"
        element = head + struct.pack(">L" if big else "<L", pixels) + bytes(pixels)
        at = body.find(struct.pack(">HH" if big else "<HH", 0xFFFA, 0xFFFA))
        body = body[:at] + element + body[at:] if at >= 0 else body + element
    syntax, stated = FORMS[label]
    report = answer(pki.part10(body, syntax))
    assert (report.verdict, report.error, report.signatures) == ("failed", None, ())
    assert why(report).startswith(stated)
    assert f"is stated (Transfer Syntax {syntax})" in why(report)
    assert f"the data set is in {FORMS[form][1]}" in why(report)


@pytest.mark.parametrize("name", ["DICOMDIR", "DICOMDIR-implicit", "DICOMDIR-bigEnd"])
def test_a_directory_that_is_cut_short_is_in_its_encoding(test_files, backend, name):
    """Its first group is 0004, whose bytes the other way round are those of a group as well."""
    data = Path(test_files, "dicomdirtests", name).read_bytes()
    report = verify(data[:-24])
    assert (report.verdict, report.error.code) == ("error", "truncated")
    assert verify(data).verdict == "unsigned"


def test_uids_of_the_file_meta_information_may_differ(signed_forms, backend):
    other = explicit(0x00020003, "UI", b"2.25.9999\0")
    report = answer(meta(VERSION, CLASS, other, SYNTAX) + split(signed_forms["explicit"])[1])
    assert report.verdict == "passed"
    assert "Media Storage SOP Instance UID" in report.messages[0]


# --- the label of the calculation, which no MAC protects ------------------------------------------


@pytest.mark.parametrize(
    ("uid", "verdict", "said"),
    [
        (b"1.2.840.10008.1.2.9\0", "passed", "1.2.840.10008.1.2.9 is not known"),
        (b"2.25.123456789012345", "passed", "2.25.123456789012345 is not known"),
        (b"1.2.840.10008.1.2\0\0\0", "failed", "is not explicit VR little endian"),
        (b"1.2.840.10008.1.2.2\0", "failed", "is not explicit VR little endian"),
        (b"1.2.840.10008.1.2.72", "passed", "1.2.840.10008.1.2.72 is not known"),
        (b"1.2.840.10008.1.20\0\0", "failed", "is not explicit VR little endian"),
        (b"1.2.840.10008.5.1.4\0", "failed", "is not explicit VR little endian"),
        (b"explicit little end.", "failed", "is not a UID"),
        (b"1.02.840.10008.1.2.1", "failed", "is not a UID"),
        (b".1.2.840.10008.1.2.1", "failed", "is not a UID"),
    ],
)
def test_the_mac_calculation_transfer_syntax(signed_forms, backend, uid, verdict, said):
    data = signed_forms["explicit"]
    label = b"\x00\x04\x10\x00UI\x14\x00"
    assert data.count(label) == 1
    at = data.index(label) + len(label)
    report = answer(data[:at] + uid + data[at + 20 :])
    (signature,) = report.signatures
    reason = signature.integrity_reason
    assert report.verdict == verdict
    assert any(said in text for text in (*signature.messages, reason.message if reason else ""))

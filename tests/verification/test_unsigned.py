"""What is not signed beside what is: `--unsigned`, the table of meanings, and what is silent."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pki
import pytest

from dicomseal import TrustStore, sign_file, verify
from dicomseal.errors import UsageError
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode
from dicomseal.standard import meanings, terms
from dicomseal.standard.dictionary import dictionary
from dicomseal.standard.meanings import SUBJECTS, Signed, row_of
from dicomseal.standard.tags import describe, parse_tag

UIDS = [(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"), (0x00080018, "UI", b"2.25.1234\0")]
NAME = (0x00100010, "PN", b"Doe^John")
DATE = (0x00080020, "DA", b"20200101")
PIXELS = (terms.PIXEL_DATA, "OW", bytes(32))
IMAGE = [*UIDS, NAME, (0x00280010, "US", b"\4\0"), (0x00280011, "US", b"\4\0"), PIXELS]
SLOPE = (0x00281053, "DS", b"-1")
COMMENT = (0x00104000, "LT", b"added ")
_VRS = {"ox": "OW", "bo": "OB", "xs": "US", "lt": "OW", "UN": "OW"}


def added(data: bytes, *elements) -> bytes:
    """A file with more elements in its main data set, each in its place."""
    part10 = Part10.from_bytes(data)
    index = part10.index()
    pieces = [(r.tag, data[r.start : r.end]) for r in map(index.record, index.children(0))]
    pieces += [(one[0], encode([one])) for one in elements]
    return data[: part10.start] + b"".join(piece for _, piece in sorted(pieces))


@pytest.fixture
def sign(tmp_path):
    def make(elements=IMAGE, *more, source=None, **how):
        path = tmp_path / "signed.dcm"
        given = pki.part10(encode(elements)) if source is None else source
        sign_file(given, path, *pki.member(how.pop("who", "rsa")).pair, **how)
        return path.read_bytes()

    return make


@pytest.fixture
def answer():
    root = TrustStore([pki.member("root").certificate])

    def ask(data, **how):
        report = verify(data, trust=root, **how)
        assert report.error is None
        return report

    return ask


def why(report):
    return [(reason.code, reason.message) for reason in report.reasons]


def of(*elements):
    """What must be there for each subject of the table."""
    subjects = {name: [(min(tags), "OB", b"\0\0")] for name, tags in SUBJECTS.items()}
    subjects["pixels"] = [PIXELS]
    subjects["waveform"] = [(0x54000100, "SQ", [[]])]
    subjects["report"] = [(0x0040A730, "SQ", [[]])]
    subjects["content"] = [PIXELS]
    subjects["text"] = [(0x00100010, "PN", "Müller".encode("latin-1"))]
    subjects["time"] = [DATE]
    return subjects


def every_row():
    for row, elements in meanings.rows():
        for element in elements.split():
            if element == "creators":
                continue
            tags = [element]
            if "x" in element and "," in element:
                group, low = element.split(",")
                groups = [group.replace("xx", "00"), group.replace("xx", "1E")]
                tags = [f"{g},{low.replace('xxxx', e)}" for g in sorted(set(groups)) for e in
                        ("0010", "3000", "1001")[: 3 if "x" in low else 1]]  # fmt: skip
            for tag in tags:
                yield pytest.param(row, parse_tag(tag), id=f"{row.name}-{tag}")


@pytest.mark.parametrize(("row", "tag"), [*every_row()])
def test_every_element_of_the_table(sign, answer, row, tag):
    """Added to a fully signed object that has what it speaks of, it keeps that from passing."""
    vr = dictionary().public(tag)
    vr = _VRS.get(vr, vr)
    new = (tag, vr, [] if vr == "SQ" else b"1 " if vr != "US" else b"\1\0")
    for subject in row.subjects - {"group"}:
        body = [*UIDS, *of().get(subject, [])]
        if any(one[0] == tag for one in body):
            body = [*UIDS, PIXELS if subject == "content" and tag != PIXELS[0] else
                    (terms.ENCAPSULATED_DOCUMENT, "OB", b"\0\0")]  # fmt: skip
        body.sort(key=lambda one: one[0])
        data = sign(body)
        assert answer(data).verdict == "passed"
        answered = answer(added(data, new))
        if row.effect == "archive":
            assert (answered.verdict, answered.messages) == ("passed", ())
            assert [one.effect for one in answered.uncovered_classes] == ["archive"]
        else:
            assert answered.verdict == "indeterminate"
            ((code, said),) = why(answered)
            assert code == "UNSIGNED_CONTENT"
            assert describe(tag) in said
            (found,) = answered.uncovered_classes
            assert (found.effect, found.elements) == ("meaning", (describe(tag),))


def test_the_table_names_real_sections():
    for row, elements in meanings.rows():
        assert elements
        assert row.subjects <= {
            *SUBJECTS, "content", "group", "private", "text", "time", "nothing",
        }  # fmt: skip
        assert any(character.isdigit() for character in row.source), row


def test_an_element_speaks_only_of_what_is_signed(sign, answer):
    """A slope says nothing of a name; nobody signed the pixels."""
    data = sign(tags=["PatientName"])
    answered = answer(data)
    assert answered.verdict == "passed"
    said = (
        "5 elements are covered by no passing signature: SOPClassUID (0008,0016), "
        "SOPInstanceUID (0008,0018), Rows (0028,0010), Columns (0028,0011), PixelData (7FE0,0010)"
    )
    assert answered.messages == (said,)
    answered = answer(sign(tags=["PatientName", "PixelData"]))
    said = (
        "no passing signature covers Rows (0028,0010), Columns (0028,0011), and that changes what "
        "signed elements mean"
    )
    assert why(answered) == [("UNSIGNED_CONTENT", said)]


def test_other_elements_are_named_in_a_message(sign, answer, backend):
    data = sign()
    answered = answer(added(data, COMMENT))
    assert answered.verdict == "passed"
    assert answered.messages == (
        "1 element is covered by no passing signature: PatientComments (0010,4000)",
    )
    many = [(0x00111001 + n, "LO", b"x ") for n in range(12)]
    answered = answer(added(data, (0x00110010, "LO", b"OURS"), *many))
    assert answered.verdict == "passed"
    (said,) = answered.messages
    assert said.startswith("13 elements are covered by no passing signature: (0011,0010), ")
    assert said.endswith("(0011,1009) and 3 more")
    (found,) = answered.uncovered_classes
    assert (found.name, found.effect, found.count, len(found.elements)) == (
        "other",
        "other",
        13,
        13,
    )


def test_accept_and_reject(sign, answer, backend):
    data = sign()
    for how in ("accept", "warn", "reject"):
        answered = answer(data, unsigned=how)
        assert (answered.verdict, answered.reasons, answered.messages) == ("passed", (), ())
    for new, warned in ((SLOPE, "indeterminate"), (COMMENT, "passed")):
        more = added(data, new)
        answered = answer(more, unsigned="accept")
        assert (answered.verdict, answered.reasons, answered.messages) == ("passed", (), ())
        assert answered.uncovered_classes
        assert answer(more).verdict == warned
        answered = answer(more, unsigned="reject")
        assert answered.verdict == "failed"
        assert why(answered) == [
            (
                "UNSIGNED_CONTENT",
                f"no passing signature covers {describe(new[0])}, and nothing unsigned is accepted",
            )
        ]
    for added_by_archives in ((0x00080054, "AE", b"PACS"), (0x00080056, "CS", b"ONLINE")):
        more = added(data, added_by_archives)
        assert answer(more).verdict == "passed"
        assert answer(more, unsigned="reject").verdict == "failed"


def test_what_was_left_out_and_is_removed_leaves_no_trace(sign, answer):
    data = sign(source=pki.part10(encode(sorted([*IMAGE, SLOPE]))), tags=["PatientName"])
    part10 = Part10.from_bytes(data)
    slope = part10.index().record(part10.index().find(0, SLOPE[0]))
    answered = answer(data[: slope.start] + data[slope.end :])
    assert answered.verdict == "passed"
    assert "RescaleSlope" not in answered.messages[0]


def test_an_unsigned_object_is_unsigned(answer):
    answered = answer(pki.part10(encode(IMAGE)), unsigned="reject")
    assert (answered.verdict, answered.uncovered_classes) == ("unsigned", ())


@pytest.mark.parametrize("given", ["", "maybe", None, 1])
def test_no_such_policy(given):
    with pytest.raises(UsageError, match="unsigned is one of accept, warn, reject"):
        verify(b"", unsigned=given)


def test_what_another_signature_covers_is_signed(sign, answer, backend):
    """Signatures of different elements cover their union; an untrusted one covers nothing."""
    slope = pki.part10(encode(sorted([*IMAGE, SLOPE])))
    most = ["PatientName", "PixelData", "Rows", "Columns", "SOPClassUID", "SOPInstanceUID"]
    first = sign(source=slope, tags=most)
    assert answer(first).verdict == "indeterminate"
    answered = answer(sign(source=first, tags=["RescaleSlope"], who="rsa two"))
    assert (answered.verdict, answered.uncovered_elements, answered.uncovered_classes) == (
        "passed",
        0,
        (),
    )
    answered = answer(sign(source=first, tags=["RescaleSlope"], who="other"))
    assert answered.verdict == "indeterminate"
    assert "RescaleSlope" in why(answered)[0][1]


def test_an_untrusted_signature(sign):
    """Nothing passes, so what is intact is looked at: both things are said."""
    data = sign()
    report = verify(data)
    assert (report.verdict, report.reasons, report.uncovered_classes) == ("indeterminate", (), ())
    report = verify(added(data, SLOPE))
    assert report.verdict == "indeterminate"
    assert why(report)[0][1].startswith("no intact signature covers RescaleSlope (0028,1053)")
    assert verify(data, unsigned="reject").verdict == "indeterminate"
    assert verify(added(data, SLOPE), unsigned="reject").verdict == "failed"
    assert verify(data.replace(b"Doe^John", b"Doe^Jane"), unsigned="reject").reasons == ()


def test_only_items_are_signed(sign, answer, backend):
    said = "only items are signed: no signature protects the main data set"
    body = [*UIDS, NAME, (0x300A00B0, "SQ", [[(0x300A00C2, "LO", b"beam")]])]
    data = sign(body, items="BeamSequence[0]")
    answered = answer(data)
    assert (answered.verdict, answered.messages) == ("indeterminate", ())
    assert why(answered) == [("UNSIGNED_CONTENT", said)]
    answered = answer(data, unsigned="accept")
    assert (answered.verdict, answered.messages, answered.reasons) == ("passed", (said,), ())
    answered = answer(data, unsigned="reject")
    assert (answered.verdict, why(answered)) == ("failed", [("UNSIGNED_CONTENT", said)])


def test_an_item_that_is_signed_beside_the_main_data_set(sign, answer, backend):
    """What its own signature leaves out counts, unless one of what surrounds it covers it."""
    icon = [(0x00280010, "US", b"\1\0"), (0x00280011, "US", b"\1\0"), (PIXELS[0], "OW", b"\0\0")]
    body = [*UIDS, NAME, (0x00880200, "SQ", [icon])]
    inner = sign(body, items="IconImageSequence[0]", tags=["PixelData"])
    answered = answer(sign(source=inner, tags=["PatientName"]))
    assert answered.verdict == "indeterminate"
    assert "Rows (0028,0010) in IconImageSequence[0], Columns" in why(answered)[0][1]
    whole = sign(source=inner)
    answered = answer(whole)
    assert (answered.verdict, answered.reasons) == ("passed", ())
    answered = answer(added(whole, COMMENT))
    assert (answered.verdict, answered.reasons, len(answered.messages)) == ("passed", (), 1)


# --- text, times, private elements ---------------------------------------------------------------


def charset(value: str):
    return (0x00080005, "CS", value.encode() + b" " * (len(value) % 2))


@pytest.mark.parametrize("form", ["main", "item", "item of its own"])
@pytest.mark.parametrize(
    ("name", "term", "matters"),
    [
        (b"Doe^John", "ISO_IR 192", False),
        (b"Doe^John", "ISO 2022 IR 6\\ISO 2022 IR 87", False),
        (b"Doe^John", "ISO_IR 13", False),
        (b"Doe~John", "ISO_IR 13", True),
        (b"Doe~John", "ISO_IR 100", False),
        (b"M\xfcller ", "ISO_IR 192", True),
        (b"\x1b$B;3ED\x1b(B", "\\ISO 2022 IR 87", True),
        (b"Doe^John", "cp037", True),
        (b"Doe^John", "utf_7", True),
    ],
)
def test_a_character_set(sign, answer, form, name, term, matters, backend):
    item = [(0x00081090, "LO", name + b" " * (len(name) % 2))]
    if form == "item of its own":
        item, matters = [charset("ISO_IR 100"), *item], False
    sequence = (0x00081199, "SQ", [item])
    body = [*UIDS, (0x00100010, "PN", item[0][2])] if form == "main" else [*UIDS, sequence]
    data = sign(body)
    answered = answer(added(data, charset(term)))
    assert answered.verdict == ("indeterminate" if matters else "passed")
    assert (answered.messages == ()) is matters  # otherwise it is named among the others
    (found,) = answered.uncovered_classes
    assert found.name == ("text" if matters else "other")


def test_a_character_set_that_is_no_text(sign, answer):
    """Some reader may make one of it all the same."""
    data = sign()
    assert answer(added(data, (0x00080005, "SQ", []))).verdict == "indeterminate"


def test_a_long_text_is_taken_to_depend_on_its_character_set(sign, answer):
    data = sign([*UIDS, (0x0040A160, "UT", b"x" * (1 << 20) + b"xx")])
    assert answer(added(data, charset("ISO_IR 100"))).verdict == "indeterminate"


def test_a_time_zone(sign, answer, backend):
    zone = (0x00080201, "SH", b"+0900 ")
    assert answer(added(sign(), zone)).verdict == "passed"
    dated = sign(sorted([*IMAGE, DATE]))
    assert answer(added(dated, zone)).verdict == "indeterminate"
    nested = sign([*UIDS, (0x00081199, "SQ", [[(0x0040A121, "DA", b"20200101")]])])
    assert answer(added(nested, zone)).verdict == "indeterminate"


def test_the_creator_of_signed_private_elements(sign, answer, backend):
    private = [(0x00110010, "LO", b"ONE "), (0x00111001, "LO", b"value ")]
    data = sign([*UIDS, NAME, *private], tags=["PatientName", 0x00111001])
    assert "(0011,0010)" in why(answer(data))[0][1]
    assert answer(sign([*UIDS, NAME, *private], tags=["PatientName"])).verdict == "passed"
    other = sign([*UIDS, NAME, *private])
    assert answer(added(other, (0x00110011, "LO", b"TWO "))).verdict == "passed"


def test_what_is_silent_is_what_it_should_be(sign, answer):
    """An element of the short list with another VR is another thing, and is named."""
    answered = answer(added(sign(), (0x00080054, "OB", b"\1\2")))
    assert answered.verdict == "passed"
    assert "RetrieveAETitle (0008,0054)" in answered.messages[0]


# --- what it costs -------------------------------------------------------------------------------


def test_a_fully_signed_object_is_not_looked_at_again(sign, answer, monkeypatch):
    def never(*_):
        raise AssertionError

    data = sign()
    monkeypatch.setattr("dicomseal.verification.unsigned.row_of", never)
    assert answer(data, list_uncovered=True).verdict == "passed"
    with pytest.raises(AssertionError):
        answer(added(data, SLOPE))


def test_many_elements_beside_many_signed_ones():
    """Blocks and groups are looked up, not searched for."""
    signed = range(0x00111000, 0x0011FF00)
    start = time.perf_counter()
    asked = Signed(signed, lambda: False, lambda: False)
    found = [row_of(0x00110010 | n, asked) for n in range(0xE0) for _ in range(200)]
    assert all(found)
    assert time.perf_counter() - start < 5


def test_texts_and_times_are_looked_for_so_far_and_no_further(sign, answer, monkeypatch):
    """Who adds a character set to a huge object costs no more than a second or two."""
    plain = sign([*UIDS, *[(0x00111001 + n, "LT", b"x" * 10) for n in range(200)]])
    for new in (charset("ISO_IR 100"), (0x00080201, "SH", b"+0900 ")):
        monkeypatch.setattr("dicomseal.signature.signed_values._MAX_ELEMENTS", 202)
        assert answer(added(plain, new)).verdict == "passed"
        monkeypatch.setattr("dicomseal.signature.signed_values._MAX_ELEMENTS", 201)
        assert answer(added(plain, new)).verdict == "indeterminate"


# --- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "code"), [("accept", 0), ("warn", 3), ("reject", 1), (None, 3)])
def test_the_option(run, sign, tmp_path, how, code):
    path = tmp_path / "more.dcm"
    path.write_bytes(added(sign(), SLOPE))
    options = [] if how is None else ["--unsigned", how]
    answer = run("verify", "--integrity-only", "--format", "json", *options, path)
    assert answer[0] == code
    said = json.loads(answer[1])
    assert said["uncovered_classes"] == [
        {
            "name": "rescale", "effect": "meaning", "count": 1,
            "elements": ["RescaleSlope (0028,1053)"],
        }
    ]  # fmt: skip
    assert [one["code"] for one in said["reasons"]] == ["UNSIGNED_CONTENT"] * (how != "accept")


# --- the document --------------------------------------------------------------------------------


def test_the_document_has_the_table():
    """Every row of it, in its order, and every element that is silent."""
    text = (Path(__file__).parents[2] / "docs" / "unsigned.md").read_text("utf-8")
    table = [line for line in text.splitlines() if re.match(r"\| `[a-z-]+` \| .*\d", line)]
    told = [(row, elements) for row, elements in meanings.rows() if row.effect == "meaning"]
    assert len(table) == len(told)
    for line, (row, elements) in zip(table, told, strict=True):
        name, source, subjects, listed = (cell.strip() for cell in line.split("|")[1:-1])
        assert (name, source) == (f"`{row.name}`", row.source)
        assert set(re.findall(r"`([a-z]+)`", subjects)) == row.subjects
        if elements != "creators":
            assert listed.replace("`", "") == elements
    silent = " ".join(elements for row, elements in meanings.rows() if row.effect == "archive")
    section = text.partition("## Elements that archives add")[2]
    assert set(silent.split()) == set(re.findall(r"`(\w+)`", section))

"""The same tags signed as by dcmsign, for every profile, but for what docs/profiles.md explains."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
from _dcmtk import FORBIDDEN_GROUP, ROOT, SIGNABLE, STRIPPED_PADDING, UN_OF_UNDEFINED_LENGTH, Dcmtk
from pydicom.datadict import DicomDictionary, dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from dicomseal import profiles, sign_file, verify
from dicomseal.errors import DicomSealError, SigningError
from dicomseal.files.reader import Reader
from dicomseal.signature import mac_parameters
from dicomseal.standard import meanings, modules

pytestmark = pytest.mark.peer

OPTIONS = {
    "none": ("-pf",),
    "base": ("+pb",),
    "creator": ("+pc",),
    "authorization": ("+pa",),
    "sr": ("+pr", "+sp", "1"),
    "sr-verification": ("+pv",),
}
REQUIRE = {"creator": "+rc", "authorization": "+ru", "sr": "+rs", "sr-verification": "+rs"}
ONE = "0008,0016"
NOT_SUITABLE = 85
DOCUMENT = (Path(__file__).parent.parent.parent / "docs" / "profiles.md").read_text("utf-8")
EXPLAINED = set(
    re.findall(r"`(\w+)`", re.search(r"\| added here alone .*?\n\n", DOCUMENT, re.DOTALL)[0])
)
FOUND = {f.relative_to(ROOT).as_posix() for f in ROOT.rglob("*") if f.is_file()}
# what becomes of a file
SAME, MORE, REFUSED, REFUSED_HERE = (
    "the same tags",
    "more here",
    "both refuse",
    "refused here alone",
)
OUTCOMES = SAME, MORE, REFUSED, REFUSED_HERE


def rows(heading: str) -> list[list[str]]:
    """The table below a line of the document, without its heading; marks of code are taken off."""
    table = DOCUMENT.split(heading, 1)[1].split("\n\n", 2)[1].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def signed_tags(path: Path) -> set[int]:
    index = Reader().open(str(path)).index()
    ((_, item),) = mac_parameters.read_ids(index, 0)
    return set(mac_parameters.read(index, item).data_elements_signed)


def is_explained(tag: int) -> bool:
    group, element = tag >> 16, tag & 0xFFFF
    if group in range(0x6002, 0x6020, 2) or (group in range(0x5000, 0x5020, 2) and element == 0x20):
        return True
    return keyword_for_tag(tag) in EXPLAINED


def theirs(dcmtk: Dcmtk, source: Path, target: Path, pair: Any, *options: str) -> int:
    done = dcmtk.run("dcmsign", "+s", *pair, *options, "+m2", source, target)
    return done.returncode


def ours(source: Path, target: Path, pair: Any, profile: str, tags: Any) -> str:
    try:
        sign_file(
            source, target, *pair, profile=profile, tags=tags, when=datetime.now(UTC),
            purpose=1 if profile == "sr" else None,
        )  # fmt: skip
    except SigningError as error:
        return str(error)
    return ""


def test_every_file_is_compared_or_left_out_for_a_reason() -> None:
    """No file of pydicom's is passed over in silence."""
    named = [
        set(re.findall(r"`([^`]+)`", files)) for files, why in rows("which are left out:") if why
    ]
    left_out = set().union(*named)
    assert sum(map(len, named)) == len(left_out)
    assert left_out == FOUND - set(SIGNABLE)
    assert str(len(SIGNABLE)) in DOCUMENT.split("which are left out:")[0].rsplit("\n\n", 1)[1]


@pytest.mark.parametrize("file", sorted(FOUND - set(SIGNABLE)))
def test_nothing_of_those_left_out_is_signed_by_us(
    file: str, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    """dcmsign signs an empty list in a DICOMDIR, and cannot verify that.

    Beside elements of a forbidden group it signs what it can.
    """
    pair = pki.pair("rsa")
    code = theirs(dcmtk, ROOT / file, work / "a", pair, "-pf")
    with pytest.raises(DicomSealError):
        sign_file(ROOT / file, work / "b", *pair)
    assert not (work / "b").exists()
    assert file in FORBIDDEN_GROUP or code != 0 or signed_tags(work / "a") == set()


@pytest.mark.parametrize("one", [None, ONE], ids=["everything", "one"])
@pytest.mark.parametrize("profile", OPTIONS)
def test_the_same_tags(profile: str, one: str | None, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """The row of the document says what became of how many files."""
    pair = pki.pair("rsa")
    counted: Counter[str] = Counter()
    wrong = []
    for file in SIGNABLE:
        try:
            counted[compare(file, profile, one, dcmtk, pair, work)] += 1
        except AssertionError as error:
            wrong.append((file, str(error)))
    assert wrong == []
    how = "everything" if one is None else f"`--tag {ONE}`"
    row = [f"`{profile}`", how, *(str(counted[outcome]) for outcome in OUTCOMES)]
    assert row in rows("These are the results:")


class Everything:
    """As if all that an element may say something of were signed."""

    def has(self, subject: str, tag: int) -> bool:
        return True


def says_what_others_mean(tag: int) -> bool:
    """Such elements are signed here with every profile, see docs/unsigned.md."""
    return meanings.row_of(tag, Everything()) is not None


def compare(file: str, profile: str, one: str | None, dcmtk: Dcmtk, pair: Any, work: Path) -> str:
    """Sign it with both, and say what came of it; anything that no table explains fails."""
    a, b = work / "a", work / "b"
    for path in (a, b):
        path.unlink(missing_ok=True)
    only = ("-t", one) if one else ()
    code = theirs(dcmtk, ROOT / file, a, pair, *OPTIONS[profile], *only)
    refused = ours(ROOT / file, b, pair, profile, [one] if one else None)
    if refused and code == 0:
        assert file in UN_OF_UNDEFINED_LENGTH, refused
        return REFUSED_HERE
    assert (code, bool(refused)) in ((0, False), (NOT_SUITABLE, True)), (code, refused)
    if refused:
        return REFUSED
    more = {tag for tag in signed_tags(b) - signed_tags(a) if not says_what_others_mean(tag)}
    assert signed_tags(a) <= signed_tags(b)
    assert all(is_explained(tag) for tag in more), [hex(tag) for tag in more]
    assert one is not None or not more
    if profile in REQUIRE and (one or profile.startswith("sr")):
        # dcmsign takes the verifier's attributes for the verifier's signature
        wanted = 102 if one and is_open(b, profile) else 0
        if file not in STRIPPED_PADDING:
            assert dcmtk.verify(b, REQUIRE[profile]) == wanted
        (found,) = verify(a, integrity_only=True).signatures
        assert (profile in found.profiles) == (not more and not is_open(a, profile))
    return MORE if more else SAME


def is_open(path: Path, profile: str) -> bool:
    """Whether a VERIFIED report still lacks the verification signature."""
    found = verify(path, integrity_only=True).signatures[0]
    return profile == "sr" and any("does not follow PS3.15 C.4" in m for m in found.messages)


# --- an object with every element that there is ---------------------------------------------------

VALUES: dict[str, Any] = {
    "UI": "1.2.3", "DA": "20260101", "TM": "120000", "DT": "20260101120000", "IS": "1", "DS": "1",
    "AS": "001Y", "AT": 0x00100010, "OB": bytes(2), "OW": bytes(2), "OF": bytes(4), "OD": bytes(8),
    "OL": bytes(4), "OV": bytes(8), "FD": 1.0, "FL": 1.0,
    **dict.fromkeys(("US", "SS", "UL", "SL", "UV", "SV"), 1),
    **dict.fromkeys(("CS", "LO", "SH", "ST", "LT", "UT", "PN", "AE", "UC", "UR"), "X"),
}  # fmt: skip


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A verified report that has every element of the dictionary, and every listed repetition."""
    listed = profiles.module_tags(frozenset(modules.module_table()))
    tags = {tag for tag in DicomDictionary if 0x0008 <= tag >> 16 < 0xFFFA and tag & 0xFFFF}
    dataset = Dataset()
    for tag in sorted(tags | listed):
        vr = dictionary_VR(tag).split(" or ")[0]
        if vr == "SQ" and tag != 0x4FFE0001:
            item = Dataset()
            item.CodeMeaning, item.MACAlgorithm = "X", "SHA256"
            dataset.add_new(tag, vr, [item])
        elif vr in VALUES:
            dataset.add_new(tag, vr, VALUES[vr])
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    dataset.ValueType, dataset.VerificationFlag = "CONTAINER", "VERIFIED"
    dataset.BitsAllocated, dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 8, 1, 2, 1
    # the first is none of a report, the second is for compressed pixel data
    del dataset.EncapsulatedDocument, dataset.PixelDataProviderURL
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path: Path = tmp_path_factory.mktemp("everything") / "everything.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("profile", REQUIRE)
def test_every_difference_is_explained(
    profile: str, everything: Path, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    pair = pki.pair("rsa")
    assert theirs(dcmtk, everything, work / "a", pair, *OPTIONS[profile], "-t", ONE) == 0
    assert ours(everything, work / "b", pair, profile, [ONE]) == ""
    a, b = signed_tags(work / "a"), signed_tags(work / "b")
    assert a <= b
    more = b - a
    strange = [tag for tag in more if not (is_explained(tag) or says_what_others_mean(tag))]
    assert strange == [], [keyword_for_tag(tag) for tag in strange]
    if profile == "creator":  # nothing is explained that is not so
        assert EXPLAINED - {keyword_for_tag(tag) for tag in more} == set()
        assert 0x601E3000 in more
    assert dcmtk.verify(work / "b", REQUIRE[profile]) == (102 if profile == "sr" else 0)
    assert profile in profiles_of(work / "b") or profile == "sr"


def profiles_of(path: Path) -> tuple[str, ...]:
    return verify(path, integrity_only=True).signatures[0].profiles


def test_raw_data(dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """Creator Version UID: both sign the private elements."""
    dataset = pydicom.dcmread(ROOT / "CT_small.dcm")
    dataset.CreatorVersionUID = "1.2.3"
    dataset.save_as(work / "raw.dcm")
    pair = pki.pair("rsa")
    assert theirs(dcmtk, work / "raw.dcm", work / "a", pair, "+pc", "-t", ONE) == 0
    assert ours(work / "raw.dcm", work / "b", pair, "creator", [ONE]) == ""
    private = {tag for tag in signed_tags(work / "b") if tag >> 16 & 1}
    assert private
    assert private == {tag for tag in signed_tags(work / "a") if tag >> 16 & 1}
    assert dcmtk.verify(work / "b", "+rc") == 0


def refusals() -> dict[str, Any]:
    """Rows of the second table of the docs; an element of the VR UN both refuse."""

    def change(**elements: Any) -> Dataset:
        dataset = pydicom.dcmread(ROOT / "test-SR.dcm")
        for name, value in elements.items():
            setattr(dataset, name, value)
        return dataset

    image = pydicom.dcmread(ROOT / "CT_small.dcm")
    image.StationName = "CT01"
    reference = Dataset()
    reference.MACAlgorithm = "SHA224"
    evidence = Dataset()
    evidence.ReferencedSOPInstanceMACSequence = [reference]
    return {
        "referenced MAC": (change(PertinentOtherEvidenceSequence=[evidence]), "sr"),
        "document": (change(EncapsulatedDocument=b"%PDF"), "sr"),
        "no container": (change(ValueType="TEXT"), "sr"),
        "UN": (image, "creator"),
    }


@pytest.mark.parametrize("case", ["referenced MAC", "document", "no container", "UN"])
def test_what_we_refuse(case: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    dataset, profile = refusals()[case]
    dataset.save_as(work / "in.dcm")
    if case == "UN":  # pydicom would write the VR of its dictionary
        data = (work / "in.dcm").read_bytes()
        header = bytes.fromhex("08001010")
        assert data.count(header + b"SH\4\0") == 1
        data = data.replace(header + b"SH\4\0", header + b"UN\0\0\4\0\0\0")
        (work / "in.dcm").write_bytes(data)
    pair = pki.pair("rsa")
    code = theirs(dcmtk, work / "in.dcm", work / "a", pair, *OPTIONS[profile])
    assert code == (NOT_SUITABLE if case == "UN" else 0)
    assert "would not satisfy" in ours(work / "in.dcm", work / "b", pair, profile, None)
    assert not (work / "b").exists()


def test_purposes_of_dcmsign(dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """Without a purpose for C.4 dcmsign signs; another one than 5 it overrides."""
    pair = pki.pair("rsa")
    source = ROOT / "test-SR.dcm"
    assert theirs(dcmtk, source, work / "a", pair, "+pr") == 0
    assert "sr" not in profiles_of(work / "a")
    assert theirs(dcmtk, source, work / "b", pair, "+pv", "+sp", "1") == 0
    (signature,) = verify(work / "b", integrity_only=True).signatures
    assert (signature.purpose_code, signature.profiles[-1]) == ("5", "sr-verification")


@pytest.mark.parametrize("code", range(1, 19))
def test_every_purpose(code: int, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    pair = pki.pair("rsa")
    sources = ROOT / "MR_small.dcm"
    assert theirs(dcmtk, sources, work / "a", pair, "+sp", str(code)) == 0
    sign_file(sources, work / "b", *pair, purpose=code, when=datetime.now(UTC))
    assert dcmtk.verify(work / "b") == 0
    one, other = (verify(work / name, integrity_only=True).signatures[0] for name in "ab")
    assert (one.purpose, one.purpose_code) == (other.purpose, other.purpose_code)
    assert one.purpose_code == str(code)

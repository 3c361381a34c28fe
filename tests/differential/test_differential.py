"""What passes is what pydicom, GDCM, SimpleITK and dcmdump show (docs/differential.md).

The readers are real. Where one is missing, the tests that need it are skipped; in CI all are there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
try:
    from differential import builders, dumps, oracle, originals, run
    from differential.tree import EXPLICIT, emit
finally:
    sys.path.pop(0)

ABSENT = oracle.missing()
WHY = f"not here: {', '.join(ABSENT)}; pip install --group differential, apt-get install dcmtk"


@pytest.fixture(scope="module")
def objects():
    """The signed objects by name."""
    return {original.name: original for original in originals.load()}


@pytest.fixture(scope="module")
def readers():
    """All four readers."""
    if ABSENT and not os.environ.get("CI"):
        pytest.skip(WHY)
    assert not ABSENT, WHY
    four_readers = oracle.Oracle()
    yield four_readers
    four_readers.close()


def shown(readers, folder, *files):
    paths = []
    for number, data in enumerate(files):
        path = folder / f"{number}.dcm"
        path.write_bytes(data)
        paths.append(str(path))
    return readers.ask(paths)


# --- what must hold -------------------------------------------------------------------------------


@pytest.mark.peer
def test_what_passes_is_what_the_readers_show(readers, tmp_path):
    """The short form of `make differential`; each builder gets a dozen mutants or more."""
    counts = run.run(900, oracle=readers, folder=tmp_path, seed=7)
    assert counts.kept == [] and not counts.finds
    assert {name for name, _ in counts.verdicts} == set(builders.load())
    passed = sum(count for (_, verdict), count in counts.verdicts.items() if verdict == run.PASSED)
    assert passed > 50
    assert all(counts.readers[name, "shown"] > passed / 3 for name in oracle.NAMES)


# --- the oracle sees a forgery --------------------------------------------------------------------


@pytest.mark.peer
@pytest.mark.parametrize("name", ["image-explicit", "frames-implicit", "rle-compressed"])
def test_every_reader_is_seen_to_show_other_content(readers, objects, tmp_path, name):
    original = objects[f"{name}-dicomseal"]
    forged = emit(originals.forged(name.partition("-")[0]), original.style)
    was, now = shown(readers, tmp_path, original.data, original.file(forged))
    found = oracle.finds(was, now, original.signed)
    seen = {(find.reader, find.kind, find.where) for find in found}
    for reader in oracle.NAMES:
        assert (reader, oracle.FORGED, "00100010") in seen
    for reader in ("pydicom", "gdcm", "itk"):
        assert any(r == reader and where.startswith("pixels") for r, _, where in seen)


@pytest.mark.peer
def test_the_same_content_in_another_form_is_no_find(readers, objects, tmp_path):
    for original in objects.values():
        forms = [original.file(emit(original.nodes, original.style, u)) for u in (True, False)]
        was, *others = shown(readers, tmp_path, original.data, *forms)
        assert [oracle.finds(was, now, original.signed) for now in others] == [[], []]
        readable = {name for name, answer in was.items() if "refused" not in answer}
        assert readable >= {"pydicom", "gdcm", "dcmdump"}, original.name


@pytest.mark.peer
def test_a_run_finds_what_a_broken_verification_lets_pass(readers, monkeypatch, tmp_path):
    """With a verification that passes everything, each reader is deceived by some mutant."""
    report = SimpleNamespace(verdict=run.PASSED, uncovered_elements=0)
    monkeypatch.setattr(run, "verify", lambda *_, **__: report)
    counts = run.run(
        150, oracle=readers, folder=tmp_path, only="duplicate,other_order,number_width"
    )
    deceived = {name for _, kinds, names in counts.finds for name in names.split("+")
                if oracle.FORGED in kinds}  # fmt: skip
    assert deceived == set(oracle.NAMES)
    assert len([*tmp_path.glob("*.dcm")]) == len([*tmp_path.glob("*.json")]) > 0


def test_kinds_of_finds():
    def answer(elements, **pixels):
        return {"pydicom": {"elements": elements, "pixels": pixels}}

    def kinds(was, now, signed=(0x00100010, 0x00400275, 0x7FE00010)):
        return [(f.kind, f.where) for f in oracle.finds(was, now, frozenset(signed))]

    was = answer({"00100010": "Doe", "00400275": [{"00080104": "A"}]}, arrays=["x", "y"])
    assert kinds(was, was) == []
    items = {"00100010": "Doe", "00400275": [{"00080104": "A"}]}
    assert kinds(was, answer(items | {"00100010": "Roe"})) == [("forged", "00100010")]
    assert kinds(was, answer(items, arrays=["y", "x"])) == [("forged", "pixels as arrays")]
    assert kinds(was, answer(items | {"00100010+": "Roe"})) == [("forged", "a second 00100010")]
    assert kinds(was, answer(items | {"00400275": [{"00080104": "B"}]})) == [
        ("forged", "00400275[0].00080104")
    ]
    assert kinds(was, answer(items | {"00400275": [{"00080104": "A", "00080100": "B"}]})) == [
        ("added", "00400275[0].00080100")
    ]
    assert kinds(was, answer({"00100010": "Doe"})) == [("hidden", "00400275")]
    # not signed, nothing shown, refused, said to be unreadable
    assert kinds(was, answer(items | {"00100010": "Roe"}), signed=(0x00400275,)) == []
    assert kinds(was, answer({"00100020": "1"})) == []
    assert kinds(was, {"pydicom": {"refused": "no"}}) == []
    assert kinds(was, answer({"00100010?": "ValueError", "00400275": items["00400275"]})) == []


# --- the readers ----------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_reader_that_hangs_is_replaced(objects, tmp_path, monkeypatch):
    monkeypatch.setattr(oracle, "SECONDS", 5)
    good, hangs = tmp_path / "good.dcm", tmp_path / "hangs.dcm"
    good.write_bytes(objects["image-explicit-dicomseal"].data)
    os.mkfifo(hangs)
    reader = oracle.Reader("pydicom")
    try:
        first, lost, second = reader.ask([str(good), str(hangs), str(good)])
    finally:
        reader.close()
    assert first == second and first["elements"]["00100010"] == "Doe^John"
    assert lost == {"refused": "crashed: TimeoutError"}
    assert reader.lost == 1


def test_what_dcmdump_prints():
    printed = b"""# Dicom-Data-Set
# Used TransferSyntax: Little Endian Explicit
(0008,1110) SQ (Sequence with undefined length #=1)     # u/l, 1 ReferencedStudySequence
  (fffe,e000) na (Item with undefined length #=2)         # u/l, 1 Item
    (0040,a043) SQ (Sequence with explicit length #=2)      #  96, 1 ConceptNameCodeSequence
      (fffe,e000) na (Item with explicit length #=1)          #  40, 1 Item
        (0008,0104) LO [One # 1, 1 two]                         #  14, 1 CodeMeaning
      (fffe,e00d) na (ItemDelimitationItem for re-encoding)   #   0, 0 ItemDelimitationItem
      (fffe,e000) na (Item with explicit length #=0)          #   0, 1 Item
      (fffe,e00d) na (ItemDelimitationItem for re-encoding)   #   0, 0 ItemDelimitationItem
    (fffe,e0dd) na (SequenceDelimitationItem for re-encod.) #   0, 0 SequenceDelimitationItem
    (0008,1155) UI [2.25.77]                                #   8, 1 ReferencedSOPInstanceUID
  (fffe,e00d) na (ItemDelimitationItem)                   #   0, 0 ItemDelimitationItem
(fffe,e0dd) na (SequenceDelimitationItem)               #   0, 0 SequenceDelimitationItem
(0010,0020) LO (no value available)                     #   0, 0 PatientID
(0010,0010) PN [Doe^John]                               #   8, 1 PatientName
(0010,0010) PN [Roe^Jane]                               #   8, 1 PatientName
(7fe0,0010) OB (PixelSequence #=2)                      # u/l, 1 PixelData
  (fffe,e000) pi (no value available)                     #   0, 1 Item
  (fffe,e000) pi 02\\00                                    #   2, 1 Item
(fffe,e0dd) na (SequenceDelimitationItem)               #   0, 0 SequenceDelimitationItem
"""
    assert dumps._read(printed)["elements"] == {
        "00081110": [
            {"0040A043": [{"00080104": "One # 1, 1 two"}, {}], "00081155": "2.25.77"}
        ],
        "00100020": "", "00100010": "Doe^John", "00100010+": "Roe^Jane",
        "7FE00010": "(PixelSequence #=2) | (no value available) | 02\\00",
    }  # fmt: skip
    assert "refused" in dumps._read(b"")


# --- the mutants ----------------------------------------------------------------------------------


def test_a_number_gives_the_same_mutant_again():
    one, two, other = run.Mutants(3), run.Mutants(3), run.Mutants(4)
    again = [(one.make(n), two.make(n), other.make(n)) for n in range(60)]
    assert all(a == b for a, b, _ in again)
    assert any(a != c for a, _, c in again)


@pytest.mark.parametrize("name", sorted(builders.load()))
def test_every_builder_makes_mutants(name):
    mutants = run.Mutants(1, name)
    mutants_of_it = [m for n in range(60) if (m := mutants.make(n)) is not None]
    assert mutants_of_it
    assert all(m.builder == name and m.data != m.original.data for m in mutants_of_it)


def test_the_docs_have_every_builder():
    text = (ROOT / "docs" / "differential.md").read_text("utf-8")
    assert [name for name in builders.load() if f"| `{name}` |" not in text] == []


def test_what_is_put_somewhere_is_there(objects):
    """A place's own count of what follows it is right, at any depth, whatever the lengths."""
    import random

    from differential.places import place

    for seed in range(60):
        dice = random.Random(seed)
        original = dice.choice([*objects.values()])
        spot = place(original, dice, 0.7)
        raw = EXPLICIT.element(0x00091001, b"OB", b"\x5a" * dice.randrange(2, 80, 2))
        data = spot.file(raw)
        body = originals.taken_apart("", data).body if not original.deflated else None
        if body is not None and not original.style.implicit and not original.style.big:
            assert len(body) - body.index(raw) - len(raw) == spot.after

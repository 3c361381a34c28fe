"""docs/python.md: every line of it is executed, and prints what stands there."""

from __future__ import annotations

import copy
import doctest
import re
import warnings
from pathlib import Path

import pki
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian

import dicomseal
from dicomseal import canonical

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the page speaks of: an object, a key, its certificate and its authority's."""
    from dicomseal.cli.demo import make_pki

    monkeypatch.chdir(tmp_path)
    for name, path in zip(("key", "cert", "ca"), make_pki(str(tmp_path)), strict=True):
        Path(path).rename(f"{name}.pem")
    data = Path(get_testdata_file("CT_small.dcm")).read_bytes()
    # as the README makes it, of the object that the demo alters
    Path("ct.dcm").write_bytes(data.replace(b"CompressedSamples^CT1", b"CompressedSamples^CT2"))


def test_every_line(folder):
    text = PAGE.read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert all(block.startswith(">>> ") for block in blocks)
    parser, said = doctest.DocTestParser(), []
    examples = [one for block in blocks for one in parser.get_examples(block)]
    assert len(examples) > 35
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(doctest.DocTest(examples, {}, PAGE.name, str(PAGE), 0, text), out=said.append)
    assert runner.failures == 0, "".join(said)


def test_what_the_round_trip_through_json_changes(test_files):
    """The figures of the page, and its table: decimal strings alone."""
    signed, intact, changed = 0, 0, set()
    for path in sorted(Path(test_files).glob("*.dcm")):
        pair = there_and_back(path)
        if pair is None:
            continue
        dataset, again = pair
        signed += 1
        intact += dicomseal.verify(again).signatures[0].integrity == "intact"
        for element in dataset:
            if digest(dataset, element) != digest(again, element):
                changed.add(element.VR if element.VR != "SQ" else digested(element, again))
    assert changed == {"DS"}
    assert signed > 60
    assert 0.5 < intact / signed < 0.65  # "somewhat more than half"


def test_words_of_big_endian_keep_their_order(test_files):
    dataset, again = there_and_back(Path(test_files, "MR_small_expb.dcm"))
    words = dataset["PixelData"]
    assert digest(again, words) == digest(dataset, words)
    again.file_meta = copy.deepcopy(again.file_meta)
    again.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    assert digest(again, words) != digest(dataset, words)


def there_and_back(path):
    """A signed data set, and what becomes of it; None if it cannot be signed or written so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(path)
            dicomseal.sign(dataset, *pki.member("rsa").pair)
            again = pydicom.Dataset.from_json(dataset.to_json())
        except (dicomseal.DicomSealError, InvalidDicomError, ValueError):
            return None
    if dicomseal.verify(dataset).signatures[0].integrity != "intact":
        return None
    again.file_meta = dataset.file_meta
    return dataset, again


def digest(dataset, element):
    try:
        return canonical.digest(dataset, [element.tag])
    except dicomseal.DicomSealError as error:
        return str(error)


def digested(sequence, again):
    """The VRs in a sequence whose elements are others afterwards."""
    found = set()
    for one, other in zip(sequence.value, again[sequence.tag].value, strict=True):
        for element in one:
            if element.VR == "SQ":
                found.add(digested(element, other))
            elif digest(one, element) != digest(other, element):
                found.add(element.VR)
    assert len(found - {""}) <= 1, found
    return "".join(found)

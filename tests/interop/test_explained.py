"""What `explain` finds in the files that DCMTK's own programs made."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pydicom
import pytest
from _altered import changed
from _altered import signed as signed_file
from pydicom.dataset import Dataset

from dicomseal import sign_file
from dicomseal.explanation.diagnosis.block import Block
from dicomseal.explanation.diagnosis.budget import Effort
from dicomseal.explanation.explanation import explain
from dicomseal.explanation.subject import Subject
from dicomseal.verification.options import Options

pytestmark = pytest.mark.peer


def causes(path: Path) -> list[tuple[str, str]]:
    explanation = explain(Subject(str(path), Options(integrity_only=True)), Effort())
    return [(cause.code.value, cause.certainty) for cause in explanation.signatures[0].causes]


@pytest.mark.parametrize("who", ["rsa", "ec"])
def test_the_defect_of_the_block_is_proven(
    dcmtk: Any, pki: Any, long_report: Path, work: Path, who: str
) -> None:
    """Without it, no other cause would explain what dcmsign signed of a long report."""
    signed = work / "signed.dcm"
    dcmtk.sign(long_report, signed, pki.pair(who), "+m2")
    assert causes(signed) == [("DCMSIGN_BLOCK", "proven")]


def _tree(chance: random.Random, depth: int) -> list[Dataset]:
    items = []
    for _ in range(chance.randint(1, 10 if depth else 30)):
        item = Dataset()
        item.TextValue = "x" * chance.randint(0, 20000 if chance.random() < 0.1 else 300)
        if depth < 4 and chance.random() < 0.6:
            item.ContentSequence = _tree(chance, depth + 1)
        if chance.random() < 0.3:
            item.ConceptNameCodeSequence = [Dataset()]
        items.append(item)
    return items


@pytest.mark.parametrize("seed", range(3))
def test_the_block_is_the_programs_own(
    dcmtk: Any, pki: Any, test_files: str, work: Path, seed: int
) -> None:
    """What dcmsign hashes of trees of items, byte for byte."""
    report, signed, stream = work / "report.dcm", work / "signed.dcm", work / "stream"
    dataset = pydicom.dcmread(Path(test_files, "test-SR.dcm"))
    dataset.ContentSequence = _tree(random.Random(seed), 0)
    dataset.save_as(report)
    dcmtk.sign(report, signed, pki.pair("rsa"), "+m2", "+d", stream)
    one = Subject(str(signed), Options(integrity_only=True)).signatures[0]
    buffer = bytearray()
    block = Block(one.index, one.scope, buffer.extend)
    for number in one.elements:
        block.element(number)
    assert block.left_out
    assert bytes(buffer) + one.own == stream.read_bytes()


@pytest.mark.parametrize("program", [("dcmcrle",), ("dcmcjpeg", "+e1"), ("dcmcjpls",)])
@pytest.mark.parametrize("file", ["MR_small.dcm", "SC_rgb_small_odd.dcm"])
def test_lossless_compression_is_proven(
    pki: Any, test_files: str, work: Path, program: tuple[str, ...], file: str
) -> None:
    pytest.importorskip("gdcm")
    signed, packed = work / "signed.dcm", work / "packed.dcm"
    sign_file(Path(test_files, file), signed, *pki.pair("rsa"))
    if shutil.which(program[0]) is None:
        pytest.skip(f"there is no {program[0]}")
    subprocess.run([*program, signed, packed], check=True, capture_output=True)
    assert causes(packed) == [("TRANSCODED", "proven")]


def test_decompression_of_rle_is_proven(pki: Any, test_files: str, work: Path) -> None:
    signed, plain = work / "signed.dcm", work / "plain.dcm"
    sign_file(Path(test_files, "SC_rgb_rle_2frame.dcm"), signed, *pki.pair("ec"))
    if shutil.which("dcmdrle") is None:
        pytest.skip("there is no dcmdrle")
    subprocess.run(["dcmdrle", signed, plain], check=True, capture_output=True)
    assert causes(plain) == [("TRANSCODED", "proven")]


def test_what_dcmconv_trims_is_proven(dcmtk: Any, pki: Any, work: Path) -> None:
    """Superfluous padding, dropped as DCMTK reads it; see docs/dcmsign.md."""
    signed, copy = work / "signed.dcm", work / "copy.dcm"
    signed.write_bytes(signed_file(changed({0x00100010: b"Doe^John    "})))
    dcmtk.convert(signed, copy, "+te")
    assert causes(copy) == [("VALUE_PADDING", "proven")]

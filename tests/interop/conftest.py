"""DCMTK as a peer: the programs, and a PKI that both sides trust."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
from _dcmtk import Dcmtk
from _interop_pki import Pki
from _kitchen import Kitchen
from pydicom.dataset import Dataset


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def dcmtk(pki: Pki) -> Dcmtk:
    """The programs of DCMTK; see `_dcmtk.find` for what happens where there is none."""
    return Dcmtk(pki.ca)


@pytest.fixture(scope="session")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return Kitchen(tmp_path_factory.mktemp("kitchen"))


@pytest.fixture
def work() -> Iterator[Path]:
    """A folder that is gone right after the test: there are thousands of tests."""
    with tempfile.TemporaryDirectory(prefix="dicomseal-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def signed_once(dcmtk: Dcmtk, pki: Pki) -> Iterator[Any]:
    """Gives a file signed by dcmsign or by us; the last one is kept for the next test."""
    from _dcmtk import MACS, ROOT, combination

    from dicomseal import ALLOW_WEAK, sign_file

    last: dict[tuple[str, str], Path] = {}
    with tempfile.TemporaryDirectory(prefix="dicomseal-") as folder:

        def signed(file: str, by: str) -> Path:
            if (file, by) not in last:
                last.clear()
                target = Path(folder, "signed.dcm")
                target.unlink(missing_ok=True)
                mac, kind = combination(file)
                pair = pki.pair(kind)
                if by == "dcmsign":
                    dcmtk.sign(ROOT / file, target, pair, MACS[mac])
                else:
                    sign_file(
                        ROOT / file,
                        target,
                        *pair,
                        mac=mac,
                        when=datetime.now(UTC),
                        policy=ALLOW_WEAK,
                    )
                last[file, by] = target
            return last[file, by]

        yield signed


def _code(value: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "99X", f"Meaning {value}"
    return item


@pytest.fixture(scope="session")
def long_report(tmp_path_factory: pytest.TempPathFactory, test_files: str) -> Path:
    """A structured report with 300 content items, about 40 KB."""
    dataset = pydicom.dcmread(Path(test_files, "test-SR.dcm"))
    content = []
    for number in range(300):
        item = Dataset()
        item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
        item.ConceptNameCodeSequence = [_code(f"C{number:03}")]
        item.TextValue = f"finding {number:03}"
        content.append(item)
    dataset.ContentSequence = content
    path = tmp_path_factory.mktemp("report") / "report.dcm"
    dataset.save_as(path)
    return path

"""The two walks of docs/architecture.md are the way that a file and a data set really take."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pki
import pytest
from pydicom import dcmread

import dicomseal
from dicomseal.encoding import _index_py

ROOT = Path(__file__).parents[2]
SOURCE = os.path.dirname(dicomseal.__file__)
STEP = re.compile(r"^\d+\. \[`([\w/]+\.py)`\]\(../src/dicomseal/\1\), `([\w.]+)`:", re.MULTILINE)


def walk(heading: str) -> list[tuple[str, str]]:
    """The steps below a heading of the documentation."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    return STEP.findall(re.split("\n###? ", text.split(heading, 1)[1])[0])


def entered(call: Callable[[], object]) -> Iterator[tuple[str, str]]:
    """The functions of the package that a call enters, in the order of their first time."""
    seen: dict[tuple[str, str], None] = {}

    def watch(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(SOURCE):
            name = os.path.relpath(code.co_filename, SOURCE).replace(os.sep, "/")
            seen.setdefault((name, code.co_qualname))

    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(None)
    return iter(seen)


def follow(steps: list[tuple[str, str]], way: Iterator[tuple[str, str]]) -> None:
    """Each step is entered, and none before the one above it."""
    for step in steps:
        assert step in way, f"{step} is not entered, or earlier"


@pytest.fixture
def pure(monkeypatch):
    """The twin whose functions Python's profiler sees."""
    monkeypatch.setattr("dicomseal.encoding.backend.Index", _index_py.Index)
    for module in ("part10", "reader"):
        monkeypatch.setattr(f"dicomseal.files.{module}.quick_file", None)


def test_a_file_to_its_hash(pure, run, tmp_path):
    paths = pki.member("rsa").write(tmp_path)
    plain, signed = tmp_path / "plain.dcm", tmp_path / "signed.dcm"
    plain.write_bytes(pki.part10(pki.encode(pki.SMALL)))
    dicomseal.sign_file(plain, signed, *paths)
    steps = walk("From `dicomseal verify` to the hash")
    twin = {file for file, _ in steps if re.match(r"encoding/_\w+_py\.py", file)}
    assert len({file for file, _ in steps} - twin) + 1 == 8  # the compiled twin is one file
    follow(steps, entered(lambda: run("verify", signed)))


def test_a_data_set_to_its_signature(tmp_path):
    paths = pki.member("rsa").write(tmp_path)
    (tmp_path / "plain.dcm").write_bytes(pki.part10(pki.encode(pki.SMALL)))
    dataset = dcmread(tmp_path / "plain.dcm")
    steps = walk("From `dicomseal.sign(dataset, key, certificate)`")
    assert len(steps) == 8
    follow(steps, entered(lambda: dicomseal.sign(dataset, *paths)))
    assert "DigitalSignaturesSequence" in dataset

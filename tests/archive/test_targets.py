"""The places of signed copies, and what becomes of a folder that cannot be had."""

from __future__ import annotations

import errno
import os

import pytest

from dicomseal.archive.find.far_reads import FarReads
from dicomseal.archive.find.reader_threads import ReaderThreads
from dicomseal.archive.run.targets import Targets
from dicomseal.errors import SourceError


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "tree/a").mkdir(parents=True)
    (tmp_path / "tree/b").mkdir()
    return tmp_path


def targets(tree, entered=str):
    reads = FarReads(ReaderThreads(), 30)
    return Targets((str(tree / "tree"),), str(tree / "copies"), entered, reads)


def test_a_folder_that_could_not_be_created_is_tried_again(tree):
    found = targets(tree)
    assert found.of(str(tree / "tree/a/1")) == str(tree / "copies/a/1")
    (tree / "copies/b").write_bytes(b"in the way")
    with pytest.raises(SourceError, match="cannot be made"):
        found.of(str(tree / "tree/b/2"))
    (tree / "copies/b").unlink()
    assert found.of(str(tree / "tree/b/2")) == str(tree / "copies/b/2")


def test_an_error_leaves_no_file_in_the_folder_before(tree):
    errors = [MemoryError()]

    def entered(folder):
        if folder.endswith("b") and errors:
            raise errors.pop()

    found = targets(tree, entered)
    found.of(str(tree / "tree/a/1"))
    with pytest.raises(MemoryError):
        found.of(str(tree / "tree/b/2"))
    assert found.of(str(tree / "tree/b/2")) == str(tree / "copies/b/2")


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "no_space"), (errno.EDQUOT, "no_space"), (errno.EIO, "write")],
)
def test_a_full_disk_is_one(tree, monkeypatch, number, code):
    """It stops a run, and is not an error of each file."""

    def failing(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "makedirs", failing)
    with pytest.raises(SourceError, match="cannot be made") as caught:
        targets(tree).of(str(tree / "tree/a/1"))
    assert caught.value.code == code

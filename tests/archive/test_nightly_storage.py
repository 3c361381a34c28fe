"""Nights on which the storage is away: an alarm of its own, and nothing counts as removed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pki
import pytest
from _nights import NIGHT, add, metrics, nights, strip, told  # noqa: F401

from dicomseal.archive.find.folder_root import FolderRoot
from dicomseal.archive.ledger.ledger import Ledger

pytestmark = pytest.mark.usefixtures("nights")


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "empty folders"])
def test_the_storage_is_away(run, left):
    add('[report]\nmetrics = "ct.prom"')
    run(*NIGHT)
    strip("archive/a/0.dcm")
    run(*NIGHT)
    os.rename("archive", "away")
    if left != "nothing":
        os.makedirs("archive" if left == "an empty folder" else "archive/a/b")
    for _ in range(2):
        code, out, _ = run(*NIGHT)
        assert code == 4
        assert out.startswith("archive ct: STORAGE AWAY\n")
        assert "nothing counts as removed" in out
        assert "vanished" not in out
        assert metrics("ct.nightly.prom")["storage_away"] == 1
    with Ledger("ledger.db") as ledger:
        assert len(ledger.runs()) == 2  # no night without files is one to compare with
    shutil.rmtree("archive", ignore_errors=True)
    os.rename("away", "archive")
    os.unlink("archive/a/2.dcm")
    assert (run(*NIGHT)[0], told()) == (1, {"0.dcm": "stripped", "2.dcm": "vanished"})


def test_one_of_two_roots_is_away(run):
    os.mkdir("two")
    shutil.copy("archive/a/1.dcm", "two/1.dcm")
    add('[archive]\nroots = ["two", "archive"]')
    Path("archive.toml").write_text(
        Path("archive.toml").read_text().replace('roots = ["archive"]\n', "")
    )
    assert run(*NIGHT)[0] == 0
    shutil.rmtree("two")
    code, out, _ = run(*NIGHT)
    assert code == 4
    assert f"\n  {os.path.abspath('two')}: there is no such file or folder\n" in out


def test_most_of_it_is_missing(run):
    """A mount that is away, and another file lies in its folder."""
    run(*NIGHT)
    os.rename("archive/a", "away")
    Path("archive/unsigned.dcm").write_bytes(pki.small())
    for _ in range(2):
        code, out, _ = run(*NIGHT)
        assert code == 4
        assert out.startswith("archive ct: STORAGE AWAY\n")
        assert "Most of the archive is missing: the storage is taken to be away, nothing to" in out
    os.rename("away", "archive/a")
    strip("archive/a/3.dcm")  # meanwhile
    assert (run(*NIGHT)[0], told()) == (1, {"3.dcm": "stripped"})


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read(run):
    run(*NIGHT)
    os.chmod("archive/a", 0)
    code, out, _ = run(*NIGHT)
    os.chmod("archive/a", 0o755)
    assert code == 4
    assert "vanished" not in out


def test_a_folder_that_gives_errors(run, monkeypatch):
    """As the one above, also for root: what lies below it has not vanished."""
    os.mkdir("archive/b")
    for number in range(6):
        shutil.copy("archive/a/1.dcm", f"archive/b/{number}.dcm")
    run(*NIGHT)
    scandir, broken = os.scandir, os.path.abspath("archive/a")

    def failing(path):
        if os.fspath(path) == broken:
            raise OSError(5, "Input/output error")
        return scandir(path)

    with monkeypatch.context() as context:
        context.setattr(os, "scandir", failing)
        code, out, _ = run(*NIGHT)
    assert code == 4
    assert out.startswith("archive ct: NOT READ: 5 files\n")
    assert "* error, 1 file: Input/output error (unreadable)" in out
    assert "Not given by the storage:" in out
    strip("archive/a/3.dcm")
    assert (run(*NIGHT)[0], told()) == (1, {"3.dcm": "stripped"})


def test_files_that_are_removed_by_plan(run):
    """But not most of them, by any plan."""
    add('[alarm]\nignore = ["vanished"]')
    run(*NIGHT)
    os.unlink("archive/a/1.dcm")
    code, out, _ = run(*NIGHT)
    assert (code, "compared with run 1: 1 vanished" in out, told()) == (0, True, {})
    os.rename("archive/a", "away")
    for _ in range(2):
        code, out, _ = run(*NIGHT)
        assert (code, "STORAGE AWAY" in out) == (4, True)
    os.rename("away", "archive/a")
    strip("archive/a/3.dcm")
    assert (run(*NIGHT)[0], told()) == (1, {"3.dcm": "stripped"})


def test_files_that_go_night_by_night_are_no_storage_that_is_away(run):
    """What earlier nights told as gone still belongs to the archive of which a part is missing."""
    for number in range(5):
        shutil.copy("archive/a/1.dcm", f"archive/{number}.dcm")  # ten files by now
    run(*NIGHT)
    for number in range(4):
        os.unlink(f"archive/a/{number}.dcm")
    assert (run(*NIGHT)[0], len(told())) == (1, 4)
    os.unlink("archive/4.dcm")  # five of ten, and of the six of the last night
    code, out, _ = run(*NIGHT)
    assert (code, sorted(told().values())) == (1, ["vanished"] * 5)
    assert "STORAGE AWAY" not in out
    os.unlink("archive/3.dcm")
    code, out, _ = run(*NIGHT)
    assert (code, "STORAGE AWAY" in out) == (4, True)


def test_a_read_that_hangs_is_not_damage(run, monkeypatch):
    """The file server did not answer: the object is as it was, as far as anybody knows."""
    run(*NIGHT)
    found = FolderRoot.find

    def hanging(self, walk):
        for file in found(self, walk):
            trouble = ("hung", "it was not read") if file.path.endswith("1.dcm") else file.trouble
            yield msgspec.structs.replace(file, trouble=trouble)

    with monkeypatch.context() as context:
        context.setattr(FolderRoot, "find", hanging)
        for _ in range(2):
            code, out, _ = run(*NIGHT)
            assert code == 4
            assert out.startswith("archive ct: NOT READ: 1 file\n")
            assert "Not given by the storage:" in out
            assert "New trouble" not in out
    assert (run(*NIGHT)[0], told()) == (0, {})

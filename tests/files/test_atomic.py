"""A file is replaced whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest

from dicomseal.errors import SourceError
from dicomseal.files.atomic import replacing


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old"
    path.write_bytes(b"old")
    return path


def put(path, data=b"new"):
    with replacing(path) as file:
        file.write(data)


def test_new_file(tmp_path):
    put(tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["new"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        put(tmp_path / "new")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(tmp_path / "new").st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
def test_permissions_are_kept(old, mode):
    old.chmod(mode)
    put(old)
    assert old.read_bytes() == b"new"
    assert stat.S_IMODE(old.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_the_owner_is_kept(old):
    os.chown(old, 12, 34)
    put(old)
    assert (old.stat().st_uid, old.stat().st_gid) == (12, 34)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_replaced(tmp_path, old, there):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link"
    target = old if there else tmp_path / "none yet"
    link.symlink_to(target)
    put(link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path / "folder") == ["link"]


def test_nothing_is_seen_before_the_end(old):
    with replacing(old) as file:
        file.write(b"new")
        file.flush()
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == b"new"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SourceError])
def test_a_failure_in_the_block_changes_nothing(tmp_path, old, error):
    with pytest.raises(error), replacing(old) as file:
        file.write(b"half")
        raise error("no")
    assert old.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["old"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failing_disk_changes_nothing(tmp_path, old, monkeypatch, step):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(SourceError, match="old: cannot be written: No space left") as caught:
        put(old)
    assert caught.value.code == "no_space"
    assert old.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["old"]


def test_it_is_on_disk_before_it_is_renamed(old, monkeypatch):
    steps = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def watch(*args, name=name, real=real):
            steps.append(name)
            return real(*args)

        monkeypatch.setattr(os, name, watch)
    put(old)
    assert steps == ["fsync", "replace", "fsync"]  # the file, the name, the folder


def test_missing_folder(tmp_path):
    with pytest.raises(SourceError, match="nowhere/new: cannot be written: No such file") as caught:
        put(tmp_path / "nowhere" / "new")
    assert caught.value.code == "write"
    assert os.listdir(tmp_path) == []


def test_a_file_where_a_folder_should_be(old):
    with pytest.raises(SourceError, match="Not a directory"):
        put(old / "new")
    assert old.read_bytes() == b"old"


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match="Is a directory"):
        put(tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]


def test_what_is_no_file_is_not_replaced(tmp_path):
    """Renaming onto /dev/null would, for root, take it away from everyone.

    A FIFO stands for it: a test that fails must not do just that to the machine it runs on.
    """
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(SourceError, match="Not a regular file"):
        put(fifo)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert os.listdir(tmp_path) == ["fifo"]


@pytest.mark.parametrize("path", [None, 5.0, "a\0b"])
def test_what_is_no_path(path):
    with pytest.raises(SourceError, match="not a path"):
        put(path)

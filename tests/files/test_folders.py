"""The walk through a folder that `verify` and `archive verify` share."""

from __future__ import annotations

import os

import pytest

from dicomseal.files.folders import Unreadable, walk


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.dcm", "a.dcm", "z/c.dcm", "m/deep/d.dcm", "m/e.dcm"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "tree"


def names(found):
    return [os.path.relpath(one.path, "tree") for one in found]


def test_files_by_name_then_folders(tree):
    assert names(walk("tree")) == ["a.dcm", "b.dcm", "m/e.dcm", "m/deep/d.dcm", "z/c.dcm"]


def test_links(tree):
    (tree / "file").symlink_to("a.dcm")
    (tree / "gone").symlink_to("nowhere")
    (tree / "folder").symlink_to("m")
    (tree / "m" / "up").symlink_to("..")
    linked = []
    found = names(walk("tree", linked=linked.append))
    assert found == ["a.dcm", "b.dcm", "file", "gone", "m/e.dcm", "m/deep/d.dcm", "z/c.dcm"]
    assert linked == ["tree/folder", "tree/m/up"]
    linked.clear()
    followed = names(walk("tree", follow=True, linked=linked.append))
    assert followed[4:6] == ["folder/e.dcm", "folder/deep/d.dcm"]
    assert sorted({*followed} - {*found}) == ["folder/deep/d.dcm", "folder/e.dcm"]
    assert linked == []


def test_what_is_left_out_is_so_with_all_below_it(tree):
    seen = []

    def left_out(entry):
        seen.append(entry.name)
        return entry.name in ("m", "a.dcm")

    assert names(walk("tree", left_out=left_out)) == ["b.dcm", "z/c.dcm"]
    assert seen == ["a.dcm", "b.dcm", "m", "z", "c.dcm"]


def test_a_folder_that_cannot_be_read_is_handed_out(tree, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if path.endswith("/m"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = list(walk("tree"))
    assert names(found) == ["a.dcm", "b.dcm", "m", "z/c.dcm"]
    (odd,) = (one for one in found if isinstance(one, Unreadable))
    assert odd.error.strerror == "Permission denied"
    (gone,) = walk("nowhere")
    assert isinstance(gone.error, FileNotFoundError)

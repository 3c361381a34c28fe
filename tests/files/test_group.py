"""Files of a group are replaced each whole or not at all, with one flush for all of them."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
import threading

import pytest

from dicomseal.errors import SourceError
from dicomseal.files import flush, open_folder
from dicomseal.files import group as group_module
from dicomseal.files.atomic import replacing
from dicomseal.files.group import Group

only_posix = pytest.mark.skipif(os.name != "posix", reason="folders, links and owners of POSIX")


@pytest.fixture(params=["together", "each"])
def way(request, monkeypatch):
    """Both ways of flushing, whatever the file system of the test is."""
    monkeypatch.setattr(flush, "at_once", lambda _: request.param == "together")
    return request.param


def stage(group, path, data=b"new", check=None):
    return group.stage(os.path.basename(path), str(path), lambda file: file.write(data), check)


def files(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"old")
    return [folder / name for name in names]


def failing(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_nothing_is_seen_before_the_commit(tmp_path, way):
    paths = files(tmp_path, "a", "b")
    group = Group()
    for path in paths:
        assert stage(group, path).st_size == 3
    stage(group, tmp_path / "c")
    assert [path.read_bytes() for path in paths] == [b"old", b"old"]
    assert len(group) == 3
    assert group.commit() == [("a", None), ("b", None), ("c", None)]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(
        "abc", b"new"
    )
    assert (len(group), group.commit()) == (0, [])


@only_posix
def test_the_order_of_steps(tmp_path, monkeypatch, way):
    """All are flushed, then all renamed, then each folder is flushed once."""
    steps = []

    def watch(owner, name, told):
        real = getattr(owner, name)

        def watched(*args, **named):
            steps.append(told)
            return real(*args, **named)

        monkeypatch.setattr(owner, name, watched)

    watch(flush, "flush_all", "flush")
    watch(flush, "flush_each", "flush")
    watch(os, "rename", "rename")
    watch(flush, "flush_folder", "folder")
    (tmp_path / "below").mkdir()
    group = Group()
    for path in [*files(tmp_path, "a", "b"), *files(tmp_path / "below", "c", "d")]:
        stage(group, path)
    assert steps == []
    group.commit()
    assert steps == ["flush", *["rename"] * 4, "folder", "folder"]


def test_a_disk_that_fails_is_an_error_of_every_file(tmp_path, monkeypatch, way):
    """A file system says that something was not written, and not what: nothing was a success."""
    monkeypatch.setattr(flush, "flush_all", failing)
    monkeypatch.setattr(os, "fsync", failing)
    group = Group()
    for path in files(tmp_path, "a", "b", "c", "d"):
        stage(group, path)
    for name, error in group.commit():
        assert error.code == "write"
        assert str(error) == f"{tmp_path / name}: cannot be written: Input/output error"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(
        "abcd", b"old"
    )


def test_one_file_that_cannot_be_flushed(tmp_path, monkeypatch):
    monkeypatch.setattr(flush, "at_once", lambda _: False)
    group = Group()
    for path in files(tmp_path, "a", "b", "c", "d"):
        stage(group, path, data=path.name.encode())
    real = os.fsync

    def picky(descriptor):
        if os.pread(os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY), 1, 0) == b"b":
            failing()
        real(descriptor)

    if not os.path.exists("/proc/self/fd"):
        pytest.skip("looks into /proc")
    monkeypatch.setattr(os, "fsync", picky)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "flush_folder", lambda _: None)
        outcomes = dict(group.commit())
    assert [name for name, error in outcomes.items() if error] == ["b"]
    assert (tmp_path / "b").read_bytes() == b"old"
    assert (tmp_path / "a").read_bytes() == b"a"
    assert len(os.listdir(tmp_path)) == 4


@only_posix
def test_a_folder_that_cannot_be_flushed(tmp_path, monkeypatch, way):
    """The new files are there, and it is not said that they are safe."""
    (tmp_path / "below").mkdir()
    group = Group()
    (first,) = files(tmp_path, "a")
    (second,) = files(tmp_path / "below", "b")
    stage(group, first)
    stage(group, second)
    real = flush.flush_folder
    below = os.stat(tmp_path / "below").st_ino
    monkeypatch.setattr(
        flush, "flush_folder", lambda d: failing() if os.fstat(d).st_ino == below else real(d)
    )
    outcomes = dict(group.commit())
    assert outcomes["a"] is None
    assert outcomes["b"].code == "not_synced"
    assert second.read_bytes() == b"new"


def test_a_file_that_changes_before_it_is_renamed(tmp_path, way):
    paths = files(tmp_path, "a", "b", "c")
    group = Group()
    for path in paths:
        stage(group, path)
    paths[1].write_bytes(b"of somebody else")
    (tmp_path / "d").write_bytes(b"here first")
    outcomes = dict(group.commit())
    assert (outcomes["a"], outcomes["b"].code, outcomes["c"]) == (None, "changed", None)
    assert paths[1].read_bytes() == b"of somebody else"
    assert len(os.listdir(tmp_path)) == 4


def test_a_file_that_appears_before_it_is_renamed(tmp_path, way):
    group = Group()
    stage(group, tmp_path / "a")
    (tmp_path / "a").write_bytes(b"of somebody else")
    ((_, error),) = group.commit()
    assert error.code == "changed"
    assert (tmp_path / "a").read_bytes() == b"of somebody else"


def test_a_check_that_refuses(tmp_path, way):
    def refuse():
        raise SourceError("not this one", "exists")

    group = Group()
    first, second = files(tmp_path, "a", "b")
    stage(group, first, check=refuse)
    stage(group, second, check=lambda: None)
    outcomes = dict(group.commit())
    assert (outcomes["a"].code, outcomes["b"]) == ("exists", None)
    assert (first.read_bytes(), second.read_bytes()) == (b"old", b"new")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_what_cannot_be_written_leaves_the_others(tmp_path, way):
    def half(file):
        file.write(b"half")
        raise SourceError("gone", "changed")

    group = Group()
    first, second = files(tmp_path, "a", "b")
    stage(group, first)
    with pytest.raises(SourceError, match="gone"):
        group.stage("b", str(second), half)
    with pytest.raises(SourceError, match="nowhere/c: cannot be written: No such file"):
        stage(group, tmp_path / "nowhere" / "c")
    assert group.commit() == [("a", None)]
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert second.read_bytes() == b"old"


def test_what_is_not_committed_leaves_nothing(tmp_path, way):
    group = Group()
    for path in files(tmp_path, "a", "b"):
        stage(group, path)
    group.discard()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert (tmp_path / "a").read_bytes() == b"old"
    assert group.commit() == []


@only_posix
@pytest.mark.parametrize("mode", [0o600, 0o444, 0o755])
def test_properties_are_kept(tmp_path, way, mode):
    (path,) = files(tmp_path, "a")
    path.chmod(mode)
    known = hasattr(os, "setxattr")
    try:
        if known:
            os.setxattr(path, "user.note", b"kept")
    except OSError:
        known = False  # a file system without them
    group = Group()
    stage(group, path)
    stage(group, tmp_path / "new")
    group.commit()
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert not known or os.getxattr(path, "user.note") == b"kept"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~mask


@only_posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o604, 0o644])
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("same", [True, False])
def test_a_copy_may_be_read_by_nobody_else(tmp_path, way, mode, together, same):
    """Neither by the group of its new owner, if the original belongs to another one."""
    (original,) = files(tmp_path, "original")
    original.chmod(mode)
    status = original.stat()
    if not same:
        status = os.stat_result((*status[:5], status.st_gid + 1, *status[6:]))
    mask = os.umask(0o022)
    try:
        if together:
            group = Group()
            group.stage("a", str(tmp_path / "a"), lambda file: file.write(b"new"), original=status)
            group.commit()
        else:
            with replacing(tmp_path / "a", original=status) as file:
                file.write(b"new")
    finally:
        os.umask(mask)
    wanted = 0o600 if mode == 0o640 and not same else mode
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == wanted


@only_posix
def test_two_groups_over_one_file(tmp_path, way):
    """The other one looks whether its file has changed when this one has renamed it."""
    (path,) = files(tmp_path, "a")
    before = path.stat().st_ino
    looked, outcome = [], []

    def unchanged():
        looked.append(len(looked))
        if path.stat().st_ino != before:
            raise SourceError(f"{path}: changed while it was read", "changed")

    other = Group()
    stage(other, path, b"other", unchanged)
    thread = threading.Thread(target=lambda: outcome.extend(other.commit()))

    def unchanged_so_far():
        unchanged()
        thread.start()
        thread.join(0.3)  # it waits
        assert looked == [0]

    group = Group()
    stage(group, path, b"this", unchanged_so_far)
    assert group.commit() == [("a", None)]
    thread.join()
    assert [(name, error.code) for name, error in outcome] == [("a", "changed")]
    assert path.read_bytes() == b"this"
    assert os.listdir(tmp_path) == ["a"]


@only_posix
@pytest.mark.parametrize("kind", ["held", "none"])
def test_a_lock_that_cannot_be_had(tmp_path, monkeypatch, way, kind):
    """Another program has it, or the file system has none: the files are renamed all the same."""
    fcntl = pytest.importorskip("fcntl")
    paths = files(tmp_path, "a", "b")
    monkeypatch.setattr(group_module, "_LOCK_SECONDS", 0.05)
    held = os.open(tmp_path, os.O_RDONLY)
    try:
        if kind == "held":
            fcntl.flock(held, fcntl.LOCK_EX)
        else:
            monkeypatch.setattr(fcntl, "flock", failing)
        group = Group()
        for path in paths:
            stage(group, path)
        assert group.commit() == [("a", None), ("b", None)]
    finally:
        os.close(held)
    assert [path.read_bytes() for path in paths] == [b"new", b"new"]


@pytest.mark.parametrize(("limit", "most"), [(1024, 496), (64, 16), (32, 1), (24, 1), (-1, 512)])
def test_descriptors_of_a_group(monkeypatch, limit, most):
    """A process has others open, also where it may have only few."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    group_module._most_open.cache_clear()
    try:
        assert group_module._most_open() == most
    finally:
        group_module._most_open.cache_clear()


@only_posix
def test_links(tmp_path, way):
    """A symbolic link stays, and its target is replaced; of two names of a file, one is."""
    (path,) = files(tmp_path, "a")
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "to a"
    link.symlink_to("../a")
    os.link(path, tmp_path / "other")
    group = Group()
    stage(group, link)
    assert group.commit() == [("to a", None)]
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert (tmp_path / "other").read_bytes() == b"old"
    assert os.listdir(tmp_path / "links") == ["to a"]


@only_posix
def test_two_names_of_one_file_in_a_group(tmp_path, way):
    """The second one is not what it was when its new content was written."""
    (path,) = files(tmp_path, "a")
    link = tmp_path / "b"
    link.symlink_to("a")
    group = Group()
    stage(group, path, data=b"first")
    stage(group, link, data=b"second")
    outcomes = dict(group.commit())
    assert (outcomes["a"], outcomes["b"].code) == (None, "changed")
    assert path.read_bytes() == b"first"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@only_posix
def test_a_folder_that_is_moved_meanwhile(tmp_path, way):
    """The file is replaced where it is now, and nothing comes to be under the old path."""
    (tmp_path / "before").mkdir()
    (path,) = files(tmp_path / "before", "a")
    group = Group()
    stage(group, path)
    os.rename(tmp_path / "before", tmp_path / "after")
    assert group.commit() == [("a", None)]
    assert os.listdir(tmp_path) == ["after"]
    assert (tmp_path / "after" / "a").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("limits", "count"),
    [({"max_files": 3}, 3), ({"max_bytes": 7}, 3), ({"max_seconds": 0.0}, 1)],
)
def test_a_full_group(tmp_path, way, limits, count):
    group = Group(**limits)
    assert not group.full
    for number in range(count):
        assert not group.full
        stage(group, tmp_path / str(number))
    assert group.full
    group.commit()
    assert not group.full


def test_a_group_holds_few_descriptors(tmp_path, monkeypatch):
    from dicomseal.files import group as module

    monkeypatch.setattr(flush, "at_once", lambda _: False)
    monkeypatch.setattr(module, "_most_open", lambda: 4)
    group = Group()
    for number in range(3):
        assert not group.full
        stage(group, tmp_path / str(number))
    assert group.full  # three files and their folder
    group.commit()
    if os.path.exists("/proc/self/fd"):
        names = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                 if os.path.exists(f"/proc/self/fd/{fd}")]  # fmt: skip
        assert not [name for name in names if str(tmp_path) in name]


@only_posix
def test_two_file_systems(tmp_path):
    try:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
            if os.stat(other).st_dev == os.stat(tmp_path).st_dev:
                pytest.skip("/dev/shm is not another file system")
            group = Group()
            for path in (tmp_path / "a", os.path.join(other, "b"), tmp_path / "c"):
                stage(group, path)
            assert group.commit() == [("a", None), ("b", None), ("c", None)]
            assert os.listdir(other) == ["b"]
    except FileNotFoundError:
        pytest.skip("there is no /dev/shm")


@only_posix
def test_an_unlock_that_fails_takes_nothing_back(tmp_path, monkeypatch, way):
    flock = open_folder.fcntl.flock

    def no_unlock(descriptor, how):
        if how == open_folder.fcntl.LOCK_UN:
            failing()
        flock(descriptor, how)

    monkeypatch.setattr(open_folder.fcntl, "flock", no_unlock)
    group = Group()
    (path,) = files(tmp_path, "a")
    stage(group, path)
    assert group.commit() == [("a", None)]
    assert path.read_bytes() == b"new"


@only_posix
def test_what_the_system_writes_in_parts(tmp_path, monkeypatch, way):
    """A system call may write less than it was given, as when a signal comes."""
    real = os.writev
    monkeypatch.setattr(os, "writev", lambda d, pieces: real(d, [b"".join(pieces)[:5]]))
    pieces = [b"x" * 100, b"y", b"z" * 3] * 70
    group = Group()
    group.stage("a", str(tmp_path / "a"), lambda file: [file.write(one) for one in pieces])
    group.commit()
    assert (tmp_path / "a").read_bytes() == b"".join(pieces)


@pytest.mark.skipif(sys.platform != "linux", reason="syncfs is of Linux")
def test_where_a_file_system_is_flushed_at_once(tmp_path, monkeypatch):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        there = flush.at_once(descriptor)
        monkeypatch.setattr(flush, "_kernel", lambda: (5, 7))
        assert not flush.at_once(descriptor)  # it would not say that something was not written
        monkeypatch.undo()
        monkeypatch.setattr(flush, "TOGETHER", {})
        assert not flush.at_once(descriptor)
        if there:
            flush.flush_all(descriptor)
        with pytest.raises(OSError, match="Bad file descriptor"):
            flush.flush_all(-1)
    finally:
        os.close(descriptor)

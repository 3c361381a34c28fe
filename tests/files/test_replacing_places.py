"""Where files lie: full and read-only disks, owners, attributes, links, and what is no file."""

from __future__ import annotations

import errno
import os
import stat
import struct
import subprocess
import sys

import pki
import pytest

from dicomseal import remove_file, sign_file, verify
from dicomseal.errors import SourceError

PAIR = pki.member("rsa").pair
PAGE = os.sysconf("SC_PAGE_SIZE")
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def sized(size: int, filler: bytes = b"\0\1") -> bytes:
    return pki.small(elements=[*pki.SMALL[:-1], (0x7FE00010, "OW", filler * (size // 2))])


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.dcm"
    path.write_bytes(sized(100))
    return path


@pytest.fixture
def mount(tmp_path):
    """Mount a small file system; where that cannot be done, CI fails and others skip."""
    place = tmp_path / "disk"
    place.mkdir()

    def run(*arguments):
        try:
            subprocess.run(["mount", *arguments, place], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            why = f"cannot mount a tmpfs: {getattr(error, 'stderr', '') or error}"
            if os.environ.get("CI") == "true":
                pytest.fail(why)
            pytest.skip(why)

    def inner(options):
        run("-t", "tmpfs", "-o", options, "tmpfs")
        return place

    inner.again = lambda options: run("-o", f"remount,{options}")
    yield inner
    subprocess.run(["umount", place], capture_output=True, check=False)


def refused(call, match, code="write"):
    with pytest.raises(SourceError, match=match) as caught:
        call()
    assert caught.value.code == code


# --- disks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["sign", "remove"])
@pytest.mark.parametrize("new_name", [False, True])
def test_a_full_disk(mount, operation, new_name):
    """From no free page to enough of them: an error and the old file, or the new file."""
    disk = mount(f"size={40 * PAGE}")
    source = disk / "object.dcm"
    target = disk / "other.dcm" if new_name else source
    data = sized(10 * PAGE)
    source.write_bytes(data)
    if operation == "sign":
        call = lambda: sign_file(source, target, *PAIR)  # noqa: E731
    else:
        sign_file(source, source, *PAIR)
        call = lambda: remove_file(source, target)  # noqa: E731
    before = source.read_bytes()
    failures = successes = 0
    for free in range(14):
        (disk / "filler").write_bytes(b"")
        room = os.statvfs(disk).f_bfree
        (disk / "filler").write_bytes(bytes((room - free) * PAGE))
        assert os.statvfs(disk).f_bfree == free
        try:
            call()
        except SourceError as error:
            assert error.code == "no_space"
            assert "cannot be written: No space left on device" in str(error)
            assert source.read_bytes() == before
            assert sorted(os.listdir(disk)) == ["filler", "object.dcm"]
            failures += 1
        else:
            successes += 1
            assert len(os.listdir(disk)) == 2 + new_name
            content = target.read_bytes()
            assert (content == data) if operation == "remove" else verify(content).signatures
            source.write_bytes(before)
            if new_name:
                target.unlink()
    assert failures >= 10
    assert successes >= 1


def test_no_room_for_a_name(mount, plain):
    disk = mount("size=1m,nr_inodes=2")  # one for the root, one for the object
    (disk / "object.dcm").write_bytes(plain.read_bytes())
    refused(lambda: sign_file(disk / "object.dcm", disk / "object.dcm", *PAIR), "No space left",
            "no_space")  # fmt: skip
    assert (disk / "object.dcm").read_bytes() == plain.read_bytes()


def test_a_full_disk_on_the_command_line(mount, tmp_path):
    disk = mount(f"size={20 * PAGE}")
    data = sized(12 * PAGE)
    (disk / "object.dcm").write_bytes(data)
    key, cert = pki.member("rsa").write(tmp_path)
    done = command("sign", "object.dcm", "object.dcm", "--key", key, "--cert", cert, cwd=disk)
    assert done.returncode == 1
    assert done.stderr == "dicomseal: object.dcm: cannot be written: No space left on device\n"
    assert (disk / "object.dcm").read_bytes() == data
    assert os.listdir(disk) == ["object.dcm"]


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "dicomseal", *arguments],
        capture_output=True, text=True, check=False, timeout=60, **options,
    )  # fmt: skip


def test_a_read_only_disk(mount, plain):
    disk = mount("size=1m")
    (disk / "object.dcm").write_bytes(plain.read_bytes())
    mount.again("ro")
    for target in (disk / "object.dcm", disk / "new.dcm"):
        refused(lambda target=target: sign_file(plain, target, *PAIR), "Read-only file system")
    refused(lambda: sign_file(disk / "object.dcm", disk / "object.dcm", *PAIR), "Read-only file")
    assert os.listdir(disk) == ["object.dcm"]
    assert (disk / "object.dcm").read_bytes() == plain.read_bytes()


# --- users ---------------------------------------------------------------------------------------


def as_nobody(work):
    """Do it in a child that is the user nobody, and hand back what it returned or raised."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        answer = "died"
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            work()
            answer = "done"
        except SourceError as error:
            answer = f"{error.code}: {error}"
        finally:
            os.write(writer, answer.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


@needs_root
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
class TestNobody:
    @pytest.fixture(autouse=True)
    def _reachable(self, tmp_path):
        """Every folder on the way is opened as far as passing through, while the test runs.

        Whatever is imported late is imported now: nobody may not be able to read it.
        """
        (tmp_path / "warm").write_bytes(sized(2))
        sign_file(tmp_path / "warm", tmp_path / "warm", *PAIR)
        (tmp_path / "warm").unlink()
        closed = [p for p in (tmp_path, *tmp_path.parents) if not p.stat().st_mode & 1]
        modes = [stat.S_IMODE(p.stat().st_mode) for p in closed]
        for path, mode in zip(closed, modes, strict=True):
            path.chmod(mode | 0o011)
        yield
        for path, mode in zip(closed, modes, strict=True):
            path.chmod(mode)

    def test_a_folder_of_somebody_else(self, tmp_path, plain):
        tmp_path.chmod(0o755)
        plain.chmod(0o666)  # the file may be written, the folder may not
        before = plain.read_bytes()
        answer = as_nobody(lambda: sign_file(plain, plain, *PAIR))
        assert answer == f"write: {plain}: cannot be written: Permission denied"
        assert plain.read_bytes() == before
        assert os.listdir(tmp_path) == ["plain.dcm"]

    @pytest.mark.parametrize("owner", [(0, 0), (NOBODY, 0), (12, NOBODY)])
    def test_an_owner_that_cannot_be_kept(self, tmp_path, plain, owner):
        """Silently it would become nobody's, and the group that could read it another one."""
        tmp_path.chmod(0o777)
        plain.chmod(0o644)
        os.chown(plain, *owner)
        before = plain.read_bytes()
        answer = as_nobody(lambda: sign_file(plain, plain, *PAIR))
        assert answer.startswith(
            f"owner: {plain}: cannot be replaced: it belongs to user {owner[0]} and group "
            f"{owner[1]}, which this process may not give"
        )
        assert plain.read_bytes() == before
        assert os.listdir(tmp_path) == ["plain.dcm"]
        assert as_nobody(lambda: sign_file(plain, tmp_path / "new.dcm", *PAIR)) == "done"
        assert (tmp_path / "new.dcm").stat().st_uid == NOBODY

    def test_a_file_that_cannot_be_read(self, plain):
        plain.chmod(0o600)
        answer = as_nobody(lambda: sign_file(plain, plain, *PAIR))
        assert answer == f"permission: {plain}: Permission denied"

    def test_a_write_protected_file_of_ones_own(self, tmp_path, plain):
        """What counts is the folder, as for every rename."""
        tmp_path.chmod(0o777)
        plain.chmod(0o444)
        os.chown(plain, NOBODY, NOBODY)
        assert as_nobody(lambda: sign_file(plain, plain, *PAIR)) == "done"
        assert stat.S_IMODE(plain.stat().st_mode) == 0o444
        assert (plain.stat().st_uid, plain.stat().st_gid) == (NOBODY, NOBODY)


@needs_root
def test_everything_is_kept_by_root(plain):
    os.chown(plain, 12, 34)
    plain.chmod(0o640)
    for operation in (lambda: sign_file(plain, plain, *PAIR), lambda: remove_file(plain, plain)):
        operation()
        status = plain.stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12, 34, 0o640)


# --- attributes ----------------------------------------------------------------------------------

ACL, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"


def acl(named: int, mask: int) -> bytes:
    """The ACL u::rw-, u:1234:named, g::r--, m::mask, o::--- as the kernel has it."""
    nobody = 0xFFFFFFFF
    entries = (
        (1, 6, nobody),
        (2, named, 1234),
        (4, 4, nobody),
        (16, mask, nobody),
        (32, 0, nobody),
    )
    return struct.pack("<L", 2) + b"".join(struct.pack("<HHL", *entry) for entry in entries)


def setxattr(path, name, value):
    if not hasattr(os, "setxattr"):
        pytest.skip("no extended attributes on this system")
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        pytest.skip(f"{path}: the file system has no {name}")


def test_attributes_are_kept(plain):
    setxattr(plain, "user.note", b"mine")
    sign_file(plain, plain, *PAIR)
    assert os.getxattr(plain, "user.note") == b"mine"
    assert verify(plain, integrity_only=True).verdict == "passed"


def test_an_acl_is_kept(plain):
    setxattr(plain, ACL, acl(6, 6))
    mode = plain.stat().st_mode
    sign_file(plain, plain, *PAIR)
    assert os.getxattr(plain, ACL) == acl(6, 6)
    assert plain.stat().st_mode == mode


def test_no_acl_comes_from_the_folder(tmp_path, plain):
    """Its default one is for new files; this one is old, and has none."""
    plain.chmod(0o644)
    setxattr(tmp_path, DEFAULT, acl(6, 6))
    sign_file(plain, plain, *PAIR)
    assert ACL not in os.listxattr(plain)
    assert stat.S_IMODE(plain.stat().st_mode) == 0o644
    plain.chmod(0o666)  # a copy has no more than its original, and as much as the folder gives
    sign_file(plain, tmp_path / "new", *PAIR)
    (tmp_path / "ordinary").write_bytes(b"")
    assert os.getxattr(tmp_path / "new", ACL) == os.getxattr(tmp_path / "ordinary", ACL)


# --- links and what is no file -------------------------------------------------------------------


def test_through_a_link_in_place(tmp_path, plain):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link"
    link.symlink_to(plain)
    for operation in (lambda: sign_file(link, link, *PAIR), lambda: remove_file(link, link)):
        before = plain.read_bytes()
        operation()
        assert os.readlink(link) == str(plain)
        assert plain.read_bytes() != before
        assert os.listdir(tmp_path / "folder") == ["link"]


def test_links_that_lead_nowhere(tmp_path, plain):
    link, loop, far = tmp_path / "link", tmp_path / "loop", tmp_path / "far"
    link.symlink_to("new")
    loop.symlink_to("loop")
    far.symlink_to("no/folder")
    refused(lambda: sign_file(link, link, *PAIR), "No such file", "not_found")
    sign_file(plain, link, *PAIR)
    assert link.is_symlink()
    assert verify(tmp_path / "new", integrity_only=True).verdict == "passed"
    refused(lambda: sign_file(loop, loop, *PAIR), "Too many levels", "unreadable")
    refused(lambda: sign_file(plain, loop, *PAIR), "Too many levels")
    refused(lambda: sign_file(plain, far, *PAIR), "No such file")
    assert loop.is_symlink()
    assert far.is_symlink()


def test_another_name_of_the_file_keeps_the_old_one(tmp_path, plain):
    before = plain.read_bytes()
    os.link(plain, tmp_path / "backup")
    sign_file(plain, plain, *PAIR)
    assert (tmp_path / "backup").read_bytes() == before
    assert verify(plain, integrity_only=True).verdict == "passed"
    # and signing one name into the other
    sign_file(tmp_path / "backup", plain, *PAIR)
    assert (tmp_path / "backup").read_bytes() == before


@pytest.mark.parametrize("what", ["fifo", "folder", "/dev/zero"])
def test_what_is_no_file(tmp_path, plain, what):
    path = tmp_path / what  # an absolute one stays what it is
    if what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    for call in (lambda: sign_file(path, tmp_path / "out", *PAIR),
                 lambda: remove_file(path, tmp_path / "out")):  # fmt: skip
        refused(call, "not a regular file", "unreadable")
    if not what.startswith("/"):
        refused(lambda: sign_file(plain, path, *PAIR), "Not a regular file|Is a directory")
    assert not (tmp_path / "out").exists()


# --- the end of it -------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_flushed(plain, monkeypatch):
    """The one error after which the new file is there; its code says so."""
    real, calls = os.fsync, []

    def fail(descriptor, number=errno.EIO):
        calls.append(descriptor)
        if len(calls) % 2 == 0:
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    refused(lambda: sign_file(plain, plain, *PAIR), "was written, but its folder", "not_synced")
    assert verify(plain, integrity_only=True).verdict == "passed"
    monkeypatch.setattr(os, "fsync", lambda d: fail(d, errno.EINVAL))  # e.g. some network shares
    remove_file(plain, plain)
    assert len(calls) == 4


def test_a_vanished_input(tmp_path):
    gone = tmp_path / "gone.dcm"
    for call in (lambda: sign_file(gone, gone, *PAIR), lambda: remove_file(gone, gone)):
        refused(call, "gone.dcm: No such file or directory", "not_found")
    assert os.listdir(tmp_path) == []

"""Files that threads open, to be read without waiting: what comes, and what does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import _far
import pytest
from _far import shim  # noqa: F401

from dicomseal.files.opener import Opener

pytestmark = pytest.mark.skipif(Opener is None, reason="no compiled backend, or not Linux")
LARGEST = 1 << 20


@pytest.fixture
def opener():
    return Opener(4, LARGEST)


def until(true):
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def come(opener):
    """The next one; it is waited for."""
    opening = opener.next(30)
    assert opening is not None
    return opening


def descriptors(path):
    """How many there are of a file in this process."""
    found = 0
    for one in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{one}") == str(path)
        except OSError:  # that of the folder itself
            continue
    return found


def made(folder, size, name="file"):
    path = folder / name
    path.write_bytes(os.urandom(size))
    return path


@pytest.mark.parametrize("size", [1, 5_000, 300_000, LARGEST])
def test_what_is_read(tmp_path, opener, size):
    path = made(tmp_path, size)
    opening = opener.submit(str(path), 7)
    assert come(opener) is opening
    assert (opening.key, opening.size, opening.given_up) == (7, size, False)
    assert opening.mtime == os.stat(path).st_mtime_ns
    assert opening.seconds > 0
    buffer = bytearray(size + 10)
    assert descriptors(path) == 1
    assert opening.read(buffer) == size
    assert buffer[:size] == path.read_bytes()
    assert descriptors(path) == 0
    assert opening.read(buffer) == -1  # once


def test_many_at_once(tmp_path, opener):
    """More than there are threads; each comes once, with the bytes of its own."""
    for number in range(200):
        (tmp_path / f"{number}").write_bytes(b"%d " % number * 50)
    kept = [opener.submit(str(tmp_path / f"{number}"), number) for number in range(200)]
    seen, buffer = [], bytearray(1000)
    for _ in kept:
        opening = come(opener)
        assert buffer[: opening.read(buffer)] == b"%d " % opening.key * 50
        seen.append(opening.key)
    assert sorted(seen) == list(range(200))
    assert opener.next(0) is None


def test_what_is_not_usual(tmp_path, opener):
    """It is answered with no size, and nothing stays open; nothing waits for a FIFO."""
    (tmp_path / "empty").touch()
    made(tmp_path, LARGEST + 1, "large")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name in ("empty", "large", "fifo", "folder", "none"):
        opening = opener.submit(str(tmp_path / name), 1)
        assert come(opener) is opening
        assert opening.size == -1
        assert opening.read(bytearray(10)) == -1
        assert not opener.again(opening)
        assert descriptors(tmp_path / name) == 0
    assert opener.submit("with\0null", 1) is None


@pytest.mark.parametrize("change", ["grown", "shrunk", "rewritten"])
def test_a_file_that_changes_after_it_was_opened(tmp_path, opener, change):
    path = made(tmp_path, 100_000)
    time.sleep(0.02)  # times are as coarse as the kernel's timer
    opening = opener.submit(str(path), 1)
    come(opener)
    if change == "shrunk":
        os.truncate(path, 50_000)
    else:
        with open(path, "ab" if change == "grown" else "r+b") as file:
            file.write(b"x" * 10)
    assert opening.read(bytearray(200_000)) == -1
    assert not opener.again(opening)
    assert descriptors(path) == 0


def test_a_buffer_that_is_too_small(tmp_path, opener):
    opening = opener.submit(str(made(tmp_path, 1000)), 1)
    come(opener)
    assert opening.read(bytearray(999)) == -1


def out_of_the_cache(path):
    """Have the system drop what it has of a file, if it will."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            return os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT) != 1
        except OSError:
            return True


def test_bytes_that_are_not_in_the_page_cache(tmp_path, opener):
    """The thread fetches them; those that are gone when it is read are fetched once more."""
    path = made(tmp_path, 700_000)
    if not out_of_the_cache(path):
        pytest.skip("this file system keeps them")
    opening, buffer = opener.submit(str(path), 1), bytearray(LARGEST)
    come(opener)
    if opening.may_wait:
        pytest.skip("this file system does not tell")
    assert opening.read(buffer) == 700_000
    assert buffer[:700_000] == path.read_bytes()
    opening = opener.submit(str(path), 1)
    come(opener)
    out_of_the_cache(path)
    if opening.read(buffer) == -1:
        assert opener.again(opening)
        assert opening.read(buffer) == -1  # not before it is there
        assert come(opener) is opening
        assert opening.read(buffer) == 700_000
    assert buffer[:700_000] == path.read_bytes()
    assert descriptors(path) == 0


def test_a_file_system_that_does_not_tell(opener):
    """As that for memory; nothing stays open."""
    path = "/dev/shm/dicomseal-test-opener"
    try:
        with open(path, "wb") as file:
            file.write(b"x" * 1000)
        with open(path, "rb") as file:
            os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
        pytest.skip("it tells by now")
    except OSError as error:
        if not os.path.exists(path):
            pytest.skip(f"no memory for files: {error}")
        opening = opener.submit(path, 1)
        come(opener)
        assert (opening.may_wait, opening.size) == (True, -1)
        assert descriptors(path) == 0
    finally:
        if os.path.exists(path):
            os.remove(path)


def test_nobody_wants_it_any_more(tmp_path, opener):
    """What is open is closed: given back, or forgotten, before and after it came."""
    path = made(tmp_path, 1000)
    opening = opener.submit(str(path), 1)
    come(opener)
    opening.close()
    assert descriptors(path) == 0
    opening = opener.submit(str(path), 2)
    come(opener)
    del opening
    assert descriptors(path) == 0
    for number in range(100):
        opener.submit(str(path), number)
    until(lambda: not descriptors(path))
    assert opener.next(0) is None
    opening = opener.submit(str(path), 3)
    until(lambda: descriptors(path))
    assert not opener.give_up(opening) or descriptors(path) == 0
    opening.close()
    until(lambda: not descriptors(path))
    assert opener.next(0) is None
    assert opener.held == 0


def test_a_call_ends_the_waiting(opener):
    opener.call()
    start = time.monotonic()
    assert opener.next(60) is None
    assert time.monotonic() - start < 30
    assert opener.next(0.01) is None  # it is heard once


HANGS = """
import os, sys, time
from dicomseal.files.opener import Opener
opener = Opener(3, 1 << 20)
good, bad = sys.argv[1], sys.argv[2:]
hung = [opener.submit(path, n) for n, path in enumerate(bad)]
opening = opener.submit(good, 9)
assert opener.next(30) is opening and opening.read(bytearray(100_000)) == 90_000
assert opener.next(0.2) is None
assert [opener.give_up(one) for one in hung] == [True, True]
assert [one.given_up for one in hung] == [True, True] and opener.stuck == 2
assert [one.read(bytearray(100_000)) for one in hung] == [-1, -1]
assert [opener.give_up(one) for one in hung] == [False, False]
del hung
for _ in range(20):
    opening = opener.submit(good, 9)
    assert opener.next(30) is opening
third = opener.submit(bad[0], 3)
time.sleep(0.1)
assert opener.give_up(third) and opener.stuck == 3
assert opener.submit(good, 9) is None
print("good")
"""


def test_files_that_hang(tmp_path, shim):  # noqa: F811
    """In open, or when they are read; others come, until no thread is left."""
    good = made(tmp_path, 90_000)
    bad = [made(tmp_path, 90_000, "a-hangs"), made(tmp_path, 90_000, "b-stalls")]
    env = _far.away(shim, tmp_path)
    if "asan" in os.environ.get("LD_PRELOAD", ""):  # it must come first (`fuzz.sanitize`)
        env["LD_PRELOAD"] = f"{os.environ['LD_PRELOAD']} {shim}"
    done = subprocess.run(
        [sys.executable, "-c", HANGS, good, *bad], capture_output=True, text=True, timeout=100,
        env=env,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("good\n", "")


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_it_compiles_where_the_library_of_c_is_another():
    """Musl has no macro that tells the version; nor has it `preadv2`, before 1.2.5."""
    header = Path(__file__).parents[2] / "ext/dicomseal/files/_opener.h"
    text = f'#include <features.h>\n#undef __GLIBC__\n#undef __GLIBC_PREREQ\n#include "{header}"\n'
    subprocess.run(
        ["cc", "-fsyntax-only", "-x", "c", "-"], input=text.encode(), check=True, timeout=60
    )

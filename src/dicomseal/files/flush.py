"""Flush many written files to disk at once, in the way that is fastest on their file system.

In: descriptors of folders and of files that were written.
Out: all of it on disk, or an `OSError`.
PS3: none, as this module knows bytes only.

One syncfs writes a whole file system, and the journal of it is committed once, where a flush of
each file commits it once a file. It is used where it was measured, and where the kernel returns the
errors of writing to it: ext4, XFS and Btrfs, from Linux 5.8 on. Elsewhere (NFS, FUSE, overlays,
what is not Linux) the kernel is told to begin writing all files, and then each is flushed, by
several threads: a network file system may answer a syncfs before its server has the bytes.
"""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Sequence
from typing import Any

THREADS = 8
# a file system answers so that does not know what it is asked for
NO_SUCH_THING = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
# f_type of statfs(2) in linux/magic.h
TOGETHER = {0xEF53: "ext4", 0x58465342: "xfs", 0x9123683E: "btrfs"}
_SINCE = (5, 8)  # syncfs returns no error of writing before
_BEGIN_WRITING = 2  # SYNC_FILE_RANGE_WRITE


@functools.cache
def _libc() -> Any:
    """Return the C library, or None where it has no syncfs."""
    if sys.platform != "linux":
        return None
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs") or not hasattr(library, "fstatfs"):
        return None
    if hasattr(library, "sync_file_range"):
        library.sync_file_range.argtypes = (
            ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint,
        )  # fmt: skip
    return library


@functools.cache
def _kernel() -> tuple[int, ...]:
    numbers = os.uname().release.split("-")[0].split(".")[:2]
    return tuple(int(number) if number.isdecimal() else 0 for number in numbers)


def at_once(descriptor: int) -> bool:
    """Return whether `flush_all` serves for the file system of an open file or folder."""
    library = _libc()
    if library is None or _kernel() < _SINCE:
        return False
    import ctypes

    buffer = ctypes.create_string_buffer(512)  # struct statfs, whose first field is the type
    if library.fstatfs(descriptor, buffer):
        return False
    return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF in TOGETHER


def flush_all(descriptor: int) -> None:
    """Flush all of a file system.

    Args:
        descriptor: of a file or folder on it, which was opened before the first of the files was
            written to: an error of writing is returned to those that were open then.

    Raises:
        OSError: something could not be written since the descriptor was opened, perhaps of a file
            of another program.
    """
    library = _libc()
    if library.syncfs(descriptor):
        import ctypes

        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def flush_each(descriptors: Sequence[int]) -> list[OSError | None]:
    """Flush open files, several at a time; return the error of each, or None."""
    library = _libc()
    if library is not None and len(descriptors) > 1 and hasattr(library, "sync_file_range"):
        for descriptor in descriptors:  # an error shows when the file is flushed
            library.sync_file_range(descriptor, 0, 0, _BEGIN_WRITING)
    if len(descriptors) < 3:
        return [_flush(descriptor) for descriptor in descriptors]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(THREADS, len(descriptors))) as pool:
        return list(pool.map(_flush, descriptors))


def _flush(descriptor: int) -> OSError | None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        return error
    return None


def flush_folder(descriptor: int) -> None:
    """Flush the names in an open folder, if its file system can do that.

    Raises:
        OSError: they could not be written.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SUCH_THING:
            raise

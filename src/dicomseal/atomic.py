"""Write a file so that a crash leaves the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from typing import IO

from .errors import SourceError


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A temporary file in the target's folder, which takes the target's place at the end.

    It is flushed to disk before it is renamed, and the folder after. A link is followed: what it
    points to is replaced. An existing target passes on its permissions and, where the process may,
    its owner. If the block raises, nothing remains and the target is as it was.

    Raises:
        SourceError: the folder or the disk does not let it.
    """
    try:
        target = os.path.realpath(path)
    except (TypeError, ValueError) as error:
        raise SourceError(f"{path!r} is no path: {error}", "write") from None
    folder = os.path.dirname(target)
    temporary = ""
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            # a rename would put a file in the place of, say, /dev/null
            what = errno.EISDIR if os.path.isdir(target) else errno.EINVAL
            raise OSError(what, "Is a directory" if what == errno.EISDIR else "Not a regular file")
        descriptor, temporary = tempfile.mkstemp(prefix=".dicomseal-", dir=folder)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            _like(target, file.fileno())
            os.fsync(file.fileno())
        os.replace(temporary, target)
        temporary = ""
        _sync_folder(folder)
    except OSError as error:
        name = os.fsdecode(path)
        raise SourceError(
            f"{name}: cannot be written: {error.strerror or error}", "write"
        ) from None
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _like(target: str, descriptor: int) -> None:
    """Give the new file the permissions and the owner of the old one, or those of any new file."""
    if not hasattr(os, "fchmod"):
        return
    try:
        old = os.stat(target)
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(descriptor, 0o666 & ~mask)
        return
    with contextlib.suppress(OSError):  # only root may give a file away
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _sync_folder(folder: str) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Names for finished files, given once and for all, and on disk before anything is answered.

In: a file that is complete and flushed, a folder and a name.
Out: the file under that name, or beside another one; it and all names that lead to it are on disk.
PS3: none, as this module knows files only.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ..errors import MalformedError, SourceError
from ..files import atomic, file_meta

# what became of a file that was to be kept
NEW, SAME, OTHER = "new", "same", "other"
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_MAX_KNOWN = 4096  # folders of which is remembered that they are there
_BLOCK = 1 << 20
_MAX_META = 1 << 16


class Placed(NamedTuple):
    """Where an object is kept.

    Attributes:
        path: of the file.
        state: ``new``; ``same``, it was there already; or ``other``, another object with these UIDs
            was, and this one is beside it, under a name with a part of its SHA-256.
    """

    path: str
    state: str


class Placer:
    """Gives files their names in folders, once and for all; see `store.Store`.

    Args:
        root: the folder that all of them are in; it is there.
        sync: flush files and names to disk.
    """

    def __init__(self, root: str, sync: bool) -> None:
        self._root, self._sync = root, sync
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def place(self, path: str, folder: str, name: str) -> Placed:
        """Move a finished file to ``folder/name.dcm``; errors as `store.Store.keep`."""
        with told(folder):
            self._make(folder)
            placed = self._named(path, folder, name)
            if self._sync:
                if placed.state == SAME:
                    _sync_file(placed.path)
                sync_folder(folder)
            os.unlink(path)
        return placed

    def confirm(self, path: str) -> None:
        """Flush a file that has its name already, as `store.Store.confirm`."""
        if not self._sync:
            return
        folder = os.path.dirname(path)
        with told(folder):
            self._make(folder)
            _sync_file(path)
            sync_folder(folder)

    def second_name(self, path: str, target: str) -> None:
        """Give a kept file another name as well, or a copy that one, where no links are.

        Raises:
            OSError: it has no such name.
            FileExistsError: another file has it.
        """
        if not self._link(path, target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _named(self, path: str, folder: str, name: str) -> Placed:
        target = os.path.join(folder, f"{name}.dcm")
        if self._link(path, target):
            return Placed(target, NEW)
        if same(path, target):
            return Placed(target, SAME)
        beside = os.path.join(folder, f"{name}_{digest(path)[:16]}.dcm")
        return Placed(beside, OTHER if self._link(path, beside) else SAME)

    def _link(self, path: str, target: str) -> bool:
        """Return whether the file got this name too; not if another has it."""
        try:
            os.link(path, target)
        except FileExistsError:
            return False
        except FileNotFoundError:  # the folder was taken away meanwhile
            if not os.path.exists(path):
                raise
            self._known.discard(os.path.dirname(target))
            self._make(os.path.dirname(target))
            return self._link(path, target)
        except OSError as error:
            if error.errno not in _NO_LINKS | {errno.EXDEV}:
                raise
            return self._copy(path, target)
        return True

    def _copy(self, path: str, target: str) -> bool:
        """Return the same where no links are, or on another file system."""
        descriptor, temporary = atomic.temporary(os.path.dirname(target))
        try:
            with os.fdopen(descriptor, "wb") as new, open(path, "rb") as old:
                shutil.copyfileobj(old, new, _BLOCK)
                new.flush()
                if self._sync:
                    os.fsync(new.fileno())
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                with self._lock:
                    if os.path.lexists(target):
                        return False
                    os.rename(temporary, target)
                    temporary = ""
            return True
        finally:
            if temporary:
                os.unlink(temporary)

    def _make(self, folder: str) -> None:
        """Make a folder; it and the folders between it and the root have their names on disk then.

        That one is there does not say so: another thread may have made it a moment ago, or a gate
        that died since.
        """
        if folder in self._known:
            return
        step = self._root
        for name in os.path.relpath(folder, self._root).split(os.sep):
            if name == os.curdir:
                break
            outer, step = step, os.path.join(step, name)
            with contextlib.suppress(FileExistsError):
                os.mkdir(step)
            if self._sync:
                sync_folder(outer)
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known.add(folder)


def same(one: str, other: str) -> bool:
    """Return whether two files hold the same data set in the same encoding.

    File Meta Information and preamble may differ: they say who wrote the file.
    """
    with open(one, "rb") as left, open(other, "rb") as right:
        begun = [_data_set(file) for file in (left, right)]
        if begun[0][1] != begun[1][1]:
            return False
        sizes = [
            os.fstat(file.fileno()).st_size - start
            for file, (start, _) in zip((left, right), begun, strict=True)
        ]
        if sizes[0] != sizes[1]:
            return False
        left.seek(begun[0][0])
        right.seek(begun[1][0])
        while True:
            block = left.read(_BLOCK)
            if block != right.read(_BLOCK):
                return False
            if not block:
                return True


def _data_set(file: BinaryIO) -> tuple[int, str]:
    """Return where the data set of a file begins, and its transfer syntax."""
    try:
        meta = file_meta.read(file.read(_MAX_META))
    except MalformedError:
        return 0, ""
    return meta.start, meta.transfer_syntax


def digest(path: str) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(folder: str, sync: bool) -> None:
    """Make a folder, and those above it, and flush their names to disk.

    Raises:
        OSError: it cannot be made.
    """
    missing, step = [], folder
    while not os.path.isdir(step):
        missing.append(step)
        step = os.path.dirname(step)
    os.makedirs(folder, exist_ok=True)
    if sync:
        for one in missing or [folder]:  # whoever made it may have died before that
            with contextlib.suppress(PermissionError):  # others may make folders there, not we
                sync_folder(os.path.dirname(one))


def _sync_file(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: str) -> None:
    """Flush the names in a folder to disk, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def told(path: str) -> Iterator[None]:
    """Yield what the system refuses, as an error of dicomseal."""
    try:
        yield
    except OSError as error:
        raise refused(path, error) from None


def refused(path: str, error: OSError) -> SourceError:
    """Return what the system refuses, as an error of dicomseal."""
    code = "no_space" if error.errno in atomic.NO_SPACE else "write"
    return SourceError(f"{path}: cannot be written: {error.strerror or error}", code)

"""Replace many files with few flushes: all are written, then flushed, renamed, and made to stay.

In: the contents of files, one after the other.
Out: for each of them, that it is on disk under its name, or the `SourceError` why it is as it was.
PS3: none, as this module knows bytes only.

A file by itself is flushed, renamed, and its folder flushed (`files.atomic`), and each of these
waits for the disk. Here a number of files are written to temporary ones first. Then all are flushed
at once (`files.flush`), each is renamed, and each folder is flushed once. So a crash leaves every
file the old one or the new one, as by itself; what was not renamed yet leaves a temporary file,
whose name begins with the mark of `files.atomic`.
"""

from __future__ import annotations

import functools
import os
import stat
import time
from collections.abc import Callable
from typing import Any

from ..errors import SourceError
from . import flush
from .atomic import OldFile, keep_from_another_group, mode_of_copy, not_synced, not_written
from .open_folder import OpenFolder
from .window import changed, state_of

MAX_FILES, MAX_BYTES = 256, 128 << 20
_LOCK_SECONDS = 10.0  # to wait for the renames of other groups, at most
MAX_SECONDS = 2.0  # a slow key or timestamp authority must not lose more to a crash
_GATHERED = 1 << 20  # bytes that one system call writes
_PIECES = 64  # and how many pieces of them; the system takes 1,024
_OTHERS = 16  # descriptors that a process has besides
_OPEN = 512  # descriptors, where the system does not say how many a process may have


class _Output:
    """A file that pieces are written to without a copy: they are gathered for one system call."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pieces: list[Any] = []
        self._waiting = 0
        self.size = 0

    def write(self, data: Any) -> int:
        """Take a piece, which must not change before the next `flush`."""
        size = len(data)
        self._pieces.append(data)
        self._waiting += size
        self.size += size
        if self._waiting >= _GATHERED or len(self._pieces) >= _PIECES:
            self.flush()
        return size

    def flush(self) -> None:
        """Write what was taken."""
        pieces, self._pieces = self._pieces, []
        left, self._waiting = self._waiting, 0
        if hasattr(os, "writev"):
            left -= os.writev(self._descriptor, pieces) if pieces else 0
            if not left:
                return
            rest = b"".join(pieces)
            rest = rest[len(rest) - left :]
        else:
            rest = b"".join(pieces)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


class _Staged:
    """A file that is written to a temporary one, and waits to be renamed."""

    __slots__ = (
        "base",
        "check",
        "descriptor",
        "error",
        "folder",
        "key",
        "name",
        "old",
        "temporary",
    )

    def __init__(
        self, key: Any, name: str, folder: OpenFolder, base: str, check: Callable[[], object] | None
    ) -> None:
        self.key, self.name, self.folder, self.base, self.check = key, name, folder, base, check
        self.old: tuple[int, ...] | None = None
        self.descriptor, self.temporary = -1, ""
        self.error: SourceError | None = None

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


@functools.cache
def _most_open() -> int:
    """Return how many descriptors a group may have: half of what the process may, and less."""
    try:
        import resource
    except ImportError:
        return _OPEN
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft // 2 - _OTHERS, 1) if soft > 0 else _OPEN


class Group:
    """Files that are replaced together. A caller commits a group that is `full`, and the last one.

    Args:
        max_files, max_bytes: when it is full; temporary files take no more of the disk than these
            bytes, and what the last file adds to them.
        max_seconds: how long after the first file it is full at the latest.
        opened: called with the path of each folder that files are written to.
    """

    def __init__(
        self,
        max_files: int = MAX_FILES,
        max_bytes: int = MAX_BYTES,
        max_seconds: float = MAX_SECONDS,
        opened: Callable[[str], object] | None = None,
    ) -> None:
        self._limits = max_files, max_bytes, max_seconds
        self._opened = opened
        self._staged: list[_Staged] = []
        self._bytes = self._open = 0
        self._begun = 0.0
        self._folders: dict[str, OpenFolder] = {}  # by path; links in it are resolved
        self._real: dict[str, OpenFolder] = {}  # by path as it was given
        self._disks: dict[int, int] = {}  # device: a descriptor for `flush_all`, or -1

    def __len__(self) -> int:
        return len(self._staged)

    @property
    def full(self) -> bool:
        """Whether it is to be committed now."""
        files, size, seconds = self._limits
        return bool(self._staged) and (
            len(self._staged) >= files
            or self._bytes >= size
            or self._open + len(self._folders) >= _most_open()
            or time.monotonic() - self._begun >= seconds
        )

    def stage(
        self,
        key: Any,
        path: str,
        write: Callable[[Any], object],
        check: Callable[[], object] | None = None,
        overwrite: bool = True,
        original: os.stat_result | None = None,
    ) -> os.stat_result:
        """Write the new content of a file to a temporary one beside it.

        A symbolic link is followed. The new file gets the properties of an existing one, as in
        `files.atomic.replacing`.

        Args:
            key: what `commit` calls the file.
            path: the target.
            write: is called with an object whose ``write`` takes bytes.
            check: called when everything is on disk, just before the rename; it may still raise.
            overwrite: replace a file that exists.
            original: the status of the file that this is a copy of, if it does not exist yet.

        Returns:
            The status of the new file: its size and its times.

        Raises:
            SourceError: as of `replacing`; nothing of this file remains, and the others are staged
                as before. With the code ``no_space`` of a group that is not empty, another attempt
                may succeed after `commit`.
        """
        if not self._staged:
            self._begun = time.monotonic()
        folder: OpenFolder | None = None
        temporary = ""
        descriptor = -1
        try:
            folder, base = self._find(path)
            staged = _Staged(key, path, folder, base, check)
            status = folder.status(base)
            old = None
            if status is not None:
                if not overwrite:
                    raise SourceError(f"{path}: exists already", "exists")
                if stat.S_ISLNK(status.st_mode):  # the last name is a link
                    folder, base = self._find(os.path.realpath(path))
                    staged.folder, staged.base = folder, base
                old = OldFile.of(os.path.join(folder.path, base))
                staged.old = None if old is None else state_of(old.status)
            # umask and a default ACL of the folder do the rest
            descriptor, temporary = folder.create(mode_of_copy(original) if old is None else 0o600)
            if old is None:
                keep_from_another_group(descriptor, original)
            output = _Output(descriptor)
            write(output)
            output.flush()
            if old is not None:
                old.pass_on(descriptor, path)
            written = os.fstat(descriptor)
            staged.temporary = temporary
            if self._disks[folder.device] < 0:
                staged.descriptor, descriptor = descriptor, -1
                self._open += 1
            self._staged.append(staged)
            self._bytes += output.size
            temporary = ""
            return written
        except OSError as error:
            raise not_written(path, error) from None
        finally:
            if descriptor >= 0:
                os.close(descriptor)
            if temporary and folder is not None:
                folder.unlink(temporary)

    def _find(self, path: str) -> tuple[OpenFolder, str]:
        """Return the open folder of a path, and its last name."""
        parent, base = os.path.split(path)
        found = self._real.get(parent)
        if found is None:
            real = os.path.realpath(parent)
            found = self._folders.get(real)
            if found is None:
                found = self._folders[real] = OpenFolder(real)
                if self._opened is not None:
                    self._opened(real)
                if found.device not in self._disks:
                    # before the first file on it is written: see `flush_all`
                    whole = found.descriptor >= 0 and flush.at_once(found.descriptor)
                    self._disks[found.device] = found.descriptor if whole else -1
            self._real[parent] = found
        return found, base

    def commit(self) -> list[tuple[Any, SourceError | None]]:
        """Flush the files, rename each, flush their folders; the group is empty then.

        Returns:
            For each file, by its key and in the order of `stage`: None if it is on disk under its
            name. Else why not, and the file is as it was; but with the code ``not_synced`` the new
            one is there, and a power failure may bring back the old one.
        """
        try:
            self._flush()
            locked = self._lock()
            try:
                for staged in self._staged:
                    if staged.error is None:
                        self._rename(staged)
            finally:
                for folder in locked:
                    folder.unlock()
            self._flush_folders()
            return [(staged.key, staged.error) for staged in self._staged]
        finally:
            self.discard()

    def _flush(self) -> None:
        for device, descriptor in self._disks.items():
            mine = [staged for staged in self._staged if staged.folder.device == device]
            if not mine:
                continue
            errors: list[OSError | None]
            if descriptor >= 0:
                errors = [None] * len(mine)
                try:
                    flush.flush_all(descriptor)
                except OSError as failed:
                    errors = [failed] * len(mine)  # nobody says of which of them it is
            else:
                errors = flush.flush_each([staged.descriptor for staged in mine])
                for staged in mine:
                    staged.close()
            for staged, error in zip(mine, errors, strict=True):
                if error is not None:
                    staged.error = not_written(staged.name, error)

    def _lock(self) -> list[OpenFolder]:
        """Lock the folders, each process in the same order; return those that are locked.

        Two groups over the same files wait for the same flush, and then rename the same names side
        by side. With the lock one of them is through before the other looks whether its files have
        changed. So it is for groups only, and one that does not come costs no more than a wait.
        """
        until = time.monotonic() + _LOCK_SECONDS
        folders = {(folder.device, folder.inode): folder for folder in self._folders.values()}
        return [folder for _, folder in sorted(folders.items()) if folder.lock(until)]

    def _rename(self, staged: _Staged) -> None:
        folder, temporary = staged.folder, staged.temporary
        try:
            if staged.check is not None:
                staged.check()
            status = folder.status(staged.base)
            if (None if status is None else state_of(status)) != staged.old:
                raise changed(staged.name)
            folder.rename(temporary, staged.base)
            staged.temporary = ""
        except OSError as error:
            staged.error = not_written(staged.name, error)
        except SourceError as error:
            staged.error = error

    def _flush_folders(self) -> None:
        renamed = {id(staged.folder): staged.folder for staged in self._staged
                   if staged.error is None}  # fmt: skip
        for folder in renamed.values():
            try:
                folder.flush()
            except OSError as error:
                for staged in self._staged:
                    if staged.folder is folder and staged.error is None:
                        staged.error = not_synced(staged.name, error)

    def discard(self) -> None:
        """Remove what was staged and not committed; the group is empty then."""
        for staged in self._staged:
            staged.close()
            if staged.temporary:
                staged.folder.unlink(staged.temporary)
        for folder in self._folders.values():
            folder.close()
        self._staged, self._bytes, self._open = [], 0, 0
        self._folders, self._real, self._disks = {}, {}, {}

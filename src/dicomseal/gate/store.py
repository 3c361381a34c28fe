"""The store of a gate: objects bit for bit under Study, Series and SOP Instance UID.

An object is written to a temporary file on the same file system while it arrives, flushed to disk,
and gets its name in one step, which never takes another object's place. So a name always stands for
a whole object, and what was kept once stays as it is, whoever sends another under the same UIDs.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import BinaryIO

from ..errors import SourceError
from ..files import atomic
from .placer import Placed, Placer, make_folder, refused, told

OWN = ".dicomseal-gate"  # the folder in the store that is not of the archive
_INCOMING, _LOCK = "incoming", "lock"
_MAX_FLUSHERS = 32


_pools: dict[int, ThreadPoolExecutor] = {}


def _flushers() -> ThreadPoolExecutor:
    """Return threads that wait for the disk, of this process: a fork has none of its parent's."""
    found = _pools.get(os.getpid())
    if found is None:
        found = _pools[os.getpid()] = ThreadPoolExecutor(_MAX_FLUSHERS, "dicomseal-flush")
    return found


class Incoming:
    """A file that is being received; as a context it is removed at the end, unless it was kept.

    Attributes:
        path: where it is.
        size: how many bytes were written.
    """

    def __init__(self, folder: str, sync: bool) -> None:
        self._sync = sync
        self._placed = False
        self._flushed: Future[None] | None = None
        self.size = 0
        with told(folder):
            descriptor, self.path = atomic.temporary(folder)
        self._file: BinaryIO | None = os.fdopen(descriptor, "wb", buffering=0)

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append bytes.

        Raises:
            SourceError: they cannot be written; with the code ``no_space`` the disk is full.
        """
        try:
            if self._file is None:
                raise OSError(errno.EBADF, "the file is finished")
            done = self._file.write(data) or 0
            while done < len(data):
                done += self._file.write(memoryview(data)[done:]) or 0
        except OSError as error:  # not `told`, which costs more than to write what mostly comes
            raise refused(self.path, error) from None
        self.size += done
        return done

    def flush(self) -> None:
        """Begin to flush it to disk when all was written; `finish` waits for that.

        What is verified meanwhile is in memory still, and the disk need not wait for the hash.
        """
        if self._sync and self._file is not None and self._flushed is None:
            self._flushed = _flushers().submit(os.fsync, self._file.fileno())

    def finish(self) -> None:
        """Close it when all was written; it is on disk then. Errors as `write`."""
        if self._file is None:
            return
        with told(self.path):
            try:
                self.flush()
                if self._flushed is not None:
                    self._flushed.result()
            finally:
                file, self._file = self._file, None
                file.close()

    def kept(self) -> None:
        """Say that it has found another place, so that there is nothing to remove."""
        self._placed = True

    def discard(self) -> None:
        """Remove it, if it is still there."""
        if self._placed:
            return
        if self._file is not None:
            if self._flushed is not None:  # its descriptor is somebody else's when it is closed
                self._flushed.exception()
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def __enter__(self) -> Incoming:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.discard()


class Store:
    """A folder of objects.

    Args:
        root: the folder; it is made if it is not there.
        sync: flush every object and its name to disk before it counts as kept. Without it, what
            was accepted is safe from the death of the process, and not from that of the machine.

    Raises:
        SourceError: the folder cannot be made or written to.
    """

    def __init__(self, root: str | os.PathLike[str], *, sync: bool = True) -> None:
        self.root = os.path.abspath(os.fsdecode(root))
        self.sync = sync
        self.own = os.path.join(self.root, OWN)
        self._incoming = os.path.join(self.own, _INCOMING)
        self._placer = Placer(self.root, sync)
        with told(self.root):
            for folder in (self.root, self.own, self._incoming):
                make_folder(folder, sync)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Store]:
        """Hold the store for this process and those that it forks; remove what dead ones left.

        Raises:
            SourceError: another gate has it (code ``in_use``).
        """
        with told(self.root):
            lock = os.open(
                os.path.join(self.own, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
            )
        try:
            try:
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:  # Windows has no gate of several processes
                pass
            except OSError:
                raise SourceError(
                    f"{self.root}: another gate is storing into this folder", "in_use"
                ) from None
            self._clean()
            yield self
        finally:
            os.close(lock)

    def _clean(self) -> None:
        with told(self._incoming), os.scandir(self._incoming) as found:
            for entry in found:
                if atomic.is_temporary(entry.name):
                    os.unlink(entry.path)

    def incoming(self) -> Incoming:
        """Return a new file for an object that arrives, on the store's own file system.

        Raises:
            SourceError: it cannot be made.
        """
        return Incoming(self._incoming, self.sync)

    def path_of(self, names: tuple[str, str, str]) -> str:
        """Return where the first object with these names is, or would be."""
        return os.path.join(self.root, names[0], names[1], f"{names[2]}.dcm")

    def keep(self, path: str, names: tuple[str, str, str]) -> Placed:
        """Give a finished file its place in the store; it is gone from where it was.

        Args:
            path: of the file.
            names: of its folders and of the file, as `identity.Identity.names` has them.

        Raises:
            SourceError: it has no place now, and is where it was.
        """
        study, series, instance = names
        return self._placer.place(path, os.path.join(self.root, study, series), instance)

    def confirm(self, path: str) -> None:
        """Flush an object that is in the store already, and its name, to disk.

        Whoever put it there may have died before that was done, or not have done it yet.

        Raises:
            SourceError: it may not be on disk.
        """
        self._placer.confirm(path)

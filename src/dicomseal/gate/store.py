"""The store of a gate: objects bit for bit under Study, Series and SOP Instance UID.

An object is written to a temporary file on the same file system while it arrives, flushed to disk,
and gets its name in one step, which never takes another object's place. So a name always stands for
a whole object, and what was kept once stays as it is, whoever sends another under the same UIDs.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import BinaryIO, NamedTuple

from ..errors import MalformedError, SourceError
from ..files import atomic, file_meta

# what became of a file that was to be kept
NEW, SAME, OTHER = "new", "same", "other"
OWN = ".dicomseal-gate"  # the folder in the store that is not of the archive
_INCOMING, _LOCK = "incoming", "lock"
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_MAX_KNOWN = 4096  # folders of which is remembered that they are there
_BLOCK = 1 << 20
_MAX_FLUSHERS = 32
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
        self._placer = Placer(sync)
        with told(self.root):
            os.makedirs(self._incoming, exist_ok=True)

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


class Placer:
    """Gives files their names in folders, once and for all; see `Store`."""

    def __init__(self, sync: bool) -> None:
        self._sync = sync
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def place(self, path: str, folder: str, name: str) -> Placed:
        """Move a finished file to ``folder/name.dcm``; errors as `Store.keep`."""
        with told(folder):
            self._make(folder)
            placed = self._named(path, folder, name)
            if self._sync:
                sync_folder(folder)
            os.unlink(path)
        return placed

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
        if folder in self._known:
            return
        missing = []
        step = folder
        while not os.path.isdir(step):
            missing.append(step)
            step = os.path.dirname(step)
        for one in reversed(missing):
            with contextlib.suppress(FileExistsError):
                os.mkdir(one)
            if self._sync:
                sync_folder(os.path.dirname(one))
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

"""A folder that stays open, so that the names of many files are looked up in it.

In: the path of a folder.
Out: files created, looked at, renamed and removed in it, and that this is on disk.
PS3: none, as this module knows names only.
"""

from __future__ import annotations

import contextlib
import os
import time

from . import flush
from .atomic import FLAGS, temporary_name

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_DIR_FD = {os.open, os.stat, os.rename, os.unlink} <= os.supports_dir_fd


class OpenFolder:
    """An open folder. Names are looked up in it, wherever it is moved to meanwhile."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor = -1
        self.device = self.inode = 0
        if _DIR_FD:
            self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            status = os.fstat(self.descriptor)
            self.device, self.inode = status.st_dev, status.st_ino

    def create(self, mode: int) -> tuple[int, str]:
        """Create a temporary file; return its descriptor and its name."""
        while True:
            name = temporary_name()
            try:
                if _DIR_FD:
                    return os.open(name, FLAGS, mode, dir_fd=self.descriptor), name
                return os.open(os.path.join(self.path, name), FLAGS, mode), name
            except FileExistsError:
                continue

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of a name, of a link that of itself; None if there is none."""
        try:
            if _DIR_FD:
                return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
            return os.lstat(os.path.join(self.path, name))
        except FileNotFoundError:
            return None

    def rename(self, name: str, to: str) -> None:
        if _DIR_FD:
            os.rename(name, to, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        else:
            os.replace(os.path.join(self.path, name), os.path.join(self.path, to))

    def unlink(self, name: str) -> None:
        with contextlib.suppress(OSError):
            if _DIR_FD:
                os.unlink(name, dir_fd=self.descriptor)
            else:
                os.unlink(os.path.join(self.path, name))

    def lock(self, until: float) -> bool:
        """Lock the folder against other groups; return False if that cannot be had.

        Args:
            until: when to wait no longer, on the monotonic clock.
        """
        if fcntl is None or self.descriptor < 0:
            return False
        while True:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    return False
                time.sleep(0.001)
            except OSError:  # a file system that has no such locks
                return False
            else:
                return True

    def unlock(self) -> None:
        """Unlock it; it is closed soon in any case, and what was renamed stays so."""
        with contextlib.suppress(OSError):
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def flush(self) -> None:
        if self.descriptor >= 0:
            flush.flush_folder(self.descriptor)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

"""What waits for the next node: a folder of links to stored objects, in the order of arrival.

An entry is a second name of the stored file, so it costs no room, and nobody who tidies the store
takes it away. It is there before the sender of the object is answered, and goes when the next node
has answered: killed in between, the gate sends the object once more, which is harmless.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable

import msgspec

from ..files import atomic
from .placer import Placer, make_folder, sync_folder, told

_SUFFIX = ".dcm"
_ASIDE = "aside"


class Spool:
    """The folder.

    Args:
        folder: where it is; it is made if it is not there.
        sync: flush each name to disk before it counts.

    Attributes:
        ring: called when something was added; may be set later.

    Raises:
        SourceError: it cannot be made.
    """

    ring: Callable[[], None] | None = None

    def __init__(self, folder: str, *, sync: bool = True) -> None:
        self.folder = folder
        self._aside = os.path.join(folder, _ASIDE)
        self._sync = sync
        self._placer = Placer(folder, sync)
        self._lock = threading.Lock()
        self._last = 0
        with told(folder):
            for one in (folder, self._aside):
                make_folder(one, sync)
            for name in filter(atomic.is_temporary, os.listdir(folder)):
                os.unlink(os.path.join(folder, name))  # of a gate that died: this is the only one

    def add(self, path: str) -> None:
        """Append a stored file.

        Raises:
            SourceError: it is not in the spool.
        """
        with told(self.folder):
            self._placer.second_name(path, os.path.join(self.folder, self._name(_key(path))))
            if self._sync:
                sync_folder(self.folder)
        if self.ring is not None:
            self.ring()

    def _name(self, key: str) -> str:
        """Return names sort by the time of arrival, also where the clock was set back meanwhile."""
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return f"{self._last:020d}-{os.getpid():07d}-{key}{_SUFFIX}"

    def entries(self) -> list[str]:
        """Return the paths of what waits, the first one first."""
        with told(self.folder):
            names = sorted(name for name in os.listdir(self.folder) if name.endswith(_SUFFIX))
        with self._lock:  # of an earlier life, whose clock may have been ahead
            for name in names[-1:]:
                with contextlib.suppress(ValueError):
                    self._last = max(self._last, int(name[:20]))
        return [os.path.join(self.folder, name) for name in names]

    @staticmethod
    def key(entry: str) -> str:
        """Return what two entries have in common that are the same stored file; empty: unknown."""
        return os.path.basename(entry).removesuffix(_SUFFIX).partition("-")[2].partition("-")[2]

    def __len__(self) -> int:
        return self._count(self.folder)

    @property
    def set_aside(self) -> int:
        """How many objects the next node has refused for good."""
        return self._count(self._aside)

    @staticmethod
    def _count(folder: str) -> int:
        try:
            return sum(name.endswith(_SUFFIX) for name in os.listdir(folder))
        except OSError:
            return 0

    def done(self, entry: str) -> None:
        """Remove an entry that the next node has; it need not be on disk."""
        with contextlib.suppress(FileNotFoundError), told(entry):
            os.unlink(entry)

    def put_aside(self, entry: str, why: str, instance: str = "") -> None:
        """Keep an entry that the next node refuses out of the way of others.

        The reason and the SOP Instance UID stand in a file beside it.
        """
        name = os.path.basename(entry)
        report = os.path.join(self._aside, name.removesuffix(_SUFFIX) + ".json")
        with atomic.replacing(report) as file:
            said = {"reason": why, "sop_instance_uid": instance, "tried": time.time()}
            file.write(msgspec.json.encode(said) + b"\n")
        with told(entry):
            os.replace(entry, os.path.join(self._aside, name))

    def bring_back(self) -> int:
        """Let all that was put aside be tried again; return how many."""
        count = 0
        with told(self._aside):
            for name in sorted(os.listdir(self._aside)):
                path = os.path.join(self._aside, name)
                if name.endswith(_SUFFIX):
                    os.replace(path, os.path.join(self.folder, name))
                    count += 1
                else:
                    os.unlink(path)
        return count


def _key(path: str) -> str:
    """Return the key of a stored file: its name stands for one object as long as it is there."""
    status = os.stat(path)
    said = f"{os.fsencode(path)!r} {status.st_size} {status.st_mtime_ns}"
    return hashlib.sha256(said.encode()).hexdigest()[:24]

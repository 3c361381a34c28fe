"""The interface of a root of an archive, of whatever kind.

A new kind of root is a class in a file of its own, and a line in `roots.kind_of`: no other code
depends on the kind of a root.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple, Protocol, TypeVar

from ...errors import SourceError
from ...files.window import Window
from .found import Found
from .passed_over import PassedOver


class Walk:
    """A walk over roots: its options, and what it asks of the file system at the moment.

    Attributes:
        follow: go into folders that are symbolic links; one is never entered from within itself.
        null: in lists a NUL ends each path, not a line end.
        passed: collects the entries that the walk leaves out.
        is_path: tells whether a name in a list is one of a file.
        asked: the file or folder that was asked about last; empty if nothing is asked now.
        times: how often something was asked.
    """

    def __init__(
        self, follow: bool, null: bool, passed: PassedOver, is_path: Callable[[str], bool]
    ) -> None:
        self.follow, self.null, self.passed, self.is_path = follow, null, passed, is_path
        self.asked = ""
        self.times = 0

    def asks(self, path: str) -> None:
        """Take note of what is asked about next, of a file system that may not answer."""
        self.asked = path
        self.times += 1


class Fetched(NamedTuple):
    """A fetched object that is to be verified.

    Attributes:
        source: its path, its bytes, or a window on them; or the error why there are none.
        size, mtime: of the bytes that were read, which may be newer than the listing; 0 with an
            error.
        status: of the file that was read, for whoever will replace it.
    """

    source: str | memoryview | Window | SourceError
    size: int = 0
    mtime: int = 0
    status: os.stat_result | None = None


T = TypeVar("T")


class Reads(Protocol):
    """How an object is read, so that a read that does not come back is an error."""

    def window(self, descriptor: int) -> Window:
        """Open a window on a large file; the window closes the descriptor."""

    def within(self, read: Callable[[], T]) -> T:
        """Return what a read returns or raises; a `SourceError` if it does not come back."""

    def goes_on(self) -> None:
        """Take note, within `Root.fetch`, that more of the object came: its time begins anew."""


class Root(ABC):
    """A place that a run goes over.

    Args:
        name: as the user writes it.

    Attributes:
        name: the name that is valid in any working directory; rows about the whole root have it.
        is_list: it names files one by one, in any place, and perhaps some twice.
        is_signable: its objects can be replaced by signed ones.
        is_countable: it may be walked a second time, only to count.
        is_forkable: a process that has used it may fork.
        takes_buffers: its files are read into buffers of the caller.
        may_hang: its walk asks a file system, which may not answer; see `find.patience`.
        can_be_opened: they are files of this machine, which may be opened before they are read.
        is_served: its objects are asked of a server, which may be gone as a whole.
    """

    is_list: ClassVar[bool] = False
    is_signable: ClassVar[bool] = False
    is_forkable: ClassVar[bool] = True
    takes_buffers: ClassVar[bool] = False
    may_hang: ClassVar[bool] = False
    can_be_opened: ClassVar[bool] = False
    is_served: ClassVar[bool] = False
    name: str

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def is_countable(self) -> bool:
        return True

    @property
    @abstractmethod
    def place(self) -> str | None:
        """The beginning of the path of everything in it; None if that is not known.

        Raises:
            UsageError: the name makes no sense.
        """

    @abstractmethod
    def check(self) -> None:
        """Check that the root exists, before a run begins.

        Raises:
            UsageError: it does not exist.
            LostError: it does not answer, or refuses access.
        """

    @abstractmethod
    def find(self, walk: Walk) -> Iterator[Found]:
        """Yield its files in a stable order; if there are none, an entry for the root itself.

        Raises:
            UsageError: it cannot be read.
            LostError: it no longer answers.
        """

    def rest(self, walk: Walk) -> Iterator[Found] | None:  # noqa: ARG002 - of the interface
        """Return what `find` has not begun with; None if it cannot go on behind what hangs."""
        return None

    def close(self) -> None:  # noqa: B027 - most keep nothing open
        """Close what the walk keeps open; it is over."""

    @staticmethod
    def near(file: Found) -> Fetched | None:  # noqa: ARG004 - of the interface
        """Return a file by its path, which the verifier reads itself; None if it cannot do so."""
        return None

    @staticmethod
    @abstractmethod
    def fetch(file: Found, buffer: bytearray | None, reads: Reads) -> Fetched:
        """Return the content of a file that was found in a root of this kind; in any thread.

        Args:
            file: the file.
            buffer: to read it into; None if ``takes_buffers`` says so, or it is a large one.
            reads: reads what this leaves to be read later, such as a large file.

        Raises:
            LostError: the root no longer answers.
        """

    @staticmethod  # noqa: B027 - where nothing is served there is nobody to ask
    def ask(file: Found) -> None:
        """Ask the server of an object that did not come, whether it is there at all.

        Raises:
            LostError: it is not.
        """

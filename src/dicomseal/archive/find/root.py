"""What a root of an archive can do, whatever it is.

A new kind of root is a class of its own in a file of its own, and a line in `roots.kind_of`:
nothing else asks of which kind a root is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import ClassVar, NamedTuple

from ...errors import SourceError
from ...files.window import Window
from .found import Found
from .passed_over import PassedOver


class Walk(NamedTuple):
    """How files are found.

    Attributes:
        follow: go into folders that are symbolic links; one is never entered from within itself.
        null: in lists a NUL ends each path, not a line end.
        passed: is told what the walk leaves out.
        is_path: whether a name in a list is one of a file, and not of something else.
    """

    follow: bool
    null: bool
    passed: PassedOver
    is_path: Callable[[str], bool]


class Fetched(NamedTuple):
    """An object to verify.

    Attributes:
        source: its path, its bytes, or a window on them; or why they could not be had.
        size, mtime: of what was read, which may be newer than what was found; 0 with an error.
    """

    source: str | memoryview | Window | SourceError
    size: int = 0
    mtime: int = 0


class Root(ABC):
    """A place that a run goes over.

    Args:
        name: as the user writes it.

    Attributes:
        name: the same wherever the process works; rows that stand for the whole root have it.
        is_list: it names files one by one, wherever they are, and some perhaps twice.
        is_signable: its objects can be replaced by signed ones.
        is_countable: it may be gone through a second time, only to count.
        is_forkable: a process that has used it may fork.
    """

    is_list: ClassVar[bool] = False
    is_signable: ClassVar[bool] = False
    is_forkable: ClassVar[bool] = True
    name: str

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def is_countable(self) -> bool:
        return True

    @property
    @abstractmethod
    def place(self) -> str | None:
        """What the path of everything in it begins with; None where that is not known.

        Raises:
            UsageError: the name makes no sense.
        """

    @abstractmethod
    def check(self) -> None:
        """Find out whether there is such a root, before a run begins.

        Raises:
            UsageError: there is none.
            LostError: it does not answer, or does not let us in.
        """

    @abstractmethod
    def find(self, walk: Walk) -> Iterator[Found]:
        """The files in it, in a stable order; where there is none, what stands for the root.

        Raises:
            UsageError: it cannot be read.
            LostError: it does not answer any more.
        """

    @staticmethod
    @abstractmethod
    def fetch(files: Iterable[Found]) -> Generator[Fetched, None, None]:
        """What was found in roots of this kind, in its order, to be verified.

        Raises:
            LostError: a root does not answer any more.
        """

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, Self, final

from ._record import Ambiguity, Coverage, Limits, Record

TROUBLES: Final[tuple[str, ...]]

@final
class Index:
    def __new__(
        cls,
        source: Any,
        start: int = 0,
        stop: int | None = None,
        *,
        implicit: bool = False,
        big_endian: bool = False,
        root: int = ...,
        limits: Limits | None = None,
    ) -> Self: ...
    def __len__(self) -> int: ...
    @property
    def scopes(self) -> list[int]: ...
    @property
    def ambiguities(self) -> list[Ambiguity]: ...
    @property
    def trailing(self) -> int: ...
    @property
    def guessed(self) -> frozenset[str]: ...
    def record(self, number: int) -> Record: ...
    def children(self, number: int) -> Iterator[int]: ...
    def find(self, scope: int, tag: int) -> int: ...
    def value(self, number: int) -> bytes: ...
    def resolve(self, **choice: str) -> None: ...
    def stream(
        self,
        update: Callable[[memoryview], object],
        scope: int = 0,
        tags: Collection[int] | None = None,
        *,
        without: Collection[int] = (),
        legacy: bool = False,
    ) -> Coverage: ...
    def stream_items(
        self, update: Callable[[memoryview], object], legacy: bool = False
    ) -> None: ...

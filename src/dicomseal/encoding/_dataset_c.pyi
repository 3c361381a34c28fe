from collections.abc import Callable, Collection, Sequence
from typing import Any

from .record import Coverage

AMBIGUOUS_NAMES: dict[str, str]
DEPTH: int
KEPT: str

def canonical(
    update: Callable[[memoryview], object],
    dataset: Any,
    wanted: Collection[int] | None,
    ancestors: Sequence[Any],
    encoding: tuple[bool, bool],
) -> Coverage: ...
def as_in_a_file(dataset: Any, implicit: bool, encoding: tuple[bool, bool]) -> list[Any]: ...

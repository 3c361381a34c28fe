"""From a `pydicom.Dataset` in memory to the canonical stream, and to the source of an index.

In: a data set, whose elements were read and not decoded, were decoded, or were built. Out: the
bytes that its file would give. The data set is not changed. The walk over it has two twins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from . import record as r
from .backend import dataset_twin
from .dataset_encoding import encoding_of, syntax_of
from .pieces import Pieces, Stretch, Swapped

if TYPE_CHECKING:
    from pydicom import Dataset

canonical, as_in_a_file = dataset_twin()
_IN_ONE_PIECE = 1 << 20  # bytes; for an index that is the shorter way


def stream_dataset(
    update: Callable[[Any], object],
    dataset: Dataset,
    tags: Collection[int] | None = None,
    *,
    ancestors: tuple[Dataset, ...] = (),
) -> r.Coverage:
    """Do as `Index.stream`, for a data set or item in memory.

    Args:
        update, tags: as there.
        dataset: the scope itself.
        ancestors: for an item, the data sets around it, nearest first: character sets and VRs may
            depend on them.

    Raises:
        EncodingError: an element has no value in its VR.
        MalformedError: the bytes of a sequence that was not read into items are malformed.
    """
    wanted = None if tags is None else frozenset(tags)
    encoding = encoding_of(ancestors[-1] if ancestors else dataset)
    coverage: r.Coverage = canonical(update, dataset, wanted, ancestors, encoding)
    return coverage


def as_written(dataset: Dataset) -> tuple[bytes | Pieces, str]:
    """Return the data set as pydicom writes it, signatures included, and its transfer syntax.

    Implicit VR states no VR, so a reader takes those of the dictionary, whatever the data set has;
    in big endian, words that pydicom keeps as bytes are written as they are. So what a signature is
    over is found where everybody else will look for it: in the bytes that pydicom writes. They are
    given in little endian and not deflated, whatever the transfer syntax says. Large values are not
    copied.

    Raises:
        EncodingError: an element has no value in its VR.
    """
    implicit, little = encoding = encoding_of(dataset)
    pieces = as_in_a_file(dataset, implicit, encoding)
    syntax = syntax_of(dataset, implicit, little)
    if sum(map(len, pieces)) <= _IN_ONE_PIECE:
        lazy = Stretch, Swapped
        pieces = [p.read(0, len(p)) if isinstance(p, lazy) else p for p in pieces]
        return b"".join(pieces), syntax
    return Pieces(pieces), syntax

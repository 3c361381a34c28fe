"""Roots of an archive by their names: here the kind of each root is chosen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager

from ...dicomweb.address import is_address
from ...errors import UsageError
from .folder_root import FolderRoot
from .found import Found
from .list_root import ListRoot, is_list
from .object_stores import is_url
from .root import Fetched, Root
from .store_root import StoreRoot


def kind_of(path: str) -> type[Root]:
    """Return the kind of root in which a file was found, by its path."""
    if is_url(path):
        return StoreRoot
    if is_address(path):
        from .dicomweb_root import DicomwebRoot

        return DicomwebRoot
    return FolderRoot


def is_path(name: str) -> bool:
    """Return whether a name is the path of a file."""
    return kind_of(name) is FolderRoot


def root_of(name: str) -> Root:
    """Return a root by its name."""
    return ListRoot(name) if is_list(name) else kind_of(name)(name)


def check_roots(names: Iterable[str]) -> None:
    """Refuse roots in which files would be verified twice, or that do not exist.

    Raises:
        UsageError: a root does not exist, or lies within another.
        StoreLostError: an object store does not answer, or refuses to be listed.
    """
    roots = [root_of(name) for name in names]
    places_of_roots = sorted(place for root in roots if (place := root.place) is not None)
    for first, second in itertools.pairwise(places_of_roots):
        if second.startswith(first):
            raise UsageError(f"{second[:-1]} lies within {first[:-1]}: name one of them")
    for root in roots:
        root.check()


@contextmanager
def fetching(files: Iterable[Found]) -> Iterator[Callable[[Found], Fetched]]:
    """Fetch files ahead while this context lasts; call its function with each file, in order.

    Raises:
        LostError: a root no longer answers.
    """
    by_kind: dict[type[Root], list[Found]] = {}
    kinds = {}
    for file in files:
        kind = kinds[file.path] = kind_of(file.path)
        by_kind.setdefault(kind, []).append(file)
    with ExitStack() as stack:
        ahead = {
            kind: stack.enter_context(closing(kind.fetch(found))) for kind, found in by_kind.items()
        }
        yield lambda file: next(ahead[kinds[file.path]])

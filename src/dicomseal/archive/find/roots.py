"""Roots of an archive by their names: here the kind of each root is chosen."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from ...dicomweb.address import is_address
from ...errors import SourceError, UsageError
from ..errors import StoreLostError
from .far_reads import FarReads, no_answer
from .folder_root import FolderRoot
from .list_root import ListRoot, is_list
from .object_stores import is_url
from .reader_threads import ReaderThreads
from .root import Root
from .store_root import StoreRoot


def kind_of(path: str) -> type[Root]:
    """Return the kind of root in which a file was found, by its path."""
    if path.startswith("/"):  # nearly all
        return FolderRoot
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


def check_roots(names: Iterable[str], timeout: float) -> None:
    """Refuse roots in which files would be verified twice, or that do not exist.

    Args:
        names: of the roots.
        timeout: seconds in which the server of a folder must answer.

    Raises:
        UsageError: a root does not exist, or lies within another.
        StoreLostError: a server does not answer, or refuses to list a store.
    """
    roots = [root_of(name) for name in names]
    places_of_roots = sorted(place for root in roots if (place := root.place) is not None)
    for first, second in itertools.pairwise(places_of_roots):
        if second.startswith(first):
            raise UsageError(f"{second[:-1]} lies within {first[:-1]}: name one of them")
    reads = FarReads(ReaderThreads(), timeout)
    for root in roots:
        if not root.may_hang:
            root.check()
            continue
        try:
            reads.within(root.check)
        except SourceError:
            raise StoreLostError(f"{root.name}: {no_answer(timeout)}") from None

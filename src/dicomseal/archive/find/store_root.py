"""Object stores as roots of an archive."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing

from . import object_stores
from .found import EMPTY_FOLDER, Found
from .root import Fetched, Root, Walk


class StoreRoot(Root):
    """All objects of a store whose keys begin with a prefix."""

    is_forkable = False  # the client's threads do not survive a fork

    @property
    def is_countable(self) -> bool:
        return False  # each listing costs money

    @property
    def place(self) -> str:
        return object_stores.place_of(self.name).url + "/"

    def check(self) -> None:
        object_stores.check(self.name)

    def find(self, walk: Walk) -> Iterator[Found]:  # noqa: ARG002 - a store has no links
        empty = True
        for found in object_stores.listed(self.name):
            empty = False
            yield Found(*found)
        if empty:
            yield Found(self.name, trouble=(EMPTY_FOLDER, "no object's key begins so"), whole=True)

    @staticmethod
    def fetch(files: Iterable[Found]) -> Generator[Fetched, None, None]:
        """Fetch as `Root.fetch`; each object is fetched while those before it are verified."""
        files = list(files)
        with closing(object_stores.fetched([one.path for one in files if one.size])) as ahead:
            for file in files:
                # an entry that is listed as empty may stand for a folder, and have another key
                yield next(ahead) if file.size else Fetched(memoryview(b""), 0, file.mtime)

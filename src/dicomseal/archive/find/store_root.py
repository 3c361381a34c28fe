"""Object stores as roots of an archive."""

from __future__ import annotations

from collections.abc import Iterator

from . import object_stores
from .found import EMPTY_FOLDER, Found
from .root import Fetched, Reads, Root, Walk


class StoreRoot(Root):
    """All objects of a store whose keys begin with a prefix."""

    is_forkable = False  # the client's threads do not survive a fork
    is_served = True

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
    def fetch(file: Found, buffer: bytearray | None, reads: Reads) -> Fetched:  # noqa: ARG004
        """Do as `Root.fetch`; the client provides the memory."""
        if not file.size:
            # an entry that is listed as empty may stand for a folder, and have another key
            return Fetched(memoryview(b""), 0, file.mtime)
        return object_stores.fetch(file.path, reads)

    @staticmethod
    def ask(file: Found) -> None:
        """Do as `Root.ask`."""
        object_stores.ask(file.path)

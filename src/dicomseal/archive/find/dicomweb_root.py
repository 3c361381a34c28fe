"""DICOMweb servers as roots of an archive: ``dicomweb+https://HOST/…/studies/UID``.

The instances are found by a search (QIDO-RS), and each is retrieved by itself (WADO-RS), in the
encoding that it is kept in. A server that does not search is asked for all of them at once, to
learn which there are. httpx is imported, and the network used, only where such a root is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from ...dicomweb import client
from ...dicomweb.address import Address, address_of
from ...dicomweb.retrieve import OTHER, Retrieved, ask, retrieve, search
from ...errors import SourceError, UsageError
from ...files.reader import SNAPSHOT
from ..errors import StoreLostError
from .found import EMPTY_FOLDER, Found
from .root import Fetched, Reads, Root, Walk

_UNIDENTIFIED = "it cannot be told which object this is, so it cannot be asked for"


class DicomwebRoot(Root):
    """A study, a series or an instance of a server."""

    is_forkable = False  # connections do not survive a fork
    is_served = True

    def __init__(self, name: str) -> None:
        super().__init__(address_of(name).name)

    @property
    def is_countable(self) -> bool:
        return False  # each search costs

    @property
    def place(self) -> str:
        return f"{self.name}/"

    def check(self) -> None:
        try:
            search(address_of(self.name))
        except SourceError as error:
            raise StoreLostError(f"{self.name}: {error}") from None

    def find(self, walk: Walk) -> Iterator[Found]:  # noqa: ARG002 - a server has no links
        address = address_of(self.name)
        empty = True
        try:
            for found in _listed(address):
                empty = False
                yield found
        except SourceError as error:
            if error.code != "not_found":
                raise StoreLostError(f"{self.name}: cannot be listed: {error}") from None
        if empty:
            yield Found(
                self.name, trouble=(EMPTY_FOLDER, "the server has no such object"), whole=True
            )

    @staticmethod
    def fetch(file: Found, buffer: bytearray | None, reads: Reads) -> Fetched:  # noqa: ARG004
        """Do as `Root.fetch`; the client provides the memory."""
        return _fetch(file.path, reads)

    @staticmethod
    def ask(file: Found) -> None:
        """Do as `Root.ask`."""
        try:
            ask(address_of(file.path))
        except (SourceError, UsageError) as error:
            raise StoreLostError(f"{file.path}: {error}") from None


def _listed(address: Address) -> Iterator[Found]:
    instances = search(address)
    if instances is not None:
        yield from (Found(one.name) for one in instances)
        return
    with closing(retrieve(address, SNAPSHOT)) as answer:
        yield from (_found(one) for one in answer)


def _found(one: Retrieved) -> Found:
    if isinstance(one.source, SourceError):
        return Found(one.name, trouble=(one.source.code, str(one.source)))
    return Found(one.name, trouble=None if one.known else ("unreadable", _UNIDENTIFIED))


def _fetch(name: str, reads: Reads) -> Fetched:
    """Fetch one object; errors as `Root.fetch`."""
    try:
        with closing(retrieve(address_of(name), SNAPSHOT, came=reads.goes_on)) as answer:
            first = next(answer)
            if next(answer, None) is not None:
                raise SourceError("the server gives several objects for one", OTHER)
    except SourceError as error:
        if error.code == client.UNREACHABLE:
            raise StoreLostError(f"{name}: {error}") from None
        return Fetched(error)
    except UsageError as error:  # of a worker's installation or environment
        raise StoreLostError(str(error)) from None
    if isinstance(first.source, SourceError):
        return Fetched(first.source)
    return Fetched(first.source, first.size)

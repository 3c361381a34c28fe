"""Objects of a DICOMweb server: searching for them (QIDO-RS) and retrieving them (WADO-RS)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

import msgspec

from ..encoding import values
from ..encoding.limits import Limits
from ..errors import DicomSealError, SourceError
from ..files.part10 import Part10
from ..files.window import Window
from ..standard.terms import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from . import client
from .address import Address, is_uid
from .multipart import DICOM, Data, Event, Headers, Parts
from .spool import Spool

# the encoding in which the server keeps it: in another one it is another object (PS3.18 8.7.3.5.2)
_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_JSON = "application/dicom+json"
_PAGE = 500  # instances that are listed at once
_MAX_PAGE = 64 << 20  # bytes
_MAX_INSTANCES = (
    1_000_000  # instances at one address; no study has as many, and a server might not end
)
_NOT_SEARCHED = frozenset((400, 404, 405, 406, 415, 500, 501))
_PARTIAL = 206
OTHER = "other_object"  # code: the server sent another object than the requested one
_UIDS = (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID)


class Retrieved(NamedTuple):
    """An object of an answer.

    Attributes:
        name: its address; if its UIDs cannot be read, the requested address with its position.
        source: its bytes, or the reason why they could not be retrieved.
        size: how many there are.
        known: whether ``name`` is its own address.
    """

    name: str
    source: memoryview | Window | SourceError
    size: int
    known: bool


def retrieve(
    address: Address,
    in_memory: int,
    limits: Limits | None = None,
    came: Callable[[], object] = lambda: None,
) -> Generator[Retrieved, None, None]:
    """Yield the objects at an address, one after the other, as they arrive.

    Args:
        in_memory: see `Spool`.
        limits: the allowed cost of reading the UIDs of an object.
        came: called for each megabyte of an object beyond those ``in_memory``.

    Raises:
        SourceError: the answer is not what was requested, or is cut off; see `client.answer`. The
            code is ``incomplete`` if the server says that its answer is not complete.
        UsageError: see `client.answer`.
    """
    with client.answer(address.url, _ACCEPT) as response:
        parts = Parts(response.headers.get("content-type", ""))
        spool, kind, trouble, number = Spool(in_memory), "", None, 0
        try:
            for event in _events(parts, client.body(response)):
                if isinstance(event, Headers):
                    kind, trouble, number = event.media_type, None, number + 1
                    if number > _MAX_INSTANCES:
                        raise _too_many()
                    spool = Spool(in_memory)
                elif isinstance(event, Data):
                    before = spool.size
                    if trouble is None:
                        trouble = _written(spool, event.data)
                    if spool.size > in_memory and spool.size >> 20 != before >> 20:
                        came()
                else:
                    if kind != DICOM:
                        trouble = SourceError(f"the part is {kind!r}, not {DICOM}", "media_type")
                    yield _retrieved(address, spool, trouble, number, limits)
        finally:
            spool.close()
        if response.status_code == _PARTIAL:
            raise SourceError("the server says that it did not give all (206)", "incomplete")
        if not number:
            raise SourceError("the server gives no object", "not_found")


def _events(parts: Parts, pieces: Iterator[bytes]) -> Iterator[Event]:
    for piece in pieces:
        yield from parts.feed(piece)
    yield from parts.close()


def _written(spool: Spool, data: bytes) -> SourceError | None:
    try:
        spool.write(data)
    except SourceError as error:  # this concerns only this object; the others may be right
        return error
    return None


def _retrieved(
    address: Address, spool: Spool, trouble: SourceError | None, number: int, limits: Limits | None
) -> Retrieved:
    size, numbered = spool.size, f"{address.name}#{number}"
    if trouble is not None:
        return Retrieved(numbered, trouble, size, False)
    source = spool.source()
    try:
        found = _uids(source, limits)
    except DicomSealError as error:
        if error.code == "limit":  # it may still be readable with higher limits
            return Retrieved(numbered, SourceError(str(error), "limit"), size, False)
        return Retrieved(numbered, source, size, False)
    wanted = (address.study, address.series, address.instance)
    if any(one and one != other for one, other in zip(wanted, found, strict=True)):
        said = "/".join(found)
        other = SourceError(f"the server gave another object than was asked for: {said}", OTHER)
        return Retrieved(numbered, other, size, False)
    if not all(map(is_uid, found)):
        return Retrieved(numbered, source, size, False)
    whole = address._replace(series=found[1], instance=found[2])
    return Retrieved(whole.name, source, size, True)


def _uids(source: memoryview | Window, limits: Limits | None) -> list[str]:
    """Return the Study, Series and SOP Instance UID of an object."""
    index = Part10(source, len(source), limits).index()
    return [values.as_text(value) for value in index.values(0, _UIDS)]


def search(address: Address) -> list[Address] | None:
    """Return the instances at an address, in the order of their UIDs.

    None if the server does not support searching.

    Raises:
        SourceError: it does not answer, or its answer does not follow PS3.18 Section 10.6.
        UsageError: see `client.answer`.
    """
    if address.instance:
        return [address]
    found: set[Address] = set()
    offset = 0
    while True:
        query = {"limit": str(_PAGE), "offset": str(offset)}
        try:
            page = _page(f"{address.url}/instances", query)
        except client.Refused as error:
            if not offset and error.status in _NOT_SEARCHED:
                return None
            raise
        before = len(found)
        found.update(_address(address, one) for one in page)
        if len(found) > _MAX_INSTANCES:
            raise _too_many()
        offset += len(page)
        if len(found) == before:  # this is the end, or the server repeats the first page
            return sorted(found)


def ask(address: Address) -> None:
    """Ask a server for the first instance of a study or series; what it answers does not matter.

    Raises:
        SourceError: it does not answer (code ``unreachable``).
        UsageError: see `client.answer`.
    """
    url = address._replace(instance="").url
    try:
        with client.answer(f"{url}/instances", _JSON, {"limit": "1", "offset": "0"}):
            return
    except SourceError as error:
        if error.code == client.UNREACHABLE:
            raise


def _too_many() -> SourceError:
    return SourceError(f"the server has more than {_MAX_INSTANCES} instances there", "limit")


def _page(url: str, query: dict[str, str]) -> list[Any]:
    data = bytearray()
    with client.answer(url, _JSON, query) as response:
        for piece in client.body(response):
            data += piece
            if len(data) > _MAX_PAGE:
                raise SourceError(f"a list of more than {_MAX_PAGE} bytes", "limit")
    try:
        return msgspec.json.decode(data, type=list[Any]) if data else []
    except msgspec.DecodeError as error:
        raise SourceError(f"the list is not DICOM JSON: {error}", "malformed") from None


def _address(address: Address, listed: Any) -> Address:
    found = [_listed(listed, tag) for tag in _UIDS]
    series, instance = address.series or found[1], found[2]
    if found[0] not in ("", address.study) or not is_uid(series) or not is_uid(instance):
        raise SourceError("the list has an instance without its UIDs, or another's", "malformed")
    return address._replace(series=series, instance=instance)


def _listed(listed: Any, tag: int) -> str:
    """Return a UID in DICOM JSON (PS3.18 Annex F); empty if it is not there."""
    try:
        value = listed[f"{tag:08X}"]["Value"][0]
    except (KeyError, IndexError, TypeError):
        return ""
    return value if isinstance(value, str) else ""

"""Object stores as roots of an archive: ``s3://``, ``gs://`` and ``az://`` (extra ``[archive]``).

The client is obstore; it is imported, and the network used, only if such a root is given. It takes
credentials from the usual environment variables and repeats requests that fail temporarily. One
store is kept for each bucket and process; the client's threads do not survive a fork, so workers of
this machine are started as new processes (`dicomseal.archive.run.verify_worker.Pools`).

How an object is read, and why:

* Up to `SNAPSHOT` bytes it is fetched as a whole: one answer is one version of it. Several are
  fetched ahead (`ahead`), because waiting for a store takes longer than verifying.
* A larger object is read through an `ObjectWindow`, in ranges. Each request has the condition
  that the ETag is still the first one's (If-Match), and each answer's ETag is compared as well: an
  object that is replaced meanwhile is an error, never half the old and half the new.
* An error that a store reports for one object goes into that object's row. If the store itself
  does not answer, or refuses access, the run stops (`StoreLostError`), to be resumed.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from ...errors import SourceError, UsageError
from ...files.reader import SNAPSHOT
from ...files.window import Window
from ..errors import StoreLostError
from .root import Fetched, Reads

SCHEMES = {"s3": "S3Store", "gs": "GCSStore", "az": "AzureStore"}
MIN_RANGE, MAX_RANGE = 256 << 10, 8 << 20  # of an ObjectWindow, in bytes
PAGE = 1000  # objects that are listed at once
_KNOWN = 10  # seconds for which the state of a store, answering or not, is not checked again
_BEGIN = timedelta(seconds=20)  # how long the first request of a run is repeated
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_NOBODY = ".dicomseal-is-anybody-there"  # a key; it does not matter whether such an object exists
_lost: dict[tuple[str, str], tuple[float, str]] = {}  # when a store did not answer, and the error
_owner: int | None = None  # the process that obstore's threads belong to


class Place(NamedTuple):
    """The place of an object, or of all objects with a key that begins so; ``key`` may be empty."""

    scheme: str
    bucket: str
    key: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}".rstrip("/")


class Listed(NamedTuple):
    """An object in a listing: its URL, size in bytes, last modification in ns since 1970."""

    url: str
    size: int
    mtime: int


def is_url(root: str) -> bool:
    """Return whether a root names an object store."""
    return "://" in root and root.partition("://")[0] in SCHEMES


def place_of(url: str) -> Place:
    """Split a URL into its parts.

    Raises:
        UsageError: it names no bucket, or has more parts than bucket and prefix.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if "@" in bucket:  # not repeated in the message: it may be a password
        raise UsageError(f"{scheme}://: credentials come from the environment, not from the URL")
    if not bucket or not re.fullmatch(r"[\w.-]+", bucket):
        raise UsageError(f"{url}: name a bucket, e.g. {scheme}://bucket/prefix")
    return Place(scheme, bucket, key.strip("/"))


def check(url: str) -> None:
    """List the first objects of a root, before a run begins.

    Raises:
        UsageError: obstore is not installed, or the URL makes no sense.
        StoreLostError: no such bucket, no permission to list it, or no answer.
    """
    place = place_of(url)
    store = _store(place.scheme, place.bucket, _BEGIN)
    try:
        for _ in store.list(place.key or None, chunk_size=1):
            return
    except _failures() as error:
        raise StoreLostError(f"{place.url}: {_sentence(error)}") from None


def listed(url: str) -> Iterator[Listed]:
    """Yield the objects whose keys begin with a prefix, or the one with that key; page by page.

    Raises:
        StoreLostError: the listing broke off.
    """
    place = place_of(url)
    store = _store(place.scheme, place.bucket)
    empty = True
    try:
        for page in store.list(place.key or None, chunk_size=PAGE):
            for one in page:
                empty = False
                yield _listed(place, one)
        if empty and place.key:
            try:
                yield _listed(place, store.head(place.key))
            except FileNotFoundError:
                return
    except _failures() as error:
        raise StoreLostError(f"{place.url}: cannot be listed: {_sentence(error)}") from None


def _listed(place: Place, meta: dict[str, Any]) -> Listed:
    url = f"{place.scheme}://{place.bucket}/{meta['path']}"
    return Listed(url, meta["size"], _nanoseconds(meta["last_modified"]))


def fetch(url: str, reads: Reads) -> Fetched:
    """Fetch one object; ``reads`` reads the ranges of a large one later.

    Raises:
        StoreLostError: the store itself no longer answers.
    """
    try:
        place = place_of(url)
        store = _store(place.scheme, place.bucket)
    except UsageError as error:  # of a worker's installation or environment
        raise StoreLostError(str(error)) from None
    since, message = _lost.get(place[:2], (-math.inf, ""))
    if time.monotonic() < since + _KNOWN:  # other requests in progress need not wait as long again
        raise StoreLostError(message)
    try:
        result = store.get(place.key)
        meta = result.meta
        size, mtime = meta["size"], _nanoseconds(meta["last_modified"])
        if size > SNAPSHOT:
            return Fetched(ObjectWindow(store, place, size, meta["e_tag"], reads), size, mtime)
        data = memoryview(result.bytes())
        if data.nbytes != size:
            raise SourceError(f"{data.nbytes} bytes came instead of {size}", "changed")
        return Fetched(data, size, mtime)
    except SourceError as error:
        return Fetched(error)
    except _failures() as error:
        return Fetched(_explained(error, place))


def ask(url: str) -> None:
    """Ask the store of an object that did not come for another one.

    Raises:
        StoreLostError: it does not answer.
    """
    place = place_of(url)
    _anybody_there(place.scheme, place.bucket, int(time.monotonic() / _KNOWN))


class ObjectWindow(Window):
    """A large object that is read in ranges; a `dicomseal.encoding.record.Source`.

    Memory is bounded: one range is kept, small after a jump, and doubled while it is read on.

    Args:
        store: of obstore.
        place: of the object.
        size: in bytes.
        etag: the ETag that every range must have.
        reads: bounds the time of each range.
    """

    def __init__(self, store: Any, place: Place, size: int, etag: str | None, reads: Reads) -> None:
        self.descriptor = -1  # there is no file that the compiled index could read from
        self._store, self._place, self._length, self._etag = store, place, size, etag
        self._reads = reads
        self._range = MIN_RANGE
        self._start = 0
        self._data = memoryview(b"")

    def readinto(self, offset: int, target: memoryview) -> None:
        """Fill ``target`` from ``offset``.

        Raises:
            SourceError: the object has changed, or cannot be read.
            StoreLostError: the store no longer answers.
        """
        done = 0
        while done < len(target):
            position = offset + done
            if not self._start <= position < self._start + len(self._data):
                self._load(position)
            piece = self._data[position - self._start :][: len(target) - done]
            target[done : done + len(piece)] = piece
            done += len(piece)

    def _load(self, position: int) -> None:
        follows = position == self._start + len(self._data)
        self._range = min(2 * self._range, MAX_RANGE) if follows else MIN_RANGE
        end = min(position + self._range, self._length)
        if not self._etag:
            raise SourceError(
                "the store gives it no ETag, so it cannot be known whether it "
                "changes while it is read in ranges",
                "unreadable",
            )
        self._data = memoryview(b"")  # freed before the next range comes
        options = {"range": (position, end), "if_match": self._etag}

        def read() -> tuple[Any, memoryview]:
            try:
                result = self._store.get(self._place.key, options=options)
                return result.meta, memoryview(result.bytes())
            except _failures() as error:
                raise _explained(error, self._place) from None

        meta, data = self._reads.within(read)
        # some stores ignore If-Match
        if (meta["e_tag"], meta["size"]) != (self._etag, self._length):
            raise _replaced()
        if data.nbytes != end - position:
            raise _replaced()
        self._start, self._data = position, data

    def check(self) -> None:
        """Do nothing: every range came with the same ETag."""

    def close(self) -> None:
        self._data = memoryview(b"")


def _store(scheme: str, bucket: str, patience: timedelta | None = None) -> Any:
    global _owner
    # the threads that it would wait for do not exist in this process
    if _owner not in (None, os.getpid()):
        raise UsageError(
            f"{scheme}://: a process that was forked from one that uses object stores cannot use "
            "them: let the executor spawn its processes"
        )
    _owner = os.getpid()
    return _made(scheme, bucket, patience)


@lru_cache(maxsize=64)
def _made(scheme: str, bucket: str, patience: timedelta | None) -> Any:
    try:
        from obstore import store as stores
    except ImportError:
        raise UsageError(f"{scheme}:// needs the extra: pip install dicomseal[archive]") from None
    endpoint = next((os.environ[name] for name in _ENDPOINTS[scheme] if os.environ.get(name)), "")
    options: dict[str, Any] = {}
    if endpoint.startswith("http://"):  # only if the user says so in the address
        options["client_options"] = {"allow_http": True}
    if patience:
        options["retry_config"] = {"max_retries": 3, "retry_timeout": patience}
    try:
        return getattr(stores, SCHEMES[scheme])(bucket, **options)
    except _failures() as error:
        raise UsageError(f"{scheme}://{bucket}: {_sentence(error)}") from None


def _failures() -> tuple[type[BaseException], ...]:
    from obstore.exceptions import BaseError

    return BaseError, OSError, ValueError


def _replaced() -> SourceError:
    return SourceError("was replaced in the store while it was read; try again", "changed")


def _explained(error: BaseException, place: Place) -> SourceError:
    """Return why one object could not be read, after a check that the store exists at all."""
    from obstore import exceptions

    if isinstance(error, FileNotFoundError):
        return SourceError(_sentence(error), "not_found")
    if isinstance(error, exceptions.PreconditionError):
        return _replaced()
    if isinstance(error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)):
        return SourceError(_sentence(error), "permission")
    _anybody_there(place.scheme, place.bucket, int(time.monotonic() / _KNOWN))
    return SourceError(_sentence(error), "unreadable")


@lru_cache(maxsize=16)
def _anybody_there(scheme: str, bucket: str, _when: int) -> None:
    """Raise a `StoreLostError` unless the store answers: it may be that there is no such object."""
    from obstore import exceptions

    denied = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)
    store = _store(scheme, bucket, _BEGIN)
    try:
        store.get(_NOBODY)
    except (FileNotFoundError, *denied):
        return
    except _failures() as error:
        message = f"{scheme}://{bucket}: {_sentence(error)}"
        _lost[scheme, bucket] = time.monotonic(), message
        raise StoreLostError(message) from None


def _sentence(error: BaseException) -> str:
    """Return the message of the store or the client, without secrets and internal details."""
    text, _, innards = str(error).partition("\n\nDebug source")
    code = re.search(r"<Code>([^<]*)</Code>", text)
    message = re.search(r"<Message>([^<]*)</Message>", text)
    if message:
        sentence = message[1] + (f" ({code[1]})" if code else "")
    else:
        sentence = text.rpartition(" - ")[2]
        cause = re.findall(r'message: "([^"]+)"', innards)
        if cause:
            sentence += f" ({cause[-1]})"
    sentence = re.sub(r"(https?://[^\s?]*)\?\S*", r"\1", sentence)  # it may hold a token of Azure
    return " ".join(sentence.split()).strip(" :")[:300]


def _nanoseconds(moment: datetime) -> int:
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000_000 + moment.microsecond * 1000

"""The canonical byte stream of a DICOM object, into any hasher (PS3.3 C.12.1.1.3.1.1).

    >>> import hashlib
    >>> from dicomseal import canonical
    >>> hasher = hashlib.sha256()
    >>> canonical.update(hasher, "ct.dcm")          # path, bytes, binary file or pydicom.Dataset
    >>> canonical.digest("ct.dcm", ["PatientName", "0010,0020"])

There are two implementations of the same interface: the compiled one, and a pure one that is the
readable specification. ``BACKEND`` says which is in use; the environment variable
``DICOMSEAL_BACKEND=python`` (or ``cython``) forces one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO, Protocol

from .encoding.backend import BACKEND, Encoder, Index
from .errors import UsageError
from .files.source import is_dataset, read_all
from .standard.mac_algorithms import new_hasher
from .standard.tags import format_tag, is_signable_tag, parse_tags

if TYPE_CHECKING:
    from pydicom import Dataset
    from typing_extensions import Buffer

__all__ = ["BACKEND", "Encoder", "Hasher", "Index", "digest", "new_hasher", "update"]


class Hasher(Protocol):
    """What the stream goes into: hashlib's, cryptography's and blake3's hashers all fit."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Take some more bytes; the buffer is valid during the call only."""


def update(
    hasher: Hasher,
    source: str | os.PathLike[str] | Buffer | BinaryIO | Dataset,
    tags: Iterable[str | int] | None = None,
) -> None:
    """Feed the canonical form of an object's main data set to a hasher.

    Args:
        hasher: anything with a method ``update(buffer)``.
        source: a path, a file's content as bytes, a binary file, or a `pydicom.Dataset`.
        tags: which elements, as ``gggg,eeee``, keywords or ints, in any order (the stream has the
            order of the data set); None is all that can be signed. A tag that is absent
            contributes nothing.

    Raises:
        SourceError: the source cannot be read.
        MalformedError: it is not DICOM, or is cut short.
        UsageError: a tag cannot be parsed, can never be signed, or its VR is UN here.
    """
    if not callable(getattr(hasher, "update", None)):
        raise UsageError(f"a {type(hasher).__name__} is not a hasher: it has no method update")
    wanted = None if tags is None else parse_tags(tags)
    for tag in wanted or ():
        if not is_signable_tag(tag):
            raise UsageError(f"{format_tag(tag)} can never be signed (PS3.3 C.12.1.1.3.1.1)")
    if is_dataset(source):
        from .encoding.from_pydicom import stream_dataset

        coverage = stream_dataset(hasher.update, source, wanted)
    else:
        from .files.part10 import Part10
        from .files.reader import Reader

        if isinstance(source, (str, os.PathLike)):
            part10 = Reader().open(source)
        else:
            part10 = Part10.from_bytes(read_all(source))
        coverage = part10.index().stream(hasher.update, 0, wanted)
        part10.check()
    if coverage.unknown:
        listed = ", ".join(format_tag(tag) for tag in coverage.unknown)
        raise UsageError(f"the VR of {listed} is UN or cannot be known, so it cannot be signed")


def digest(
    source: str | os.PathLike[str] | Buffer | BinaryIO | Dataset,
    tags: Iterable[str | int] | None = None,
    algorithm: str = "SHA256",
) -> bytes:
    """Return the hash of what `update` feeds.

    Args:
        source, tags: as for `update`, and the same errors.
        algorithm: a defined term of MAC Algorithm (0400,0015): RIPEMD160, MD5, SHA1, SHA256,
            SHA384 or SHA512.
    """
    hasher = new_hasher(algorithm)
    update(hasher, source, tags)
    return hasher.digest()

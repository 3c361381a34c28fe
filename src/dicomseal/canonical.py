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

import hashlib
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeGuard

from . import terms
from .errors import BackendError, SourceError, UsageError

if TYPE_CHECKING:
    from pydicom import Dataset
    from typing_extensions import Buffer

    from ._encoder_py import Encoder
    from ._index_py import Index, as_text, first_repeated, first_unsignable, tags_of

__all__ = [
    "BACKEND",
    "Encoder",
    "Hasher",
    "Index",
    "as_text",
    "digest",
    "first_repeated",
    "first_unsignable",
    "new_hasher",
    "tags_of",
    "update",
]


def _choose() -> str:
    wanted = os.environ.get("DICOMSEAL_BACKEND", "")
    if wanted not in ("", "python", "cython"):
        raise BackendError(f"DICOMSEAL_BACKEND is {wanted!r}; it takes python or cython")
    if wanted == "python":
        return wanted
    try:
        from . import _encoder_c, _index_c  # noqa: F401
    except ImportError as error:
        if os.path.exists(os.path.join(os.path.dirname(__file__), "_pure_build")) and not wanted:
            return "python"  # built with DICOMSEAL_PURE=1
        raise BackendError(
            f"the compiled backend of dicomseal cannot be imported ({error}); build it with "
            "a C compiler, or set DICOMSEAL_BACKEND=python to use the slow, pure one"
        ) from error
    return "cython"


BACKEND = _choose()
quick_file: Any = None
"""The compiled way into a usual file, see `dicomseal.part10`; None where there is none."""
if not TYPE_CHECKING:
    if BACKEND == "cython":
        from . import _file_c as quick_file  # noqa: F401
        from ._encoder_c import Encoder
        from ._index_c import Index, as_text, first_repeated, first_unsignable, tags_of
    else:
        from ._encoder_py import Encoder
        from ._index_py import Index, as_text, first_repeated, first_unsignable, tags_of


class Hasher(Protocol):
    """What the stream goes into: hashlib's, cryptography's and blake3's hashers all fit."""

    def update(self, data: Buffer, /) -> object:
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
    from .tags import format_tag, is_signable_tag, parse_tags

    if not callable(getattr(hasher, "update", None)):
        raise UsageError(f"a {type(hasher).__name__} is no hasher: it has no method update")
    wanted = None if tags is None else parse_tags(tags)
    for tag in wanted or ():
        if not is_signable_tag(tag):
            raise UsageError(f"{format_tag(tag)} can never be signed (PS3.3 C.12.1.1.3.1.1)")
    if is_dataset(source):
        from .dataset import stream_dataset

        coverage = stream_dataset(hasher.update, source, wanted)
    else:
        from .part10 import Part10
        from .reader import Reader

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
    """The hash of what `update` feeds.

    Args:
        source, tags: as for `update`, and the same errors.
        algorithm: a defined term of MAC Algorithm (0400,0015): RIPEMD160, MD5, SHA1, SHA256,
            SHA384 or SHA512.
    """
    hasher = new_hasher(algorithm)
    update(hasher, source, tags)
    return hasher.digest()


def new_hasher(algorithm: str) -> hashlib._Hash:
    """A hashlib hasher for a defined term of MAC Algorithm (0400,0015).

    Raises:
        UsageError: no such term, or this Python's OpenSSL does not offer it.
    """
    name = terms.MAC_ALGORITHMS.get(algorithm) if isinstance(algorithm, str) else None
    if name is None:
        known = ", ".join(terms.MAC_ALGORITHMS)
        raise UsageError(f"{algorithm!r} is no MAC algorithm; the standard has {known}")
    try:
        return hashlib.new(name, usedforsecurity=False)
    except ValueError:
        raise UsageError(f"this Python's OpenSSL does not offer {algorithm}") from None


def is_dataset(source: Any) -> TypeGuard[Dataset]:
    """Whether it is a `pydicom.Dataset` (without importing pydicom to ask)."""
    return hasattr(source, "get_item") and hasattr(source, "iterall")


def require_dataset(source: Any, function: str) -> None:
    """Raise a `UsageError` that names the function for files, if it is no `pydicom.Dataset`."""
    if not is_dataset(source):
        raise UsageError(
            f"a {type(source).__name__} is no pydicom.Dataset; for a file there is {function}_file"
        )


def read_all(source: Any) -> Buffer:
    """A bytes-like object or a binary file as bytes.

    Raises:
        SourceError: it is neither, or cannot be read.
    """
    if hasattr(source, "read"):
        try:
            data = source.read()
        except Exception as error:  # whatever its own code raises, e.g. EOFError of gzip
            raise SourceError(f"the file object cannot be read: {error}") from error
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise SourceError("the file object gives text; open it in binary mode")
        return data
    try:
        return memoryview(source).cast("B")
    except (TypeError, ValueError):
        raise SourceError(
            f"a {type(source).__name__} is no path, bytes, contiguous buffer, binary file "
            "or pydicom.Dataset"
        ) from None

"""The source of an object: a path, a file's content, a binary file or a data set.

In: the argument of a public function.
Out: bytes or a `Part10`, or a `UsageError` or `SourceError` that names the argument.
PS3: PS3.10 Section 7.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeGuard

from ..errors import SourceError, UsageError
from .part10 import Part10
from .reader import Reader

if TYPE_CHECKING:
    from pydicom import Dataset
    from typing_extensions import Buffer


def is_dataset(source: Any) -> TypeGuard[Dataset]:
    """Return whether it is a `pydicom.Dataset`, without importing pydicom."""
    return hasattr(source, "get_item") and hasattr(source, "iterall")


def require_dataset(source: Any, function: str) -> None:
    """Raise a `UsageError` that names the function for files, unless it is a `pydicom.Dataset`."""
    if not is_dataset(source):
        raise UsageError(
            f"a {type(source).__name__} is not a pydicom.Dataset; for a file there is "
            f"{function}_file"
        )


def read_all(source: Any) -> Buffer:
    """Return the bytes of a bytes-like object or a binary file.

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
            f"a {type(source).__name__} is not a path, bytes, contiguous buffer, binary file "
            "or pydicom.Dataset"
        ) from None


def open_source(source: Any, settled: bool = False) -> Part10:
    """Open a path, a file's content as bytes, or a binary file; errors as `Reader.open`."""
    if isinstance(source, (str, os.PathLike)):
        return Reader().open(source, settled=settled)
    return Part10.from_bytes(read_all(source))

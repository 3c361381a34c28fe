"""A file that was found, or why there is none; and batches of them, as a worker takes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec

EMPTY_FOLDER, EMPTY_LIST, NOTHING_SELECTED = "empty_folder", "empty_list", "nothing_selected"
# codes of troubles that leave nothing to verify
NOTHING = frozenset({EMPTY_FOLDER, EMPTY_LIST, NOTHING_SELECTED})
EMPTY = {EMPTY_FOLDER: "the folder holds no file", EMPTY_LIST: "the list names no file"}


class Found(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file to verify.

    Attributes:
        path: absolute, links in it not resolved; of an object in a store, its URL.
        size: in bytes.
        mtime: last modification, in nanoseconds since 1970.
        trouble: why it cannot be, as code and sentence; or None.
        whole: the trouble is that of a root or folder, with all that may lie below it. No pattern
            and no draw leaves it out: who verifies nothing shall hear of it.
    """

    path: str
    size: int = 0
    mtime: int = 0
    trouble: tuple[str, str] | None = None
    whole: bool = False


class Files(list[Found]):
    """A batch. On its way to another process it is packed, a twentieth of the cost of pickling."""

    def __reduce__(self) -> tuple[Callable[..., list[Found]], tuple[Any]]:
        try:
            return _decode, (_encode(self),)
        except UnicodeEncodeError:  # a path that is no UTF-8
            return list, (list(self),)


_encode = msgspec.msgpack.Encoder().encode


def _decode(packed: bytes) -> list[Found]:
    return msgspec.msgpack.decode(packed, type=list[Found])


def path_of(path: str) -> str | bytes:
    """A path as rows have it: SQLite's text is UTF-8, file names need not be."""
    try:
        if not path.isascii():
            path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path

"""A found file, or the reason why there is none; and batches of files for a worker."""

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
        trouble: why it cannot be verified, as code and sentence; or None.
        whole: the trouble is that of a root or folder, with everything below it. No pattern and no
            draw leaves it out, so that a user learns of it if nothing is verified.
    """

    path: str
    size: int = 0
    mtime: int = 0
    trouble: tuple[str, str] | None = None
    whole: bool = False


class Files(list[Found]):
    """A batch. It is packed for another process, which costs a twentieth of pickling."""

    def __reduce__(self) -> tuple[Callable[..., list[Found]], tuple[Any]]:
        try:
            return _decode, (_encode(self),)
        except UnicodeEncodeError:  # a path that is not UTF-8
            return list, (list(self),)


_encode = msgspec.msgpack.Encoder().encode


def _decode(packed: bytes) -> list[Found]:
    return msgspec.msgpack.decode(packed, type=list[Found])


def path_of(path: str) -> str | bytes:
    """Return a path as rows store it: SQLite's text is UTF-8, and file names need not be."""
    try:
        if not path.isascii():
            path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path

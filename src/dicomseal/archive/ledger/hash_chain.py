"""The hash chain over the rows of a ledger: a later edit of any of them shows.

Every run begins with the head of the run before it and with its request. Every batch adds its
number and its rows, every end its totals. The head is SHA-256 over the previous head and the new
content in MessagePack, which writes every length, so that no two contents look alike.

A chain alone only shows an edit by someone who does not know how it is computed. Everyone else can
compute it again from there on; only a signature over the head, or a copy of the head elsewhere,
prevents that. So a run that is to be signed signs the head after its beginning and after each batch
(a *seal*), and not only after its end. After a crash, this shows which rows are really its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from .rows import Row, pack

GENESIS = bytes(32)
_encode = msgspec.msgpack.Encoder().encode


def link(head: bytes, kind: str, content: Any) -> bytes:
    """Return the head after one more piece of content."""
    return hashlib.sha256(head + _encode((kind, content))).digest()


def of_run(head: bytes, number: int, kind: str, started: float, asked: str) -> bytes:
    """Return the head after the beginning of a run."""
    return link(head, "run", (number, kind, started, asked))


def of_batch(head: bytes, number: int, time: float, rows: Iterable[Row] | bytes) -> bytes:
    """Return the head after a finished batch; its rows, or the output of `rows.pack`."""
    packed = rows if isinstance(rows, bytes) else pack(list(rows))
    hasher = hashlib.sha256(head + _encode(("batch", (number, time, msgspec.Raw()))))
    # the rows come last: the result is that of `link`, without a copy of the rows
    hasher.update(packed)
    return hasher.digest()


def of_end(head: bytes, finished: float, totals: str) -> bytes:
    """Return the head after the end of a run: the one that is signed."""
    return link(head, "end", (finished, totals))


def to_be_signed(run: int, head: bytes) -> bytes:
    """Return the bytes that ``--sign-run`` signs: the run, and the head after its end."""
    return b"dicomseal archive run 1\n" + _encode((run, head))


def to_be_sealed(run: int, number: int, head: bytes) -> bytes:
    """Return the bytes of a seal: the run, the batch, and the head after it; 0 is the beginning."""
    return b"dicomseal archive batch 1\n" + _encode((run, number, head))

"""The hash chain over the rows of a ledger: a later edit of any of them shows.

Every run begins with the head of the run before it and what the run was asked to do. Every batch
adds its number and its rows, every end its totals. The head is SHA-256 over the head before and the
new content in MessagePack, where every length is written, so that no two contents look alike.

A chain alone shows an edit by somebody who does not know how it is made. Who does, can compute it
anew from there on; only a signature over the head, or a head that was noted elsewhere, stops that.
So a run that is to be signed signs the head after its beginning and after each batch (a *seal*),
and not only after its end: what a killed run left behind is then its own, or it is not.
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
    """The head after one more piece of content."""
    return hashlib.sha256(head + _encode((kind, content))).digest()


def of_run(head: bytes, number: int, kind: str, started: float, asked: str) -> bytes:
    """The head after the beginning of a run."""
    return link(head, "run", (number, kind, started, asked))


def of_batch(head: bytes, number: int, time: float, rows: Iterable[Row] | bytes) -> bytes:
    """The head after a finished batch; its rows, or what `rows.pack` made of them."""
    packed = rows if isinstance(rows, bytes) else pack(list(rows))
    made = hashlib.sha256(head + _encode(("batch", (number, time, msgspec.Raw()))))
    made.update(packed)  # they come last: as `link` would, without a copy of so much
    return made.digest()


def of_end(head: bytes, finished: float, totals: str) -> bytes:
    """The head after the end of a run: the one that is signed."""
    return link(head, "end", (finished, totals))


def to_be_signed(run: int, head: bytes) -> bytes:
    """What ``--sign-run`` signs: which run, and the head after its end."""
    return b"dicomseal archive run 1\n" + _encode((run, head))


def to_be_sealed(run: int, number: int, head: bytes) -> bytes:
    """What it signs on the way: which run and batch, and the head after it; 0 is the beginning."""
    return b"dicomseal archive batch 1\n" + _encode((run, number, head))

"""The canonical stream of a signature, for people: the same walk with a line for every step.

It runs on the pure twin, whose encoder is replaced by one that writes down what it is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..encoding import _index_py, record, values
from ..encoding._encoder_py import Encoder
from ..errors import SigningError
from ..files.source import open_source
from ..standard import terms
from ..standard.tags import format_tag, keyword
from . import mac_parameters

if TYPE_CHECKING:
    from typing_extensions import Buffer

_SHOWN = 24  # bytes of a value that are shown


def _find(index: Any, uid: str | None) -> tuple[int, tuple[int, ...] | None, int | None]:
    """Scope, Data Elements Signed and item of a signature; the whole object if it has none."""
    for scope in index.scopes:
        macs = dict(mac_parameters.read_ids(index, scope))
        for item in values.items_of(index, scope, terms.DIGITAL_SIGNATURES_SEQUENCE):
            if uid is None or values.text_of(index, item, terms.DIGITAL_SIGNATURE_UID) == uid:
                mac_id = values.number_of(index, item, terms.MAC_ID_NUMBER)
                if mac_id not in macs:
                    raise SigningError(f"no MAC Parameters item has the signature's ID {mac_id}")
                mac = mac_parameters.read(index, macs[mac_id])
                return scope, mac.data_elements_signed, item
    if uid is not None:
        raise SigningError(f"no signature has the UID {uid}", "not_found")
    return 0, None, None


def raw(
    source: str | os.PathLike[str] | Buffer,
    write: Callable[[Any], object],
    uid: str | None = None,
) -> record.Coverage:
    """Pass the canonical bytes of a signature to ``write``, piece by piece.

    Args:
        source: the file: a path, or its content as bytes.
        write: gets bytes-like pieces that are valid during the call only.
        uid: Digital Signature UID; None is the first signature, or the whole object if there is
            none.

    Raises:
        SourceError, MalformedError: for the file.
        SigningError: there is no such signature.
    """
    part10 = open_source(source)
    index = part10.index()
    scope, tags, item = _find(index, uid)
    coverage = index.stream(write, scope, tags)
    if item is not None:
        index.stream(write, item, None, without=terms.NOT_IN_MAC)
    part10.check()
    return coverage


def annotated(source: str | os.PathLike[str] | Buffer, uid: str | None = None) -> Iterator[str]:
    """The same as lines of text; arguments and errors as for `raw`."""
    part10 = open_source(source)
    index = _index_py.Index(
        part10.source,
        part10.start,
        implicit=part10.implicit,
        big_endian=part10.big_endian,
        limits=part10.limits,
    )
    scope, tags, item = _find(index, uid)
    notes = _Annotator()
    index.stream_to(notes, scope, tags)
    yield from notes.lines()
    if item is not None:
        yield "-- the signature's own item"
        index.stream_to(notes, item, None, without=terms.NOT_IN_MAC)
        yield from notes.lines()
    yield f"-- {notes.offset} bytes"


class _Annotator(Encoder):
    """An encoder that writes lines instead of feeding a hasher."""

    def __init__(self) -> None:
        super().__init__(self._take)
        self.offset = 0
        self._lines: list[str] = []
        self._depth = 0
        self._pending: tuple[str, bytes] | None = None

    def _take(self, data: Any) -> None:
        if self._pending is None:
            self._pending = ("", bytes(data))
        elif len(self._pending[1]) < _SHOWN + 12:
            self._pending = (self._pending[0], self._pending[1] + bytes(data))
        self.offset += len(data)

    def _begin(self, label: str) -> None:
        self._end()
        self._lines.append(f"{self.offset:08X} {'  ' * self._depth}{label}")
        self._pending = ("", b"")

    def _end(self) -> None:
        if self._pending is not None:
            data = self._pending[1]
            more = " ..." if len(data) > _SHOWN + 8 else ""
            shown = data[: _SHOWN + 8]
            text = "".join(chr(b) if 32 <= b < 127 else "." for b in shown)
            indent = " " * (11 + 2 * self._depth)
            self._lines[-1] += f"\n{indent}{shown.hex(' ')}{more}  |{text}|"
            self._pending = None

    def header(self, tag: int, vr: str, length: int) -> None:
        self._begin(f"{format_tag(tag)} {vr} {length} {keyword(tag)}".rstrip())
        super().header(tag, vr, length)

    def open(self, tag: int, vr: str) -> None:
        self._begin(f"{format_tag(tag)} {vr} no length {keyword(tag)}".rstrip())
        super().open(tag, vr)
        self._end()
        self._depth += 1

    def item(self) -> None:
        self._begin("item, no length")
        super().item()

    def close(self) -> None:
        self._end()
        self._depth -= 1
        self._begin("end of sequence, no length")
        super().close()

    def lines(self) -> Iterator[str]:
        """What was written down since the last time."""
        self._end()
        lines, self._lines = self._lines, []
        yield from lines

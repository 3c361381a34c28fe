"""The canonical stream of a signature, for people: the same walk with a line for every step.

It is the stream over which the signature verifies, whichever VRs or form that has; so the signature
is verified first. A stream that cannot be rebuilt is refused, and an element that is left out is
reported.

The lines are made by the pure twin, whose encoder is replaced by one that records its calls.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..ambiguity import open_vrs
from ..encoding import _index_py, obstacles, record, values
from ..encoding._encoder_py import Encoder
from ..encoding._stream_py import Stream
from ..encoding.limits import ReadBudget
from ..errors import DicomSealError, EncodingError, SigningError
from ..files.source import open_source
from ..report import Reason, ReasonCode
from ..standard import terms
from ..standard.mac_algorithms import new_hasher
from ..standard.tags import format_tag, is_signable_tag, keyword
from . import digital_signature, mac_parameters, other_forms, unpadded
from .failure import Broken
from .integrity import LEGACY, UNPADDED, Check
from .scope import Scope

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ..encoding._notes_py import Node
    from ..encoding.backend import Index
    from ..files.part10 import Part10

_SHOWN = 24  # bytes of a value that are shown
_MAX_NAMED = 5  # in a sentence


class Dump:
    """The stream of one signature, or of all signable elements in an object without one.

    Args:
        source: the file: a path, or its content as bytes.
        uid: Digital Signature UID; None is the first signature, or the whole object if there is
            none.
        accept_legacy: show the form of dcmsign before 3.5.4 if the signature is over that.

    Attributes:
        uid: of the signature; None if there is none.
        reason: why the signature is not intact; None if it is, or if there is none.
        notes: remarks on the stream for people, a sentence each.

    Raises:
        SourceError, MalformedError: for the file.
        SigningError: there is no such signature.
        EncodingError: the signed stream cannot be rebuilt; the code is ``stream``.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Buffer,
        uid: str | None = None,
        accept_legacy: bool = False,
    ) -> None:
        self._name = os.fsdecode(source) if isinstance(source, (str, os.PathLike)) else ""
        self.uid: str | None = None
        self.reason: Reason | None = None
        self.notes: list[str] = []
        self._form, self._mac, self._algorithm = "", b"", ""
        try:
            self._part10 = part10 = open_source(source)
            self._index = part10.index()
            self._scope, self._tags, self._item = _find(self._index, uid)
            if self._item is None:
                self._left_behind()
                self._left_out()
            else:
                self._verify(part10, self._item, accept_legacy)
        except DicomSealError as error:
            raise self._named(error) from None

    def _named(self, error: DicomSealError) -> DicomSealError:
        """Return the same error, with the file's name before its sentence."""
        if self._name and not str(error).startswith(self._name):
            error.args = (f"{self._name}: {error}", *error.args[1:])
        return error

    def _left_out(self) -> None:
        """Note the elements that cannot be signed, of an object without signatures."""
        index = self._index
        lost = [
            child
            for child in index.children(0)
            if index.record(child).flags & record.UNKNOWN_VR
            and is_signable_tag(index.record(child).tag)
        ]
        named = "; ".join(obstacles.sentence(index, child) for child in lost[:_MAX_NAMED])
        if lost:
            more = f"; and {len(lost) - _MAX_NAMED} more" if len(lost) > _MAX_NAMED else ""
            self.notes.append(f"not in the stream, as it cannot be signed: {named}{more}")

    def _left_behind(self) -> None:
        """Note MAC Parameters without a signature: the object was not always unsigned."""
        index = self._index
        if any(index.find(one, terms.MAC_PARAMETERS_SEQUENCE) >= 0 for one in {0, *index.scopes}):
            self.notes.append(
                "MAC Parameters are present and no signature is: it was removed, or the object was "
                "cut. This is the stream of all elements that can be signed, not of a signature"
            )

    def _verify(self, part10: Part10, item: int, accept_legacy: bool) -> None:
        stored = digital_signature.read(self._index, item, part10.limits)
        self.uid = stored.uid
        scope = Scope(part10, self._index, self._scope, ReadBudget(part10.size, part10.limits))
        check = Check(scope, item, stored, accept_legacy)
        try:
            other_forms.verify(check)
        except Broken as broken:
            self.reason = broken.reason
        if self.reason is None:
            self._form, self._mac, self._vrs = check.form, check.computed, dict(scope.vrs)
            self._algorithm = check.mac.algorithm if check.mac else ""
            self.notes += check.messages
            return
        self._vrs = {}
        if self.reason.code == ReasonCode.SIGNED_DATA_NOT_FOUND or check.coverage.unknown:
            raise EncodingError(
                f"the stream of the signature {self.uid} cannot be shown: {self.reason.message}",
                "stream",
            )
        self.notes.append(
            "the signature is not intact, and this is the stream of the present content: "
            f"{self.reason.code}: {self.reason.message}"
        )

    def raw(self, write: record.Update) -> record.Coverage:
        """Pass the bytes to ``write``, piece by piece.

        Args:
            write: gets bytes-like pieces that are valid during the call only.

        Raises:
            SourceError: the file changed, or cannot be read.
            EncodingError: the written bytes are not those of the signature; the code is
                ``stream``. It would be a defect of this program, and never happened.
        """
        if not self._mac:
            return self._raw(write)
        hasher = new_hasher(self._algorithm)

        def both(piece: bytes | memoryview) -> None:
            hasher.update(piece)
            write(piece)

        coverage = self._raw(both)
        if hasher.digest() != self._mac:
            raise self._named(EncodingError("the stream is not the one that was signed", "stream"))
        return coverage

    def _raw(self, write: record.Update) -> record.Coverage:
        index, scope = self._index, self._scope
        if self._form == UNPADDED or self._of_vrs():
            elements = open_vrs.signed(index, scope, self._tags or ())
            before = {number: index.record(number).vr for number in self._of_vrs()}
            for number, vr in self._of_vrs().items():
                index.choose(number, vr)
            words = unpadded.odd_words(index, elements) if self._form == UNPADDED else []
            unpadded.stream(write, index, scope, elements, words)
            for number, vr in before.items():
                index.choose(number, vr)
            coverage = index.stream(_nowhere, scope, self._tags)
            coverage = record.Coverage(len(elements), coverage.unsigned - len(coverage.unknown), ())
        else:
            coverage = index.stream(write, scope, self._tags, legacy=self._form == LEGACY)
        if self._item is not None:
            index.stream(write, self._item, None, without=terms.NOT_IN_MAC)
        self._part10.check()
        return coverage

    def _of_vrs(self) -> dict[int, str]:
        return {} if self._item is None else self._vrs

    def lines(self) -> Iterator[str]:
        """Yield the stream as lines of text."""
        part10 = self._part10
        index = _index_py.Index(
            part10.source,
            part10.start,
            implicit=part10.implicit,
            big_endian=part10.big_endian,
            limits=part10.limits,
        )
        for number, vr in self._of_vrs().items():
            index.know(number, vr)
        notes = _Annotator()
        kind = _Unpadded if self._form == UNPADDED else Stream
        index.stream_to(notes, self._scope, self._tags, legacy=self._form == LEGACY, kind=kind)
        yield from notes.lines()
        if self._item is not None:
            yield "-- the signature's own item"
            index.stream_to(notes, self._item, None, without=terms.NOT_IN_MAC)
            yield from notes.lines()
        part10.check()
        yield f"-- {notes.offset} bytes"


def _find(index: Index, uid: str | None) -> tuple[int, tuple[int, ...] | None, int | None]:
    """Return scope, Data Elements Signed and item of a signature; or the whole object."""
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


def _nowhere(_piece: bytes | memoryview) -> None:
    """Ignore bytes that only have to be counted."""


def raw(
    source: str | os.PathLike[str] | Buffer,
    write: record.Update,
    uid: str | None = None,
) -> record.Coverage:
    """Pass the canonical bytes of a signature to ``write``, piece by piece: see `Dump`."""
    return Dump(source, uid).raw(write)


def annotated(source: str | os.PathLike[str] | Buffer, uid: str | None = None) -> Iterator[str]:
    """Yield the stream as lines of text; arguments and errors as for `raw`."""
    return Dump(source, uid).lines()


class _Unpadded(Stream):
    """The stream with OW of an odd length as dcmsign hashes it, see `unpadded`."""

    def _value(self, node: Node) -> None:
        length = node.end - node.value
        if node.vr != "OW" or length % 2 == 0:
            super()._value(node)
            return
        self._encoder.header(node.tag, node.vr, length)
        for piece in self._pieces(node.value, length):
            self._encoder.data(piece)


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
        """Yield the lines since the last call."""
        self._end()
        lines, self._lines = self._lines, []
        yield from lines

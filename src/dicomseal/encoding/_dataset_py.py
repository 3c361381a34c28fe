"""The canonical stream of a `pydicom.Dataset` in memory, written to be read (PS3.5 Section 7).

In: a data set whose elements were read and not decoded (raw), were decoded, or were built; so those
of its items. Out: the same bytes as from the index of the file that pydicom writes of it: raw
elements by their raw bytes, others by the rules of `_values_py`.

A sequence is not signed if an element of unknown VR is anywhere in it (PS3.3 C.12.1.1.3.1.1): what
was put out for it is taken back then.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from ..errors import DicomSealError
from ..standard import terms
from ..standard.dictionary import AMBIGUOUS, AMBIGUOUS_NAMES, dictionary, resolved
from ..standard.tags import is_signable_tag
from . import rare
from . import record as r
from ._encoder_py import Encoder, padding
from ._index_py import Index
from ._swapped_py import little_endian
from ._values_py import BYTES, encoded
from .pieces import Stretch, Swapped
from .rare import RawDataElement

DEPTH = 2048  # as `Limits.depth`
_DELIMITER = bytes.fromhex("FEFFDDE000000000")
_UNDEFINED, _ITEM = b"\xff\xff\xff\xff", bytes.fromhex("FEFF00E0")
_CHUNK = 1 << 16


class _Form(NamedTuple):
    """How sequences and headers look: in the canonical stream, or in a file."""

    canonical: bool
    implicit: bool
    length: bytes  # of a sequence, and of an item
    item_end: bytes
    close: bytes


_CANONICAL = _Form(True, False, b"", b"", _DELIMITER[:4])
_EXPLICIT, _IMPLICIT = (
    _Form(False, implicit, _UNDEFINED, bytes.fromhex("FEFF0DE000000000"), _DELIMITER)
    for implicit in (False, True)
)


class _UnsignableError(Exception):
    """An element has an unknown VR: neither it nor a sequence around it can be signed."""


class _Open(NamedTuple):
    """What lies in a sequence or an encapsulated value: items, an index, or a file's own bytes."""

    content: Any
    is_items: bool = False


class _Found(NamedTuple):
    """The VR and the value of an element: bytes-like, a `Stretch`, or `_Open`.

    Attributes:
        vr: its VR.
        value: its value.
        big_endian: whether that is in big endian.
        as_read: whether pydicom writes the bytes that were read, an odd number of them, too.
    """

    vr: str
    value: Any
    big_endian: bool = False
    as_read: bool = False


class _Scope:
    """A data set or item, its elements as they were when it was met, and what is around it."""

    def __init__(self, dataset: Any, outer: _Scope | None = None, sequence: int = 0) -> None:
        if not hasattr(dataset, "_dict"):
            raise rare.no_items(sequence, dataset)
        self.dataset, self.outer = dataset, outer
        self.depth: int = 0 if outer is None else outer.depth + 1
        self._rewritten: bool | None = None
        pairs = list(dataset._dict.items())
        for tag, _ in pairs:
            if not isinstance(tag, int) or not 0 <= tag < 0xFFFFFFFF:
                raise rare.no_tag(sequence, tag)
        pairs.sort(key=lambda pair: int(pair[0]))
        self.elements: dict[int, Any] = {int(tag): element for tag, element in pairs}

    def around(self) -> Iterator[_Scope]:
        """Yield it, and the scopes around it, the nearest first."""
        scope: _Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def is_rewritten(self, encoding: tuple[bool, bool]) -> bool:
        """Return whether pydicom rewrites it, see `rare.is_rewritten`."""
        if self._rewritten is None:
            self._rewritten = rare.is_rewritten(self.dataset, encoding)
        return self._rewritten

    @cached_property
    def copied(self) -> Any:
        """A copy of the data set, for pydicom to change."""
        return rare.copied(self.dataset)

    @cached_property
    def encodings(self) -> tuple[str, ...]:
        """The Specific Character Set that counts here: its own, or the nearest around it."""
        own = (scope.elements.get(terms.SPECIFIC_CHARACTER_SET) for scope in self.around())
        return rare.encodings_of(next((one for one in own if one is not None), None))

    def pixel_representation(self) -> int | None:
        """Return the nearest Pixel Representation (0028,0103)."""
        own = (scope.elements.get(terms.PIXEL_REPRESENTATION) for scope in self.around())
        return next((n for n in map(rare.first_number, own) if n is not None), None)


class _Walk:
    """Puts elements out into ``pieces``: bytes-like, an index of a sequence's bytes, a stream."""

    def __init__(self, form: _Form, encoding: tuple[bool, bool]) -> None:
        self.form, self.encoding = form, encoding
        self.pieces: list[Any] = []

    def put(self, scope: _Scope, tag: int, element: Any) -> bool:
        """Put one element out, with all that is in it; whether it can be signed.

        A stack of generators takes the place of recursion, so depth costs no stack of Python's.
        """
        begin = len(self.pieces)
        stack = [self._element(scope, tag, element)]
        try:
            while stack:
                inner = next(stack[-1], None)
                if inner is None:
                    stack.pop()
                else:
                    stack.append(inner)
        except _UnsignableError:
            del self.pieces[begin:]
            return False
        return True

    def _element(self, scope: _Scope, tag: int, element: Any) -> Iterator[Any]:
        try:
            found = self._value(scope, tag, element)
        except (DicomSealError, _UnsignableError):
            raise
        except Exception as error:  # whatever pydicom and values of other programs raise
            raise rare.failed(tag, error) from error
        value = found.value
        if not isinstance(value, _Open):
            self._plain(tag, found)
            return
        self._open(tag, found.vr)
        if value.is_items:
            if scope.depth >= DEPTH:
                raise rare.too_deep(DEPTH)
            for item in value.content:
                inner = _Scope(item, scope, tag)
                self.pieces.append(_ITEM + self.form.length)
                for inner_tag, one in inner.elements.items():
                    if self.has_place(inner_tag):
                        yield self._element(inner, inner_tag, one)
                self.pieces.append(self.form.item_end)
        else:
            self.pieces.append(value.content)
        self.pieces.append(self.form.close)

    def has_place(self, tag: int) -> bool:
        """Return whether an element is put out.

        Pydicom writes no group lengths (PS3.5 Section 7.2).
        """
        if self.form.canonical:
            return is_signable_tag(tag)
        return tag & 0xFFFF != 0 or tag >> 16 <= 6

    # --- what an element is ----------------------------------------------------------------------

    def _value(self, scope: _Scope, tag: int, element: Any) -> _Found:
        if isinstance(element, RawDataElement):
            vr = element.VR
            if vr is not None and not _is_known(vr) and vr not in AMBIGUOUS_NAMES:
                raise self._without_vr(tag, vr)
            # when it writes, pydicom decodes Specific Character Set, deferred values and empty UN
            again = tag == terms.SPECIFIC_CHARACTER_SET
            if element.value is None and (vr == "UN" or element.length != 0):
                again = True
                if element.length != 0:
                    element = rare.deferred(scope.dataset, element)
            if not (again or scope.is_rewritten(self.encoding)):
                return self._raw(scope, tag, element)
            element = rare.decoded(scope.copied, element)
        return self._decoded(scope, tag, element)

    def _raw(self, scope: _Scope, tag: int, element: Any) -> _Found:
        vr, value = element.VR, element.value or b""
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise rare.not_bytes(tag, value)
        big_endian = not element.is_little_endian
        undefined = element.length == terms.UNDEFINED_LENGTH
        if vr is None:
            vr = self._implicit_vr(scope, tag)
            if vr == "UN" and undefined:
                vr = "SQ"  # PS3.5 Section 7.5
        if vr == "UN" and self.form.canonical:
            raise _UnsignableError
        if vr == "SQ":
            if self.form.canonical:
                return _Found(vr, _Open(self._indexed(scope, element, value)))
            if not big_endian:
                return _Found(vr, value, as_read=True)
            # for its MalformedError: pydicom puts these bytes into its file
            Index(value, big_endian=True, root=r.SEQUENCE)
            if (swapped := little_endian(bytes(value))) is not None:
                return _Found(vr, swapped, as_read=True)
            return self._decoded(scope, tag, rare.decoded(scope.copied, element))
        if undefined or (tag == terms.PIXEL_DATA and rare.is_compressed(scope.dataset)):
            return _Found("OB", self._fragments(tag, value))
        kind = AMBIGUOUS_NAMES.get(vr, vr)
        if kind in AMBIGUOUS:
            known = None
            if kind == "xs":
                known = scope.pixel_representation()
            elif kind == "lt":
                known = rare.first_number(scope.elements.get(terms.LUT_DESCRIPTOR))
            vr = resolved(kind, len(value), known)
        return _Found(vr, value, big_endian, as_read=True)

    def _without_vr(self, tag: int, vr: str) -> Exception:
        """Return the error for an element without a VR: UN, or one newer than this program."""
        return _UnsignableError() if self.form.canonical else rare.unknown_vr(tag, vr)

    def _implicit_vr(self, scope: _Scope, tag: int) -> str:
        """Return the VR that the bytes do not state, as the index of a file finds it."""
        if not tag >> 16 & 1:
            return dictionary().public(tag)
        block = tag >> 8 & 0xFF
        creator = scope.elements.get(tag & 0xFFFF0000 | block) if block >= 0x10 else None
        return dictionary().private(tag, rare.creator(creator))

    def _indexed(self, scope: _Scope, element: Any, value: Any) -> Index:
        """Return the index of a sequence that was not read into items."""
        options = {"implicit": element.is_implicit_VR, "big_endian": not element.is_little_endian}
        index = Index(value, root=r.SEQUENCE, **options)
        if "xs" in index.guessed:
            near = scope.pixel_representation()
            index = Index(value, root=r.SEQUENCE, pixel_representation=near, **options)
        if index.unknown:
            raise _UnsignableError
        return index

    def _decoded(self, scope: _Scope, tag: int, element: Any) -> _Found:
        if element.VR in AMBIGUOUS_NAMES:
            element = rare.settled(element, [one.copied for one in scope.around()])
        vr = str(element.VR)
        if not _is_known(vr) or (vr == "UN" and self.form.canonical):
            raise self._without_vr(tag, vr)
        if vr == "SQ":
            stated = self.form.implicit and not element.is_undefined_length
            if stated and self._implicit_vr(scope, tag) != "SQ":
                return _Found(vr, rare.unseen_sequence(element, scope.encodings), as_read=True)
            return _Found(vr, _Open(list(element.value or ()), is_items=True))
        if vr not in BYTES:
            return _Found(vr, encoded(element, vr, lambda: scope.encodings))
        undefined = element.is_undefined_length
        if undefined or (tag == terms.PIXEL_DATA and rare.is_compressed(scope.dataset)):
            if vr not in ("OB", "OW"):
                raise rare.without_length(tag, vr)
            return _Found("OB", self._fragments(tag, element.value))
        # pydicom writes the words as they are, and a reader takes them for what the file is in
        big_endian = vr in terms.SWAP_WIDTH and not self.encoding[1]
        if element.is_buffered:
            return _Found(vr, Stretch(element.value, tag=tag), big_endian)
        return _Found(vr, encoded(element, vr, tuple), big_endian, as_read=vr == "UN")

    def _fragments(self, tag: int, value: Any) -> _Open:
        """Return what lies in an encapsulated value, whose delimiter may be there or not."""
        if hasattr(value, "readinto"):
            stretch = Stretch(value, tag=tag)
            size = len(stretch)
            ends = size >= 8 and stretch.read(size - 8, 8) == _DELIMITER
            value = Stretch(value, size - 8, tag) if ends else stretch
        else:
            value = bytes(value).removesuffix(_DELIMITER)
        return _Open(Index(value, root=r.ENCAPSULATED) if self.form.canonical else value)

    # --- what it looks like ----------------------------------------------------------------------

    def _plain(self, tag: int, found: _Found) -> None:
        """Write a header with a length, and a value made even, unless it was read so."""
        vr, value, big_endian, as_read = found
        even = self.form.canonical or not as_read
        pad = padding(vr) if even and len(value) % 2 else b""
        length = len(value) + len(pad)
        if length > terms.MAX_SHORT_LENGTH and vr not in terms.LONG_VRS and not self.form.implicit:
            if self.form.canonical:
                raise _UnsignableError  # explicit VR has no length for it (PS3.5 Section 6.2.2)
            vr = "UN"
        if self.form.implicit:
            head = struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length)
        elif vr in terms.LONG_VRS:
            head = struct.pack("<HH2s2xL", tag >> 16, tag & 0xFFFF, vr.encode(), length)
        else:
            head = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode("latin-1"), length)
        if big_endian and vr in terms.SWAP_WIDTH:
            value = Swapped(value, terms.SWAP_WIDTH[vr])
        self.pieces += [head, value, pad]

    def _open(self, tag: int, vr: str) -> None:
        """Write the start of a sequence, or of an encapsulated value."""
        explicit = b"" if self.form.implicit else vr.encode() + b"\0\0"
        self.pieces.append(_tag(tag) + explicit + self.form.length)


def canonical(
    update: Callable[[Any], object],
    dataset: Any,
    wanted: Collection[int] | None,
    ancestors: Sequence[Any],
    encoding: tuple[bool, bool],
) -> r.Coverage:
    """Feed the canonical form of a data set's elements to a hasher (PS3.3 C.12.1.1.3.1.1).

    Args:
        update: the hasher's method; the buffers it gets are valid during the call only.
        dataset: the data set or item.
        wanted: the tags of the elements; None is all that can be signed.
        ancestors: the data sets around an item, nearest first.
        encoding: how pydicom will write it: in implicit VR, in little endian.

    Raises:
        EncodingError: an element has no value in its VR.
        MalformedError: the bytes of a sequence are malformed.
    """
    scope = None
    for one in reversed(ancestors):
        scope = _Scope(one, scope)
    scope = _Scope(dataset, scope)
    scope.depth = 0
    walk = _Walk(_CANONICAL, encoding)
    signed = unsigned = 0
    unknown = []
    for tag, element in scope.elements.items():
        if not walk.has_place(tag):
            continue
        listed = wanted is None or tag in wanted
        if listed and walk.put(scope, tag, element):
            signed += 1
            _send(update, walk.pieces)
            walk.pieces.clear()
        else:
            unsigned += 1
            if listed and wanted is not None:
                unknown.append(tag)
    return r.Coverage(signed, unsigned, tuple(unknown))


def _send(update: Callable[[Any], object], pieces: list[Any]) -> None:
    for piece in pieces:
        if isinstance(piece, Index):
            piece.stream_items(Encoder(update))
        elif isinstance(piece, (Stretch, Swapped)):
            for begin in range(0, len(piece), _CHUNK):
                update(piece.read(begin, min(_CHUNK, len(piece) - begin)))
        elif len(piece):
            update(piece if isinstance(piece, bytes) else memoryview(piece))


def as_in_a_file(dataset: Any, implicit: bool, encoding: tuple[bool, bool]) -> list[Any]:
    """Write all elements of a data set in little endian, signatures included, to `Pieces`.

    Args:
        dataset: the data set.
        implicit: in implicit VR instead of explicit.
        encoding: as for `canonical`, and the same errors.
    """
    walk = _Walk(_IMPLICIT if implicit else _EXPLICIT, encoding)
    scope = _Scope(dataset)
    for tag, element in scope.elements.items():
        if walk.has_place(tag):
            walk.put(scope, tag, element)
    return walk.pieces


def _is_known(vr: str) -> bool:
    return vr in terms.SHORT_VRS or vr in terms.LONG_VRS


def _tag(tag: int) -> bytes:
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF)

"""What must hold of any data set, for the index and the encoder.

A raw input begins with four bytes: how to read what follows (bits 0-1 explicit, implicit, big
endian, deflated; 2-3 the kind of the root; 4 old fragment lengths; 5 small limits; 6 only some
tags), two numbers for limits and tags, one for the part of the bytes that is used.
"""

from __future__ import annotations

import os
from typing import Any

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from dicomseal.encoding import _dataset_c, _dataset_py, _encoder_py, _index_c, _index_py
from dicomseal.encoding import record as _record
from dicomseal.encoding._encoder_c import Encoder as CompiledEncoder
from dicomseal.encoding.limits import Limits
from dicomseal.errors import DicomSealError, MalformedError
from dicomseal.files.part10 import Part10
from dicomseal.standard import terms

from .forms import BIG, DEFLATED, HEADER, IMPLICIT, deflate
from .mutate import TAGS, VRS

TWINS = (_index_py.Index, _index_c.Index)
ROOTS = (_record.ITEM, _record.ITEM, _record.SEQUENCE, _record.ENCAPSULATED)
KNOWN_VRS = sorted(terms.SHORT_VRS | terms.LONG_VRS)  # all that the encoder is ever told
ANY_VRS = [vr.decode() for vr in VRS] + ["OB or OW", "", "A", None]  # what pydicom may have read
PREFIX = b"\0" * 128 + b"DICM\x02\0\x10\0UI\x16\x001.2.840.10008.1.2.1.99"


class Source:
    """Bytes that the index must ask for piece by piece."""

    def __init__(self, data: Any) -> None:
        self._data = bytes(data)
        self.descriptor = -1
        if len(self._data) % 2 and hasattr(os, "memfd_create"):
            # every second one is a file, which the compiled index reads itself; what it does not
            # get there, because it asks for too much, it asks for below
            self.descriptor = os.memfd_create("fuzz")
            os.write(self.descriptor, self._data)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def __len__(self) -> int:
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        """As `record.Source`; what reaches past the end is a fault of the index."""
        assert 0 <= offset <= offset + length <= len(self._data), (offset, length)
        return self._data[offset : offset + length]

    def readinto(self, offset: int, target: memoryview) -> None:
        """The same into a buffer."""
        target[:] = self.read(offset, len(target))


class Request:
    """A raw input, taken apart."""

    def __init__(self, data: bytes) -> None:
        head, self.data = data[:HEADER].ljust(HEADER, b"\0"), data[HEADER:]
        mode, one, two, self.part = head
        self.encoding = mode & 3
        self.legacy = bool(mode & 16)
        self.tags = None
        if mode & 64:  # an unordered choice with repetitions, as a hostile list may have
            self.tags = [TAGS[(one + k * (two | 1)) % len(TAGS)] for k in range(1 + two % 7)]
        self.without = (TAGS[two % len(TAGS)],) if two & 128 else ()
        limits = Limits()
        if mode & 32:
            limits = Limits(depth=one % 8, records=1 + two % 24, value=one)
        self.options: dict[str, Any] = {
            "implicit": self.encoding == IMPLICIT,
            "big_endian": self.encoding == BIG,
            "root": ROOTS[mode >> 2 & 3],
            "limits": limits,
        }
        if self.encoding == DEFLATED:
            self.data = bytes(Part10.from_bytes(PREFIX + deflate(self.data)).source)
        if self.part and self.part <= len(self.data):
            self.options["start"] = self.part & 15
            self.options["stop"] = len(self.data) - (self.part >> 4)


def _attempt(call: Any, *args: Any, **options: Any) -> Any:
    """A result or an error of our own; anything else that is raised is a find."""
    try:
        return call(*args, **options)
    except MalformedError as error:
        return "malformed", str(error), error.code, error.offset
    except DicomSealError as error:
        return type(error).__name__, str(error), error.code


def _streamed(index: Any, *args: Any, **options: Any) -> Any:
    out = bytearray()
    coverage = _attempt(index.stream, out.extend, *args, **options)
    # what went out before an error depends on the size of the blocks
    return (coverage, bytes(out)) if isinstance(coverage, _record.Coverage) else coverage


def _between(index: Any, records: Any, number: int) -> Any:
    """What follows an element inside the signed element that holds it."""
    top = number
    while records[top].parent:
        top = records[top].parent
    if records[number].kind != _record.ELEMENT or records[top].flags & _record.UNKNOWN_VR:
        return None  # what is inside of UN is never signed
    out = bytearray()
    attempt = _attempt(index.stream_between, out.extend, number + 1, records[top].next, number, 0)
    return attempt or bytes(out)


def _module(twin: Any) -> Any:
    return _index_py if twin is _index_py.Index else _index_c


def _listed(twin: Any, index: Any, scope: int, tag: int) -> Any:
    value = _attempt(index.listed, scope, tag)
    if isinstance(value, bytes):
        return [_module(twin).tags_of(value, big) for big in (False, True)]
    return value


def outcome(twin: Any, request: Request, source: Any) -> Any:
    """Everything that can be seen of an index, or the error."""
    index = _attempt(twin, source, **request.options)
    if isinstance(index, tuple):
        return index
    count = len(index)
    records = [index.record(n) for n in range(count)]
    seen: list[Any] = [
        records, index.scopes, index.ambiguities, index.trailing, index.guessed, index.unknown,
        index.big_endian, index.fragmented, _attempt(index.sole_signature),
    ]  # fmt: skip
    data = {"tags": request.tags, "without": request.without, "legacy": request.legacy}
    scopes = [n for n in range(count) if records[n].kind == _record.ITEM][:8]
    for scope in scopes:
        seen += [
            _streamed(index, scope, **data), list(index.children(scope)),
            [index.find(scope, tag) for tag in TAGS],
            _attempt(index.values, scope, TAGS[request.part % len(TAGS) :]),
            [_listed(twin, index, scope, tag) for tag in TAGS],
            index.holds(scope, TAGS[:1]), index.holds(scope, TAGS[request.part % len(TAGS) :]),
        ]  # fmt: skip
    for number in range(min(count, 40)):
        value = _attempt(index.value, number)
        seen += [value, _module(twin).as_text(value) if isinstance(value, bytes) else ""]
    seen.append(index.tags(0, count))
    for number in range(1, min(count, 20)):
        if request.options["implicit"] and records[number].kind == _record.ELEMENT:
            index.choose(number, ("LO", "OB", "SS")[number % 3])
    seen.append(_streamed(index))
    for number in range(1, min(count, 20)):
        seen.append(_between(index, records, number))
    if request.options["root"] != _record.ITEM:
        out = bytearray()
        encoder = (_encoder_py.Encoder if twin is _index_py.Index else CompiledEncoder)(out.extend)
        said = _attempt(index.stream_items, encoder, request.legacy)
        encoder.flush()
        seen.append((said, bytes(out)))
    return seen


def twins(data: bytes) -> None:
    """Both twins see the same, in memory and through a window: equal bytes, or an equal error."""
    request = Request(data)
    expected = outcome(_index_py.Index, request, request.data)
    for twin in TWINS:
        sources = (request.data, Source(request.data)) if twin is _index_c.Index else ()
        for source in sources or (Source(request.data),):
            assert_equal(outcome(twin, request, source), expected)


def assert_equal(found: Any, expected: Any) -> None:
    """Raise with what differs, not with everything."""
    if found == expected:
        return
    if isinstance(found, list) and isinstance(expected, list):
        assert len(found) == len(expected), (len(found), len(expected))
        for one, two in zip(found, expected, strict=True):
            assert_equal(one, two)
    raise AssertionError(f"found {found!r}\n   expected {expected!r}"[:2000])


def index(data: bytes) -> None:
    """The compiled twin alone, and fast: what it makes is a tree that fits the bytes."""
    request = Request(data)
    results = []
    for source in (request.data, Source(request.data)):
        attempt = _attempt(_index_c.Index, source, **request.options)
        if isinstance(attempt, tuple):
            results.append(attempt)
            continue
        _well_formed(attempt)
        results.append(
            _streamed(attempt, 0, request.tags, without=request.without, legacy=request.legacy)
        )
    assert_equal(results[1], results[0])


def _well_formed(index: Any) -> None:
    root = index.record(0)
    for number in range(1, min(len(index), 60)):
        record = index.record(number)
        holder = index.record(record.parent)
        assert record.parent < number < record.next <= holder.next, number
        assert holder.value <= record.start < record.value <= record.end <= holder.end, number
        assert holder.kind not in (_record.ELEMENT, _record.FRAGMENT), number
    assert root.next == len(index), (root.next, len(index))


def encoder(data: bytes) -> None:
    """Both encoders, told the same things, write the same bytes or raise the same error."""
    results = []
    for twin in (_encoder_py.Encoder, CompiledEncoder):
        out = bytearray()
        twin_encoder = twin(out.extend)
        said = _attempt(_told, twin_encoder, data)
        twin_encoder.flush()
        results.append((said, bytes(out)))
    assert_equal(results[1], results[0])


def _told(encoder: Any, data: bytes) -> Any:
    """Bytes as calls: one byte what to do, one for the tag, one for the VR, one for the length."""
    position = 0
    said: list[Any] = []
    while position + 4 <= len(data) and len(said) < 100:
        what, a, b, c = data[position : position + 4]
        tag, vr = TAGS[a % len(TAGS)], KNOWN_VRS[b % len(KNOWN_VRS)]
        value = data[position + 4 : position + 4 + c]
        position += 4 + c
        if what & 128:
            value *= 700  # longer than a block, and than a length of 16 bits
        if what % 8 == 0:
            said.append(encoder.header(tag, vr, len(value)))
        elif what % 8 == 1:
            said.append(encoder.element(tag, vr, value, bool(what & 64)))
        elif what % 8 == 2:
            said.append(encoder.data(value))
        elif what % 8 == 3:
            said.append(encoder.open(tag, vr))
        elif what % 8 == 4:
            said.append(encoder.item())
        elif what % 8 == 5:
            said.append(encoder.fragment(value))
        elif what % 8 == 6:
            said.append(encoder.close())
        else:
            said.append(_raw_elements(encoder, tag, ANY_VRS[b % len(ANY_VRS)], value, what))
    return said


def _raw_elements(encoder: Any, tag: int, vr: str | None, value: bytes, what: int) -> Any:
    """Elements as pydicom keeps them before they are decoded, some of them not in order."""
    data_set, little_endian = Dataset(), not what & 64
    data_set.set_original_encoding(False, little_endian, "iso8859")
    for step, size in enumerate((len(value), 0, 1)):
        key = BaseTag((tag + step * (1 if what & 8 else 0xFFFF0001)) & 0xFFFFFFFF)
        name = None if what & 16 and step else vr
        piece = value[:size]
        length = 0xFFFFFFFF if what & 32 and step == 2 else size
        element = RawDataElement(key, name, length, piece, 0, False, little_endian)
        data_set._dict[key] = element
    wanted = frozenset(map(int, list(data_set.keys())[:2])) if what & 64 else None
    twin = _dataset_c if isinstance(encoder, CompiledEncoder) else _dataset_py
    out = bytearray()
    coverage = _attempt(twin.canonical, out.extend, data_set, wanted, (), (False, little_endian))
    # what went out before an error depends on the size of the blocks
    return (coverage, bytes(out)) if isinstance(coverage, _record.Coverage) else coverage

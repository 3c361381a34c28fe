"""Random signed objects: no signed bit may change, and how they are written does not matter."""

from __future__ import annotations

import zlib

import _write_stds as std
import pki
from _model import (
    ENCODINGS,
    METAS,
    Element,
    Fragments,
    Nested,
    canonical_form,
    data_sets,
    layouts,
    written,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from dicomseal import sign_file, verify
from dicomseal.encoding import record as r
from dicomseal.files.part10 import Part10
from dicomseal.standard import terms
from dicomseal.standard.tags import is_signable_tag

SEQUENCES = (terms.MAC_PARAMETERS_SEQUENCE, terms.DIGITAL_SIGNATURES_SEQUENCE)


def unsigned(elements: dict) -> bool:
    """Whether nothing in it says that it is signed already, and something can be signed."""

    def clean(inner: dict) -> bool:
        return not any(tag in inner for tag in SEQUENCES) and all(
            clean(item) for e in inner.values() if isinstance(e, Nested) for item in e.items
        )

    # encapsulated pixels under the label of an uncompressed syntax do not pass
    native = not isinstance(elements.get(terms.PIXEL_DATA), Fragments)
    return native and clean(elements) and bool(canonical_form(elements))


def signed(elements, layout, encoding="explicit") -> bytes:
    source = std.PREAMBLE + METAS[encoding] + written(elements, layout, encoding)
    out = _Out()
    sign_file(source, out, *pki.member("ec").pair)
    return out.data


class _Out:
    """Where `sign_file` writes to."""

    data = b""

    def write(self, data) -> int:
        self.data += bytes(data)
        return len(data)


def covered(data: bytes) -> list[range]:
    """The bytes of a file in explicit VR that the standard puts into the MAC (C.12.1.1.3.1.1)."""
    index = Part10.from_bytes(data).index()
    found = []
    number = 1
    while number < len(index):
        record = index.record(number)
        if record.kind == r.ITEM or record.kind == r.FRAGMENT:
            found.append(range(record.start, record.start + 4))
            if record.kind == r.FRAGMENT:
                found.append(range(record.value, record.end))
        elif not is_signable_tag(record.tag) or record.flags & r.UNKNOWN_VR:
            number = record.next
            continue
        else:
            found.append(range(record.start, record.start + 6))
            if record.kind == r.ELEMENT:
                found.append(
                    range(record.start + (8 if record.flags & r.LONG_HEADER else 6), record.end)
                )
        number += 1
    return [span for span in found if span]


@given(elements=data_sets(), layout=layouts, data=st.data())
def test_no_bit_may_change(elements, layout, data):
    assume(unsigned(elements))
    file = signed(elements, layout)
    assert verify(file, integrity_only=True).verdict == "passed"
    for _ in range(8):
        position = data.draw(st.sampled_from(data.draw(st.sampled_from(covered(file)))))
        bit = data.draw(st.integers(0, 7))
        changed = bytearray(file)
        changed[position] ^= 1 << bit
        report = verify(bytes(changed), integrity_only=True)
        assert report.verdict != "passed", (position, bit)
        assert "intact" not in {s.integrity for s in report.signatures}, (position, bit)


def with_signature(elements: dict, file: bytes) -> dict:
    """The model with the signature that a file has."""
    index = Part10.from_bytes(file).index()
    found = dict(elements)
    for tag in SEQUENCES:
        content = []
        for item in index.children(index.find(0, tag)):
            inside = [index.record(n) for n in index.children(item)]
            content.append({e.tag: Element(e.vr, file[e.value : e.end]) for e in inside})
        found[tag] = Nested(content)
    return dict(sorted(found.items()))


@given(
    elements=data_sets(), layout=layouts, other=layouts, encoding=st.sampled_from(sorted(ENCODINGS))
)
def test_how_it_is_written_does_not_matter(elements, layout, other, encoding):
    """Lengths, byte order, VR encoding, group lengths and padding; and deflated."""
    assume(unsigned(elements))
    both = with_signature(elements, signed(elements, layout))
    written_otherwise = written(both, other, encoding) + bytes(other.padding)
    report = verify(std.PREAMBLE + METAS[encoding] + written_otherwise, integrity_only=True)
    assert report.verdict == "passed", report.sentence()
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = deflater.compress(written(both, other, "explicit")) + deflater.flush()
    report = verify(std.PREAMBLE + std.META_DEFLATED + packed, integrity_only=True)
    assert report.verdict == "passed", report.sentence()


@given(elements=data_sets(), layout=layouts, value=st.binary(min_size=1, max_size=20))
def test_what_is_not_signed_does_not_matter(elements, layout, value):
    """An element with the VR UN is in no MAC: the signature stays, and the count tells."""
    assume(unsigned(elements) and 0x00091001 not in elements)
    both = with_signature(elements, signed(elements, layout))
    padded = value + b"\0" * (len(value) % 2)
    grown = dict(sorted({**both, 0x00091001: Element("UN", padded)}.items()))
    plain, changed = (
        verify(
            std.PREAMBLE + METAS["explicit"] + written(e, layout, "explicit"), integrity_only=True
        )
        for e in (both, grown)
    )
    assert (plain.verdict, changed.verdict) == ("passed", "passed")
    before, after = plain.signatures[-1], changed.signatures[-1]
    assert after.unsigned_elements == before.unsigned_elements + 1

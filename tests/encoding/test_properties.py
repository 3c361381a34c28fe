"""Random data sets: every encoding, every source and both twins give the same canonical bytes.

``HYPOTHESIS_PROFILE=thorough pytest tests/encoding/test_properties.py`` runs many more of them.
"""

from __future__ import annotations

import io
import os
import zlib

import _write_stds as std
import pytest
from _model import ENCODINGS, METAS, Layout, canonical_form, data_sets, layouts, streamed, written
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom import dcmread

from dicomseal.canonical import update
from dicomseal.errors import DicomSealError, MalformedError
from dicomseal.files.part10 import Part10
from dicomseal.files.window import Window

# --- the properties -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("properties") / "file.dcm"


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(elements=data_sets(), layout=layouts)
def test_every_encoding(twins, scratch, encoding, elements, layout):
    expected = canonical_form(elements)
    data = written(elements, layout, encoding)
    scratch.write_bytes(data + bytes(layout.padding))
    for twin in twins:
        options = ENCODINGS[encoding]
        assert streamed(twin.Index(data, **options)) == expected
        window = Window(os.open(scratch, os.O_RDONLY), str(scratch))
        index = twin.Index(window, **options)
        assert streamed(index) == expected
        assert index.trailing == layout.padding
        # a sequence of the macro that holds anything is not as the standard has it
        assert {note.kind for note in index.ambiguities} <= {"macro"}


@given(elements=data_sets(surviving=False), layout=layouts)
def test_every_vr(twins, elements, layout):
    expected = canonical_form(elements)
    for encoding in ("explicit", "big endian"):
        data = written(elements, layout, encoding)
        for twin in twins:
            assert streamed(twin.Index(data, **ENCODINGS[encoding])) == expected


@given(elements=data_sets(), layout=layouts)
def test_deflated(twins, elements, layout):
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = deflater.compress(written(elements, layout, "explicit")) + deflater.flush()
    part10 = Part10.from_bytes(std.PREAMBLE + std.META_DEFLATED + data + b"\0" * layout.padding)
    for twin in twins:
        assert streamed(twin.Index(part10.source)) == canonical_form(elements)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(elements=data_sets(), layout=layouts)
def test_data_set_of_pydicom(backend, encoding, elements, layout):
    data = std.PREAMBLE + METAS[encoding] + written(elements, layout, encoding)
    has_fragments_in_big_endian = encoding == "big endian" and "Fragments" in str(elements)
    if has_fragments_in_big_endian:
        return  # no transfer syntax has them, and pydicom keeps their delimiters in big endian
    out = bytearray()

    class Recorder:
        update = out.extend

    update(Recorder, dcmread(io.BytesIO(data), force=True))
    assert bytes(out) == canonical_form(elements)


def outcome(twin, data, options):
    try:
        index = twin.Index(data, **options)
    except MalformedError as error:
        return str(error), error.code, error.offset
    records = [index.record(n) for n in range(len(index))]
    scopes = []
    for scope in index.scopes:
        out = bytearray()
        try:
            coverage = index.stream(out.extend, scope)
        except DicomSealError as error:
            coverage = type(error), str(error)
        scopes.append((scope, coverage, bytes(out)))
    try:
        main = streamed(index)
    except DicomSealError as error:
        main = type(error), str(error)
    seen = index.ambiguities, index.oddities, index.noted, index.free, index.trailing, index.guessed
    return records, scopes, main, seen


mutations = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["set", "insert", "delete", "cut"]),
        st.one_of(st.binary(min_size=1, max_size=1), st.sampled_from(
            [b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xff\xff\xff\xff", b"UN", b"SQ", b"ZZ",
             b"OB", b"\xfe\xff\xdd\xe0\0\0\0\0", b"\x28\0\x06\1", b"\xfa\xff\xfa\xff",
             b"\0\0UL\4\0", b"\xfc\xff\xfc\xffOB\0\0",
             b"\1\0\1\0", b"\x09\0\x10\0UL\6\0", b"\x4f\x4c\0\0"])),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(elements=data_sets(surviving=False), layout=layouts, changes=mutations)
@example(elements={}, layout=Layout([True], 0), changes=[(0.0, "insert", b"\0\0")])
def test_damage_looks_the_same_to_both(twins, encoding, elements, layout, changes):
    data = bytearray(written(elements, layout, encoding))
    for where, how, what in changes:
        at = int(where * len(data))
        if how == "set":
            data[at : at + len(what)] = what
        elif how == "insert":
            data[at:at] = what
        elif how == "delete":
            del data[at : at + len(what)]
        else:
            del data[at:]
    first, second = (outcome(twin, bytes(data), ENCODINGS[encoding]) for twin in twins)
    assert first == second


@given(data=st.binary(max_size=200), encoding=st.sampled_from(sorted(ENCODINGS)))
def test_any_bytes_look_the_same_to_both(twins, data, encoding):
    first, second = (outcome(twin, data, ENCODINGS[encoding]) for twin in twins)
    assert first == second

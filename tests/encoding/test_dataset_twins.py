"""Both walks over a data set put out the same bytes: those of the file that pydicom writes."""

from __future__ import annotations

import copy
import io
import os
import warnings
from functools import cache

import pydicom
import pytest
from _data_sets import walked
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from dicomseal.encoding.dataset_encoding import encoding_of
from dicomseal.encoding.from_pydicom import as_written
from dicomseal.errors import EncodingError, MalformedError
from dicomseal.files.part10 import Part10
from dicomseal.standard import transfer_syntaxes

pytestmark = pytest.mark.filterwarnings("ignore")
DATA = os.path.join(os.path.dirname(pydicom.__file__), "data")
SYNTAXES = {
    (True, True): transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN,
    (False, True): transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN,
    (False, False): transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN,
}
# what pydicom cannot write, or writes so that nobody can read it
NOT_WRITTEN = {"SC_rgb_jpeg.dcm"}
NOT_READ = {"DICOMDIR-nooffset", "rtplan_truncated.dcm"}


@cache
def files():
    """The content of each file of pydicom that it reads as a data set, by its name."""
    found = {}
    for folder, _, names in sorted(os.walk(DATA)):
        for name in sorted(names):
            if name.endswith((".py", ".pyc", ".json", ".txt")):
                continue
            with open(os.path.join(folder, name), "rb") as file:
                content = file.read()
            try:
                with warnings.catch_warnings(action="ignore"):
                    if len(dcmread(io.BytesIO(content), force=True)):
                        found[os.path.relpath(os.path.join(folder, name), DATA)] = content
            except (NotImplementedError, OSError, ValueError, KeyError):
                continue  # as pydicom says of what is no data set
    return found


# --- states of a data set ------------------------------------------------------------------------


def as_read(data_set):
    return data_set


def decoded(data_set):
    for element in data_set.iterall():
        assert element.value is not data_set
    return data_set


def partly(data_set):
    for number, tag in enumerate(list(data_set.keys())):
        if number % 2:
            data_set[tag]
    return data_set


def raw_in_decoded(data_set):
    """Sequences are read into items, whose elements are raw but for every third."""
    for element in list(data_set._dict.values()):
        if element.VR == "SQ":
            for item in data_set[element.tag].value:
                for number, tag in enumerate(list(item.keys())):
                    if number % 3 == 0:
                        item[tag]
    return data_set


def decoded_around_raw(data_set):
    """All but the sequences is decoded."""
    for tag, element in list(data_set._dict.items()):
        if element.VR != "SQ":
            data_set[tag]
    return data_set


def copied(data_set):
    return copy.deepcopy(raw_in_decoded(partly(data_set)))


def built_anew(data_set):
    """Another data set, with the same elements."""
    dataset = Dataset()
    for element in decoded(data_set):
        dataset.add(copy.deepcopy(element))
    if hasattr(data_set, "file_meta"):
        dataset.file_meta = data_set.file_meta
    dataset.set_original_encoding(*data_set.original_encoding, data_set.original_character_set)
    return dataset


def changed(data_set):
    """Other values, and another Specific Character Set for what has been read already."""
    data_set.PatientName = "Müller^Jürgen"
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.InstitutionName = "Klinik für Übung"
    return data_set


STATES = (
    as_read, decoded, partly, raw_in_decoded, decoded_around_raw, copied, built_anew, changed,
)  # fmt: skip


def written(data_set):
    """The index of what pydicom writes of a data set."""
    out, encoding = DicomBytesIO(), encoding_of(data_set)
    out.is_implicit_VR, out.is_little_endian = encoding
    write_dataset(out, data_set)
    return Part10.from_data_set(out.getvalue(), SYNTAXES[encoding]).index()


@pytest.mark.parametrize("state", STATES)
def test_every_file_in_every_state(twins, state):
    seen = 0
    for name, content in files().items():
        seen += 1
        data_set = state(dcmread(io.BytesIO(content), force=True))
        compiled, pure = (walked(twin.module("dataset"), data_set) for twin in twins)
        assert compiled == pure, name
        base = os.path.basename(name)
        try:
            index = written(data_set)
        except TypeError:
            assert base in NOT_WRITTEN
            continue
        except MalformedError:
            assert base in NOT_READ
            continue
        out = bytearray()
        coverage = index.stream(out.extend)
        if base not in NOT_READ:
            assert compiled[0] == (coverage, bytes(out)), name
    assert seen > 195


@pytest.mark.parametrize("state", [as_read, decoded])
def test_the_source_of_an_index_is_what_pydicom_writes(state):
    for name, content in files().items():
        if os.path.basename(name) in NOT_READ | NOT_WRITTEN:
            continue
        data_set = state(dcmread(io.BytesIO(content), force=True))
        data, syntax = as_written(data_set)
        ours = Part10.from_data_set(data, syntax, little_endian=True).index()
        theirs = written(data_set)
        assert records(ours) == records(theirs), name


def records(index):
    """Tags, VRs and kinds, in their order: what is not a matter of lengths."""
    found = map(index.record, range(len(index)))
    return [(one.tag, one.vr, one.kind, one.flags & 0x22) for one in found if one.tag & 0xFFFF]


def test_no_depth_is_too_much(twins):
    """Sequences inside one another cost no stack, and have an end where the index has one."""
    for depth, fails in ((2048, False), (2049, True)):
        data_set = inner = Dataset()
        for _ in range(depth):
            item = Dataset()
            inner.ReferencedImageSequence = [item]
            inner = item
        inner.PatientID = "x"
        results = [walked(twin.module("dataset"), data_set) for twin in twins]
        assert results[0] == results[1]
        assert (results[0][0][0] is EncodingError) == fails
        while data_set:  # or Python's own recursion ends the process when it goes
            data_set, inner = data_set.ReferencedImageSequence[0], data_set
            if "ReferencedImageSequence" not in data_set:
                break
            inner.ReferencedImageSequence = []


def test_a_data_set_inside_itself(twins):
    data_set = Dataset()
    data_set.ReferencedImageSequence = [Dataset()]
    data_set.ReferencedImageSequence[0].ReferencedImageSequence = [data_set]
    for twin in twins:
        with pytest.raises(EncodingError, match="more than 2048 sequences inside one another"):
            twin.module("dataset").canonical(len, data_set, None, (), (False, True))

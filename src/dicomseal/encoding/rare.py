"""What both walks over a data set in memory ask pydicom: rare values, character sets, decoding.

In: elements of a `pydicom.Dataset` and the data sets around them. Out: bytes, or the element that
pydicom would write. No data set, element or value is changed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pydicom.charset import convert_encodings, encode_string
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_deferred_data_element
from pydicom.filewriter import correct_ambiguous_vr_element, write_data_element
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.valuerep import IS, DSfloat, PersonName

from ..errors import EncodingError
from ..standard import terms
from ..standard.tags import format_tag
from .dataset_encoding import is_compressed

__all__ = [
    "IS", "DSfloat", "DataElement", "MultiValue", "PersonName", "RawDataElement", "Sequence",
    "is_compressed",
]  # fmt: skip

DEFAULT = "ISO_IR 6"
_HEADER = 8  # bytes of a tag and a length in implicit VR


def failed(tag: int, error: BaseException) -> EncodingError:
    """Return the error for an element of which pydicom or a value's own code raised another one."""
    return EncodingError(f"pydicom cannot write {format_tag(tag)}: {error}")


def too_deep(depth: int) -> EncodingError:
    """Return the error for sequences inside one another, deeper than can be, or without an end."""
    return EncodingError(f"the data set has more than {depth} sequences inside one another")


def without_length(tag: int, vr: str) -> EncodingError:
    """Return the error for an element of undefined length that cannot have one."""
    return EncodingError(f"{format_tag(tag)} has the VR {vr} and an undefined length")


def unknown_vr(tag: int, vr: object) -> EncodingError:
    """Return the error for an element whose VR the standard does not know."""
    return EncodingError(f"{format_tag(tag)} has the VR {vr!r}, which is not known")


def not_bytes(tag: int, value: object) -> EncodingError:
    """Return the error for an element that was not decoded, with a value that is not bytes."""
    return EncodingError(f"{format_tag(tag)} was not decoded and holds a {type(value).__name__}")


def no_tag(sequence: int, key: object) -> EncodingError:
    """Return the error for a data set, or an item of a sequence, with a key that is not a tag."""
    where = f"an item of {format_tag(sequence)}" if sequence else "the data set"
    return EncodingError(f"{where} has the key {key!r}, which is not a tag")


def no_items(tag: int, item: object) -> EncodingError:
    """Return the error for a sequence with an item that is not a data set."""
    return EncodingError(f"{format_tag(tag)} holds a {type(item).__name__}, which is no Dataset")


# --- a data set and the elements as they were read ------------------------------------------------


def is_rewritten(dataset: Any, encoding: tuple[bool, bool]) -> bool:
    """Return whether pydicom decodes and encodes anew what was read, when it writes a data set.

    It does where the encoding or the Specific Character Set is another one by now, and keeps the
    bytes of elements that were not decoded otherwise.

    Args:
        dataset: the data set or item.
        encoding: how it will be written: in implicit VR, in little endian.
    """
    if dataset.original_encoding != encoding:
        return True
    element = dataset._dict.get(terms.SPECIFIC_CHARACTER_SET)
    now = dataset._parent_encoding
    if element is not None:
        if element.is_raw:
            element = convert_raw_data_element(element, encoding="iso8859")
        now = convert_encodings(element.value)
    return bool(dataset.original_character_set != now)


def copied(dataset: Any) -> Dataset:
    """Return a data set with the same elements: pydicom decodes in place what it looks at."""
    copy_of = Dataset.__new__(Dataset)
    copy_of.__dict__.update(dataset.__dict__)
    copy_of.__dict__["_dict"] = dict(dataset._dict)
    return copy_of


def decoded(dataset: Dataset, element: Any) -> Any:
    """Return an element that was not decoded yet, as pydicom decodes it.

    Args:
        dataset: a copy of the data set or item that holds it, see `copied`.
        element: the element.
    """
    charset: Any = "iso8859"
    if element.tag != terms.SPECIFIC_CHARACTER_SET:
        charset = dataset.original_character_set or dataset._character_set
    return convert_raw_data_element(element, encoding=charset, ds=dataset)


def deferred(dataset: Any, element: Any) -> Any:
    """Return an element that was left in its file, read now."""
    source = dataset.filename or dataset.buffer
    if dataset.filename and dataset.buffer and not getattr(dataset.buffer, "closed", False):
        source = dataset.buffer
    try:
        return read_deferred_data_element(dataset.fileobj_type, source, dataset.timestamp, element)
    except Exception as error:  # whatever pydicom and the file raise
        raise EncodingError(
            f"{format_tag(element.tag)} was not read with the data set (defer_size), and cannot be "
            f"read from its file any more: {error}"
        ) from error


def creator(element: Any) -> bytes | None:
    """Return the value of a Private Creator; None if there is none."""
    if element is None:
        return None
    value = element.value
    if isinstance(value, bytes):
        return value[:64]
    return str(value or "").encode("latin-1", "replace")[:64]


def first_number(element: Any) -> int | None:
    """Return the first value of a US element; None if it has none."""
    value = None if element is None else element.value
    if element is not None and element.is_raw:
        if not value or len(value) < 2:
            return None
        return int.from_bytes(value[:2], "little" if element.is_little_endian else "big")
    if isinstance(value, (list, MultiValue)):
        value = value[0] if value else None
    return value if isinstance(value, int) else None


def settled(element: Any, scopes: list[Any]) -> Any:
    """Return a copy of an element with an open VR, such as ``US or SS``, with the written VR.

    Args:
        element: the element.
        scopes: copies of the data set or item that holds it and those around it, nearest first.
    """
    return correct_ambiguous_vr_element(copy.copy(element), scopes[0], True, scopes)


# --- text -----------------------------------------------------------------------------------------


def encodings_of(element: Any) -> tuple[str, ...]:
    """Return Python's encodings for a Specific Character Set (0008,0005)."""
    value = None if element is None else element.value
    if isinstance(value, bytes):
        terms_ = [term.strip(" \0") for term in value.decode("latin-1").split("\\")]
        value = terms_ if len(terms_) > 1 else terms_[0]
    return _encodings((value,) if isinstance(value, str) or not value else tuple(value))


@lru_cache(maxsize=64)
def _encodings(names: tuple[str | None, ...]) -> tuple[str, ...]:
    return tuple(convert_encodings([name or "" for name in names]))


def text(value: str, encodings: Collection[str]) -> bytes:
    """Encode text in the character sets that apply (PS3.5 Section 6.1.2)."""
    return encode_string(value, list(encodings))


def person_name(value: Any, encodings: Collection[str]) -> bytes:
    """Return a person's name: as it was read, where these are the encodings it was read in."""
    return bytes(copy.copy(value).encode(encodings))  # the copy: it remembers what it encoded


# --- the rest -------------------------------------------------------------------------------------


def written(element: Any, vr: str, encodings: Collection[str]) -> bytes:
    """Return the value of an element as pydicom's writer has it, not padded.

    Raises:
        EncodingError: it has none in its VR.
    """
    tag = int(element.tag)
    try:
        if element.is_undefined_length:
            raise without_length(tag, vr)
        if vr in ("DS", "IS"):
            _check_numbers(tag, vr, element.value)
        if vr == "PN":
            element = _copied_names(element)
        out = DicomBytesIO()
        out.is_little_endian = out.is_implicit_VR = True
        write_data_element(out, element, list(encodings))
    except EncodingError:
        raise
    except Exception as error:  # whatever pydicom's writers raise
        raise failed(tag, error) from error
    return out.getvalue()[_HEADER:]


def unseen_sequence(element: Any, encodings: Collection[str]) -> bytes:
    """Return the items of a sequence that no reader of implicit VR takes for one.

    The dictionary has another VR for it, or none, and its length is stated: so its bytes count, as
    pydicom writes them.
    """
    if not element.value:
        return b""
    return written(copy.deepcopy(element), "SQ", encodings)


def _check_numbers(tag: int, vr: str, value: Any) -> None:
    """Check for None and NaN, which pydicom would write as words that are not numbers."""
    several = value if isinstance(value, (list, tuple, MultiValue)) else [value]
    for one in several:
        unfit = one is None
        if isinstance(one, (int, float, Decimal)) and not hasattr(one, "original_string"):
            unfit = not math.isfinite(one)
        if unfit:
            raise EncodingError(f"{format_tag(tag)} has the VR {vr} and the value {one!r}")


def _copied_names(element: Any) -> Any:
    """Return the element with copies of its names.

    A `PersonName` remembers what it was encoded to.
    """
    element = copy.copy(element)
    names = element.value
    several = isinstance(names, (list, MultiValue))
    element._value = [copy.copy(name) for name in names] if several else copy.copy(names)
    return element

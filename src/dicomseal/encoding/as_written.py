"""The form in which a `pydicom.Dataset` will be written: the VRs in memory may not survive it.

In: a `pydicom.Dataset`.
Out: the bytes that pydicom writes and their transfer syntax, or None if they are not needed.
PS3: PS3.5 Section 7.1.3 and Annex A.

Implicit VR states no VR, so a reader uses those of the dictionary, whatever the data set had. In
big endian, words that pydicom keeps as bytes are written as they are. So a signature is computed
over the bytes that pydicom writes, as every other reader will see these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID

from ..errors import EncodingError
from ..standard import transfer_syntaxes

if TYPE_CHECKING:
    from pydicom import Dataset

_EXPLICIT = (False, True)  # implicit VR, little endian
_SYNTAXES = {
    (True, True): transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN,
    (False, False): transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN,
}


def encoding_of(dataset: Dataset) -> tuple[bool, bool]:
    """Return whether `Dataset.save_as` writes implicit VR, and whether little endian.

    The Transfer Syntax UID of its File Meta Information decides. Without a known one, the encoding
    that was set for the data set decides, or that from which it was read.
    """
    meta = getattr(dataset, "file_meta", None)
    name = str(meta.get("TransferSyntaxUID", "") or "") if meta is not None else ""
    uid = UID(name)
    if name and uid.is_transfer_syntax:
        return bool(uid.is_implicit_VR), bool(uid.is_little_endian)
    stated = getattr(dataset, "_is_implicit_VR", None), getattr(dataset, "_is_little_endian", None)
    for implicit, little in (stated, getattr(dataset, "original_encoding", (None, None))):
        if implicit is not None and little is not None:
            return bool(implicit), bool(little)
    return _EXPLICIT


def as_written(dataset: Dataset) -> tuple[bytes, str] | None:
    """Return the bytes that pydicom writes, and their transfer syntax.

    Return None if they are explicit VR little endian and nothing in the data set was read from
    another encoding: then the data set has the VRs and the values that will be written.

    Raises:
        EncodingError: pydicom cannot write it.
    """
    implicit, little = encoding = encoding_of(dataset)
    if encoding == _EXPLICIT and all(_is_plain(scope) for scope in _scopes(dataset)):
        return None
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = implicit, little
    kept = [(element, element.VR, element._value) for element in _ambiguous(dataset)]
    try:
        write_dataset(out, dataset)
    except Exception as error:  # whatever pydicom's readers and writers raise
        raise EncodingError(f"pydicom cannot write the data set: {error}") from error
    finally:
        for element, vr, value in kept:  # the writer changes them in place
            element.VR, element._value = vr, value
    return out.getvalue(), _SYNTAXES.get(encoding, transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN)


def _is_plain(scope: Dataset) -> bool:
    return getattr(scope, "original_encoding", (None, None)) in ((None, None), _EXPLICIT)


def _scopes(dataset: Dataset) -> Iterator[Dataset]:
    """Yield a data set and the items in it that were read already, at any depth."""
    waiting = [dataset]
    while waiting:
        scope = waiting.pop()
        yield scope
        for element in scope._dict.values():
            if getattr(element, "VR", "") == "SQ" and not getattr(element, "is_raw", False):
                waiting += cast("list[Dataset]", element.value or [])


def _ambiguous(dataset: Dataset) -> Iterator[Any]:
    """Yield the elements whose VR is still ``US or SS`` or the like."""
    for scope in _scopes(dataset):
        for element in scope._dict.values():
            if not getattr(element, "is_raw", True) and len(element.VR or "UN") != 2:
                yield element

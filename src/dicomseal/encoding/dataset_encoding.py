"""The encoding in which a `pydicom.Dataset` will be written.

In: a `pydicom.Dataset`.
Out: whether it is in implicit VR and in little endian, and its transfer syntax.
PS3: PS3.5 Section 10 and Annex A.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydicom.uid import UID

from ..standard import terms, transfer_syntaxes

if TYPE_CHECKING:
    from pydicom import Dataset

_EXPLICIT = (False, True)  # implicit VR, little endian
_NO_ELEMENTS: dict[int, Any] = {}
_SYNTAXES = {
    (True, True): transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN,
    (False, False): transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN,
}


def stated_transfer_syntax(dataset: Any) -> str:
    """Return the Transfer Syntax UID of a data set's File Meta Information; empty without one."""
    meta = getattr(dataset, "file_meta", None)
    if meta is None:
        return ""
    # pydicom looks the keyword up, which takes longer than to encode a small data set
    element = getattr(meta, "_dict", _NO_ELEMENTS).get(terms.TRANSFER_SYNTAX_UID)
    if element is None or element.is_raw:
        value = meta.get("TransferSyntaxUID", None)
    else:
        value = element.value
    return value if isinstance(value, str) else str(value or "")


def encoding_of(dataset: Dataset) -> tuple[bool, bool]:
    """Return whether `Dataset.save_as` writes implicit VR, and whether little endian.

    The Transfer Syntax UID of its File Meta Information decides. Without a known one, the encoding
    that was set for the data set decides, or that from which it was read.
    """
    uid = stated_transfer_syntax(dataset)
    # a private UID may have an encoding of its own (`pydicom.uid.UID.set_private_encoding`)
    known = getattr(uid, "_PRIVATE_TS_ENCODING", None) or (uid and _encoding_of_uid(uid))
    if known:
        implicit, little = known
        return bool(implicit), bool(little)
    stated = getattr(dataset, "_is_implicit_VR", None), getattr(dataset, "_is_little_endian", None)
    for implicit, little in (stated, getattr(dataset, "original_encoding", (None, None))):
        if implicit is not None and little is not None:
            return bool(implicit), bool(little)
    return _EXPLICIT


def is_compressed(dataset: Any) -> bool:
    """Return whether the File Meta Information says that Pixel Data are encapsulated."""
    uid = stated_transfer_syntax(dataset)
    return bool(uid) and _is_compressed_uid(uid)


@lru_cache(maxsize=64)
def _is_compressed_uid(name: str) -> bool:
    if transfer_syntaxes.is_encapsulated(str(name)):
        return True  # there are newer ones than those that pydicom knows
    uid = UID(str(name))
    return not uid.is_private and uid.is_transfer_syntax and uid.is_encapsulated


@lru_cache(maxsize=64)
def _encoding_of_uid(name: str) -> tuple[bool, bool] | None:
    uid = UID(str(name))  # the text alone, as it is found again by that
    if not uid.is_transfer_syntax:
        return None
    return bool(uid.is_implicit_VR), bool(uid.is_little_endian)


def syntax_of(dataset: Dataset, implicit: bool, little: bool) -> str:
    """Return the transfer syntax of a data set that is written in an encoding."""
    if implicit or not little:
        return _SYNTAXES.get((implicit, little), transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN)
    uid = stated_transfer_syntax(dataset)
    return str(uid) if uid in transfer_syntaxes.DEFLATED else transfer_syntax_of(dataset)


def transfer_syntax_of(dataset: Dataset) -> str:
    """Return the transfer syntax of the data set's Pixel Data: encapsulated, or explicit VR.

    It is what MAC Calculation Transfer Syntax UID (0400,0010) says of a signature over it.
    """
    uid = stated_transfer_syntax(dataset)
    if not uid:
        uid = str(getattr(dataset, "_read_transfer_syntax", "") or "")
    return transfer_syntaxes.mac_transfer_syntax(uid)

"""An item of the MAC Parameters Sequence (4FFE,0001).

In: the index of an object, and the record of the item; or an item of a `pydicom.Dataset`.
Out: `MacParameters`; and back, the elements of an item.
PS3: PS3.3 Table C.12-6.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from ..encoding.backend import first_repeated, first_unsignable, tags_of
from ..encoding.values import as_number, as_text, items_of, number_of
from ..errors import SigningError
from ..standard import terms
from . import items

if TYPE_CHECKING:
    from pydicom import Dataset

    from ..encoding.backend import Index
    from ..encoding.record import RawMac

MAX_TAGS = 0xFFFF // 4
"""The most tags in Data Elements Signed in explicit VR, whose length has 16 bits."""


class MacParameters(msgspec.Struct, frozen=True):
    """The parameters of the MAC calculation of one or more signatures.

    Attributes:
        mac_id: MAC ID Number (0400,0005); None if it is absent.
        transfer_syntax: MAC Calculation Transfer Syntax UID (0400,0010).
        algorithm: MAC Algorithm (0400,0015), a defined term.
        data_elements_signed: Data Elements Signed (0400,0020), as tags.
    """

    mac_id: int | None
    transfer_syntax: str
    algorithm: str
    data_elements_signed: tuple[int, ...]

    def item(self) -> items.Item:
        """Return the elements of a sequence item.

        Raises:
            SigningError: there are more tags than an explicit VR length can hold.
        """
        if len(self.data_elements_signed) > MAX_TAGS:
            raise SigningError(
                f"{len(self.data_elements_signed)} elements are to be signed; Data Elements "
                f"Signed (0400,0020) can list {MAX_TAGS}: choose some with --tag"
            )
        words = [w for tag in self.data_elements_signed for w in (tag >> 16, tag & 0xFFFF)]
        return [
            (terms.MAC_ID_NUMBER, "US", struct.pack("<H", self.mac_id or 0)),
            items.text(terms.MAC_CALCULATION_TRANSFER_SYNTAX_UID, "UI", self.transfer_syntax),
            items.text(terms.MAC_ALGORITHM, "CS", self.algorithm),
            (terms.DATA_ELEMENTS_SIGNED, "AT", struct.pack(f"<{len(words)}H", *words)),
        ]

    def encoded(self, implicit: bool, big_endian: bool) -> bytes:
        """Return the encoded sequence item; errors as `item`."""
        if len(self.data_elements_signed) > MAX_REMEMBERED:
            return items.encode_item(self.item(), implicit, big_endian)
        return _encoded(self, implicit, big_endian)

    def unsignable(self) -> int | None:
        """Return the first listed tag that can never be signed, or None (PS3.3 C.12.1.1.3.1.1)."""
        return first_unsignable(self.data_elements_signed)

    def repeated(self) -> int | None:
        """Return the first tag that is listed twice, or None."""
        return first_repeated(self.data_elements_signed)


# the objects of one device have the same parameters
MAX_REMEMBERED = 4096  # tags


@lru_cache(64)
def _encoded(parameters: MacParameters, implicit: bool, big_endian: bool) -> bytes:
    return items.encode_item(parameters.item(), implicit, big_endian)


def decode(values: RawMac, big_endian: bool) -> MacParameters:
    """Decode the values; missing ones are empty."""
    mac_id, transfer_syntax, algorithm, listed = values
    return MacParameters(
        as_number(mac_id, big_endian),
        as_text(transfer_syntax),
        as_text(algorithm),
        tags_of(listed, big_endian),
    )


def read(index: Index, item: int) -> MacParameters:
    """Read the MAC Parameters in an item; missing values are empty."""
    return decode(index.mac_parameters(item), index.big_endian)


def from_dataset(item: Dataset) -> MacParameters:
    """Read the MAC Parameters in an item of a `pydicom.Dataset`."""
    listed = item.get("DataElementsSigned")
    if listed is None:
        tags: tuple[int, ...] = ()
    else:
        tags = tuple(int(t) for t in ([listed] if isinstance(listed, int) else listed))
    return MacParameters(
        item.get("MACIDNumber"),
        str(item.get("MACCalculationTransferSyntaxUID") or ""),
        str(item.get("MACAlgorithm") or ""),
        tags,
    )


def read_ids(index: Index, scope: int) -> list[tuple[int | None, int]]:
    """Return the MAC ID Number and the record of every MAC Parameters item of a scope."""
    return [
        (number_of(index, item, terms.MAC_ID_NUMBER), item)
        for item in items_of(index, scope, terms.MAC_PARAMETERS_SEQUENCE)
    ]

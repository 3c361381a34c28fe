"""A data set or item that signatures cover, and the hashes over it, each computed once."""

from __future__ import annotations

import hashlib
from typing import Any

from ..ambiguity import open_vrs
from ..ambiguity.hidden_elements import Hidden, hidden
from ..ambiguity.merged_fragments import merged
from ..encoding import limits
from ..encoding import record as _record
from ..encoding.backend import Index
from ..files.part10 import Part10
from ..standard import terms
from ..standard.mac_algorithms import new_hasher
from . import element_views, locations, mac_parameters, material
from .digital_signature import DigitalSignature
from .locations import format_location
from .mac_parameters import MacParameters
from .material import Means

# what goes up with the product of two counts is counted as so many bytes read (see `Work`)
_WORK_OF_A_STEP = 1024  # of a location


_WORK_OF_A_TAG = 32  # of a list that is looked through for one signature


_MOST_KEPT = 8  # of what the signatures of a scope share


class Scope:
    """One data set or item that holds signatures.

    Attributes:
        location: where it is, as `format_location` writes it; empty for the main data set.
        history: whether it lies inside Original Attributes Sequence (0400,0561).
        several: whether it holds more than one signature.
        is_new: whether the certificate of the last of its signatures was not met before.
        macs: MAC ID Number to the record of the MAC Parameters item.
        repeated: the MAC ID Numbers that more than one item has.
        elements: what `profiles` asks of it.
    """

    def __init__(self, part10: Part10, index: Index, scope: int, work: limits.ReadBudget) -> None:
        self.part10, self.index, self.scope, self.work = part10, index, scope, work
        steps = locations.locate(index, scope)
        work.read(_WORK_OF_A_STEP * len(steps))
        self.location = format_location(steps) if steps else ""
        self.history = locations.is_history(steps)
        self.several = self.is_new = False
        self.elements = element_views.Elements(index, scope, work)
        self._hashed: dict[Any, tuple[hashlib._Hash, _record.Coverage]] = {}
        self._means: dict[Any, Means] = {}
        self._hidden: tuple[Hidden, ...] | None = None
        self._merged: bool | None = None
        self.vrs: dict[int, str] = {}  # that an earlier signature was found to be over
        self._open: dict[Any, tuple[list[int], list[open_vrs.Open]]] = {}
        self.macs: dict[int, int] = {}
        self.repeated: set[int] = set()
        for mac_id, item in mac_parameters.read_ids(index, scope):
            if mac_id is not None and self.macs.setdefault(mac_id, item) != item:
                self.repeated.add(mac_id)

    def means(self, stored: DigitalSignature) -> Means:
        """With what a signature is verified; looked up once for those that share it."""
        item = None if stored.mac_id is None else self.macs.get(stored.mac_id)
        key = item, stored.certificate_type, stored.certificate
        found = self._means.get(key)
        self.is_new = self.work.certificate(stored.certificate)
        if found is None:
            raw = None if item is None else mac_parameters.raw(self.index, item)
            found = material.of(raw, self.index.big_endian, *key[1:])
            if self.several:
                self.work.read(_WORK_OF_A_TAG * (len(found.listed) // 4))
                _keep(self._means, key, found)
        return found

    def hashed(
        self, mac: MacParameters, listed: bytes, legacy: bool
    ) -> tuple[hashlib._Hash, _record.Coverage]:
        """A hasher that has taken in the elements a signature lists, and which those were.

        Of several signatures over the same elements only the first costs a pass over them.

        Args:
            mac: its MAC Parameters.
            listed: Data Elements Signed in them, as stored.
            legacy: see `Index.stream`.
        """
        if not self.several:
            return self._hash(mac, legacy)
        key = mac.algorithm, listed, legacy
        if key not in self._hashed:
            _keep(self._hashed, key, self._hash(mac, legacy))
        hasher, coverage = self._hashed[key]
        return hasher.copy(), coverage

    def _hash(self, mac: MacParameters, legacy: bool) -> tuple[hashlib._Hash, _record.Coverage]:
        hasher = new_hasher(mac.algorithm)
        self.work.read(self._size())
        coverage = self.index.stream(
            hasher.update, self.scope, mac.data_elements_signed, legacy=legacy
        )
        return hasher, coverage

    def _size(self) -> int:
        """Its bytes, without those that no signature is over; 0 where that cannot matter."""
        if not self.several and self.scope == 0:
            return 0
        whole = self.index.record(self.scope)
        size = whole.end - whole.value
        for tag in (terms.MAC_PARAMETERS_SEQUENCE, terms.DIGITAL_SIGNATURES_SEQUENCE):
            number = self.index.find(self.scope, tag)
            if number >= 0:
                record = self.index.record(number)
                size -= record.end - record.start
        return size

    def open_elements(
        self, mac: MacParameters, listed: bytes, slips: bool
    ) -> tuple[list[int], list[open_vrs.Open]]:
        """The records of the elements a signature lists, and what `open_vrs.find` finds in them."""
        key = listed, slips
        if key not in self._open:
            elements = open_vrs.signed(self.index, self.scope, mac.data_elements_signed)
            found = open_vrs.find(self.index, self.scope, elements, slips)
            _keep(self._open, key, (elements, found))
        return self._open[key]

    def hidden(self) -> tuple[Hidden, ...]:
        """See `fragments.hidden`; looked for once."""
        if self._hidden is None:
            self._hidden = hidden(self.part10, self.index, self.scope, self.work)
        return self._hidden

    def merged(self) -> bool:
        """See `merged.merged`, for the main data set; looked for once."""
        if self._merged is None:
            self._merged = self.scope == 0 and merged(self.part10, self.index, self.work)
        return self._merged


def _keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    """Remember one more, and forget the oldest: what a hostile object makes us keep is bounded."""
    if len(kept) >= _MOST_KEPT:
        del kept[next(iter(kept))]
    kept[key] = value

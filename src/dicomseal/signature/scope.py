"""A data set or item that signatures cover, and the hashes over it, each computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..encoding import limits
from ..encoding import record as _record
from ..encoding.backend import Index
from ..encoding.values import items_of, number_of
from ..files.part10 import Part10
from ..standard import terms
from . import element_views, mac_parameters
from .digital_signature import DigitalSignature
from .mac_parameters import MacParameters
from .material import VerificationMaterial, material_for

if TYPE_CHECKING:
    import hashlib

    from ..ambiguity.hidden_elements import Hidden
    from ..ambiguity.open_vrs import Open

# what goes up with the product of two counts is counted as so many bytes read (see `ReadBudget`)
_WORK_OF_A_STEP = 1024  # of a location
WORK_OF_A_TAG = 32  # of a list that is looked through for one signature
_MAX_KEPT = 8  # of what the signatures of a scope share


class Scope:
    """One data set or item that holds signatures.

    Attributes:
        location: where it is, as `format_location` writes it; empty for the main data set.
        history: whether it lies inside Original Attributes Sequence (0400,0561).
        several: whether it holds more than one signature, which then share what they can.
        is_new: whether the certificate of the last of its signatures was not met before.
        vrs: the VRs that an earlier signature was found to be over, by record.
    """

    # most objects have one signature, which needs little of what several share
    _elements: element_views.Elements | None = None
    _hidden: tuple[Hidden, ...] | None = None
    _merged: bool | None = None
    _by_mac_id: dict[int | None, list[int]] | None = None
    location = ""
    history = False
    is_new = False

    def __init__(
        self,
        part10: Part10,
        index: Index,
        scope: int,
        work: limits.ReadBudget,
        several: bool = False,
    ) -> None:
        self.part10, self.index, self.scope, self.work = part10, index, scope, work
        self.several = several
        if scope:
            from . import locations  # for start-up time: most objects sign no item

            steps = locations.locate(index, scope)
            work.read(_WORK_OF_A_STEP * len(steps))
            self.location = locations.format_location(steps)
            self.history = locations.is_history(steps)
        if several:
            self.elements.present()  # once, and not a search for each signature

    @property
    def elements(self) -> element_views.Elements:
        """What `profiles` asks of it."""
        if self._elements is None:
            self._elements = element_views.Elements(self.index, self.scope, self.work)
        return self._elements

    @cached_property
    def vrs(self) -> dict[int, str]:
        return {}

    @cached_property
    def _materials(self) -> dict[Any, VerificationMaterial]:
        return {}

    @cached_property
    def _hashed(self) -> dict[Any, tuple[hashlib._Hash, _record.Coverage]]:
        return {}

    @cached_property
    def open_elements(self) -> dict[Any, tuple[list[int], list[Open]]]:
        """What `other_forms` keeps for the next signature over the same elements."""
        return {}

    def mac_items(self, mac_id: int | None) -> Sequence[int]:
        """The records of the MAC Parameters items that have a MAC ID Number."""
        if self._by_mac_id is None:
            self._by_mac_id = {}
            index = self.index
            for item in items_of(index, self.scope, terms.MAC_PARAMETERS_SEQUENCE):
                number = number_of(index, item, terms.MAC_ID_NUMBER)
                self._by_mac_id.setdefault(number, []).append(item)
        return () if mac_id is None else self._by_mac_id.get(mac_id, ())

    def material(self, item: int | None, stored: DigitalSignature) -> VerificationMaterial:
        """What a signature is verified with; looked up once for those that share it.

        Args:
            item: the record of its MAC Parameters, or None.
            stored: the signature.
        """
        self.is_new = self.work.certificate(stored.certificate)
        if not self.several:
            return self._material(item, stored)
        key = item, stored.certificate_type, stored.certificate
        found = self._materials.get(key)
        if found is None:
            found = self._material(item, stored)
            self.work.read(WORK_OF_A_TAG * (len(found.listed) // 4))
            keep(self._materials, key, found)
        return found

    def _material(self, item: int | None, stored: DigitalSignature) -> VerificationMaterial:
        raw = None if item is None else mac_parameters.raw(self.index, item)
        return material_for(raw, self.index.big_endian, stored.certificate_type, stored.certificate)

    def hashed(
        self, material: VerificationMaterial, mac: MacParameters, legacy: bool
    ) -> tuple[hashlib._Hash, _record.Coverage]:
        """A hasher that has taken in the elements a signature lists, and which those were.

        Of several signatures over the same elements only the first costs a pass over them.

        Args:
            material: what the signature is verified with.
            mac: its MAC Parameters.
            legacy: see `Index.stream`.

        Raises:
            UsageError: there is no such hash here.
        """
        key = mac.algorithm, material.listed, legacy
        if self.several and key in self._hashed:
            hasher, coverage = self._hashed[key]
            return hasher.copy(), coverage
        hasher = material.empty_hasher()
        if self.several or self.scope:  # the first pass over the whole object is free
            self.work.read(self._size())
        coverage = self.index.stream(
            hasher.update, self.scope, mac.data_elements_signed, legacy=legacy
        )
        if not self.several:
            return hasher, coverage
        keep(self._hashed, key, (hasher, coverage))
        return hasher.copy(), coverage

    def _size(self) -> int:
        """Its bytes, without those that no signature is over."""
        whole = self.index.record(self.scope)
        size = whole.end - whole.value
        for tag in (terms.MAC_PARAMETERS_SEQUENCE, terms.DIGITAL_SIGNATURES_SEQUENCE):
            number = self.index.find(self.scope, tag)
            if number >= 0:
                record = self.index.record(number)
                size -= record.end - record.start
        return size

    def hidden(self) -> tuple[Hidden, ...]:
        """See `fragments.hidden`; looked for once."""
        if self._hidden is None:
            from ..ambiguity.hidden_elements import hidden  # for start-up time

            self._hidden = hidden(self.part10, self.index, self.scope, self.work)
        return self._hidden

    def merged(self) -> bool:
        """See `merged.merged`, for the main data set; looked for once."""
        if self._merged is None:
            from ..ambiguity.merged_fragments import merged  # for start-up time

            self._merged = self.scope == 0 and merged(self.part10, self.index, self.work)
        return self._merged


def keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    """Remember one more, and forget the oldest: what a hostile object makes us keep is bounded."""
    if len(kept) >= _MAX_KEPT:
        del kept[next(iter(kept))]
    kept[key] = value

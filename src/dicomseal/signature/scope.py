"""A data set or item that signatures cover, and the hashes over it, each computed once.

In: the index of an object, and the record of a data set or item.
Out: hashers that have taken in the listed elements, shared by the signatures of the scope.
PS3: PS3.3 C.12.1.1.3.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..encoding import limits
from ..encoding import record as _record
from ..encoding.backend import Index
from ..encoding.record import SoleSignature
from ..files.part10 import Part10
from ..standard import terms
from . import element_views, mac_parameters
from .digital_signature import DigitalSignature
from .mac_parameters import MacParameters
from .material import VerificationMaterial, material_for

if TYPE_CHECKING:
    import hashlib

    from ..ambiguity.hidden_elements import Hidden, Suspect
    from ..ambiguity.open_vrs import Open

# work that grows with the product of two counts is charged as bytes read (see `ReadBudget`)
_WORK_OF_A_STEP = 1024  # of a location
WORK_OF_A_TAG = 32  # of a list that is searched for one signature
_MAX_KEPT = 8  # of the results that signatures of a scope share


class Scope:
    """One data set or item that holds signatures.

    Attributes:
        location: its place, as `format_location` writes it; empty for the main data set.
        history: whether it is inside Original Attributes Sequence (0400,0561).
        several: whether it holds more than one signature; these share results if possible.
        is_new: whether the certificate of the last of its signatures occurred for the first time.
        vrs: the VRs that an earlier signature was found to be over, by record.
    """

    # most objects have one signature, which does not need the shared results
    _elements: element_views.Elements | None = None
    _suspects: tuple[Suspect, ...] | None = None
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
        sole: SoleSignature | None = None,
    ) -> None:
        self.part10, self.index, self.scope, self.work = part10, index, scope, work
        self.several, self._sole = several, sole
        if scope:
            from . import locations  # for start-up time: most objects sign no item

            steps = locations.locate(index, scope)
            work.read(_WORK_OF_A_STEP * len(steps))
            self.location = locations.format_location(steps)
            self.history = locations.is_history(steps)
        if several:
            self.elements.present()  # computed once, instead of a search for each signature

    @property
    def elements(self) -> element_views.Elements:
        """The view of its elements for `profiles`."""
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
        """The results of `other_forms` for the next signature over the same elements."""
        return {}

    def mac_items(self, mac_id: int | None) -> Sequence[int]:
        """Return the records of the MAC Parameters items that have a MAC ID Number."""
        if self._sole is not None:
            return (self._sole.parameters,)
        if self._by_mac_id is None:
            self._by_mac_id = {}
            for number, item in mac_parameters.read_ids(self.index, self.scope):
                self._by_mac_id.setdefault(number, []).append(item)
        return () if mac_id is None else self._by_mac_id.get(mac_id, ())

    def material(self, item: int | None, stored: DigitalSignature) -> VerificationMaterial:
        """Return the verification material of a signature; looked up once for a shared one.

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
        raw = None
        if self._sole is not None:
            raw = self._sole.mac
        elif item is not None:
            raw = self.index.mac_parameters(item)
        return material_for(raw, self.index.big_endian, stored.certificate_type, stored.certificate)

    def hashed(
        self, material: VerificationMaterial, mac: MacParameters, legacy: bool
    ) -> tuple[hashlib._Hash, _record.Coverage]:
        """Return a hasher that has taken in the listed elements, and which were present.

        Of several signatures over the same elements only the first costs a pass over them.

        Args:
            material: the verification material of the signature.
            mac: its MAC Parameters.
            legacy: see `Index.stream`.

        Raises:
            UsageError: this hash is not available.
        """
        if not self.several:
            if self.scope:  # the first pass over the whole object is free
                self.work.read(self._size())
            return self._pass(material, mac, legacy)
        key = mac.algorithm, material.listed, legacy
        if key not in self._hashed:
            self.work.read(self._size())
            keep(self._hashed, key, self._pass(material, mac, legacy))
        hasher, coverage = self._hashed[key]
        return hasher.copy(), coverage

    def _pass(
        self, material: VerificationMaterial, mac: MacParameters, legacy: bool
    ) -> tuple[hashlib._Hash, _record.Coverage]:
        hasher = material.empty_hasher()
        return hasher, self.index.stream(
            hasher.update, self.scope, mac.data_elements_signed, legacy=legacy
        )

    def _size(self) -> int:
        """Return its size in bytes, without elements that no signature covers."""
        whole = self.index.record(self.scope)
        size = whole.end - whole.value
        for tag in (terms.MAC_PARAMETERS_SEQUENCE, terms.DIGITAL_SIGNATURES_SEQUENCE):
            number = self.index.find(self.scope, tag)
            if number >= 0:
                record = self.index.record(number)
                size -= record.end - record.start
        return size

    def suspects(self) -> tuple[Suspect, ...]:
        """Return the fragments that may hold elements, see `hidden_elements.suspects`."""
        if self._suspects is None:
            from ..ambiguity.hidden_elements import suspects  # for start-up time

            self._suspects = suspects(self.part10, self.index, self.scope, self.work)
        return self._suspects

    def hidden(self) -> tuple[Hidden, ...]:
        """Return the hidden elements, see `hidden_elements.hidden`; searched for once."""
        if self._hidden is None:
            from ..ambiguity.hidden_elements import hidden  # for start-up time

            self._hidden = hidden(self.part10, self.index, self.scope, self.suspects(), self.work)
        return self._hidden

    def merged(self) -> bool:
        """Return whether fragments were merged, see `merged_fragments.merged`."""
        if self._merged is None:
            from ..ambiguity.merged_fragments import merged  # for start-up time

            self._merged = self.scope == 0 and merged(self.part10, self.index, self.work)
        return self._merged


def keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    """Remember a result, and forget the oldest one, as a hostile object may cause many."""
    if len(kept) >= _MAX_KEPT:
        del kept[next(iter(kept))]
    kept[key] = value

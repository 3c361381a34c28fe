"""The other forms that signed content may have had, and why a signature is over none of them.

In: a check whose signature is not over the content in the form of the standard.
Out: nothing if it is over another accepted form, else `Broken` with the reason.
PS3: PS3.3 C.12.1.1.3.1.1; PS3.5 Section 7.1.3 (implicit VR loses VRs).

dcmsign has hashed two forms that are not those of the standard.
"""

from __future__ import annotations

from typing import NoReturn

from ..ambiguity import open_vrs
from ..ambiguity.vr_search import Found, Search
from ..encoding import limits
from ..encoding import record as _record
from ..report import ReasonCode
from ..standard import terms, transfer_syntaxes
from ..standard.dictionary import UNKNOWN
from ..standard.mac_algorithms import new_hasher
from ..standard.tags import describe
from . import unpadded
from .certificate import kind_of, signed_digest
from .failure import altered, unverifiable
from .integrity import LEGACY, UNPADDED, Check
from .scope import WORK_OF_A_TAG, keep

_MAX_LOST = 2  # elements whose VR is not known; with more of them a search is hopeless
_MAX_SLIPS = 4096  # records of an object in which every text may have had another VR
_MAX_NAMED = 5  # in a sentence
_SHORT_SEARCH, _PASSES = 1 << 18, 4  # bytes, and times the size of the object


def verify(check: Check) -> None:
    """Verify a signature in whatever form its content may have had.

    Returns if the signature is intact.

    Raises:
        Broken: it is not, with the reason.
    """
    if not check.verifies_as_it_is():
        verify_otherwise(check)
    check.check_frames()
    check.check_fragments()


def verify_otherwise(check: Check) -> None:
    """Try the other forms of the signed content, after `Check.verifies_as_it_is` was False.

    Raises:
        Broken: it is over none of them; the reason is searched for as well, which may take long.
    """
    OtherForms(check).run()


class OtherForms:
    """The search for the form that a signature is over."""

    def __init__(self, check: Check) -> None:
        if check.mac is None or check.certificate is None:
            raise AssertionError("verifies_as_it_is was not called before")
        self.check, self.scope, self.material = check, check.scope, check.material
        self.mac, self.signer = check.mac, check.certificate

    def run(self) -> None:
        """Return if the form is found; see `verify_otherwise`."""
        if not self._verifies_otherwise():
            self._explain()

    def _open_elements(self, slips: bool) -> tuple[list[int], list[open_vrs.Open]]:
        """Return the records of the elements it lists, and the open ones by `open_vrs.find`."""
        scope, key = self.scope, (self.material.listed, slips)
        if key not in scope.open_elements:
            elements = open_vrs.signed(scope.index, scope.scope, self.mac.data_elements_signed)
            found = open_vrs.find(scope.index, scope.scope, elements, slips)
            keep(scope.open_elements, key, (elements, found))
        return scope.open_elements[key]

    def _search(
        self, elements: list[int], found: list[open_vrs.Open], expected: bytes | None, most: int
    ) -> Search:
        """Return a search for VRs with which the MAC is the signed one.

        Args:
            elements, found: see `_open_elements`.
            expected: the signed MAC, or None if the key does not reveal it.
            most: how many bytes it may hash.
        """
        verifies, signature = self.material.verifies, self.check.stored.signature
        return Search(
            self.scope.index,
            self.scope.scope,
            elements,
            found,
            self._own(),
            new_hasher(self.mac.algorithm),
            lambda digest: digest == expected if expected else verifies(digest, signature),
            most,
            0 if expected else self.material.effort,
        )

    def _own(self) -> bytes:
        """Return the signature's own item as the MAC takes it in."""
        tail = bytearray()
        self.scope.index.stream(tail.extend, self.check.item, None, without=terms.NOT_IN_MAC)
        return bytes(tail)

    def _verifies_otherwise(self) -> bool:
        """Return whether another form verifies: VRs lost in implicit VR, or dcmsign's forms."""
        if self._verifies_unpadded():
            return True
        if self.scope.part10.implicit and self._verifies_with_other_vrs():
            return True
        if self.check.undecided:
            raise self.check.undecided
        if not transfer_syntaxes.is_encapsulated(self.scope.part10.transfer_syntax):
            return False
        if self.check.matches(self.mac, legacy=True):
            origin = "made by dcmsign before 3.5.4, which hashed the lengths of fragments too"
            if not self.check.accept_legacy:
                raise altered(
                    ReasonCode.FORMAT_FAILURE,
                    f"{origin}; that form is not the standard's and is accepted only on request",
                )
            self.check.form = LEGACY
            self.check.messages.append(f"{origin}: accepted on request")
            return True
        return False

    def _verifies_unpadded(self) -> bool:
        """Return whether it verifies over OW of an odd length, see `unpadded`."""
        hasher = None if self.check.undecided else unpadded.hashed(self.scope, self.mac)
        if hasher is None:
            return False
        content = hasher.digest() if self.check.digests else b""
        hasher.update(self._own())
        self.scope.work.verification(self.material.effort)
        if not self.material.verifies(hasher.digest(), self.check.stored.signature):
            return False
        self.check.computed, self.check.content = hasher.digest(), content
        self.check.form = UNPADDED
        self.check.messages.append(unpadded.MESSAGE)
        return True

    def _verifies_with_other_vrs(self) -> bool:
        """Return whether it verifies with other VRs, see `vr_search`.

        An undecided search is kept for later.
        """
        scope, signature = self.scope, self.check.stored.signature
        key = self.signer.public_key
        scope.work.verification(self.material.effort)
        expected = signed_digest(key, self.mac.algorithm, signature)
        if expected is None and kind_of(key) == "RSA":
            return False  # this key did not sign anything here
        for slips in (False, True):
            if slips and len(scope.index) > _MAX_SLIPS:
                break
            elements, found = self._open_elements(slips)
            lost = sum(one.kind == "unknown" and not one.likely() for one in found)
            if not found or lost > _MAX_LOST:
                continue
            most = scope.work.search()
            most = min(most, limits.MIN_SEARCH) if slips else most
            search = self._search(elements, found, expected, most)
            known = [scope.vrs.get(one.number, one.vr) for one in found]
            choice = search.run(known if scope.vrs else None)
            scope.work.searched(search.spent)
            if choice is not None and UNKNOWN in choice.vrs:
                self.check.undecided = unverifiable(
                    ReasonCode.SIGNED_DATA_NOT_FOUND,
                    f"{self.check.why_unknown()}, and in its form nothing was changed",
                )
                return False
            if choice is not None:
                self._take(found, choice)
                return True
            if not slips and not (search.exhausted and all(one.complete for one in found)):
                self._leave_undecided(found, search)
        return False

    def _check_stated_vrs(self, expected: bytes | None) -> None:
        """Check whether only VRs differ from the signed ones, and every value reads the same.

        A program that had the object in implicit VR in between chose the VRs again. VRs are signed,
        so the signature is not intact; but there is no sign that the content was changed.

        Args:
            expected: the signed MAC, or None if the key does not reveal it.
        """
        scope = self.scope
        part10 = scope.part10
        syntax = part10.transfer_syntax
        if part10.implicit or syntax == transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN:
            return
        if transfer_syntaxes.is_encapsulated(part10.transfer_syntax):
            return
        elements, found = self._open_elements(False)
        found = open_vrs.alike(scope.index, found)
        if not found:
            return
        # a changed content is much more common: only a few rules are tried
        most = min(scope.work.search(), _SHORT_SEARCH + _PASSES * part10.size)
        search = self._search(elements, found, expected, most)
        choice = search.run()
        scope.work.searched(search.spent)
        if choice is None:
            return
        other = [
            f"{describe(one.tag)} as {vr}, now {one.vr}"
            for one, vr in zip(found, choice.vrs, strict=True)
            if vr != one.vr
        ]
        more = f", and {len(other) - _MAX_NAMED} more" if len(other) > _MAX_NAMED else ""
        raise unverifiable(
            ReasonCode.SIGNED_DATA_NOT_FOUND,
            f"every value is the signed one, and some VRs are not: signed was "
            f"{'; '.join(other[:_MAX_NAMED])}{more}. A program that had the object in implicit "
            "VR chose them again",
        )

    def _take(self, found: list[open_vrs.Open], choice: Found) -> None:
        """Record that the signature is over these VRs."""
        self.check.computed = choice.mac
        if self.check.digests:
            self.check.content = choice.content
        signed, unsigned, unknown = self.check.coverage
        self.check.coverage = _record.Coverage(signed + len(unknown), unsigned - len(unknown), ())
        self.scope.vrs.update((one.number, vr) for one, vr in zip(found, choice.vrs, strict=True))
        index = self.scope.index
        other = [
            f"{describe(one.tag)} as {vr}"
            for one, vr in zip(found, choice.vrs, strict=True)
            if vr != index.record(one.number).vr
        ]
        more = f" and {len(other) - _MAX_NAMED} more" if len(other) > _MAX_NAMED else ""
        named = ", ".join(other[:_MAX_NAMED])
        self.check.messages.append(f"implicit VR states no VR: signed with {named}{more}")

    def _leave_undecided(self, found: list[open_vrs.Open], search: Search) -> None:
        named = ", ".join(describe(one.tag) for one in found[:_MAX_NAMED])
        more = f" and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
        self.check.undecided = unverifiable(
            ReasonCode.SIGNED_DATA_NOT_FOUND,
            f"implicit VR does not state the VR of {named}{more}, and none of the {search.tried} "
            "choices that were tried matches: it was signed with another, or the content was "
            "changed",
        )

    def _explain(self) -> NoReturn:
        self.scope.work.read(WORK_OF_A_TAG * len(self.mac.data_elements_signed))
        here, there = self.scope.part10.transfer_syntax, self.mac.transfer_syntax
        one, other = (
            transfer_syntaxes.is_encapsulated(here),
            transfer_syntaxes.is_encapsulated(there),
        )
        if (one or other) and (one != other or here != there) and self._covers_pixel_data():
            raise unverifiable(
                ReasonCode.SIGNED_DATA_NOT_FOUND,
                f"the Pixel Data were signed in transfer syntax {there} and are now in {here}: "
                "to tell, they would have to be decoded",
            )
        if other is None:
            raise unverifiable(
                ReasonCode.SIGNED_DATA_NOT_FOUND,
                f"the MAC Calculation Transfer Syntax {there} is not known",
            )
        if kind_of(self.signer.public_key) == "RSA":  # other kinds do not reveal the signed MAC
            self.scope.work.verification(self.material.effort)
        stored = self.check.stored
        signed = signed_digest(self.signer.public_key, self.mac.algorithm, stored.signature)
        by_this_key = signed is not None or kind_of(self.signer.public_key) != "RSA"
        if by_this_key:
            self.check.check_whole(self.mac.data_elements_signed)
            self._check_stated_vrs(signed)
        if signed is not None:
            raise altered(
                ReasonCode.HASH_FAILURE,
                f"the signed content is not the present one: its {self.mac.algorithm} was "
                f"{signed.hex()} and is {self.check.computed.hex()}; `dicomseal explain FILE` "
                "shows how the content was changed",
            )
        raise altered(
            ReasonCode.SIG_CRYPTO_FAILURE,
            "the Signature (0400,0120) was not made by this certificate's key over this content",
        )

    def _covers_pixel_data(self) -> bool:
        index = self.scope.index
        return (
            terms.PIXEL_DATA in self.mac.data_elements_signed
            and index.find(self.scope.scope, terms.PIXEL_DATA) >= 0
        )

"""Phase one of a verification: is the content what the private key of this certificate signed?

PS3.3 C.12.1.1.3.1 and PS3.15 Annex C. A signature broken in itself is ``altered``; only what a
reader who knows more could still decide is ``unverifiable``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from ..ambiguity import open_vrs
from ..ambiguity.vr_search import Found, Search
from ..encoding import limits, obstacles
from ..encoding import record as _record
from ..encoding.obstacles import TOO_LONG
from ..errors import UsageError
from ..report import ReasonCode
from ..standard import terms, transfer_syntaxes
from ..standard.dictionary import UNKNOWN
from ..standard.mac_algorithms import new_hasher
from ..standard.tags import describe, format_tag
from . import unpadded
from .certificate import Certificate, kind_of, signed_digest
from .digital_signature import DigitalSignature
from .failure import Broken, altered, unverifiable
from .mac_parameters import MacParameters
from .scope import _WORK_OF_A_TAG, Scope

_MOST_LOST = 2  # elements of which nobody knows the VR: for more there is no hope
_MOST_SLIPS = 4096  # records of an object in which every text may have had another VR
_MOST_NAMED = 5  # in a sentence
LEGACY, UNPADDED = "legacy", "unpadded"  # forms of the stream that only dcmsign hashes
_NOTHING = _record.Coverage(0, 0, ())
_SHORT_SEARCH, _PASSES = 1 << 18, 4  # bytes, and times the size of the object


class Check:
    """The steps of one integrity check; what it learns on the way stays for the report.

    Attributes:
        material: what the signature is verified with; ``mac`` and ``certificate`` are of it.
        coverage: what of the scope is in the form of the stream that was tried last.
        computed: the MAC of that form.
        content: the digest of the elements in it, if digests are asked for.
        form: empty for the form of the standard, else `LEGACY` or `UNPADDED`; VRs that were
            searched for stand in ``scope.vrs``.
        messages: what a person should know.
    """

    computed = content = b""
    form = ""
    coverage = _NOTHING
    _undecided: Broken | None = None

    def __init__(
        self, scope: Scope, item: int, stored: DigitalSignature, accept_legacy: bool = False,
        digests: bool = False,
    ) -> None:  # fmt: skip
        self.scope, self.item, self.stored = scope, item, stored
        self.accept_legacy = accept_legacy
        self._digests = digests
        self._mac_items = scope.mac_items(stored.mac_id)
        material = scope.material(self._mac_items[0] if self._mac_items else None, stored)
        self.material, self.mac, self.certificate = material, material.mac, material.certificate
        self.messages: list[str] = [*material.notes]

    def run(self) -> None:
        """Return if the signature is intact, raise `Broken` with the reason if it is not."""
        if not self.verifies_as_it_is():
            self.verify_otherwise()
        self.check_fragments()

    def verifies_as_it_is(self) -> bool:
        """Whether the signature is over the content as it stands.

        It costs one pass over the signed content and one verification, so it is never long.

        Raises:
            Broken: it cannot be over any content.
        """
        self._check_own_item()
        mac = self._usable()
        if not self.stored.signature.strip(b"\0"):
            raise altered(ReasonCode.FORMAT_FAILURE, "the Signature (0400,0120) is absent or empty")
        return self._matches(mac)

    def verify_otherwise(self) -> None:
        """Try the other forms of the signed content, after `verifies_as_it_is` answered no.

        Raises:
            Broken: it is over none of them; why is found out as well, which may take long.
        """
        mac, signer = self.mac, self.certificate
        if mac is None or signer is None:
            raise AssertionError("nobody asked whether it verifies as it is")
        if not self._verifies_otherwise(mac):
            self._explain(mac, signer)

    def _check_own_item(self) -> None:
        """The stream runs on from the data set into this item without a mark between them.

        So an element that was signed in the data set could be moved to the front of the item, and
        another put in its place.
        """
        index = self.scope.index
        if index.find(self.item, terms.MAC_ID_NUMBER) == self.item + 1 and not index.ambiguities:
            return  # as it mostly is: it begins with its own first attribute, and goes on ascending
        for number in index.children(self.item):
            tag = index.record(number).tag
            if tag < terms.MAC_ID_NUMBER and tag != terms.MAC_ID_NUMBER & 0xFFFF0000:
                raise altered(
                    ReasonCode.FORMAT_FAILURE,
                    f"{format_tag(tag)} stands in the signature's own item, where it has no place",
                )

    def _usable(self) -> MacParameters:
        """The MAC Parameters, if the signature can be verified with them and the certificate."""
        mac_id = self.stored.mac_id
        if mac_id is None:
            raise altered(
                ReasonCode.FORMAT_FAILURE, "the signature has no MAC ID Number (0400,0005)"
            )
        if self.mac is None:
            self._check_whole((terms.MAC_PARAMETERS_SEQUENCE,), "which says how it was signed")
            raise altered(
                ReasonCode.FORMAT_FAILURE,
                f"no MAC Parameters item (4FFE,0001) has the signature's MAC ID {mac_id}",
            )
        if len(self._mac_items) > 1:
            raise altered(
                ReasonCode.FORMAT_FAILURE,
                f"several MAC Parameters items (4FFE,0001) have the MAC ID {mac_id}: two "
                "readers may take two of them",
            )
        self.messages += self.material.messages
        if self.material.trouble is not None:
            raise Broken(*self.material.trouble)
        return self.mac

    def check_fragments(self) -> None:
        """Elements that were signed may stand in a fragment now: the stream would be the same.

        So may another fragment. A signature that anybody can write costs no such search, so one
        that is not intact is never asked.

        Raises:
            Broken: there is something of that kind.
        """
        if self.mac is None or not self.scope.index.fragmented:
            return
        listed = self.mac.data_elements_signed
        if terms.PIXEL_DATA in listed and self.scope.merged():
            raise altered(
                ReasonCode.FORMAT_FAILURE,
                "fragments of the encapsulated (7FE0,0010) that were frames are merged into one",
            )
        for found in self.scope.hidden():
            self.scope.work.read(_WORK_OF_A_TAG * len(listed))
            if found.within in listed:
                what = f"{format_tag(found.tag)} was signed as an element, and is"
                raise altered(
                    ReasonCode.FORMAT_FAILURE,
                    f"{what if found.tag else 'items were signed as such, and are'} now hidden in "
                    f"a fragment of the encapsulated {format_tag(found.within)}",
                )

    def _mac(self, mac: MacParameters, legacy: bool) -> bytes:
        try:
            hasher, self.coverage = self.scope.hashed(self.material, mac, legacy)
        except UsageError as error:
            raise unverifiable(ReasonCode.CRYPTO_CONSTRAINTS_FAILURE, str(error)) from None
        if self.coverage.unknown:
            self._undecided = unverifiable(ReasonCode.SIGNED_DATA_NOT_FOUND, self._why_unknown())
            if not self.scope.part10.implicit:
                raise self._undecided
        elif not self.coverage.signed:
            self._check_whole(mac.data_elements_signed)
            raise altered(
                ReasonCode.FORMAT_FAILURE, "none of the elements it lists as signed is there"
            )
        if self._digests:
            self.content = hasher.copy().digest()
        own = self.scope.index.stream(hasher.update, self.item, None, without=terms.NOT_IN_MAC)
        if own.unsigned:
            raise altered(
                ReasonCode.FORMAT_FAILURE,
                "the signature's own item holds an element with the VR UN, which no MAC protects",
            )
        self.computed = hasher.digest()
        return self.computed

    def _own(self) -> bytes:
        """The signature's own item as the MAC takes it in."""
        tail = bytearray()
        self.scope.index.stream(tail.extend, self.item, None, without=terms.NOT_IN_MAC)
        return bytes(tail)

    def _why_unknown(self) -> str:
        """Why elements that are listed are not in the stream."""
        index, tags = self.scope.index, self.coverage.unknown[:_MOST_NAMED]
        # a tag may stand twice, and the first of them be known
        lost = {
            record.tag: number
            for number in index.children(self.scope.scope)
            if (record := index.record(number)).flags & _record.UNKNOWN_VR and record.tag in tags
        }
        found = [obstacles.sentence(index, lost[tag]) for tag in tags]
        long = next((sentence for sentence in found if sentence.endswith(TOO_LONG)), "")
        if long:
            return (
                f"{long}: what was signed cannot be rebuilt by PS3.3 C.12.1.1.3.1.1. dcmsign "
                "signs UN here"
            )
        listed = ", ".join(map(format_tag, tags))
        return f"the VR of {listed} is UN or was lost, so what was signed cannot be rebuilt"

    def _verifies_otherwise(self, mac: MacParameters) -> bool:
        """Other forms the signed stream may have had: VRs lost in implicit VR, and dcmsign's."""
        if self._verifies_unpadded(mac):
            return True
        if self.scope.part10.implicit and self._verifies_with_other_vrs(mac):
            return True
        if self._undecided:
            raise self._undecided
        if not transfer_syntaxes.is_encapsulated(self.scope.part10.transfer_syntax):
            return False
        if self._matches(mac, legacy=True):
            said = "made by dcmsign before 3.5.4, which hashed the lengths of fragments too"
            if not self.accept_legacy:
                raise altered(
                    ReasonCode.FORMAT_FAILURE,
                    f"{said}; that form is not the standard's and is accepted only when asked for",
                )
            self.form = LEGACY
            self.messages.append(f"{said}: accepted as asked for")
            return True
        return False

    def _verifies_unpadded(self, mac: MacParameters) -> bool:
        """See `unpadded`."""
        hasher = None if self._undecided else unpadded.hashed(self.scope, mac)
        if hasher is None:
            return False
        content = hasher.digest() if self._digests else b""
        hasher.update(self._own())
        self.scope.work.verification(self.material.effort)
        if not self.material.verifies(hasher.digest(), self.stored.signature):
            return False
        self.computed, self.content = hasher.digest(), content
        self.form = UNPADDED
        self.messages.append(unpadded.MESSAGE)
        return True

    def _verifies_with_other_vrs(self, mac: MacParameters) -> bool:
        """See `vr_search`. What it leaves undecided is kept for later."""
        scope, signature = self.scope, self.stored.signature
        key = self.certificate.public_key if self.certificate else None
        scope.work.verification(self.material.effort)
        expected = signed_digest(key, mac.algorithm, signature)
        if expected is None and kind_of(key) == "RSA":
            return False  # whatever was signed: not by this key
        for slips in (False, True):
            if slips and len(scope.index) > _MOST_SLIPS:
                break
            elements, found = scope.open_elements(mac, self.material.listed, slips)
            lost = sum(one.kind == "unknown" and not one.likely() for one in found)
            if not found or lost > _MOST_LOST:
                continue
            search = Search(
                scope.index, scope.scope, elements, found, self._own(), new_hasher(mac.algorithm),
                lambda digest: (
                    digest == expected if expected else self.material.verifies(digest, signature)
                ),
                min(scope.work.search(), limits.MIN_SEARCH) if slips else scope.work.search(),
                0 if expected else self.material.effort,
            )  # fmt: skip
            known = [scope.vrs.get(one.number, one.vr) for one in found]
            made = search.run(known if scope.vrs else None)
            scope.work.searched(search.spent)
            if made is not None and UNKNOWN in made.vrs:
                self._undecided = unverifiable(
                    ReasonCode.SIGNED_DATA_NOT_FOUND,
                    f"{self._why_unknown()}, and in its form nothing was changed",
                )
                return False
            if made is not None:
                self._take(found, made)
                return True
            if not slips and not (search.exhausted and all(one.complete for one in found)):
                self._leave_undecided(found, search)
        return False

    def _check_stated_vrs(self, mac: MacParameters, expected: bytes | None) -> None:
        """Whether only VRs are others than those that were signed, and every value reads the same.

        A program that had the object in implicit VR in between chose them anew. VRs are signed, so
        the signature is not intact; but nothing says that somebody changed the content.

        Args:
            mac: its MAC Parameters.
            expected: the MAC that was signed, or None where the key does not tell.
        """
        scope, signature = self.scope, self.stored.signature
        part10 = scope.part10
        if part10.implicit or part10.big_endian:
            return
        if transfer_syntaxes.is_encapsulated(part10.transfer_syntax):
            return
        elements, found = scope.open_elements(mac, self.material.listed, False)
        found = open_vrs.alike(scope.index, found)
        if not found:
            return
        search = Search(
            scope.index, scope.scope, elements, found, self._own(), new_hasher(mac.algorithm),
            lambda digest: (
                digest == expected if expected else self.material.verifies(digest, signature)
            ),
            # what was changed is much more common: a few rules are tried, and not all there is
            min(scope.work.search(), _SHORT_SEARCH + _PASSES * part10.size),
            0 if expected else self.material.effort,
        )  # fmt: skip
        made = search.run()
        scope.work.searched(search.spent)
        if made is None:
            return
        other = [
            f"{describe(one.tag)} as {vr}, now {one.vr}"
            for one, vr in zip(found, made.vrs, strict=True)
            if vr != one.vr
        ]
        more = f", and {len(other) - _MOST_NAMED} more" if len(other) > _MOST_NAMED else ""
        raise unverifiable(
            ReasonCode.SIGNED_DATA_NOT_FOUND,
            f"every value is the one that was signed, and not every VR: signed was "
            f"{'; '.join(other[:_MOST_NAMED])}{more}. A program that had the object in implicit "
            "VR chose them anew",
        )

    def _take(self, found: list[open_vrs.Open], made: Found) -> None:
        """The signature is over these VRs."""
        self.computed = made.mac
        if self._digests:
            self.content = made.content
        signed, unsigned, unknown = self.coverage
        self.coverage = _record.Coverage(signed + len(unknown), unsigned - len(unknown), ())
        self.scope.vrs.update((one.number, vr) for one, vr in zip(found, made.vrs, strict=True))
        index = self.scope.index
        other = [
            f"{describe(one.tag)} as {vr}"
            for one, vr in zip(found, made.vrs, strict=True)
            if vr != index.record(one.number).vr
        ]
        more = f" and {len(other) - _MOST_NAMED} more" if len(other) > _MOST_NAMED else ""
        named = ", ".join(other[:_MOST_NAMED])
        self.messages.append(f"implicit VR states no VR: signed with {named}{more}")

    def _leave_undecided(self, found: list[open_vrs.Open], search: Search) -> None:
        named = ", ".join(describe(one.tag) for one in found[:_MOST_NAMED])
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        self._undecided = unverifiable(
            ReasonCode.SIGNED_DATA_NOT_FOUND,
            f"implicit VR does not state the VR of {named}{more}, and none of the {search.tried} "
            "choices that were tried matches: it was signed with another, or the content was "
            "changed",
        )

    def _matches(self, mac: MacParameters, legacy: bool = False) -> bool:
        digest = self._mac(mac, legacy)
        if self._undecided:
            return False
        self.scope.work.verification(self.material.effort)
        return self.material.verifies(digest, self.stored.signature)

    def _explain(self, mac: MacParameters, signer: Certificate) -> NoReturn:
        self.scope.work.read(_WORK_OF_A_TAG * len(mac.data_elements_signed))
        here, there = self.scope.part10.transfer_syntax, mac.transfer_syntax
        one, other = (
            transfer_syntaxes.is_encapsulated(here),
            transfer_syntaxes.is_encapsulated(there),
        )
        if (one or other) and (one != other or here != there) and self._covers_pixel_data(mac):
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
        if kind_of(signer.public_key) == "RSA":  # others do not tell
            self.scope.work.verification(self.material.effort)
        signed = signed_digest(signer.public_key, mac.algorithm, self.stored.signature)
        by_this_key = signed is not None or kind_of(signer.public_key) != "RSA"
        if by_this_key:
            self._check_whole(mac.data_elements_signed)
            self._check_stated_vrs(mac, signed)
        if signed is not None:
            raise altered(
                ReasonCode.HASH_FAILURE,
                f"what was signed is not what is here: its {mac.algorithm} was {signed.hex()} and "
                f"is {self.computed.hex()}; `dicomseal explain FILE` tells how the content was "
                "changed",
            )
        raise altered(
            ReasonCode.SIG_CRYPTO_FAILURE,
            "the Signature (0400,0120) was not made by this certificate's key over this content",
        )

    def _check_whole(self, tags: Sequence[int], why: str = "listed as signed") -> None:
        """What a program holds may be a part of what was read; it is no forgery for that."""
        if self.scope.part10.dataset is None:
            return
        there = self.scope.index.present(self.scope.scope)
        gone = [tag for tag in tags if tag not in there]
        if gone:
            named = ", ".join(describe(tag) for tag in gone[:_MOST_NAMED])
            more = f" and {len(gone) - _MOST_NAMED} more" if len(gone) > _MOST_NAMED else ""
            raise unverifiable(
                ReasonCode.SIGNED_DATA_NOT_FOUND,
                f"the data set does not hold {named}{more}, {why}: it was not read to its end, or "
                "that was taken out; verify the file",
            )

    def _covers_pixel_data(self, mac: MacParameters) -> bool:
        index = self.scope.index
        return (
            terms.PIXEL_DATA in mac.data_elements_signed
            and index.find(self.scope.scope, terms.PIXEL_DATA) >= 0
        )

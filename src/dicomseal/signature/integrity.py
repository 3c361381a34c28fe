"""Phase one of a verification: is the content what the private key of this certificate signed?

PS3.3 C.12.1.1.3.1 and PS3.15 Annex C. A signature broken in itself is ``altered``; only what a
reader who knows more could still decide is ``unverifiable``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..encoding import obstacles
from ..encoding import record as _record
from ..encoding.obstacles import TOO_LONG
from ..errors import UsageError
from ..report import ReasonCode
from ..standard import terms
from ..standard.tags import describe, format_tag
from .digital_signature import DigitalSignature
from .failure import Broken, altered, unverifiable
from .mac_parameters import MacParameters
from .scope import WORK_OF_A_TAG, Scope

_MOST_NAMED = 5  # in a sentence
LEGACY, UNPADDED = "legacy", "unpadded"  # forms of the stream that only dcmsign hashes
_NOTHING = _record.Coverage(0, 0, ())


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
    undecided: Broken | None = None

    def __init__(
        self, scope: Scope, item: int, stored: DigitalSignature, accept_legacy: bool = False,
        digests: bool = False,
    ) -> None:  # fmt: skip
        self.scope, self.item, self.stored = scope, item, stored
        self.accept_legacy = accept_legacy
        self.digests = digests
        self._mac_items = scope.mac_items(stored.mac_id)
        material = scope.material(self._mac_items[0] if self._mac_items else None, stored)
        self.material, self.mac, self.certificate = material, material.mac, material.certificate
        self.messages: list[str] = [*material.notes]

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
        return self.matches(mac)

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
            self.check_whole((terms.MAC_PARAMETERS_SEQUENCE,), "which says how it was signed")
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
            self.scope.work.read(WORK_OF_A_TAG * len(listed))
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
            self.undecided = unverifiable(ReasonCode.SIGNED_DATA_NOT_FOUND, self.why_unknown())
            if not self.scope.part10.implicit:
                raise self.undecided
        elif not self.coverage.signed:
            self.check_whole(mac.data_elements_signed)
            raise altered(
                ReasonCode.FORMAT_FAILURE, "none of the elements it lists as signed is there"
            )
        if self.digests:
            self.content = hasher.copy().digest()
        own = self.scope.index.stream(hasher.update, self.item, None, without=terms.NOT_IN_MAC)
        if own.unsigned:
            raise altered(
                ReasonCode.FORMAT_FAILURE,
                "the signature's own item holds an element with the VR UN, which no MAC protects",
            )
        self.computed = hasher.digest()
        return self.computed

    def why_unknown(self) -> str:
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

    def matches(self, mac: MacParameters, legacy: bool = False) -> bool:
        digest = self._mac(mac, legacy)
        if self.undecided:
            return False
        self.scope.work.verification(self.material.effort)
        return self.material.verifies(digest, self.stored.signature)

    def check_whole(self, tags: Sequence[int], why: str = "listed as signed") -> None:
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

"""Phase one of a verification: whether the content is the one that the signer's key signed.

In: a signature, its MAC Parameters, its certificate, and the elements that it covers.
Out: nothing if it is intact, else `Broken` with ``altered`` or ``unverifiable`` and the reason.
PS3: PS3.3 C.12.1.1.3.1; PS3.15 Annex C.

A signature that is broken in itself is ``altered``; it is ``unverifiable`` only if a reader who
knows more could still decide.
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

_MAX_NAMED = 5  # in a sentence
LEGACY, UNPADDED = "legacy", "unpadded"  # forms of the stream that only dcmsign hashes
_NOTHING = _record.Coverage(0, 0, ())


class Check:
    """One integrity check, step by step; its findings are kept for the report.

    Attributes:
        material: the verification material; ``mac`` and ``certificate`` are parts of it.
        coverage: which elements of the scope are in the form of the stream that was tried last.
        computed: the MAC of that form.
        content: the digest of the elements in it, if digests are requested.
        form: empty for the form of the standard, else `LEGACY` or `UNPADDED`; VRs that were
            searched for are in ``scope.vrs``.
        messages: further information for people.
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
        self.accept_legacy, self.digests = accept_legacy, digests
        self._mac_items = items = scope.mac_items(stored.mac_id)
        material = scope.material(items[0] if items else None, stored)
        self.material, self.mac, self.certificate = material, material.mac, material.certificate
        self.messages: list[str] = [*material.notes]

    def verifies_as_it_is(self) -> bool:
        """Return whether the signature is over the content in the form of the standard.

        It costs one pass over the signed content and one verification, so it is never long.

        Raises:
            Broken: it cannot be over any content.
        """
        index, item, mac = self.scope.index, self.item, self.mac
        if index.find(item, terms.MAC_ID_NUMBER) != item + 1 or index.ambiguities:
            self._check_own_item()  # else it begins with its own first attribute, and ascends
        if mac is None or len(self._mac_items) > 1:
            raise self._without_parameters()
        self.messages += self.material.messages
        if self.material.trouble is not None:
            raise Broken(*self.material.trouble)
        if not self.stored.signature.strip(b"\0"):
            raise altered(ReasonCode.FORMAT_FAILURE, "the Signature (0400,0120) is absent or empty")
        return self.matches(mac)

    def _check_own_item(self) -> None:
        """Check the signature's own item: the stream runs into it without a mark in between.

        So an element that was signed in the data set could be moved to the front of the item, and
        another one put in its place.
        """
        index = self.scope.index
        for number in index.children(self.item):
            tag = index.record(number).tag
            if tag < terms.MAC_ID_NUMBER and tag != terms.MAC_ID_NUMBER & 0xFFFF0000:
                raise altered(
                    ReasonCode.FORMAT_FAILURE,
                    f"{format_tag(tag)} is in the signature's own item, where it is not allowed",
                )

    def _without_parameters(self) -> Broken:
        """Return why it is not known which MAC Parameters the signature has."""
        mac_id = self.stored.mac_id
        if mac_id is None:
            said = "the signature has no MAC ID Number (0400,0005)"
        elif self.mac is None:
            self.check_whole((terms.MAC_PARAMETERS_SEQUENCE,), "which says how it was signed")
            said = f"no MAC Parameters item (4FFE,0001) has the signature's MAC ID {mac_id}"
        else:
            said = (
                f"several MAC Parameters items (4FFE,0001) have the MAC ID {mac_id}: two "
                "readers may use different ones"
            )
        return altered(ReasonCode.FORMAT_FAILURE, said)

    def check_frames(self) -> None:
        """Check that no fragments that were frames are merged into one, which keeps the stream.

        This and `check_fragments` are done only for intact signatures: anyone can write a signature
        that is not intact, and must not cause the work.

        Raises:
            Broken: some are.
        """
        if self.mac is None or not self.scope.index.fragmented:
            return
        if terms.PIXEL_DATA in self.mac.data_elements_signed and self.scope.merged():
            raise altered(
                ReasonCode.FORMAT_FAILURE,
                "fragments of the encapsulated (7FE0,0010) that were frames are merged into one",
            )

    def has_suspects(self) -> bool:
        """Return whether `check_fragments` has anything to search, which may take long."""
        return self.mac is not None and self.scope.index.fragmented and bool(self.scope.suspects())

    def check_fragments(self) -> None:
        """Check that no signed elements were moved into a fragment, which keeps the stream.

        Another fragment may have been moved, too.

        Raises:
            Broken: some were.
        """
        if self.mac is None or not self.has_suspects():
            return
        listed = self.mac.data_elements_signed
        for found in self.scope.hidden():
            self.scope.work.read(WORK_OF_A_TAG * len(listed))
            if found.within in listed:
                what = f"{format_tag(found.tag)} was signed as an element, and is"
                raise altered(
                    ReasonCode.FORMAT_FAILURE,
                    f"{what if found.tag else 'items were signed as such, and are'} now hidden in "
                    f"a fragment of the encapsulated {format_tag(found.within)}",
                )

    def matches(self, mac: MacParameters, legacy: bool = False) -> bool:
        """Return whether the Signature value is one over this MAC.

        Args:
            mac: the MAC Parameters.
            legacy: see `Index.stream`.

        Raises:
            Broken: no MAC can be computed.
        """
        scope, material = self.scope, self.material
        try:
            hasher, coverage = scope.hashed(material, mac, legacy)
        except UsageError as error:
            raise unverifiable(ReasonCode.CRYPTO_CONSTRAINTS_FAILURE, str(error)) from None
        self.coverage = coverage
        if coverage.unknown:
            self.undecided = unverifiable(ReasonCode.SIGNED_DATA_NOT_FOUND, self.why_unknown())
            if not scope.part10.implicit:
                raise self.undecided
        elif not coverage.signed:
            self.check_whole(mac.data_elements_signed)
            raise altered(
                ReasonCode.FORMAT_FAILURE, "none of the elements it lists as signed is present"
            )
        if self.digests:
            self.content = hasher.copy().digest()
        own = scope.index.stream(hasher.update, self.item, None, without=terms.NOT_IN_MAC)
        if own.unsigned:
            raise altered(
                ReasonCode.FORMAT_FAILURE,
                "the signature's own item holds an element with the VR UN, which no MAC protects",
            )
        self.computed = hasher.digest()
        if self.undecided:
            return False
        scope.work.verification(material.effort)
        return material.verifies(self.computed, self.stored.signature)

    def why_unknown(self) -> str:
        """Return why listed elements are not in the stream."""
        index, tags = self.scope.index, self.coverage.unknown[:_MAX_NAMED]
        # a tag may occur twice, and the first element with it be known
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

    def check_whole(self, tags: Sequence[int], why: str = "listed as signed") -> None:
        """Check that listed elements are present: a data set may be a part of its file.

        An item is never read in part.
        """
        source = self.scope.part10.dataset
        if source is None or self.scope.scope:
            return
        there = self.scope.index.present(0)
        gone = [tag for tag in tags if tag not in there]
        if gone and source.may_have_held(gone):
            named = ", ".join(describe(tag) for tag in gone[:_MAX_NAMED])
            more = f" and {len(gone) - _MAX_NAMED} more" if len(gone) > _MAX_NAMED else ""
            raise unverifiable(
                ReasonCode.SIGNED_DATA_NOT_FOUND,
                f"the data set does not hold {named}{more}, {why}: it was not read to its end, or "
                "that was taken out; verify the file",
            )

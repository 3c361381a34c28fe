"""The usual way through an object, in two steps that need not follow each other at once.

Nearly every signed object has one signature: over its main data set, with one MAC Parameters item,
over all that can be signed, without a purpose or a timestamp. `gather` reads and hashes such an
object, `conclude` verifies and judges what was gathered. In between other objects can be read: the
hash of a large one empties the processor's caches, and what comes after it waits for memory. Many
conclusions in a row wait once.

Whatever is not so is answered with None, and `verifier` looks for itself. What is said of an object
is decided there, and here only repeated: tests/verification/test_usual.py holds both answers equal.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from .. import report
from ..ambiguity import parser_differentials
from ..ambiguity.hidden_elements import hidden
from ..ambiguity.merged_fragments import merged
from ..encoding.backend import as_text
from ..encoding.limits import ReadBudget
from ..errors import MalformedError
from ..report import ObjectReport, SignatureReport
from ..signature import digital_signature, mac_parameters, material
from ..signature.digital_signature import DigitalSignature, iso
from ..signature.material import Means, Whole
from ..standard import terms, transfer_syntaxes
from .signer_trust import judge
from .verdict import decide

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..files.part10 import Part10
    from .options import Options

_NAMES = (terms.SOP_CLASS_UID, terms.SOP_INSTANCE_UID, terms.MODALITY)


class Gathered(msgspec.Struct, frozen=True, gc=False):
    """What was read of an object; its bytes are not needed any more.

    Attributes:
        size, transfer_syntax: as in `ObjectReport`.
        names: SOP Class UID, SOP Instance UID and Modality.
        stored: the signature.
        when: Digital Signature DateTime, aware.
        means, whole: with what it is verified.
        computed: its MAC.
        content: the digest of the elements it covers, if digests are asked for.
        verified: whether its signature was verified already.
    """

    size: int
    transfer_syntax: str
    names: tuple[str, str, str]
    stored: DigitalSignature
    when: datetime
    material: Means
    whole: Whole
    computed: bytes
    content: bytes
    verified: bool


def gather(part10: Part10, index: Index, options: Options) -> Gathered | None:
    """Read and hash an object; None if something is not as usual.

    Raises:
        SourceError: it cannot be read, or changed meanwhile.
    """
    try:
        return _gather(part10, index, options)
    except MalformedError:
        return None  # of several things that are wrong, the full way tells the first


def _gather(part10: Part10, index: Index, options: Options) -> Gathered | None:
    sole = index.sole_signature()
    if sole is None:
        return None
    parameters, item = sole
    if index.find(item, terms.MAC_ID_NUMBER) != item + 1:
        return None
    if options.demands or options.content_digest or not options.limits.signatures:
        return None
    meta = part10.meta
    if meta.doubt or (part10.deflated is not None and parser_differentials.looks_native(part10)):
        return None
    stored = digital_signature.read(index, item, options.limits)
    when = digital_signature.parse_datetime(stored.datetime)
    if stored.purpose or stored.timestamp or stored.timestamp_type or stored.mac_id is None:
        return None
    if when is None or when.tzinfo is None:
        return None
    raw = mac_parameters.raw(index, parameters)
    found = material.of(raw, index.big_endian, stored.certificate_type, stored.certificate)
    mac, whole = found.mac, found.whole
    if mac is None or whole is None or mac.mac_id != stored.mac_id:
        return None
    signed, now = mac.transfer_syntax, part10.transfer_syntax
    if signed != now and (
        transfer_syntaxes.is_encapsulated(signed) or transfer_syntaxes.is_encapsulated(now)
    ):
        return None
    hasher = whole.fresh.copy()
    coverage = index.stream(hasher.update, 0, mac.data_elements_signed)
    if coverage != whole.coverage:
        return None
    content = hasher.copy().digest() if options.digests else b""
    own = index.stream(hasher.update, item, None, without=terms.NOT_IN_MAC)
    if own.unsigned:
        return None
    computed = hasher.digest()
    if index.fragmented and parser_differentials.doubts(part10, index):
        return None
    if index.fragmented:  # a value that anybody can write costs no search through the fragments
        if not found.verifies(computed, stored.signature):
            return None
        work = ReadBudget(part10.size, options.limits)
        if hidden(part10, index, 0, work) or merged(part10, index, work):
            return None
    sop_class, sop_instance, modality = index.values(0, _NAMES)
    if (meta.sop_class and meta.sop_class != sop_class) or (
        meta.sop_instance and meta.sop_instance != sop_instance
    ):
        return None
    names = as_text(sop_class), as_text(sop_instance), as_text(modality)
    part10.check()
    return Gathered(
        part10.size, now, names, stored, when, found, whole, computed, content, index.fragmented
    )


def conclude(gathered: Gathered, path: str, options: Options) -> ObjectReport | None:
    """The report on an object; None if its signature does not verify as it is."""
    stored, when, found, whole = gathered.stored, gathered.when, gathered.material, gathered.whole
    mac = found.mac
    if mac is None:
        return None
    if not gathered.verified and not found.verifies(gathered.computed, stored.signature):
        return None
    digests = None
    if options.digests:
        digests = found.digests(gathered.computed, gathered.content, stored.signature)
    judged = judge(found, report.INTACT, when, options, None, digests)
    signed = whole.coverage.signed
    made = SignatureReport(
        location="",
        uid=stored.uid,
        mac_id=stored.mac_id,
        datetime=iso(when),
        mac_algorithm=mac.algorithm,
        mac_transfer_syntax=mac.transfer_syntax,
        integrity=report.INTACT,
        trust=judged.trust,
        trust_reason=judged.reason,
        judged_at=judged.at,
        judged_by=judged.by,
        proof=judged.proof,
        revocation=judged.revocation,
        signer=judged.signer,
        profiles=whole.profiles,
        weak=judged.weak,
        messages=judged.messages,
        signed_elements=signed,
        digests=digests,
    )
    reasons: list[report.Reason] = []
    verdict = decide([made], reasons, options)
    sop_class, sop_instance, modality = gathered.names
    counts = options.integrity_only or judged.trust == report.TRUSTED
    return ObjectReport(
        path=path,
        verdict=verdict,
        reasons=tuple(reasons),
        bytes=gathered.size,
        sop_class_uid=sop_class,
        sop_instance_uid=sop_instance,
        transfer_syntax=gathered.transfer_syntax,
        modality=modality,
        covered_elements=signed if counts else 0,
        uncovered_elements=0 if counts else signed,
        signatures=(made,),
    )

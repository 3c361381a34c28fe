"""The report on one signature: integrity, timestamp, trust, and what else is to be said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import profiles, purposes, report
from ..encoding import values
from ..report import SignatureReport
from ..signature import digital_signature, element_views
from ..signature.certificate import kind_of
from ..signature.digital_signature import DigitalSignature
from ..signature.failure import Broken
from ..signature.integrity import Check
from ..signature.mac_parameters import MacParameters
from ..signature.scope import Scope
from ..standard import terms, transfer_syntaxes
from .signature_timestamp import examine
from .signer_trust import judge

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..encoding.limits import ReadBudget
    from ..files.part10 import Part10
    from .options import Options

_WORK_OF_AN_ELEMENT = 32  # that is compared with what profiles demand
_EFFORT_OF_A_TOKEN, _EFFORT_OF_ITS_BYTE = 2_000_000, 100  # nanoseconds (see `Work.effort`)


def signatures(
    part10: Part10,
    index: Index,
    number: int,
    work: ReadBudget,
    main: element_views.Main,
    options: Options,
) -> list[SignatureReport]:
    """The reports on the signatures of a data set or item, in their order.

    Args:
        part10, index: the object.
        number: the record of the data set or item.
        work, main: shared by all signatures of the object.
        options: of the verification.
    """
    found = list(values.items_of(index, number, terms.DIGITAL_SIGNATURES_SEQUENCE))
    if not found:
        return []
    scope = Scope(part10, index, number, work)
    if len(found) > 1:
        scope.several = True
        scope.elements.present()  # once, and not a search for each signature
    return [_signature(scope, item, main, options) for item in found]


def _signature(
    scope: Scope, item: int, main: element_views.Main, options: Options
) -> SignatureReport:
    scope.work.signature()
    stored = digital_signature.read(scope.index, item, options.limits)
    when = digital_signature.parse_datetime(stored.datetime)
    if when is not None and when.tzinfo is None:
        when = digital_signature.parse_datetime(stored.datetime, _offset(scope, main))
    check = Check(scope, item, stored, options.accept_legacy, options.digests)
    integrity: str | None = report.INTACT
    reason = None
    if scope.history:
        integrity = None
        check.messages.append(
            "part of Original Attributes Sequence (0400,0561): history, not verified"
        )
    else:
        try:
            check.run()
        except Broken as broken:
            integrity, reason = broken.integrity, broken.reason
    if stored.timestamp:
        scope.work.effort(_EFFORT_OF_A_TOKEN + _EFFORT_OF_ITS_BYTE * len(stored.timestamp))
    stamp = examine(check, integrity, when, options)
    scope.work.effort(stamp.effort)
    digests = None
    if integrity == report.INTACT and options.digests:
        digests = check.means.digests(check.computed, check.content, stored.signature)
    judged = judge(check.means, integrity, when, options, stamp.proven, digests)
    if scope.is_new:
        scope.work.effort(judged.effort)
    if when is None:
        check.messages.append(f"Digital Signature DateTime {stored.datetime!r} is no time")
    elif when.tzinfo is None:
        check.messages.append("Digital Signature DateTime has no offset from UTC: ambiguous")
    if judged.by_key:
        check.messages = [one for one in check.messages if one not in check.means.notes]
    check.messages += judged.messages
    check.messages += stamp.messages
    mac, signer = check.mac, check.certificate
    satisfied: tuple[str, ...] = ()
    if integrity in (report.INTACT, report.UNVERIFIABLE) and mac and signer:
        satisfied = _profiles(scope, check, mac)
    if stored.purpose:
        contradiction = purposes.contradiction(stored.purpose)
        if contradiction:
            check.messages.append(contradiction)
    if integrity == report.INTACT and mac and _relabelled(scope, main, mac.transfer_syntax):
        check.messages.append(
            f"the Pixel Data were signed in transfer syntax {mac.transfer_syntax}; the object now "
            f"says {scope.part10.transfer_syntax}"
        )
    return SignatureReport(
        location=scope.location,
        uid=stored.uid,
        mac_id=stored.mac_id,
        datetime=digital_signature.iso(when) if when else stored.datetime,
        mac_algorithm=mac.algorithm if mac else "",
        mac_transfer_syntax=mac.transfer_syntax if mac else "",
        purpose=stored.purpose[2] or stored.purpose[0] if stored.purpose else None,
        purpose_code=_purpose_code(stored),
        integrity=integrity,
        integrity_reason=reason,
        trust=judged.trust,
        trust_reason=judged.reason,
        judged_at=judged.at,
        judged_by=judged.by,
        proof=judged.proof,
        revocation=judged.revocation,
        signer=judged.signer,
        profiles=satisfied,
        timestamp=stamp.report,
        weak=judged.weak,
        messages=tuple(check.messages),
        signed_elements=check.coverage.signed,
        unsigned_elements=check.coverage.unsigned,
        digests=digests,
    )


def _profiles(scope: Scope, check: Check, mac: MacParameters) -> tuple[str, ...]:
    if scope.several and check.coverage.unsigned:
        scope.work.read(
            _WORK_OF_AN_ELEMENT * (len(scope.elements.present()) + len(mac.data_elements_signed))
        )
    stored, signer = check.stored, check.certificate
    return profiles.satisfied(
        profiles.Facts(
            scope.elements,
            scope.location == "",
            mac.data_elements_signed,
            bool(check.coverage.signed) and not check.coverage.unsigned,
            kind_of(signer.public_key) if signer else "",
            mac.algorithm,
            stored.certificate_type,
            stored.timestamp_type,
            _purpose_code(stored),
        )
    )


def _purpose_code(stored: DigitalSignature) -> str | None:
    if stored.purpose is None:
        return None
    return purposes.code_of(stored.purpose)


def _offset(scope: Scope, main: element_views.Main) -> str:
    """Timezone Offset From UTC (0008,0201) for a data set or item: its own, or the object's."""
    return scope.elements.text(terms.TIMEZONE_OFFSET_FROM_UTC) or main.offset


def _relabelled(scope: Scope, main: element_views.Main, signed: str) -> bool:
    now = scope.part10.transfer_syntax
    if now == signed or not (
        transfer_syntaxes.is_encapsulated(now) or transfer_syntaxes.is_encapsulated(signed)
    ):
        return False
    return main.has_pixel_data

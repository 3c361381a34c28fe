"""The report on one signature: integrity, timestamp, trust, and messages.

In: a scope of an object, and the item of a signature.
Out: a `SignatureReport`.
PS3: PS3.3 C.12.1.1.3, PS3.15 Annex C.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .. import profiles, purposes, report
from ..encoding import values
from ..encoding.limits import ReadBudget
from ..report import Reason, SignatureReport
from ..signature import digital_signature, element_views
from ..signature.digital_signature import DigitalSignature
from ..signature.failure import Broken
from ..signature.integrity import Check
from ..signature.mac_parameters import MacParameters
from ..signature.scope import Scope
from ..standard import terms, transfer_syntaxes
from . import time_limit
from .signature_timestamp import NO_TIMESTAMP, Examined, examine
from .signer_trust import Judged, judge

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..encoding.record import SoleSignature
    from ..files.part10 import Part10
    from .options import Options

_WORK_OF_AN_ELEMENT = 32  # for each element that profiles look at
_EFFORT_OF_A_TOKEN, _EFFORT_OF_ITS_BYTE = 2_000_000, 100  # nanoseconds (see `ReadBudget.effort`)


def by_scope(
    part10: Part10, index: Index, options: Options, sole: SoleSignature | None = None
) -> list[tuple[int, list[SignatureReport]]]:
    """Return the reports on all signatures, by the record of the data set or item that they sign.

    Args:
        part10, index: the object.
        options: of the verification.
        sole: see `Index.sole_signature`.
    """
    work, main = ReadBudget(part10.size, options.limits), element_views.Main(index)
    if sole is not None:
        scope = Scope(part10, index, 0, work, sole=sole)
        work.signature()
        stored = digital_signature.from_values(index, sole.item, sole.values, options.limits)
        return [(0, [_signature(scope, sole.item, stored, main, options)])]
    reports = []
    for number in index.scopes:
        items = list(values.items_of(index, number, terms.DIGITAL_SIGNATURES_SEQUENCE))
        if items:
            scope = Scope(part10, index, number, work, several=len(items) > 1)
            found = []
            for item in items:
                work.signature()
                stored = digital_signature.read(index, item, options.limits)
                found.append(_signature(scope, item, stored, main, options))
            reports.append((number, found))
    return reports


def _signature(
    scope: Scope,
    item: int,
    stored: DigitalSignature,
    main: element_views.Main,
    options: Options,
) -> SignatureReport:
    when = _time_of(stored, scope, main)
    check = Check(scope, item, stored, options.accept_legacy, options.digests)
    integrity, reason = _integrity(check, options)
    stamp = NO_TIMESTAMP
    if stored.timestamp:
        stamp = _timestamp(check, integrity, when, options)
    digests = None
    if integrity == report.INTACT and options.digests:
        digests = check.material.digests(check.computed, check.content, stored.signature)
    judged = judge(check.material, integrity, when, options, stamp.proven, digests)
    if scope.is_new:
        scope.work.effort(judged.effort)
    satisfied = _profiles(check, integrity)
    mac = check.mac
    return SignatureReport(
        location=scope.location,
        uid=stored.uid,
        mac_id=stored.mac_id,
        datetime=digital_signature.iso(when) if when else stored.datetime,
        mac_algorithm=mac.algorithm if mac else "",
        mac_transfer_syntax=mac.transfer_syntax if mac else "",
        purpose=stored.purpose[2] or stored.purpose[0] if stored.purpose else None,
        purpose_code=_purpose_code(stored) if stored.purpose else None,
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
        messages=_messages(check, main, integrity, when, judged, stamp),
        signed_elements=check.coverage.signed,
        unsigned_elements=check.coverage.unsigned,
        digests=digests,
    )


def _time_of(stored: DigitalSignature, scope: Scope, main: element_views.Main) -> datetime | None:
    """Return Digital Signature DateTime; None if it is not a time.

    Only an aware one is a moment. A value without an offset has that of the data set or item, or
    else of the object.
    """
    when = digital_signature.parse_datetime(stored.datetime)
    if when is not None and when.tzinfo is None:
        offset = scope.elements.text(terms.TIMEZONE_OFFSET_FROM_UTC) or main.offset
        when = digital_signature.parse_datetime(stored.datetime, offset)
    return when


def _integrity(check: Check, options: Options) -> tuple[str | None, Reason | None]:
    """Return the integrity of a signature, and why it is not intact; None for history."""
    if check.scope.history:
        check.messages.append(
            "part of Original Attributes Sequence (0400,0561): history, not verified"
        )
        return None, None
    try:
        if not check.verifies_as_it_is():
            from ..signature.other_forms import verify_otherwise  # for start-up time

            time_limit.of_an_object(check.scope.part10, options, verify_otherwise, check)
        check.check_frames()
        if check.has_suspects():
            time_limit.of_an_object(check.scope.part10, options, check.check_fragments)
    except Broken as broken:
        return broken.integrity, broken.reason
    return report.INTACT, None


def _timestamp(
    check: Check, integrity: str | None, when: datetime | None, options: Options
) -> Examined:
    scope, token = check.scope, check.stored.timestamp
    scope.work.effort(_EFFORT_OF_A_TOKEN + _EFFORT_OF_ITS_BYTE * len(token))
    stamp = examine(check, integrity, when, options)  # the clock of the whole object runs
    scope.work.effort(stamp.effort)
    return stamp


def _messages(
    check: Check,
    main: element_views.Main,
    integrity: str | None,
    when: datetime | None,
    judged: Judged,
    stamp: Examined,
) -> tuple[str, ...]:
    """Return the messages for people, in the order in which they were found."""
    stored, messages = check.stored, check.messages
    if when is None:
        messages.append(f"Digital Signature DateTime {stored.datetime!r} is not a time")
    elif when.tzinfo is None:
        messages.append("Digital Signature DateTime has no offset from UTC: ambiguous")
    if judged.by_key:
        messages = [one for one in messages if one not in check.material.notes]
    messages += judged.messages
    messages += stamp.messages
    if stored.purpose:
        contradiction = purposes.contradiction(stored.purpose)
        if contradiction:
            messages.append(contradiction)
    if integrity == report.INTACT and check.mac:
        now, signed = check.scope.part10.transfer_syntax, check.mac.transfer_syntax
        if now != signed and _is_relabelled(main, now, signed):
            messages.append(
                f"the Pixel Data were signed in transfer syntax {signed}; the object now says {now}"
            )
    return tuple(messages)


def _profiles(check: Check, integrity: str | None) -> tuple[str, ...]:
    """Return the profiles of PS3.15 Annex C that the signature satisfies; none if altered."""
    mac, material, stored = check.mac, check.material, check.stored
    if mac is None or material.certificate is None or integrity not in _MAY_SATISFY:
        return ()
    signed, unsigned, _ = check.coverage
    if (
        unsigned
        or not 0 < signed == len(mac.data_elements_signed)
        or check.scope.scope
        or stored.purpose is not None
        or stored.timestamp_type
        or check.scope.index.noted
    ):
        return _profiles_of_these(check, mac)
    # for nearly every signature this follows from the material alone: it is over the main data set,
    # whose elements are those that it lists, each once
    if material.full_profiles is None:
        material.full_profiles = _profiles_of_these(check, mac)
    return material.full_profiles


_MAY_SATISFY = (report.INTACT, report.UNVERIFIABLE)


def _profiles_of_these(check: Check, mac: MacParameters) -> tuple[str, ...]:
    scope, stored = check.scope, check.stored
    if scope.several and check.coverage.unsigned:
        scope.work.read(
            _WORK_OF_AN_ELEMENT * (len(scope.elements.present()) + len(mac.data_elements_signed))
        )
    return profiles.satisfied(
        profiles.Facts(
            scope.elements,
            scope.location == "",
            mac.data_elements_signed,
            bool(check.coverage.signed) and not check.coverage.unsigned,
            check.material.key_kind,
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


def _is_relabelled(main: element_views.Main, now: str, signed: str) -> bool:
    """Return whether Pixel Data had another form when signed than the label says now."""
    if transfer_syntaxes.is_encapsulated(now) or transfer_syntaxes.is_encapsulated(signed):
        return main.has_pixel_data
    return False

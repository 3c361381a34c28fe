"""Verify every signature of an object: integrity, then trust, then a verdict.

It works on the index of the object's bytes; pydicom takes no part. A bad object is reported, never
raised.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from . import _record, digital_signature, report, terms
from . import sequence_items as items
from .canonical import is_dataset, read_all
from .errors import DicomSealError, UsageError
from .integrity import Broken, Check, Scope
from .part10 import Part10, Reader
from .policy import WEAK_CHOICES
from .report import ErrorReport, ObjectReport, Reason, SignatureReport
from .signature_timestamp import examine, missing, proven
from .signature_trust import judge

if TYPE_CHECKING:
    from pydicom import Dataset
    from typing_extensions import Buffer

    from .canonical import Index
    from .trust import TrustStore

_readers = threading.local()


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification asks for; see `verify`."""

    trust: TrustStore | None = None
    at: datetime | None = None
    accept_claimed_time: bool = False
    weak: str | None = None
    integrity_only: bool = False
    require: frozenset[str] = frozenset()
    accept_legacy: bool = False
    limits: _record.Limits = _record.Limits()


REQUIREMENTS = ("signature", "timestamp")


def verify(
    source: str | os.PathLike[str] | Buffer | BinaryIO | Dataset,
    *,
    trust: TrustStore | None = None,
    at: datetime | None = None,
    accept_claimed_time: bool = False,
    weak: str | None = None,
    integrity_only: bool = False,
    require: Iterable[str] = (),
    accept_legacy: bool = False,
    limits: _record.Limits | None = None,
) -> ObjectReport:
    """Verify all digital signatures of a DICOM object (PS3.3 C.12.1.1.3, PS3.15 Annex C).

    Args:
        source: a path, a file's content as bytes, a binary file, or a `pydicom.Dataset`.
        trust: the anchors that a signer's certificate must chain to. Without them trust is
            ``not_checked``, and the verdict at best ``indeterminate``.
        at: the time of validation, aware; None is now. Certificates are judged at it, unless a
            certified timestamp proves an earlier time.
        accept_claimed_time: judge them at the signature's own Digital Signature DateTime, which is
            a claim of the signer, where no time is proven.
        weak: ``accept``, ``warn`` or ``reject`` algorithms and keys that are no longer strong;
            None is as the policy of ``trust`` says.
        integrity_only: skip trust; intact signatures are then enough to pass.
        require: what must be there: ``"signature"`` makes an unsigned object fail; with
            ``"timestamp"`` a signature of the main data set must have a Certified Timestamp that
            counts.
        accept_legacy: accept signatures over encapsulated Pixel Data that dcmsign made before
            3.5.4, which hashed the lengths of fragments too. A message always says so.
        limits: what a hostile object may cost.

    Returns:
        A report. Anything wrong with the object itself is in it, as a verdict.

    Raises:
        UsageError: ``require`` or ``weak`` names something unknown, ``at`` has no UTC offset, or
            ``trust`` is no `TrustStore`.
    """
    require = frozenset([require] if isinstance(require, str) else require)
    unknown = require - frozenset(REQUIREMENTS)
    if unknown:
        raise UsageError(
            f"cannot require {', '.join(sorted(unknown))}: only {' or '.join(REQUIREMENTS)}"
        )
    if at is not None and not (isinstance(at, datetime) and at.tzinfo):
        raise UsageError("the moment of validation is a datetime with an offset from UTC")
    if trust is not None and not hasattr(trust, "judge"):
        raise UsageError("trust takes a TrustStore, e.g. TrustStore.from_files('ca.pem')")
    if weak is not None:
        if weak not in WEAK_CHOICES:
            raise UsageError(f"weak is one of {', '.join(WEAK_CHOICES)}, not {weak!r}")
        trust = trust and trust.but(weak=weak)
    options = Options(
        trust=trust,
        at=at,
        accept_claimed_time=accept_claimed_time,
        weak=weak,
        integrity_only=integrity_only,
        require=require,
        accept_legacy=accept_legacy,
        limits=limits or _record.Limits(),
    )
    return verify_with(source, options)


def verify_with(
    source: str | os.PathLike[str] | Buffer | BinaryIO | Dataset, options: Options
) -> ObjectReport:
    """As `verify`, with options that serve for many objects."""
    path = source if isinstance(source, str) else ""
    if not path and isinstance(source, os.PathLike):
        path = os.fsdecode(source)
    size = 0
    try:
        part10 = _open(source, path, options)
        size = part10.size
        return _verify(part10, path, options)
    except DicomSealError as error:
        message = str(error).removeprefix(f"{path}: ")
        return ObjectReport(
            path=path, verdict=report.ERROR, error=ErrorReport(error.code, message), bytes=size
        )


def _open(source: Any, path: str, options: Options) -> Part10:
    if path or isinstance(source, str):
        reader = getattr(_readers, "reader", None)
        if reader is None:
            reader = _readers.reader = Reader()
        return reader.open(path, options.limits)
    if is_dataset(source):
        from .dataset import encode, is_implicit, transfer_syntax_of

        if is_implicit(source):
            return Part10.from_data_set(encode(source, True), terms.IMPLICIT_VR_LITTLE_ENDIAN)
        return Part10.from_data_set(encode(source), transfer_syntax_of(source))
    return Part10.from_bytes(read_all(source), options.limits)


def _verify(part10: Part10, path: str, options: Options) -> ObjectReport:
    index = part10.index()
    signatures = [
        made for scope in index.scopes for made in _signatures(Scope(part10, index, scope), options)
    ]
    part10.check()
    sop_class, sop_instance = index.values(0, (terms.SOP_CLASS_UID, terms.SOP_INSTANCE_UID))
    reasons = [Reason("FORMAT_FAILURE", doubt) for doubt in part10.doubts(index)]
    verdict = _verdict(signatures, reasons, options)
    live = [s.location for s in signatures if s.integrity is not None]
    messages: tuple[str, ...] = ()
    if live and "" not in live:
        messages = ("only items are signed: no signature protects the main data set",)
    if verdict == report.UNSIGNED and not signatures and _hidden(index):
        verdict = report.INDETERMINATE
        messages = ("the Digital Signatures Sequence (FFFA,FFFA) has the VR UN: it cannot be read",)
    return ObjectReport(
        path=path,
        verdict=verdict,
        reasons=tuple(reasons),
        messages=messages,
        bytes=part10.size,
        sop_class_uid=items.as_text(sop_class),
        sop_instance_uid=items.as_text(sop_instance),
        transfer_syntax=part10.transfer_syntax,
        signatures=tuple(signatures),
    )


def _hidden(index: Index) -> bool:
    """Whether the main data set has a Digital Signatures Sequence that is no sequence any more."""
    number = index.find(0, terms.DIGITAL_SIGNATURES_SEQUENCE)
    return number >= 0 and index.record(number).kind == _record.ELEMENT


def _verdict(signatures: list[SignatureReport], reasons: list[Reason], options: Options) -> str:
    live = [s for s in signatures if s.integrity is not None]
    if "signature" in options.require and not any(s.location == "" for s in live):
        what = "it is unsigned" if not live else "only items of it are signed"
        reasons.insert(0, Reason("SIGNED_DATA_NOT_FOUND", f"a signature is required, and {what}"))
    if "timestamp" in options.require:
        lacking = missing(live)
        if lacking is not None:
            reasons.append(lacking)
    if reasons:
        return report.FAILED
    if not live:
        return report.UNSIGNED
    integrity = {s.integrity for s in live}
    if report.ALTERED in integrity:
        return report.FAILED
    if report.UNVERIFIABLE in integrity:
        return report.INDETERMINATE
    if any(s.trust_reason for s in live if s.trust == report.NOT_CHECKED):
        return report.INDETERMINATE  # weak, and that is rejected
    if "timestamp" in options.require and not proven(live):
        return report.INDETERMINATE
    if options.integrity_only or {s.trust for s in live} == {report.TRUSTED}:
        return report.PASSED
    return report.INDETERMINATE


def _signatures(scope: Scope, options: Options) -> Iterator[SignatureReport]:
    """The reports on the signatures of a data set or item, in their order."""
    found = list(items.items_of(scope.index, scope.scope, terms.DIGITAL_SIGNATURES_SEQUENCE))
    scope.several = len(found) > 1
    for item in found:
        yield _signature(scope, item, options)


def _signature(scope: Scope, item: int, options: Options) -> SignatureReport:
    stored = digital_signature.read(scope.index, item)
    when = digital_signature.parse_datetime(stored.datetime)
    if when is not None and when.tzinfo is None:
        when = digital_signature.parse_datetime(stored.datetime, _offset(scope))
    check = Check(scope, item, stored, options.accept_legacy)
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
    stamp = examine(check, integrity, when, options)
    judged = judge(check, integrity, when, options, stamp.proven)
    if when is None:
        check.messages.append(f"Digital Signature DateTime {stored.datetime!r} is no time")
    elif when.tzinfo is None:
        check.messages.append("Digital Signature DateTime has no offset from UTC: ambiguous")
    check.messages += judged.messages
    check.messages += stamp.messages
    mac, signer = check.mac, check.certificate
    if integrity == report.INTACT and mac and _relabelled(scope, mac.transfer_syntax):
        check.messages.append(
            f"the Pixel Data were signed in transfer syntax {mac.transfer_syntax}; the object now "
            f"says {scope.part10.transfer_syntax}"
        )
    return SignatureReport(
        location=scope.location,
        uid=stored.uid,
        mac_id=stored.mac_id,
        datetime=when.isoformat() if when else stored.datetime,
        mac_algorithm=mac.algorithm if mac else "",
        mac_transfer_syntax=mac.transfer_syntax if mac else "",
        purpose=stored.purpose[2] or stored.purpose[0] if stored.purpose else None,
        integrity=integrity,
        integrity_reason=reason,
        trust=judged.trust,
        trust_reason=judged.reason,
        judged_at=judged.at,
        judged_by=judged.by,
        revocation=judged.revocation,
        signer=signer.signer if signer else None,
        timestamp=stamp.report,
        weak=judged.weak,
        messages=tuple(check.messages),
        signed_elements=check.coverage.signed,
        unsigned_elements=check.coverage.unsigned,
    )


def _offset(scope: Scope) -> str:
    """Timezone Offset From UTC (0008,0201) for a data set or item: its own, or the object's."""
    own = items.text_of(scope.index, scope.scope, terms.TIMEZONE_OFFSET_FROM_UTC)
    return own or items.text_of(scope.index, 0, terms.TIMEZONE_OFFSET_FROM_UTC)


def _relabelled(scope: Scope, signed: str) -> bool:
    now = scope.part10.transfer_syntax
    return now != signed and bool(terms.is_encapsulated(now) or terms.is_encapsulated(signed))

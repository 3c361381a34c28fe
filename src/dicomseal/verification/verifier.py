"""Verify every signature of an object: integrity, then trust, then a verdict.

In: a file, its bytes, or a data set; and options.
Out: an `ObjectReport`.
PS3: PS3.3 C.12.1.1.3, PS3.15 Annex C.

It works on the index of the object's bytes; pydicom is not used. A bad object is reported, never
raised.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from .. import report
from ..ambiguity import parser_differentials
from ..encoding import obstacles, record, values
from ..encoding.limits import Limits
from ..errors import DicomSealError, EncodingError, UsageError
from ..files.dataset_source import DatasetSource
from ..files.part10 import Part10
from ..files.reader import Reader
from ..files.source import is_dataset, read_all
from ..files.window import Window
from ..policy import WEAK_CHOICES
from ..report import ErrorReport, ObjectReport, Reason, ReasonCode
from ..standard import terms, transfer_syntaxes
from ..standard.mac_algorithms import new_hasher
from ..standard.tags import describe
from . import coverage, signature_report, time_limit
from .options import REJECT, WARN, Options, demands, unsigned_policy
from .verdict import decide, of_the_whole

if TYPE_CHECKING:
    from pydicom import Dataset
    from typing_extensions import Buffer

    from ..encoding.backend import Index
    from ..encoding.record import SoleSignature
    from ..requirements import Rule
    from ..trust.store import TrustStore

_readers = threading.local()
_SHORT = 1 << 20  # bytes; all else that is done for an object goes up with its size
_MOST_TOLD = 3  # of what no signature can cover; one is enough to fail
_NAMES = (terms.SOP_CLASS_UID, terms.SOP_INSTANCE_UID, terms.MODALITY)


def verify(
    source: str | os.PathLike[str] | Buffer | BinaryIO | Dataset,
    *,
    trust: TrustStore | None = None,
    at: datetime | None = None,
    accept_claimed_time: bool = False,
    weak: str | None = None,
    integrity_only: bool = False,
    require: str | Rule | Iterable[str | Rule] = (),
    require_signed: Iterable[str | int] = (),
    require_all_signed: bool = False,
    list_uncovered: bool = False,
    unsigned: str = WARN,
    accept_legacy: bool = False,
    transfer_syntax: str = "",
    limits: Limits | None = None,
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
        require: what must be there, or the object fails: ``"signature"``; ``"creator"``,
            ``"authorization"`` or ``"sr"``, a signature of that profile of PS3.15 Annex C;
            ``"timestamp"``, a Certified Timestamp that counts; or a rule of
            `dicomseal.requirements`. Of several each must be met.
        require_signed: elements, as `canonical.update` takes tags, that a passing signature of the
            main data set must cover, or the object fails. One in an item never does.
        require_all_signed: all elements of the main data set that can be signed by their tag must
            be covered, or the object fails.
        list_uncovered: list in the report what no passing signature covers.
        unsigned: ``accept`` what no passing signature covers; ``warn``: elements that say what
            signed ones mean (`standard.meanings`) make an object ``indeterminate``, and others
            give a message; ``reject``: any fails it.
        accept_legacy: accept signatures over encapsulated Pixel Data that dcmsign made before
            3.5.4, which hashed the lengths of fragments too. A message always says so.
        transfer_syntax: the Transfer Syntax UID of a bare data set, one without File Meta
            Information. Without it the encoding is not stated, and the object is at best
            ``indeterminate``. It is not used for a file that has File Meta Information.
        limits: what a hostile object may cost.

    Returns:
        A report. Anything wrong with the object itself is in it, as a verdict.

    Raises:
        UsageError: ``require``, ``require_signed``, ``unsigned``, ``weak`` or ``transfer_syntax``
            names something unknown, ``at`` has no UTC offset, or ``trust`` is no `TrustStore`.
    """
    options = options_of(
        trust, at, accept_claimed_time, weak, integrity_only, require, require_signed,
        require_all_signed, list_uncovered, unsigned, accept_legacy, transfer_syntax, limits,
    )  # fmt: skip
    return verify_with(source, options)


def options_of(
    trust: TrustStore | None, at: datetime | None, accept_claimed_time: bool, weak: str | None,
    integrity_only: bool, require: str | Rule | Iterable[str | Rule],
    require_signed: Iterable[str | int], require_all_signed: bool, list_uncovered: bool,
    unsigned: str, accept_legacy: bool, transfer_syntax: str, limits: Limits | None,
) -> Options:  # fmt: skip
    """Return the checked options of a caller, which are those of `verify` in their order.

    Raises:
        UsageError: one of them names something unknown, or makes no sense.
    """
    if at is not None and not (isinstance(at, datetime) and at.tzinfo):
        raise UsageError("the moment of validation is a datetime with an offset from UTC")
    if trust is not None and not hasattr(trust, "decided"):
        raise UsageError("trust takes a TrustStore, e.g. TrustStore.from_files('ca.pem')")
    if weak is not None:
        if weak not in WEAK_CHOICES:
            raise UsageError(f"weak is one of {', '.join(WEAK_CHOICES)}, not {weak!r}")
        trust = trust and trust.but(weak=weak)
    return Options(
        trust=trust,
        at=at,
        accept_claimed_time=accept_claimed_time,
        weak=weak,
        integrity_only=integrity_only,
        require=_required(require),
        accept_legacy=accept_legacy,
        transfer_syntax=known_transfer_syntax(transfer_syntax),
        demands=demands(require_signed, require_all_signed, list_uncovered),
        unsigned=unsigned_policy(unsigned),
        limits=Limits.checked(limits),
    )


def known_transfer_syntax(uid: str) -> str:
    """Check a Transfer Syntax UID that a caller names; an empty one is allowed.

    Raises:
        UsageError: the standard has no such transfer syntax for files.
    """
    if uid and uid not in transfer_syntaxes.TRANSFER_SYNTAXES:
        raise UsageError(
            f"{uid!r} is not a known Transfer Syntax UID of a data set, such as "
            f"{transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN}"
        )
    return uid


def _required(require: Any) -> frozenset[str | Rule]:
    if not require:
        return frozenset()
    from ..requirements import parse

    single = isinstance(require, str) or hasattr(require, "unmet")
    try:
        rules = frozenset([require] if single else require)
    except TypeError:
        raise UsageError(f"require takes rules or their names, not {require!r}") from None
    for rule in rules:
        parse(rule)
    return rules


def verify_with(
    source: str | os.PathLike[str] | Buffer | BinaryIO | Dataset | Window, options: Options
) -> ObjectReport:
    """Verify as `verify`, with options that serve for many objects; accept a `Window` too."""
    path = source if isinstance(source, str) else ""
    if not path and isinstance(source, os.PathLike):
        path = os.fsdecode(source)
    size, index = 0, None
    try:
        part10 = _open(source, path, options)
        size = part10.size
        index = part10.index()
        sole = index.sole_signature()
        if sole is not None and _is_soon_done(part10, sole):
            return _verify(part10, index, path, options, sole)
        return time_limit.of_an_object(part10, options, _verify, part10, index, path, options, sole)
    except DicomSealError as error:
        return _failed(error, path, size, index)


def _is_soon_done(part10: Part10, sole: SoleSignature) -> bool:
    """Return whether an object with a sole signature needs no clock, unless that does not verify.

    To start one costs a fraction of what such an object costs, if it is small. What may take long
    in spite of that, such as a search in fragments, starts a clock of its own.
    """
    return part10.size <= _SHORT and part10.deflated is None and not sole.values.timestamp


def _failed(
    error: DicomSealError, path: str, size: int, index: Index | None = None
) -> ObjectReport:
    message = str(error).removeprefix(f"{path}: ")
    if index is not None and error.code == "limit":  # it had failed before the limit
        reasons = tuple(
            Reason(ReasonCode.FORMAT_FAILURE, note.sentence())
            for note in index.ambiguities
            if note.kind in record.EVEN_UNSIGNED
        )
        if reasons:
            return ObjectReport(
                path=path, verdict=report.FAILED, reasons=reasons[:1], messages=(message,),
                bytes=size,
            )  # fmt: skip
    if error.code == "contradiction":  # readers read it in different encodings
        reasons = (Reason(ReasonCode.FORMAT_FAILURE, message),)
        return ObjectReport(path=path, verdict=report.FAILED, reasons=reasons, bytes=size)
    return ObjectReport(
        path=path, verdict=report.ERROR, error=ErrorReport(error.code, message), bytes=size
    )


def _reader() -> Reader:
    """Return the reader of this thread."""
    try:
        found: Reader = _readers.reader
    except AttributeError:
        found = _readers.reader = Reader()
    return found


def _open(source: Any, path: str, options: Options) -> Part10:
    if path or isinstance(source, str):
        return _reader().open(path, options.limits, named=options.transfer_syntax)
    if isinstance(source, Window):
        return Part10(source, len(source), options.limits, options.transfer_syntax)
    if is_dataset(source):
        from ..encoding.from_pydicom import as_written

        try:
            part10 = Part10.from_data_set(*as_written(source), options.limits, little_endian=True)
        except EncodingError as error:
            from . import missing

            raise missing.unread(source, error) from error
        part10.dataset = DatasetSource(source)
        return part10
    return Part10.from_bytes(read_all(source), options.limits, options.transfer_syntax)


def _verify(
    part10: Part10,
    index: Index,
    path: str,
    options: Options,
    sole: SoleSignature | None = None,
) -> ObjectReport:
    """Return the report on an object that can be read.

    Args:
        sole: see `Index.sole_signature`. Of an object that has one, nothing odd was noted either.
    """
    by_scope = signature_report.by_scope(part10, index, options, sole)
    signatures = of_the_whole(index, by_scope)
    sop_class, sop_instance, modality = index.values(0, _NAMES)
    live = sole is not None or any(signature.integrity is not None for signature in signatures)
    reasons = []
    if sole is None or index.fragmented or part10.deflated is not None:
        doubts = parser_differentials.doubts(part10, index, live)
        reasons += [Reason(ReasonCode.FORMAT_FAILURE, doubt) for doubt in doubts]
    passing = "" if options.integrity_only else report.TRUSTED
    covered = coverage.measure(index, signatures, passing, options.demands)
    reasons += covered.broken
    if options.demands.all_signed:
        reasons += _out_of_reach(part10, index)
    left = coverage.NOTHING_FOUND
    if covered.uncovered or not covered.covered:
        from . import unsigned  # for start-up time: mostly everything is signed

        left = unsigned.examine(index, by_scope, covered, passing, options.unsigned)
    undecided = []
    if part10.meta.doubt and live:
        undecided.append(Reason(ReasonCode.ENCODING_NOT_STATED, part10.meta.doubt))
    if left.reason:
        (reasons if options.unsigned == REJECT else undecided).append(left.reason)
    verdict = decide(signatures, reasons, options, undecided)
    messages = left.messages
    if covered.tags and signatures:
        messages += obstacles.notes(index, 0, covered.tags)
    if index.trailing:
        messages += (f"{index.trailing} zero bytes follow the data set, outside any element",)
    if sole is None and verdict in (report.UNSIGNED, report.PASSED) and _is_hidden(index):
        verdict = report.INDETERMINATE
        messages += (
            "the Digital Signatures Sequence (FFFA,FFFA) has the VR UN: it cannot be read",
        )
    if live:
        if sole is None or signatures[0].integrity != report.INTACT:
            # the MAC Parameters of a sole intact signature are its own
            from . import missing  # for start-up time

            messages += tuple(missing.orphans(index, sorted({0, *index.scopes})))
        messages += parser_differentials.messages(part10, index, sop_class, sop_instance)
    else:
        verdict, sentences = _without_signatures(part10, index, verdict, reasons)
        messages += sentences
    content = _content_digest(index) if options.content_digest else None
    part10.check()  # only after the last read that the answer depends on
    return ObjectReport(
        path=path,
        verdict=verdict,
        reasons=(*reasons, *undecided),
        messages=messages,
        bytes=part10.size,
        sop_class_uid=values.as_text(sop_class),
        sop_instance_uid=values.as_text(sop_instance),
        transfer_syntax=part10.transfer_syntax,
        modality=values.as_text(modality),
        content_digest=content,
        covered_elements=covered.covered,
        uncovered_elements=covered.uncovered,
        uncovered=(
            tuple([describe(tag) for tag in covered.tags])
            if covered.tags and options.demands
            else ()
        ),
        uncovered_classes=left.classes,
        signatures=tuple(signatures),
    )


def _without_signatures(
    part10: Part10, index: Index, verdict: str, reasons: list[Reason]
) -> tuple[str, tuple[str, ...]]:
    """Return verdict and messages for an object that has no signature to be verified."""
    from . import missing  # for start-up time: most objects that are verified are signed

    lacking = missing.evidence(part10, index)
    if lacking.reason and verdict == report.UNSIGNED:
        verdict = report.INDETERMINATE
        reasons.append(lacking.reason)
    return verdict, tuple(lacking.sentences)


def _out_of_reach(part10: Part10, index: Index) -> list[Reason]:
    """Return why not every element is signed, whatever the signatures list."""
    from . import out_of_reach  # for start-up time: hardly anybody demands it

    return [
        Reason(ReasonCode.SIG_CONSTRAINTS_FAILURE, f"{said}, and every element must be signed")
        for said in islice(out_of_reach.sentences(part10, index), _MOST_TOLD)
    ]


def _content_digest(index: Index) -> str:
    """Return the digest of the main data set, without signatures and MAC Parameters."""
    hasher = new_hasher("SHA256")
    index.stream(hasher.update, 0, None)
    return hasher.hexdigest()


def _is_hidden(index: Index) -> bool:
    """Return whether the main data set has a Digital Signatures Sequence of another VR."""
    if 0 in index.scopes:
        return False
    number = index.find(0, terms.DIGITAL_SIGNATURES_SEQUENCE)
    return number >= 0 and index.record(number).kind == record.ELEMENT

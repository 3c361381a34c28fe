"""The seven steps of the verification of one signature, with the numbers of this object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..encoding import record as r
from ..report import ALTERED, INTACT, TRUSTED, UNTRUSTED, Reason, ReasonCode
from ..signature.integrity import LEGACY, UNPADDED
from ..standard import terms, transfer_syntaxes
from ..standard.mac_algorithms import DIGEST_INFO
from ..standard.tags import describe, format_tag
from . import step
from .step import BROKEN, OK, UNKNOWN, Step
from .subject import OTHER_VRS

if TYPE_CHECKING:
    from .chain import Link
    from .covered import Coverage
    from .subject import Explained

_MAX_NAMED = 8
_MAX_FRAGMENTS = 12
_MAX_LOOKED_AT = 100_000  # elements of a data set
_TIMES = {
    "timestamp": "the time of its Certified Timestamp, which proves that it existed then",
    "validation": "the time of validation, as no earlier time is proven",
    "claimed": "the time that the signature claims, which was accepted and is not proven",
    "poe_ledger": "the time at which it passed before, as a ledger proves",
}
_REVOCATION = {
    "good": "something at hand says that no certificate in the chain was revoked",
    "revoked": "a certificate in the chain was revoked",
    "unknown": "it could not be told whether a certificate was revoked",
    "not_checked": "nothing at hand tells of revocations, or it was not asked for",
}


def steps_of(one: Explained, covered: Coverage, links: tuple[Link, ...]) -> tuple[Step, ...]:
    """Return the steps, in their order.

    Args:
        one: the signature.
        covered: the elements that it covers.
        links: its chain.
    """
    return (
        _covers(one, covered),
        _canonical(one),
        _stream(one, covered),
        _mac(one),
        _key(one),
        _trust(one, links),
        _answer(one),
    )


def _named(tags: tuple[int, ...]) -> str:
    named = ", ".join(describe(tag) for tag in tags[:_MAX_NAMED])
    more = f" and {len(tags) - _MAX_NAMED} more" if len(tags) > _MAX_NAMED else ""
    return named + more


def _covers(one: Explained, covered: Coverage) -> Step:
    count = len(covered.elements) + covered.cut
    where = f"the item {one.report.location}" if one.report.location else "the main data set"
    message = (
        f"{count} of {covered.present} elements of {where} that could be signed by their tag; "
        f"Data Elements Signed lists {covered.listed}"
    )
    details = []
    if covered.left_out:
        details.append(f"not covered: {_named(covered.left_out)}")
    details += covered.warnings
    if covered.absent:
        details.append(
            f"listed, and not there: {_named(covered.absent)}. Such a tag adds nothing to the "
            "stream: the element may have been removed since, or never have been there"
        )
    state = OK
    if covered.lost:
        details.append(f"listed, and its VR is UN or was lost: {_named(covered.lost)}")
        state = UNKNOWN
    if one.mac is None or not covered.listed or not count:
        state = BROKEN
    return Step(step.COVERS, state, message, tuple(details))


def _canonical(one: Explained) -> Step:
    part10 = one.subject.part10
    assert part10 is not None  # noqa: S101 - there is no signature without an object
    now = part10.transfer_syntax
    then = one.mac.transfer_syntax if one.mac else ""
    order = "big endian" if part10.big_endian else "little endian"
    kind = f"{'implicit' if part10.implicit else 'explicit'} VR {order}"
    details = [f"the file: {now or 'no transfer syntax stated'}, read as {kind}"]
    if part10.deflated is not None:
        details.append("the data set was deflated; what came out is what counts")
    details.append(f"the calculation: explicit VR little endian, {then or 'not stated'}")
    if part10.big_endian:
        details.append("numbers and words change their byte order, by VR")
    if part10.implicit:
        details.append("implicit VR states no VR: each is looked up, or tried (PS3.5 7.1.3)")
    if one.vrs:
        index = one.index
        other = [f"{describe(index.record(n).tag)} as {vr}" for n, vr in one.vrs.items()
                 if index.record(n).vr != vr]  # fmt: skip
        if other:
            details.append(f"signed with other VRs than the rules give: {'; '.join(other[:8])}")
    details += _left_out(one)
    details += _special(one)
    forms = {
        LEGACY: "the form of dcmsign before 3.5.4, which hashed the lengths of fragments too",
        UNPADDED: "dcmsign's form of OW of an odd length, without the byte of padding",
        OTHER_VRS: "the standard's, with the VRs that were signed",
    }
    message = "sequences, items and fragments lose their lengths; every value keeps its bytes"
    if one.form in forms:
        details.append(f"the form: {forms[one.form]}")
    state = OK
    if then and not transfer_syntaxes.may_be_for_mac(then):
        state = BROKEN
    elif not then or transfer_syntaxes.is_encapsulated(then) is None:
        state = UNKNOWN
    elif _is_transcoded(one):
        state = UNKNOWN
        details.append(
            f"the Pixel Data were signed in {then} and are now in {now}: other bytes, whatever "
            "they show"
        )
    return Step(step.CANONICAL, state, message, tuple(details))


def _is_transcoded(one: Explained) -> bool:
    part10 = one.subject.part10
    assert part10 is not None and one.mac is not None  # noqa: S101
    now, then = part10.transfer_syntax, one.mac.transfer_syntax
    either = transfer_syntaxes.is_encapsulated(now) or transfer_syntaxes.is_encapsulated(then)
    covers = terms.PIXEL_DATA in one.mac.data_elements_signed
    return bool(either and now != then and covers and one.index.find(0, terms.PIXEL_DATA) >= 0)


def _left_out(one: Explained) -> Iterator[str]:
    """Yield the elements of the file that are never in the stream, and the reasons."""
    index, scope = one.index, one.scope
    there = index.present(scope)
    groups = sum(1 for tag in there if not tag & 0xFFFF)
    if groups:
        yield f"left out: {groups} group lengths, which are never signed"
    unknown = []
    if len(there) <= _MAX_LOOKED_AT:
        unknown = [
            record.tag
            for record in map(index.record, index.children(scope))
            if record.flags & r.UNKNOWN_VR
        ]
    if unknown:
        yield f"left out: {_named(tuple(unknown))}, as the VR UN is never signed"
    yield (
        "left out: File Meta Information, MAC Parameters (4FFE,0001), Digital Signatures "
        "(FFFA,FFFA) and trailing padding (FFFC,FFFC), which are never signed"
    )


def _special(one: Explained) -> Iterator[str]:
    """Yield lines about encapsulated pixels, fragment by fragment, and about waveforms."""
    index = one.index
    for number in one.elements:
        record = index.record(number)
        if record.kind == r.ENCAPSULATED:
            sizes = [
                index.record(child).end - index.record(child).value
                for child in index.children(number)
            ]
            shown = ", ".join(f"{size:,}" for size in sizes[:_MAX_FRAGMENTS])
            more = (
                f", and {len(sizes) - _MAX_FRAGMENTS} more" if len(sizes) > _MAX_FRAGMENTS else ""
            )
            yield (
                f"{describe(record.tag)}: {len(sizes)} items of {shown}{more} bytes, the offset "
                "table first; each is its tag FEFF00E0 and its bytes, without a length"
            )
        elif record.tag == 0x54000100:
            yield from _waveform(one, number)


def _waveform(one: Explained, sequence: int) -> Iterator[str]:
    index = one.index
    for item in index.children(sequence):
        number = index.find(item, 0x54001010)
        if number >= 0:
            record = index.record(number)
            channels = index.find(item, 0x003A0005)
            count = index.value(channels)[:2] if channels >= 0 else b""
            said = int.from_bytes(count, "big" if index.big_endian else "little")
            yield (
                f"WaveformData (5400,1010) in item {index.record(item).tag}: VR {record.vr}, "
                f"{record.end - record.value:,} bytes of {said} channels, as they are stored"
            )


def _stream(one: Explained, covered: Coverage) -> Step:
    whole = covered.size + len(one.own)
    message = (
        f"{whole:,} bytes: {covered.size:,} of the data set and {len(one.own):,} of the "
        "signature's own item"
    )
    names = ", ".join(
        format_tag(one.index.record(child).tag)
        for child in one.index.children(one.item)
        if one.index.record(child).tag not in terms.NOT_IN_MAC
    )
    details = [
        f"of its own item: {names}; not the certificate, the signature, nor a timestamp",
        f"the bytes themselves: dicomseal dump --raw --uid {one.report.uid or 'UID'} FILE",
    ]
    state = OK if covered.size and not covered.lost else UNKNOWN
    return Step(step.STREAM, state, message, tuple(details))


def _mac(one: Explained) -> Step:
    report, algorithm = one.report, one.mac.algorithm if one.mac else ""
    details = []
    if one.computed:
        details.append(f"computed now: {one.computed.hex()}")
    if one.signed is not None:
        details.append(f"signed:       {one.signed.hex()}")
    elif one.signed_by_another is not None:
        name, digest = one.signed_by_another
        details.append(f"signed:       {digest.hex()}")
        says = (
            f"MAC Algorithm (0400,0015) says {algorithm}"
            if algorithm
            else ("no MAC Parameters belong to it")
        )
        details.append(f"the signature itself says that this is its {name}, and {says}")
    elif one.key in ("DSA", "ECDSA"):
        details.append(
            f"signed:       not told: {one.key} verifies a MAC and does not give it back"
        )
    elif one.key == "RSA":
        details.append(
            "signed:       none: the key of this certificate did not make this signature"
        )
    if not one.computed:
        why = report.integrity_reason.message if report.integrity_reason else "it is history"
        return Step(step.MAC, UNKNOWN, f"no MAC could be computed: {why}", tuple(details))
    if report.integrity == INTACT:
        said = "is the one that was signed"
        return Step(step.MAC, OK, f"{algorithm} of the stream {said}", tuple(details))
    if one.signed is not None and one.signed == one.computed:
        message = f"{algorithm} of the stream is the one that was signed, and yet it does not pass"
        return Step(step.MAC, OK, message, tuple(details))
    if one.signed is None and not one.key:
        message = f"{algorithm} of the stream; what was signed is not known, as no key tells it"
        return Step(step.MAC, UNKNOWN, message, tuple(details))
    state = BROKEN if report.integrity == ALTERED else UNKNOWN
    return Step(
        step.MAC, state, f"{algorithm} of the stream is not what was signed", tuple(details)
    )


def _key(one: Explained) -> Step:
    report = one.report
    if report.signer is None or one.certificate is None:
        reason = report.integrity_reason
        why = reason.message if reason else "there is no certificate"
        return Step(step.KEY, BROKEN if report.integrity == ALTERED else UNKNOWN, why)
    algorithm = one.mac.algorithm if one.mac else ""
    details = []
    if one.key == "RSA":
        message = f"{report.signer.key}, PKCS#1 v1.5 (RFC 8017 Section 8.2)"
        told = algorithm if one.signed is not None else (one.signed_by_another or ("",))[0]
        if told in DIGEST_INFO:
            details.append(
                f"the DigestInfo before the MAC is {DIGEST_INFO[told].hex()}, which says {told}"
            )
    else:
        message = (
            f"{report.signer.key}, DER of r and s; "
            "outside the profiles of PS3.15, as dcmsign has it"
        )
    size, stored = len(one.signature_value), len(one.stored.signature)
    padded = f", and {stored - size} of padding that is not part of it" if stored > size else ""
    details.append(f"Signature (0400,0120): {size} bytes{padded}")
    state = OK
    if report.integrity != INTACT and one.signed is None and one.signed_by_another is None:
        state = UNKNOWN if one.key in ("DSA", "ECDSA") else BROKEN
    reason = report.integrity_reason
    if reason is not None and reason.code == ReasonCode.CRYPTO_CONSTRAINTS_FAILURE:
        state = BROKEN if report.integrity == ALTERED else UNKNOWN
    details += [f"no longer strong: {one}" for one in report.weak]
    return Step(step.KEY, state, message, tuple(details))


def _trust(one: Explained, links: tuple[Link, ...]) -> Step:
    report = one.report
    del links  # they are shown beside the step
    states = {TRUSTED: OK, UNTRUSTED: BROKEN}
    state = states.get(report.trust, UNKNOWN)
    message = report.trust.replace("_", " ")
    if report.trust_reason:
        message += f": {report.trust_reason.code}: {report.trust_reason.message}"
        if report.trust_reason.code == ReasonCode.TRY_LATER:
            state = UNKNOWN
    details = []
    if report.judged_by and report.judged_at:
        details.append(f"judged at {report.judged_at}, {_TIMES[report.judged_by]}")
    else:
        details.append("not judged: nobody is named as trusted")
    details.append(f"the signature claims {report.datetime or 'no time'}")
    details.append(f"revocation: {_REVOCATION[report.revocation]}")
    stamp = report.timestamp
    if stamp is None:
        details.append("timestamp: none; when its certificate expires, it is no longer trusted")
    else:
        said = f"{stamp.integrity or 'not checked'}, {stamp.trust.replace('_', ' ')}"
        why = f": {stamp.reason.message}" if stamp.reason else ""
        details.append(f"timestamp: {stamp.time or 'no time'} by {stamp.authority}, {said}{why}")
    return Step(step.TRUST, state, message, tuple(details))


def _answer(one: Explained) -> Step:
    report = one.report
    if report.integrity is None:
        return Step(step.ANSWER, UNKNOWN, "history, inside Original Attributes: not verified")
    message = f"{report.integrity}, {report.trust.replace('_', ' ')}"
    reason: Reason | None = report.integrity_reason or report.trust_reason
    if reason:
        message += f": {reason.code}: {reason.message}"
    state = OK if report.integrity == INTACT else BROKEN if report.integrity == ALTERED else UNKNOWN
    if state == OK and report.trust != TRUSTED:
        state = BROKEN if report.trust == UNTRUSTED else UNKNOWN
        if one.subject.options.integrity_only:
            state = OK
    return Step(step.ANSWER, state, message, report.messages)

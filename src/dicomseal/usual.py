"""The usual way through a signature: what nearly all are, without a detour through what few are.

One signature over the main data set with one MAC Parameters item, over all that can be signed, with
no purpose and no timestamp, that verifies at the first try. Whatever is not so is answered with
None, and `signature_verifier` looks for itself: what is said of a signature is decided there, and
here only repeated. tests/test_usual.py holds both answers equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import digital_signature, mac_parameters, means, report, terms
from .fragments import hidden
from .report import SignatureReport
from .signature_trust import judge

if TYPE_CHECKING:
    from ._record import Work
    from .canonical import Index
    from .part10 import Part10
    from .verifier import Options


def signature(part10: Part10, index: Index, work: Work, options: Options) -> SignatureReport | None:
    """The report on the one signature of an object; None if something is not as usual."""
    parameters = index.only_item(0, terms.MAC_PARAMETERS_SEQUENCE)
    item = index.only_item(0, terms.DIGITAL_SIGNATURES_SEQUENCE)
    if parameters < 0 or item < 0 or index.ambiguities:
        return None
    if index.find(item, terms.MAC_ID_NUMBER) != item + 1:
        return None
    stored = digital_signature.read(index, item, options.limits)
    when = digital_signature.parse_datetime(stored.datetime)
    if stored.purpose or stored.timestamp or when is None or when.tzinfo is None:
        return None
    raw = mac_parameters.raw(index, parameters)
    found = means.of(raw, index.big_endian, stored.certificate_type, stored.certificate)
    mac, whole = found.mac, found.whole
    if mac is None or whole is None or mac.mac_id != stored.mac_id:
        return None
    signed, now = mac.transfer_syntax, part10.transfer_syntax
    if signed != now and (terms.is_encapsulated(signed) or terms.is_encapsulated(now)):
        return None
    hasher = whole.fresh.copy()
    coverage = index.stream(hasher.update, 0, mac.data_elements_signed)
    if coverage != whole.coverage:
        return None
    content = hasher.copy().digest() if options.digests else b""
    own = index.stream(hasher.update, item, None, without=terms.NOT_IN_MAC)
    computed = hasher.digest()
    if own.unsigned or not found.verifies(computed, stored.signature):
        return None
    if index.fragmented and hidden(part10, index, 0, work):
        return None
    work.signature()
    digests = found.digests(computed, content, stored.signature) if options.digests else None
    judged = judge(found, report.INTACT, when, options, None, digests)
    return SignatureReport(
        location="",
        uid=stored.uid,
        mac_id=stored.mac_id,
        datetime=when.isoformat(),
        mac_algorithm=mac.algorithm,
        mac_transfer_syntax=signed,
        integrity=report.INTACT,
        trust=judged.trust,
        trust_reason=judged.reason,
        judged_at=judged.at,
        judged_by=judged.by,
        proof=judged.proof,
        revocation=judged.revocation,
        signer=whole.signer,
        profiles=whole.profiles,
        weak=judged.weak,
        messages=judged.messages,
        signed_elements=coverage.signed,
        digests=digests,
    )

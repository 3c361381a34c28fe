"""Re-encode an object that may be signed, and refuse a change that would break a signature.

In: an object and its index, and a transfer syntax or a kind of lengths.
Out: the bytes of a file, or a `SigningError`.
PS3: PS3.5 Section 7 and Annex A; PS3.3 C.12.1.1.3.1.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import report
from ..encoding import limits, values
from ..encoding import record as _record
from ..encoding.backend import Index
from ..errors import SigningError
from ..files.part10 import Part10
from ..signature import digital_signature, mac_parameters, other_forms
from ..signature.failure import Broken
from ..signature.integrity import Check
from ..signature.scope import Scope
from ..standard import terms
from ..standard.mac_algorithms import new_hasher
from .reencode import KEEP, Loss, reencode


def convert(
    part10: Part10,
    index: Index,
    transfer_syntax: str = "",
    *,
    lengths: str = KEEP,
    accept_loss: bool = False,
) -> bytes:
    """Return the same object in another encoding, as the bytes of a file.

    Every signature that was intact still is, over the same bytes: both are compared, before and
    after. A signature that cannot be verified here still covers the same bytes.

    Args:
        part10, index: the object and its index.
        transfer_syntax: a UID; empty keeps it.
        lengths: of sequences and items: ``keep``, ``explicit`` or ``undefined``.
        accept_loss: accept that an element that no signature covers loses its VR.

    Raises:
        SigningError: a signature would break, a VR would be lost, or the Pixel Data would have to
            be decoded.
    """
    data, losses = reencode(part10, index, transfer_syntax, lengths)
    if index.scopes:
        _keep_signatures(part10, index, Part10.from_bytes(data, part10.limits), losses)
    unknown = [loss for loss in losses if "UN" in loss.after]
    if unknown and not accept_loss:
        raise SigningError(f"{unknown[0].sentence()}: nothing was written", "transfer_syntax")
    return data


def _keep_signatures(part10: Part10, index: Index, converted: Part10, losses: list[Loss]) -> None:
    after = converted.index()
    budgets = [limits.ReadBudget(one.size, one.limits) for one in (part10, converted)]
    for old, new in zip(index.scopes, after.scopes, strict=True):
        scopes = Scope(part10, index, old, budgets[0]), Scope(converted, after, new, budgets[1])
        if scopes[0].history:
            continue
        pairs = zip(*(_signatures(scope) for scope in scopes), strict=True)
        for before, now in pairs:
            if _is_kept(scopes, before, now):
                continue
            uid = values.text_of(index, before, terms.DIGITAL_SIGNATURE_UID)
            why = _cause(index, scopes[0], before, losses)
            raise SigningError(f"the signature {uid} would break: {why}", "transfer_syntax")


def _is_kept(scopes: tuple[Scope, Scope], before: int, now: int) -> bool:
    """Return whether a signature still has the value that it had before the conversion.

    A signature that is altered cannot be broken. One that is unverifiable here may be intact for a
    reader that knows more, so it needs the same bytes as an intact one.
    """
    was, becomes = _integrity(scopes[0], before), _integrity(scopes[1], now)
    if was == report.ALTERED:
        return True
    same = _covered(scopes[0], before) == _covered(scopes[1], now)
    if was == report.INTACT:
        # it may still be intact only because another VR was tried: other readers would not try it
        return same and becomes == report.INTACT
    # explicit VR would fix a VR that implicit VR leaves open, perhaps not as it was signed
    settled = scopes[0].index.guessed > scopes[1].index.guessed
    return becomes == report.INTACT or (same and not settled)


def _signatures(scope: Scope) -> Iterator[int]:
    return values.items_of(scope.index, scope.scope, terms.DIGITAL_SIGNATURES_SEQUENCE)


def _integrity(scope: Scope, item: int) -> str:
    stored = digital_signature.read(scope.index, item)
    try:
        other_forms.verify(Check(scope, item, stored, accept_legacy=True))
    except Broken as broken:
        return broken.integrity
    return report.INTACT


def _parameters(scope: Scope, item: int) -> mac_parameters.MacParameters | None:
    mac_id = values.number_of(scope.index, item, terms.MAC_ID_NUMBER)
    found = scope.mac_items(mac_id)
    return mac_parameters.read(scope.index, found[0]) if found else None


def _covered(scope: Scope, item: int) -> bytes:
    """Hash the content of a signature for a reader that takes every VR as it is stored.

    The hash is SHA-256, whatever the MAC Algorithm of the signature is: that may be unknown.
    """
    mac = _parameters(scope, item)
    hasher = new_hasher("SHA256")
    tags = mac.data_elements_signed if mac else ()
    scope.index.stream(hasher.update, scope.scope, tags)
    scope.index.stream(hasher.update, item, None, without=terms.NOT_IN_MAC)
    return hasher.digest()


def _cause(index: Index, scope: Scope, item: int, losses: list[Loss]) -> str:
    """Name the element whose VR is lost and which the signature covers, alone or in a sequence."""
    mac = _parameters(scope, item)
    signed = set(mac.data_elements_signed) if mac else set()
    for loss in losses:
        number = loss.record
        while number and index.record(number).parent != scope.scope:
            number = index.record(number).parent
        record = index.record(number)
        if record.kind != _record.ITEM and record.tag in signed:
            return loss.sentence()
    return "the elements that it covers would have other bytes"

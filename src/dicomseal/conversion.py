"""Re-encode an object that may be signed, and refuse what would break a signature in it."""

from __future__ import annotations

from collections.abc import Iterator

from . import _record, digital_signature, mac_parameters, terms
from . import sequence_items as items
from .canonical import Index, new_hasher
from .errors import SigningError, UsageError
from .integrity import Broken, Check, Scope
from .part10 import Part10
from .reencode import KEEP, Loss, reencode


def convert(
    part10: Part10,
    index: Index,
    transfer_syntax: str = "",
    *,
    lengths: str = KEEP,
    accept_loss: bool = False,
) -> bytes:
    """The same object in another encoding, as the bytes of a file.

    Every signature that was intact still is, over the same bytes: both are looked at, before and
    after.

    Args:
        part10, index: the object and its index.
        transfer_syntax: a UID; empty keeps it.
        lengths: of sequences and items: ``keep``, ``explicit`` or ``undefined``.
        accept_loss: accept that a VR is lost of an element that no signature covers.

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


def _keep_signatures(part10: Part10, index: Index, made: Part10, losses: list[Loss]) -> None:
    after = made.index()
    works = [_record.Work(one.size, one.limits) for one in (part10, made)]
    for old, new in zip(index.scopes, after.scopes, strict=True):
        scopes = Scope(part10, index, old, works[0]), Scope(made, after, new, works[1])
        if scopes[0].history:
            continue
        pairs = zip(*(_signatures(scope) for scope in scopes), strict=True)
        for before, now in pairs:
            if not _is_intact(scopes[0], before):
                continue
            # an intact one may still be intact only because another VR was tried: other readers
            # would not try it
            if _is_intact(scopes[1], now) and _mac(scopes[0], before) == _mac(scopes[1], now):
                continue
            uid = items.text_of(index, before, terms.DIGITAL_SIGNATURE_UID)
            why = _cause(index, scopes[0], before, losses)
            raise SigningError(f"the signature {uid} would break: {why}", "transfer_syntax")


def _signatures(scope: Scope) -> Iterator[int]:
    return items.items_of(scope.index, scope.scope, terms.DIGITAL_SIGNATURES_SEQUENCE)


def _is_intact(scope: Scope, item: int) -> bool:
    stored = digital_signature.read(scope.index, item)
    try:
        Check(scope, item, stored, accept_legacy=True).run()
    except Broken:
        return False
    return True


def _parameters(scope: Scope, item: int) -> mac_parameters.MacParameters | None:
    mac_id = items.number_of(scope.index, item, terms.MAC_ID_NUMBER)
    number = None if mac_id is None else scope.macs.get(mac_id)
    return None if number is None else mac_parameters.read(scope.index, number)


def _mac(scope: Scope, item: int) -> bytes:
    """The MAC that a reader gets who tries nothing."""
    mac = _parameters(scope, item)
    if mac is None:
        return b""
    try:
        hasher = new_hasher(mac.algorithm)
    except UsageError:
        return b""
    scope.index.stream(hasher.update, scope.scope, mac.data_elements_signed)
    scope.index.stream(hasher.update, item, None, without=terms.NOT_IN_MAC)
    return hasher.digest()


def _cause(index: Index, scope: Scope, item: int, losses: list[Loss]) -> str:
    """The element whose VR is lost and that the signature covers, itself or around it."""
    mac = _parameters(scope, item)
    signed = set(mac.data_elements_signed) if mac else set()
    for loss in losses:
        number = loss.record
        while number and index.record(number).parent != scope.scope:
            number = index.record(number).parent
        record = index.record(number)
        if record.kind != _record.ITEM and record.tag in signed:
            return loss.sentence()
    return "what it covers would have other bytes"

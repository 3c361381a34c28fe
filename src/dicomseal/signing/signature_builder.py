"""The common part of every new signature: the tags that it lists, and its two items.

In: a `SigningRequest`, the elements that can be signed, and a stream of their canonical form.
Out: a MAC Parameters item and a Digital Signatures item.
PS3: PS3.3 C.12.1.1.3 and Table C.12-6; PS3.15 Annex C.

`sign_file` and `sign_dataset` know where the items then go.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

import msgspec

from .. import purposes
from ..encoding.backend import tags_of
from ..encoding.obstacles import Offer
from ..encoding.record import Update
from ..errors import SigningError
from ..profiles import Elements, Facts
from ..signature import digital_signature
from ..signature.certificate import kind_of
from ..signature.digital_signature import DigitalSignature
from ..signature.mac_parameters import MAX_REMEMBERED, MacParameters
from ..standard import terms
from ..standard.mac_algorithms import new_hasher
from ..standard.meanings import Signed, told_by
from ..standard.tags import describe
from .policy import check_profile
from .request import SigningRequest

MAX_MAC_IDS = 1 << 16
_MAX_NAMED = 5  # in a sentence


def select_tags(
    request: SigningRequest, offered: list[Offer], elements: Elements, main: bool
) -> list[int]:
    """Return the tags to sign: requested, demanded by the profile, or giving these a meaning."""
    tags = _selected(request, offered, elements, main)
    if request.require_all_signed and len(tags) < len(offered):
        signed = frozenset(tags)
        left = [offer for offer in offered if offer.tag not in signed]
        why = "; ".join(offer.obstacle or describe(offer.tag) for offer in left[:_MAX_NAMED])
        more = f"; and {len(left) - _MAX_NAMED} more" if len(left) > _MAX_NAMED else ""
        raise SigningError(
            f"every element is to be signed, and these would not be: {why}{more}", "unsigned"
        )
    return tags


def _selected(
    request: SigningRequest, offered: list[Offer], elements: Elements, main: bool
) -> list[int]:
    if request.profile is None:
        return list(_choose(offered, request.tags))
    wanted = request.tags
    if wanted is not None:
        wanted = sorted(request.profile.chosen({tag for tag, _ in offered}).union(wanted))
        if request.meanings:
            wanted = _with_meanings(wanted, [tag for tag, obstacle in offered if not obstacle])
    tags = list(_choose(offered, wanted))
    facts = Facts(
        elements,
        main,
        frozenset(tags),
        len(tags) == len(offered),
        kind_of(request.key.certificate.public_key),
        request.algorithm,
        purpose=purposes.code_of(request.purpose),
    )
    check_profile(request.profile, facts)
    return tags


def _with_meanings(wanted: list[int], offered: list[int]) -> list[int]:
    """Add the elements that give these a meaning, those that give these one, and so on."""
    chosen = set(wanted)
    while True:
        # a text and a time are assumed to be signed
        signed = Signed(chosen, lambda: True, lambda: True)
        more = told_by((tag for tag in offered if tag not in chosen), signed)
        if not more:
            return sorted(chosen)
        chosen.update(more)


def _choose(offered: Iterable[Offer], wanted: list[int] | None) -> Iterator[int]:
    """Yield the tags to sign, in the order of the data set."""
    missing = set(wanted or ())
    found = False
    for tag, obstacle in offered:
        if wanted is not None and tag not in missing:
            continue
        missing.discard(tag)
        if not obstacle:
            found = True
            yield tag
        elif wanted is not None:
            raise SigningError(f"cannot be signed: {obstacle}")
    if missing:
        raise SigningError(
            f"{', '.join(describe(tag) for tag in sorted(missing))} is to be signed and is missing"
        )
    if not found:
        raise SigningError("there is no element that can be signed")


def listed_tags(listed: bytes) -> tuple[int, ...]:
    """Return the tags of a value of Data Elements Signed in little endian.

    For an equal value it is the same tuple, which was looked at already: the objects of one device
    have the same elements.
    """
    if len(listed) > 4 * MAX_REMEMBERED:
        return tags_of(listed, big_endian=False)
    return _remembered_tags(listed)


@lru_cache(64)
def _remembered_tags(listed: bytes) -> tuple[int, ...]:
    return tags_of(listed, big_endian=False)


def build(
    request: SigningRequest,
    tags: Sequence[int],
    transfer_syntax: str,
    present: Mapping[int | None, MacParameters | None],
    stream: Callable[[Update], object],
    when: datetime,
) -> tuple[MacParameters, DigitalSignature]:
    """Hash the scope and the signature's own item, and sign the MAC.

    Args:
        request: the options and the key.
        tags: the elements of the scope that are signed.
        transfer_syntax: the MAC Calculation Transfer Syntax UID.
        present: the MAC ID Numbers in use, with the parameters that may be shared.
        stream: feeds the canonical form of these elements to the method of a hasher.
        when: Digital Signature DateTime, aware.
    """
    mac = MacParameters(0, transfer_syntax, request.algorithm, tuple(tags))
    if present:
        mac = msgspec.structs.replace(mac, mac_id=_mac_id(mac, present))
    signature = DigitalSignature(
        mac.mac_id,
        request.uid or _new_uid(),
        digital_signature.format_datetime(when),
        terms.CERTIFICATE_TYPE_X509,
        request.key.certificate.der,
        purpose=request.purpose,
    )
    hasher = new_hasher(request.algorithm)
    stream(hasher.update)
    hasher.update(signature.own())
    value = request.key.sign(hasher.digest(), request.algorithm)
    signature = msgspec.structs.replace(signature, signature=value)
    if request.tsa is not None:
        signature = msgspec.structs.replace(
            signature, timestamp_type=terms.CMS_TSP, timestamp=request.tsa.stamp(value)
        )
    return mac, signature


def _mac_id(mac: MacParameters, present: Mapping[int | None, MacParameters | None]) -> int:
    """Return the MAC ID Number of equal parameters that may be shared, or else a free one."""
    for number, there in present.items():
        if number is None or there is None:
            continue
        if msgspec.structs.replace(there, mac_id=mac.mac_id) == mac:
            return number
    for number in range(MAX_MAC_IDS):
        if number not in present:
            return number
    raise SigningError("all 65536 MAC ID Numbers are taken here")


def _new_uid() -> str:
    """Return a new UID from a random UUID (PS3.5 B.2, RFC 9562 Section 5.4).

    As ``uuid.uuid4().int`` has it, without the object, whose making takes longer than the rest.
    """
    number = int.from_bytes(os.urandom(16), "big")
    number = number & ~(0xF << 76) | 4 << 76  # version 4: random
    number = number & ~(0b11 << 62) | 0b10 << 62  # the variant of RFC 9562
    return f"2.25.{number}"

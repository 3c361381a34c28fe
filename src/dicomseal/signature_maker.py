"""What every signature has in common: what was asked for, which tags it lists, and its two items.

Where the items then go, into a file or into a `pydicom.Dataset`, is known to `signer`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from . import digital_signature, profiles, purposes, terms
from . import sequence_items as items
from .canonical import Index, new_hasher
from .certificate import kind_of
from .digital_signature import DigitalSignature
from .errors import SigningError, UsageError
from .keys import Password, SigningKey
from .mac_parameters import MacParameters
from .meanings import Signed, told_by
from .obstacles import Offer
from .profiles import Elements, Facts, Profile
from .signing_policy import STRONG, SigningPolicy, check_profile, purpose_for
from .tags import describe, format_tag, is_signable_tag, parse_tags

if TYPE_CHECKING:
    from .signed_values import Values
    from .timestamp_protocol import TimestampAuthority

MOST_MAC_IDS = 1 << 16
_MOST_NAMED = 5  # in a sentence
_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")


class SignatureUID(str):
    """A Digital Signature UID, and what the signature leaves out.

    Attributes:
        left_out: the elements of the data set or item that have a tag which can be signed, and are
            not, e.g. ``PatientID (0010,0020)``.
        obstacles: sentences, why those of them cannot be signed that were not left out on purpose.
        telling: those of them that say what signed ones mean, see `dicomseal.meanings`: an object
            with them does not pass unless that is accepted.
    """

    __slots__ = ("left_out", "obstacles", "telling")

    left_out: tuple[str, ...]
    obstacles: tuple[str, ...]
    telling: tuple[str, ...]

    def __new__(
        cls,
        uid: str,
        offered: Sequence[Offer] = (),
        tags: Iterable[int] = (),
        values: Callable[[], Values] | None = None,
    ) -> SignatureUID:
        """It, for a signature of these tags where those were offered.

        ``values`` gives the values of these tags.
        """
        made = super().__new__(cls, uid)
        signed = frozenset(tags)
        left = [tag for tag, _ in offered if tag not in signed]
        telling: Iterable[int] = ()
        if left and values:
            read = Signed(signed, lambda: values().text(), lambda: values().time())
            telling = told_by(left, read)
        made.left_out = tuple([describe(tag) for tag in left])
        made.obstacles = tuple([offer.obstacle for offer in offered if offer.obstacle])
        made.telling = tuple([describe(tag) for tag in telling])
        return made


class Request(NamedTuple):
    """What every signature of one call has in common.

    Attributes:
        meanings: whether, with a profile, what says what signed elements mean is signed with them.
        include_guessed: whether private elements of implicit VR are signed with guessed VRs.
        require_all_signed: whether to refuse what cannot be signed in full.
    """

    key: SigningKey
    algorithm: str
    tags: list[int] | None
    uid: str | None
    when: datetime
    share_mac: bool
    profile: Profile | None
    purpose: purposes.Code | None
    tsa: TimestampAuthority | None
    meanings: bool = True
    include_guessed: bool = False
    require_all_signed: bool = False


def request_of(
    key: Any,
    certificate: Any,
    mac: str,
    tags: Any,
    uid: Any,
    when: Any,
    password: Password,
    profile: Any = None,
    purpose: Any = None,
    policy: Any = None,
    share_mac: bool = False,
    tsa: Any = None,
    include_guessed: bool = False,
    require_all_signed: bool = False,
) -> Request:
    new_hasher(mac)
    profile = profiles.find(profile)
    code = purpose_for(profile, purpose)
    policy = STRONG if policy is None else policy
    if not isinstance(policy, SigningPolicy):
        raise UsageError(f"policy takes a SigningPolicy, not {policy!r}")
    when = datetime.now(UTC).astimezone() if when is None else when
    if not isinstance(when, datetime) or when.tzinfo is None:
        raise UsageError("the time of the signature needs an offset from UTC")
    if uid is not None and not (isinstance(uid, str) and len(uid) <= 64 and _UID.fullmatch(uid)):
        raise UsageError(f"{uid!r} is no UID (PS3.5 Section 9.1)")
    wanted = None if tags is None else parse_tags(tags)
    for tag in wanted or ():
        if not is_signable_tag(tag):
            raise UsageError(f"{format_tag(tag)} can never be signed (PS3.3 C.12.1.1.3.1.1)")
    if wanted == []:
        raise UsageError("the list of tags to sign is empty")
    signing_key = SigningKey(key, certificate, password)
    policy.check(mac, signing_key.certificate.public_key)
    authority = None
    if tsa is not None:
        from .timestamp_protocol import authority_of

        authority = authority_of(tsa)
    return Request(
        signing_key, mac, wanted, uid, when, share_mac, profile, code, authority,
        include_guessed=include_guessed, require_all_signed=require_all_signed,
    )  # fmt: skip


def parse_locations(items: str | Sequence[str], uid: str | None) -> list[str]:
    try:
        locations = [items] if isinstance(items, str) else list(items)
    except TypeError:
        raise UsageError(f"items takes locations such as BeamSequence[0], not {items!r}") from None
    if uid is not None and len(locations) > 1:
        raise UsageError("one Digital Signature UID cannot serve for several signatures")
    return locations or [""]


def select_tags(
    request: Request, offered: list[Offer], elements: Elements, main: bool
) -> list[int]:
    """What to sign: what was asked for, what the profile demands, and what says what that means."""
    tags = _selected(request, offered, elements, main)
    if request.require_all_signed and len(tags) < len(offered):
        signed = frozenset(tags)
        left = [offer for offer in offered if offer.tag not in signed]
        why = "; ".join(offer.obstacle or describe(offer.tag) for offer in left[:_MOST_NAMED])
        more = f"; and {len(left) - _MOST_NAMED} more" if len(left) > _MOST_NAMED else ""
        raise SigningError(
            f"every element is to be signed, and these would not be: {why}{more}", "unsigned"
        )
    return tags


def _selected(request: Request, offered: list[Offer], elements: Elements, main: bool) -> list[int]:
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
    """These, what says what they mean, what says what that means, and so on."""
    chosen = set(wanted)
    while True:
        # that text or a time is signed goes without saying
        signed = Signed(chosen, lambda: True, lambda: True)
        more = told_by((tag for tag in offered if tag not in chosen), signed)
        if not more:
            return sorted(chosen)
        chosen.update(more)


def _choose(offered: Iterable[Offer], wanted: list[int] | None) -> Iterator[int]:
    """Those to sign, in the order of the data set."""
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
            f"{', '.join(describe(tag) for tag in sorted(missing))} is to be signed and not there"
        )
    if not found:
        raise SigningError("there is no element that can be signed")


def make_items(
    request: Request,
    tags: list[int],
    transfer_syntax: str,
    present: Mapping[int | None, MacParameters | None],
    stream: Callable[[Callable[[Any], object]], object],
) -> tuple[MacParameters, DigitalSignature]:
    """Hash the scope and the signature's own item, and sign the MAC.

    Args:
        present: the MAC ID Numbers that are taken, with the parameters that may be shared.
    """
    wanted = MacParameters(None, transfer_syntax, request.algorithm, tuple(tags))
    mac_id = next(
        (
            n
            for n, there in present.items()
            if there and msgspec.structs.replace(there, mac_id=None) == wanted
        ),
        None,
    )
    if mac_id is None:
        mac_id = next((n for n in range(MOST_MAC_IDS) if n not in present), None)
    if mac_id is None:
        raise SigningError("all 65536 MAC ID Numbers are taken here")
    mac = msgspec.structs.replace(wanted, mac_id=mac_id)
    signature = DigitalSignature(
        mac_id,
        request.uid or f"2.25.{uuid.uuid4().int}",
        digital_signature.format_datetime(request.when),
        terms.CERTIFICATE_TYPE_X509,
        request.key.certificate.der,
        purpose=request.purpose,
    )
    hasher = new_hasher(request.algorithm)
    stream(hasher.update)
    own = Index(items.encode(signature.item()))
    own.stream(hasher.update, 0, None, without=terms.NOT_IN_MAC)
    value = request.key.sign(hasher.digest(), request.algorithm)
    signature = msgspec.structs.replace(signature, signature=value)
    if request.tsa is not None:
        signature = msgspec.structs.replace(
            signature, timestamp_type=terms.CMS_TSP, timestamp=request.tsa.stamp(value)
        )
    return mac, signature

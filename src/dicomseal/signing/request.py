"""What a caller asks a signature to be, checked before anything is read or written."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import profiles, purposes
from ..encoding.obstacles import Offer
from ..errors import UsageError
from ..keys.key_files import Password
from ..keys.signing_key import SigningKey
from ..profiles import Profile
from ..standard.mac_algorithms import new_hasher
from ..standard.meanings import Signed, told_by
from ..standard.tags import describe, format_tag, is_signable_tag, parse_tags
from .policy import STRONG, SigningPolicy, purpose_for

if TYPE_CHECKING:
    from ..signature.signed_values import Values
    from ..timestamps.authority import TimestampAuthority


_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")


class SignatureUID(str):
    """A Digital Signature UID, and what the signature leaves out.

    Attributes:
        left_out: the elements of the data set or item that have a tag which can be signed, and are
            not, e.g. ``PatientID (0010,0020)``.
        obstacles: sentences, why those of them cannot be signed that were not left out on purpose.
        telling: those of them that say what signed ones mean, see `standard.meanings`: an object
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
            known = functools.cache(values)
            read = Signed(signed, lambda: known().text(), lambda: known().time())
            telling = told_by(left, read)
        made.left_out = tuple([describe(tag) for tag in left])
        made.obstacles = tuple([offer.obstacle for offer in offered if offer.obstacle])
        made.telling = tuple([describe(tag) for tag in telling])
        return made


class SigningRequest(NamedTuple):
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
) -> SigningRequest:
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
        from ..timestamps.authority import authority_of

        authority = authority_of(tsa)
    return SigningRequest(
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

"""The request for a signature, checked before anything is read or written.

In: the arguments of a signing function.
Out: a `SigningRequest`, or a `UsageError` for the argument that is wrong.
PS3: PS3.3 C.12.1.1.3, PS3.15 Annex C.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .. import profiles, purposes
from ..encoding.obstacles import Offer
from ..errors import UsageError
from ..keys.key_files import Password
from ..keys.signing_key import CertificateSource, KeySource, SigningKey
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
    """A Digital Signature UID, and the elements that the signature leaves out.

    Attributes:
        left_out: the elements of the data set or item that could be signed by their tag and are
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
        """Make the UID of a signature that covers some tags.

        Args:
            uid: the Digital Signature UID itself.
            offered: the elements that could be signed.
            tags: those that are signed.
            values: returns the values of those that are signed.
        """
        signature = super().__new__(cls, uid)
        if not offered:
            signature.left_out = signature.obstacles = signature.telling = ()
            return signature
        signed = frozenset(tags)
        left = [tag for tag, _ in offered if tag not in signed]
        telling: Iterable[int] = ()
        if left and values:
            known = functools.cache(values)
            read = Signed(signed, lambda: known().text(), lambda: known().time())
            telling = told_by(left, read)
        signature.left_out = tuple([describe(tag) for tag in left])
        signature.obstacles = tuple([offer.obstacle for offer in offered if offer.obstacle])
        signature.telling = tuple([describe(tag) for tag in telling])
        return signature


class SigningOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options for new signatures. There is no secret in it: it may be shown and pickled.

    Attributes:
        mac, tags, uid, when, share_mac, profile, purpose, policy, tsa, include_guessed,
            require_all_signed: as for `sign_file`.
        meanings: whether, with a profile, elements that say what signed ones mean are signed too.
    """

    mac: str = "SHA256"
    tags: Iterable[str | int] | None = None
    uid: str | None = None
    when: datetime | None = None
    share_mac: bool = False
    profile: str | Profile | None = None
    purpose: str | int | None = None
    policy: SigningPolicy | None = None
    tsa: str | TimestampAuthority | None = None
    include_guessed: bool = False
    require_all_signed: bool = False
    meanings: bool = True


class SigningRequest(NamedTuple):
    """The checked `SigningOptions`, and the key with which signatures are made."""

    key: SigningKey
    algorithm: str
    tags: list[int] | None
    uid: str | None
    when: datetime
    share_mac: bool
    profile: Profile | None
    purpose: purposes.Code | None
    tsa: TimestampAuthority | None
    meanings: bool
    include_guessed: bool
    require_all_signed: bool


def request_of(
    key: KeySource, certificate: CertificateSource, password: Password, options: SigningOptions
) -> SigningRequest:
    """Check the options; ``key``, ``certificate`` and ``password`` are as for `sign_file`.

    Raises:
        UsageError: an argument is wrong.
        KeyFileError, CertificateError: the key or its certificate cannot be read.
        SigningError: the MAC Algorithm or the key is too weak (code ``weak``).
    """
    new_hasher(options.mac)
    profile = profiles.find(options.profile)
    purpose = purpose_for(profile, options.purpose)
    policy = STRONG if options.policy is None else options.policy
    if not isinstance(policy, SigningPolicy):
        raise UsageError(f"policy takes a SigningPolicy, not {policy!r}")
    uid = options.uid
    when = datetime.now(UTC).astimezone() if options.when is None else options.when
    if not isinstance(when, datetime) or when.tzinfo is None:
        raise UsageError("the time of the signature needs an offset from UTC")
    if uid is not None and not (isinstance(uid, str) and len(uid) <= 64 and _UID.fullmatch(uid)):
        raise UsageError(f"{uid!r} is not a UID (PS3.5 Section 9.1)")
    tags = None if options.tags is None else parse_tags(options.tags)
    for tag in tags or ():
        if not is_signable_tag(tag):
            raise UsageError(f"{format_tag(tag)} can never be signed (PS3.3 C.12.1.1.3.1.1)")
    if tags == []:
        raise UsageError("the list of tags to sign is empty")
    signing_key = SigningKey(key, certificate, password)
    policy.check(options.mac, signing_key.certificate.public_key)
    tsa = None
    if options.tsa is not None:
        from ..timestamps.authority import authority_of

        tsa = authority_of(options.tsa)
    return SigningRequest(
        signing_key, options.mac, tags, uid, when, options.share_mac, profile, purpose, tsa,
        options.meanings, options.include_guessed, options.require_all_signed,
    )  # fmt: skip


def parse_locations(items: str | Sequence[str], uid: str | None) -> list[str]:
    try:
        locations = [items] if isinstance(items, str) else list(items)
    except TypeError:
        raise UsageError(f"items takes locations such as BeamSequence[0], not {items!r}") from None
    if uid is not None and len(locations) > 1:
        raise UsageError("one Digital Signature UID cannot serve for several signatures")
    return locations or [""]

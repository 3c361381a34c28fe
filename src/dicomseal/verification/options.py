"""The options of a verification, for the functions and commands that call it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from ..encoding.limits import Limits
from ..errors import UsageError
from ..standard.tags import format_tag, is_signable_tag, parse_tags

if TYPE_CHECKING:
    from ..requirements import Rule
    from ..trust.store import TrustStore
    from .best_signature_time import Proofs

# the policies for elements that no passing signature covers
ACCEPT, WARN, REJECT = "accept", "warn", "reject"
CHOICES = (ACCEPT, WARN, REJECT)


class Demands(msgspec.Struct, frozen=True):
    """The demands of a verification on the coverage.

    Attributes:
        signed: tags that a passing signature of the main data set must cover.
        all_signed: whether all elements that could be signed must be covered.
        listed: whether the report is to list what is not covered.
    """

    signed: tuple[int, ...] = ()
    all_signed: bool = False
    listed: bool = False

    def __bool__(self) -> bool:
        return bool(self.signed or self.all_signed or self.listed)


NO_DEMANDS = Demands()


def demands(signed: object = (), all_signed: bool = False, listed: bool = False) -> Demands:
    """Return the checked demands of a caller.

    Raises:
        UsageError: a tag cannot be parsed, or can never be signed.
    """
    if not (signed or all_signed or listed):
        return NO_DEMANDS
    tags = parse_tags(signed) if signed else []  # type: ignore[arg-type]
    for tag in tags:
        if not is_signable_tag(tag):
            raise UsageError(
                f"{format_tag(tag)} can never be signed (PS3.3 C.12.1.1.3.1.1), so it cannot be "
                "required to be"
            )
    return Demands(tuple(tags), all_signed, listed)


def unsigned_policy(policy: object) -> str:
    """Return the policy that a caller gave.

    Raises:
        UsageError: there is none of that name.
    """
    if isinstance(policy, str) and policy in CHOICES:
        return policy
    raise UsageError(f"unsigned is one of {', '.join(CHOICES)}, not {policy!r}")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a verification; see `verify`.

    Attributes:
        digests: also report digests of intact signatures and their content.
        content_digest: also report a digest of all content, which costs another pass over it.
        proofs: the proofs of existence; used only with ``digests``.
        unsigned: the policy for elements that no passing signature covers.
    """

    trust: TrustStore | None = None
    at: datetime | None = None
    accept_claimed_time: bool = False
    weak: str | None = None
    integrity_only: bool = False
    require: frozenset[str | Rule] = frozenset()
    accept_legacy: bool = False
    transfer_syntax: str = ""
    digests: bool = False
    content_digest: bool = False
    proofs: Proofs | None = None
    demands: Demands = Demands()
    unsigned: str = WARN
    limits: Limits = Limits()

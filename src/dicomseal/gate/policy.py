"""What a gate asks of an object that arrives, and what it does with one that falls short."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from .. import report
from ..encoding.limits import Limits
from ..errors import UsageError
from ..policy import WEAK_CHOICES
from ..requirements import parse
from ..verification.options import WARN, Options, demands, unsigned_policy

if TYPE_CHECKING:
    from ..requirements import Rule
    from ..trust.store import TrustStore

# what a gate does with an object
ACCEPT, QUARANTINE, REFUSE = "accept", "quarantine", "refuse"
ACTIONS = (REFUSE, QUARANTINE, ACCEPT)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How a gate verifies, and what it does with each verdict. What passed is always accepted.

    Attributes:
        options: what the verification asks for; `Policy.of` makes them of the arguments of
            `dicomseal.verify`.
        on_failed: what is done with an object that failed, or that cannot be read: ``refuse``,
            ``quarantine`` or ``accept``.
        on_indeterminate: the same for what could not be decided.
        on_unsigned: the same for an object without signatures. With the requirement ``signature``
            it has failed already.
    """

    options: Options = Options()
    on_failed: str = REFUSE
    on_indeterminate: str = REFUSE
    on_unsigned: str = ACCEPT

    def __post_init__(self) -> None:
        if not isinstance(self.options, Options):
            raise UsageError("options are Options of the verification; Policy.of makes them")
        for name in ("on_failed", "on_indeterminate", "on_unsigned"):
            if getattr(self, name) not in ACTIONS:
                raise UsageError(
                    f"{name} is one of {', '.join(ACTIONS)}, not {getattr(self, name)!r}"
                )

    @classmethod
    def of(
        cls,
        trust: TrustStore | None = None,
        *,
        at: datetime | None = None,
        accept_claimed_time: bool = False,
        weak: str | None = None,
        integrity_only: bool = False,
        require: Iterable[str | Rule] = (),
        require_signed: Iterable[str | int] = (),
        require_all_signed: bool = False,
        unsigned: str = WARN,
        limits: Limits | None = None,
        on_failed: str = REFUSE,
        on_indeterminate: str = REFUSE,
        on_unsigned: str = ACCEPT,
    ) -> Policy:
        """Return a policy; but for the last three the arguments are those of `dicomseal.verify`.

        Raises:
            UsageError: one of them cannot be.
        """
        if at is not None and not (isinstance(at, datetime) and at.tzinfo):
            raise UsageError("the moment of validation is a datetime with an offset from UTC")
        if trust is not None and not hasattr(trust, "decided"):
            raise UsageError("trust takes a TrustStore, e.g. TrustStore.from_files('ca.pem')")
        if weak is not None and weak not in WEAK_CHOICES:
            raise UsageError(f"weak is one of {', '.join(WEAK_CHOICES)}, not {weak!r}")
        single = isinstance(require, str) or hasattr(require, "unmet")
        rules: frozenset[Any] = frozenset([require] if single else require)
        for rule in rules:
            parse(rule)
        options = Options(
            trust=trust.but(weak=weak) if trust and weak else trust,
            at=at,
            accept_claimed_time=accept_claimed_time,
            weak=weak,
            integrity_only=integrity_only,
            require=rules,
            demands=demands(require_signed, require_all_signed),
            unsigned=unsigned_policy(unsigned),
            limits=Limits.checked(limits),
        )
        return cls(
            options=options,
            on_failed=on_failed,
            on_indeterminate=on_indeterminate,
            on_unsigned=on_unsigned,
        )

    def action_for(self, verdict: str) -> str:
        """Return what is done with an object of this verdict."""
        if verdict == report.PASSED:
            return ACCEPT
        if verdict == report.UNSIGNED:
            return self.on_unsigned
        if verdict == report.INDETERMINATE:
            return self.on_indeterminate
        return self.on_failed

    @property
    def quarantines(self) -> bool:
        """Whether anything can be put into quarantine."""
        return QUARANTINE in (self.on_failed, self.on_indeterminate, self.on_unsigned)

"""One decision on one certificate: try its paths, find the best reason, and how long it holds.

In: a certificate, the time that counts, a purpose and a policy.
Out: a `TrustDecision`, and the moments between which it holds.
PS3: PS3.15 Section C.1; RFC 5280 Section 6.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace
from pyhanko_certvalidator import errors
from pyhanko_certvalidator.path import ValidationPath

from ..policy import OFF, REQUIRE
from ..report import NOT_CHECKED, TRUSTED, UNTRUSTED, Reason, ReasonCode
from ..signature import lenient_certificate
from . import certification_paths, restrictions
from .algorithms import weaknesses
from .decision import TIME_STAMPING, TrustDecision
from .inquiry import Inquiry
from .pool import Pool, TooMany
from .restrictions import Unacceptable
from .statements import GOOD, NOTHING, REVOKED, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..policy import Policy
    from ..signature.certificate import Certificate
    from .revocation import Revocations

_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
_BY_KEY = (
    "the signer is trusted directly, by the public key: the names and dates of the certificate are "
    "not shown, as nobody who is trusted has signed it"
)
# if several paths fail, the reason that comes first in this list is reported
_RANK = (
    ReasonCode.REVOKED_NO_POE,
    ReasonCode.REVOKED_CA_NO_POE,
    ReasonCode.TRY_LATER,
    ReasonCode.OUT_OF_BOUNDS_NO_POE,
    ReasonCode.CRYPTO_CONSTRAINTS_FAILURE,
    ReasonCode.CHAIN_CONSTRAINTS_FAILURE,
    ReasonCode.CERTIFICATE_CHAIN_GENERAL_FAILURE,
)


class Judge:
    """One decision, step by step.

    Args:
        certificate: the certificate that is judged.
        moment: at which it is to be trusted.
        purpose: `SIGNING` or `TIME_STAMPING`.
        policy: what is accepted.
        revocations: returns the revocation data; called only if the policy needs them, as it
            parses all of them.
        direct: whether the certificate itself is trusted.
        by_key: whether its public key is trusted, and the certificate is not.

    Attributes:
        moments: the moments at which something changes that the decision depends on.
        trouble: whether something could not be fetched, and may be later.
    """

    def __init__(
        self,
        certificate: Certificate,
        moment: datetime,
        purpose: str,
        policy: Policy,
        revocations: Callable[[], Revocations],
        *,
        direct: bool,
        by_key: bool,
    ) -> None:
        self.policy, self._revocations = policy, revocations
        self.moment, self.purpose = moment, purpose
        self.signer = certificate.signer
        self.direct, self.by_key = direct, by_key
        self.leaf = lenient_certificate.Certificate.load(certificate.der)
        self.moments: set[datetime] = set()
        self.trouble = False

    def bounds(self) -> tuple[datetime, datetime]:
        """Return the moments between which the decision holds, both excluded."""
        if self.moment in self.moments:
            return self.moment, self.moment
        first, last = _EVER
        for one in self.moments:
            if first < one < self.moment:
                first = one
            elif self.moment < one < last:
                last = one
        return first, last

    def run(self, pool: Pool) -> TrustDecision:
        """Make the decision."""
        decision = None
        if not self.by_key or pool.roots:
            decision = self._by_certificate(pool)
        if self.by_key and (decision is None or decision.trust != TRUSTED):
            return self._by_key()
        return decision or TrustDecision(trust=UNTRUSTED, reason=self._no_chain())

    def _by_key(self) -> TrustDecision:
        """Trust the key alone, as anyone can write a certificate around a public key."""
        try:
            certification_paths.check_leaf(
                self.leaf, self.policy, "the public key that is trusted directly"
            )
        except Unacceptable as error:
            return TrustDecision(trust=UNTRUSTED, reason=error.reason, by_key=True)
        return TrustDecision(
            trust=TRUSTED,
            messages=(_BY_KEY,),
            by_key=True,
        )

    def _by_certificate(self, pool: Pool) -> TrustDecision:
        self._note(self.leaf)
        notes: tuple[str, ...] = ()
        try:
            restrictions.check_extensions(self.leaf)
            if self.purpose == TIME_STAMPING:
                certification_paths.check_time_stamping(self.leaf)
            else:
                notes = certification_paths.check_usages(self.leaf, self.policy)
            if self.direct:
                restrictions.check_dates(self.leaf, self.moment, "the certificate of")
                certification_paths.check_leaf(self.leaf, self.policy)
                notes = ("the signer is trusted directly", *notes)
                return TrustDecision(trust=TRUSTED, messages=notes)
        except Unacceptable as error:
            return TrustDecision(trust=UNTRUSTED, reason=error.reason)
        decision = self._search(pool)
        return replace(decision, messages=(*notes, *decision.messages)) if notes else decision

    def _search(self, pool: Pool) -> TrustDecision:
        refused: list[Reason] = []
        revocation = NOT_CHECKED
        try:
            for path in pool.paths(self.leaf, self.moment, self.policy):
                for cert in path.iter_certs(include_root=True):
                    self._note(cert)
                try:
                    return self._validate(pool, path)
                except Unacceptable as error:
                    refused.append(error.reason)
                    revocation = error.revocation or revocation
        except (TooMany, RecursionError):
            refused.append(
                Reason(
                    ReasonCode.CERTIFICATE_CHAIN_GENERAL_FAILURE,
                    f"the chain of {self.signer.subject}: there are too many certificates that "
                    "might stand in it",
                )
            )
        except errors.PathBuildingError:
            pass  # no path, or no further one after those that were refused
        reason = _best(refused) or self._no_chain()
        return TrustDecision(trust=UNTRUSTED, reason=reason, revocation=revocation)

    def _validate(self, pool: Pool, path: ValidationPath) -> TrustDecision:
        time_stamping = self.purpose == TIME_STAMPING
        certification_paths.validate(pool, path, self.moment, self.policy, time_stamping)
        weak = weaknesses(path, self.policy)
        messages: list[str] = []
        revocation = NOT_CHECKED
        if self.policy.revocation != OFF:
            revocation = self._check_revocation(pool, path, weak, messages)
        return TrustDecision(
            trust=TRUSTED,
            revocation=revocation,
            weak=tuple(dict.fromkeys(weak)),
            messages=tuple(dict.fromkeys(messages)),
        )

    def _check_revocation(
        self, pool: Pool, path: ValidationPath, weak: list[str], messages: list[str]
    ) -> str:
        """Check the certificates below the anchor, beginning with the highest."""
        time_stamping = self.purpose == TIME_STAMPING
        inquiry = Inquiry(pool, self.moment, self.policy, self.moments, time_stamping)
        silent: list[str] = []
        certificates = list(path.iter_certs(include_root=False))
        for cert in certificates:
            finding = self._revocations().check(cert, path, inquiry)
            self.trouble = self.trouble or bool(inquiry.trouble)  # also of another path
            if finding.status == REVOKED:
                code = (
                    ReasonCode.REVOKED_NO_POE
                    if cert is certificates[-1]
                    else ReasonCode.REVOKED_CA_NO_POE
                )
                raise Unacceptable(code, finding.message, REVOKED)
            if finding.status == UNKNOWN or (
                finding.status == NOTHING and self.policy.revocation == REQUIRE
            ):
                why = "".join(f"; {one}" for one in inquiry.trouble)
                raise Unacceptable(ReasonCode.TRY_LATER, finding.message + why, UNKNOWN)
            if finding.status == NOTHING:
                silent.append(finding.message)
            weak += finding.weak
        if inquiry.trouble:
            messages += [f"not fetched: {one}" for one in inquiry.trouble]
        if len(silent) < len(certificates):
            messages += silent
        return NOT_CHECKED if silent or not certificates else GOOD

    def _no_chain(self) -> Reason:
        to = "a trusted one"
        if self.purpose == TIME_STAMPING:
            to = "an authority trusted for timestamps"
        return Reason(
            ReasonCode.NO_CERTIFICATE_CHAIN_FOUND,
            f"no chain from the certificate of {self.signer.subject}, issued by "
            f"{self.signer.issuer}, to {to}",
        )

    def _note(self, cert: lenient_certificate.Certificate) -> None:
        validity = cert["tbs_certificate"]["validity"]
        self.moments |= {validity["not_before"].native, validity["not_after"].native}


def _best(reasons: list[Reason]) -> Reason | None:
    def rank(reason: Reason) -> int:
        return _RANK.index(reason.code) if reason.code in _RANK else len(_RANK)

    return min(reasons, key=rank, default=None)

"""One decision on one certificate: try its paths, tell the best reason, say how long it holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asn1crypto import x509 as asn1
from pyhanko_certvalidator import errors

from . import chain
from .chain import Pool, Unacceptable
from .report import TRUSTED, UNTRUSTED, Reason
from .trust import SIGNING, TIME_STAMPING, Judgement

if TYPE_CHECKING:
    from .certificate import Certificate
    from .trust import TrustStore

_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
# of several paths that fail, the reason that comes first here is told
_RANK = (
    "REVOKED_NO_POE",
    "REVOKED_CA_NO_POE",
    "TRY_LATER",
    "OUT_OF_BOUNDS_NO_POE",
    "CRYPTO_CONSTRAINTS_FAILURE",
    "CHAIN_CONSTRAINTS_FAILURE",
    "CERTIFICATE_CHAIN_GENERAL_FAILURE",
)


class Judge:
    """The steps of one decision.

    Attributes:
        moments: all moments at which something changes that was looked at on the way.
    """

    def __init__(
        self, store: TrustStore, certificate: Certificate, moment: datetime, purpose: str
    ) -> None:
        self.store, self.policy = store, store.policy
        self.moment, self.purpose = moment, purpose
        self.signer = certificate.signer
        self.direct = purpose == SIGNING and store.is_direct(certificate)
        self.leaf = asn1.Certificate.load(certificate.der)
        self.moments: set[datetime] = set()

    def bounds(self) -> tuple[datetime, datetime]:
        """The moments between which the decision holds, both outside; equal: at it alone."""
        if self.moment in self.moments:
            return self.moment, self.moment
        first, last = _EVER
        for one in self.moments:
            if first < one < self.moment:
                first = one
            elif self.moment < one < last:
                last = one
        return first, last

    def run(self, pool: Pool) -> Judgement:
        """The decision."""
        self._note(self.leaf)
        try:
            if self.purpose == TIME_STAMPING:
                chain.check_time_stamping(self.leaf)
            else:
                chain.check_usages(self.leaf, self.policy)
            if self.direct:
                chain.check_dates(self.leaf, self.moment, "the certificate of")
                chain.check_leaf(self.leaf, self.policy)
                return Judgement(trust=TRUSTED, messages=("the signer is trusted directly",))
        except Unacceptable as error:
            return Judgement(trust=UNTRUSTED, reason=error.reason)
        return self._search(pool)

    def _search(self, pool: Pool) -> Judgement:
        refused: list[Reason] = []
        try:
            for path in pool.paths(self.leaf, self.moment, self.policy):
                for cert in path.iter_certs(include_root=True):
                    self._note(cert)
                try:
                    return self._validate(pool, path)
                except Unacceptable as error:
                    refused.append(error.reason)
        except (chain.TooMany, RecursionError):
            refused.append(
                Reason(
                    "CERTIFICATE_CHAIN_GENERAL_FAILURE",
                    f"the chain of {self.signer.subject}: there are too many certificates that "
                    "might stand in it",
                )
            )
        except errors.PathBuildingError:
            refused.append(self._no_chain())
        return Judgement(trust=UNTRUSTED, reason=_best(refused) or self._no_chain())

    def _validate(self, pool: Pool, path: Any) -> Judgement:
        chain.validate(pool, path, self.moment, self.policy)
        return Judgement(trust=TRUSTED, weak=tuple(chain.weaknesses(path, self.policy)))

    def _no_chain(self) -> Reason:
        to = "a trusted one"
        if self.purpose == TIME_STAMPING:
            to = "an authority trusted for timestamps"
        return Reason(
            "NO_CERTIFICATE_CHAIN_FOUND",
            f"no chain from the certificate of {self.signer.subject}, issued by "
            f"{self.signer.issuer}, to {to}",
        )

    def _note(self, cert: Any) -> None:
        validity = cert["tbs_certificate"]["validity"]
        self.moments |= {validity["not_before"].native, validity["not_after"].native}


def _best(reasons: list[Reason]) -> Reason | None:
    def rank(reason: Reason) -> int:
        return _RANK.index(reason.code) if reason.code in _RANK else len(_RANK)

    return min(reasons, key=rank, default=None)

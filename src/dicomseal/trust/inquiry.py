"""The inquiry of one decision: its time, its policy, and the certificates that it may use.

In: the time that counts, the policy, the pool of certificates.
Out: contexts of the library in which a single CRL or OCSP response is evaluated, and the moments
at which an answer changes.
PS3: none; RFC 5280 Section 6.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.ltv.poe import POEManager
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.revinfo.manager import RevinfoManager

from ..policy import Policy
from ..signature.lenient_certificate import Certificate
from .pool import Pool

_SECOND = timedelta(seconds=1)
_LAST = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


class Inquiry:
    """The inputs of one decision, time and policy, and the facts that were found on the way.

    Attributes:
        moments: the moments at which something changes that the decision depends on.
        trouble: the errors while fetching.
    """

    def __init__(
        self, pool: Pool, moment: datetime, policy: Policy, moments: set[datetime],
        time_stamping: bool,
    ) -> None:  # fmt: skip
        self.pool, self.moment, self.policy, self.moments = pool, moment, policy, moments
        self.trouble: tuple[str, ...] = ()
        self.time_stamping = time_stamping

    def is_tsa(self, cert: Certificate, path: ValidationPath) -> bool:
        """Return whether a certificate is that of the timestamp authority that is judged."""
        return self.time_stamping and cert.sha256 == path.last.sha256

    def context(
        self,
        path: ValidationPath,
        moment: datetime,
        crls: Iterable[Any] = (),
        ocsps: Iterable[Any] = (),
    ) -> ValidationContext:
        """Return a context with these sources alone, in which a path counts as validated.

        The library treats a revocation at the very second as a later one. So its clock is set one
        second later, and its tolerance to one second.
        """
        manager = RevinfoManager(
            certificate_registry=self.pool.registry,
            poe_manager=POEManager(),
            crls=crls,
            ocsps=ocsps,
        )
        context = self.pool.context(
            min(moment, _LAST) + _SECOND, self.policy, _SECOND, revinfo_manager=manager
        )
        for cert in authorities(path).values():
            context.record_validation(cert, path)  # type: ignore[no-untyped-call]
        return context


def authorities(path: ValidationPath) -> dict[bytes, Certificate]:
    """Return the certificates of a path without its last one, by SHA-256."""
    some = {cert.sha256: cert for cert in path.iter_certs(include_root=True)}
    some.pop(path.last.sha256, None)
    return some

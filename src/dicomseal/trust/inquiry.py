"""What one decision asks of revocation data: when, by which policy, and with which certificates.

In: the moment that counts, the policy, the pool of certificates. Out: contexts of the library in
which one CRL or OCSP response is asked by itself; and the moments at which an answer changes.
RFC 5280 Section 6.3.
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
    """One decision's view: when, by which policy; and what was learned on the way.

    Attributes:
        moments: all moments at which something changes that was looked at.
        trouble: what went wrong while fetching.
    """

    def __init__(
        self, pool: Pool, moment: datetime, policy: Policy, moments: set[datetime],
        time_stamping: bool,
    ) -> None:  # fmt: skip
        self.pool, self.moment, self.policy, self.moments = pool, moment, policy, moments
        self.trouble: tuple[str, ...] = ()
        self.time_stamping = time_stamping

    def is_tsa(self, cert: Certificate, path: ValidationPath) -> bool:
        """Whether a certificate is that of the timestamp authority that is judged."""
        return self.time_stamping and cert.sha256 == path.last.sha256

    def context(
        self,
        path: ValidationPath,
        moment: datetime,
        crls: Iterable[Any] = (),
        ocsps: Iterable[Any] = (),
    ) -> ValidationContext:
        """A context with these sources alone, in which a path counts as validated.

        The library takes a revocation at the very second as a later one: so its clock is set a
        second on, and its tolerance to a second.
        """
        manager = RevinfoManager(
            certificate_registry=self.pool.registry,
            poe_manager=POEManager(),
            crls=crls,
            ocsps=ocsps,
        )
        made = self.pool.context(
            min(moment, _LAST) + _SECOND, self.policy, _SECOND, revinfo_manager=manager
        )
        for cert in authorities(path).values():
            made.record_validation(cert, path)  # type: ignore[no-untyped-call]
        return made


def authorities(path: ValidationPath) -> dict[bytes, Certificate]:
    """The certificates of a path without its last one, by SHA-256."""
    some = {cert.sha256: cert for cert in path.iter_certs(include_root=True)}
    some.pop(path.last.sha256, None)
    return some

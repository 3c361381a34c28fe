"""The statement of one CRL or OCSP response on one certificate, held against the time that counts.

In: the source, the certificate, and the result of the library.
Out: a `Statement` with a sentence for people.
PS3: none; RFC 5280 Section 5.3, RFC 6960 Section 2.2, RFC 3161 Section 4.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from pyhanko_certvalidator import errors
from pyhanko_certvalidator.path import ValidationPath

from ..policy import STRONG
from ..signature.lenient_certificate import Certificate
from .inquiry import Inquiry
from .restrictions import subject_of
from .revocation_data import Crl, Ocsp

GOOD, REVOKED, UNKNOWN, NOTHING = "good", "revoked", "unknown", "nothing"


class Statement(msgspec.Struct, frozen=True):
    """The authenticated statement of one CRL or OCSP response."""

    status: str
    issued: datetime
    text: str
    since: datetime | None = None  # the date of revocation
    hold: bool = False
    weak: str = ""


class Witness:
    """One source for one certificate of a path, and the sentences for its answers.

    Args:
        source: a CRL or an answer of an OCSP response.
        cert, path: the certificate, and the valid path that it is in.
        inquiry: the time and the policy.
    """

    def __init__(
        self, source: Crl | Ocsp, cert: Certificate, path: ValidationPath, inquiry: Inquiry
    ) -> None:
        self._source, self._cert, self._path, self._inquiry = source, cert, path, inquiry
        self._about = f"the {source.kind} of {source.issued.isoformat()}"
        self._name = subject_of(cert)
        self._grade = inquiry.policy.grade_hash(source.hash)

    def unknown(self, why: str) -> Statement:
        """Return that it cannot be relied on, or says nothing that helps."""
        return Statement(UNKNOWN, self._source.issued, f"{self._about} {why}")

    def silent(self, why: str) -> Statement:
        """Return that it could not be authenticated, or does not cover the whole question."""
        return self.unknown(f"does not tell whether {self._name} was revoked: {why}")

    def revoked(self, error: errors.RevokedError) -> Statement:
        """Return that it lists the certificate: bad news, if not after the time that counts."""
        source, inquiry = self._source, self._inquiry
        if not inquiry.policy.accepts(self._grade):
            return self._too_weak()
        since: datetime = error.revocation_dt
        invalid = source.invalid_since(self._cert)
        inquiry.moments |= {since} | ({invalid} if invalid else set())
        for_good = inquiry.is_tsa(self._cert, self._path) and not source.leaves_timestamps_good(
            self._cert
        )
        if not for_good and min(since, invalid or since) > inquiry.moment:
            return self.not_revoked()
        reason = error.reason.human_friendly
        text = f"{self._name} was revoked at {since.isoformat()} ({reason}), says {self._about}"
        if for_good:
            text += "; that ends all its timestamps, older ones too (RFC 3161 Section 4)"
        if invalid is not None and invalid < since:
            text += f"; not to be relied on since {invalid.isoformat()}"
        hold = error.reason.native == "certificate_hold"
        return Statement(REVOKED, source.issued, text, since, hold)

    def not_revoked(self) -> Statement:
        """Return that it does not list the certificate: good news, if it is strong and in date."""
        source, policy = self._source, self._inquiry.policy
        if not policy.accepts(self._grade):
            return self._too_weak()
        if self._inquiry.moment > source.until:
            return self.unknown(
                f"was to be renewed by {source.until.isoformat()}, and does not tell whether "
                f"{self._name} was revoked until the time that counts"
            )
        if not source.speaks_of(self._cert):
            return self.unknown(
                f"was issued after the certificate of {self._name} had expired, and need not "
                "list it"
            )
        weak = ""
        if self._grade != STRONG:
            weak = f"hash {source.hash.upper()} signs a {source.kind}"
        return Statement(GOOD, source.issued, "", weak=weak)

    def _too_weak(self) -> Statement:
        return self.unknown(f"is signed over {self._source.hash.upper()}: too weak for the policy")

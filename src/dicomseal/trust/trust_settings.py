"""What OpenSSL's TRUSTED CERTIFICATE says beside a certificate: what it is trusted for, and not.

In: its bytes, and what the certificate is wanted for. Out: the certificate alone, and why it may
not be used, or what of the settings is not. OpenSSL asks the same of them (X509_check_trust): what
is rejected for a purpose is not trusted for it, and what is trusted for some is for no other.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import TrustError
from ..policy import ANY, SIGNING_PURPOSES

LABEL = b"TRUSTED CERTIFICATE"  # of a PEM; OpenSSL writes the settings in no other form
ANY_PURPOSE = "any_extended_key_usage"
_REMEDY = "if you trust it all the same, openssl x509 makes a certificate without settings"


class Wanted(NamedTuple):
    """What certificates that are loaded are for.

    Attributes:
        purposes: those, of Extended Key Usage, that what chains to them is used for.
        anchor: whether they are trusted for that, or only used on the way to what is trusted.
    """

    purposes: frozenset[str] = SIGNING_PURPOSES
    anchor: bool = True

    @classmethod
    def of(cls, purposes: frozenset[str], anchor: bool = True) -> Wanted:
        """For purposes of a policy, which may say that they are not looked at."""
        return cls(purposes if ANY.isdisjoint(purposes) else SIGNING_PURPOSES, anchor)


ANCHOR = Wanted()
NOT_TRUSTED = Wanted(frozenset(), False)  # e.g. one's own certificate: nobody trusts it for that


class Settings(NamedTuple):
    """A certificate and the settings beside it.

    Attributes:
        certificate: its DER.
        trusted: purposes that it is trusted for; None: the settings do not say.
        rejected: purposes that it is not to be trusted for.
    """

    certificate: bytes
    trusted: frozenset[str] | None = None
    rejected: frozenset[str] = frozenset()

    def trouble(self, wanted: Wanted) -> str:
        """Why it may not be used, for people; or ""."""
        what = "time stamping" if "time_stamping" in wanted.purposes else "signatures"
        if wanted.purposes and not self.rejected.isdisjoint({*wanted.purposes, ANY_PURPOSE}):
            return f"is rejected for {_listed(self.rejected)} by its trust settings: {_REMEDY}"
        if wanted.anchor and self.trusted is not None and self.trusted.isdisjoint(
            {*wanted.purposes, ANY_PURPOSE}
        ):  # fmt: skip
            return (
                f"is trusted for {_listed(self.trusted)} only, by its trust settings, and not for "
                f"{what}: {_REMEDY}"
            )
        return ""

    def unused(self, wanted: Wanted) -> str:
        """What of the settings decides nothing, for people; or ""."""
        parts = []
        if self.trusted is not None and not wanted.anchor:
            parts.append(f"trusted for {_listed(self.trusted)}")
        if self.rejected:
            parts.append(f"rejected for {_listed(self.rejected)}")
        return f"of its trust settings this is not used: {', '.join(parts)}" if parts else ""


def read(data: bytes) -> Settings:
    """A certificate, and the settings that may follow it.

    Raises:
        TrustError: it is none, or what follows it is something else.
    """
    from asn1crypto import x509

    from ..signature.lenient_certificate import UNREADABLE

    try:
        made, settings = x509.TrustedCertificate.load(data, strict=True)
        der: bytes = made.dump()
        if len(der) == len(data):
            return Settings(der)
        trusted, rejected = settings["trust"], settings["reject"]
        if settings.dump(force=True) != data[len(der) :]:  # anew: fields that nobody knows are lost
            raise ValueError("they hold something that is not known")
        return Settings(
            der,
            None if trusted.native is None else _purposes(trusted),
            frozenset() if rejected.native is None else _purposes(rejected),
        )
    except UNREADABLE as error:
        why = str(error).partition("\n")[0]
        raise TrustError(f"the trust settings cannot be parsed: {why}") from None


def _purposes(found: object) -> frozenset[str]:
    """By names and dotted numbers, as `restrictions.purposes_of`."""
    return frozenset(name for one in found for name in (one.native, one.dotted))  # type: ignore[attr-defined]


def _listed(purposes: frozenset[str]) -> str:
    """For people; a number only where there is no name."""
    from asn1crypto.x509 import KeyPurposeId

    names = {KeyPurposeId.map(one) if one[:1].isdigit() else one for one in purposes}
    return ", ".join(sorted(name.replace("_", " ") for name in names)) or "nothing"

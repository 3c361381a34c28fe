"""The trust settings in an OpenSSL TRUSTED CERTIFICATE: the purposes it is trusted for, or not.

In: its bytes, and the intended use of the certificate.
Out: the certificate alone, and why it may not be used, or which settings have no effect.
PS3: none; OpenSSL applies the same rules (X509_check_trust).

A certificate that is rejected for a purpose is not trusted for it, and one that is trusted for some
purposes is not trusted for others.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import TrustError
from ..policy import ANY, SIGNING_PURPOSES

LABEL = b"TRUSTED CERTIFICATE"  # of a PEM; OpenSSL writes the settings in no other form
ANY_PURPOSE = "any_extended_key_usage"
_REMEDY = "if you trust it all the same, openssl x509 makes a certificate without settings"


class Wanted(NamedTuple):
    """The intended use of certificates that are loaded.

    Attributes:
        purposes: purposes of Extended Key Usage for which certificates that chain to it are used.
        anchor: whether they are trusted for that, or only part of a chain to a trusted one.
    """

    purposes: frozenset[str] = SIGNING_PURPOSES
    anchor: bool = True

    @classmethod
    def of(cls, purposes: frozenset[str], anchor: bool = True) -> Wanted:
        """Return the use for purposes of a policy, which may be `ANY`."""
        return cls(purposes if ANY.isdisjoint(purposes) else SIGNING_PURPOSES, anchor)


ANCHOR = Wanted()
NOT_TRUSTED = Wanted(frozenset(), False)  # e.g. the user's own certificate


class Settings(NamedTuple):
    """A certificate and its trust settings.

    Attributes:
        certificate: its DER.
        trusted: purposes that it is trusted for; None: the settings do not name any.
        rejected: purposes that it must not be trusted for.
    """

    certificate: bytes
    trusted: frozenset[str] | None = None
    rejected: frozenset[str] = frozenset()

    def trouble(self, wanted: Wanted) -> str:
        """Return why it may not be used, for people; or ""."""
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
        """Return which settings have no effect, for people; or ""."""
        parts = []
        if self.trusted is not None and not wanted.anchor:
            parts.append(f"trusted for {_listed(self.trusted)}")
        if self.rejected:
            parts.append(f"rejected for {_listed(self.rejected)}")
        return f"these of its trust settings have no effect: {', '.join(parts)}" if parts else ""


def read(data: bytes) -> Settings:
    """Read a certificate, and the settings that may follow it.

    Raises:
        TrustError: it is not a certificate, or something else follows it.
    """
    from asn1crypto import x509

    from ..signature.lenient_certificate import UNREADABLE

    try:
        certificate, settings = x509.TrustedCertificate.load(data, strict=True)
        der: bytes = certificate.dump()
        if len(der) == len(data):
            return Settings(der)
        trusted, rejected = settings["trust"], settings["reject"]
        # re-encoded: fields that are not known are lost then
        if settings.dump(force=True) != data[len(der) :]:
            raise ValueError("they have an unknown field")
        return Settings(
            der,
            None if trusted.native is None else _purposes(trusted),
            frozenset() if rejected.native is None else _purposes(rejected),
        )
    except UNREADABLE as error:
        why = str(error).partition("\n")[0]
        raise TrustError(f"the trust settings cannot be parsed: {why}") from None


def _purposes(found: object) -> frozenset[str]:
    """Return names and dotted numbers, as `restrictions.purposes_of` does."""
    return frozenset(name for one in found for name in (one.native, one.dotted))  # type: ignore[attr-defined]


def _listed(purposes: frozenset[str]) -> str:
    """Return purposes for people; a number only if a purpose has no name."""
    from asn1crypto.x509 import KeyPurposeId

    names = {KeyPurposeId.map(one) if one[:1].isdigit() else one for one in purposes}
    return ", ".join(sorted(name.replace("_", " ") for name in names)) or "nothing"

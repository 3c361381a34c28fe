"""Whether a certificate may be an anchor: it must not deny that it is one of an authority.

In: certificates that a user trusts.
Out: the same, or an error that says what to do instead.
PS3: none; RFC 5280 Section 4.2.1.3 (Key Usage) and 4.2.1.9 (Basic Constraints).
"""

from __future__ import annotations

import os

from ..errors import TrustError
from ..signature.certificate import parse
from .formats import AnyCertificate, der_of
from .loading import load_certificates
from .trust_settings import Wanted


def _denies_authority(certificate: AnyCertificate) -> str:
    from ..signature.lenient_certificate import Certificate as Parsed
    from .restrictions import denies_authority

    try:
        return denies_authority(Parsed.load(der_of(certificate)))
    except (ValueError, TypeError):
        return "what it says of that cannot be read"


def vouches(certificate: AnyCertificate) -> bool:
    """Return whether a certificate may be an anchor, as it does not deny that it is an authority's.

    It denies it if Basic Constraints say CA:FALSE, or Key Usage does not let it sign certificates
    (RFC 5280 Section 4.2.1.3 and 4.2.1.9).
    """
    return not _denies_authority(certificate)


def check_authority(anchor: AnyCertificate) -> None:
    """Refuse an anchor that denies that it is one of an authority.

    Raises:
        TrustError: it denies it.
    """
    why = _denies_authority(anchor)
    if why:
        raise TrustError(
            f"the certificate of {parse(der_of(anchor)).signer.subject} is not one of an "
            f"authority: {why}. If you trust this one signer, name the certificate "
            "with --trust-signer (signers= in Python)"
        )


def load_authorities(
    path: str | os.PathLike[str], password: str | bytes | None, wanted: Wanted
) -> list[AnyCertificate]:
    """Load the certificates in a file or folder, each of which may be an anchor.

    Arguments, errors and warnings are those of `load_certificates`, and:

    Raises:
        TrustError: one of them denies that it is one of an authority.
    """
    found = load_certificates(path, password, wanted)
    for one in found:
        try:
            check_authority(one)
        except TrustError as error:
            raise TrustError(f"{os.fsdecode(path)}: {error}") from None
    return found

"""The MAC Algorithms and keys of new signatures; verification has its own rules.

Local rules may forbid RIPEMD-160, MD5 or SHA-1 for new signatures, while old ones must still verify
(PS3.15 C.2, note). So signing refuses what is weak unless it is told otherwise, while verification
reports it as ``weak`` and continues.

>>> import dicomseal
>>> strict = dicomseal.SigningPolicy(macs=["SHA384", "SHA512"], rsa_bits=3072)
>>> dicomseal.sign_file(
...     "ct.dcm", "out.dcm", "key.pem", "cert.pem", mac="SHA512", policy=strict
... )  # doctest: +IGNORE_EXCEPTION_DETAIL
Traceback (most recent call last):
dicomseal.errors.SigningError: the key, RSA 2048, is too weak for a new signature: take one of 3072

A policy that allows no MAC Algorithm, or no kind of key, allows no signature. The policy that
switches the check off is `ALLOW_WEAK`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from .. import purposes
from ..errors import SigningError, UsageError
from ..profiles import Facts, Profile
from ..signature.certificate import describe_key, kind_of
from ..standard.mac_algorithms import MAC_ALGORITHMS, WEAK_MAC_ALGORITHMS

__all__ = ["ALLOW_WEAK", "STRONG", "SigningPolicy", "check_profile", "purpose_for"]


class SigningPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """MAC Algorithms and keys that new signatures may use.

    Attributes:
        macs: MAC Algorithms, defined terms of (0400,0015).
        rsa_bits, dsa_bits, ec_bits: the smallest size of a key of that kind, in bits; None: keys
            of this kind are not allowed.

    >>> ours = SigningPolicy(macs=["SHA256", "SHA512"], rsa_bits=2048)
    >>> len(dicomseal.sign_file("ct.dcm", "out.dcm", "key.pem", "cert.pem", policy=ours))
    1
    """

    macs: Iterable[str] = ()
    rsa_bits: int | None = None
    dsa_bits: int | None = None
    ec_bits: int | None = None

    def __post_init__(self) -> None:
        macs = frozenset([self.macs] if isinstance(self.macs, str) else self.macs)
        unknown = macs - MAC_ALGORITHMS.keys()
        if unknown:
            raise UsageError(f"not a MAC Algorithm: {', '.join(sorted(map(str, unknown)))}")
        msgspec.structs.force_setattr(self, "macs", macs)

    def check(self, mac: str, public_key: Any) -> None:
        """Check that a signature may be made with these.

        Raises:
            SigningError: it may not.
        """
        if mac not in self.macs:
            raise SigningError(
                f"the MAC Algorithm {mac} {_verdict(mac in WEAK_MAC_ALGORITHMS)}: take "
                f"{' or '.join(sorted(self.macs)) or 'another policy, this one allows none'}"
                f"{_advice(mac in WEAK_MAC_ALGORITHMS)}",
                "weak",
            )
        least = {"RSA": self.rsa_bits, "DSA": self.dsa_bits, "ECDSA": self.ec_bits}.get(
            kind_of(public_key)
        )
        if least is None:
            raise SigningError(
                f"the policy for new signatures allows no {describe_key(public_key)} key",
                "weak",
            )
        if public_key.key_size < least:
            raise SigningError(
                f"the key, {describe_key(public_key)}, {_verdict(True)}: take one of {least} bits"
                f"{_advice(True)}",
                "weak",
            )


def _verdict(weak: bool) -> str:
    return "is too weak for a new signature" if weak else "is not one the policy allows"


def _advice(weak: bool) -> str:
    return "; --allow-weak (in Python policy=ALLOW_WEAK) signs all the same" if weak else ""


STRONG = SigningPolicy(
    macs=MAC_ALGORITHMS.keys() - WEAK_MAC_ALGORITHMS,
    rsa_bits=2048,
    dsa_bits=2048,
    ec_bits=224,
)
"""The default of signing: exactly the algorithms and keys that reports do not call weak."""

ALLOW_WEAK = SigningPolicy(macs=MAC_ALGORITHMS, rsa_bits=0, dsa_bits=0, ec_bits=0)
"""Everything that can be verified, however weak: for tests, and for old readers.

>>> from dicomseal import sign_file
>>> len(sign_file("ct.dcm", "out.dcm", "key.pem", "cert.pem", mac="MD5", policy=ALLOW_WEAK))
1
"""


def purpose_for(profile: Profile | None, purpose: Any) -> purposes.Code | None:
    """Return the requested purpose, or the one that the profile demands.

    Raises:
        UsageError: CID 7007 has no such purpose, or the profile demands another one.
    """
    code = None if purpose is None else purposes.parse(purpose)
    demanded = profile.purpose if profile else None
    if profile is None or demanded is None or (demanded == "*" and code):
        return code
    if demanded == "*":
        raise UsageError(
            f"the profile {profile.name} ({profile.section}) demands a purpose, e.g. 1, the "
            "author's signature"
        )
    if code and code[0] != demanded:
        raise UsageError(
            f"a signature of the profile {profile.name} ({profile.section}) has the purpose "
            f"{demanded}, {purposes.MEANINGS[demanded]}, and no other"
        )
    return purposes.parse(demanded)


def check_profile(profile: Profile, facts: Facts) -> None:
    """Check that a signature that is about to be made satisfies a profile.

    Raises:
        SigningError: it does not; the code is ``profile``.
    """
    unmet = list(profile.unmet(facts))
    if unmet:
        more = f" (and {len(unmet) - 1} more)" if len(unmet) > 1 else ""
        raise SigningError(
            f"it would not satisfy the profile {profile.name} ({profile.section}): "
            f"{unmet[0]}{more}",
            "profile",
        )

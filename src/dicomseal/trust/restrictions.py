"""Restrictions by the certificates of a path that the library does not apply.

In: a path, the time that counts and the policy.
Out: nothing, or `Unacceptable` with the reason.
PS3: none; RFC 5280 Section 4.2 and RFC 5937.

For RFC 5280 an anchor is only a name and a key. Here the restrictions in its certificate are
applied as well, as RFC 5937 describes: the authority stated there what the certificate is for.
Checks of every certificate of a path are here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import PKIXValidationParams
from pyhanko_certvalidator.validate import SUPPORTED_EXTENSIONS

from ..policy import ANY, CHECK, Policy
from ..report import Reason, ReasonCode
from ..signature.lenient_certificate import Certificate
from . import name_constraints
from .name_constraints import Outside, TooManyNames

ANY_POLICY = "any_policy"
PSS = "rsassa_pss"
TIME_STAMPING_PURPOSES = frozenset(("any_extended_key_usage", "time_stamping"))

# extensions that may be critical; RFC 5280 forbids it for the other ones that it knows
_CRITICAL = SUPPORTED_EXTENSIONS - {
    "authority_information_access", "authority_key_identifier", "freshest_crl", "key_identifier",
}  # fmt: skip


class Unacceptable(Exception):  # noqa: N818
    """The reason why a path or a certificate is refused; it never leaves the trust layer."""

    def __init__(self, code: ReasonCode, message: str, revocation: str = "") -> None:
        super().__init__(message)
        self.reason = Reason(code, message)
        self.revocation = revocation


def _broken(cert: Certificate, what: str) -> Unacceptable:
    return Unacceptable(
        ReasonCode.CHAIN_CONSTRAINTS_FAILURE, f"the certificate of {subject_of(cert)} {what}"
    )


def no_authority(cert: Certificate) -> str:
    """Return why an anchor cannot certify others (RFC 5280 4.2.1.3 and 4.2.1.9), or "".

    A certificate of version 1 has no extensions to say it. If it is self-issued it counts as an
    authority, as with OpenSSL: the first root certificates were of this kind.

    Args:
        cert: an `asn1crypto.x509.Certificate`.
    """
    old = cert["tbs_certificate"]["version"].native != "v3" and cert.self_issued
    if not old and cert.basic_constraints_value is None:
        return "it has no Basic Constraints that say so"
    return denies_authority(cert)


def denies_authority(cert: Certificate) -> str:
    """Return how a certificate denies that it is one of an authority, or ""."""
    constraints, usage = cert.basic_constraints_value, cert.key_usage_value
    if constraints is not None and not constraints["ca"].native:
        return "its Basic Constraints say that it is not one (CA:FALSE)"
    if usage is not None and "key_cert_sign" not in usage.native:
        return "its Key Usage does not let it sign certificates"
    return ""


def check_form(path: ValidationPath) -> None:
    """Check each certificate of a path, also the anchor's, before the path is validated.

    Raises:
        Unacceptable: an extension occurs twice or cannot be read, the two signature algorithms
            of a certificate differ, or a key for RSASSA-PSS only has signed otherwise.
    """
    above = None
    for cert in path.iter_certs(include_root=True):
        check_extensions(cert)
        inner = cert["tbs_certificate"]["signature"]
        if inner.dump() != cert["signature_algorithm"].dump():
            raise _broken(
                cert,
                "names one signature algorithm inside and another outside of its signed part "
                "(RFC 5280 Section 4.1.1.2)",
            )
        if above is not None and above.public_key.algorithm == PSS:
            name = inner["algorithm"].native
            if name != PSS:
                raise _broken(
                    cert,
                    f"is signed with {name}, by a key that is for RSASSA-PSS alone (RFC 4055)",
                )
        above = cert


def check_extensions(cert: Certificate) -> None:
    """Check that each extension can be read and occurs once: readers use either of two.

    See RFC 5280 Section 4.2.

    Raises:
        Unacceptable: one cannot be read, or occurs twice.
    """
    seen = set()
    for one in cert["tbs_certificate"]["extensions"] or ():
        number = one["extn_id"].dotted
        if number in seen:
            raise _broken(cert, f"has the extension {number} twice")
        seen.add(number)
    for name in getattr(cert, "unreadable", ()):
        words = name.replace("_", " ")
        raise _broken(cert, f"has an extension that is not what it should be: {words}")


def parameters(path: ValidationPath, policy: Policy) -> PKIXValidationParams:
    """Return the library's input for a path: the policies by policy and anchor (RFC 5937).

    The numbers in an anchor count the certificates below it for which something is still allowed.
    The library only knows yes or no, so a limit that begins further down holds from the beginning.
    """
    anchor = anchor_of(path)
    wanted = frozenset((ANY_POLICY,))
    explicit = False
    if ANY.isdisjoint(policy.certificate_policies):
        wanted, explicit = policy.certificate_policies, True
    if anchor.certificate_policies_value is not None:
        stated = [one["policy_identifier"] for one in anchor.certificate_policies_value]
        if ANY_POLICY not in [one.native for one in stated]:
            own = frozenset(one.dotted for one in stated)
            wanted = own if ANY_POLICY in wanted else wanted & own
    below = list(path.iter_certs(include_root=False))
    steps = 1 + sum(not cert.self_issued for cert in below[:-1])
    limits = anchor.policy_constraints_value
    needed = limits["require_explicit_policy"].native if limits is not None else None
    mapping = limits["inhibit_policy_mapping"].native if limits is not None else None
    other = anchor.inhibit_any_policy_value
    return PKIXValidationParams(
        user_initial_policy_set=wanted,
        initial_explicit_policy=explicit or (needed is not None and needed <= steps),
        initial_policy_mapping_inhibit=mapping is not None and mapping < steps,
        initial_any_policy_inhibit=other is not None and other.native < steps,
    )


def check_path(
    path: ValidationPath,
    moment: datetime,
    policy: Policy,
    budget: list[int],
    purposes: frozenset[str] = ANY,
) -> None:
    """Check the restrictions that the library does not apply, of a path that it has found valid.

    Args:
        path: a `pyhanko_certvalidator.path.ValidationPath` of `chain.Certificate`s.
        moment: the time that counts.
        policy: says whether the anchor's validity is checked, and how long a path may be.
        budget: of comparisons, as for `name_constraints.Constraints`.
        purposes: the authorities must allow one of these; `ANY`: they are not checked.

    Raises:
        Unacceptable: the path is refused, with the reason.
    """
    certs: list[Certificate] = list(path.iter_certs(include_root=True))
    *authorities, leaf = certs
    if authorities:
        _check_anchor(authorities[0], moment, policy)
        _check_length(authorities, policy)
    for cert in authorities:
        if not len(cert.subject.chosen):
            raise _broken(cert, "is one of an authority and has no name (RFC 5280 4.1.2.6)")
    for cert in certs:
        wrong = cert.critical_extensions - _CRITICAL
        if wrong:
            names = ", ".join(sorted(name.replace("_", " ") for name in wrong))
            raise _broken(cert, f"has a critical extension that is unknown or must not be: {names}")
    if authorities:
        _check_leaf(leaf)
    if ANY.isdisjoint(purposes):
        _check_purposes(certs, purposes)
    _check_names(certs, budget)


def _check_anchor(anchor: Certificate, moment: datetime, policy: Policy) -> None:
    why = no_authority(anchor)
    if why:
        raise _broken(anchor, f"is trusted, but not as an authority: {why}")
    if policy.anchor_validity == CHECK:
        check_dates(anchor, moment, "the trusted certificate")


def _check_length(authorities: Sequence[Certificate], policy: Policy) -> None:
    """Check the anchor's path length (RFC 5280 Section 4.2.1.9), and the policy's."""
    length = sum(not cert.self_issued for cert in authorities[1:])
    allowed = authorities[0].max_path_length
    if allowed is not None and length > allowed:
        raise _broken(
            authorities[0],
            f"allows no more than {allowed} authorities below it (its path length), and "
            f"there are {length}",
        )
    if policy.longest_chain is not None and length > policy.longest_chain:
        raise Unacceptable(
            ReasonCode.CHAIN_CONSTRAINTS_FAILURE,
            f"there are {length} authorities below {subject_of(authorities[0])}; the policy allows "
            f"no more than {policy.longest_chain}",
        )


def _check_leaf(leaf: Certificate) -> None:
    """Check for extensions that only an authority's certificate may have."""
    constraints, usage = leaf.basic_constraints_value, leaf.key_usage_value
    if name_constraints.constraints_of(leaf) is not None and not leaf.ca:
        raise _broken(
            leaf, "has Name Constraints, and is not one of an authority (RFC 5280 4.2.1.10)"
        )
    if (
        constraints is not None
        and not constraints["ca"].native
        and usage is not None
        and "key_cert_sign" in usage.native
    ):
        raise _broken(
            leaf, "may sign certificates, and is not one of an authority (RFC 5280 4.2.1.9)"
        )


def _check_purposes(certs: Sequence[Certificate], purposes: frozenset[str]) -> None:
    """Check that the Extended Key Usages of the authorities have a needed purpose in common."""
    left: set[str] | None = None
    for cert in certs[:-1]:
        own = purposes_of(cert)
        if own is None or "any_extended_key_usage" in own:
            continue
        left = own if left is None else left & own
        if left.isdisjoint(purposes):
            raise _broken(
                cert,
                f"lets those below it be used for {listed(own)} only, not for "
                f"{'time stamping' if purposes is TIME_STAMPING_PURPOSES else 'signatures'}",
            )


def _check_names(certs: Sequence[Certificate], budget: list[int]) -> None:
    try:
        name_constraints.check(certs, budget)
    except Outside as error:
        raise Unacceptable(
            ReasonCode.CHAIN_CONSTRAINTS_FAILURE,
            f"the chain of {subject_of(certs[-1])}: by the Name Constraints of its authorities, "
            f"{error}",
        ) from None
    except TooManyNames:
        raise Unacceptable(
            ReasonCode.CHAIN_CONSTRAINTS_FAILURE,
            f"the chain of {subject_of(certs[-1])}: there are too many names and Name Constraints "
            f"to be compared: more than {name_constraints.MAX_COMPARISONS} pairs",
        ) from None


def purposes_of(cert: Certificate) -> set[str] | None:
    """Return Extended Key Usage by names and dotted numbers; None without the extension."""
    extended = cert.extended_key_usage_value
    if extended is None:
        return None
    return {one.native for one in extended} | {one.dotted for one in extended}


def check_dates(cert: Certificate, moment: datetime, what: str) -> None:
    """Check the dates of a certificate that the library does not validate, bounds inclusive.

    Raises:
        Unacceptable: it is not valid at the moment.
    """
    validity = cert["tbs_certificate"]["validity"]
    first, last = validity["not_before"].native, validity["not_after"].native
    if not first <= moment <= last:
        raise Unacceptable(
            ReasonCode.OUT_OF_BOUNDS_NO_POE,
            f"{what} {subject_of(cert)} is valid from {first.isoformat()} to {last.isoformat()}, "
            "and not at the time that counts",
        )


def anchor_of(path: ValidationPath) -> Certificate:
    """Return the certificate of a path's anchor."""
    anchor: Certificate = next(iter(path.iter_certs(include_root=True)))
    return anchor


def listed(usages: Iterable[str]) -> str:
    """Return usages for people."""
    names = (name.replace("_", " ") for name in usages)
    return ", ".join(sorted(names)) or "nothing"


def subject_of(cert: Certificate) -> str:
    """Return the subject as reports write it (RFC 4514), as `Certificate.signer` does."""
    from ..errors import CertificateError
    from ..signature.certificate import parse

    try:
        return parse(cert.dump()).signer.subject
    except CertificateError:  # asn1crypto can read more of them
        return str(cert.subject.human_friendly)

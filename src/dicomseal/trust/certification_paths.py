"""The validation of a certification path, by pyhanko-certvalidator.

In: a path from a certificate to an anchor, and the time that counts.
Out: nothing, or `Unacceptable` with the reason.
PS3: PS3.15 Section C.1 refers to X.509; RFC 5280 Section 6.1.

This is the only module that decides what RFC 5280 leaves to the application: what the signer's own
certificate must be like, how many paths are tried, and which of several failures is reported.
"""

from __future__ import annotations

from datetime import datetime

from cryptography.exceptions import InvalidSignature
from pyhanko_certvalidator import errors
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.validate import async_validate_path

from ..policy import ANY, SIGNING_PURPOSES, Policy
from ..report import ReasonCode
from ..signature.lenient_certificate import Certificate
from . import restrictions
from .algorithms import algorithm_at, grade_key
from .pool import Pool, TooMany, run
from .restrictions import TIME_STAMPING_PURPOSES, Unacceptable, check_dates, listed, subject_of


def validate(
    pool: Pool, path: ValidationPath, moment: datetime, policy: Policy, time_stamping: bool = False
) -> None:
    """Validate one path by RFC 5280 Section 6.1, and check what goes beyond it.

    Args:
        pool, path: the pool of certificates, and a path from it.
        moment: the time that counts.
        policy: the requirements for a chain.
        time_stamping: whether the certificate is a timestamp authority's.

    Raises:
        Unacceptable: the path is refused, with the reason.
    """
    leaf = path.last
    name = subject_of(leaf)
    restrictions.check_form(path)
    try:
        run(
            async_validate_path(
                pool.context(moment, policy), path, restrictions.parameters(path, policy)
            )
        )
    except errors.ExpiredError as error:
        end = f"expired {error.expired_dt.isoformat()}, before the time that counts"
        raise Unacceptable(
            ReasonCode.OUT_OF_BOUNDS_NO_POE, f"{_whose(path, error)} {end}"
        ) from None
    except errors.NotYetValidError as error:
        begin = f"is valid from {error.valid_from.isoformat()}, after the time that counts"
        raise Unacceptable(
            ReasonCode.OUT_OF_BOUNDS_NO_POE, f"{_whose(path, error)} {begin}"
        ) from None
    except errors.DisallowedAlgorithmError as error:
        raise Unacceptable(
            ReasonCode.CRYPTO_CONSTRAINTS_FAILURE,
            f"in the chain of {name}, {algorithm_at(path, policy) or sentence(error)} "
            "is too weak for the policy",
        ) from None
    except TooMany:
        raise
    except (errors.PathError, errors.ValidationError) as error:
        if isinstance(error.__context__, InvalidSignature):
            raise Unacceptable(
                ReasonCode.CERTIFICATE_CHAIN_GENERAL_FAILURE,
                f"in the chain of {name}, a certificate was not signed by the issuer it names",
            ) from None
        raise Unacceptable(
            ReasonCode.CHAIN_CONSTRAINTS_FAILURE, f"the chain of {name}: {sentence(error)}"
        ) from None
    if not path.pkix_len:
        check_dates(leaf, moment, "the trusted certificate")
    purposes = TIME_STAMPING_PURPOSES if time_stamping else policy.authority_usages
    restrictions.check_path(path, moment, policy, pool.comparisons, purposes)
    check_leaf(leaf, policy)


def _whose(path: ValidationPath, error: errors.ExpiredError | errors.NotYetValidError) -> str:
    whose = "its certificate" if error.is_ee_cert else "an authority in its chain"
    return f"{subject_of(path.last)}: {whose}"


def check_leaf(leaf: Certificate, policy: Policy, whose: str = "") -> None:
    """Check the signer's own key: the library checks that of every authority, but not this one.

    Args:
        leaf, policy: the signer's certificate, and the requirements for its key.
        whose: what messages say instead of the subject, if that must not be shown.

    Raises:
        Unacceptable: its kind or size is not good enough for the policy.
    """
    what, grade = grade_key(leaf.public_key, policy, ca=False)
    if not policy.accepts(grade):
        why = "is too weak for the policy" if grade else "is of a kind the policy does not accept"
        has = f"{whose}: it is" if whose else f"{subject_of(leaf)} has"
        raise Unacceptable(ReasonCode.CRYPTO_CONSTRAINTS_FAILURE, f"{has} {what}: it {why}")


def check_usages(leaf: Certificate, policy: Policy) -> tuple[str, ...]:
    """Check that the certificate may sign: RFC 5280 leaves that to the application.

    A missing Key Usage allows everything (RFC 5280 Section 4.2.1.3).

    Returns:
        A message about an Extended Key Usage that the policy does not check.

    Raises:
        Unacceptable: it may not sign.
    """
    name = subject_of(leaf)
    usage = leaf.key_usage_value
    if usage is None:
        if policy.key_usage_required:
            raise Unacceptable(
                ReasonCode.CHAIN_CONSTRAINTS_FAILURE,
                f"the certificate of {name} has no Key Usage; the policy requires it",
            )
    elif not policy.key_usages & (ANY | usage.native):
        raise Unacceptable(
            ReasonCode.CHAIN_CONSTRAINTS_FAILURE,
            f"the certificate of {name} is for {listed(usage.native)}, not for signatures",
        )
    extended = leaf.extended_key_usage_value
    if extended is None:
        return ()
    if not len(extended):
        raise Unacceptable(
            ReasonCode.CHAIN_CONSTRAINTS_FAILURE,
            f"the certificate of {name} has an Extended Key Usage that names nothing",
        )
    purposes = restrictions.purposes_of(leaf) or set()
    if not policy.extended_key_usages & (ANY | purposes):
        raise Unacceptable(
            ReasonCode.CHAIN_CONSTRAINTS_FAILURE,
            f"the certificate of {name} is for {listed(extended.native)}, which the policy does "
            "not accept for signatures",
        )
    any_of_them = not ANY.isdisjoint(policy.extended_key_usages)
    critical = "extended_key_usage" in leaf.critical_extensions
    if not (any_of_them and critical and purposes.isdisjoint(SIGNING_PURPOSES)):
        return ()
    message = (
        f"the certificate of {name} is for {listed(extended.native)} only: its Extended Key Usage "
        "is critical, and forbids signatures (a strict policy refuses it)"
    )
    return (message,)


def check_time_stamping(leaf: Certificate) -> None:
    """Check RFC 3161 Section 2.3: Extended Key Usage must be timeStamping alone, and critical.

    Raises:
        Unacceptable: it is not.
    """
    extended = leaf.extended_key_usage_value
    purposes = extended.native if extended is not None else []
    if purposes != ["time_stamping"] or "extended_key_usage" not in leaf.critical_extensions:
        raise Unacceptable(
            ReasonCode.CHAIN_CONSTRAINTS_FAILURE,
            f"the certificate of {subject_of(leaf)} is not one of a timestamp authority: its "
            "Extended Key Usage must be timeStamping alone, and critical (RFC 3161)",
        )
    usage = leaf.key_usage_value
    if usage is not None and not {"digital_signature", "non_repudiation"} & usage.native:
        raise Unacceptable(
            ReasonCode.CHAIN_CONSTRAINTS_FAILURE,
            f"the certificate of {subject_of(leaf)} is for {listed(usage.native)}, "
            "not for signatures",
        )


def issuer_of(cert: Certificate) -> str:
    """Return the issuer, written as `subject_of` does."""
    from ..errors import CertificateError
    from ..signature.certificate import parse

    try:
        return parse(cert.dump()).signer.issuer
    except CertificateError:
        return str(cert.issuer.human_friendly)


def sentence(error: BaseException) -> str:
    """Return the first sentence of an error."""
    text = " ".join(str(error).split())
    return text.split(". ", 1)[0].rstrip(".") or type(error).__name__

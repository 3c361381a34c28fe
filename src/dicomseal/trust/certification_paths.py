"""From a certificate to an anchor: path building and validation by pyhanko-certvalidator.

This is the only module that decides what RFC 5280 leaves to the application: what the signer's own
certificate must be like, how many paths are tried, and which of several failures is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import algos
from cryptography.exceptions import InvalidSignature
from pyhanko_certvalidator import ValidationContext, errors
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    NO_REVOCATION,
    AlgorithmUsageConstraint,
    AlgorithmUsagePolicy,
    CertRevTrustPolicy,
)
from pyhanko_certvalidator.registry import CertificateRegistry, SimpleTrustManager
from pyhanko_certvalidator.sig_validate import DefaultSignatureValidator
from pyhanko_certvalidator.validate import async_validate_path

from ..policy import ANY, SIGNING_PURPOSES, STRONG, Policy
from ..report import ReasonCode
from ..signature.lenient_certificate import Certificate
from . import restrictions
from .name_constraints import MOST_COMPARISONS
from .restrictions import (
    PSS,
    TIME_STAMPING_PURPOSES,
    Unacceptable,
    anchor_of,
    check_dates,
    listed,
    subject_of,
)

MOST_STEPS = 5_000  # certificates looked at while paths are built, and what else a decision takes
STEPS_OF_A_SIGNATURE = 20
COMPARISONS_OF_A_STEP = 32  # of names with constraints on them
MOST_PATHS = 32  # paths that are validated

_KINDS = {"rsa": "RSA", "rsassa_pss": "RSA", "ec": "ECDSA", "dsa": "DSA",
          "ed25519": "Ed25519", "ed448": "Ed448"}  # fmt: skip


class TooMany(errors.PathBuildingError):
    """There are more ways to build a path than anybody needs."""


class Registry(CertificateRegistry):
    """Intermediates; it counts what a decision takes, so that hostile ones cost bounded time.

    Whatever the library does with the certificates of a stranger goes through one of these: it asks
    here for every certificate it looks at, and each signature is counted too (see `_Signatures`).

    Attributes:
        steps: what the decision has taken so far.
    """

    steps = 0

    def count(self, steps: int) -> None:
        """Count so many steps, before they are taken.

        Raises:
            TooMany: there are more than `MOST_STEPS`.
        """
        self.steps += steps
        if self.steps > MOST_STEPS:
            raise TooMany(f"more than {MOST_STEPS} steps")

    def find_potential_issuers(self, cert: Any, trust_manager: Any) -> Iterator[Any]:
        """As the base class says; those of the name that it passes over are counted as well."""
        self.count(1 + len(super().retrieve_by_name(cert.issuer)))
        yield from super().find_potential_issuers(cert, trust_manager)

    def retrieve_by_name(self, name: Any, first_certificate: Any = None) -> list[Any]:
        """As the base class says, counted."""
        found: list[Any] = super().retrieve_by_name(name, first_certificate)
        self.count(1 + len(found))
        return found

    def retrieve_many_by_key_identifier(self, key_identifier: bytes) -> list[Any]:
        """As the base class says, counted."""
        found: list[Any] = super().retrieve_many_by_key_identifier(key_identifier)
        self.count(1 + len(found))
        return found

    def retrieve_many_by_key_hash(self, key_hash: bytes) -> list[Any]:
        """As the base class says, counted."""
        found: list[Any] = super().retrieve_many_by_key_hash(key_hash)
        self.count(1 + len(found))
        return found


class Nobody(Registry):
    """It keeps no certificate, so it knows no issuer: for what is verified and not yet judged."""

    def register(self, cert: Any) -> bool:
        """Leave it out."""
        del cert
        return False


class _Signatures(DefaultSignatureValidator):
    """Verifies signatures of certificates, CRLs and OCSP responses, and counts them.

    A key for RSASSA-PSS alone makes no other (RFC 4055 Section 1.2).
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: Any,
        signature_algorithm: Any,
        *arguments: Any,
        **options: Any,
    ) -> None:
        """As the base class says."""
        self._registry.count(STEPS_OF_A_SIGNATURE)
        if public_key_info.algorithm == PSS and signature_algorithm["algorithm"].native != PSS:
            raise InvalidSignature
        super().validate_signature(
            signature, signed_data, public_key_info, signature_algorithm, *arguments, **options
        )


class Pool:
    """Anchors and intermediates, made ready once.

    Args:
        anchors, intermediates: DER certificates.
    """

    def __init__(self, anchors: Iterable[bytes], intermediates: Iterable[bytes] = ()) -> None:
        self.roots = [Certificate.load(der) for der in anchors]
        self.comparisons = [MOST_COMPARISONS]
        self.manager = SimpleTrustManager.build(trust_roots=self.roots)
        self.registry = Registry.build(
            [Certificate.load(der) for der in intermediates] + self.roots
        )

    def begin(self) -> None:
        """Count from zero, for the next decision."""
        self.registry.steps = 0
        self.comparisons = [MOST_COMPARISONS]

    @property
    def steps(self) -> int:
        """What the decision has taken so far, names that were compared among it."""
        compared = MOST_COMPARISONS - self.comparisons[0]
        return int(self.registry.steps) + compared // COMPARISONS_OF_A_STEP

    def context(
        self,
        moment: datetime,
        policy: Policy,
        tolerance: timedelta = timedelta(0),
        **options: Any,
    ) -> ValidationContext:
        """A context of the library in which revocation is not looked at by itself."""
        return ValidationContext(
            trust_manager=self.manager,
            certificate_registry=self.registry,
            moment=moment,
            revinfo_policy=CertRevTrustPolicy(NO_REVOCATION),
            algorithm_usage_policy=Algorithms(policy),
            time_tolerance=tolerance,
            signature_validator=_Signatures(self.registry),
            **options,
        )

    def paths(self, cert: Any, moment: datetime, policy: Policy) -> Iterator[Any]:
        """Paths from a certificate to an anchor, unvalidated; the library's errors come through."""
        found = self.context(moment, policy).path_builder.async_build_paths_lazy(cert)
        for _ in range(MOST_PATHS):
            try:
                yield run(found.__anext__())
            except StopAsyncIteration:
                return


class Algorithms(AlgorithmUsagePolicy):
    """Our policy, in the form the library asks for it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def digest_algorithm_allowed(
        self, algo: algos.DigestAlgorithm, moment: datetime | None
    ) -> AlgorithmUsageConstraint:
        """Whether a hash algorithm may be used."""
        del moment
        name = algo["algorithm"].native
        allowed = self._policy.accepts(self._policy.grade_hash(name))
        return AlgorithmUsageConstraint(allowed, failure_reason=None if allowed else name.upper())

    def signature_algorithm_allowed(
        self,
        algo: algos.SignedDigestAlgorithm,
        moment: datetime | None,
        public_key: Any,
    ) -> AlgorithmUsageConstraint:
        """Whether a CA's key of this kind may sign with this hash."""
        del moment
        for what, grade in grades(algo, public_key, self._policy):
            if not self._policy.accepts(grade):
                return AlgorithmUsageConstraint(False, failure_reason=what)
        return AlgorithmUsageConstraint(True)


def grades(algo: Any, key: Any, policy: Policy) -> list[tuple[str, str]]:
    """What a signature in a chain is made with, and the grade of each part."""
    found = []
    try:
        name = algo.hash_algo
        found.append((f"the hash {name.upper()}", policy.grade_hash(name)))
    except ValueError:
        found.append((f"the algorithm {algo['algorithm'].native}", ""))
    if key is not None:
        found.append(_grade_key(key, policy, ca=True))
    return found


def _grade_key(key: Any, policy: Policy, ca: bool) -> tuple[str, str]:
    kind = _KINDS.get(key.algorithm, key.algorithm)
    size = key.bit_size if kind in ("RSA", "DSA", "ECDSA") else 0
    text = f"a key {kind} {size}" if size else f"a key {kind}"
    return text, policy.grade_key(kind, size, ca)


def run(coroutine: Any) -> Any:
    """The result of a coroutine that never waits, as the library's do without its fetchers.

    So no event loop is needed, and none that the caller runs in, as in a notebook, is in the way.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise RuntimeError("the chain validator waits for something, and nothing was to be fetched")


def validate(
    pool: Pool, path: ValidationPath, moment: datetime, policy: Policy, time_stamping: bool = False
) -> None:
    """RFC 5280 Section 6.1 for one path, and what is beyond it.

    Args:
        pool, path: where a path comes from, and the path.
        moment: the time that counts.
        policy: what a chain must be like.
        time_stamping: whether it is a timestamp authority's.

    Raises:
        Unacceptable: with the reason.
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
            f"in the chain of {name}, {_algorithm_at(path, policy) or sentence(error)} "
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


def _whose(path: ValidationPath, error: Any) -> str:
    whose = "its certificate" if error.is_ee_cert else "an authority in its chain"
    return f"{subject_of(path.last)}: {whose}"


def check_leaf(leaf: Any, policy: Policy, whose: str = "") -> None:
    """The signer's own key: the library checks that of every authority, and not this one.

    Args:
        leaf, policy: the signer's certificate, and what its key must be like.
        whose: what messages say instead of the subject, where that is not to be told.

    Raises:
        Unacceptable: its kind or size is not good enough for the policy.
    """
    what, grade = _grade_key(leaf.public_key, policy, ca=False)
    if not policy.accepts(grade):
        why = "is too weak for the policy" if grade else "is of a kind the policy does not accept"
        has = f"{whose}: it is" if whose else f"{subject_of(leaf)} has"
        raise Unacceptable(ReasonCode.CRYPTO_CONSTRAINTS_FAILURE, f"{has} {what}: it {why}")


def check_usages(leaf: Any, policy: Policy) -> tuple[str, ...]:
    """Whether the certificate is one to sign with: RFC 5280 leaves that to the application.

    A missing Key Usage allows everything (RFC 5280 Section 4.2.1.3).

    Returns:
        What a person should know of an Extended Key Usage that the policy does not look at.

    Raises:
        Unacceptable: it is not.
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
    said = (
        f"the certificate of {name} is for {listed(extended.native)} only: its Extended Key Usage "
        "is critical, and forbids signatures (a strict policy refuses it)"
    )
    return (said,)


def check_time_stamping(leaf: Any) -> None:
    """RFC 3161 Section 2.3: Extended Key Usage, critical, with timeStamping and nothing else.

    Raises:
        Unacceptable: it is not so.
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


def _algorithm_at(path: ValidationPath, policy: Policy) -> str:
    """The first thing in a path that the policy does not accept."""
    key = anchor_of(path).public_key
    for cert in path.iter_certs(include_root=False):
        for what, grade in grades(cert["signature_algorithm"], key, policy):
            if not policy.accepts(grade):
                return f"{what}, which signs the certificate of {subject_of(cert)},"
        key = cert.public_key
    return ""


def weaknesses(path: ValidationPath, policy: Policy) -> list[str]:
    """What in a valid path is not strong, for people; the signer's own key is not among it."""
    found = []
    key = anchor_of(path).public_key
    for cert in path.iter_certs(include_root=False):
        for what, grade in grades(cert["signature_algorithm"], key, policy):
            if grade != STRONG:
                found.append(f"{what.removeprefix('the ')} signs {subject_of(cert)}")
        key = cert.public_key
    return found


def issuer_of(cert: Any) -> str:
    """The issuer, written as `subject_of` does."""
    from ..errors import CertificateError
    from ..signature.certificate import parse

    try:
        return parse(cert.dump()).signer.issuer
    except CertificateError:
        return str(cert.issuer.human_friendly)


def sentence(error: BaseException) -> str:
    """The first sentence of an error."""
    text = " ".join(str(error).split())
    return text.split(". ", 1)[0].rstrip(".") or type(error).__name__

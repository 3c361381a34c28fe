"""From a certificate to an anchor: path building and validation by pyhanko-certvalidator.

This is the only module that decides what RFC 5280 leaves to the application: what the signer's own
certificate must be like, how many paths are tried, and which of several failures is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import algos
from asn1crypto import x509 as asn1
from cryptography.exceptions import InvalidSignature
from pyhanko_certvalidator import ValidationContext, errors
from pyhanko_certvalidator.authority import AuthorityWithCert
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    NO_REVOCATION,
    AlgorithmUsageConstraint,
    AlgorithmUsagePolicy,
    CertRevTrustPolicy,
    PKIXValidationParams,
)
from pyhanko_certvalidator.registry import CertificateRegistry, SimpleTrustManager
from pyhanko_certvalidator.sig_validate import DefaultSignatureValidator
from pyhanko_certvalidator.validate import async_validate_path

from .policy import ANY, STRONG, Policy
from .report import Reason

MOST_STEPS = 5_000  # certificates looked at while paths are built, and what else a decision takes
STEPS_OF_A_SIGNATURE = 20
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
    """Verifies signatures of certificates, CRLs and OCSP responses, and counts them."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def validate_signature(self, *arguments: Any, **options: Any) -> None:
        """As the base class says."""
        self._registry.count(STEPS_OF_A_SIGNATURE)
        super().validate_signature(*arguments, **options)


class Pool:
    """Anchors and intermediates, made ready once.

    Args:
        anchors, intermediates: DER certificates.
    """

    def __init__(self, anchors: Iterable[bytes], intermediates: Iterable[bytes] = ()) -> None:
        self.roots = [asn1.Certificate.load(der) for der in anchors]
        self.manager = SimpleTrustManager.build(trust_roots=self.roots)
        self.registry = Registry.build(
            [asn1.Certificate.load(der) for der in intermediates] + self.roots
        )

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


def validate(pool: Pool, path: ValidationPath, moment: datetime, policy: Policy) -> None:
    """RFC 5280 Section 6.1 for one path, and what is beyond it.

    Raises:
        Unacceptable: with the reason.
    """
    parameters = PKIXValidationParams()
    if ANY.isdisjoint(policy.certificate_policies):
        parameters = PKIXValidationParams(
            user_initial_policy_set=policy.certificate_policies, initial_explicit_policy=True
        )
    leaf = path.last
    name = subject_of(leaf)
    for cert in path.iter_certs(include_root=False):
        check_extensions(cert)
    try:
        run(async_validate_path(pool.context(moment, policy), path, parameters))
    except errors.ExpiredError as error:
        end = f"expired {error.expired_dt.isoformat()}, before the time that counts"
        raise Unacceptable("OUT_OF_BOUNDS_NO_POE", f"{_whose(path, error)} {end}") from None
    except errors.NotYetValidError as error:
        begin = f"is valid from {error.valid_from.isoformat()}, after the time that counts"
        raise Unacceptable("OUT_OF_BOUNDS_NO_POE", f"{_whose(path, error)} {begin}") from None
    except errors.DisallowedAlgorithmError as error:
        raise Unacceptable(
            "CRYPTO_CONSTRAINTS_FAILURE",
            f"in the chain of {name}, {_algorithm_at(path, policy) or sentence(error)} "
            "is too weak for the policy",
        ) from None
    except TooMany:
        raise
    except (errors.PathError, errors.ValidationError) as error:
        if isinstance(error.__context__, InvalidSignature):
            raise Unacceptable(
                "CERTIFICATE_CHAIN_GENERAL_FAILURE",
                f"in the chain of {name}, a certificate was not signed by the issuer it names",
            ) from None
        raise Unacceptable(
            "CHAIN_CONSTRAINTS_FAILURE", f"the chain of {name}: {sentence(error)}"
        ) from None
    if not path.pkix_len or policy.anchor_dates:
        anchor = _root(path)
        check_dates(anchor, moment, "the trusted certificate")
    check_leaf(leaf, policy)


class Unacceptable(Exception):  # noqa: N818
    """Carries the reason why a path or a certificate is refused; never leaves the trust layer."""

    def __init__(self, code: str, message: str, revocation: str = "") -> None:
        super().__init__(message)
        self.reason = Reason(code, message)
        self.revocation = revocation


def _whose(path: ValidationPath, error: Any) -> str:
    whose = "its certificate" if error.is_ee_cert else "an authority in its chain"
    return f"{subject_of(path.last)}: {whose}"


def check_dates(cert: Any, moment: datetime, what: str) -> None:
    """Whether a certificate that the library does not judge is valid, bounds inclusive.

    Raises:
        Unacceptable: it is not.
    """
    validity = cert["tbs_certificate"]["validity"]
    first, last = validity["not_before"].native, validity["not_after"].native
    if not first <= moment <= last:
        raise Unacceptable(
            "OUT_OF_BOUNDS_NO_POE",
            f"{what} {subject_of(cert)} is valid from {first.isoformat()} to {last.isoformat()}, "
            "and not at the time that counts",
        )


def check_extensions(cert: Any) -> None:
    """That no extension is there twice (RFC 5280 Section 4.2): readers differ in which one counts.

    Raises:
        Unacceptable: one is.
    """
    seen = set()
    for one in cert["tbs_certificate"]["extensions"] or ():
        number = one["extn_id"].dotted
        if number in seen:
            raise Unacceptable(
                "CHAIN_CONSTRAINTS_FAILURE",
                f"the certificate of {subject_of(cert)} has the extension {number} twice",
            )
        seen.add(number)


def check_leaf(leaf: Any, policy: Policy) -> None:
    """The signer's own key: the library checks that of every authority, and not this one.

    Raises:
        Unacceptable: its kind or size is not good enough for the policy.
    """
    what, grade = _grade_key(leaf.public_key, policy, ca=False)
    if not policy.accepts(grade):
        why = "is too weak for the policy" if grade else "is of a kind the policy does not accept"
        raise Unacceptable("CRYPTO_CONSTRAINTS_FAILURE", f"{subject_of(leaf)} has {what}: it {why}")


def check_usages(leaf: Any, policy: Policy) -> None:
    """Whether the certificate is one to sign with: RFC 5280 leaves that to the application.

    A missing Key Usage allows everything (RFC 5280 Section 4.2.1.3).

    Raises:
        Unacceptable: it is not.
    """
    name = subject_of(leaf)
    usage = leaf.key_usage_value
    if usage is None:
        if policy.key_usage_required:
            raise Unacceptable(
                "CHAIN_CONSTRAINTS_FAILURE",
                f"the certificate of {name} has no Key Usage; the policy requires it",
            )
    elif not policy.key_usages & (ANY | usage.native):
        raise Unacceptable(
            "CHAIN_CONSTRAINTS_FAILURE",
            f"the certificate of {name} is for {_listed(usage.native)}, not for signatures",
        )
    extended = leaf.extended_key_usage_value
    if extended is not None:
        purposes = set(extended.native)
        if not policy.extended_key_usages & (ANY | purposes):
            raise Unacceptable(
                "CHAIN_CONSTRAINTS_FAILURE",
                f"the certificate of {name} is for {_listed(purposes)}, which the policy does "
                "not accept for signatures",
            )


def check_time_stamping(leaf: Any) -> None:
    """RFC 3161 Section 2.3: Extended Key Usage, critical, with timeStamping and nothing else.

    Raises:
        Unacceptable: it is not so.
    """
    extended = leaf.extended_key_usage_value
    purposes = extended.native if extended is not None else []
    if purposes != ["time_stamping"] or "extended_key_usage" not in leaf.critical_extensions:
        raise Unacceptable(
            "CHAIN_CONSTRAINTS_FAILURE",
            f"the certificate of {subject_of(leaf)} is not one of a timestamp authority: its "
            "Extended Key Usage must be timeStamping alone, and critical (RFC 3161)",
        )
    usage = leaf.key_usage_value
    if usage is not None and not {"digital_signature", "non_repudiation"} & usage.native:
        raise Unacceptable(
            "CHAIN_CONSTRAINTS_FAILURE",
            f"the certificate of {subject_of(leaf)} is for {_listed(usage.native)}, "
            "not for signatures",
        )


def _listed(usages: Iterable[str]) -> str:
    return ", ".join(sorted(name.replace("_", " ") for name in usages)) or "nothing"


def _algorithm_at(path: ValidationPath, policy: Policy) -> str:
    """The first thing in a path that the policy does not accept."""
    key = _root(path).public_key
    for cert in path.iter_certs(include_root=False):
        for what, grade in grades(cert["signature_algorithm"], key, policy):
            if not policy.accepts(grade):
                return f"{what}, which signs the certificate of {subject_of(cert)},"
        key = cert.public_key
    return ""


def weaknesses(path: ValidationPath, policy: Policy) -> list[str]:
    """What in a valid path is not strong, for people; the signer's own key is not among it."""
    found = []
    key = _root(path).public_key
    for cert in path.iter_certs(include_root=False):
        for what, grade in grades(cert["signature_algorithm"], key, policy):
            if grade != STRONG:
                found.append(f"{what.removeprefix('the ')} signs {subject_of(cert)}")
        key = cert.public_key
    return found


def _root(path: ValidationPath) -> Any:
    authority = path.trust_anchor.authority
    if not isinstance(authority, AuthorityWithCert):
        raise TypeError("an anchor is always a certificate here")
    return authority.certificate


def subject_of(cert: Any) -> str:
    """The subject as reports write it (RFC 4514), as `Certificate.signer` does."""
    from .certificate import parse
    from .errors import CertificateError

    try:
        return parse(cert.dump()).signer.subject
    except CertificateError:  # asn1crypto is more lenient
        return str(cert.subject.human_friendly)


def issuer_of(cert: Any) -> str:
    """The issuer, written as `subject_of` does."""
    from .certificate import parse
    from .errors import CertificateError

    try:
        return parse(cert.dump()).signer.issuer
    except CertificateError:
        return str(cert.issuer.human_friendly)


def sentence(error: BaseException) -> str:
    """The first sentence of an error."""
    text = " ".join(str(error).split())
    return text.split(". ", 1)[0].rstrip(".") or type(error).__name__

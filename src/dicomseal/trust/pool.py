"""The pool of certificates from which paths are built, and the count of the work for that.

In: anchors and intermediates, DER.
Out: paths from a certificate to an anchor, by pyhanko-certvalidator, not yet validated.
PS3: none; RFC 5280 Section 6.1 is in `certification_paths`.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

from asn1crypto.algos import SignedDigestAlgorithm
from asn1crypto.keys import PublicKeyInfo
from asn1crypto.x509 import Name
from cryptography.exceptions import InvalidSignature
from pyhanko_certvalidator import ValidationContext, errors
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import NO_REVOCATION, CertRevTrustPolicy
from pyhanko_certvalidator.registry import CertificateRegistry, SimpleTrustManager, TrustManager
from pyhanko_certvalidator.sig_validate import DefaultSignatureValidator

from ..policy import Policy
from ..signature.lenient_certificate import Certificate
from .algorithms import Algorithms
from .name_constraints import MAX_COMPARISONS
from .restrictions import PSS

_T = TypeVar("_T")

# certificates that are looked at while paths are built, and the other steps of a decision
MAX_STEPS = 5_000
STEPS_OF_A_SIGNATURE = 20
COMPARISONS_OF_A_STEP = 32  # of names with constraints on them
MAX_PATHS = 32  # paths that are validated


class TooMany(errors.PathBuildingError):
    """There are more ways to build a path than may be tried."""


class Registry(CertificateRegistry):
    """Intermediates; it counts the steps of a decision, so that hostile ones cost bounded time.

    Whatever the library does with a stranger's certificates goes through a registry: it asks here
    for every certificate it looks at, and each signature is counted too (see `_Signatures`).

    Attributes:
        steps: how many steps the decision has taken so far.
    """

    steps = 0

    def count(self, steps: int) -> None:
        """Count steps before they are taken.

        Raises:
            TooMany: there are more than `MAX_STEPS`.
        """
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise TooMany(f"more than {MAX_STEPS} steps")

    def find_potential_issuers(
        self, cert: Certificate, trust_manager: TrustManager
    ) -> Iterator[Any]:
        """Do as the base class, and count the certificates of the name that it passes over."""
        self.count(1 + len(super().retrieve_by_name(cert.issuer)))
        yield from super().find_potential_issuers(cert, trust_manager)

    def retrieve_by_name(
        self, name: Name, first_certificate: Certificate | None = None
    ) -> list[Certificate]:
        """Do as the base class, and count."""
        found: list[Certificate] = super().retrieve_by_name(name, first_certificate)
        self.count(1 + len(found))
        return found

    def retrieve_many_by_key_identifier(self, key_identifier: bytes) -> list[Certificate]:
        """Do as the base class, and count."""
        found: list[Certificate] = super().retrieve_many_by_key_identifier(key_identifier)
        self.count(1 + len(found))
        return found

    def retrieve_many_by_key_hash(self, key_hash: bytes) -> list[Certificate]:
        """Do as the base class, and count."""
        found: list[Certificate] = super().retrieve_many_by_key_hash(key_hash)
        self.count(1 + len(found))
        return found


class Nobody(Registry):
    """A registry that keeps no certificate, for verification without a decision on trust."""

    def register(self, cert: Certificate) -> bool:
        """Leave the certificate out."""
        del cert
        return False


class _Signatures(DefaultSignatureValidator):
    """Verifies signatures of certificates, CRLs and OCSP responses, and counts them.

    A key for RSASSA-PSS only cannot make another signature (RFC 4055 Section 1.2).
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: PublicKeyInfo,
        signature_algorithm: SignedDigestAlgorithm,
        *arguments: Any,
        **options: Any,
    ) -> None:
        """Do as the base class, and count."""
        self._registry.count(STEPS_OF_A_SIGNATURE)
        if public_key_info.algorithm == PSS and signature_algorithm["algorithm"].native != PSS:
            raise InvalidSignature
        super().validate_signature(
            signature, signed_data, public_key_info, signature_algorithm, *arguments, **options
        )


class Pool:
    """Anchors and intermediates, prepared once.

    Args:
        anchors, intermediates: DER certificates.
    """

    def __init__(self, anchors: Iterable[bytes], intermediates: Iterable[bytes] = ()) -> None:
        self.roots = [Certificate.load(der) for der in anchors]
        self.comparisons = [MAX_COMPARISONS]
        self.manager = SimpleTrustManager.build(trust_roots=self.roots)
        self.registry = Registry.build(
            [Certificate.load(der) for der in intermediates] + self.roots
        )

    def begin(self) -> None:
        """Count from zero, for the next decision."""
        self.registry.steps = 0
        self.comparisons = [MAX_COMPARISONS]

    @property
    def steps(self) -> int:
        """The number of steps of the decision so far, comparisons of names included."""
        compared = MAX_COMPARISONS - self.comparisons[0]
        return int(self.registry.steps) + compared // COMPARISONS_OF_A_STEP

    def context(
        self,
        moment: datetime,
        policy: Policy,
        tolerance: timedelta = timedelta(0),
        **options: Any,
    ) -> ValidationContext:
        """Return a context of the library that does not check revocation by itself."""
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

    def paths(
        self, cert: Certificate, moment: datetime, policy: Policy
    ) -> Iterator[ValidationPath]:
        """Yield paths from a certificate to an anchor, not validated; errors are the library's."""
        found = self.context(moment, policy).path_builder.async_build_paths_lazy(cert)
        for _ in range(MAX_PATHS):
            try:
                step: Any = found.__anext__()  # of an asynchronous generator: it has `send`
                yield run(step)
            except StopAsyncIteration:
                return


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of a coroutine that never waits, as the library's do without fetchers.

    So no event loop is needed, and one in which the caller runs, as in a notebook, does not matter.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _T = done.value
        return result
    coroutine.close()
    raise RuntimeError("the chain validator waits for something, and nothing was to be fetched")

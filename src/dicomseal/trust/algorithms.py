"""The hashes and keys that a chain may use: the policy, in the form that the library needs.

In: the algorithms and keys of certificates, CRLs and OCSP responses.
Out: their grades, in words for people.
PS3: PS3.15 Annex C leaves this to the application; NIST SP 800-131A Rev. 2, by `dicomseal.policy`.
"""

from __future__ import annotations

from datetime import datetime

from asn1crypto import algos
from asn1crypto.keys import PublicKeyInfo
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import AlgorithmUsageConstraint, AlgorithmUsagePolicy

from ..policy import STRONG, Policy
from .restrictions import anchor_of, subject_of

_KINDS = {"rsa": "RSA", "rsassa_pss": "RSA", "ec": "ECDSA", "dsa": "DSA",
          "ed25519": "Ed25519", "ed448": "Ed448"}  # fmt: skip


class Algorithms(AlgorithmUsagePolicy):
    """Our policy, in the form that the library needs."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def digest_algorithm_allowed(
        self, algo: algos.DigestAlgorithm, moment: datetime | None
    ) -> AlgorithmUsageConstraint:
        """Return whether a hash algorithm may be used."""
        del moment
        name = algo["algorithm"].native
        allowed = self._policy.accepts(self._policy.grade_hash(name))
        return AlgorithmUsageConstraint(allowed, failure_reason=None if allowed else name.upper())

    def signature_algorithm_allowed(
        self,
        algo: algos.SignedDigestAlgorithm,
        moment: datetime | None,
        public_key: PublicKeyInfo,
    ) -> AlgorithmUsageConstraint:
        """Return whether a CA's key of this kind may sign with this hash."""
        del moment
        for what, grade in grades(algo, public_key, self._policy):
            if not self._policy.accepts(grade):
                return AlgorithmUsageConstraint(False, failure_reason=what)
        return AlgorithmUsageConstraint(True)


def grades(
    algo: algos.SignedDigestAlgorithm, key: PublicKeyInfo | None, policy: Policy
) -> list[tuple[str, str]]:
    """Return the hash and the key of a signature in a chain, each with its grade."""
    found = []
    try:
        name = algo.hash_algo
        found.append((f"the hash {name.upper()}", policy.grade_hash(name)))
    except ValueError:
        found.append((f"the algorithm {algo['algorithm'].native}", ""))
    if key is not None:
        found.append(grade_key(key, policy, ca=True))
    return found


def grade_key(key: PublicKeyInfo, policy: Policy, ca: bool) -> tuple[str, str]:
    kind = _KINDS.get(key.algorithm, key.algorithm)
    size = key.bit_size if kind in ("RSA", "DSA", "ECDSA") else 0
    text = f"a key {kind} {size}" if size else f"a key {kind}"
    return text, policy.grade_key(kind, size, ca)


def algorithm_at(path: ValidationPath, policy: Policy) -> str:
    """Return the first algorithm or key in a path that the policy does not accept."""
    key = anchor_of(path).public_key
    for cert in path.iter_certs(include_root=False):
        for what, grade in grades(cert["signature_algorithm"], key, policy):
            if not policy.accepts(grade):
                return f"{what}, which signs the certificate of {subject_of(cert)},"
        key = cert.public_key
    return ""


def weaknesses(path: ValidationPath, policy: Policy) -> list[str]:
    """Return, for people, the weak parts of a valid path, except the signer's own key."""
    found = []
    key = anchor_of(path).public_key
    for cert in path.iter_certs(include_root=False):
        for what, grade in grades(cert["signature_algorithm"], key, policy):
            if grade != STRONG:
                found.append(f"{what.removeprefix('the ')} signs {subject_of(cert)}")
        key = cert.public_key
    return found

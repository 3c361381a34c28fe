"""Whom a run trusted, and by which rules, with fingerprints: names of files prove nothing later."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from ...report import CertificateInfo

if TYPE_CHECKING:
    from ...trust.formats import AnySigner
    from ...trust.store import TrustStore

ANCHOR, SIGNER, TSA = "anchor", "signer", "tsa"  # the roles: --trust, --trust-signer, --tsa-trust


class TrustedOne(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that was trusted without a chain, or a bare public key.

    Attributes:
        role: `ANCHOR`, `SIGNER` or `TSA`.
        subject: empty for a bare public key.
        sha256: over its DER; of a bare public key over its SubjectPublicKeyInfo.
        not_after: ISO 8601; empty for a bare public key.
    """

    role: str
    subject: str
    sha256: str
    not_after: str

    @property
    def name(self) -> str:
        """The subject, or what there is in its place."""
        return self.subject or "(a public key without a certificate)"


class Trusted(msgspec.Struct, frozen=True, kw_only=True):
    """What signers were judged by.

    Attributes:
        certificates: the trusted certificates and keys, by their role and subject.
        policy: the name of the policy.
        policy_sha256: over the policy as JSON with sorted names: the same for the same rules.
        weak, revocation: what the policy says of these.
    """

    certificates: tuple[TrustedOne, ...]
    policy: str
    policy_sha256: str
    weak: str
    revocation: str

    def judges_as(self, other: Trusted) -> bool:
        """Return whether both are the same certificates and rules, whatever the policy's name."""
        return (self.certificates, self.policy_sha256) == (other.certificates, other.policy_sha256)


def trusted_by(store: TrustStore | None) -> Trusted | None:
    """Return what a store judges signers by; None for none: nobody was trusted."""
    if store is None:
        return None
    found = {
        TrustedOne(role=role, subject=info.subject, sha256=info.sha256, not_after=info.not_after)
        for role, some in ((ANCHOR, store.anchors), (SIGNER, store.signers), (TSA, store.tsa))
        for info in map(_information, some)
    }
    # the name of a policy is not one of its rules
    rules = msgspec.json.encode(msgspec.structs.replace(store.policy, name=""), order="sorted")
    return Trusted(
        certificates=tuple(sorted(found, key=lambda one: (one.role, one.subject, one.sha256))),
        policy=store.policy.name,
        policy_sha256=hashlib.sha256(rules).hexdigest(),
        weak=store.policy.weak,
        revocation=store.policy.revocation,
    )


def _information(one: AnySigner) -> CertificateInfo:
    from ...signature.certificate import Certificate, describe_key, parse, spki_der
    from ...trust.formats import AnyCertificate, der_of

    if isinstance(one, Certificate):
        return one.signer
    if isinstance(one, AnyCertificate):
        return parse(der_of(one)).signer
    sha256 = hashlib.sha256(spki_der(one)).hexdigest()
    return CertificateInfo("", "", "", sha256, describe_key(one), "", "")

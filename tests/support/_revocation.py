"""Cases of revocation in one row: the CRLs and OCSP responses at hand, and what is to be said."""

from __future__ import annotations

from typing import Any, NamedTuple

import trust_pki as pki
from cryptography.x509 import (
    CRLNumber,
    DeltaCRLIndicator,
    DistributionPoint,
    FreshestCRL,
    UniformResourceIdentifier,
    UnrecognizedExtension,
)
from cryptography.x509 import ReasonFlags as Why
from msgspec.structs import replace
from trust_pki import Entry

from dicomseal import TrustStore
from dicomseal.policy import DEFAULT

REQUIRE, OFF = DEFAULT.but(revocation="require"), DEFAULT.but(revocation="off")
ACCEPT, OLD = DEFAULT.but(weak="accept"), DEFAULT.but(weak_hashes=frozenset({"sha1"}))
ENDLESS = pki.without_next_update(pki.crl("ca"), "ca")
SHA1_CRL = pki.over_sha1(pki.crl("ca"), "ca")
REVOKED, REVOKED_CA, LATER = "REVOKED_NO_POE", "REVOKED_CA_NO_POE", "TRY_LATER"
FINE_ROOT = pki.crl("root")
COMPROMISE = frozenset({Why.key_compromise, Why.ca_compromise})
OTHERS = frozenset(Why) - COMPROMISE - {Why.unspecified, Why.remove_from_crl}
DELTA = (DeltaCRLIndicator(1), True), (CRLNumber(2), False)
_AT = [UniformResourceIdentifier("http://x/d.crl")]
BASE = (CRLNumber(1), False), (FreshestCRL([DistributionPoint(_AT, None, None, None)]), False)


def keeps_expired(days):
    """ExpiredCertsOnCRL: it lists certificates that expired since then."""
    text = pki.at(days).strftime("%Y%m%d%H%M%SZ").encode()
    oid = pki.ObjectIdentifier("2.5.29.60")
    return UnrecognizedExtension(oid, b"\x18\x0f" + text), False


class Case(NamedTuple):
    crls: tuple[Any, ...] = ()
    ocsps: tuple[Any, ...] = ()
    reason: str | None = None  # trusted
    sentence: str = ""
    state: str = "good"
    policy: Any = REQUIRE
    days: float = 0
    of: str = "leaf"
    between: tuple[str, ...] = ("ca",)
    message: str = ""
    weak: tuple[str, ...] = ()


def crls(*entries, issuer="ca", **more):
    """A CRL of the root that lists nothing, and one of the CA."""
    return FINE_ROOT, pki.crl(issuer, *entries, **more)


def bad(**more):
    return Case(**{"state": "revoked", "sentence": "was revoked at", **more})


def open_(**more):
    return Case(**{"reason": LATER, "state": "unknown", **more})


LEAF = Entry("leaf")


def judge(case):
    trust_store = TrustStore(
        pki.certs("root"), pki.certs(*case.between), crls=case.crls, ocsps=case.ocsps,
        policy=case.policy,
    )  # fmt: skip
    return trust_store, trust_store.judge(pki.cert(case.of), pki.at(case.days))


def holds(case):
    """Assert that the answer is the one in the row, and the same when it is asked for again."""
    judged, answer = judge(case)
    assert (answer.reason and answer.reason.code, answer.revocation) == (case.reason, case.state), (
        answer
    )
    assert answer.trust == ("trusted" if case.reason is None else "untrusted")
    assert bool(case.sentence) == bool(case.reason)
    assert case.sentence in (answer.reason.message if answer.reason else "")
    assert len(answer.messages) == bool(case.message)
    assert case.message in " ".join(answer.messages)
    assert answer.weak == case.weak
    again = judged.judge(pki.cert(case.of), pki.at(case.days))
    assert again == answer


def is_remembered_as_a_new_store_says(case):
    """At every moment, however the moments are mixed."""
    judged, _ = judge(case)
    second = 1 / 86400
    bounds = (-100, -9, -5, -2, -1, -1 + 1 / 48, 0, 3, 7, 100)
    moments = [bound + step for bound in bounds for step in (-second, 0, second, 0.3)]
    for days in moments + moments[::-1]:
        _, fresh = judge(case._replace(days=days))
        found = judged.judge(pki.cert(case.of), pki.at(days))
        # what is remembered of a CRL spares some steps
        assert replace(found, effort=0) == replace(fresh, effort=0), days

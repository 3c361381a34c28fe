"""OCSP responses: what each says, held against the time that counts, in one table."""

from __future__ import annotations

import pytest
import trust_pki as pki
from _revocation import (
    FINE_ROOT,
    LATER,
    LEAF,
    REQUIRE,
    REVOKED,
    Case,
    bad,
    crls,
    holds,
    is_remembered_as_a_new_store_says,
    judge,
    open_,
)
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ReasonFlags as Why
from trust_pki import Entry

from dicomseal.policy import DEFAULT
from dicomseal.trust import revocation

TABLE = {
    # --- OCSP: no extension of the certificate points at a responder
    "OCSP good": Case((FINE_ROOT,), (pki.ocsp("leaf"),)),
    "OCSP good, if available": Case((FINE_ROOT,), (pki.ocsp("leaf"),), policy=DEFAULT),
    "OCSP revoked": bad(crls=(FINE_ROOT,), reason=REVOKED, sentence="says the OCSP response of",
                        ocsps=(pki.ocsp("leaf", "revoked", reason=Why.key_compromise),)),
    "OCSP revoked, if available": bad(ocsps=(pki.ocsp("leaf", "revoked"),), reason=REVOKED,
                                      policy=DEFAULT),
    "OCSP revoked later": Case((FINE_ROOT,), (pki.ocsp("leaf", "revoked"),), days=-6),
    "OCSP revoked at that second": bad(crls=(FINE_ROOT,), ocsps=(pki.ocsp("leaf", "revoked"),),
                                       days=-5, reason=REVOKED),
    "OCSP unknown": open_(crls=(FINE_ROOT,), ocsps=(pki.ocsp("leaf", "unknown"),),
                          sentence="does not tell whether CN=leaf was revoked"),
    "OCSP about another": open_(crls=(FINE_ROOT,), ocsps=(pki.ocsp("direct"),),
                                sentence="is about the certificate of CN=leaf"),
    "OCSP out of date": open_(crls=(FINE_ROOT,), ocsps=(pki.ocsp("leaf", window=(-9, -2)),),
                              sentence="was to be renewed by"),
    # --- more of OCSP
    "OCSP that names it by SHA-256": Case(
        (FINE_ROOT,), (pki.ocsp("leaf", named_by=hashes.SHA256()),)),
    "OCSP that names it by SHA-384": open_(
        crls=(FINE_ROOT,), ocsps=(pki.ocsp("leaf", named_by=hashes.SHA384()),),
        sentence="names certificates by SHA384: not understood"),
    "OCSP that names it by SHA-384, CRL revoked": bad(
        crls=crls(LEAF), ocsps=(pki.ocsp("leaf", named_by=hashes.SHA384()),), reason=REVOKED),
    "OCSP today, about the past": Case((FINE_ROOT,), (pki.ocsp("leaf"),), days=-50),
    "OCSP with a wrong signature": open_(
        crls=(FINE_ROOT,), ocsps=(pki.ocsp("leaf", damaged=True),),
        sentence="Unable to verify OCSP response signature"),
    "OCSP good, CRL revoked": bad(crls=crls(LEAF), ocsps=(pki.ocsp("leaf"),), reason=REVOKED),
    "OCSP revoked, CRL good": bad(crls=crls(), ocsps=(pki.ocsp("leaf", "revoked"),),
                                  reason=REVOKED),
    "OCSP unusable, CRL good": Case(crls(), (pki.ocsp("leaf", window=(-9, -2)),)),
    "a responder": Case((FINE_ROOT,), (pki.ocsp("leaf", responder="responder",
                                                included=("responder",)),)),
    "a responder for some days": Case((FINE_ROOT,), (pki.ocsp(
        "leaf", responder="short responder", included=("short responder",)),)),
    "a responder, revoked": bad(
        crls=(FINE_ROOT,), reason=REVOKED,
        ocsps=(pki.ocsp("leaf", "revoked", "responder", included=("responder",)),)),
    "a responder that is not here": open_(
        crls=(FINE_ROOT,), ocsps=(pki.ocsp("leaf", responder="responder"),),
        sentence="certificate could not be located"),
    "no responder's certificate": open_(
        crls=(FINE_ROOT,), ocsps=(pki.ocsp("leaf", responder="no responder",
                                           included=("no responder",)),),
        sentence="signed by an unauthorized certificate"),
    "a responder that expired": open_(
        sentence="signing certificate could not be validated",
        crls=(FINE_ROOT,), ocsps=(pki.ocsp("leaf", responder="old responder",
                                           included=("old responder",)),)),
    "a responder younger than the time that counts": Case(
        (FINE_ROOT,), (pki.ocsp("leaf", responder="young responder",
                                included=("young responder",)),), days=-50),
    "a responder that is revoked": open_(
        crls=(FINE_ROOT, pki.crl("ca", Entry("responder to check"), window=(-4, -3))),
        ocsps=(pki.ocsp("leaf", responder="responder to check",
                        included=("responder to check",)),),
        policy=DEFAULT, sentence="its signer CN=responder to check was revoked at"),
    "a responder of which nothing is known": open_(
        crls=(FINE_ROOT,),
        ocsps=(pki.ocsp("leaf", responder="responder to check",
                        included=("responder to check",)),),
        sentence="whether its signer was revoked is not known"),
    "a responder of which nothing is known, if available": Case(
        (FINE_ROOT,),
        (pki.ocsp("leaf", responder="responder to check", included=("responder to check",)),),
        policy=DEFAULT),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_table(case):
    holds(case)


@pytest.mark.parametrize("name", ["OCSP good", "a responder for some days"])
def test_what_is_remembered_is_what_a_new_store_says(name):
    is_remembered_as_a_new_store_says(TABLE[name])


@pytest.mark.parametrize("policy", [REQUIRE, DEFAULT])
def test_signers_that_vouch_for_another_without_end(policy, monkeypatch):
    """Behind the deepest that is asked about nothing is known, which is no good news."""
    case = Case((FINE_ROOT,), (
        pki.ocsp("leaf", responder="responder to check", included=("responder to check",)),
        pki.ocsp("responder to check", responder="responder", included=("responder",)),
    ), policy=policy)  # fmt: skip
    assert judge(case)[1].trust == "trusted"
    monkeypatch.setattr(revocation, "_MAX_DEPTH", 0)
    answer = judge(case)[1]
    assert answer.trust == ("untrusted" if policy is REQUIRE else "trusted")
    if policy is REQUIRE:
        assert answer.reason.code == LATER
        assert "too many signers of revocation data vouch for another" in answer.reason.message

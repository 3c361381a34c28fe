"""CRLs and OCSP responses: what each says, held against the time that counts, in one table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trust_pki as pki
from cryptography.hazmat.primitives import hashes
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
from dicomseal.trust import revocation, revocation_data
from dicomseal.trust.decision import TIME_STAMPING

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
TABLE = {
    # --- form (RFC 5280 Section 5.2)
    "a CRL number that is critical": open_(
        crls=crls(extensions=((CRLNumber(1), True),)),
        sentence="has a critical extension that must not be: crl number"),
    "a CRL number that is critical, and listed": bad(
        crls=crls(LEAF, extensions=((CRLNumber(1), True),)), reason=REVOKED),
    # --- nothing at hand
    "nothing, if available": Case(policy=DEFAULT, state="not_checked"),
    "nothing, off": Case(policy=OFF, state="not_checked"),
    "nothing, required": open_(sentence="no CRL or OCSP response at hand is about the certificate "
                               "of CN=ca, issued by"),
    "nothing for the leaf": open_(crls=(FINE_ROOT,), sentence="of CN=leaf, issued by"),
    "nothing for the leaf, if available": Case((FINE_ROOT,), policy=DEFAULT, state="not_checked",
                                               message="is about the certificate of CN=leaf"),
    "nothing for the CA": open_(crls=(pki.crl("ca"),), sentence="of CN=ca, issued by"),
    "CRL of another CA": open_(crls=(FINE_ROOT, pki.crl("other root")),
                               sentence="is about the certificate of CN=leaf"),
    "CRL of another CA, if available": Case((pki.crl("other root"),), policy=DEFAULT,
                                            state="not_checked"),
    # --- CRLs by others whom the same authority certified: they speak for themselves alone
    "a sub-CA's CRL": open_(crls=(pki.crl("ca"),), of="direct",
                            sentence="is about the certificate of CN=direct"),
    "a sub-CA's CRL, if available": Case((pki.crl("ca"),), of="direct", policy=DEFAULT,
                                         state="not_checked"),
    "listed by a sub-CA": Case((pki.crl("ca", Entry("direct")),), of="direct", policy=DEFAULT,
                               state="not_checked"),
    "the CRL of a sub-CA that expired": Case(
        (pki.crl("expired ca"),), of="direct", between=("expired ca",), policy=DEFAULT,
        state="not_checked"),
    "any signer's CRL": open_(crls=(FINE_ROOT, pki.crl("no usage")), between=("ca", "no usage"),
                              sentence="is about the certificate of CN=leaf"),
    "any signer's indirect CRL": open_(
        crls=(FINE_ROOT, pki.crl("no usage", extensions=(pki.scope(indirect=True),))),
        between=("ca", "no usage"), sentence="is about the certificate of CN=leaf"),
    "the indirect CRL of one who may sign CRLs": open_(
        crls=(FINE_ROOT, pki.crl("crl signer", extensions=(pki.scope(indirect=True),))),
        between=("ca", "crl signer"), sentence="is about the certificate of CN=leaf"),
    "a sub-CA's CRLs, all reasons together": open_(
        crls=(pki.crl("ca", extensions=(pki.scope(reasons=COMPROMISE),)),
              pki.crl("ca", extensions=(pki.scope(reasons=OTHERS),))),
        of="direct", sentence="is about the certificate of CN=direct"),
    "a sub-CA's CRLs, all reasons together, if available": Case(
        crls=(pki.crl("ca", extensions=(pki.scope(reasons=COMPROMISE),)),
              pki.crl("ca", extensions=(pki.scope(reasons=OTHERS),))),
        of="direct", policy=DEFAULT, state="not_checked"),
    # --- CRLs: no extension of the certificate points at them
    "not listed": Case(crls()),
    "not listed, if available": Case(crls(), policy=DEFAULT),
    "another is listed": Case(crls(Entry("rsa"))),
    "listed": bad(crls=crls(LEAF), reason=REVOKED, sentence="CN=leaf was revoked at"),
    "listed, if available": bad(crls=crls(LEAF), reason=REVOKED, policy=DEFAULT),
    "listed, off": Case(crls(LEAF), policy=OFF, state="not_checked"),
    "listed with a reason": bad(crls=crls(Entry("leaf", -5, Why.key_compromise)), reason=REVOKED,
                                sentence="(a compromised key), says the CRL of"),
    "superseded": bad(crls=crls(Entry("leaf", -5, Why.superseded)), reason=REVOKED),
    "the CA is revoked": bad(crls=(pki.crl("root", Entry("ca")), pki.crl("ca")),
                             reason=REVOKED_CA, sentence="CN=ca was revoked at"),
    # --- the time that counts
    "revoked later": Case(crls(LEAF), days=-6),
    "revoked at that second": bad(crls=crls(LEAF), days=-5, reason=REVOKED),
    "revoked a second later": Case(crls(LEAF), days=-5 - 1 / 86400),
    "revoked before": bad(crls=crls(LEAF), days=-4, reason=REVOKED),
    "the CA is revoked later": Case((pki.crl("root", Entry("ca")), pki.crl("ca")), days=-6),
    "compromised before it was revoked": bad(
        crls=crls(Entry("leaf", -5, Why.key_compromise, invalid=-9)), days=-6, reason=REVOKED,
        sentence="not to be relied on since"),
    "compromised later": Case(crls(Entry("leaf", -5, Why.key_compromise, invalid=-9)), days=-10),
    "today's CRL about the past": Case(crls(), days=-50),
    # --- CRLs that are old or new
    "out of date": open_(crls=crls(window=(-9, -2)), sentence="was to be renewed by"),
    "out of date, if available": open_(crls=crls(window=(-9, -2)), policy=DEFAULT,
                                       sentence="was to be renewed by"),
    "out of date, then in date": Case(crls(window=(-9, -2)), days=-3),
    "out of date and listed": bad(crls=crls(LEAF, window=(-4, -2)), reason=REVOKED),
    "without nextUpdate": open_(crls=(FINE_ROOT, ENDLESS), sentence="was to be renewed by"),
    "without nextUpdate, when it was issued": Case((FINE_ROOT, ENDLESS), days=-1 + 1 / 96),
    "without nextUpdate, and listed": bad(
        crls=(FINE_ROOT, pki.without_next_update(pki.crl("ca", LEAF), "ca")), reason=REVOKED),
    "an old and a new one": Case((*crls(window=(-9, -2)), pki.crl("ca"))),
    "listed in the old one only": bad(crls=(*crls(LEAF, window=(-4, -2)), pki.crl("ca")),
                                      reason=REVOKED),
    "not yet issued": Case((pki.crl("root", window=(2, 9)), pki.crl("ca", window=(2, 9)))),
    # --- certificates that expired
    "expired before the CRL was issued": open_(
        crls=crls(), of="expired", days=-15, sentence="had expired, and need not list it"),
    "expired, CRL of then": Case(
        (pki.crl("root", window=(-16, -9)), pki.crl("ca", window=(-16, -9))), of="expired",
        days=-15),
    "expired, listed all the same": bad(crls=crls(Entry("expired", -16)), of="expired", days=-15,
                                        reason=REVOKED),
    "expired, the CRL keeps them": Case(crls(extensions=(keeps_expired(-30),)), of="expired",
                                        days=-15),
    "expired, the CRL keeps later ones": open_(
        crls=crls(extensions=(keeps_expired(-5),)), of="expired", days=-15,
        sentence="need not list it"),
    # --- holds
    "on hold": bad(crls=crls(Entry("leaf", -5, Why.certificate_hold)), reason=REVOKED,
                   sentence="(a certificate hold)"),
    "a hold that was lifted": Case(
        (*crls(Entry("leaf", -5, Why.certificate_hold), window=(-4, 5)), pki.crl("ca"))),
    "a hold that was lifted by a delta": Case(
        (*crls(Entry("leaf", -5, Why.certificate_hold), window=(-4, 5), extensions=BASE),
         pki.crl("ca", Entry("leaf", -1, Why.remove_from_crl), window=(-1, 5),
                 extensions=DELTA))),
    "a compromise is never lifted": bad(
        crls=(*crls(Entry("leaf", -5, Why.key_compromise), window=(-4, 5)), pki.crl("ca")),
        reason=REVOKED),
    # --- deltas
    "a base that could have a delta": Case(crls(extensions=BASE)),
    "listed in the delta": bad(
        crls=(*crls(extensions=BASE), pki.crl("ca", LEAF, extensions=DELTA)), reason=REVOKED),
    "listed in the delta, later": Case(
        (*crls(extensions=BASE), pki.crl("ca", LEAF, extensions=DELTA)), days=-6),
    "a delta, about the past": Case(
        (*crls(extensions=BASE, window=(-4, 5)), pki.crl("ca", extensions=DELTA)), days=-50),
    "a delta alone": open_(crls=(FINE_ROOT, pki.crl("ca", extensions=DELTA)),
                           sentence="is about the certificate of CN=leaf"),
    # --- who signed it
    "a wrong signature": open_(crls=(FINE_ROOT, pki.crl("ca", signer="other root")),
                               sentence="CRL signature could not be verified"),
    "a wrong signature, if available": open_(
        sentence="CRL signature could not be verified",
        crls=(FINE_ROOT, pki.crl("ca", signer="other root")), policy=DEFAULT),
    "listed with a wrong signature": open_(
        sentence="CRL signature could not be verified",
        crls=(FINE_ROOT, pki.crl("ca", LEAF, signer="leaf"))),
    "a CA that may not sign CRLs": open_(
        crls=crls(issuer="ca without crl sign"), of="below ca without crl sign",
        between=("ca without crl sign",), sentence="not authorized to sign CRLs"),
    "the CA's key for CRLs": Case((FINE_ROOT, pki.crl("ca", signer="ca crl key")),
                                  between=("ca", "ca crl key")),
    "the CA's key for CRLs, listed": bad(crls=(FINE_ROOT, pki.crl("ca", LEAF, signer="ca crl key")),
                                         between=("ca", "ca crl key"), reason=REVOKED),
    "the CA's key for CRLs is revoked": open_(
        crls=(FINE_ROOT, pki.crl("ca", Entry("ca crl key"), signer="ca crl key"),
              pki.crl("ca", Entry("ca crl key"), window=(-3, -2))),
        between=("ca", "ca crl key"), sentence="its signer CN=ca was revoked at"),
    "a certificate of that name for other things": open_(
        sentence="revoked: none of the certificates of that name may sign it and did",
        crls=(FINE_ROOT, pki.crl("ca", signer="no crl signer")), between=("ca", "no crl signer")),
    # --- CRLs about some certificates, for some reasons
    "users only": Case(crls(extensions=(pki.scope(users=True),))),
    "authorities only": open_(crls=crls(extensions=(pki.scope(authorities=True),)),
                              sentence="certificate is an end-entity certificate"),
    "users only, for a CA": open_(
        crls=(pki.crl("root", extensions=(pki.scope(users=True),)), pki.crl("ca")),
        sentence="certificate is a CA certificate"),
    "some reasons": open_(crls=crls(extensions=(pki.scope(reasons=COMPROMISE),)),
                          sentence="do not cover all revocation reasons"),
    "some reasons, listed": bad(
        crls=crls(Entry("leaf", -5, Why.key_compromise),
                  extensions=(pki.scope(reasons=COMPROMISE),)), reason=REVOKED),
    "all reasons together": Case((*crls(extensions=(pki.scope(reasons=COMPROMISE),)),
                                  pki.crl("ca", extensions=(pki.scope(reasons=OTHERS),)))),
    "all reasons together, about the past": Case(
        (*crls(extensions=(pki.scope(reasons=COMPROMISE),)),
         pki.crl("ca", extensions=(pki.scope(reasons=OTHERS),))), days=-50),
    "all reasons together, listed in one": bad(
        crls=(*crls(extensions=(pki.scope(reasons=COMPROMISE),)),
              pki.crl("ca", Entry("leaf", -5, Why.superseded),
                      extensions=(pki.scope(reasons=OTHERS),))), reason=REVOKED),
    "twice the same reasons": open_(
        sentence="do not cover all revocation reasons",
        crls=(*crls(extensions=(pki.scope(reasons=COMPROMISE),)),
              pki.crl("ca", extensions=(pki.scope(reasons=COMPROMISE),)))),
    "all reasons together, one forged": open_(
        sentence="does not tell whether CN=leaf was revoked",
        crls=(*crls(extensions=(pki.scope(reasons=COMPROMISE),)),
              pki.crl("ca", extensions=(pki.scope(reasons=OTHERS),), signer="other root"))),
    "all reasons together, one out of date": open_(
        sentence="do not cover all revocation reasons",
        crls=(*crls(extensions=(pki.scope(reasons=COMPROMISE),)),
              pki.crl("ca", extensions=(pki.scope(reasons=OTHERS),), window=(-5, -2)))),
    "unknown critical extension of the CRL": open_(
        crls=crls(extensions=((pki.UNKNOWN, True),)),
        sentence="unrecognized critical extensions are present in the CRL"),
    "unknown critical extension of the entry": open_(
        crls=crls(Entry("leaf", critical=True)),
        sentence="unrecognized critical extensions are present in the CRL entry"),
    # --- indirect CRLs
    "indirect": Case((FINE_ROOT, pki.crl("indirect signer", extensions=(
        pki.scope(indirect=True),))), of="with indirect", between=("ca", "indirect signer")),
    "indirect, listed": bad(
        crls=(FINE_ROOT, pki.crl("indirect signer", Entry("with indirect", issuer="ca"),
                                 extensions=(pki.scope(indirect=True),))),
        of="with indirect", between=("ca", "indirect signer"), reason=REVOKED),
    "indirect, another CA's of that number": Case(
        (FINE_ROOT, pki.crl("indirect signer", Entry("with indirect", issuer="other root"),
                            extensions=(pki.scope(indirect=True),))),
        of="with indirect", between=("ca", "indirect signer")),
    "indirect, and the certificate does not say so": open_(
        crls=(FINE_ROOT, pki.crl("indirect signer", extensions=(pki.scope(indirect=True),))),
        between=("ca", "indirect signer"), sentence="is about the certificate of CN=leaf"),
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
    # --- what is signed over a weak hash
    "a CRL over SHA-1": open_(crls=(FINE_ROOT, SHA1_CRL), policy=DEFAULT,
                              sentence="is signed over SHA1: too weak for the policy"),
    "a CRL over SHA-1, accepted": Case((FINE_ROOT, SHA1_CRL), policy=ACCEPT,
                                       weak=("hash SHA1 signs a CRL",)),
    "a CRL over SHA-1, merely weak": Case((FINE_ROOT, SHA1_CRL), policy=OLD,
                                          weak=("hash SHA1 signs a CRL",)),
    "a CRL over SHA-1, and a stronger one": Case((FINE_ROOT, SHA1_CRL, pki.crl("ca")),
                                                 policy=ACCEPT),
    "listed in a CRL over SHA-1": open_(
        crls=(FINE_ROOT, pki.over_sha1(pki.crl("ca", LEAF), "ca")), policy=DEFAULT,
        sentence="is signed over SHA1: too weak for the policy"),
    "listed in a CRL over SHA-1, accepted": bad(
        crls=(FINE_ROOT, pki.over_sha1(pki.crl("ca", LEAF), "ca")), policy=ACCEPT,
        reason=REVOKED),
    # --- distribution points
    "the distribution point of the certificate": Case(
        crls(extensions=(pki.scope(at="http://clinic.example/1.crl"),)), of="with a point"),
    "another distribution point": open_(
        crls=crls(extensions=(pki.scope(at="http://clinic.example/1.crl"),)),
        of="with another point", sentence="is about the certificate of CN=with another point"),
    "a whole CRL, whatever the distribution point": Case(crls(), of="with a point"),
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


def judge(case):
    made = TrustStore(
        pki.certs("root"), pki.certs(*case.between), crls=case.crls, ocsps=case.ocsps,
        policy=case.policy,
    )  # fmt: skip
    return made, made.judge(pki.cert(case.of), pki.at(case.days))


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_table(case):
    made, answer = judge(case)
    assert (answer.reason and answer.reason.code, answer.revocation) == (case.reason, case.state), (
        answer
    )
    assert answer.trust == ("trusted" if case.reason is None else "untrusted")
    assert bool(case.sentence) == bool(case.reason)
    assert case.sentence in (answer.reason.message if answer.reason else "")
    assert len(answer.messages) == bool(case.message)
    assert case.message in " ".join(answer.messages)
    assert answer.weak == case.weak
    again = made.judge(pki.cert(case.of), pki.at(case.days))
    assert again == answer


@pytest.mark.parametrize(
    "name",
    ["not listed", "listed", "out of date", "OCSP good", "on hold", "without nextUpdate",
     "a responder for some days"],
)  # fmt: skip
def test_what_is_remembered_is_what_a_new_store_says(name):
    """At every moment, however the moments are mixed."""
    case = TABLE[name]
    made, _ = judge(case)
    second = 1 / 86400
    bounds = (-100, -9, -5, -2, -1, -1 + 1 / 48, 0, 3, 7, 100)
    moments = [bound + step for bound in bounds for step in (-second, 0, second, 0.3)]
    for days in moments + moments[::-1]:
        _, fresh = judge(case._replace(days=days))
        found = made.judge(pki.cert(case.of), pki.at(days))
        # what is remembered of a CRL spares some steps
        assert replace(found, effort=0) == replace(fresh, effort=0), days


def test_a_crl_that_runs_out_ends_the_decision():
    made, answer = judge(TABLE["not listed"])
    assert answer.trust == "trusted"
    assert made.judge(pki.cert("leaf"), pki.at(6.9)).trust == "trusted"
    assert made.judge(pki.cert("leaf"), pki.at(7.1)).reason.code == LATER


def test_a_large_crl_is_not_searched_by_the_library(monkeypatch):
    """Where a quick search finds nothing, the library gets the CRL without its entries."""
    seen = []
    container = revocation_data.Crl.container

    def watched(self, cert):
        made = container(self, cert)
        seen.append(len(made.crl_data["tbs_cert_list"]["revoked_certificates"]))
        return made

    monkeypatch.setattr(revocation_data.Crl, "container", watched)
    entries = [Entry(name) for name in ("rsa", "direct", "server")]
    assert judge(Case(crls(*entries)))[1].revocation == "good"
    assert set(seen) == {0}
    seen.clear()
    assert judge(bad(crls=crls(*entries, LEAF)))[1].revocation == "revoked"
    assert 4 in seen


def test_the_short_form_is_no_way_around_the_signature():
    """The entries that the library does not see are signed all the same."""
    good = pki.crl("ca", Entry("rsa"))
    serial = pki.cert("rsa").serial_number.to_bytes(20, "big").lstrip(b"\0")
    assert good.count(serial) == 1
    forged = good.replace(serial, serial[:-1] + bytes([serial[-1] ^ 1]))
    _, answer = judge(Case((FINE_ROOT, forged)))
    assert answer.reason.code == LATER
    assert "CRL signature could not be verified" in answer.reason.message


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


def test_a_folder_full_of_other_authorities_crls():
    """They cost nothing, and say nothing: each is left out by its issuer's name."""
    others = [
        name for name, row in pki.TABLE.items() if row.ca and row.issuer != name and not row.subject
    ]
    asked = []
    made, _ = judge(Case(crls() + tuple(pki.crl(name) for name in others if name != "ca")))
    ask = made.revocations._ask
    made.revocations._ask = lambda *more: asked.append(1) or ask(*more)
    assert made.judge(pki.cert("rsa")).revocation == "good"
    assert len(others) > 20
    assert len(asked) == 2  # the root's about the CA, the CA's about the signer


def test_what_the_library_warns_of_stays_in_the_report():
    """The logging module prints warnings to stderr where nobody has set it up."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; import test_revocation as t;"
        "print(t.judge(t.Case((t.FINE_ROOT, t.pki.crl('ca', signer='old ca crl key')),"
        "between=('ca', 'old ca crl key')))[1].reason.code)"
    )
    here = Path(__file__).parent
    folders = [here, here.parent / "support", here.parents[1]]
    done = subprocess.run([sys.executable, "-c", code, *folders], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (LATER, "")


def test_the_authority_of_a_timestamp_authority_is_judged_as_any_other():
    """What ends all timestamps is the revocation of who made them (RFC 3161 Section 4)."""
    own, above = Entry("tsa below"), Entry("tsa ca")
    for entries, days, reason in (
        (((above,), ()), -6, None), (((above,), ()), -4, REVOKED_CA),
        (((), (own,)), -6, REVOKED), (((), ()), -6, None),
    ):  # fmt: skip
        some = [pki.crl("tsa root", *entries[0]), pki.crl("tsa ca", *entries[1])]
        made = TrustStore(pki.certs("root"), pki.certs("tsa ca"), tsa=pki.certs("tsa root"),
                          crls=some, policy=REQUIRE)  # fmt: skip
        answer = made.judge(pki.cert("tsa below"), pki.at(days), purpose=TIME_STAMPING)
        assert (answer.reason and answer.reason.code) == reason

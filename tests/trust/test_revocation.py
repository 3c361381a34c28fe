"""CRLs: what each says, held against the time that counts, in one table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trust_pki as pki
from _revocation import (
    ACCEPT,
    BASE,
    COMPROMISE,
    DELTA,
    ENDLESS,
    FINE_ROOT,
    LATER,
    LEAF,
    OFF,
    OLD,
    OTHERS,
    REQUIRE,
    REVOKED,
    REVOKED_CA,
    SHA1_CRL,
    Case,
    bad,
    crls,
    holds,
    is_remembered_as_a_new_store_says,
    judge,
    keeps_expired,
    open_,
)
from cryptography.x509 import CRLNumber
from cryptography.x509 import ReasonFlags as Why
from trust_pki import Entry

from dicomseal import TrustStore
from dicomseal.policy import DEFAULT
from dicomseal.trust import revocation_data
from dicomseal.trust.decision import TIME_STAMPING

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
        sentence="must not be used: an entry has the critical extension"),
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
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_table(case):
    holds(case)


@pytest.mark.parametrize(
    "name", ["not listed", "listed", "out of date", "on hold", "without nextUpdate"]
)
def test_what_is_remembered_is_what_a_new_store_says(name):
    is_remembered_as_a_new_store_says(TABLE[name])


def test_a_crl_that_runs_out_ends_the_decision():
    judged, answer = judge(TABLE["not listed"])
    assert answer.trust == "trusted"
    assert judged.judge(pki.cert("leaf"), pki.at(6.9)).trust == "trusted"
    assert judged.judge(pki.cert("leaf"), pki.at(7.1)).reason.code == LATER


def test_a_large_crl_is_not_searched_by_the_library(monkeypatch):
    """Where a quick search finds nothing, the library gets the CRL without its entries."""
    seen = []
    container = revocation_data.Crl.container

    def watched(self, cert):
        parsed = container(self, cert)
        seen.append(len(parsed.crl_data["tbs_cert_list"]["revoked_certificates"]))
        return parsed

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


def test_a_folder_full_of_other_authorities_crls():
    """They cost nothing, and say nothing: each is left out by its issuer's name."""
    others = [
        name for name, row in pki.TABLE.items() if row.ca and row.issuer != name and not row.subject
    ]
    asked = []
    judged, _ = judge(Case(crls() + tuple(pki.crl(name) for name in others if name != "ca")))
    ask = judged.revocations._ask
    judged.revocations._ask = lambda *more: asked.append(1) or ask(*more)
    assert judged.judge(pki.cert("rsa")).revocation == "good"
    assert len(others) > 20
    assert len(asked) == 2  # the root's about the CA, the CA's about the signer


def test_what_the_library_warns_of_stays_in_the_report():
    """The logging module prints warnings to stderr where nobody has set it up."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; import _revocation as t;"
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
        trust_store = TrustStore(pki.certs("root"), pki.certs("tsa ca"), tsa=pki.certs("tsa root"),
                          crls=some, policy=REQUIRE)  # fmt: skip
        answer = trust_store.judge(pki.cert("tsa below"), pki.at(days), purpose=TIME_STAMPING)
        assert (answer.reason and answer.reason.code) == reason

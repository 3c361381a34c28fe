"""Critical extensions that nobody here knows: such a CRL, or OCSP response, tells nothing at all.

RFC 5280 Sections 5.2 and 5.3: it must not be used to determine the status of any certificate. RFC
6960 Section 4.4 says so of responses.
"""

from __future__ import annotations

import pytest
import trust_pki as pki
from _revocation import (
    BASE,
    COMPROMISE,
    DELTA,
    FINE_ROOT,
    LATER,
    LEAF,
    OTHERS,
    REVOKED,
    Case,
    bad,
    crls,
    holds,
    judge,
    open_,
)
from asn1crypto import core
from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ReasonFlags as Why
from trust_pki import Entry

from dicomseal.trust import revocation_data

OTHER = Entry("direct", critical=True)  # an entry about another certificate
OID = pki.UNKNOWN.oid.dotted_string
SAID = f"must not be used: an entry has the critical extension {OID}, which is unknown here"


def answered(status="good", whole=False, critical=True):
    """An OCSP response with an extension that nobody knows: of the answer, or of the whole."""
    response = asn1_ocsp.OCSPResponse.load(pki.ocsp("leaf", status))
    basic = response["response_bytes"]["response"].parsed
    data = basic["tbs_response_data"]
    extension = {"extn_id": OID, "critical": critical, "extn_value": b"\5\0"}
    if whole:
        data["response_extensions"] = [extension]
    else:
        data["responses"][0]["single_extensions"] = [extension]
    signed = data.dump(force=True)
    basic["signature"] = pki.key("ca").sign(signed, ec.ECDSA(hashes.SHA256()))
    response["response_bytes"]["response"] = core.ParsableOctetString(basic.dump(force=True))
    return response.dump(force=True)


TABLE = {
    "of another's entry": open_(crls=crls(OTHER), sentence=SAID),
    "of another's entry, and listed": open_(crls=crls(LEAF, OTHER), sentence=SAID),
    "of another's entry, and listed after it": open_(crls=crls(OTHER, LEAF), sentence=SAID),
    "of its own entry": open_(crls=crls(Entry("leaf", critical=True)), sentence=SAID),
    "of another's entry, and another CRL": Case((*crls(OTHER, window=(-2, 7)), pki.crl("ca"))),
    "of another's entry, and listed in another CRL": bad(
        crls=(*crls(OTHER), pki.crl("ca", LEAF, window=(-2, 7))), reason=REVOKED),
    "of another's entry, and an OCSP response": Case(crls(OTHER), (pki.ocsp("leaf"),)),
    "of another's entry in a CRL of the root": open_(
        crls=(pki.crl("root", OTHER), pki.crl("ca")), sentence=SAID),
    "of another's entry in a delta": open_(
        crls=(FINE_ROOT, pki.crl("ca", extensions=BASE), pki.crl("ca", OTHER, extensions=DELTA)),
        sentence=f"has a delta that {SAID}"),
    "of none": Case(crls(Entry("direct"))),
    "all that RFC 5280 knows of entries": Case(
        crls(Entry("direct", reason=Why.superseded, invalid=-9))),
    "a certificate issuer, which is critical": Case(
        (FINE_ROOT, pki.crl("indirect signer", Entry("direct", issuer="other root"),
                            extensions=(pki.scope(indirect=True),))),
        of="with indirect", between=("ca", "indirect signer")),
    "a certificate issuer, and one that nobody knows": open_(
        crls=(FINE_ROOT, pki.crl("indirect signer", Entry("direct", issuer="ca", critical=True),
                                 extensions=(pki.scope(indirect=True),))),
        of="with indirect", between=("ca", "indirect signer"), sentence=SAID),
    "of an answer": open_(crls=(FINE_ROOT,), ocsps=(answered(),),
                          sentence=f"must not be used: it has the critical extension {OID}"),
    "of an answer that says revoked": open_(
        crls=(FINE_ROOT,), ocsps=(answered("revoked"),), sentence="must not be used"),
    "of a response": open_(crls=(FINE_ROOT,), ocsps=(answered(whole=True),),
                           sentence=f"must not be used: it has the critical extension {OID}"),
    "of an answer, not critical": Case((FINE_ROOT,), (answered(critical=False),)),
    "of a response, not critical": Case((FINE_ROOT,), (answered(whole=True, critical=False),)),
    "of a response, and a CRL": Case(crls(), (answered(whole=True),)),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_table(case):
    holds(case)


@pytest.mark.parametrize("entries", [(), (OTHER,)], ids=["all", "one must not be used"])
def test_crls_that_are_complete_only_together(entries):
    """Each is for some reasons: what must not be used is none of them."""
    answer = judge(Case((
        FINE_ROOT, pki.crl("ca", *entries, extensions=(pki.scope(reasons=COMPROMISE),)),
        pki.crl("ca", extensions=(pki.scope(reasons=OTHERS),)),
    )))[1]  # fmt: skip
    assert answer.trust == ("untrusted" if entries else "trusted")
    assert (answer.reason.code if answer.reason else None) == (LATER if entries else None)


def listed(der):
    return asn1_crl.CertificateList.load(der)["tbs_cert_list"]["revoked_certificates"]


def test_what_only_looks_like_one_is_none():
    """The search for bytes decides whether the entries are read, and no more."""
    revocations = asn1_crl.CertificateList.load(pki.crl("ca", Entry("direct")))
    (entry,) = revocations["tbs_cert_list"]["revoked_certificates"]
    entry["user_certificate"] = int.from_bytes(b"\1\1\1\xff\4" + bytes(12), "big")
    der = revocations.dump(force=True)
    assert revocation_data._CRITICAL.search(listed(der).contents)
    assert revocation_data.Crl(der).unusable == ""


def test_a_million_entries_are_not_read_one_by_one():
    """Nor does what RFC 5280 knows make them be read."""
    known = Entry("direct", reason=Why.superseded, invalid=-9, issuer="ca")
    many = listed(pki.crl("ca", known)).contents
    assert b"\1\1\xff\4" in many
    assert revocation_data._CRITICAL.search(many) is None
    assert revocation_data._CRITICAL.search(many + listed(pki.crl("ca", OTHER)).contents)

"""x509-limbo (github.com/C2SP/x509-limbo, Apache-2.0), where DICOMSEAL_LIMBO names its file.

It is a JSON file of the suite's cases, each with certificates, CRLs, a time and what is expected:
either the suite's own ``limbo.json``, of which only the kinds named below are tried, or a selection
with the list ``cases`` of ``id``, ``expected`` (``SUCCESS`` or ``FAILURE``), ``trusted_certs``,
``untrusted_intermediates``, ``peer_certificate``, ``crls``, ``validation_time`` and
``max_chain_depth``. What is answered otherwise than expected stands in a table, with the authority
that needs it so.
"""

from __future__ import annotations

import json
import os
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dicomseal import TrustStore
from dicomseal.errors import DicomSealError
from dicomseal.policy import DEFAULT

FILE = Path(os.environ.get("DICOMSEAL_LIMBO", "/none"))
KINDS = ("rfc5280::", "pathlen::", "pathological::", "crl::", "cve::", "invalid::")
# the suite asks of paths, for servers in TLS mostly, and not of what a signer's key is for
POLICY = DEFAULT.but(key_usages=frozenset({"any"}))

ONE_OF_OPENSSL = "authorities made with `openssl ca` have no CRL number unless they ask for one"
THAWTE = "Thawte SGC CA, issued by VeriSign in 2004, has neither key identifier"
GO_DADDY = "Go Daddy Class 2 Certification Authority, in today's bundles"
HARICA = "Hellenic Academic and Research Institutions RootCA 2011"
FEDERAL = "the U.S. Federal PKI: its profile of 2018 lets the extension be not critical"
GO = "authorities written in Go before 1.10 (golang/go#22249), step-ca (smallstep/certificates#302)"
PUBLIC = "public authorities until 2019; no name of a host is compared for a signature"
NUMBERS = "serial numbers of the kind are in use (pyca/cryptography#6609, #10247): a note says so"
NO_SERVER = "not asked: there is no server whose name or purpose could differ"
LENIENT = {
    "crl::crlnumber-missing": ONE_OF_OPENSSL,
    "rfc5280::aki::leaf-missing-aki": THAWTE,  # and so have the certificates it issued
    "rfc5280::aki::intermediate-missing-aki": THAWTE,
    "rfc5280::aki::cross-signed-root-missing-aki": THAWTE,
    "rfc5280::ski::intermediate-missing-ski": THAWTE,
    "rfc5280::ski::root-missing-ski": "TWCA Global Root CA, in today's bundles",
    "rfc5280::nc::permitted-dns-match-noncritical": HARICA,
    "rfc5280::nc::invalid-dnsname-leading-period": HARICA,
    "rfc5280::pc::ica-noncritical-pc": FEDERAL,
    "rfc5280::san::noncritical-with-empty-subject": GO,
    "rfc5280::san::underscore-dns": PUBLIC,
    "rfc5280::san::ip-in-dns": PUBLIC,
    "rfc5280::serial::too-long": NUMBERS,
    "rfc5280::serial::zero": GO_DADDY,
    "rfc5280::serial::negative": NUMBERS,
    "rfc5280::root-non-critical-basic-constraints": GO_DADDY,
    "rfc5280::eku::ee-wrong-eku": NO_SERVER,
    "rfc5280::ca-as-leaf-wrong-san": NO_SERVER,
}

pytestmark = pytest.mark.skipif(
    not FILE.is_file(), reason="the environment variable DICOMSEAL_LIMBO names no file"
)


def cases() -> dict[str, dict[str, Any]]:
    if not FILE.is_file():
        return {}
    content = json.loads(FILE.read_text())
    some = content.get("cases") or content["testcases"]
    return {
        one["id"]: {"expected": one.get("expected_result"), **one}
        for one in some
        if one["id"].startswith(KINDS)
    }


CASES = cases()


def certificates(*texts: str) -> list[x509.Certificate]:
    return [x509.load_pem_x509_certificate(text.encode()) for text in texts]


def answer(case: dict[str, Any]) -> tuple[str, str]:
    """What the store says, in the suite's words, and why."""
    when = case["validation_time"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd is accepted, or refused in the answer
        try:
            store = TrustStore(
                certificates(*case["trusted_certs"]),
                certificates(*case["untrusted_intermediates"]),
                crls=[
                    x509.load_pem_x509_crl(text.encode()).public_bytes(Encoding.DER)
                    for text in case["crls"]
                ],
                policy=POLICY.but(longest_chain=case["max_chain_depth"]),
            )
            moment = datetime.fromisoformat(when) if when else None
            decision = store.judge(*certificates(case["peer_certificate"]), moment)
        except (DicomSealError, ValueError) as error:
            return "FAILURE", str(error)
    return "SUCCESS" if decision.trust == "trusted" else "FAILURE", str(decision.reason)


@pytest.mark.parametrize("name", CASES)
def test_limbo(name):
    expected = CASES[name]["expected"]
    if name in LENIENT:
        expected = "SUCCESS"
    result, why = answer(CASES[name])
    assert result == expected, why


def test_what_is_lenient_is_expected_otherwise():
    assert set(LENIENT) <= set(CASES)
    assert {CASES[name]["expected"] for name in LENIENT} == {"FAILURE"}


def test_no_reason_is_an_error_of_python():
    for name in CASES:
        _, why = answer(CASES[name])
        assert not any(word in why for word in ("unhashable", "NoneType", "object has no")), name

"""Timestamps of an authority that was revoked: when, and for which reason (RFC 3161 Section 4)."""

from __future__ import annotations

from datetime import timedelta

import pki
import pytest
import tsa
from _stamped import ANCHOR, authority, broken, only, stamped
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from dicomseal import TrustStore, verify

__all__ = ["authority", "stamped"]  # fixtures

Flags = x509.ReasonFlags
ORDERLY = (Flags.unspecified, Flags.affiliation_changed, Flags.superseded,
           Flags.cessation_of_operation)  # fmt: skip


def with_crl(reason, days_ago):
    anchors = [tsa.certificate("tsa root")]
    return TrustStore(ANCHOR, tsa=anchors, crls=[tsa.crl(reason, days_ago)])


@pytest.mark.parametrize("reason", [None, Flags.key_compromise, *ORDERLY])
def test_revoked_before_it_stamped(authority, stamped, reason):
    report = verify(stamped(authority("revoked").token), trust=with_crl(reason, 1.5))
    broken(report, "intact", "untrusted", "REVOKED_NO_POE", "Test revoked TSA was revoked")
    assert only(report).timestamp.revocation == "revoked"


@pytest.mark.parametrize("reason", [None, Flags.key_compromise, Flags.privilege_withdrawn])
def test_revoked_for_a_reason_that_ends_all_its_timestamps(authority, stamped, reason):
    path = stamped(authority("revoked").token)
    report = verify(path, at=pki.NOW + timedelta(days=3), trust=with_crl(reason, -2))
    broken(report, "intact", "untrusted", "REVOKED_NO_POE", "that ends all its timestamps")


@pytest.mark.parametrize("reason", ORDERLY, ids=lambda reason: reason.name)
def test_revoked_later_and_in_order(authority, stamped, reason):
    path = stamped(authority("revoked").token)
    report = verify(path, at=pki.NOW + timedelta(days=3), trust=with_crl(reason, -2))
    assert only(report).timestamp.counts, only(report).timestamp


@pytest.mark.parametrize("reason", [Flags.superseded, Flags.key_compromise, None])
def test_revoked_by_ocsp(authority, stamped, reason):
    root = tsa.certificate("tsa root")
    ocspresponse_builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=tsa.certificate("revoked"), issuer=root, algorithm=hashes.SHA256(),
            cert_status=ocsp.OCSPCertStatus.REVOKED,
            this_update=pki.NOW + timedelta(days=2, hours=1),
            next_update=pki.NOW + timedelta(days=9), revocation_reason=reason,
            revocation_time=pki.NOW + timedelta(days=2),
        )
        .responder_id(ocsp.OCSPResponderEncoding.NAME, root)
        .sign(tsa.key("tsa root"), hashes.SHA256())
    )  # fmt: skip
    der = ocspresponse_builder.public_bytes(Encoding.DER)
    trust = TrustStore(ANCHOR, tsa=[root], ocsps=[der])
    path = stamped(authority("revoked").token)
    report = verify(path, at=pki.NOW + timedelta(days=3), trust=trust)
    assert only(report).timestamp.counts == (reason is Flags.superseded), only(report).timestamp


def test_the_same_list_says_that_another_is_good(authority, stamped):
    report = verify(stamped(authority().token), trust=with_crl(None, 1.5))
    assert only(report).timestamp.counts
    assert only(report).timestamp.revocation == "good"


@pytest.mark.parametrize(
    ("told", "code"),
    [("GENERIC", "FORMAT_FAILURE"), ("FORMAT_FAILURE", "FORMAT_FAILURE"), (None, "FORMAT_FAILURE"),
     ("NO_SIGNING_CERTIFICATE_FOUND", "NO_SIGNING_CERTIFICATE_FOUND")],
)  # fmt: skip
def test_what_pyhanko_refuses_has_a_code_of_ours(authority, stamped, monkeypatch, told, code):
    """Its "any other reason" is a token that contradicts itself: of whoever made it."""
    from pyhanko.sign.ades.report import AdESFailure, AdESIndeterminate
    from pyhanko.sign.validation import errors, generic_cms

    found = [*AdESFailure, *AdESIndeterminate]
    why = next((one for one in found if one.name == told), None)

    async def refuse(*_, **__):
        raise errors.SignatureValidationError("it is odd", ades_subindication=why)

    monkeypatch.setattr(generic_cms, "validate_tst_signed_data", refuse)
    report = verify(stamped(authority().token), trust=TrustStore(ANCHOR, tsa=ANCHOR))
    timestamp = only(report).timestamp
    assert (timestamp.integrity, timestamp.reason.code) == ("altered", code)
    assert timestamp.reason.message == "the token: it is odd"

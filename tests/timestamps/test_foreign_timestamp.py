"""Which certified timestamps fail an object: those that are provably not its signature's own."""

from __future__ import annotations

import pytest
import tsa
from _stamped import ANCHOR, broken, store
from asn1crypto import cms, core

from dicomseal import TrustStore, verify


@pytest.mark.parametrize("algorithm", ["1.2.643.7.1.1.3.2", "1.2.3.4.5"])
@pytest.mark.parametrize("field", ["signature_algorithm", "digest_algorithm"])
def test_an_algorithm_that_is_not_known(authority, stamped, field, algorithm):
    """Nobody here can say whether such a token is good: it does not count, and fails nothing."""

    def exchanged(value):
        token = cms.ContentInfo.load(authority().token(value))
        info = token["content"]["signer_infos"][0]
        info[field] = type(info[field])({"algorithm": algorithm})
        return token.dump()

    report = verify(stamped(exchanged), trust=store())
    broken(report, "unverifiable", "not_checked", "CRYPTO_CONSTRAINTS_FAILURE", algorithm)
    assert report.verdict == "passed"
    # where it is of something else, that is known all the same
    report = verify(stamped(lambda value: exchanged(value + b"x")), trust=store())
    broken(report, "altered", "not_checked", "HASH_FAILURE", "imprint")


def test_a_critical_extension(authority, stamped):
    def extended(value):
        token = cms.ContentInfo.load(authority().token(value))
        inner = token["content"]["encap_content_info"]
        info = inner["content"].parsed
        info["extensions"] = [{"extn_id": "1.2.3.4", "critical": True, "extn_value": b"\5\0"}]
        inner["content"] = core.ParsableOctetString(info.dump())
        return token.dump()

    report = verify(stamped(extended), trust=store())
    broken(report, "unverifiable", "not_checked", "FORMAT_FAILURE", "critical extension")
    report = verify(stamped(lambda value: extended(value + b"x")), trust=store())
    broken(report, "altered", "not_checked", "HASH_FAILURE", "imprint")


@pytest.mark.parametrize("how", [{}, {"weak": "accept"}, {"unsigned": "accept"}])
def test_a_foreign_timestamp_fails_the_object_whoever_is_trusted(authority, stamped, how):
    path = stamped(lambda value: authority().token(value + b"x"))
    for trust in (None, store(), TrustStore(ANCHOR), store(anchors=[tsa.certificate("tsa root")])):
        report = verify(path, trust=trust, **how)
        assert (report.verdict, report.reasons[0].code) == ("failed", "HASH_FAILURE")

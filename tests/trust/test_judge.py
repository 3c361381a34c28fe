"""Decisions of a trust store: each holds for a window of time, and is made once for it."""

from __future__ import annotations

import math
import pickle
from datetime import UTC, datetime, timedelta

import pytest
import trust_pki as pki
from tests.trust.test_store import BOUNDS, store

from dicomseal import TrustStore
from dicomseal.policy import DEFAULT, STRICT
from dicomseal.trust.revocation import Finding
from dicomseal.trust.statements import REVOKED, UNKNOWN


@pytest.fixture
def decisions(monkeypatch):
    """How many were made."""
    listed = []
    decide = TrustStore._decide
    monkeypatch.setattr(
        TrustStore, "_decide", lambda self, *more: listed.append(1) or decide(self, *more)
    )
    return listed


def test_a_decision_is_made_once_for_its_window(decisions):
    trust_store = store("root")
    for hours in range(100):
        assert trust_store.judge(pki.cert("leaf"), pki.at(hours / 24)).trust == "trusted"
    assert len(decisions) == 1
    for _ in range(3):
        assert trust_store.judge(pki.cert("leaf")).trust == "trusted"  # now
    assert len(decisions) == 1
    assert trust_store.judge(pki.cert("direct")).trust == "trusted"
    assert len(decisions) == 2


def test_and_not_beyond(decisions):
    """At every moment it is what a new store says."""
    trust_store = store("root")
    second = timedelta(seconds=1)
    cert = pki.cert("leaf")
    moments = [pki.at(days) for days in range(-150, 150, 10)]
    for bound in (cert.not_valid_before_utc, cert.not_valid_after_utc):
        moments += [bound - second, bound, bound + second]
    moments += [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    for moment in moments + moments[::-1]:
        answer = trust_store.judge(cert, moment)
        assert answer == store("root").judge(cert, moment)
        inside = cert.not_valid_before_utc <= moment <= cert.not_valid_after_utc
        assert (answer.trust == "trusted") == inside, moment
        if not inside:
            assert answer.reason.code == BOUNDS
    assert len(decisions) < 3 * len(moments)  # the new stores among them


def test_a_bound_of_an_authority_ends_a_window():
    trust_store = store("root")
    cert = pki.cert("below expired ca")
    assert trust_store.judge(cert, pki.at(-11)).trust == "trusted"
    assert trust_store.judge(cert, pki.at(-9)).trust == "untrusted"
    assert trust_store.judge(cert, pki.at(-11)).trust == "trusted"


def test_now_moves_on(monkeypatch):
    class Clock(datetime):
        moment = pki.at(0)

        @classmethod
        def now(cls, tz=None):
            return cls.moment

    monkeypatch.setattr("dicomseal.trust.store.datetime", Clock)
    trust_store = store("root")
    assert trust_store.judge(pki.cert("leaf")).trust == "trusted"
    Clock.moment = pki.at(99.9)
    assert trust_store.judge(pki.cert("leaf")).trust == "trusted"
    Clock.moment = pki.at(100.1)
    assert trust_store.judge(pki.cert("leaf")).trust == "untrusted"


def test_a_store_travels_to_workers():
    trust_store = store("root", signers=("modality",), tsa=pki.certs("tsa root"), policy=STRICT,
                 crls=[pki.crl("ca")], ocsps=[pki.ocsp("leaf")])  # fmt: skip
    again = pickle.loads(pickle.dumps(trust_store))
    for name in ("anchors", "intermediates", "tsa", "signers", "crls", "ocsps", "policy"):
        assert getattr(again, name) == getattr(trust_store, name), name
    public = pki.key("modality").public_key()
    again = pickle.loads(pickle.dumps(TrustStore([], signers=[public])))
    assert again.judge(pki.cert("modality")).trust == "trusted"


def test_another_policy_for_the_same_store_reads_no_crl_again(monkeypatch):
    trust_store = store("root", crls=[pki.crl("ca"), pki.crl("root")])
    assert trust_store.judge(pki.cert("leaf")).revocation == "good"
    monkeypatch.setattr("dicomseal.trust.revocation_data.Crl.__init__", None)
    monkeypatch.setattr("dicomseal.trust.pool.Pool", None)
    assert trust_store.but(weak="reject").judge(pki.cert("leaf")).revocation == "good"
    assert trust_store.but(revocation="off").judge(pki.cert("leaf")).revocation == "not_checked"


def test_another_policy_for_the_same_store():
    trust_store = store("root")
    strict = trust_store.but(weak="reject")
    assert trust_store.but(weak="reject") is strict
    assert trust_store.but(weak=None) is trust_store
    assert trust_store.judge(pki.cert("small")).trust == "trusted"
    assert strict.judge(pki.cert("small")).trust == "untrusted"
    assert trust_store.judge(pki.cert("small")).trust == "trusted"


# --- what ends a window --------------------------------------------------------------------------


def test_a_directly_trusted_signer_expires():
    trust_store = TrustStore([], signers=[pki.cert("old modality")])
    for days, trust in ((-50, "trusted"), (-9, "untrusted"), (-50, "trusted"), (-301, "untrusted")):
        assert trust_store.judge(pki.cert("old modality"), pki.at(days)).trust == trust


def test_the_bounds_of_what_the_library_does_not_judge_are_inclusive():
    cert = pki.cert("old modality")
    first, last = cert.not_valid_before_utc, cert.not_valid_after_utc
    second = timedelta(seconds=1)
    for trust_store in (TrustStore([], signers=[cert]), TrustStore([cert])):
        for moment, trust in ((first - second, "untrusted"), (first, "trusted"),
                              (last, "trusted"), (last + second, "untrusted")):  # fmt: skip
            assert trust_store.judge(cert, moment).trust == trust


def test_dates_are_whole_seconds_that_belong_to_it_as_a_whole():
    row = pki.cert("expired")
    first, last = row.not_valid_before_utc, row.not_valid_after_utc
    almost = timedelta(milliseconds=999)
    trust_store = store("root")
    for moment, trust in ((last + almost, "trusted"), (last + timedelta(seconds=1), "untrusted"),
                          (first - timedelta(milliseconds=1), "untrusted"), (first, "trusted"),
                          (last + almost, "trusted")):  # fmt: skip
        assert trust_store.judge(row, moment).trust == trust


def test_an_anchor_expires_where_that_counts():
    ignoring = DEFAULT.but(anchor_validity="ignore")
    for policy, trust in ((DEFAULT, "untrusted"), (ignoring, "trusted")):
        trust_store = store("expired root", policy=policy)
        assert trust_store.judge(pki.cert("below expired root"), pki.at(-50)).trust == "trusted"
        assert trust_store.judge(pki.cert("below expired root"), pki.at(-9)).trust == trust


def test_a_decision_without_the_network_holds_for_ever():
    trust_store = store("root", policy=DEFAULT.but(revocation="require"))
    trust_store.judge(pki.cert("leaf"))
    ((window,),) = trust_store._decisions.values()
    assert window.expires == math.inf


def test_what_could_not_be_fetched_on_one_of_two_paths_is_asked_again():
    """Neither path is good now; the one may be later, whatever became of the other."""
    paths = []

    class Stub:
        def check(self, _cert, path, inquiry):
            if path not in paths:
                paths.append(path)
            if path == paths[0]:
                inquiry.trouble = ("the address does not answer",)
                return Finding(status=UNKNOWN, message="not known")
            return Finding(status=REVOKED, message="revoked")

    trust_store = store("root", "other root", between=("crossed", "crossed otherwise"))
    trust_store._revocations = Stub()
    assert trust_store.judge(pki.cert("below crossed")).reason.code.startswith("REVOKED")
    assert len(paths) == 2
    ((window,),) = trust_store._decisions.values()
    assert window.expires < math.inf


# --- several paths, none of them good: which reason is told --------------------------------------


@pytest.mark.parametrize("anchors", [("root", "other root"), ("other root", "root")])
@pytest.mark.parametrize("between", [("crossed", "crossed, expired"),
                                     ("crossed, expired", "crossed")])  # fmt: skip
def test_the_gravest_reason_is_told(anchors, between):
    crls = [pki.crl("root", pki.Entry("crossed"))]
    answer = store(*anchors, between=between, crls=crls).judge(pki.cert("below crossed"))
    assert answer.reason.code == "REVOKED_CA_NO_POE"
    assert answer.revocation == "revoked"
    answer = store(*anchors, between=between).judge(pki.cert("below crossed"))
    assert answer.trust == "trusted"
    answer = store("other root", between=between).judge(pki.cert("below crossed"))
    assert answer.reason.code == BOUNDS


def test_an_anchor_that_signs_itself_is_not_asked_for_revocation():
    trust_store = store("modality", policy=DEFAULT.but(revocation="require"))
    answer = trust_store.judge(pki.cert("modality"))
    assert (answer.trust, answer.revocation) == ("trusted", "not_checked")

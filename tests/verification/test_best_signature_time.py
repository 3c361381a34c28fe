"""Which time counts, and what is odd about times; and the same through whole verifications."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pki
import pytest

from dicomseal import TrustStore, sign_file, verify
from dicomseal.signature import digital_signature
from dicomseal.verification.best_signature_time import oddities, time_that_counts

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NAIVE = datetime(2026, 5, 1)
PAST, FUTURE, PROVEN = NOW - 30 * DAY, NOW + DAY, NOW - 10 * DAY
# proven, claimed, accepted -> the time, where it came from, what is said
TABLE = {
    "nothing": (None, None, False, NOW, "validation", ""),
    "a claim": (None, PAST, False, NOW, "validation", ""),
    "a claim, accepted": (None, PAST, True, PAST, "claimed", ""),
    "no claim, accepted": (None, None, True, NOW, "validation", "there is none"),
    "a claim without offset": (None, NAIVE, True, NOW, "validation", "no offset from UTC"),
    "a claim about the future": (None, FUTURE, True, NOW, "validation", "after the time of valid"),
    "a claim about now": (None, NOW, True, NOW, "claimed", ""),
    "proven": (PROVEN, None, False, PROVEN, "timestamp", ""),
    "proven, and a claim": (PROVEN, PAST, True, PROVEN, "timestamp", ""),
}


@pytest.mark.parametrize(("proven", "claimed", "accept", "at", "by", "said"), TABLE.values(),
                         ids=TABLE)  # fmt: skip
def test_time_that_counts(proven, claimed, accept, at, by, said):
    counted = time_that_counts(proven, NOW, claimed, accept)
    assert (counted.at, counted.by) == (at, by)
    assert bool(counted.messages) == bool(said)
    assert said in "".join(counted.messages)


def test_oddities():
    first, last = NOW - 5 * DAY, NOW + 5 * DAY
    for claimed, said in (
        (NOW, []), (first, []), (None, []), (NAIVE, []),
        (first - DAY, ["dated before its certificate, which is valid from 2026-05-27"]),
        (NOW + DAY, ["dated after the time of validation"]),
        (last + DAY, ["dated after its certificate expired", "dated after the time of validation"]),
    ):  # fmt: skip
        found = oddities(claimed, NOW, first, last)
        assert len(found) == len(said)
        assert all(text.startswith(start) for text, start in zip(found, said, strict=True))


# --- through whole verifications -----------------------------------------------------------------

STORE = TrustStore([pki.member("root").certificate])
INSIDE = pki.NOW - timedelta(days=15)


@pytest.fixture
def make(tmp_path):
    def inner(who="rsa", **options):
        source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
        source.write_bytes(pki.small(elements=options.pop("elements", pki.SMALL)))
        sign_file(source, target, *pki.member(who).pair, **options)
        return target.read_bytes()

    return inner


def only(data, **options):
    report = verify(data, trust=STORE, **options)
    (signature,) = report.signatures
    return report.verdict, signature


def test_expired_since(make):
    """Without a proof of the time: indeterminate; a claim counts only where it is accepted."""
    data = make("expired", when=INSIDE)
    verdict, signature = only(data)
    assert (verdict, signature.integrity, signature.trust) == (
        "indeterminate", "intact", "untrusted",
    )  # fmt: skip
    assert signature.trust_reason.code == "OUT_OF_BOUNDS_NO_POE"
    assert signature.judged_by == "validation"
    assert abs(datetime.fromisoformat(signature.judged_at) - datetime.now(UTC)) < timedelta(hours=1)
    verdict, signature = only(data, accept_claimed_time=True)
    assert (verdict, signature.trust) == ("passed", "trusted")
    assert (signature.judged_by, signature.judged_at) == ("claimed", INSIDE.isoformat())
    verdict, signature = only(data, at=INSIDE + timedelta(hours=1))
    assert (verdict, signature.judged_by) == ("passed", "validation")
    assert signature.judged_at == (INSIDE + timedelta(hours=1)).isoformat()


def test_bounds_are_inclusive_and_offsets_honoured(make):
    last = pki.member("expired").certificate.not_valid_after_utc
    west = timezone(timedelta(hours=-9))
    for when, trust in ((last, "trusted"), (last.astimezone(west), "trusted"),
                        (last + timedelta(seconds=1), "untrusted")):  # fmt: skip
        _, signature = only(make("expired", when=when), accept_claimed_time=True)
        assert (signature.trust, signature.judged_by) == (trust, "claimed")
    assert any("dated after its certificate expired" in text for text in signature.messages)


def test_dated_before_its_certificate(make):
    _, signature = only(make("rsa", when=pki.NOW - timedelta(days=400)))
    assert signature.trust == "trusted"  # judged now
    assert any(text.startswith("dated before its certificate") for text in signature.messages)
    _, signature = only(make("rsa", when=pki.NOW - timedelta(days=400)), accept_claimed_time=True)
    assert signature.trust_reason.code == "OUT_OF_BOUNDS_NO_POE"


def test_dated_after_the_time_of_validation(make):
    data = make(when=pki.NOW + timedelta(hours=20))
    _, signature = only(data, accept_claimed_time=True)
    assert signature.judged_by == "validation"
    assert "dated after the time of validation" in signature.messages
    assert any("does not count: it is after the time" in text for text in signature.messages)


def undated(data, when):
    """The offset of Digital Signature DateTime cut off; the signature breaks, its time is read."""
    text = f"{when:%Y%m%d%H%M%S.%f}+0000".encode()
    assert data.count(text) == 1
    return data.replace(text, text[:-5] + b"     ")


@pytest.mark.parametrize(("offset", "claimed"), [(None, None), (b"-0500 ", timedelta(hours=5))])
def test_a_time_without_offset(make, offset, claimed):
    """Timezone Offset From UTC (0008,0201) of the object gives it, for signatures in items too."""
    elements = list(pki.SMALL)
    if offset:
        elements.insert(2, (0x00080201, "SH", offset))
    for items in ((), ("BeamSequence[0]",)):
        data = undated(make("expired", elements=elements, when=INSIDE, items=items), INSIDE)
        _, signature = only(data, accept_claimed_time=True)
        if claimed is None:
            assert signature.judged_by == "validation"
            assert any("no offset from UTC: ambiguous" in text for text in signature.messages)
        else:
            assert signature.judged_by == "claimed"
            assert datetime.fromisoformat(signature.judged_at) == INSIDE + claimed
            assert not any("ambiguous" in text for text in signature.messages)


def test_not_judged(make):
    data = make()
    for options in ({}, {"trust": STORE, "integrity_only": True}):
        (signature,) = verify(data, **options).signatures
        assert (signature.judged_at, signature.judged_by) == (None, None)
        assert signature.revocation == "not_checked"


def test_how_the_time_is_written():
    """As isoformat() does, which takes several times as long."""
    zones = (UTC, timezone(timedelta(0)), timezone(timedelta(hours=-9, minutes=-30)),
             timezone(timedelta(minutes=1, seconds=1)))  # fmt: skip
    for zone in zones:
        for micro in (0, 1, 10, 123_000, 999_999):
            for year in (1, 1970, 2026, 9999):
                moment = datetime(year, 6, 1, 23, 59, 0, micro, tzinfo=zone)
                assert digital_signature.iso(moment) == moment.isoformat()

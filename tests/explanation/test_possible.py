"""Causes that cannot be proven, and what an explanation never says: more than a verification."""

from __future__ import annotations

import re
import struct

import pytest
from _altered import CT, MAC, changed, explained, moved, signed, written
from _tamper import index_of, tampered
from pki import EXPLICIT, JPEG, part10, small

from dicomseal.explanation.diagnosis.budget import Effort
from dicomseal.explanation.diagnosis.transcoded import name_of
from dicomseal.explanation.html import render as page
from dicomseal.explanation.text import render
from dicomseal.signature.items import encode

RLE = "1.2.840.10008.1.2.5"
JPEG_LS = "1.2.840.10008.1.2.4.80"


def causes(data, **options):
    explanation = explained(data, **options)
    return [(c.code.value, c.certainty) for one in explanation.signatures for c in one.causes]


def test_of_an_intact_object_no_cause_is_looked_for():
    explanation = explained(signed(CT))
    assert explanation.signatures[0].causes == ()
    assert explanation.signatures[0].search is None
    assert explanation.remedy is None
    assert {step.state for step in explanation.signatures[0].steps} <= {"ok", "unknown"}


def test_a_removed_element_with_a_value_is_possible():
    gone = moved(signed(CT), changed({0x00100020: None}))
    assert causes(gone) == [("REMOVED", "possible")]
    (cause,) = explained(gone).signatures[0].causes
    assert cause.elements == ("(0010,0020) PatientID",)
    assert "nowhere" in cause.message


def test_one_that_is_elsewhere_was_perhaps_moved():
    inside = changed({0x00100020: None, 0x00400275: [[(0x00100020, "LO", b"PID 0815")]]})
    (cause,) = explained(moved(signed(CT), inside)).signatures[0].causes
    assert cause.code == "REMOVED"
    assert "elsewhere" in cause.message


def test_pixels_that_are_too_few():
    cut = moved(signed(CT), changed({0x7FE00010: bytes(range(24))}))
    assert causes(cut) == [("TRUNCATED", "possible")]


def test_an_object_that_is_cut():
    whole = signed(CT)
    explanation = explained(whole[: whole.index(bytes(range(16))) + 8])
    assert explanation.report.verdict == "error"
    assert [(c.code, c.certainty) for c in explanation.causes] == [("TRUNCATED", "possible")]


def test_an_object_of_which_the_signatures_are_gone():
    data = signed(CT)
    index, _ = index_of(data)
    explanation = explained(data[: index.record(index.find(0, 0xFFFAFFFA)).start])
    assert explanation.report.verdict == "indeterminate"
    assert [(c.code, c.certainty) for c in explanation.causes] == [("TRUNCATED", "possible")]
    assert "signed once" in explanation.causes[0].message


def test_an_unsigned_object_is_not_said_to_have_been_signed():
    """Neither where a signature is required, nor where it was cut before there could be one."""
    assert explained(small()).causes == ()
    explanation = explained(small(), require=frozenset(("signature",)))
    assert (explanation.report.verdict, explanation.causes) == ("failed", ())
    cut = explained(part10(encode(changed({0x7FE00010: None}))), require=frozenset(("signature",)))
    assert [(c.code, c.certainty) for c in cut.causes] == [("TRUNCATED", "possible")]
    assert "signed once" not in cut.causes[0].message


def test_a_former_signature_where_it_belongs_is_no_foreign_format():
    """In Modified Attributes Sequence, over what the object was before (PS3.3 C.12.1.1.9)."""
    former = written(
        "rsa", lambda data, own: b"what it was" + data + own, into=lambda mac, signature: {
            0x04000561: sequence(0x0561, sequence(0x0550, mac + signature)),
        },
    )  # fmt: skip
    explanation = explained(former)
    assert explanation.signatures[0].report.integrity is None
    assert explanation.signatures[0].causes == ()
    assert (
        "Why it does not match" not in "\n".join(render(explanation)) + page(explanation).decode()
    )


def sequence(element: int, content: bytes) -> bytes:
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content
    return struct.pack("<HH2s2xL", 0x0400, element, b"SQ", len(item)) + item


def test_lossy_pixels_are_named_by_their_transfer_syntaxes():
    data = written("rsa", lambda data, own: data + own, syntax=JPEG)
    assert explained(data).report.verdict == "passed"  # the label alone decides nothing
    other = moved(data, changed({0x7FE00010: bytes(32)}))
    (cause,) = explained(other).signatures[0].causes
    assert (cause.code, cause.certainty) == ("TRANSCODED", "possible")
    assert JPEG in cause.message
    assert EXPLICIT in cause.message


def test_every_compression_of_images_has_a_name():
    """Those of PS3.6 that are not retired, not for video, and not fetched by reference."""
    import pydicom

    found = {
        str(uid): name_of(str(uid))
        for uid in pydicom.uid.AllTransferSyntaxes
        if uid.is_encapsulated
        and not re.search("MPEG|HEVC|Part 2|SMPTE|Referenced", uid.name)
        and str(uid) not in pydicom.uid.PrivateTransferSyntaxes
    }
    assert len(found) >= 12
    assert [uid for uid, name in found.items() if name == uid] == []


@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
def test_a_change_of_content_is_explained_by_nothing(who):
    """A bit of a value: no hypothesis may hold, but one that puts this very bit back."""
    effort = Effort(hashes=1500, seconds=5)
    back = {"00080005": ["CHARACTER_SET"], "00200013": ["OTHER_SIGNED_COPY"]}
    for name, data in tampered(signed(CT, who), 6):
        explanation = explained(data, effort)
        assert explanation.report.verdict == "failed"
        proven = [c.code for c in explanation.signatures[0].causes if c.certainty == "proven"]
        assert proven == back.get(name[:8], []), name


def cut_out(tag):
    data = signed(CT)
    index, _ = index_of(data)
    record = index.record(index.find(0, tag))
    return data[: record.start] + data[record.end :]


@pytest.mark.parametrize(
    "make",
    [
        lambda: cut_out(MAC),
        lambda: written("rsa", lambda data, own: data + own, mac_id=None),
        lambda: signed(CT).replace(b"SHA256", b"SHA512"),
        lambda: signed(CT).replace(b"SHA256", b"SHA999"),
    ],
    ids=["no MAC Parameters", "no MAC ID Number", "another hash", "an unknown hash"],
)
def test_a_key_is_not_said_to_be_another_for_want_of_mac_parameters(make):
    """An RSA signature tells its hash and its MAC by itself."""
    explanation = explained(make())
    (one,) = explanation.signatures
    _, _, _, mac, key, *_ = one.steps
    assert one.report.integrity != "intact"
    assert key.state != "broken"
    assert any("says SHA256" in line for line in key.details)
    assert any("says that this is its SHA256" in line for line in mac.details)
    assert len(bytes.fromhex(one.signed)) == 32
    assert "did not make" not in " ".join(mac.details)


def test_of_a_damaged_signature_or_certificate_only_what_is_known_is_said():
    data = bytearray(signed(CT))
    data[data.index(b"\x00\x04\x20\x01OB") + 20] ^= 1  # in Signature (0400,0120)
    (one,) = explained(bytes(data)).signatures
    _, _, _, mac, key, *_ = one.steps
    assert (mac.state, key.state, one.signed) == ("broken", "broken", None)
    assert "did not make" in " ".join(mac.details)
    assert "DigestInfo" not in " ".join(key.details)
    data = bytearray(signed(CT))
    data[data.index(b"\x00\x04\x15\x01OB") + 14] ^= 0xFF  # the length in the certificate
    (one,) = explained(bytes(data)).signatures
    assert one.steps[3].state == "unknown"
    assert "not known" in one.steps[3].message


def test_the_budget_is_kept():
    data = moved(signed(CT), changed({0x00100010: b"Somebody^Else "}))
    for hashes in (0, 1, 100):
        explanation = explained(data, Effort(hashes=hashes)).signatures[0].search
        assert explanation.hashes <= hashes
        assert not explanation.complete
    explanation = explained(data, Effort(seconds=0)).signatures[0].search
    assert explanation.hashes == 0


@pytest.mark.parametrize("effort", [Effort(hashes=0), Effort(hashes=100), Effort(seconds=0)])
def test_what_is_advised_tries_more(effort):
    """Whichever of the two budgets ended the search."""
    data = moved(signed(CT), changed({0x00100010: b"Somebody^Else "}))
    explanation = explained(data, effort)
    text = " ".join(" ".join(render(explanation)).split())
    advised = dict(re.findall(r"--effort (hashes|seconds)=(\d+)", text))
    more = Effort(**{name: int(number) for name, number in advised.items()})
    assert more.hashes > effort.hashes
    assert more.seconds > effort.seconds
    least = explanation.signatures[0].search
    assert ("nothing was tried" in text) == (least.hashes == 0)
    assert "--effort hashes=" in page(explanation).decode()
    again = explained(data, more._replace(hashes=1000)).signatures[0].search
    assert again.hashes > least.hashes


def test_two_signatures_share_a_budget():
    import io

    from pki import member

    from dicomseal import sign_file

    twice = io.BytesIO()
    sign_file(signed(CT), twice, *member("rsa two").pair)
    data = twice.getvalue().replace(b"Doe^John", b"Eve^John")
    explanation = explained(data, Effort(hashes=50))
    assert len(explanation.signatures) == 2
    assert sum(one.search.hashes for one in explanation.signatures) <= 50


def test_text_is_80_columns_wide_and_states_the_verdict():
    for data in (small(), signed(CT), moved(signed(CT), changed({0x00100020: b"other"})[:6])):
        explanation = explained(data, with_values=True)
        lines = list(render(explanation))
        assert lines[0].split()[0] == explanation.report.verdict
        assert max(map(len, lines)) <= 80, max(lines, key=len)

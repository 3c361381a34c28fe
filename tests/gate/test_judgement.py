"""What a gate decides on each kind of object, and what it tells the sender."""

from __future__ import annotations

import io
import json
import os
import threading
from datetime import datetime

import pki
import pytest
from _gate import CT, KINDS, SERIES, STUDY, file_of, policy, uid

from dicomseal.encoding.limits import Limits
from dicomseal.errors import UsageError
from dicomseal.gate import judge
from dicomseal.gate.judgement import comment, shortened
from dicomseal.gate.policy import ACCEPT, QUARANTINE, REFUSE, Policy
from dicomseal.report import Reason, ReasonCode

CHOICE = {
    "good": None,
    "altered": "on_failed",
    "untrusted": "on_indeterminate",
    "unsigned": "on_unsigned",
    "truncated": "on_failed",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", [REFUSE, QUARANTINE, ACCEPT])
def test_each_verdict_has_its_own_choice(kind, action):
    others = {name: ACCEPT if action == REFUSE else REFUSE for name in CHOICE.values() if name}
    chosen = policy(**{**others, **({CHOICE[kind]: action} if CHOICE[kind] else {})})
    decision = judge(file_of(kind), chosen)
    assert decision.verdict == KINDS[kind]
    assert decision.action == (ACCEPT if kind == "good" else action)
    if decision.action != REFUSE:
        assert (decision.status, decision.comment, decision.offending) == (0, "", ())


@pytest.mark.parametrize(
    ("kind", "status", "offending", "said"),
    [
        ("altered", 0xA900, (0xFFFAFFFA,), "HASH_FAILURE: "),
        ("untrusted", 0xC000, (0xFFFAFFFA,), "NO_CERTIFICATE_CHAIN_FOUND: "),
        ("unsigned", 0xA900, (0xFFFAFFFA,), "unsigned: the object has no digital signature"),
        ("truncated", 0xC000, (), "truncated: "),
    ],
)
def test_a_refusal_has_a_status_of_its_range_and_words(kind, status, offending, said):
    decision = judge(file_of(kind), policy(on_unsigned=REFUSE))
    assert (decision.action, decision.status) == (REFUSE, status)
    assert decision.offending == offending
    assert decision.comment.startswith(said)
    assert len(decision.comment) <= 64
    assert decision.comment.isascii()
    assert "\\" not in decision.comment


def test_what_is_usual_is_refused_but_the_unsigned():
    assert [judge(file_of(kind), policy()).action for kind in KINDS] == [
        ACCEPT, REFUSE, REFUSE, ACCEPT, REFUSE,
    ]  # fmt: skip


def test_a_requirement_makes_an_unsigned_object_fail():
    decision = judge(file_of("unsigned"), policy(require="signature"))
    assert (decision.verdict, decision.action) == ("failed", REFUSE)
    assert decision.comment.startswith("SIGNED_DATA_NOT_FOUND: ")


@pytest.mark.parametrize(
    ("announced", "tags"),
    [
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.4"}, (0x00080016,)),
        ({"sop_instance": uid(2)}, (0x00080018,)),
        ({"sop_class": CT, "sop_instance": uid(2)}, (0x00080018,)),
        ({"sop_class": "1.2.3", "sop_instance": uid(2)}, (0x00080016, 0x00080018)),
    ],
)
@pytest.mark.parametrize("kind", ["good", "unsigned"])
def test_an_object_that_is_not_the_announced_one_failed(kind, announced, tags):
    decision = judge(file_of(kind), policy(), **announced)
    assert (decision.verdict, decision.action, decision.status) == ("failed", REFUSE, 0xA900)
    assert decision.offending == tags
    assert "announced" in decision.report.reasons[0].message
    assert judge(file_of(kind), policy(), sop_class=CT, sop_instance=uid(1)).action == ACCEPT


@pytest.mark.parametrize("action", ["accept", "quarantine"])
@pytest.mark.parametrize("kind", ["good", "unsigned", "truncated"])
def test_an_object_of_another_study_than_the_request_is_always_refused(kind, action):
    lenient = policy(on_failed=action, on_indeterminate=action, on_unsigned=action)
    decision = judge(file_of(kind), lenient, study="1.2.3")
    assert decision.action == "refuse"
    assert decision.status == (0xC000 if kind == "truncated" else 0xA900)
    if kind != "truncated":
        assert (decision.verdict, decision.offending) == ("failed", (0x0020000D,))
        assert "Study Instance UID" in decision.comment
    same = judge(file_of("good"), lenient, study=STUDY)
    assert (same.action, same.verdict) == ("accept", "passed")


def test_a_path_bytes_and_a_file_give_the_same(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(file_of("altered"))
    decisions = [
        judge(source, policy(at=pki.NOW))
        for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()))
    ]
    assert {one.report.to_json() for one in decisions} == {decisions[0].report.to_json()}
    assert decisions[0].report.path == ""


def test_a_large_file_is_judged_in_windows(tmp_path):
    path = tmp_path / "large.dcm"
    path.write_bytes(file_of("good", size=9 << 20))
    decision = judge(path, policy())
    assert (decision.verdict, decision.report.path) == ("passed", "")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert judge(path, policy()).verdict == "failed"


def test_what_cannot_be_read_at_all_is_no_exception(tmp_path):
    for source in (tmp_path / "missing", tmp_path, b"", b"\0" * 200, "a\0b"):
        decision = judge(source, policy(on_failed=ACCEPT))
        assert (decision.verdict, decision.action) == ("error", ACCEPT), source
        assert decision.identity.names == ("none", "none", "none")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_that_nobody_writes_to_does_not_hold_it_up(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = []
    thread = threading.Thread(
        target=lambda: done.append(judge(tmp_path / "pipe", policy())), daemon=True
    )
    thread.start()
    thread.join(10)
    assert [(one.verdict, one.action) for one in done] == [("error", "refuse")]


def test_arguments_that_are_something_else_are_told_at_once():
    for wrong in (None, "refuse", {}):
        with pytest.raises(UsageError, match="Policy"):
            judge(file_of("good"), wrong)
    for arguments in (
        {"trust": "ca.pem"}, {"at": "2020"}, {"at": datetime(2020, 1, 1)},
        {"weak": "perhaps"}, {"require": "nonsense"}, {"on_failed": "drop"},
    ):  # fmt: skip
        with pytest.raises(UsageError):
            Policy.of(**arguments)
    with pytest.raises(UsageError, match="options"):
        Policy(options=None)


def test_the_uids_are_those_of_the_data_set():
    identity = judge(file_of("altered"), policy()).identity
    assert (identity.sop_class, identity.sop_instance) == (CT, uid(1))
    assert identity.names == (STUDY, SERIES, uid(1))


def test_a_decision_is_neither_true_nor_false_and_a_bad_word_is_told():
    with pytest.raises(UsageError, match=r"\.action == 'accept'"):
        bool(judge(file_of("good"), policy()))
    for name in ("on_failed", "on_indeterminate", "on_unsigned"):
        with pytest.raises(UsageError, match=f"{name} is one of"):
            Policy(**{name: "keep"})
    with pytest.raises(UsageError):
        Policy.of(require="all")
    with pytest.raises(UsageError):
        Policy.of(limits=3)


def test_what_a_hostile_object_may_cost_holds_here_too():
    decision = judge(file_of("good"), policy(limits=Limits(signatures=0)))
    assert decision.verdict != "passed"
    assert decision.action == REFUSE


@pytest.mark.parametrize(
    "text",
    ["", "short", "x" * 64, "x" * 65, "word " * 30, "back\\slash", "Jürgen\r\n\x1b[31m", "é" * 99],
)
def test_any_text_becomes_an_lo(text):
    short = shortened(text)
    assert len(short) <= 64
    assert short == short.strip()
    assert short.isascii() and (short.isprintable() or not short)
    assert "\\" not in short
    if len(text) <= 64 and text.isascii() and text.isprintable() and "\\" not in text:
        assert short == text.strip()


def test_the_comment_names_the_first_reason():
    decision = judge(file_of("good"), policy())
    report = json.loads(decision.report.to_json())
    assert report["verdict"] == "passed"
    found = Reason(ReasonCode.GENERIC, "something " * 20)
    said = comment(type(decision.report)(path="", verdict="failed", reasons=(found,)))
    assert said.startswith("GENERIC: something ")
    assert said.endswith("..")

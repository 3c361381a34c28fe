"""What was accepted, and what a selection leaves out: no alarm, and nothing else is silenced."""

from __future__ import annotations

import os
from pathlib import Path

import pki
import pytest
from _nights import ACCEPT, NIGHT, add, damage, night, nights, strip, told, zero  # noqa: F401

from dicomseal import remove_file, sign_file

pytestmark = pytest.mark.usefixtures("nights")


ACCEPTED = {zero: strip, os.unlink: strip, damage: zero}


@pytest.mark.parametrize("happens", ACCEPTED)
def test_accepted_damage_that_becomes_another_one_is_new(run, happens):
    """What was accepted is still compared with the object that it was."""
    path = "archive/a/1.dcm"
    run(*NIGHT)
    good = Path(path).read_bytes()
    happens(path)
    assert run(*NIGHT)[0] == 1
    run(*ACCEPT)
    for _ in range(2):
        assert run(*NIGHT)[0] == 0
    Path(path).write_bytes(good)
    ACCEPTED[happens](path)
    for _ in range(2):
        assert run(*NIGHT)[0] == 1


def test_what_was_removed_with_consent_and_came_back_is_missed_again(run):
    path = "archive/a/1.dcm"
    run(*NIGHT)
    good = Path(path).read_bytes()
    os.unlink(path)
    assert run(*NIGHT)[0] == 1
    run(*ACCEPT)
    assert run(*NIGHT)[0] == 0
    Path(path).write_bytes(good)
    assert run(*NIGHT)[0] == 0
    os.unlink(path)
    assert run(*NIGHT)[0] == 1


def test_another_selection_forgets_no_alarm(run):
    run(*NIGHT)
    os.unlink("archive/a/1.dcm")
    assert run(*NIGHT)[0] == 1
    add('[verify]\nexclude = ["*.bak"]')
    said = []
    for _ in range(2):
        code, out, _ = run(*NIGHT)
        assert (code, told()) == (1, {"1.dcm": "vanished"})
        said.append("not over the same files" in out)
    assert said == [True, False]


def test_what_a_selection_by_age_does_not_notice_is_said(run):
    add('[verify]\nolder-than = "0m"')
    run(*NIGHT)
    os.unlink("archive/a/1.dcm")
    code, out, _ = run(*NIGHT)
    assert code == 0
    assert "files that have gone since are not noticed" in " ".join(out.split())


def test_a_kind_that_is_ignored_hides_no_trouble(run):
    add('[alarm]\nignore = ["content_changed"]')
    run(*NIGHT)
    path = "archive/a/1.dcm"
    remove_file(path, path)
    damage(path)
    sign_file(path, path, *pki.member("other").pair)
    for _ in range(2):
        assert run(*NIGHT)[0] == 3


def test_a_baseline_that_makes_no_sense_ends_the_night_before_it_begins(run):
    Path("known.jsonl").write_text("x")
    code, out, _ = run(*NIGHT)
    assert (code, "known.jsonl, line 1: this is not a baseline" in out) == (2, True)
    assert not os.path.exists("ledger.db")


def test_a_ledger_is_not_its_own_baseline(run):
    """Or no night would have anything new."""
    path = Path("archive.toml")
    path.write_text(path.read_text().replace("known.jsonl", "ledger.db"))
    run(*NIGHT)
    code, out, _ = run(*NIGHT)
    assert (code, "is not its own baseline" in out) == (2, True)

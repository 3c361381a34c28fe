"""`archive nightly`: what is told on which night, and the exit code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pki
import pytest
from _archive import rows
from _nights import ACCEPT, NIGHT, add, damage, metrics, night, nights, strip, told, zero  # noqa: F401

from dicomseal import cli, remove_file, sign_file
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.ledger.lock import locked

pytestmark = pytest.mark.usefixtures("nights")


def test_the_first_night_has_none_to_compare_with(run):
    code, out, err = run(*NIGHT)
    assert (code, err) == (0, "")
    assert out.startswith("archive ct: nothing new\nexit code 0\n")
    assert "\nthe first run: there is none to compare with\n" in out
    assert "\nledger: intact, head " in out
    assert run(*NIGHT)[0] == 0
    assert night()["alarms"]["compared_with"] == 1


def test_an_alarm_stays_until_it_is_accepted_or_repaired(run):
    run(*NIGHT)
    good = Path("archive/a/1.dcm").read_bytes()
    damage("archive/a/1.dcm")
    for number in range(3):
        code, out, _ = run(*NIGHT)
        assert (code, told()) == (1, {"1.dcm": "newly_failing"})
        assert out.startswith("archive ct: NEW TROUBLE with 1 file\n")
        assert "\n* newly_failing, 1 file: the signed content is not the present one: " in out
        assert "to do: find the original" in out
        assert ("1 file of these an earlier night has told already" in out) == (number > 0)
    Path("archive/a/1.dcm").write_bytes(good)
    assert (run(*NIGHT)[0], told()) == (0, {})
    damage("archive/a/1.dcm")
    assert run(*NIGHT)[0] == 1
    assert run(*ACCEPT)[1] == f"{os.path.abspath('known.jsonl')}: 1 file is accepted\n"
    for _ in range(2):
        code, out, _ = run(*NIGHT)
        assert (code, told()) == (0, {})
        assert "1 file in trouble that the baseline knows" in out


def cut(path):
    os.truncate(path, 131)


def other_content(path):
    remove_file(path, path)
    damage(path)
    sign_file(path, path, *pki.member("rsa").pair)


def other_program(path):
    Path(path).write_bytes(b"no DICOM any more")


# what happens to an object, and the kind that it is told as
EVENTS = {strip: "stripped", os.unlink: "vanished", zero: "newly_failing", cut: "newly_failing",
          damage: "newly_failing", other_content: "content_changed",
          other_program: "newly_failing"}  # fmt: skip


@pytest.mark.parametrize("happens", EVENTS)
@pytest.mark.parametrize("name", ["1.dcm", "IM1"])
def test_every_event_is_told_on_every_night(run, happens, name):
    """Nothing is quiet after the first night, whatever the name of the file says."""
    path = f"archive/a/{name}"
    if name == "IM1":
        os.rename("archive/a/1.dcm", path)
    run(*NIGHT)
    good = Path(path).read_bytes()
    happens(path)
    for _ in range(3):
        assert (run(*NIGHT)[0], told()) == (1, {name: EVENTS[happens]})
    verdict = [row.verdict for row in rows() if os.path.basename(row.path) == name]
    assert "not_dicom" not in verdict
    run(*ACCEPT)
    for _ in range(2):
        assert (run(*NIGHT)[0], told()) == (0, {})
    Path(path).write_bytes(good)
    assert run(*NIGHT)[0] == 0  # what it was before all that is no trouble


@pytest.mark.parametrize("happens", [zero, cut, other_program])
def test_what_was_broken_before_the_first_night(run, happens):
    """With a name that says DICOM it is an error on every night, and no change."""
    happens("archive/a/2.dcm")
    for _ in range(3):
        assert (run(*NIGHT)[0], told()) == (4, {"2.dcm": "error"})
    run(*ACCEPT)
    assert run(*NIGHT)[0] == 0


def test_what_is_not_decided(run):
    """Nobody knows the signer, and nobody did before."""
    sign_file("archive/unsigned.dcm", "archive/other.dcm", *pki.member("other").pair)
    for _ in range(2):
        code, out, _ = run(*NIGHT)
        assert (code, told()) == (3, {"other.dcm": "indeterminate"})
        assert out.startswith("archive ct: not decided: 1 file\n")
    run(*ACCEPT)
    assert run(*NIGHT)[0] == 0


def test_a_new_object_that_fails(run):
    run(*NIGHT)
    shutil.copy("archive/a/1.dcm", "archive/new.dcm")
    damage("archive/new.dcm")
    for _ in range(2):
        assert (run(*NIGHT)[0], told()) == (1, {"new.dcm": "failed"})


def test_certificates_expire(run):
    Path("archive.toml").write_text(
        Path("archive.toml").read_text().replace("expiry-days = 0", "expiry-days = 900\npaths = 1")
    )
    code, out, _ = run(*NIGHT)
    assert code == 0
    assert out.startswith("archive ct: nothing new; 1 certificate expires\n")
    assert "CN=Test rsa expires in " in out
    assert out.count("4 signatures") == 1
    add('[verify]\nat = "2500-01-01T00:00:00Z"')
    for _ in range(2):
        code, out, _ = run(*NIGHT)
        assert (code, len(told())) == (1, 4)
        (group,) = [line for line in out.splitlines() if line.startswith("*")]
        assert group.startswith("* no_longer_passing, 4 files: the certificate of ")
        assert " expired on 2" in group
        assert out.count("/archive/a/") == 1
        assert f"\n    in {os.path.abspath('archive/a')} (4)\n" in out
    run(*ACCEPT)
    assert run(*NIGHT)[0] == 0


def test_known_damage_is_not_new_when_its_certificate_expires(run):
    run(*NIGHT)
    damage("archive/a/1.dcm")
    run(*NIGHT)
    run(*ACCEPT)
    add('[verify]\nat = "2500-01-01T00:00:00Z"')
    assert (run(*NIGHT)[0], len(told())) == (1, 3)
    assert "1.dcm" not in told()
    add('[verify]\npoe-ledger = ["ledger.db"]')  # it proves that the others existed before
    assert (run(*NIGHT)[0], told()) == (0, {})
    assert [one["role"] for one in night()["expiring"]] == ["anchor"]


# --- nights that do not end well ------------------------------------------------------------------


def test_a_stopped_night_is_resumed_by_the_next_one(run):
    run(*NIGHT)
    with Ledger("ledger.db", create=True) as ledger:
        last = ledger.find()
        ledger.begin(last.asked)
    code, out, _ = run(*NIGHT)
    assert code == 0
    assert "\nrun 2 in " in out
    assert ", resumed: complete, " in out


def test_one_with_other_options_is_begun_anew(run):
    run(*NIGHT)
    with Ledger("ledger.db", create=True) as ledger:
        ledger.begin(ledger.find().asked)
    add('[verify]\nexclude = ["*.txt"]')
    code, out, _ = run(*NIGHT)
    assert code == 0
    assert "\nrun 3 in " in out
    assert "note: run 2 was not resumed, a new one was begun: run 2 was over another" in out


def test_a_night_that_is_stopped(run, monkeypatch):
    from dicomseal.cli import runs

    called = runs.Watch.__call__
    with monkeypatch.context() as context:
        context.setattr(runs.Watch, "__call__", lambda self, progress, stop: (
            called(self, progress, stop), stop()))  # fmt: skip
        code, out, _ = run(*NIGHT)
    assert code == 130
    assert out.startswith("archive ct: stopped; the next night resumes it\n")
    assert "NOT COMPLETE" in out
    code, out, _ = run(*NIGHT)
    assert (code, night()["resumed"], night()["run"]) == (0, True, 1)


def test_what_happened_is_told_though_the_night_was_killed_before(run, monkeypatch):
    """Its run came to its end, and nobody looked at it."""
    run(*NIGHT)
    strip("archive/a/1.dcm")
    os.unlink("archive/a/2.dcm")
    run("archive", "verify", "archive", "--ledger", "ledger.db", "--trust", "root.cert.pem")
    assert (run(*NIGHT)[0], told()) == (1, {"1.dcm": "stripped", "2.dcm": "vanished"})
    assert night()["alarms"]["compared_with"] == 1


def test_two_nights_at_once(run):
    add('[report]\nmetrics = "ct.prom"')
    add('[mail]\nfile = "mail.txt"')
    run(*NIGHT)
    kept = ("ledger.db.nightly", "ct.nightly.prom", "mail.txt", "night.json")
    before = [Path(name).read_bytes() for name in kept]
    code = (
        "import sys; from dicomseal.archive.ledger.lock import locked\n"
        "with locked(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
    )
    for name in ("ledger.db.nightly", "ledger.db"):  # a night, or a run by hand
        with subprocess.Popen([sys.executable, "-c", code, name], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as other:  # fmt: skip
            assert other.stdout.readline() == b"held\n"
            result, out, _ = run(*NIGHT)
            other.stdin.close()
        assert result == 5
        assert out.startswith("archive ct: ANOTHER NIGHT IS AT WORK\n")
        assert f"process {other.pid} on " in out
        after = [Path(name).read_bytes() for name in kept]
        if name == "ledger.db":  # no other night will write them
            assert (after[0], after[2]) == (before[0], out.encode())
            assert metrics("ct.nightly.prom")["exit_code"] == 5
        else:
            assert after == before
    assert run(*NIGHT)[0] == 0
    with locked("ledger.db.nightly"):
        pass


def test_a_failure_is_told(run):
    """By the mail as well: whoever reads it must learn that nothing was verified."""
    add('[mail]\nfile = "mail.txt"')
    Path("root.cert.pem").write_text("no certificate")
    code, out, _ = run(*NIGHT)
    assert code == 2
    assert out == Path("mail.txt").read_text()
    assert out.startswith("archive ct: THE NIGHT FAILED\n")
    assert "root.cert.pem" in out


def test_what_was_found_is_told_though_the_report_cannot_be_written(run):
    add('[report]\nhtml = "nowhere/report.html"')
    run(*NIGHT)
    code, out, _ = run(*NIGHT)
    assert (code, "nowhere/report" in out) == (4, True)
    strip("archive/a/1.dcm")
    for _ in range(2):
        code, out, _ = run(*NIGHT)
        assert (code, "* stripped, 1 file" in out, "nowhere" in out) == (1, True, True)


def test_a_night_that_crashes_does_not_leave_the_summary_of_the_one_before(run, monkeypatch):
    """A unit of its own may send that file, whatever became of the night."""
    from dicomseal.cli.archive import nightly

    add('[mail]\nfile = "mail.txt"')
    run(*NIGHT)
    assert Path("mail.txt").read_text().startswith("archive ct: nothing new\n")

    def crash(error):
        raise error

    with monkeypatch.context() as context:
        context.setattr(nightly, "requested", lambda **_: crash(SystemExit(9)))
        context.setattr(sys, "argv", ["dicomseal", *NIGHT])
        with pytest.raises(SystemExit):
            cli.main()
    said = Path("mail.txt").read_text()
    assert said.startswith("archive ct: THE NIGHT DID NOT COME TO ITS END\n")


@pytest.mark.parametrize(("error", "code"), [(MemoryError(), 4), (KeyboardInterrupt(), 130)])
def test_whatever_breaks_a_night_is_told(run, monkeypatch, error, code):
    from dicomseal.archive.nights import night as one_night

    add('[mail]\nfile = "mail.txt"')

    def broken(*_args, **_options):
        raise error

    with monkeypatch.context() as context:
        context.setattr(one_night, "audit", broken)
        assert run(*NIGHT)[0] == code
    said = Path("mail.txt").read_text()
    assert f"exit code {code}" in said
    assert type(error).__name__ in said
    assert run(*NIGHT)[0] == 0


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


# --- the ledger -----------------------------------------------------------------------------------


def test_the_ledger_was_changed(run):
    for _ in range(2):
        run(*NIGHT)
    with Ledger("ledger.db", create=True) as ledger:
        ledger.db.execute("UPDATE object SET verdict = 'error' WHERE id = 1")
    for _ in range(2):
        code, out, _ = run(*NIGHT)
        assert code == 1
        assert out.startswith("archive ct: THE LEDGER WAS CHANGED\n")
        assert "  run 1, batch 1: a row of it was changed\n" in out


def test_it_is_another_ledger(run):
    """Or a copy from before the last night: its tail was cut off."""
    run(*NIGHT)
    shutil.copy("ledger.db", "old.db")
    run(*NIGHT)
    shutil.copy("old.db", "ledger.db")
    for end in ("-wal", "-shm"):
        if os.path.exists(f"ledger.db{end}"):
            os.unlink(f"ledger.db{end}")
    for _ in range(2):
        code, out, _ = run(*NIGHT)
        assert (code, "this is not the ledger of the night before: its run 2" in out) == (1, True)
    os.unlink("ledger.db.nightly")
    assert run(*NIGHT)[0] == 0


def test_the_audit_is_not_on_every_night(run):
    add("[audit]\nevery-days = 7")
    assert "ledger: intact" in run(*NIGHT)[1]
    assert "ledger: not audited tonight, head " in run(*NIGHT)[1]
    state = json.loads(Path("ledger.db.nightly").read_text())
    state["audited"] -= 6.6 * 86400
    Path("ledger.db.nightly").write_text(json.dumps(state))
    assert "ledger: intact" in run(*NIGHT)[1]


def test_runs_must_be_signed_by_a_named_signer(run):
    add('[audit]\nsigners = ["rsa.cert.pem"]')
    code, out, _ = run(*NIGHT)
    assert (code, "run 1: it is not signed" in out) == (1, True)
    for name in ("ledger.db", "ledger.db.nightly"):
        os.unlink(name)
    add('[verify]\nsign-run = ["rsa.key.pem", "rsa.cert.pem"]')
    assert [run(*NIGHT)[0] for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"references": ["x"]}'])
def test_what_a_night_left_is_damaged(run, text):
    run(*NIGHT)
    Path("ledger.db.nightly").write_text(text)
    code, out, _ = run(*NIGHT)
    assert (code, "ledger.db.nightly: " in out) == (2, True)

"""Nights that are stopped, fail, crash or meet another one: what is told, and by the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pki
import pytest
from _nights import ACCEPT, NIGHT, add, metrics, night, nights, strip, told  # noqa: F401

from dicomseal import cli, sign_file
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.ledger.lock import locked
from dicomseal.cli import runs

pytestmark = pytest.mark.usefixtures("nights")


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


@pytest.mark.parametrize("ends", ["stopped", "away", "failed"])
def test_what_was_told_is_open_until_a_night_that_looks_at_all_files(run, monkeypatch, ends):
    """Or an alert would end with the next night, though nobody has repaired anything."""
    pytest.importorskip("prometheus_client")
    add('[report]\nmetrics = "ct.prom"')
    run(*NIGHT)
    strip("archive/a/1.dcm")
    sign_file("archive/unsigned.dcm", "archive/other.dcm", *pki.member("other").pair)
    assert run(*NIGHT)[0] == 1
    with monkeypatch.context() as context:
        if ends == "stopped":
            context.setattr(runs.Watch, "__call__", lambda _self, _progress, stop: stop())
            code = 130
        elif ends == "away":
            os.rename("archive", "mounted")
            code = 4
        else:
            os.rename("root.cert.pem", "kept")
            code = 2
        assert run(*NIGHT)[0] == code
        out = run(*NIGHT)[1]
    assert ("what earlier nights told of files (2) is open" in out) == (ends != "failed")
    found = metrics("ct.nightly.prom")
    assert (found["exit_code"], found["judged_exit_code"]) == (code, 1)
    if ends == "away":
        os.rename("mounted", "archive")
    if ends == "failed":
        os.rename("kept", "root.cert.pem")
    assert run(*NIGHT)[0] == 1
    run(*ACCEPT)
    assert run(*NIGHT)[0] == 0
    assert metrics("ct.nightly.prom")["judged_exit_code"] == 0


def test_a_changed_ledger_stays_one_on_a_night_without_storage(run):
    pytest.importorskip("prometheus_client")
    add('[report]\nmetrics = "ct.prom"')
    run(*NIGHT)
    with Ledger("ledger.db", create=True) as ledger:
        ledger.db.execute("UPDATE object SET verdict = 'error' WHERE id = 1")
    assert run(*NIGHT)[0] == 1
    os.rename("archive", "mounted")
    assert run(*NIGHT)[0] == 4
    found = metrics("ct.nightly.prom")
    assert (found["judged_exit_code"], found["ledger_findings"]) == (1, 1)

"""Nights over a ledger that is not as the last one left it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from _nights import NIGHT, add, night, nights  # noqa: F401

from dicomseal.archive.ledger.ledger import Ledger

pytestmark = pytest.mark.usefixtures("nights")


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

"""Who is told of a night, of what size that is, and what a part of a baseline silences."""

from __future__ import annotations

import email
import email.policy
import json
import os
import shutil
from pathlib import Path

import pytest
from _nights import ACCEPT, NIGHT, add, damage, metrics, nights, strip, told, zero  # noqa: F401

pytestmark = pytest.mark.usefixtures("nights")


def test_mail(run):
    Path("send.sh").write_text("#!/bin/sh\ncat > mail.eml\n")
    os.chmod("send.sh", 0o755)
    add('[mail]\ncommand = ["./send.sh"]\nto = "admins@example.com"\nsender = "ct@example.com"')
    code, out, _ = run(*NIGHT)
    assert (code, out) == (0, "dicomseal, archive ct: nothing new\n")
    message = email.message_from_bytes(Path("mail.eml").read_bytes(), policy=email.policy.default)
    assert message["Subject"] == "dicomseal, archive ct: nothing new"
    assert (message["To"], message["From"]) == ("admins@example.com", "ct@example.com")
    assert "the first run: there is none to compare with\n" in message.get_content()
    os.unlink("mail.eml")
    add('[mail]\nwhen = "trouble"')
    run(*NIGHT)
    assert not os.path.exists("mail.eml")
    strip("archive/a/1.dcm")
    assert run(*NIGHT)[0] == 1
    assert "stripped" in Path("mail.eml").read_text()


@pytest.mark.parametrize("text", ["#!/bin/sh\necho no such user\nexit 67\n", None])
def test_a_mail_that_cannot_be_sent(run, text):
    if text:
        Path("send.sh").write_text(text)
        os.chmod("send.sh", 0o755)
    add('[mail]\ncommand = ["./send.sh"]')
    code, _, err = run(*NIGHT)
    assert (code, "the mail by ./send.sh was not sent" in err) == (4, True)
    assert not text or "no such user" in err
    strip("archive/a/1.dcm")
    assert run(*NIGHT)[0] == 1


def test_quiet_and_json(run):
    assert run(*NIGHT, "--quiet") == (0, "", "")
    strip("archive/a/1.dcm")
    code, out, _ = run(*NIGHT, "--quiet", "--format", "json")
    assert (code, json.loads(out)["code"]) == (1, 1)
    assert json.loads(out)["alarms"]["trouble"][0]["kind"] == "stripped"


def test_a_mail_is_of_the_size_of_a_page(run):
    """However many objects are in trouble, and however many causes there are."""
    for number in range(60):
        path = f"archive/{number}.dcm"
        shutil.copy("archive/a/1.dcm", path)
        os.truncate(path, 400 + 3 * number)
    code, out, _ = run(*NIGHT)
    assert code == 4
    assert out.count("\n") < 120
    assert len(told()) == 60


def test_metrics(run):
    add('[report]\nmetrics = "ct.prom"')
    run(*NIGHT)
    found = metrics("ct.nightly.prom")
    assert (found["exit_code"], found["new_trouble_files"], found["failed"]) == (0, 0, 0)
    quiet = found["quiet_timestamp_seconds"]
    assert quiet <= found["end_timestamp_seconds"]
    assert "dicomseal_archive_complete" in Path("ct.prom").read_text()
    strip("archive/a/1.dcm")
    damage("archive/a/2.dcm")
    run(*NIGHT)
    found = metrics("ct.nightly.prom")
    assert (found["exit_code"], found["new_trouble_files"]) == (1, 2)
    assert (found["new_trouble stripped "], found["quiet_timestamp_seconds"]) == (1, quiet)
    assert found["new_trouble newly_failing HASH_FAILURE"] == 1


# --- accepting a part -----------------------------------------------------------------------------


def test_a_part_is_accepted(run):
    run(*NIGHT)
    strip("archive/a/0.dcm")
    damage("archive/a/1.dcm")
    zero("archive/a/2.dcm")
    run(*NIGHT)
    run(*ACCEPT, "--path", "*/1.dcm")
    run(*NIGHT)
    assert told() == {"0.dcm": "stripped", "2.dcm": "newly_failing"}
    run(*ACCEPT, "--kind", "stripped")
    run(*NIGHT)
    assert told() == {"2.dcm": "newly_failing"}
    assert "1.dcm" in Path("known.jsonl").read_text()
    run(*ACCEPT)
    assert run(*NIGHT)[0] == 0


def test_no_other_file_is_replaced_by_a_baseline(run):
    run(*NIGHT)
    for path in ("ledger.db", "root.cert.pem", "archive/a/1.dcm"):
        before = Path(path).read_bytes()
        assert run("archive", "baseline", "ledger.db", "--output", path)[0] == 2
        assert Path(path).read_bytes() == before
    assert run("archive", "baseline", "ledger.db")[0] == 2

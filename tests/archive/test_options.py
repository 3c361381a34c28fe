"""What `archive verify` takes over from `verify`, and keeps in the ledger for --resume."""

from __future__ import annotations

import json

import msgspec
import pki
import pytest

from dicomseal import sign_file
from dicomseal.archive.find.selection import as_json
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.cli.archive import verify as archive_verify
from dicomseal.cli.verify import command as verify
from dicomseal.errors import UsageError
from dicomseal.verification.options import Options


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pki.member("root").write(tmp_path)
    (tmp_path / "archive").mkdir()
    path = tmp_path / "archive" / "one.dcm"
    path.write_bytes(pki.small())
    sign_file(path, path, *pki.member("rsa").pair, tags=["PatientName", "SOPInstanceUID"])
    return tmp_path


VERIFY = ("archive", "verify", "archive", "--ledger", "ledger.db", "--trust", "root.cert.pem")


def the_row():
    with Ledger("ledger.db") as ledger:
        (row,) = ledger.rows(*ledger.span(ledger.find().number))
        return row, json.loads(ledger.find().asked)["trust"]


@pytest.mark.parametrize(
    ("options", "code", "reason", "said"),
    [
        ((), 0, "", ""),
        (("--require-signed", "PatientName"), 0, "", ""),
        (("--require-signed", "PatientID"), 1, "SIG_CONSTRAINTS_FAILURE", "(0010,0020)"),
        (("--require-all-signed",), 1, "SIG_CONSTRAINTS_FAILURE", "covers"),
        (("--require", "creator"), 1, "SIGNED_DATA_NOT_FOUND", "creator"),
        (("--limit", "signatures=0"), 4, "limit", "signature"),
        (("--accept-legacy-format",), 0, "", ""),
        (("--integrity-only",), 0, "", ""),
    ],
)
def test_demands(run, folder, options, code, reason, said):
    assert run(*VERIFY, *options)[0] == code
    row, asked = the_row()
    assert (row.reason, said in row.sentence) == (reason, True), row
    if options:
        given = asked[options[0][2:].replace("-", "_")]
        assert given == ([options[1]] if len(options) > 1 else True)


def test_usage(run, folder):
    code, _, err = run(*VERIFY, "--limit", "signatures")
    assert (code, "is not NAME=NUMBER" in err) == (2, True)
    code, _, err = run(*VERIFY, "--require-signed", "Nonsense")
    assert code == 2


def test_all_that_verify_takes():
    """But for what a ledger has no place for."""
    ours = {option.name: option for option in archive_verify.command.params}
    for option in verify.params:
        if option.name in {"paths", "output"}:
            assert option.name not in ours
        else:
            assert ours[option.name].help == option.help


def test_a_run_goes_on_with_the_same_demands(folder):
    """One of a version that did not have an option goes on where it is not given."""
    asked = RunRequest(selection=Selection(roots=("archive",)), trust={"weak": None})

    def resumed(**trust):
        again = RunRequest(selection=asked.selection, trust=trust)
        return runs.verify("ledger.db", again, Options(), resume=True)

    runs.verify("ledger.db", asked, Options(), watch=lambda _, stop: stop())
    for changed in ({"limit": ["signatures=1"]}, {"weak": "accept"}, {"require_all_signed": True}):
        with pytest.raises(UsageError, match=next(iter(changed))):
            resumed(**changed)
    assert resumed(weak=None, limit=[], require_all_signed=False).complete


def test_ledgers_of_before_have_the_same_words():
    """What a run was asked is read from every ledger of this version: its keys stay."""
    selection = Selection(roots=("archive",), modified_before=1.5)
    kept = msgspec.json.decode(as_json(RunRequest(selection=selection)))
    assert kept["selection"] == {
        "roots": ["archive"], "include": [], "exclude": [], "null": False, "before": 1.5,
        "share": None, "seed": "", "stratify": False, "follow": False,
    }  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(kept), type=RunRequest).selection == selection

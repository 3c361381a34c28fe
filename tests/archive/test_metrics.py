"""What a run tells Prometheus, by way of node exporter's textfiles."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from urllib.request import urlopen

import pki
import pytest
from _archive import TRUST, VERDICTS, VERIFY
from _archive_sign import SIGN
from prometheus_client.parser import text_string_to_metric_families

from dicomseal import sign_file
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.errors import SourceError
from dicomseal.verification.options import Options

PREFIX = "dicomseal_archive_"
OF_ALL = ("archive", "kind", "run", "file")
# what has no other label
SINGLE = {"bytes", "run", "complete", "updated_seconds", "duration_seconds",
          "last_success_timestamp_seconds"}  # fmt: skip


def families(text):
    """As Prometheus reads them, with what it would refuse."""
    found = list(text_string_to_metric_families(text))
    assert len({family.name for family in found}) == len(found)
    for family in found:
        assert family.name.startswith(PREFIX)
        assert (family.type, bool(family.documentation)) == ("gauge", True)
        for one in family.samples:
            assert one.labels.keys() >= set(OF_ALL)
    return found


def metrics(text):
    """Names, and values by the labels that not all of them have."""
    found = {}
    for family in families(text):
        name = family.name.removeprefix(PREFIX)
        values = {
            tuple(
                one.labels[label]
                for label in ("verdict", "subject", "sha256")
                if label in one.labels
            ): one.value
            for one in family.samples
        }
        found[name] = values[()] if name in SINGLE else values
    return found


def folder_of_textfiles(folder):
    """All files as node exporter takes them: one name, one type, one help, no series twice."""
    files = sorted(one for one in os.listdir(folder) if one.endswith(".prom"))
    kinds, series = {}, Counter()
    for file in files:
        for family in families((folder / file).read_text("utf-8")):
            kinds.setdefault(family.name, set()).add((family.type, family.documentation))
            for one in family.samples:
                series[(one.name, *sorted(one.labels.items()))] += 1
    assert {name for name, some in kinds.items() if len(some) != 1} == set()
    assert [one for one, count in series.items() if count != 1] == []
    return files


@pytest.mark.parametrize(("path", "said"), [
    ("nowhere/dicomseal.prom", "No such file or directory"), ("archive", "Is a directory"),
    ("notes.prom/dicomseal.prom", "Not a directory"), ("", "Is a directory"),
])  # fmt: skip
def test_metrics_that_are_refused(run, folder, path, said):
    """Before the run: nothing of it is in the ledger, and there is nothing to resume."""
    (folder / "notes.prom").touch()
    for command in (VERIFY, ("archive", "sign", *VERIFY[2:5], "--in-place", "--key", "rsa.key.pem",
                             "--cert", "rsa.cert.pem")):  # fmt: skip
        code, out, err = run(*command, "--metrics", path)
        assert (code, out) == (2, "")
        assert err == (
            f"dicomseal: --metrics: {path}: cannot be written: {said}; name a file in an existing "
            "folder that you may write to\n"
        )
        assert not os.path.exists("ledger.db")


def test_metrics_of_a_run_that_is_refused(run, folder):
    """To try whether they can be written changes nothing."""
    (folder / "dicomseal.prom").write_text("of the last run")
    before = sorted(os.listdir())
    assert run(*VERIFY, "--metrics", "dicomseal.prom", "--resume")[0] == 2
    assert (folder / "dicomseal.prom").read_text() == "of the last run"
    assert {name for name in os.listdir() if "ledger" not in name} == set(before)


def test_without_the_package(run, folder, monkeypatch):
    """It is said before the run begins; a run without metrics does not ask for it."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    code, out, err = run(*VERIFY, "--metrics", "dicomseal.prom")
    assert (code, out) == (2, "")
    assert err.startswith("dicomseal: --metrics needs the extra: pip install dicomseal[archive]")
    assert not os.path.exists("ledger.db")
    assert run(*VERIFY)[0] == 1


def test_metrics_that_cannot_be_written(run, folder, monkeypatch):
    """When a run is under way it is not worth the run."""
    from dicomseal.archive.run import metrics as written

    def full(path, progress, outcome):
        if progress.files:
            raise SourceError("no space left on device", "unwritable")

    monkeypatch.setattr(written, "write", full)
    code, out, err = run(*VERIFY, "--metrics", "dicomseal.prom")
    assert (code, err) == (
        1,
        "dicomseal: note: the metrics are not written: no space left on device\n",
    )
    assert "complete\n8 files" in out


def test_metrics(run, folder):
    start = time.time()
    run(*VERIFY, "--metrics", "dicomseal.prom")
    text = (folder / "dicomseal.prom").read_text()
    assert text.endswith("\n")
    for family in families(text):
        for one in family.samples:
            assert [one.labels[name] for name in OF_ALL] == [
                str(folder / "ledger.db"), "verify", "1", "dicomseal.prom",
            ]  # fmt: skip
    figures = metrics(text)
    assert figures["files"] == {
        (verdict,): count for verdict, count in (VERDICTS | {"directory": 0}).items()
    }
    assert (figures["complete"], figures["run"]) == (1, 1)
    size = sum(os.path.getsize(os.path.join(where, name))
               for where, _, names in os.walk("archive") for name in names)  # fmt: skip
    assert figures["bytes"] == size
    for name in ("updated_seconds", "last_success_timestamp_seconds"):
        assert math.floor(start) <= figures[name] <= time.time() + 1
    assert 0 < figures["duration_seconds"] <= time.time() - start
    sign_file("archive/unsigned.dcm", "archive/unsigned.dcm", *pki.member("rsa").pair)
    run(*VERIFY, "--metrics", "dicomseal.prom")
    figures = metrics((folder / "dicomseal.prom").read_text())
    assert figures["files"][("unsigned",)] == 0
    assert figures["run"] == 2
    assert not [name for name in os.listdir(".") if "prom" in name and name != "dicomseal.prom"]


def test_certificates_on_which_signatures_depend(run, folder):
    """Of signers that an authority vouches for, so that no stranger chooses what is told."""
    run(*VERIFY, "--metrics", "dicomseal.prom")
    figures = metrics((folder / "dicomseal.prom").read_text())
    one = pki.member("rsa").certificate
    labels = one.subject.rfc4514_string(), one.fingerprint(pki.hashes.SHA256()).hex()
    assert figures["certificate_signatures"] == {labels: 2}
    assert figures["certificate_expiry_timestamp_seconds"] == {
        labels: datetime.timestamp(one.not_valid_after_utc)
    }
    run("archive", "verify", "archive", "--ledger", "ledger.db", "--metrics", "dicomseal.prom")
    figures = metrics((folder / "dicomseal.prom").read_text())
    assert figures["certificate_signatures"] == {}


def test_of_a_run_that_signs(run, archive_to_sign):
    run(*SIGN, "--in-place", "--metrics", "x.prom")
    figures = metrics((archive_to_sign / "x.prom").read_text())
    assert figures["files"][("signed",)] == 4
    assert ("passed",) not in figures["files"]
    assert sum(figures["certificate_signatures"].values()) == 5  # one was there already


def test_metrics_of_a_run_that_is_stopped(folder):
    """What outlives a run is still that of the last one that came to its end."""
    from dicomseal.archive.run.metrics import write

    asked = RunRequest(selection=Selection(roots=("archive",)))
    kept = []

    def stopping(progress, stop):
        kept.append(progress)
        if progress.files:
            stop()

    outcome = runs.verify("ledger.db", asked, Options(), watch=stopping, batch_files=1)
    write("x.prom", kept[-1], outcome)
    figures = metrics((folder / "x.prom").read_text())
    assert figures["complete"] == 0
    assert sum(figures["files"].values()) == outcome.totals.files < 8
    assert "last_success_timestamp_seconds" not in figures

    def looking(progress, stop):
        write("x.prom", progress, None)
        kept.append(metrics((folder / "x.prom").read_text()))

    kept.clear()
    outcome = runs.verify("ledger.db", asked, Options(), watch=looking, batch_files=1, resume=True)
    counted = [sum(one["files"].values()) for one in kept]
    assert counted == sorted(counted)  # those before the stop are of the run, too
    assert (counted[0] > 0, counted[-1]) == (True, 8)
    assert kept[0]["bytes"] > 0
    ended = runs.verify("ledger.db", asked, Options(), watch=stopping, batch_files=1)
    write("x.prom", kept_progress(kept), ended)
    text = (folder / "x.prom").read_text()
    by_name = {family.name: family.samples for family in families(text)}
    assert by_name[f"{PREFIX}run"][0].labels["run"] == "2"
    assert by_name[f"{PREFIX}last_success_timestamp_seconds"][0].labels["run"] == "1"


def kept_progress(kept):
    return next(one for one in reversed(kept) if not isinstance(one, dict))


# --- one folder ----------------------------------------------------------------------------------


@pytest.fixture
def textfiles(run, folder):
    """Metrics of all that may go into one folder: archives, ledgers, kinds, runs, odd names.

    Node exporter itself ends at the name of a file that is not UTF-8.
    """
    os.mkdir("textfiles")
    odd = 'a"b\\c\nd\u202e'
    for ledger, name, root in (
        ("ledger.db", "one", "archive"), ("other.db", "two", "archive"),
        ("ledger.db", "three", "archive/a"), ("ledger.db", "four", "archive"),
        (f"{odd}\udcff", odd, "archive/a"),
    ):  # fmt: skip
        command = "archive", "verify", root, "--ledger", ledger, *TRUST
        assert run(*command, "--metrics", f"textfiles/{name}.prom")[0] in {0, 1}
    shutil.copytree("archive", "to-sign")
    assert run("archive", "sign", "to-sign", "--in-place", "--ledger", "ledger.db", "--key",
               "rsa.key.pem", "--cert", "rsa.cert.pem", "--metrics",
               "textfiles/sign.prom")[0] in {0, 1, 4}  # fmt: skip
    return folder / "textfiles"


def test_files_of_one_folder_do_not_collide(textfiles):
    assert len(folder_of_textfiles(textfiles)) == 6
    # also one run in two files: it was stopped, and resumed with another name
    text = (textfiles / "one.prom").read_text("utf-8")
    (textfiles / "again.prom").write_text(text)
    with pytest.raises(AssertionError):
        folder_of_textfiles(textfiles)
    (textfiles / "again.prom").write_text(text.replace('file="one.prom"', 'file="again.prom"'))
    folder_of_textfiles(textfiles)
    # a name is written so that it is read again
    (name,) = [one for one in os.listdir(textfiles) if one.startswith('a"')]
    (family, *_) = families((textfiles / name).read_text("utf-8"))
    told = family.samples[0].labels
    assert told["file"] == 'a"b\\\\c\\nd\\u202e.prom'
    assert told["archive"].endswith('/a"b\\\\c\\nd\\u202e\\xff')


@pytest.mark.peer
@pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool")
def test_promtool_finds_nothing_wrong(textfiles):
    for name in folder_of_textfiles(textfiles):
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=(textfiles / name).read_bytes(),
            capture_output=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.peer
@pytest.mark.skipif(
    not shutil.which("prometheus-node-exporter"), reason="there is no node exporter"
)
def test_node_exporter_takes_the_folder(textfiles):
    """All of it, and without the sentence that one help is another's."""
    exporter = subprocess.Popen(
        ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
         f"--collector.textfile.directory={textfiles}", "--web.listen-address=127.0.0.1:0"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        said = ""
        while not (port := re.search(r"127\.0\.0\.1:(\d+)", said)):
            said += exporter.stderr.readline()
            assert exporter.poll() is None
        with urlopen(f"http://127.0.0.1:{port[1]}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    finally:
        exporter.terminate()
        said += exporter.communicate(timeout=10)[1]
    assert "node_textfile_scrape_error 0" in text
    ours = [line for line in text.splitlines() if line.startswith(f"{PREFIX}run{{")]
    assert len(ours) == 6
    assert not re.search("level=error|inconsistent|panic", said)

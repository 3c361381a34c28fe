"""Object stores that fail: for the moment, for one object, for good."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import _s3
import pytest
from _buckets import command, fill, found, rows

from dicomseal.archive.errors import LostError
from dicomseal.archive.find import object_stores
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.errors import LedgerError
from dicomseal.verification.options import Options

pytestmark = pytest.mark.skipif(_s3.SKIP, reason="there is no obstore, or no moto")

# --- what goes wrong -----------------------------------------------------------------------------


def test_for_the_moment(run, server, bucket, signed, large):
    """Busy, or a connection that breaks in the middle: the client asks again."""
    server.put(bucket, "small", signed)
    server.put(bucket, "large", large[0])
    server.faults(
        {"path": "?", "status": 503, "times": 1}, {"path": "/small", "status": 503, "times": 2},
        {"path": "/large", "at": 3, "times": 2, "cut": 1000},
    )  # fmt: skip
    assert run(*command(f"s3://{bucket}"))[0] == 0
    assert len(rows()) == 2
    assert sum(one["path"].endswith("/small") for one in server.log()) == 3


def test_one_object_and_no_other(run, server, bucket, signed):
    for name in ("denied", "gone", "broken", "grown", "good"):
        server.put(bucket, name, signed)
    larger = signed + bytes(1000)
    server.faults(
        {"path": "/denied", "status": 403, "code": "AccessDenied"},
        {"path": "/gone", "delete": True, "times": 1},
        {"path": "/broken", "status": 400, "code": "InvalidObjectState"},
        {"path": "/grown", "put": base64.b64encode(larger).decode(), "times": 1},
    )
    code, _, err = run(*command(f"s3://{bucket}"))
    assert (code, err) == (4, "")
    told = {path.rpartition("/")[2]: row for path, row in rows().items()}
    assert {name: (row.verdict, row.reason) for name, row in told.items()} == {
        "denied": ("error", "permission"), "gone": ("error", "not_found"),
        "broken": ("error", "unreadable"), "grown": ("passed", ""), "good": ("passed", ""),
    }  # fmt: skip
    assert told["denied"].sentence == "as asked (AccessDenied)"
    assert told["gone"].sentence == "The specified key does not exist. (NoSuchKey)"
    assert told["broken"].sentence == "as asked (InvalidObjectState)"
    assert told["grown"].size == len(larger)


def refused(server):
    with _s3.running() as other:
        return other.url


@pytest.mark.parametrize("what", ["missing", "denied", "refused", "https"])
def test_a_store_that_does_not_let_us_in(run, server, bucket, monkeypatch, what):
    """Each a sentence, and no run is begun."""
    url = f"s3://{bucket}/p"
    if what == "missing":
        url, said = "s3://there-is-none/p", "The specified bucket does not exist (NoSuchBucket)"
    elif what == "denied":
        server.faults({"path": "?", "status": 403, "code": "AccessDenied"})
        said = "as asked (AccessDenied)"
    elif what == "refused":
        monkeypatch.setenv("AWS_ENDPOINT_URL", refused(server))
        said = "Connection refused"
    else:  # http is never used in place of https
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.replace("http:", "https:"))
        said = "error sending request"
    code, out, err = run(*command(url))
    assert (code, out) == (4, "")
    assert err.startswith(f"dicomseal: {url}: ")
    assert said in err
    assert "resume" not in err
    assert len(err) < 250
    assert not os.path.exists("ledger.db")
    if what == "https":
        assert server.log() == []
        assert object_stores._store("s3", bucket).client_options is None


def test_a_store_that_goes_in_the_middle(server, signed, monkeypatch):
    """The run stops, nothing is said of what was not read, and it is resumed when it is back."""
    with _s3.running() as other:
        for name, value in other.environment.items():
            monkeypatch.setenv(name, value)
        other.put("archive")
        expected = fill(other, "archive", signed, 300)
        rate = str(300 * len(signed) / 2e6)
        arguments = [sys.executable, "-m", "dicomseal", *command("s3://archive"), "--jobs", "2"]
        child = subprocess.Popen([*arguments, "--max-rate", rate], stdout=-1, stderr=-1, text=True)
        while not rows_if_any():
            assert child.poll() is None, child.communicate()
            time.sleep(0.05)
        other.kill()
        out, err = child.communicate(timeout=120)
    assert (child.returncode, out) == (4, "")
    assert err.startswith("dicomseal: s3://archive")
    assert "Connection refused" in err
    assert err.endswith("; --resume continues from here\n")
    before = rows()
    assert 0 < len(before) < 300
    assert {row.verdict for row in before.values()} == {"passed"}
    with _s3.running(other.port) as again:
        again.put("archive")
        fill(again, "archive", signed, 300)
        done = subprocess.run([*arguments, "--resume"], capture_output=True, text=True)
    assert done.returncode == 0, done
    assert sorted(rows()) == expected
    assert f"{300 - len(before)} files now, {len(before)} before" in done.stdout


@pytest.mark.parametrize("ahead", ["0", "auto"])
def test_an_object_that_never_comes(run, server, bucket, signed, large, ahead):
    """It is an error after the time-out, and the run goes on: the store itself answers."""
    for name in ("a", "b", "c", "d"):
        server.put(bucket, name, signed)
    server.put(bucket, "large", large[0])
    server.faults({"path": "/b", "wait": 600}, {"path": "/large", "at": 3, "wait": 600})
    start = time.monotonic()
    code, _, err = run(*command(f"s3://{bucket}"), "--read-timeout", "2", "--read-ahead", ahead)
    assert (code, err) == (4, "")
    assert time.monotonic() - start < 60
    told = {path.rpartition("/")[2]: (row.verdict, row.reason) for path, row in rows().items()}
    assert told == dict.fromkeys("acd", ("passed", "")) | dict.fromkeys(
        ("b", "large"), ("error", "hung")
    )


def test_a_store_that_answers_nothing_any_more(run, server, bucket, signed):
    """The run stops after twice the time-out, and can be resumed: no object is at fault."""
    expected = fill(server, bucket, signed, 40)
    server.faults({"path": "", "wait": 600})
    start = time.monotonic()
    code, _, err = run(*command(f"s3://{bucket}"), "--read-timeout", "2")
    assert code == 4
    assert "nor does its server answer" in err
    assert err.endswith("; --resume continues from here\n")
    assert time.monotonic() - start < 60
    assert rows() == {}
    server.faults()
    assert run(*command(f"s3://{bucket}"), "--resume")[0] == 0
    assert sorted(rows()) == expected


def rows_if_any():
    try:
        with Ledger("ledger.db") as ledger:
            return ledger.span(1)[1]
    except LedgerError:  # it is being made
        return 0


@pytest.mark.parametrize("key", ["a//b", "a/../b", "a/./b"])
def test_a_key_that_the_client_cannot_name(server, bucket, signed, key):
    """It stops the run: what comes behind it in the listing would be missing."""
    server.put(bucket, "a/a", signed)
    server.put(bucket, key, signed)
    with pytest.raises(LostError, match=f's3://{bucket}: cannot be listed: .*Path "{key}"'):
        found(f"s3://{bucket}")


def test_a_listing_that_breaks_off(run, server, bucket, signed):
    fill(server, bucket, signed, 150)
    server.faults({"path": "?", "at": 3, "status": 400, "code": "InvalidToken"})
    code, out, err = run(*command(f"s3://{bucket}"))
    assert (code, out) == (4, "")
    assert f"s3://{bucket}: cannot be listed: as asked (InvalidToken); --resume continues" in err
    server.faults()
    code, out, err = run(*command(f"s3://{bucket}"), "--resume")
    assert (code, len(rows())) == (0, 150)


def processes(start):
    return ProcessPoolExecutor(1, get_context(start))


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_forked_workers_are_refused(server, bucket, signed):
    """They would wait for the client's threads, which were not forked."""
    server.put(bucket, "1.dcm", signed)
    asked = RunRequest(selection=Selection(roots=(f"s3://{bucket}",)))
    with pytest.raises(LostError, match="let the executor spawn its processes"):
        runs.verify("ledger.db", asked, Options(), executor=lambda: processes("fork"))
    outcome = runs.verify(
        "ledger.db", asked, Options(), resume=True, executor=lambda: processes("spawn")
    )
    assert outcome.totals.verdicts == {"indeterminate": 1}

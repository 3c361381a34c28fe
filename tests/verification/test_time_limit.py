"""A library that does not come back costs one object, and no run."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pki
import pytest
from cryptography.hazmat.primitives import serialization

from dicomseal import Limits, sign_file, verify
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.errors import MalformedError
from dicomseal.verification import time_limit

SECONDS = 2
SIGNERS = ("rsa", "ec", "rsa two", "ec", "dsa")
EXPECTED = ["passed:", "error:limit", "passed:", "error:limit", "passed:"]
POSIX = pytest.mark.skipif(os.name != "posix", reason="there are no alarms")


@pytest.fixture
def archive(tmp_path):
    """A folder of files, of which every other one keeps the library busy; and their root."""
    folder = tmp_path / "archive"
    folder.mkdir()
    plain = tmp_path / "plain.dcm"
    plain.write_bytes(pki.small())
    paths = []
    for number, signer in enumerate(SIGNERS):
        paths.append(str(folder / f"{number}.dcm"))
        sign_file(plain, paths[-1], *pki.member(signer).pair)
    root = tmp_path / "root.pem"
    root.write_bytes(pki.member("root").certificate.public_bytes(serialization.Encoding.PEM))
    return str(root), paths


def hanging(*arguments, timeout=120):
    program = str(Path(__file__).parents[1] / "support" / "_hanging.py")
    return subprocess.run(
        [sys.executable, program, *arguments],
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def command(how, root, *arguments):
    limit = f"seconds={1 if how == 'compiled' else SECONDS}"
    return hanging(how, "command", *arguments, "--trust", root, "--limit", limit)


WAYS = ("api", "busy", "thread", "threads", "dask")


@POSIX
@pytest.mark.parametrize("how", ["loop", "sleep"])
@pytest.mark.parametrize("way", WAYS)
def test_in_python(archive, how, way):
    """In the main thread; where it has another alarm; in a thread; over executors of others."""
    if way == "dask" and importlib.util.find_spec("distributed") is None:
        pytest.skip("there is no dask.distributed")
    root, paths = archive
    done = hanging(how, way, str(SECONDS), root, *paths)
    first, *_ = done.stdout.splitlines() or [done.stderr]
    assert first.split() == EXPECTED, done.stderr
    # a loop ends where it is told to, what sleeps is left alone; in the main thread neither stays
    left = 2 if how == "sleep" and way != "api" else 0
    assert f"threads: {left}" in done.stdout


@POSIX
@pytest.mark.parametrize(
    ("how", "jobs"),
    [("loop", 1), ("sleep", 1), ("loop", 2), ("sleep", 2), ("compiled", 2)],
)
def test_verify(archive, how, jobs):
    root, paths = archive
    done = command(how, root, "verify", *paths, "--format", "jsonl", "--jobs", str(jobs))
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [report["path"] for report in reports] == paths
    codes = [(report["error"] or {"code": ""})["code"] for report in reports]
    assert codes == ["", "limit", "", "limit", ""], done.stderr
    assert done.returncode == 4
    message = reports[1]["error"]["message"]
    seconds = 1 if how == "compiled" else SECONDS
    assert message.startswith(f"it was not verified within {seconds} seconds")


@POSIX
@pytest.mark.parametrize("how", ["loop", "sleep", "compiled"])
def test_archive_verify(archive, tmp_path, how):
    """The run goes on, and the ledger has a row for each of them."""
    root, paths = archive
    ledger = str(tmp_path / "ledger.db")
    folder = os.path.dirname(paths[0])
    done = command(how, root, "archive", "verify", folder, "--ledger", ledger, "--jobs", "2")
    assert done.returncode == 4, done.stderr
    with Ledger(ledger) as opened:
        rows = list(opened.rows(*opened.span(1)))
    found = {row.path: (row.verdict, row.reason) for row in rows}
    assert found == {
        path: ("error", "limit") if signer == "ec" else ("passed", "")
        for path, signer in zip(paths, SIGNERS, strict=True)
    }


# --- the module -----------------------------------------------------------------------------------


def in_both(test):
    """In the main thread, by an alarm, and in another."""
    return pytest.mark.parametrize("place", ["main", "other"])(test)


def call(place, function):
    if place == "main":
        return function()
    found = []

    def work():
        try:
            found.append(function())
        except MalformedError as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(found[0], MalformedError):
        raise found[0]
    return found[0]


def spin(until=60.0):
    end = time.monotonic() + until
    while time.monotonic() < end:
        pass


@in_both
def test_what_it_returns_and_raises(place):
    assert call(place, lambda: time_limit.within(10, None, divmod, 7, 3)) == (2, 1)
    with pytest.raises(MalformedError, match="as it was"):
        call(place, lambda: time_limit.within(10, None, _fail))
    for _ in range(3):
        with pytest.raises(time_limit.OutOfTimeError, match=r"within 0\.1 seconds") as info:
            call(place, lambda: time_limit.within(0.1, None, spin))
        assert info.value.code == "limit"


def _fail():
    raise MalformedError("as it was")


@in_both
def test_what_catches_everything_is_told_again(place):
    """An ``except`` of ordinary exceptions does not keep it; one of everything keeps it once."""
    caught = []

    def stubborn():
        try:
            spin()
        except Exception:  # noqa: BLE001
            caught.append("ordinary")
        except BaseException:  # noqa: BLE001
            caught.append("any")
            if place == "main":
                spin()

    with pytest.raises(time_limit.OutOfTimeError):
        call(place, lambda: time_limit.within(0.1, None, stubborn))
    assert caught == ["any"]


@in_both
def test_one_inside_another_has_no_time_of_its_own(place):
    def inner():
        return time_limit.within(0.05, None, spin, 0.3)

    assert call(place, lambda: time_limit.within(30, None, inner)) is None
    with pytest.raises(time_limit.OutOfTimeError, match=r"within 0\.1 "):
        call(place, lambda: time_limit.within(0.1, None, lambda: time_limit.within(30, None, spin)))


@POSIX
def test_the_alarm_is_as_it_was():
    time_limit.within(10, None, int)
    with pytest.raises(time_limit.OutOfTimeError):
        time_limit.within(0.05, None, spin)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    for mine in (lambda *_: None, signal.SIG_IGN):
        signal.signal(signal.SIGALRM, mine)
        try:
            with pytest.raises(time_limit.OutOfTimeError):
                time_limit.within(0.05, None, spin)
            assert signal.getsignal(signal.SIGALRM) is mine
        finally:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_a_thread_that_stays_gives_up_its_locks():
    given_up = []
    with pytest.raises(time_limit.OutOfTimeError):
        call(
            "other",
            lambda: time_limit.within(0.05, lambda: given_up.append(1), threading.Event().wait, 5),
        )
    assert given_up == [1]


def test_no_time_at_all(archive):
    _, paths = archive
    report = verify(paths[0], integrity_only=True, limits=Limits(seconds=0))
    assert report.verdict == "passed"  # nothing of it is of the kind that may not come back

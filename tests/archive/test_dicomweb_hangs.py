"""DICOMweb servers from which an object, or nothing at all, ever comes."""

from __future__ import annotations

import os
import time

import _dicomweb
import pki
import pytest
from _archive import rows

from dicomseal import sign_file
from dicomseal.files.reader import SNAPSHOT

pytest.importorskip("httpx")
STUDY, SERIES = "2.25.1", "2.25.2"


@pytest.fixture
def server(tmp_path, monkeypatch):
    with _dicomweb.asked(tmp_path, monkeypatch) as server:
        for number in range(6):
            add(server, f"2.25.{100 - number}")
        yield server


def add(server, uid, *more):
    uids = STUDY, SERIES, uid
    with open("object.dcm", "wb") as file:
        file.write(pki.small(elements=_dicomweb.elements(*uids, *more)))
    sign_file("object.dcm", "object.dcm", *pki.member("rsa").pair)
    with open("object.dcm", "rb") as file:
        server.objects[uids] = file.read()


def verify(run, server, *more):
    start = time.monotonic()
    outcome = run("archive", "verify", server.name(STUDY), "--ledger", "ledger.db", "--trust",
                  "root.cert.pem", *more)  # fmt: skip
    return *outcome, time.monotonic() - start


@pytest.mark.parametrize("ahead", ["0", "auto"])
def test_an_object_that_never_comes(run, server, ahead):
    """It is an error after the time-out, and the run goes on: the server itself answers."""
    server.hangs = lambda path: path.endswith("/instances/2.25.98")
    code, _, err, seconds = verify(run, server, "--read-timeout", "1", "--read-ahead", ahead)
    assert (code, err) == (4, "")
    assert seconds < 60
    told = {row.path.rpartition("/")[2]: (row.verdict, row.reason) for row in rows()}
    assert told.pop("2.25.98") == ("error", "hung")
    assert set(told.values()) == {("passed", "")}
    assert len(told) == 5


def test_a_server_that_answers_nothing_any_more(run, server):
    """The run stops after twice the time-out, and can be resumed: no object is at fault."""
    server.hangs = lambda path: (
        "/instances/" in path or any("/instances/" in asked for asked, _ in server.asked)
    )
    code, _, err, seconds = verify(run, server, "--read-timeout", "1")
    assert code == 4
    assert "nor does its server answer" in err
    assert err.endswith("; --resume continues from here\n")
    assert seconds < 60
    assert list(rows()) == []
    server.hangs = lambda _: False
    assert verify(run, server, "--resume")[0] == 0
    assert len(list(rows())) == 6


def test_a_large_object_that_comes_slowly_is_waited_for(run, server):
    """The time-out is one for the first 8 MB, and then for each megabyte."""
    add(server, "2.25.99", (0x7FE00010, "OW", os.urandom(3 * SNAPSHOT)))
    server.slow = 0.25
    code, _, err, seconds = verify(run, server, "--read-timeout", "5")
    assert (code, err) == (0, "")
    assert seconds > 6
    assert {row.verdict for row in rows()} == {"passed"}

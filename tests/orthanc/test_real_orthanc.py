"""Debian's Orthanc with the plugin: by C-STORE, REST and STOW-RS, each kind of object."""

from __future__ import annotations

import json
import subprocess
import time

import _gate
import _namespace
import _orthanc
import pytest
from _gate import STUDY, file_of, uid
from _gate_process import _ENVIRONMENT, dcmtk

SKIPPED = _orthanc.skipped()
pytestmark = pytest.mark.skipif(bool(SKIPPED), reason=SKIPPED or "it is there")
SIGNED_KINDS = ("good", "altered", "untrusted")
CODES = {"good": 0, "unsigned": 0, "altered": 0xA9, "untrusted": 0xC0}


@pytest.fixture(scope="module")
def inside():
    with _namespace.namespace() as space:
        yield space


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return _gate.one_of_each(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def refusing(inside, files, tmp_path_factory):
    section = {"Mode": "refuse", "Trust": [str(files / "ca.pem")]}
    with _orthanc.orthanc(tmp_path_factory.mktemp("refuse"), inside, section) as running:
        yield running


def store(running, path):
    """The exit code of storescu: the first byte of the status."""
    done = subprocess.run(
        [*running.inside.prefix, dcmtk("storescu"), "127.0.0.1", str(running.dicom), str(path)],
        env=_ENVIRONMENT, capture_output=True, timeout=60,
    )  # fmt: skip
    return done.returncode


def number_of(kind):
    return list(_gate.KINDS).index(kind)


def is_there(running):
    there = bool(running.instances())
    running.empty()
    return there


@pytest.mark.parametrize("kind", CODES)
def test_refused_by_c_store(refusing, files, kind):
    assert store(refusing, files / f"{kind}.dcm") == CODES[kind]
    assert is_there(refusing) == (CODES[kind] == 0)


@pytest.mark.parametrize("kind", CODES)
def test_refused_by_rest(refusing, kind):
    status = refusing.rest(file_of(kind, number_of(kind)))
    assert (status, is_there(refusing)) == ((200, True) if CODES[kind] == 0 else (400, False))


@pytest.mark.parametrize("kind", CODES)
def test_refused_by_stow(refusing, kind):
    """Whatever Orthanc lists as stored is stored."""
    stored = refusing.stow(file_of(kind, number_of(kind)))
    good = CODES[kind] == 0
    assert (stored, is_there(refusing)) == ([uid(number_of(kind))] if good else [], good)


def test_what_is_stored_by_rest_is_what_was_sent(refusing):
    data = file_of("good", 7)
    refusing.rest(data)
    [identifier] = refusing.instances()
    assert refusing.ask("GET", f"/instances/{identifier}/file")[1] == data
    refusing.empty()


def verdict(running, identifier, number=4711):
    """What the metadata say, as soon as they are there."""
    end = time.monotonic() + 30
    while True:
        status, body = running.ask("GET", f"/instances/{identifier}/metadata/{number}")
        if status == 200:
            return json.loads(body)
        assert time.monotonic() < end, running.log
        time.sleep(0.05)


def test_the_verdict_is_metadata(refusing, files):
    store(refusing, files / "good.dcm")
    [identifier] = refusing.instances()
    found = verdict(refusing, identifier)
    assert (found["verdict"], found["reason"]) == ("passed", "")
    assert found["signers"] == ["CN=Test rsa"]
    refusing.empty()
    assert "Doe" not in refusing.log


def test_observed(inside, files, tmp_path):
    """Everything is stored, with its verdict; another number and requirement were named."""
    section = {"Mode": "observe", "Trust": [str(files / "ca.pem")], "Require": ["signature"],
               "Metadata": 5000}  # fmt: skip
    with _orthanc.orthanc(tmp_path, inside, section) as running:
        for kind in CODES:
            assert store(running, files / f"{kind}.dcm") == 0
            assert running.stow(file_of(kind, number_of(kind))) == [uid(number_of(kind))]
            [identifier] = running.instances()
            expected = "failed" if kind == "unsigned" else _gate.KINDS[kind]
            assert verdict(running, identifier, 5000)["verdict"] == expected
            running.empty()


def test_quarantine(inside, files, tmp_path):
    """What falls short is in the folder, with its report, and not in Orthanc; senders are done."""
    section = {"Mode": "quarantine", "Trust": [str(files / "ca.pem")],
               "Quarantine": str(tmp_path / "q")}  # fmt: skip
    with _orthanc.orthanc(tmp_path / "o", inside, section) as running:
        for kind in SIGNED_KINDS:
            data = file_of(kind, number_of(kind))
            assert store(running, files / f"{kind}.dcm") == 0
            assert is_there(running) == (kind == "good")
            assert running.rest(data) == 200
            assert is_there(running) == (kind == "good")
            assert running.stow(data) == [uid(number_of(kind))]
            assert is_there(running) == (kind == "good")
    reports = [json.loads(one.read_text()) for one in (tmp_path / "q").glob("*.json")]
    assert {one["report"]["verdict"] for one in reports} == {"failed", "indeterminate"}
    # by C-STORE DCMTK has written it anew, so that there may be two of each
    assert {one["study"] for one in reports} == {STUDY} and 2 <= len(reports) <= 4


BROKEN = {"no section": None, "a trust file is missing": {"Mode": "refuse", "Trust": ["/nowhere"]}}


@pytest.mark.parametrize("name", BROKEN)
def test_a_configuration_that_makes_no_sense_refuses_everything(inside, files, tmp_path, name):
    """`test_hooks.py` has more of them."""
    with _orthanc.orthanc(tmp_path, inside, BROKEN[name]) as running:
        nothing_gets_in(running, files)
        assert "everything is refused" in running.log


def nothing_gets_in(running, files):
    for kind in ("good", "unsigned"):
        assert store(running, files / f"{kind}.dcm") == 0xA7
        assert running.rest(file_of(kind, number_of(kind))) == 400
        assert running.stow(file_of(kind, number_of(kind))) == []
    assert running.instances() == []


def test_without_dicomseal_nothing_gets_in(inside, files, tmp_path):
    section = {"Mode": "observe"}
    with _orthanc.orthanc(tmp_path, inside, section, path="/nowhere") as running:
        nothing_gets_in(running, files)
        assert "No module named" in running.log


def test_an_error_of_the_plugin_refuses(inside, files, tmp_path):
    """Whatever it is, and wherever: Orthanc would store what a hook that raises was asked about."""
    script = tmp_path / "script.py"
    script.write_text(
        f"{_orthanc.SCRIPT.read_text()}\n"
        "import dicomseal.orthanc\n"
        "def broken(*_, **__):\n"
        "    raise MemoryError('as asked')\n"
        "dicomseal.orthanc.judge = broken\n"
    )
    section = {"Mode": "refuse", "Trust": [str(files / "ca.pem")]}
    with _orthanc.orthanc(tmp_path / "o", inside, section, script=script) as running:
        nothing_gets_in(running, files)
        assert "not verified: MemoryError: as asked" in running.log

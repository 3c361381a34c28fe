"""`archive nightly`: what is told on which night, and the exit code."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pki
import pytest
from _archive import rows
from _nights import ACCEPT, NIGHT, add, damage, night, nights, strip, told, zero  # noqa: F401
from pydicom import data

from dicomseal import remove_file, sign_file
from dicomseal.archive.find.trusted import Trusted, TrustedOne
from dicomseal.archive.nights.night import MAX_EXPIRING as MAX_LISTED
from dicomseal.archive.nights.night import _expiring
from dicomseal.archive.reports.expiry import MAX_EXPIRING, expiring

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


def test_a_directory_in_the_place_of_an_object_that_failed_already(run):
    """It was in trouble before the first night, and accepted: now the object itself is gone."""
    folder = os.path.join(os.path.dirname(data.__file__), "test_files", "dicomdirtests")
    path = "archive/a/1.dcm"
    damage(path)
    assert (run(*NIGHT)[0], told()) == (1, {"1.dcm": "failed"})
    run(*ACCEPT)
    assert run(*NIGHT)[0] == 0
    shutil.copy(os.path.join(folder, "DICOMDIR"), path)
    for _ in range(2):
        assert (run(*NIGHT)[0], told()) == (1, {"1.dcm": "newly_failing"})


def test_what_was_in_trouble_before_the_first_night_was_told_by_none(run):
    """A run by hand tells nobody of a night."""
    sentence = "of these an earlier night has told already"
    sign_file("archive/unsigned.dcm", "archive/other.dcm", *pki.member("other").pair)
    run("archive", "verify", "archive", "--ledger", "ledger.db", "--trust", "root.cert.pem")
    code, out, _ = run(*NIGHT)
    assert (code, told()) == (3, {"other.dcm": "indeterminate"})
    assert sentence not in out
    sign_file("archive/unsigned.dcm", "archive/more.dcm", *pki.member("other").pair)
    assert f"\n1 file {sentence}\n" in run(*NIGHT)[1]
    assert f"\n2 files {sentence}\n" in run(*NIGHT)[1]
    run(*ACCEPT)
    assert sentence not in run(*NIGHT)[1]
    Path("known.jsonl").unlink()
    assert sentence not in run(*NIGHT)[1]  # what was known last night was not told


def an_anchor(number, days):
    day = datetime.fromtimestamp(1e9 + 86400 * days, UTC)
    return TrustedOne(role="anchor", subject=f"CN={number}", sha256=f"{number:064x}",
                      not_after=day.isoformat())  # fmt: skip


def test_certificates_that_have_expired_do_not_push_out_those_that_expire_soon():
    """Those can still be renewed, and for the others it is too late."""
    anchors = [an_anchor(number, -1 - number) for number in range(2 * MAX_EXPIRING)]
    soon = an_anchor(10**6, 20)
    trusted = Trusted(certificates=(*anchors, soon), policy="", policy_sha256="", weak="",
                      revocation="")  # fmt: skip
    found = expiring([], trusted, 1e9)
    assert len(found) == MAX_EXPIRING
    assert found[-1].name == "CN=1000000"
    assert [one.days for one in found] == sorted(one.days for one in found)
    listed = _expiring(SimpleNamespace(expiry=found, signers=[]), 1e9, 30)
    assert len(listed) == MAX_LISTED
    assert listed[0].name == "CN=1000000"

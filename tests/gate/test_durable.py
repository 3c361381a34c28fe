"""Success means that an object is on disk: its file, and every name that leads to it."""

from __future__ import annotations

import os
import time

import pki
import pytest
from _gate import SERIES, STUDY, file_of, policy, uid

from dicomseal.gate import placer
from dicomseal.gate.admission import Admission
from dicomseal.gate.door_signer import DoorSigner
from dicomseal.gate.origin import Origin
from dicomseal.gate.quarantine import Quarantine
from dicomseal.gate.spool import Spool
from dicomseal.gate.store import Store
from dicomseal.signing.request import SigningOptions

pytestmark = pytest.mark.skipif(os.name != "posix", reason="folders are flushed on POSIX systems")


class PowerFailureError(BaseException):
    """The gate dies."""


def state(status):
    """Which file or folder it is, and when names in it or bytes of it last changed."""
    return status.st_dev, status.st_ino, status.st_mtime_ns


@pytest.fixture
def flushed(monkeypatch):
    """The states of files and folders that were flushed so far."""
    found, fsync = set(), os.fsync

    def noted(descriptor):
        fsync(descriptor)
        found.add(state(os.fstat(descriptor)))
        time.sleep(0.01)  # what changes from now on has another time

    monkeypatch.setattr(os, "fsync", noted)
    return found


def put(admission, data):
    with admission.store.incoming() as incoming:
        incoming.write(data)
        incoming.finish()
        outcome = admission.admit(incoming.path, len(data), Origin(via="test"))
    assert outcome.decision.status == 0
    return outcome


def not_flushed(flushed, *paths):
    """Those of some paths that were not flushed, or changed after that."""
    return [path for path in paths if state(os.stat(path)) not in flushed]


def chain(root, path):
    """A file, and the folders in which it and they have their names, up to that of the root."""
    steps = [str(path)]
    while steps[-1] != os.path.dirname(root):
        steps.append(os.path.dirname(steps[-1]))
    return steps


def admission(folder, signer=None):
    store = Store(folder / "store")
    quarantine = Quarantine(folder / "elsewhere" / "quarantine")
    return Admission(
        policy(on_failed="quarantine"), store, quarantine, signer=signer,
        spool=Spool(os.path.join(store.own, "spool")).add,
    )  # fmt: skip


@pytest.fixture
def signer():
    return DoorSigner(*pki.member("rsa").pair, None, SigningOptions())


def test_a_new_object(tmp_path, flushed):
    outcome = put(admission(tmp_path), file_of("good"))
    spool = os.path.join(tmp_path, "store", ".dicomseal-gate", "spool")
    assert not_flushed(flushed, *chain(str(tmp_path / "store"), outcome.path)) == []
    assert not_flushed(flushed, *chain(str(tmp_path / "store"), spool)) == []


def test_an_object_in_quarantine(tmp_path, flushed):
    outcome = put(admission(tmp_path), file_of("altered"))
    beside = outcome.path.replace(".dcm", ".json")
    assert (
        not_flushed(
            flushed, beside, *chain(str(tmp_path / "elsewhere" / "quarantine"), outcome.path)
        )
        == []
    )


@pytest.mark.parametrize("kind", ["good", "altered", "unsigned", "signed here"])
@pytest.mark.parametrize("when", ["before its name", "after its name"])
def test_one_that_comes_again_after_a_gate_that_died(
    tmp_path, flushed, signer, monkeypatch, kind, when
):
    """The first gate had given it its name, and died before that was on disk."""
    if kind == "signed here":
        kind = "unsigned"
    else:
        signer = None
    with monkeypatch.context() as patch:

        def dies(folder):
            if os.path.basename(folder) in (SERIES, "quarantine") or when == "before its name":
                raise PowerFailureError

        first = admission(tmp_path, signer)
        patch.setattr(placer, "sync_folder", dies)
        with pytest.raises(PowerFailureError):
            put(first, file_of(kind))
    flushed.clear()
    outcome = put(admission(tmp_path, signer), file_of(kind))
    root = tmp_path / ("elsewhere/quarantine" if kind == "altered" else "store")
    assert not_flushed(flushed, *chain(str(root), outcome.path)) == []


@pytest.mark.parametrize("signs", [False, True])
def test_one_that_was_stored_without_being_flushed(tmp_path, flushed, signer, signs):
    """As by a gate with --no-sync, or by whoever copied it there."""
    kind, signer = ("unsigned", signer) if signs else ("good", None)
    put(Admission(policy(), Store(tmp_path / "store", sync=False), signer=signer), file_of(kind))
    outcome = put(admission(tmp_path, signer), file_of(kind))
    assert outcome.state == "same"
    assert outcome.path == str(tmp_path / "store" / STUDY / SERIES / f"{uid(1)}.dcm")
    assert not_flushed(flushed, *chain(str(tmp_path / "store"), outcome.path)) == []


def test_folders_that_another_thread_has_just_created(tmp_path, flushed):
    """That they are there does not say that they are on disk."""
    gate = admission(tmp_path)
    os.makedirs(os.path.join(gate.store.root, STUDY, SERIES))
    outcome = put(gate, file_of("good"))
    assert not_flushed(flushed, *chain(str(tmp_path / "store"), outcome.path)) == []

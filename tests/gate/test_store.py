"""Objects are kept bit for bit, whole or not at all, and nobody takes another's place."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from pathlib import Path

import pytest
from _gate import SERIES, STUDY, file_of, policy, uid

from dicomseal.errors import SourceError
from dicomseal.files import atomic
from dicomseal.gate import judge
from dicomseal.gate import store as stores
from dicomseal.gate.admission import Admission
from dicomseal.gate.identity import identify, safe_name
from dicomseal.gate.log import ObjectLog
from dicomseal.gate.origin import Origin
from dicomseal.gate.placer import NEW, OTHER, SAME
from dicomseal.gate.policy import QUARANTINE
from dicomseal.gate.quarantine import Quarantine
from dicomseal.gate.spool import Spool
from dicomseal.gate.store import Store

ORIGIN = Origin(via="test", calling_aet="SCU")


def kept(root):
    """The files of a store or quarantine, by their paths in it."""
    return {
        os.path.relpath(os.path.join(folder, name), root): Path(folder, name).read_bytes()
        for folder, _, names in os.walk(root)
        for name in names
        if stores.OWN not in folder
    }


def leftovers(store):
    return os.listdir(os.path.join(store.own, "incoming"))


def put(admission, data, **announced):
    with admission.store.incoming() as incoming:
        for start in range(0, len(data), 1000):
            incoming.write(data[start : start + 1000])
        incoming.finish()
        return admission.admit(incoming.path, incoming.size, ORIGIN, **announced)


@pytest.mark.parametrize("sync", [True, False])
def test_an_object_is_kept_bit_for_bit_under_its_uids(tmp_path, sync):
    store = Store(tmp_path / "store", sync=sync)
    outcome = put(Admission(policy(), store), file_of("good"))
    path = os.path.join(STUDY, SERIES, f"{uid(1)}.dcm")
    assert kept(store.root) == {path: file_of("good")}
    assert outcome.path == os.path.join(store.root, path)
    assert (outcome.state, outcome.size) == (NEW, len(file_of("good")))
    assert leftovers(store) == []


def test_what_is_refused_leaves_nothing(tmp_path):
    store = Store(tmp_path / "store")
    outcome = put(Admission(policy(), store), file_of("altered"))
    assert (outcome.path, outcome.state) == ("", "")
    assert kept(store.root) == {}
    assert leftovers(store) == []


def test_the_same_again_is_no_second_file(tmp_path):
    store = Store(tmp_path / "store")
    admission = Admission(policy(), store)
    assert [put(admission, file_of("good")).state for _ in range(3)] == [NEW, SAME, SAME]
    assert len(kept(store.root)) == 1
    # another preamble says nothing of the object
    assert put(admission, b"II*\0" + file_of("good")[4:]).state == SAME
    assert list(kept(store.root).values()) == [file_of("good")]


def test_another_object_with_the_same_uids_takes_nobodys_place(tmp_path):
    store = Store(tmp_path / "store")
    admission = Admission(policy(), store)
    first = put(admission, file_of("good"))
    others = [put(admission, file_of("unsigned")) for _ in range(2)]
    assert [one.state for one in others] == [OTHER, SAME]
    assert others[0].path == others[1].path != first.path
    files = kept(store.root)
    assert sorted(files.values()) == sorted([file_of("good"), file_of("unsigned")])
    assert files[os.path.relpath(first.path, store.root)] == file_of("good")


def test_quarantine_has_the_object_and_its_report(tmp_path):
    store, root = Store(tmp_path / "store"), tmp_path / "quarantine"
    admission = Admission(policy(on_failed=QUARANTINE), store, Quarantine(root))
    outcome = put(admission, file_of("altered"))
    assert (outcome.decision.action, outcome.decision.status) == (QUARANTINE, 0)
    assert kept(store.root) == {}
    files = kept(root)
    assert files.pop(os.path.relpath(outcome.path, root)) == file_of("altered")
    ((name, text),) = files.items()
    assert name == os.path.relpath(outcome.path, root).replace(".dcm", ".json")
    record = json.loads(text)
    assert record["origin"]["calling_aet"] == "SCU"
    assert record["comment"].startswith("HASH_FAILURE")
    assert record["study"] == STUDY
    assert record["report"]["verdict"] == "failed"
    assert record["report"]["path"] == outcome.path
    assert record["report"]["sop_instance_uid"] == uid(1)


def test_the_report_in_quarantine_tells_of_the_first_arrival(tmp_path):
    """Whoever sends it once more does not change who sent it first."""
    store, root = Store(tmp_path / "store"), tmp_path / "quarantine"
    admission = Admission(policy(on_failed=QUARANTINE), store, Quarantine(root))
    put(admission, file_of("altered"))
    before = kept(root)
    again = put(admission, file_of("altered"))
    assert (again.state, kept(root)) == (SAME, before)


def test_a_quarantine_without_room_keeps_no_report_on_nothing(tmp_path, monkeypatch):
    store, root = Store(tmp_path / "store"), tmp_path / "quarantine"
    admission = Admission(policy(on_failed=QUARANTINE), store, Quarantine(root))

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", full)
        outcome = put(admission, file_of("altered"))
    assert (outcome.decision.action, outcome.decision.status) == ("refuse", 0xA700)
    assert kept(root) == {}
    assert put(admission, file_of("altered")).decision.action == QUARANTINE
    assert len(kept(root)) == 2


def test_leftovers_in_quarantine_and_spool_go(tmp_path):
    """Others may be at work in a quarantine; what nobody has written to for long is of the dead."""
    names = [f"{atomic.PREFIX}{number}{atomic.SUFFIX}" for number in range(2)]
    for folder in ("quarantine", "spool"):
        os.mkdir(tmp_path / folder)
        for name in names:
            (tmp_path / folder / name).write_bytes(b"half")
    long_ago = time.time() - 7200
    os.utime(tmp_path / "quarantine" / names[0], (long_ago, long_ago))
    Quarantine(tmp_path / "quarantine")
    Spool(str(tmp_path / "spool"))
    assert os.listdir(tmp_path / "quarantine") == names[1:]
    assert os.listdir(tmp_path / "spool") == ["aside"]


@pytest.mark.parametrize("patients", [False, True])
def test_trouble_with_a_folder_does_not_name_the_study_in_the_log(
    tmp_path, monkeypatch, caplog, patients
):
    admission = Admission(policy(), Store(tmp_path / "store"), told=ObjectLog(patients))

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, caplog.at_level("INFO", "dicomseal.gate"):
        patch.setattr(os, "link", full)
        assert put(admission, file_of("good")).decision.status == 0xA700
    fields = caplog.records[-1].fields
    assert "cannot be written" in fields["trouble"]
    assert (STUDY in fields["trouble"]) is patients
    assert (SERIES in fields["trouble"]) is patients


def test_a_policy_with_quarantine_needs_a_folder(tmp_path):
    with pytest.raises(SourceError, match="quarantine"):
        Admission(policy(on_failed=QUARANTINE), Store(tmp_path))


@pytest.mark.parametrize(
    "value",
    ["..", ".", "", "../../etc/passwd", "1.2/../../x", "1..2", ".1", "1.", "a" * 200, "1" * 65,
     "CON", "1.2\n", "Ä", "-rf", "1.2.dcm"],
)  # fmt: skip
def test_no_name_leaves_its_folder(value):
    name = safe_name(value)
    assert name.isascii()
    assert os.path.basename(name) == name not in ("", ".", "..")
    assert name != value or not value
    assert len(name) <= 64


def test_different_values_have_different_names():
    values = ["", "..", "...", "1..2", "1.2", "1.20", "none", "x", safe_name("..")]
    assert len({safe_name(value) for value in values}) == len(values)
    assert safe_name("1.2.840.10008") == "1.2.840.10008"
    assert safe_name("1.02.3") == "1.02.3"


def test_hostile_uids_stay_in_the_store(tmp_path):
    data = file_of("unsigned").replace(uid(1).encode(), (b"../" * 8).ljust(len(uid(1)), b"x"))
    assert identify(data).sop_instance.startswith("../../")
    store = Store(tmp_path / "store")
    outcome = put(Admission(policy(), store), data)
    assert os.path.dirname(outcome.path) == os.path.join(store.root, STUDY, SERIES)
    assert sorted(os.listdir(tmp_path)) == ["store"]


def test_a_full_disk_is_refused_with_a700_and_leaves_nothing(tmp_path, monkeypatch):
    store = Store(tmp_path / "store")
    admission = Admission(policy(), store)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    outcome = put(admission, file_of("good"))
    assert (outcome.decision.action, outcome.decision.status) == ("refuse", 0xA700)
    assert "no space" in outcome.decision.comment
    assert "No space left" in outcome.trouble
    monkeypatch.undo()
    assert kept(store.root) == {}
    assert leftovers(store) == []
    assert put(admission, file_of("good")).state == NEW


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM])
def test_another_file_system_or_one_without_links(tmp_path, monkeypatch, number):
    link, asked = os.link, []

    def refuse(one, other):
        asked.append(other)
        if number == errno.EPERM or os.path.dirname(os.path.dirname(one)).endswith(stores.OWN):
            raise OSError(number, os.strerror(number))
        link(one, other)

    monkeypatch.setattr(os, "link", refuse)
    store = Store(tmp_path / "store")
    admission = Admission(policy(), store)
    states = [put(admission, file_of(kind)).state for kind in ("good", "good", "unsigned")]
    assert asked
    assert states == [NEW, SAME, OTHER]
    assert sorted(kept(store.root).values()) == sorted([file_of("good"), file_of("unsigned")])
    assert leftovers(store) == []


def test_a_folder_that_was_taken_away_comes_back(tmp_path):
    store = Store(tmp_path / "store")
    admission = Admission(policy(), store)
    first = put(admission, file_of("good"))
    os.unlink(first.path)
    os.removedirs(os.path.dirname(first.path))
    assert put(admission, file_of("good")).state == NEW


def test_one_gate_a_store_and_leftovers_of_dead_ones_go(tmp_path):
    store = Store(tmp_path / "store")
    left = store.incoming()
    left.write(b"half of it")
    with store.opened():
        assert leftovers(store) == []
        with pytest.raises(SourceError, match="another gate") as caught, Store(store.root).opened():
            pass
        assert caught.value.code == "in_use"
    left.discard()
    with Store(store.root).opened():
        pass


def test_the_ledger_and_the_spool_come_before_the_answer(tmp_path):
    steps = []

    def ledger(outcome, _):
        steps.append(("ledger", os.path.exists(outcome.path)))

    admission = Admission(
        policy(),
        Store(tmp_path / "store"),
        spool=lambda path: steps.append(("spool", os.path.exists(path))),
        ledger=ledger,
        told=lambda outcome, _: steps.append(("told", outcome.state)),
    )
    put(admission, file_of("good"))
    assert steps == [("spool", True), ("ledger", True), ("told", "new")]
    steps.clear()
    put(admission, file_of("altered"))
    assert steps == [("ledger", False), ("told", "")]


def test_what_the_ledger_cannot_keep_is_not_accepted(tmp_path):
    def ledger(*_):
        raise SourceError("ledger.db: cannot be written", "no_space")

    store = Store(tmp_path / "store")
    outcome = put(Admission(policy(), store, ledger=ledger), file_of("good"))
    assert outcome.decision.status == 0xA700
    # the sender sends it again, and then it is there already
    assert put(Admission(policy(), store), file_of("good")).state == SAME


def test_judging_is_all_that_reads_the_object(tmp_path):
    """What is judged is what is kept: the identity comes from the same bytes."""
    path = tmp_path / "a.dcm"
    path.write_bytes(file_of("good"))
    before = judge(path, policy())
    path.write_bytes(file_of("unsigned", 2))
    assert before.identity.sop_instance == uid(1)
    assert judge(path, policy()).identity.sop_instance == uid(2)


def test_a_flush_that_fails_keeps_nothing(tmp_path, monkeypatch):
    """It goes on while the object is judged, and is waited for before the object is kept."""
    store = Store(tmp_path / "store")
    steps = []

    def broken(descriptor):
        steps.append(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    admission = Admission(policy(), store)
    with store.incoming() as incoming:
        incoming.write(file_of("good"))
        monkeypatch.setattr(os, "fsync", broken)
        incoming.flush()
        outcome = admission.admit(incoming.path, incoming.size, ORIGIN, finish=incoming.finish)
    assert len(steps) == 1
    assert (outcome.decision.status, outcome.path) == (0xA700, "")
    assert "Input/output error" in outcome.trouble
    assert (kept(store.root), leftovers(store)) == ({}, [])


def test_what_is_refused_waits_for_no_disk(tmp_path):
    def finish():
        raise AssertionError

    admission = Admission(policy(), Store(tmp_path / "store"))
    with admission.store.incoming() as incoming:
        incoming.write(file_of("altered"))
        assert admission.admit(incoming.path, 1, ORIGIN, finish=finish).path == ""


def test_a_flush_under_way_keeps_its_descriptor(tmp_path, monkeypatch):
    """Whoever gives a file up must not close what is flushed: the number is soon another file's."""
    closed, flushed = [], threading.Event()

    def slow(_):
        time.sleep(0.2)
        closed.append(incoming._file is None or incoming._file.closed)
        flushed.set()

    with Store(tmp_path / "store").incoming() as incoming:
        incoming.write(b"x")
        monkeypatch.setattr(os, "fsync", slow)
        incoming.flush()
    assert flushed.is_set()
    assert closed == [False]

"""Killed at any moment: what was answered is there, nothing is half written, nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import threading
import time

import pki
import pytest
from _gate import elements, file_of, policy, uid
from _gate_process import until
from _raw_scu import Peer, data_set, store
from pynetdicom import AE, AllStoragePresentationContexts, evt

from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.gate.forwarding import Node
from dicomseal.gate.scp import Settings as Network
from dicomseal.gate.scp import StorageSCP
from dicomseal.gate.service import Service, Settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks into /proc")
KILLS = 20
SIZE = 60_000


def serve(ready, folder, jobs, forward):
    """In a process of its own."""
    os.setsid()
    front = StorageSCP(Network(aet="GATE"))
    settings = Settings(
        policy=policy(),
        store=os.path.join(folder, "store"),
        fronts=(front,),
        ledger=os.path.join(folder, "ledger.db"),
        forward=forward,
        jobs=jobs,
    )
    Service(settings).run(lambda: ready.send(front.port))


def started(folder, jobs, forward):
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, folder, jobs, forward))
    process.start()
    theirs.close()
    assert ours.poll(30)
    return process, ours.recv()


@pytest.fixture
def node():
    """The next node: what it got, in the order of its coming."""
    got = []

    def take(event):
        got.append((str(event.request.AffectedSOPInstanceUID), event.request.DataSet.getvalue()))
        return 0

    ae = AE("NEXT")
    ae.supported_contexts = AllStoragePresentationContexts
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    yield Node("127.0.0.1", server.server_address[1], "NEXT"), got
    server.shutdown()


def stored(folder):
    """The data sets in the store, by SOP Instance UID."""
    found = {}
    for path, _, names in os.walk(os.path.join(folder, "store")):
        if ".dicomseal-gate" not in path:
            for name in names:
                with open(os.path.join(path, name), "rb") as file:
                    found[name.removesuffix(".dcm")] = data_set(file.read())
    return found


def objects(number):
    """One that is signed, and many that are not."""
    if number == 0:
        return uid(0), data_set(file_of("good", 0, SIZE))
    return uid(number), pki.encode(elements(number, SIZE))


@pytest.mark.parametrize("jobs", [1, 2])
def test_twenty_kills_lose_nothing(tmp_path, node, jobs):
    forward, got = node
    chance = random.Random(jobs)
    answered: dict[str, bytes] = {}
    sent: dict[str, bytes] = {}
    slow = 1.0  # a machine that is busy needs longer for the first answer
    for _ in range(KILLS // 2):
        process, port = started(tmp_path, jobs, forward)
        timer = threading.Timer(
            chance.uniform(0.05, 0.35) * slow, os.killpg, (process.pid, signal.SIGKILL)
        )
        timer.start()
        try:
            with Peer(port) as peer:
                while True:  # what was not answered is sent again
                    name, data = objects(len(answered))
                    sent[name] = data
                    assert peer.status(store(data, name)) == 0
                    answered[name] = data
        except OSError:
            pass
        timer.join()
        process.join(30)
        files = stored(tmp_path)
        assert {name: files.get(name) for name in answered} == answered
        for name, data in files.items():  # also one that was not answered is whole
            assert data == sent[name], name
        slow = slow if answered else slow * 2
    assert answered
    process, _ = started(tmp_path, jobs, forward)
    spool = tmp_path / "store" / ".dicomseal-gate"
    assert os.listdir(spool / "incoming") == []
    until(lambda: os.listdir(spool / "spool") == ["aside"])
    os.kill(process.pid, signal.SIGTERM)
    process.join(30)
    assert process.exitcode == 0
    # a duplicate is harmless, a loss is not
    forwarded = dict(got)
    assert {name: forwarded.get(name) for name in answered} == answered
    with Ledger(str(tmp_path / "ledger.db")) as ledger:
        assert audit(ledger).findings == []
        rows = [row for run in ledger.runs() for row in ledger.rows(*ledger.span(run.number))]
    assert {row.sop_instance_uid for row in rows} >= set(answered)
    assert {row.verdict for row in rows} == {"passed", "unsigned"}


def test_a_sender_that_is_killed_leaves_nothing(tmp_path):
    process, port = started(tmp_path, 1, None)
    pdus = store(data_set(file_of("good", 1, 900_000)), uid(1))
    for part in (1, 2, len(pdus) // 2, len(pdus) - 1):
        with Peer(port) as peer:
            peer.send(pdus[:part])
            if part % 2:
                peer.socket.sendall(pdus[part][:100])  # in the middle of a PDU
            time.sleep(0.1)
    incoming = tmp_path / "store" / ".dicomseal-gate" / "incoming"
    until(lambda: os.listdir(incoming) == [])
    assert stored(tmp_path) == {}
    with Peer(port) as peer:
        assert peer.status(pdus) == 0
        peer.release()
    os.kill(process.pid, signal.SIGTERM)
    process.join(30)
    assert process.exitcode == 0


def test_stopping_waits_for_what_is_on_its_way(tmp_path):
    process, port = started(tmp_path, 1, None)
    pdus = store(data_set(file_of("good", 1, 300_000)), uid(1))
    with Peer(port) as peer:
        peer.send(pdus[: len(pdus) // 2])
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGTERM)
        time.sleep(0.4)
        with pytest.raises(OSError):
            Peer(port, timeout=2)
        peer.send(pdus[len(pdus) // 2 :])
        assert peer.answer().Status == 0
    process.join(30)
    assert process.exitcode == 0
    assert list(stored(tmp_path)) == [uid(1)]


def test_a_worker_that_dies_stops_the_gate(tmp_path):
    process, port = started(tmp_path, 2, None)
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
        worker = int(children.read().split()[0])
    with Peer(port) as peer:
        assert peer.status(store(data_set(file_of("good", 1)), uid(1))) == 0
        os.kill(worker, signal.SIGKILL)
        process.join(30)
    assert not process.is_alive()
    assert list(stored(tmp_path)) == [uid(1)]

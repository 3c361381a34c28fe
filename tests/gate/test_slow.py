"""Slow disks and slow peers: the one is not taken for the other, and no peer holds a gate up."""

from __future__ import annotations

import threading
import time

import _gate
import pytest
from _gate import file_of, uid
from _gate_process import posix_only, until
from _raw_scu import VERIFICATION, Peer, data_set, echo, pdu, store

from dicomseal.gate.admission import Admission
from dicomseal.gate.connection import GateSocket
from dicomseal.gate.scp import Settings, StorageSCP
from dicomseal.gate.store import Incoming, Store

pytestmark = posix_only
TIMEOUT = 0.8  # seconds
PAUSE = 0.1


@pytest.fixture
def scp(tmp_path):
    """A Storage SCP in this process, which is soon out of patience."""
    scp = StorageSCP(Settings(aet="GATE", associations=4, timeout=TIMEOUT))
    scp.start(Admission(_gate.policy(), Store(tmp_path / "store", sync=False)))
    yield scp
    scp.stop(1.0)
    until(lambda: scp.associations == 0)


@pytest.fixture
def disk(monkeypatch):
    """A disk that takes as long as its list says for what is written next; then it is fast."""
    write, pauses = Incoming.write, []

    def slow(incoming, data):
        if incoming.size > 1000 and pauses:  # the head of the file came before
            time.sleep(pauses.pop())
        return write(incoming, data)

    monkeypatch.setattr(Incoming, "write", slow)
    return pauses


# --- a slow disk ----------------------------------------------------------------------------------


def test_a_long_transfer_is_not_idle(scp, disk):
    """The peer sends without a pause; that it takes longer than the timeout is not its doing."""
    disk += [0.07] * 40
    first = store(data_set(file_of("good", 1, 8 << 20)), uid(1), size=1 << 16)
    second = store(data_set(file_of("good", 2)), uid(2))
    with Peer(scp.port) as peer:
        begun = time.monotonic()
        assert peer.status(first) == 0
        assert time.monotonic() - begun > 3 * TIMEOUT
        time.sleep(TIMEOUT / 4)  # what came before does not count as silence either
        assert peer.status(second) == 0
        peer.release()


def test_a_disk_that_stalls_within_a_pdu_is_not_the_peers_fault(scp, disk):
    disk.append(2 * TIMEOUT)
    request = store(data_set(file_of("good", 1, 900_000)), uid(1), size=800_000)
    with Peer(scp.port) as peer:
        assert peer.status(request) == 0
        assert disk == []
        peer.release()


def test_a_peer_that_sends_without_end_does_not_keep_the_gate_from_stopping(scp, disk, monkeypatch):
    disk += [0.02] * 10_000
    ended, sent, send = threading.Event(), [], GateSocket.send
    monkeypatch.setattr(
        GateSocket, "send", lambda one, data: (sent.append(data[0]), send(one, data))
    )
    with Peer(scp.port) as peer:
        peer.send(store(b"x" * 100, uid(1))[:1])
        block = pdu(0, bytes(8000)) * 64

        def stream():
            try:
                while True:
                    peer.socket.sendall(block)
            except OSError:
                ended.set()

        sender = threading.Thread(target=stream)
        sender.start()
        until(lambda: len(disk) < 9_990)
        assert not scp.stop(2 * TIMEOUT)  # it did not come to its end
        until(lambda: scp.associations == 0, 5)
        assert ended.wait(5)
        sender.join()
    assert sent == [2, 7]  # it was told (A-ABORT), and not only cut off


# --- a slow peer ----------------------------------------------------------------------------------


COMMAND = store(b"x" * 100, uid(1))[0]
FOREVER = {  # what begins, and what comes after that without end
    "a data set": (COMMAND, pdu(0, b"x")),
    "a command set": (pdu(1, COMMAND[12:30]), pdu(1, b"")),
    "nothing": (b"", b"\4\0\0\0\0\0"),
    "nothing within a data set": (COMMAND, pdu(0, b"")),
}


ENDLESS = [  # an object that comes at once and without end has a limit of its own, --max-size
    ("a data set", PAUSE),
    *((kind, pause) for pause in (PAUSE, 0.0)
      for kind in ("a command set", "nothing", "nothing within a data set")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "pause"), ENDLESS)
def test_a_peer_that_comes_to_no_end_is_given_up(scp, kind, pause):
    """Each PDU comes in time, and so do the next ones; and the message never ends."""
    first, more = FOREVER[kind]
    begun = time.monotonic()
    with Peer(scp.port) as peer, pytest.raises(OSError):
        peer.socket.sendall(first)
        while time.monotonic() - begun < 10 * TIMEOUT:
            peer.socket.sendall(more if pause else more * 4096)
            time.sleep(pause)
    until(lambda: scp.associations == 0)


def test_a_slow_line_is_served(scp):
    """Four times the timeout for an object; it comes at 20 KB a second."""
    request = store(data_set(file_of("good", 1, 40_000)), uid(1), size=2000)
    with Peer(scp.port) as peer:
        for one in request:
            peer.socket.sendall(one)
            time.sleep(PAUSE)
        assert peer.answer().Status == 0
        peer.release()


def test_who_asks_now_and_then_may_stay(scp):
    with Peer(scp.port, VERIFICATION) as peer:
        for _ in range(8):
            time.sleep(TIMEOUT / 4)
            assert peer.status(echo()) == 0
        peer.release()

"""The associations of a gate, seen from inside: what cannot begin leaves nothing behind."""

from __future__ import annotations

import os
import socket

import _gate
import pytest
from _gate_process import posix_only, until
from _raw_scu import Peer, echo

from dicomseal.gate.admission import Admission
from dicomseal.gate.association import GateAssociation
from dicomseal.gate.front import Counts
from dicomseal.gate.scp import Settings, StorageSCP
from dicomseal.gate.store import Store

pytestmark = posix_only


@pytest.fixture
def counts():
    return Counts([0], 4)


@pytest.fixture
def scp(tmp_path, counts):
    """A Storage SCP in this process."""
    scp = StorageSCP(Settings(aet="GATE", associations=4, timeout=5.0))
    scp.start(Admission(_gate.policy(), Store(tmp_path / "store", sync=False)), counts)
    yield scp
    scp.stop(1.0)


def descriptors():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_an_association_whose_thread_cannot_be_started(scp, counts, monkeypatch):
    """Nothing of it is left: neither association nor connection, and no descriptor."""
    begun = []

    def start(assoc):
        begun.append(assoc)
        assert scp.associations == 1  # it was noted before
        raise RuntimeError("can't start new thread")

    with Peer(scp.port, "1.2.840.10008.1.1") as peer:
        peer.status(echo())
        peer.release()
    until(lambda: (scp.associations, counts.total) == (0, 0))
    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(GateAssociation, "start", start)
        for number in range(10):
            with socket.create_connection(("127.0.0.1", scp.port), timeout=20) as peer:
                assert peer.recv(1) == b""  # closed without a word
            until(lambda: (scp.associations, counts.total) == (0, 0))
            assert len(begun) == number + 1
    until(lambda: descriptors() <= before)
    with Peer(scp.port, "1.2.840.10008.1.1") as peer:  # more than its share had failed
        assert peer.status(echo()) == 0
        peer.release()

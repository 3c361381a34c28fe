"""The pages for those who watch a gate, and what strangers may do to them."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import urllib.request

import pytest
from _gate_process import until

from dicomseal.gate import monitor as monitors
from dicomseal.gate.figures import Figures
from dicomseal.gate.monitor import Monitor

PATIENCE, MOST = 1.0, 3  # seconds, requests


@pytest.fixture
def port(monkeypatch):
    monkeypatch.setattr(monitors, "_PATIENCE", PATIENCE)
    monkeypatch.setattr(monitors, "_MOST", MOST)
    monitor = Monitor(Figures(), lambda: {"status": "ok"}, "127.0.0.1", 0)
    monitor.start()
    yield monitor.port
    monitor.stop()


def health(port):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
        return json.loads(answer.read())


def test_a_request_that_dribbles_ends(port):
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        with pytest.raises(ConnectionError):
            while time.monotonic() < begun + 20:
                peer.sendall(b"G")
                time.sleep(0.05)
        assert time.monotonic() - begun < 10
    assert health(port) == {"status": "ok"}


def test_so_many_at_a_time(port):
    before, most = threading.active_count(), 0
    with contextlib.ExitStack() as stack:
        peers = []
        for _ in range(5 * MOST):
            peer = socket.create_connection(("127.0.0.1", port), timeout=20)
            peers.append(stack.enter_context(peer))
            time.sleep(0.02)
            most = max(most, threading.active_count() - before)
        for peer in peers:
            most = max(most, threading.active_count() - before)
            with contextlib.suppress(ConnectionError):
                assert peer.recv(1) == b""  # in the end all are closed
    assert most <= 2 * MOST  # each has a thread, and a timer
    until(lambda: threading.active_count() <= before)
    assert health(port) == {"status": "ok"}

"""What the next node has just taken is not sent to it once more, and all else is."""

from __future__ import annotations

import contextlib
import os
import time

import pytest
from _forwarding import Next, Sending, free_port, spool_of
from _gate import file_of, trust_file, uid
from _gate_process import gate, posix_only, send, until

from dicomseal.gate import forwarding


@pytest.fixture
def spooled(tmp_path):
    return spool_of(tmp_path)


def test_an_object_that_comes_once_more(spooled):
    """Whether the first one still waits, or has been sent already."""
    spool, put = spooled
    sent = [(uid(1), put(1)), (uid(2), put(2))]
    put(1)
    with Next() as node, Sending(spool, node.node) as sending:
        until(lambda: not len(spool))
        put(2)
        put(1)
        until(lambda: not len(spool))
        assert node.got == sent
    assert sorted(sending.told) == ["repeated"] * 3 + ["sent"] * 2


def test_one_that_the_next_node_did_not_take(spooled):
    """What was not taken has not been sent, however often it was tried."""
    spool, put = spooled
    data = put(1)
    put(1)
    with Next([0xA700, 0xA700]) as node, Sending(spool, node.node) as sending:
        until(lambda: not len(spool))
        assert node.got == [(uid(1), data)]
        assert node.asked == [uid(1)] * 3
    assert sending.told.count("repeated") == 1


def test_another_object_with_the_same_uids(spooled):
    spool, put = spooled
    sent = [(uid(1), put(1)), (uid(1), put(1, file_of("good", 1, 1024)))]
    with Next() as node, Sending(spool, node.node):
        until(lambda: not len(spool))
        assert node.got == sent


def test_one_that_was_taken_out_of_the_store_and_comes_again(spooled):
    """It has a new file, of which nobody knows whether the next node has it."""
    spool, put = spooled
    sent = [(uid(1), put(1))]
    with Next() as node, Sending(spool, node.node):
        until(lambda: not len(spool))
        (path,) = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(os.path.dirname(spool.folder))
            for name in names
            if name == f"{uid(1)}.dcm"
        ]
        os.unlink(path)
        sent.append((uid(1), put(1)))
        until(lambda: not len(spool))
        assert node.got == sent


@pytest.mark.parametrize("once", [0.0, 0.2])
def test_after_a_while_it_is_sent_again(spooled, once):
    """The next node may have lost it: whoever sends it again means that."""
    spool, put = spooled
    data = put(1)
    with Next() as node, Sending(spool, node.node, once=once):
        until(lambda: not len(spool))
        time.sleep(once)
        put(1)
        until(lambda: not len(spool))
        assert node.got == [(uid(1), data)] * 2


def test_what_an_earlier_version_left_in_the_spool(spooled):
    """Its entries say nothing of what they are, and are sent."""
    spool, put = spooled
    data = put(1)
    (entry,) = spool.entries()
    for number in range(2):
        os.link(entry, os.path.join(spool.folder, f"{number:020d}-0000001.dcm"))
    with Next() as node, Sending(spool, node.node):
        until(lambda: not len(spool))
        assert node.got == [(uid(1), data)] * 3


def test_what_is_remembered_is_bounded(spooled, monkeypatch):
    spool, put = spooled
    monkeypatch.setattr(forwarding, "_MOST_SENT", 3)
    with Next() as node, Sending(spool, node.node) as sending:
        for number in range(6):
            put(number)
        until(lambda: not len(spool))
        assert len(sending.forwarder._taken) == 3
        put(5)
        put(0)
        until(lambda: not len(spool))
        assert node.asked == [*map(uid, range(6)), uid(0)]


@posix_only
@pytest.mark.parametrize("count", [2, 3])
def test_gates_that_forward_in_a_ring_come_to_an_end(tmp_path, count):
    """Each of them sends an object on once, and stores it once."""
    arguments = ("--trust", trust_file(tmp_path), "--no-sync", "--metrics-port", 0)
    files = []
    for number in range(3):
        files.append(tmp_path / f"{number}.dcm")
        files[-1].write_bytes(file_of("good", number))
    first = following = free_port()
    with contextlib.ExitStack() as stack:

        def begin(name, **options):
            forward = ("--forward", f"127.0.0.1:{following}:GATE")
            return stack.enter_context(gate(tmp_path / name, *arguments, *forward, **options))

        ring = []
        for number in range(1, count):
            ring.append(begin(f"gate{number}"))
            following = ring[-1].port
        ring.append(begin("first", port=first))
        until(lambda: ring[-1].ports)
        assert send(first, *files) == 0
        # at the first one they come a second time
        until(lambda: [len(one.objects()) for one in ring] == [3] * (count - 1) + [6])
        until(lambda: not any(one.waiting() for one in ring))
        time.sleep(0.5)
        assert [len(one.objects()) for one in ring] == [3] * (count - 1) + [6]
        repeated = 'dicomseal_gate_forward_attempts_total{result="repeated"}'
        assert ring[-1].figures()[repeated] == 3
        assert [len(one.paths()) for one in ring] == [3] * count

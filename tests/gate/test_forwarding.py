"""What was accepted goes on to the next node: in order, as it came, and never lost."""

from __future__ import annotations

import errno
import json
import os
import threading
import time

import pki
import pytest
from _forwarding import CT, Next, Sending, free_port, spool_of
from _gate import elements, file_of, part10, text, trust_file, uid
from _gate_process import gate, posix_only, send, until
from _raw_scu import data_set
from pynetdicom.association import Association

from dicomseal.errors import UsageError
from dicomseal.gate import forwarding
from dicomseal.gate.forwarding import Node
from dicomseal.gate.spool import Spool


@pytest.fixture
def spooled(tmp_path):
    return spool_of(tmp_path)


def test_in_order_and_as_it_came(spooled):
    spool, put = spooled
    sent = [(uid(number), put(number)) for number in (5, 3, 9)]
    with Next() as node, Sending(spool, node.node) as sending:
        until(lambda: not len(spool))
        sent += [(uid(number), put(number)) for number in (1, 2)]
        until(lambda: not len(spool))
        assert node.got == sent
        assert sending.told == ["sent"] * 5


def test_the_same_object_again_is_in_the_spool_again(spooled):
    """The gate cannot know whether it died before or after the first time."""
    spool, put = spooled
    put(1)
    put(1)
    assert len(spool) == 2


def test_one_without_room_is_asked_again_and_nothing_overtakes(spooled):
    spool, put = spooled
    sent = [(uid(number), put(number)) for number in range(3)]
    with Next([0xA700, 0xA701, 0, 0xA700]) as node, Sending(spool, node.node) as sending:
        until(lambda: not len(spool))
        assert node.got == sent
        assert node.asked == [uid(0), uid(0), uid(0), uid(1), uid(1), uid(2)]
        assert sending.told.count("again") == 3


@pytest.mark.parametrize("answer", [0xA900, 0xC000, 0x0122])
def test_what_is_refused_for_good_is_put_aside_and_tried_at_the_next_start(spooled, answer, caplog):
    spool, put = spooled
    sent = [(uid(number), put(number)) for number in range(3)]

    def one(event):
        return answer if str(event.request.AffectedSOPInstanceUID) == uid(1) else 0

    with Next([one] * 50) as node, Sending(spool, node.node) as sending:
        until(lambda: spool.set_aside)
        assert not len(spool)
        assert sorted(node.got) == sorted([sent[0], sent[2]])
        assert node.asked.count(uid(1)) == 3
        assert sending.told.count("refused") == 1
    (report,) = [name for name in os.listdir(spool._aside) if name.endswith(".json")]
    with open(os.path.join(spool._aside, report)) as file:
        said = json.load(file)
    assert f"0x{answer:04X}" in said["reason"]
    assert said["sop_instance_uid"] == uid(1)
    warnings = [one for one in caplog.records if "not forwarded" in one.message]
    assert [one.fields["sop_instance_uid"] for one in warnings] == [uid(1)] * 3
    with Next() as node, Sending(spool, node.node):
        until(lambda: node.got == [sent[1]])
        until(lambda: not len(spool))
    assert spool.set_aside == 0


def test_a_warning_is_an_answer(spooled):
    spool, put = spooled
    put(1)
    with Next([0xB000]) as node, Sending(spool, node.node):
        until(lambda: not len(spool))
    assert len(node.got) == 1


def test_a_node_that_does_not_take_the_class(spooled):
    spool, put = spooled
    put(1, part10(pki.encode(elements(1, sop_class="1.2.3.4.5")), "1.2.3.4.5", uid(1)))
    good = put(2)
    with Next() as node, Sending(spool, node.node):
        until(lambda: spool.set_aside)
        until(lambda: not len(spool))
        assert node.got == [(uid(2), good)]


def with_meta(**uids):
    """A file whose File Meta Information has these UIDs; None: it has none."""
    usual = {"sop_class": text(CT), "instance": text(uid(1)), "syntax": text(pki.EXPLICIT)} | uids
    tags = (0x00020002, 0x00020003, 0x00020010)
    meta = pki.encode(
        [(tag, "UI", one) for tag, one in zip(tags, usual.values(), strict=True) if one is not None]
    )
    length = pki.encode([(0x00020000, "UL", len(meta).to_bytes(4, "little"))])
    return bytes(128) + b"DICM" + length + meta + pki.encode(elements(1))


@pytest.mark.parametrize(
    "uids",
    [
        {"instance": text("1." * 40 + "1")},
        {"instance": b""},
        {"instance": None},
        {"instance": text("1.2\\3.4")},
        {"instance": b"1.2.\xe4\0"},
        {"sop_class": None},
        {"sop_class": text("1.2.abc")},
        {"syntax": text("1." * 50 + "1")},
        {"syntax": text("foo.bar")},
    ],
    ids=repr,
)
def test_what_no_request_can_have_is_put_aside_and_holds_up_nobody(spooled, tmp_path, uids):
    """A stranger who sends such an object by STOW-RS must not end the way to the next node."""
    spool, put = spooled
    odd = tmp_path / "odd.dcm"
    odd.write_bytes(with_meta(**uids))
    spool.add(str(odd))
    good = put(2)
    with Next() as node, Sending(spool, node.node) as sending:
        until(lambda: not len(spool))
        assert node.got == [(uid(2), good)]
    assert spool.set_aside == 1
    assert sorted(sending.told) == ["refused", "sent"]


@pytest.mark.parametrize("why", ["cannot be read", "cannot be sent"])
def test_an_object_that_breaks_the_sender_is_put_aside_too(spooled, monkeypatch, why):
    spool, put = spooled
    if why == "cannot be read":
        os.mkdir(os.path.join(spool.folder, f"{1:020d}-0000001.dcm"))
    else:
        put(1)
        send_c_store = Association.send_c_store

        def breaks(assoc, path, *arguments):
            if os.path.basename(path) == os.path.basename(first):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return send_c_store(assoc, path, *arguments)

        (first,) = spool.entries()
        monkeypatch.setattr(Association, "send_c_store", breaks)
    good = put(2)
    with Next() as node, Sending(spool, node.node) as sending:
        until(lambda: not len(spool))
        assert node.got == [(uid(2), good)]
    assert spool.set_aside == 1
    assert sending.told.count("refused") == 1
    (report,) = [name for name in os.listdir(spool._aside) if name.endswith(".json")]
    with open(os.path.join(spool._aside, report)) as file:
        assert why in json.load(file)["reason"]


def test_what_no_file_can_be_read_for_puts_nothing_aside(spooled, monkeypatch):
    """A process that has no descriptor left is not the object's fault."""
    spool, put = spooled
    good = put(1)
    scarce = [True]

    def without(*arguments):
        if scarce[0]:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return open(*arguments)

    monkeypatch.setattr(forwarding, "open", without, raising=False)
    with Next() as node, Sending(spool, node.node):
        time.sleep(0.5)
        assert (len(spool), spool.set_aside) == (1, 0)
        scarce[0] = False
        until(lambda: not len(spool))
        assert node.got == [(uid(1), good)]


def test_a_node_that_hangs_up_in_the_middle(spooled):
    spool, put = spooled
    sent = [(uid(number), put(number)) for number in range(3)]

    def hang_up(event):
        event.assoc.abort()
        return 0xA700

    with Next([0, hang_up]) as node, Sending(spool, node.node):
        until(lambda: not len(spool))
        assert node.got == sent


def test_a_large_object_is_not_read_at_once(spooled):
    """The PDUs wait for the network, not in memory."""
    spool, put = spooled
    size = 24 << 20
    data = put(1, part10(pki.encode(elements(1, size)), CT, uid(1)))
    most = []
    with Next() as node, Sending(spool, node.node):
        stop = threading.Event()

        def watch():
            while not stop.wait(0.002):
                for thread in threading.enumerate():
                    waiting = getattr(thread, "to_provider_queue", None)
                    if waiting is not None:
                        most.append(waiting.qsize())

        watcher = threading.Thread(target=watch)
        watcher.start()
        until(lambda: not len(spool))
        stop.set()
        watcher.join()
        assert node.got == [(uid(1), data)]
    assert most
    assert max(most) <= 20


def test_a_spool_sorts_by_arrival_whatever_the_clock_does(tmp_path, monkeypatch):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"x")
    spool = Spool(str(tmp_path / "spool"))
    times = iter([1000, 2000, 500, 500, 3000])
    monkeypatch.setattr("time.time_ns", lambda: next(times))
    order = []
    for _ in range(5):
        spool.add(str(path))
        (new,) = set(spool.entries()) - set(order)
        order.append(new)
    assert order == spool.entries()
    again = Spool(spool.folder)  # another life, after the clock was set back
    again.entries()
    monkeypatch.setattr("time.time_ns", lambda: 1)
    again.add(str(path))
    assert again.entries()[:-1] == order


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("pacs.example:104:PACS", Node("pacs.example", 104, "PACS")),
        ("127.0.0.1:11112:A B", Node("127.0.0.1", 11112, "A B")),
        ("[::1]:104:X", Node("::1", 104, "X")),
    ],
)
def test_nodes(text, node):
    assert Node.parse(text) == node


@pytest.mark.parametrize(
    "text", ["", "pacs", "pacs:104", "pacs:0:X", "pacs:70000:X", "pacs:104:", "a:b:c", "::1:104:X",
             "pacs:104:" + "X" * 17, "pacs:104:A\\B", "pacs:104:   "],
)  # fmt: skip
def test_what_is_no_node(text):
    with pytest.raises(UsageError, match="HOST:PORT:AET"):
        Node.parse(text)


@posix_only
def test_a_next_node_that_is_down_for_a_while(tmp_path):
    """The sender is answered all the same; what it sent arrives when the node is there."""
    for number in range(4):
        (tmp_path / f"{number}.dcm").write_bytes(file_of("good", number))
    (tmp_path / "bad.dcm").write_bytes(file_of("altered", 9))
    port = free_port()
    arguments = ("--trust", trust_file(tmp_path), "--forward", f"127.0.0.1:{port}:NEXT")
    with gate(tmp_path / "store", *arguments) as running:
        for number in range(2):
            assert send(running.port, tmp_path / f"{number}.dcm") == 0
        assert send(running.port, tmp_path / "bad.dcm") == 0xA9
        assert len(running.waiting()) == 2
        running.kill()
    with gate(tmp_path / "store", *arguments) as running:
        for number in (2, 3):
            assert send(running.port, tmp_path / f"{number}.dcm") == 0
        assert len(running.waiting()) == 4
        with Next(port=port) as node:
            until(lambda: not running.waiting())
            assert node.got == [
                (uid(number), data_set(file_of("good", number))) for number in range(4)
            ]

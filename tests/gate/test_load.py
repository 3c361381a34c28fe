"""Many senders, many associations, large objects: nothing grows that should not."""

from __future__ import annotations

import os
import re
import socket
import sys
import time

import pki
import pytest
from _gate import CT, elements, file_of, part10, trust_file, uid
from _gate_process import client, gate, send, start_client, until
from _raw_scu import ABORT, VERIFICATION, Peer, data_set, echo, store

from dicomseal import sign_file
from dicomseal.archive.ledger.ledger import Ledger

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures as Linux counts")
ENHANCED = "1.2.840.10008.5.1.4.1.1.2.1"


def status_of(process):
    """Figures of a process from the kernel; memory in bytes."""
    with open(f"/proc/{process.pid}/status") as file:
        found = dict(line.split(":", 1) for line in file)
    return {
        "most": int(found["VmHWM"].split()[0]) << 10,
        "memory": int(found["VmRSS"].split()[0]) << 10,
        "threads": int(found["Threads"]),
        "files": len(os.listdir(f"/proc/{process.pid}/fd")),
    }


@pytest.mark.parametrize("jobs", [1, 2])
def test_eight_senders_at_once(tmp_path, jobs):
    """500 objects on 8 associations: each is there, once, and in the ledger."""
    senders, count = 8, 500 // jobs  # the second time with half of it
    sent = {}
    for sender in range(senders):
        folder = tmp_path / f"in{sender}"
        folder.mkdir()
        for number in range(sender, count, senders):
            data = pki.encode(elements(number, 20_000))
            sent[uid(number)] = data
            (folder / f"{number}.dcm").write_bytes(part10(data, CT, uid(number)))
    with gate(
        tmp_path / "store", "--integrity-only", "--jobs", jobs, "--ledger", tmp_path / "gate.db",
        "--metrics-port", 0, "--no-sync",
    ) as running:  # fmt: skip
        clients = [
            start_client(
                "dcmsend",
                "-aec",
                "GATE",
                "127.0.0.1",
                running.port,
                "+sd",
                tmp_path / f"in{sender}",
            )
            for sender in range(senders)
        ]
        assert [one.wait(120) for one in clients] == [0] * senders
        until(lambda: running.figures()["dicomseal_gate_seconds_count"] == count)
        assert {name: data_set(file) for name, file in running.files().items()} == sent
    assert len(running.objects()) == count
    with Ledger(str(tmp_path / "gate.db")) as ledger:
        rows = list(ledger.rows(*ledger.span(1)))
    assert sorted(row.sop_instance_uid for row in rows) == sorted(sent)


def test_a_thousand_associations_leave_nothing(tmp_path):
    """Released, aborted, hung up in the middle of an object: no socket, thread, file, memory."""
    pdus = store(pki.encode(elements(1, 60_000)), uid(1))
    with gate(tmp_path / "store", "--integrity-only", "--no-sync", "--log-level", "info",
              "--metrics-port", 0) as running:  # fmt: skip

        def round_of(count):
            for number in range(count):
                kind = number % 5
                peer = Peer(running.port, VERIFICATION if kind == 0 else CT)
                if kind == 0:
                    assert peer.status(echo()) == 0
                    peer.release()
                elif kind == 1:
                    assert peer.status(pdus) == 0
                    peer.release()
                elif kind == 2:
                    peer.socket.sendall(ABORT)
                    peer.close()
                elif kind == 3:
                    peer.send(pdus[:2])
                    peer.close()
                else:
                    peer.close()
            until(lambda: running.figures()["dicomseal_gate_connections"] == 0)
            until(lambda: running.waiting("incoming") == [])

        round_of(200)
        before = status_of(running.process)
        round_of(800)
        # a thread ends a moment after its association
        until(lambda: status_of(running.process)["threads"] <= before["threads"])
        after = status_of(running.process)
    assert after["files"] <= before["files"]
    assert after["memory"] - before["memory"] < 8 << 20
    assert len(running.objects()) == 200


def with_open_files(limit):
    """What a gate is started with, so that it may have so many; ``-S`` if it may ask for more."""
    return ("sh", "-c", f'ulimit {limit}; exec "$@"', "sh")


def test_more_associations_than_a_shell_allows_files_for(tmp_path):
    """The gate asks for what its associations need, where it may."""
    count = 60
    arguments = ("--trust", trust_file(tmp_path), "--max-associations", count, "--no-sync")
    with gate(tmp_path / "store", *arguments, prefix=with_open_files("-S -n 128")) as running:
        peers = [Peer(running.port) for _ in range(count)]
        for number, peer in enumerate(peers):
            assert peer.status(store(data_set(file_of("good", number)), uid(number))) == 0
        for peer in peers:
            peer.release()
    assert [line["action"] for line in running.objects()] == ["accept"] * count
    assert [line["level"] for line in running.log if line["level"] == "warning"] == []


def test_fewer_files_than_associations_need(tmp_path):
    """It says so; what it cannot receive now it refuses, as it would with a full disk."""
    arguments = ("--trust", trust_file(tmp_path), "--no-sync", "--on-failed", "quarantine",
                 "--quarantine", tmp_path / "quarantine", "--metrics-port", 0)  # fmt: skip
    with gate(tmp_path / "store", *arguments, prefix=with_open_files("-n 64")) as running:
        peers, statuses = [], []
        with pytest.raises(OSError):
            while len(peers) < 64:
                peers.append(Peer(running.port, timeout=5))
        watching = []  # what is left is taken by those who watch
        while status_of(running.process)["files"] < 64:
            address = "127.0.0.1", running.ports["metrics"]
            watching.append(socket.create_connection(address, timeout=5))
            time.sleep(0.05)
        for number, peer in enumerate(peers):
            statuses.append(peer.status(store(data_set(file_of("good", number)), uid(number))))
        for one in [*peers, *watching]:
            one.close()
        until(lambda: send(running.port, *one_file(tmp_path, 100)) == 0)
    assert "need 640 open files" in running.log[0]["message"]
    assert 0xA700 in statuses
    assert set(statuses) <= {0, 0xA700}
    assert sorted(running.files()) == sorted(
        [uid(100), *(uid(number) for number, status in enumerate(statuses) if status == 0)]
    )
    assert list((tmp_path / "quarantine").iterdir()) == []


def one_file(folder, number):
    path = folder / f"{number}.dcm"
    path.write_bytes(file_of("good", number))
    return [path]


def test_large_objects_take_no_memory(tmp_path):
    """Eight at a time of 40 MB, and one of 300 MB, under 200 MB."""
    large = tmp_path / "large.dcm"
    head = pki.encode(elements(100, 0, sop_class=ENHANCED))[:-12]
    with large.open("wb") as file:  # not made in memory either
        size = 300 << 20
        file.write(part10(head, ENHANCED, uid(100)))
        file.write(b"\xe0\x7f\x10\0OW\0\0" + size.to_bytes(4, "little"))
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
    signed = tmp_path / "signed.dcm"
    sign_file(large, signed, *pki.member("rsa").pair)
    arguments = ("--trust", trust_file(tmp_path), "--require", "signature", "--no-sync")
    with gate(tmp_path / "store", *arguments, "--metrics-port", 0) as running:
        clients = []
        for number in range(8):
            path = tmp_path / f"{number}.dcm"
            path.write_bytes(file_of("good", number, 40 << 20))
            clients.append(start_client("dcmsend", "127.0.0.1", running.port, path))
        assert [one.wait(120) for one in clients] == [0] * 8
        found = client("dcmsend", "127.0.0.1", running.port, signed)
        assert found.returncode == 0
        assert client("storescu", "127.0.0.1", running.port, large).returncode == 0xA9
        most = status_of(running.process)["most"]
    assert [line["verdict"] for line in running.objects()] == ["passed"] * 9 + ["failed"]
    assert most < 200 << 20
    (stored,) = [path for path in running.paths() if path.stem == uid(100)]
    assert stored.stat().st_size > 300 << 20


def test_an_idle_association_holds_no_memory(tmp_path):
    """Nor does one that stalls within an object, or within a PDU of it."""
    count, sizes = 12, (3_900_000, 7_900_000)  # kept in memory, and read to be judged
    with gate(tmp_path / "store", "--integrity-only", "--no-sync") as running:

        def memory():
            return status_of(running.process)["memory"]

        peers = [Peer(running.port) for _ in range(count)]
        before = memory()
        for size in sizes:
            for number, peer in enumerate(peers):
                pdus = store(pki.encode(elements(number, size)), uid(number), size=1 << 17)
                assert peer.status(pdus) == 0
        until(lambda: memory() - before < 24 << 20)
        for number, peer in enumerate(peers):
            pdus = store(pki.encode(elements(number, sizes[0])), uid(number), size=1 << 17)
            peer.send(pdus[:-2])
            if number % 2:
                peer.socket.sendall(pdus[-2][:1000])
        until(lambda: len(running.waiting("incoming")) == count)
        until(lambda: memory() - before < 24 << 20)
        for number, peer in enumerate(peers):  # and they may go on
            pdus = store(pki.encode(elements(number, sizes[0])), uid(number), size=1 << 17)
            peer.socket.sendall(pdus[-2][1000 if number % 2 else 0 :])
            assert peer.status(pdus[-1:]) == 0
            peer.release()
    assert [line["verdict"] for line in running.objects()] == ["unsigned"] * 3 * count


def test_an_idle_association_costs_nothing(tmp_path):
    """pynetdicom's own takes a hundredth of a core: sixty of them a whole one."""
    with gate(tmp_path / "store", "--integrity-only") as running:

        def used():
            with open(f"/proc/{running.process.pid}/stat") as file:
                fields = re.sub(r".*\) ", "", file.read()).split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        peers = [Peer(running.port, VERIFICATION) for _ in range(40)]
        begun = used()
        time.sleep(2)
        spent = used() - begun
        for peer in peers:
            peer.release()
    assert spent < 0.6, "seconds of a processor in 2 seconds"

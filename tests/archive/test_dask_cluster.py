"""`archive verify --scheduler`: a real scheduler and two workers on loopback; one is killed."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import subprocess
import sys
import time
from functools import partial
from types import SimpleNamespace

import _far
import _s3
import pki
import pytest

from dicomseal import sign_file
from dicomseal.archive.errors import ExecutorLostError
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import dask_cluster
from dicomseal.errors import LedgerError

FILES = 600
dask_worker = (
    pytest.importorskip("dicomseal.archive.run.dask_worker")
    if (importlib.util.find_spec("distributed") or os.environ.get("CI"))
    else None
)
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None and not os.environ.get("CI"),
    reason="there is no dask.distributed",
)


WORKER = "worker", "--nthreads", "1", "--no-nanny"


def start(started, file, *arguments):
    """Start a part of the cluster of this file."""
    started.append(
        subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard",
             "--scheduler-file", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
    )  # fmt: skip


def address_in(file):
    """The address that a scheduler writes to a file when it has begun."""
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return json.loads(file.read_text())["address"]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Address of the scheduler, and its process and those of the workers."""
    from distributed import Client

    monkeypatch.chdir(tmp_path)
    file = tmp_path / "scheduler.json"
    started = []
    start(started, file, "scheduler", "--port", "0")
    for _ in range(2):
        start(started, file, *WORKER)
    try:
        address = address_in(file)
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, started
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.fixture
def dead_server(tmp_path, monkeypatch):
    """A cluster of one worker with a nanny, for which most of an archive never comes."""
    from distributed import Client

    library = _far.built(tmp_path)
    if library is None:
        pytest.skip("there is no C compiler")
    monkeypatch.chdir(tmp_path)
    root, paths = below(tmp_path, signed(tmp_path), 60)
    for number, path in enumerate(paths):
        if number >= 10:
            os.rename(path, path.replace(".dcm", "-hangs.dcm"))
    file, started = tmp_path / "scheduler.json", []
    start(started, file, "scheduler", "--port", "0")
    with monkeypatch.context() as context:
        for name, value in _far.away(library, root).items():
            context.setenv(name, value)
        start(started, file, *WORKER[:3])
    try:
        address = address_in(file)
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
            yield address, client
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="a shim for LD_PRELOAD")
def test_a_worker_in_which_many_reads_hang_is_replaced(dead_server, run):
    """All that comes is verified, all that hangs is an error, and the process is a new one."""
    address, client = dead_server
    (before,) = client.run(os.getpid).values()
    arguments = ("archive", "verify", "archive", "--trust", "root.cert.pem", "--scheduler", address,
                 "--read-timeout", "1", "--read-ahead", "8")  # fmt: skip
    assert run(*arguments, "--ledger", "ledger.db")[0] == 4
    with Ledger("ledger.db") as ledger:
        verdicts = [(row.verdict, row.reason) for row in ledger.rows(*ledger.span(1))]
    assert verdicts.count(("error", "hung")) == 50
    assert verdicts.count(("passed", "")) == 10
    deadline = time.monotonic() + 60
    while before in (client.run(os.getpid).values() or [before]):
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture
def stored(monkeypatch):
    """An S3 server, which the workers that are started later can reach."""
    if _s3.SKIP:
        pytest.skip("there is no obstore, or no moto")
    with _s3.running() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def batches():
    try:
        with Ledger("ledger.db") as ledger:
            return len(list(ledger.batches(1)))
    except LedgerError:  # it is being made
        return 0


def signed(folder):
    pki.member("root").write(folder)
    path = folder / "signed.dcm"
    path.write_bytes(pki.small())
    sign_file(path, path, *pki.member("rsa").pair)
    return path.read_bytes()


def below(folder, data, count):
    root = folder / "archive"
    root.mkdir()
    for number in range(count):
        (root / f"{number}.dcm").write_bytes(data)
    return root, sorted(map(str, root.iterdir()))


def in_the_middle(root, address, data, count):
    """The command, running, and two of its batches in the ledger."""
    command = [sys.executable, "-m", "dicomseal", "archive", "verify", root, "--ledger",
               "ledger.db", "--trust", "root.cert.pem"]  # fmt: skip
    rate = str(count * len(data) / 4e6)
    running = subprocess.Popen([*command, "--scheduler", address, "--max-rate", rate],
                               stdout=-1, stderr=-1, text=True)  # fmt: skip
    while batches() < 2:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    assert batches() < count // 64
    return running, command


def check(expected):
    with Ledger("ledger.db") as ledger:
        rows = list(ledger.rows(*ledger.span(1)))
        assert sorted(row.path for row in rows) == expected
        assert {row.verdict for row in rows} == {"passed"}
        assert audit(ledger).intact


def test_a_killed_worker_loses_nothing(cluster, tmp_path):
    address, (_, worker, _) = cluster
    data = signed(tmp_path)
    root, expected = below(tmp_path, data, FILES)
    running, _ = in_the_middle(root, address, data, FILES)
    worker.kill()
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, (out, err)
    assert out.endswith(f"{FILES} passed\n")
    check(expected)


def test_a_killed_worker_and_an_object_store(stored, cluster, tmp_path):
    address, (_, worker, _) = cluster
    data = signed(tmp_path)
    stored.put("archive")
    for number in range(500):
        stored.put("archive", f"{number}.dcm", data)
    stored.faults()
    running, _ = in_the_middle("s3://archive", address, data, 500)
    worker.kill()
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, (out, err)
    check(sorted(f"s3://archive/{number}.dcm" for number in range(500)))
    assert sum(one["path"] != "?" for one in stored.log()) >= 500


def test_a_scheduler_that_is_lost(cluster, tmp_path):
    """The run stops with a sentence, and goes on without a scheduler as well."""
    address, (scheduler, *_) = cluster
    data = signed(tmp_path)
    root, expected = below(tmp_path, data, FILES)
    running, command = in_the_middle(root, address, data, FILES)
    scheduler.kill()
    out, err = running.communicate(timeout=120)
    assert (running.returncode, out) == (4, ""), err
    assert "has its scheduler gone?; --resume continues from here" in err.splitlines()[-1], err
    assert "Traceback" not in err, err
    before = batches()
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    assert done.returncode == 0, done
    assert 2 <= before < batches()
    check(expected)


def test_a_scheduler_that_is_not_there(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dicomseal.archive.run.dask_cluster.TIMEOUT", 1)
    done = subprocess.run(
        [sys.executable, "-m", "dicomseal", "archive", "verify", ".", "--ledger", "l.db",
         "--scheduler", "tcp://127.0.0.1:9"], capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 4
    assert "no scheduler answers at tcp://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
    assert not os.path.exists("l.db")


def test_what_all_tasks_share_is_sent_once(cluster, tmp_path):
    """To the workers that there are, and to one that joins later; not with every task."""
    from distributed import Client

    address, started = cluster
    sent = []

    def dumps(thing, protocol):
        sent.append(len(pickle.dumps(thing, protocol)))
        return pickle.dumps(thing, protocol)

    with Client(address, set_as_default=False) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr(dask_cluster, "pickle", SimpleNamespace(dumps=dumps, HIGHEST_PROTOCOL=5))
        # as large as a trust store with revocation lists is
        large, workers = partial(str.count, "x" * 1_000_000), dask_cluster.Workers(client)
        assert [workers.submit(large, "x" * n).result() for n in range(1, 4)] == [
            1_000_000, 500_000, 333_333,
        ]  # fmt: skip
        assert max(sent) > 1_000_000 > 10_000 > sum(sorted(sent)[:-1])
        start(started, tmp_path / "scheduler.json", *WORKER,
              "--preload", "dicomseal.archive.run.dask_worker")  # fmt: skip
        client.wait_for_workers(3, timeout=60)
        # the new one is as warm as the others before it has had a task, and is not looked at
        profiled = client.run(lambda dask_worker: "profile" in dask_worker.periodic_callbacks)
        assert sorted(profiled.values()) == [False, True, True]
        assert set(client.run(lambda: "dicomseal.trust.judge" in sys.modules).values()) == {True}
        for process in started[1:3]:
            process.kill()
            process.wait()
        assert workers.submit(large, "xx").result(timeout=60) == 500_000
        known = lambda: len(sys.modules["dicomseal.archive.run.dask_worker"]._known)  # noqa: E731
        assert list(client.run(known).values()) == [1]
        workers.shutdown()
        assert list(client.run(known).values()) == [0]


def test_a_worker_that_was_not_told_says_so_of_no_file():
    with pytest.raises(ExecutorLostError, match="was not told what this run does"):
        dask_worker.call(b"another", pickle.dumps([]))

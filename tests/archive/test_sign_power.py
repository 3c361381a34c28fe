"""The power fails while an archive is signed: each file is the old or the new one on the disk.

The archive and its ledger lie on two disks, whose writes and flushes are recorded
(`_power_disk.py`). A run is signed to its end once. Then the disks are made again as they were at
many moments of it, without what was not flushed by then, or with some of it, and mounted, so that
the file system recovers as after a reboot.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pki
import pytest
from _kills import SUPPORT, small_objects
from _power_disk import Disks

import dicomseal
from dicomseal.archive.errors import StoppedError
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import sign_archive
from dicomseal.archive.run.runner import Selection
from dicomseal.errors import LedgerError
from dicomseal.files import flush

FILES, CUTS, RESUMED = 60, 24, 4
IMAGES = {"archive": 24, "ledger": 16}  # MiB
# the most that ext4 lets go wrong: it does not look after programs that rename what is not flushed
OPTIONS = "noauto_da_alloc,commit=1"


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout.strip()


class Machine:
    """Two disks, and where they are mounted."""

    def __init__(self, folder, stack):
        self.folder, self.stack = folder, stack
        self.images = [str(folder / name) for name in IMAGES]
        self.places = [folder / "mnt" / name for name in IMAGES]
        for place in self.places:
            place.mkdir(parents=True)

    def make(self):
        for (name, size), path in zip(IMAGES.items(), self.images, strict=True):
            with open(path, "wb") as file:
                file.truncate(size << 20)
            run("mkfs.ext4", "-q", "-J", "size=4", "-L", name, path)

    @contextlib.contextmanager
    def mounted(self, images):
        with contextlib.ExitStack() as stack:
            for image, place in zip(images, self.places, strict=True):
                device = run("losetup", "--find", "--show", image)
                stack.callback(run, "losetup", "--detach", device)
                run("mount", "-t", "ext4", "-o", OPTIONS, device, place)
                stack.callback(run, "umount", place)
            yield

    @contextlib.contextmanager
    def recorded(self):
        """The disks, with all that is written to them in a log."""
        served = self.folder / "served"
        served.mkdir()
        command = [sys.executable, SUPPORT / "_power_disk.py", served, self.folder / "log"]
        server = subprocess.Popen([*command, *self.images], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout.readline() == "mounted\n"
            with self.mounted([served / name for name in IMAGES]):
                yield
        finally:
            with contextlib.suppress(OSError):
                run("umount", served)
            server.communicate(timeout=30)

    def sign(self, target, resume=False):
        archive, ledger = self.places
        return sign_archive.sign(
            str(ledger / "ledger.db"), Selection(roots=(str(archive / "files"),)),
            *pki.member("ec").pair, target=str(archive / "signed") if target else None,
            jobs=2, batch_files=8, resume=resume,
        )  # fmt: skip


@pytest.fixture(scope="module")
def disks(tmp_path_factory):
    """Skips, and says why, where the machine does not let this process mount anything."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("NO POWER CUT WAS TRIED: only root can mount")
    missing = [name for name in ("mkfs.ext4", "losetup", "mount") if not shutil.which(name)]
    missing += [name for name in ("/dev/fuse", "/dev/loop-control") if not os.path.exists(name)]
    if missing:
        pytest.skip(f"NO POWER CUT WAS TRIED: there is no {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("trial")
    try:
        with contextlib.ExitStack() as stack:
            machine = Machine(folder, stack)
            machine.make()
            with machine.recorded():
                pass
    except (OSError, AssertionError) as error:
        pytest.skip(f"NO POWER CUT WAS TRIED: this machine does not let us mount: {error}")


@pytest.fixture
def machine(disks, tmp_path):
    with contextlib.ExitStack() as stack:
        machine = Machine(tmp_path, stack)
        machine.make()
        with machine.mounted(machine.images):
            small_objects(machine.places[0] / "files", FILES, folders=5)
        yield machine


def signed_once(machine, target):
    """Sign all, and return the old and the new content of each file, and the log."""
    old, new = {}, {}
    with machine.recorded():
        root = machine.places[0] / "files"
        old = {path.relative_to(root): path.read_bytes() for path in root.glob("*/*.dcm")}
        outcome = machine.sign(target)
        assert outcome.complete
        assert outcome.totals.verdicts == {"signed": FILES}
        root = machine.places[0] / ("signed" if target else "files")
        new = {name: (root / name).read_bytes() for name in old}
    assert all(new[name] != old[name] for name in old)
    return old, new, Disks(machine.folder / "log", machine.images)


def wrong(machine, target, old, new):
    """What a power cut left that it must not: sentences; and how many files are new."""
    found = []
    archive, ledger = machine.places
    root = archive / ("signed" if target else "files")
    states = {}
    for name in old:
        data = (root / name).read_bytes() if (root / name).exists() else None
        before = None if target else old[name]
        states[name] = "new" if data == new[name] else "old" if data == before else "neither"
        if states[name] == "neither":
            found.append(f"{name} is neither the old nor the new file")
        if target and (archive / "files" / name).read_bytes() != old[name]:
            found.append(f"{name} was to be left alone")
    with contextlib.suppress(LedgerError), Ledger(str(ledger / "ledger.db")) as opened:
        run = opened.find()
        for row in opened.rows(*opened.span(run.number)):
            name = Path(row.path).relative_to(archive / "files")
            if states[name] != "new":
                found.append(f"the ledger is ahead of {name}")
    return found, list(states.values()).count("new")


def cuts(disks, seed, count=CUTS):
    """Moments: some before and some after a flush, the others anywhere."""
    chance = random.Random(seed)
    flushes = [n for n, (_, write, _, _) in enumerate(disks.entries) if not write]
    some = {n + chance.randint(0, 1) for n in chance.sample(flushes, min(count // 2, len(flushes)))}
    return sorted(some | set(chance.sample(range(len(disks.entries)), count - len(some))))


def resumed(machine, target, old):
    """After the reboot the run is brought to its end, and nothing that was begun is left."""
    archive, ledger = machine.places
    unfinished = False
    with contextlib.suppress(LedgerError), Ledger(str(ledger / "ledger.db")) as opened:
        unfinished = opened.find().finished is None
    assert machine.sign(target, resume=unfinished).complete
    root = archive / ("signed" if target else "files")
    assert {path.relative_to(root) for path in root.rglob("*") if path.is_file()} == set(old)
    for name in old:
        report = dicomseal.verify(root / name, integrity_only=True)
        assert (report.verdict, len(report.signatures)) == ("passed", 1), name
    with Ledger(str(ledger / "ledger.db")) as opened:
        assert audit(opened).findings == []
        last = opened.find()
        rows = list(opened.rows(*opened.span(last.number)))
    assert last.finished is not None
    assert len(rows) == FILES


@pytest.mark.parametrize("target", [False, True], ids=["in-place", "target"])
def test_the_power_fails(machine, target):
    old, new, disks = signed_once(machine, target)
    chance = random.Random(3)
    moments = cuts(disks, seed=5)
    resume = set(chance.sample(range(len(moments)), RESUMED))
    seen = set()
    for number, moment in enumerate(moments):
        images = [machine.folder / f"{name}.cut" for name in IMAGES]
        for path, data in zip(
            images, disks.cut(moment, chance if number % 2 else None), strict=True
        ):
            path.write_bytes(data)
        with machine.mounted(images):
            found, count = wrong(machine, target, old, new)
            assert not found, f"{moment} of {len(disks.entries)}: {found[:3]}"
            seen.add(count)
            if number in resume:
                resumed(machine, target, old)
    assert len(seen) > 3  # in the middle of the run, too


@pytest.mark.parametrize("left_out", ["flush_all", "flush_folder"])
def test_what_is_not_flushed_is_seen(machine, monkeypatch, left_out):
    """The same, where the files are not flushed before they are renamed, or the folders are not."""
    monkeypatch.setattr(flush, left_out, lambda _: None)
    old, new, disks = signed_once(machine, True)
    found = []
    for moment in cuts(disks, seed=5):
        images = [machine.folder / f"{name}.cut" for name in IMAGES]
        for path, data in zip(images, disks.cut(moment), strict=True):
            path.write_bytes(data)
        with machine.mounted(images):
            found += wrong(machine, True, old, new)[0]
    what = "neither the old nor the new" if left_out == "flush_all" else "the ledger is ahead"
    assert any(what in one for one in found)


def test_a_disk_that_takes_no_more_writes(machine, monkeypatch):
    """What the kernel could not write is an error of every file of the group, and none is new."""
    real = flush.flush_all
    broken = machine.folder / "log.broken"

    def last_words(descriptor):
        broken.touch()  # the disk fails after all was written to memory
        real(descriptor)

    monkeypatch.setattr(flush, "flush_all", last_words)
    root = machine.places[0] / "files"
    with machine.recorded():
        old = {path.relative_to(root): path.read_bytes() for path in root.glob("*/*.dcm")}
        with contextlib.suppress(StoppedError):
            assert machine.sign(target=False).complete
        with Ledger(str(machine.places[1] / "ledger.db")) as opened:
            rows = list(opened.rows(*opened.span(opened.find().number)))
        # in memory, too
        assert {path.relative_to(root): path.read_bytes() for path in root.glob("*/*.dcm")} == old
    assert {row.verdict for row in rows} == {"error"}
    assert {row.reason for row in rows} <= {"write", "unreadable"}
    # ext4 makes itself read-only when it cannot write its journal, which may come first
    told = ("Input/output error", "Read-only file system")
    assert any(row.sentence.endswith(told) for row in rows), {row.sentence for row in rows}
    disks = Disks(machine.folder / "log", machine.images)
    images = [machine.folder / f"{name}.cut" for name in IMAGES]
    for path, data in zip(images, disks.cut(len(disks.entries)), strict=True):
        path.write_bytes(data)
    with machine.mounted(images):
        assert {path.relative_to(root): path.read_bytes() for path in root.glob("*/*.dcm")} == old

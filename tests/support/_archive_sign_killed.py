"""Kills real runs that sign an archive, resumes them, and tells how each ended.

Run as a program with a job in JSON as its argument; `test_sign_killed.py` judges what is
left. It imports everything once and forks. Each campaign has a tree and a ledger of its own, and
goes on until its run has come to its end. Files are flushed in turns all at once and one by one.
One line of JSON for each try: ``[campaign, how it ended, rows in the ledger, temporary files
left]``. The ways to die:

* ``parent``: SIGKILL of the main process at a random moment: some time after a batch of its run is
  in the ledger, or while it starts; its workers find out, and end.
* ``all``: the same of the main process and its workers at once, as when the power fails.
* ``steps``: a worker kills all of them at the n-th event of Python's profiler (call or return of
  any function, of C or of Python) while it signs files. n grows by 37 from try to try.
* ``calls``: a worker kills all of them just before and just after each system call that changes a
  file or folder, or flushes it, one after the other, from the first of a group of files to the
  last of the second group: `CHANGING`. None is left out.
* ``moments``: all of them die at a step of a group of files, one after the other of `MOMENTS`, the
  n-th time that some process comes to it: when all is written, when it is flushed, before and after
  each rename, when all are renamed, when the folders are flushed, before and after the rows are in
  the ledger.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import _dying

from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import batch_signer, sign_archive
from dicomseal.archive.run.runner import Selection
from dicomseal.archive.run.session import Session
from dicomseal.errors import LedgerError
from dicomseal.files import flush, open_folder
from dicomseal.files.group import Group


def unfinished(ledger):
    with contextlib.suppress(LedgerError), Ledger(ledger) as opened:
        return opened.find().finished is None
    return False


def sign(job, place):
    outcome = sign_archive.sign(
        f"{place}/ledger.db", Selection(roots=(f"{place}/archive",)), job["key"], job["cert"],
        target=f"{place}/target" if job["target"] else None, jobs=2,
        batch_files=1 if job["how"] == "steps" else 4,
        resume=unfinished(f"{place}/ledger.db"), watch=lambda *_: os.write(PIPE[1], b"."),
    )  # fmt: skip
    return 0 if outcome.complete else 1


def fork(job, place, *prepare):
    return _dying.fork(lambda: sign(job, place), lambda: os.setpgid(0, 0), *prepare)


def flushing(together):
    """Have a run flush its files in this way, whatever their file system is."""
    return lambda: setattr(flush, "at_once", lambda _: together)


def dying_at(step):
    watch = _dying.at_event(step, die)
    inner = batch_signer.Worker.sign_all

    def watched(self, *arguments):
        sys.setprofile(watch)
        try:
            return inner(self, *arguments)
        finally:
            sys.setprofile(None)

    return lambda: setattr(batch_signer.Worker, "sign_all", watched)


CHANGING = frozenset({
    "chmod", "chown", "fchmod", "fchown", "fdatasync", "fsync", "ftruncate", "link", "mkdir",
    "open", "posix_fallocate", "pwrite", "pwritev", "remove", "rename", "replace", "setxattr",
    "symlink", "truncate", "unlink", "utime", "write", "writev",
})  # fmt: skip
# what Python's profiler does not see: a call of the C library
BY_THE_LIBRARY = frozenset({flush.flush_all.__code__})


def dying_around_call(number):
    """Have a worker kill all processes at the n-th beginning or end of such a call."""
    left = number
    lock = threading.Lock()  # files may be flushed by several threads

    def watch(frame, event, what):
        nonlocal left
        if event in ("c_call", "c_return"):
            if what.__name__ not in CHANGING or what.__module__ != "posix":
                return
            if what is os.open and frame.f_code.co_filename != open_folder.__file__:
                return  # it is read
        elif frame.f_code not in BY_THE_LIBRARY:
            return
        with lock:
            left -= 1
            if left <= 0:
                die()

    inner = batch_signer.Worker.sign_all

    def watched(self, *arguments):
        threading.setprofile(watch)
        sys.setprofile(watch)
        try:
            return inner(self, *arguments)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    return lambda: setattr(batch_signer.Worker, "sign_all", watched)


PIPE = os.pipe2(os.O_NONBLOCK)  # a run writes to it when it begins, and after each batch


def came(steps):
    """Wait until a run has begun and come so far, or has ended."""
    with contextlib.suppress(BlockingIOError):  # of the one before
        while os.read(PIPE[0], 4096):
            pass
    seen, until = 0, time.monotonic() + 20
    while seen < steps and time.monotonic() < until and not ended_already():
        select.select([PIPE[0]], [], [], 0.05)
        with contextlib.suppress(BlockingIOError):
            seen += len(os.read(PIPE[0], 4096))


def ended_already():
    """Whether the only child of this process has ended; it is still to be waited for."""
    return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def die():
    os.killpg(0, signal.SIGKILL)


def counted(owner, name, count, before):
    """Have a function kill all processes the n-th time, before its work or after it."""
    inner = getattr(owner, name)
    left = count

    def watched(*arguments, **named):
        nonlocal left
        left -= 1
        if before and left <= 0:
            die()
        answer = inner(*arguments, **named)
        if left <= 0:
            die()
        return answer

    return lambda: setattr(owner, name, watched)


MOMENTS = [
    (Group, "_flush", True), (Group, "_flush", False), (Group, "_rename", True),
    (Group, "_rename", False), (Group, "_flush_folders", True), (Group, "_flush_folders", False),
    (Session, "append", True), (Session, "append", False),
]  # fmt: skip


def tell(campaign, place, child):
    ended = _dying.ending(child)
    rows = 0
    with contextlib.suppress(LedgerError), Ledger(f"{place}/ledger.db") as ledger:
        first, last = ledger.span(ledger.find().number)
        rows = last - first + 1
    left = len(list(Path(place).rglob(".dicomseal-*")))
    print(json.dumps([campaign, ended, rows, left]), flush=True)
    return ended


def main():
    job = json.loads(sys.argv[1])
    chance = random.Random(job["seed"])
    kills = number = campaign = 0
    whole = 0.0
    while kills < job["kills"]:
        campaign += 1
        place = f"{job['place']}/{campaign}"
        shutil.copytree(job["archive"], f"{place}/archive")
        while True:
            number += 1
            start = time.monotonic()
            way = flushing(number % 2 == 0)
            if job["how"] == "steps":
                ended = tell(campaign, place, fork(job, place, way, dying_at(37 * number)))
            elif job["how"] == "calls":
                dying = dying_around_call(number)
                ended = tell(campaign, place, fork(job, place, flushing(campaign % 2), dying))
            elif job["how"] == "moments":
                owner, name, before = MOMENTS[number % len(MOMENTS)]
                count = chance.randint(1, 6 if name == "_rename" else 2)
                dying = counted(owner, name, count, before)
                ended = tell(campaign, place, fork(job, place, flushing(campaign % 2), dying))
            else:
                child = fork(job, place, way)
                if campaign > 1:  # the first is for the time
                    steps = chance.randint(0, 12)
                    came(steps)
                    time.sleep(chance.uniform(0, whole / 8 if steps else whole))
                    (os.killpg if job["how"] == "all" else os.kill)(child, signal.SIGKILL)
                ended = tell(campaign, place, child)
                whole = whole or time.monotonic() - start
            kills += ended == -signal.SIGKILL
            if ended == 0 or ended != -signal.SIGKILL:
                break
            with contextlib.suppress(LedgerError), Ledger(f"{place}/ledger.db") as ledger:
                if ledger.find().finished is not None:
                    break  # killed just after its end


if __name__ == "__main__":
    main()

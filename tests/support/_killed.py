"""Kills real children in the middle of signing and removing, and tells what they left behind.

Run as a program with a job in JSON as its argument; `test_replacing.py` judges what it
prints: one line of JSON for each child, ``[what, how it ended, digest of the target or null, other
names]``.

It imports everything once and forks, so that a child costs milliseconds. The ways to die:

* ``steps``: SIGKILL at the n-th event of Python's profiler (the call or the return of any function,
  of C or of Python, so also between any two system calls) after `Splice.save` began, for every n
  until the operation comes to its end.
* ``bytes``: killed by the kernel inside write(2), when the file has grown to n bytes (SIGXFSZ with
  its default action), for every n of the job.
* ``times``: SIGKILL from outside, after a random part of the time that the operation takes.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from dicomseal.editing.remove import remove_file
from dicomseal.editing.splice import Splice
from dicomseal.files import window
from dicomseal.keys.signing_key import SigningKey
from dicomseal.signing.sign_file import sign_file
from dicomseal.timestamps.request_files import insert_file

UID, WHEN = "2.25.99", datetime.fromisoformat("2026-01-02T03:04:05+00:00")


class Job:
    """What is done again and again, and the state before it."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.folder = os.path.dirname(job["target"])
        with open(job["before"], "rb") as file:
            self.before = file.read()
        self.response = b""
        if job["response"]:
            with open(job["response"], "rb") as file:
                self.response = file.read()
        self.loaded = SigningKey(job["key"], job["certificate"]) if job["key"] else None

    def reset(self) -> None:
        for name in os.listdir(self.folder):
            os.unlink(os.path.join(self.folder, name))
        if self.job["exists"]:
            with open(self.job["target"], "wb") as file:
                file.write(self.before)
            os.utime(self.job["target"], (1, 1))

    def run(self) -> None:
        if self.loaded:
            pair = self.loaded._key, self.loaded.certificate.der
            sign_file(self.job["source"], self.job["target"], *pair, uid=UID, when=WHEN)
        elif self.response:
            insert_file(self.job["source"], self.job["target"], self.response)
        else:
            remove_file(self.job["source"], self.job["target"])

    def fork(self, prepare: Callable[[], object]) -> int:
        self.reset()
        child = os.fork()
        if child:
            return child
        status = 1
        try:
            prepare()
            self.run()
            status = 0
        finally:
            sys.setprofile(None)
            os._exit(status)

    def tell(self, what: object, child: int) -> int:
        """Wait for the child; print and return how it ended."""
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        digest = None
        if os.path.exists(self.job["target"]):
            with open(self.job["target"], "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
        others = set(os.listdir(self.folder)) - {os.path.basename(self.job["target"])}
        print(json.dumps([what, ended, digest, sorted(others)]))
        return ended


def dying_at(step: int) -> Callable[[], object]:
    """In the child: profile from `Splice.save` on, and die at the n-th event."""
    left = step

    def watch(_frame: object, _event: str, _what: object) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    save = Splice.save

    def watched(self: Splice, target: Any, *more: Any, **named: Any) -> None:
        sys.setprofile(watch)
        save(self, target, *more, **named)
        sys.setprofile(None)

    return lambda: setattr(Splice, "save", watched)


def limited_to(size: int) -> Callable[[], object]:
    """In the child: the kernel kills it when a file grows beyond a size."""

    def prepare() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return prepare


def by_steps(job: Job) -> None:
    step = 1
    while job.tell(step, job.fork(dying_at(step))) == -signal.SIGKILL:
        step += 1


def by_bytes(job: Job) -> None:
    for size in job.job["sizes"]:
        job.tell(size, job.fork(limited_to(size)))


def by_times(job: Job) -> None:
    start = time.monotonic()
    assert job.tell("whole", job.fork(lambda: None)) == 0
    whole = time.monotonic() - start
    for delay in _delays(job.job["times"], whole):
        child = job.fork(lambda: None)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)  # if it is at its end, it waits to be waited for
        job.tell(delay, child)


def _delays(count: int, whole: float) -> Iterator[float]:
    chance = random.Random(7)
    return (chance.uniform(0, whole) for _ in range(count))


if __name__ == "__main__":
    window._TICK = 0  # what is killed was written just now: no wait for the clock
    job = Job(json.loads(sys.argv[1]))
    job.reset()
    job.run()  # whatever is imported late is imported now
    {"steps": by_steps, "bytes": by_bytes, "times": by_times}[job.job["how"]](job)

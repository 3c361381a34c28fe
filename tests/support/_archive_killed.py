"""Kills real runs over an archive, resumes them, and tells how each ended.

Run as a program with a job in JSON as its argument; `test_killed.py` judges the ledger and
what is printed: one line of JSON for each try, ``[what, how it ended, run, objects of it]``.

It imports everything once and forks. The ways to die:

* ``times``: SIGKILL from outside, after a random part of the time that a whole run takes.
* ``steps``: SIGKILL at the n-th event of Python's profiler (call or return of any function, of C or
  of Python, so between any two calls of SQLite) after the first batch came back, n growing by 5.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time

import _dying

from dicomseal.archive.find.ahead import Reading
from dicomseal.archive.find.selection import as_json
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.archive.run.session import Session
from dicomseal.verification.options import Options


def verify(job):
    asked = RunRequest(selection=Selection(roots=(job["root"],)))
    outcome = runs.verify(
        job["ledger"], asked, Options(), jobs=2, resume=True, batch_files=job["batch"],
        reading=Reading(ahead=job["ahead"]),
    )  # fmt: skip
    return 0 if outcome.complete else 1


def fork(job, *prepare):
    return _dying.fork(lambda: verify(job), *prepare)


def tell(job, what, child):
    ended = _dying.ending(child)
    with Ledger(job["ledger"]) as ledger:
        run = ledger.find().number
        first, last = ledger.span(run)
    print(json.dumps([what, ended, run, last - first + 1]), flush=True)
    return ended


def dying_at(step):
    watch = _dying.at_event(step, lambda: os.kill(os.getpid(), signal.SIGKILL))
    append = Session.append

    def watched(self, rows):
        sys.setprofile(watch)
        append(self, rows)

    return lambda: setattr(Session, "append", watched)


def begin(job):
    with Ledger(job["ledger"], create=True) as ledger:
        asked = RunRequest(selection=Selection(roots=(job["root"],)))
        ledger.begin(as_json(asked))


def main():
    job = json.loads(sys.argv[1])
    chance = random.Random(job["seed"])
    kills = number = 0
    begin(job)
    start = time.monotonic()
    tell(job, "whole", fork(job))
    whole = time.monotonic() - start
    while kills < job["kills"]:
        begin(job)
        while True:
            number += 1
            if job["how"] == "steps":
                ended = tell(job, number, fork(job, dying_at(5 * number)))
            else:
                delay = chance.uniform(0, whole)
                child = fork(job)
                time.sleep(delay)
                os.kill(child, signal.SIGKILL)
                ended = tell(job, delay, child)
            kills += ended == -signal.SIGKILL
            with Ledger(job["ledger"]) as ledger:
                if ended not in (0, -signal.SIGKILL) or ledger.find().finished is not None:
                    break  # a run may be killed just after its end


if __name__ == "__main__":
    main()

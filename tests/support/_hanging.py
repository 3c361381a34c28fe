"""A process in which a library does not come back from one signer's certificate.

python _hanging.py loop|sleep|compiled command ARGUMENTS...       the command line
python _hanging.py loop|sleep|compiled api|busy|thread|threads|dask SECONDS ROOT PATH...
"""

from __future__ import annotations

import collections
import itertools
import multiprocessing
import signal
import sys
import threading
import time

from dicomseal import Limits, TrustStore, verify
from dicomseal.trust import certification_paths

SLOW = "CN=Test ec"

_validate = certification_paths.validate


def _loop():
    while True:
        pass


HOW = {
    "loop": _loop,
    "sleep": lambda: time.sleep(10**6),
    # no bytecode is run, so no signal is heard, and no other thread runs
    "compiled": lambda: collections.deque(itertools.repeat(0), maxlen=0),
}


def hang(how):
    def validate(pool, path, *rest):
        if certification_paths.subject_of(path.last) == SLOW:
            HOW[how]()
        return _validate(pool, path, *rest)

    certification_paths.validate = validate


def said(report):
    return f"{report.verdict}:{report.error.code if report.error else ''}"


def main():
    how, what, *rest = sys.argv[1:]
    if sys.platform != "win32":
        multiprocessing.set_start_method("fork")  # the workers hang as well
    hang(how)
    if what == "command":
        from dicomseal.cli import main as command

        sys.argv[1:] = rest
        command()
    seconds, root, *paths = rest
    trust, limits = TrustStore.from_files(root), Limits(seconds=int(seconds))

    def each(path):
        return said(verify(path, trust=trust, limits=limits))

    if what == "busy":  # the alarm is somebody else's
        signal.signal(signal.SIGALRM, lambda *_: None)
    if what in ("api", "busy"):
        print(*map(each, paths))
    elif what == "thread":
        thread = threading.Thread(target=lambda: print(*map(each, paths)))
        thread.start()
        thread.join()
    else:
        archive(what, paths, trust, limits)
    print("threads:", sum(t.name == "dicomseal-watched" for t in threading.enumerate()))
    sys.stdout.flush()


def archive(what, paths, trust, limits):
    """Over an executor that is not ours: nothing of it is ended."""
    import os
    from concurrent.futures import ThreadPoolExecutor

    from dicomseal.archive.find.selection import RunRequest, Selection
    from dicomseal.archive.ledger.ledger import Ledger
    from dicomseal.archive.run.runner import verify as run
    from dicomseal.verification.options import Options

    folder = os.path.dirname(paths[0])
    asked = RunRequest(selection=Selection(roots=(folder,)))
    options = Options(trust=trust, limits=limits)
    ledger = os.path.join(os.path.dirname(folder), "ledger.db")
    if what == "threads":
        with ThreadPoolExecutor(2) as executor:
            run(ledger, asked, options, executor=executor, workers=2)
    else:
        from distributed import Client, LocalCluster

        with (
            LocalCluster(2, processes=False, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            run(ledger, asked, options, executor=client.get_executor(), workers=2)
    with Ledger(ledger) as opened:
        rows = sorted(opened.rows(*opened.span(1)), key=lambda row: row.path)
        print(*(f"{row.verdict}:{row.reason or ''}" for row in rows))


main()

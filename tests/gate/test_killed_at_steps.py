"""Killed before and after each call that changes the disk, from the first byte to the answer."""

from __future__ import annotations

import os
import signal
import sys
import threading

import _dying
import pytest
from _gate import file_of, policy, uid

from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.gate.admission import Admission
from dicomseal.gate.origin import Origin
from dicomseal.gate.policy import QUARANTINE
from dicomseal.gate.quarantine import Quarantine
from dicomseal.gate.record import Recorder
from dicomseal.gate.spool import Spool
from dicomseal.gate.store import Store

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks")
CHANGES = {
    "link",
    "unlink",
    "mkdir",
    "rename",
    "replace",
    "fsync",
    "open",
    "write",
    "execute",
    "commit",
}
ANSWERED, NOT_ANSWERED = 0, 5


class Dying:
    """Kills the process at the n-th moment before or after such a call, in whatever thread."""

    def __init__(self, moment):
        self.left = moment
        self._lock = threading.Lock()

    def __call__(self, frame, event, called):
        if event not in ("c_call", "c_return") or getattr(called, "__name__", "") not in CHANGES:
            return
        with self._lock:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def admit(folder, kind, ledger):
    """Do with one object what a gate does, from its start to the answer."""
    store = Store(folder / "store")
    with store.opened():
        spool = Spool(os.path.join(store.own, "spool"))
        quarantine = Quarantine(folder / "quarantine")
        chosen = policy(on_failed=QUARANTINE)
        admission = Admission(chosen, store, quarantine, spool=spool.add, ledger=ledger)
        data = file_of(kind)
        with store.incoming() as incoming:
            incoming.write(data)
            incoming.flush()
            outcome = admission.admit(
                incoming.path, len(data), Origin(via="test"), finish=incoming.finish
            )
    return ANSWERED if outcome.decision.status == 0 else NOT_ANSWERED


def killed(folder, kind, moment):
    """Return whether a process was killed at this moment; if not, it came to its end."""

    def work():
        dying = Dying(moment)
        with Recorder(str(folder / "ledger.db"), str(folder / "store"), {}) as recorder:
            threading.setprofile(dying)  # of the threads that wait for the disk
            sys.setprofile(dying)
            found = admit(folder, kind, recorder)
            sys.setprofile(None)
        return found

    ended = _dying.ending(_dying.fork(work))
    assert ended in (-signal.SIGKILL, ANSWERED)
    return ended != ANSWERED


def files(folder):
    """All files below a folder that have a name for others, with their content."""
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            if name.endswith((".dcm", ".json")):
                full = os.path.join(path, name)
                with open(full, "rb") as file:
                    found[os.path.relpath(full, folder)] = file.read()
    return found


def kinds(folder):
    """The objects in store, spool and quarantine, and the reports."""
    store = files(folder / "store")
    spooled = [one for name, one in store.items() if "/spool/" in name]
    kept = [one for name, one in store.items() if "/spool/" not in name]
    held = files(folder / "quarantine")
    objects = [one for name, one in held.items() if name.endswith(".dcm")]
    return kept, spooled, objects, [one for name, one in held.items() if name.endswith(".json")]


@pytest.mark.parametrize("kind", ["good", "altered"])
def test_at_every_step(tmp_path, kind):
    """What has a name is whole, and sent once more the object is where it belongs, once."""
    data, moment = file_of(kind), 0
    while True:
        moment += 1 if kind == "good" else 3
        folder = tmp_path / str(moment)
        folder.mkdir()
        if not killed(folder, kind, moment):
            break
        kept, spooled, held, reports = kinds(folder)
        assert set(kept + spooled + held) <= {data}, moment
        assert len(held) <= len(reports), moment
        assert all(one.endswith(b"}\n") for one in reports), moment
        # the sender was not answered, and sends it again to the gate that was started anew
        with Recorder(str(folder / "ledger.db"), str(folder / "store"), {}) as recorder:
            assert admit(folder, kind, recorder) == ANSWERED
        kept, spooled, held, reports = kinds(folder)
        if kind == "good":
            assert (kept, held, reports) == ([data], [], []), moment
            assert spooled in ([data], [data, data]), moment
        else:
            assert (kept, spooled, held, len(reports)) == ([], [], [data], 1), moment
        assert os.listdir(folder / "store" / ".dicomseal-gate" / "incoming") == []
        with Ledger(str(folder / "ledger.db")) as ledger:
            assert audit(ledger).findings == []
            rows = [row for run in ledger.runs() for row in ledger.rows(*ledger.span(run.number))]
        assert uid(1) in {row.sop_instance_uid for row in rows}, moment
    assert moment > 30

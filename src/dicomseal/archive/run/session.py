"""One process's part of a run: from the beginning, or from where an earlier process stopped."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec

from ... import garbage
from ...report import ERROR
from ...verification.other_files import NOT_DICOM
from ..find.found import NOTHING, Found, path_of
from ..find.passed_over import OF_THE_LEDGER
from ..find.selection import Selection, Walked, as_json, selected
from ..ledger import hash_chain, proof_of_existence
from ..ledger.known_paths import Memory
from ..ledger.ledger import Ledger, Run, Seal
from ..ledger.rows import pack, unpack
from .estimate import BackgroundCount, Estimate, as_before, countable
from .progress import Outcome, Progress, Totals


class Session:
    """The state of the run in this process, and its connection to the ledger.

    Args:
        ledger: open for writing.
        run: the run.
        kind: `ledger.VERIFY` or `ledger.SIGN`.
        stop: ends the loop, when the batches in progress are done.
        watch: as of `dicomseal.archive.run.runner.verify`.
        seal: signs the head of the chain after each batch, if the run is to be signed.
        again: how many objects are done again.
    """

    def __init__(
        self, ledger: Ledger, run: Run, kind: str, stop: Callable[[], None],
        watch: Callable[[Progress, Callable[[], None]], object] | None,
        seal: Seal | None = None, again: int = 0,
    ) -> None:  # fmt: skip
        self._ledger, self._run, self._watch, self._seal = ledger, run, watch, seal
        self._stop_loop = stop
        self._memory = Memory(ledger, run.number)
        self._walked: Walked | None = None
        self._stopped = self._all_sent = False
        self._head = ledger.head()
        self._number = 0
        self._progress = Progress(
            run.number, started=time.monotonic(), kind=kind, again=again, ledger=ledger.path
        )
        self._totals = Totals()

    def files(self, walked: Walked, resume: bool) -> Iterator[Found]:
        """Return what is still to be verified; what was done before is counted at once."""
        if resume:
            for batch in self._ledger.batches(self._run.number):
                self._number = batch.number
            self._count_again()
        self._walked = walked
        return self._rest(walked, resume)

    def _rest(self, walked: Walked, resume: bool) -> Iterator[Found]:
        passed = self._totals.passed_over = walked.passed
        found = self._without_done(walked) if resume else iter(walked)
        ends = ("", "-wal", "-shm", ".lock", ".workers", ".nightly", ".nightly.lock")
        names = os.path.abspath(self._ledger.path), os.path.realpath(self._ledger.path)
        own = {name + end for name in names for end in ends}
        own.add(proof_of_existence.place(self._ledger.path))
        for file in found:
            if self._stopped:
                return
            if file.path in own:
                passed.add(OF_THE_LEDGER, file.path)
            else:
                self._progress.found += 1
                if file.trouble and file.trouble[0] in NOTHING:
                    self._progress.nothing.append((file.path, file.trouble[1]))
                yield file
        self._progress.walked = True

    def expecting(self, selection: Selection) -> contextlib.AbstractContextManager[object]:
        """Estimate the size of the run while this context lasts."""
        known = as_before(self._ledger, selection)
        self._progress.expected = known
        if known is not None or not countable(selection.roots):
            return contextlib.nullcontext()
        estimate = self._progress.expected = Estimate()
        return BackgroundCount(estimate, lambda: selected(selection, iter))

    def _without_done(self, found: Iterable[Found]) -> Iterator[Found]:
        for file in found:
            if not self._memory.done(path_of(file.path)):
                yield file

    def _count_again(self) -> None:
        totals, progress = self._totals, self._progress
        totals.files, totals.bytes, totals.verdicts = self._ledger.tally(self._run.number)
        progress.before, progress.bytes_before = totals.files, totals.bytes
        progress.verdicts_before = dict(totals.verdicts)

    def append(self, packed: bytes) -> None:
        """Append the packed rows of a finished batch to the ledger."""
        self._number += 1
        packed = self._with_memory(packed)
        with garbage.not_looked_for():  # there is none among the rows
            appended = self._ledger.append(
                self._run.number, self._number, self._head, packed, self._seal
            )
        self._head = appended.head
        totals, progress = self._totals, self._progress
        totals.files += appended.files
        totals.bytes += appended.size
        progress.files += appended.files
        progress.bytes += appended.size
        progress.verdicts += appended.verdicts
        for verdict, count in appended.verdicts.items():
            totals.verdicts[verdict] = totals.verdicts.get(verdict, 0) + count
        self.tell()

    def _with_memory(self, packed: bytes) -> bytes:
        """Return the rows, where an object that was DICOM in an earlier run is not `NOT_DICOM`."""
        if NOT_DICOM.encode() not in packed:
            return packed
        rows = unpack(packed)
        for number, row in enumerate(rows):
            if row.verdict == NOT_DICOM and self._memory.was_dicom(row.path):
                sentence = f"{row.sentence}, though it was a DICOM object in an earlier run"
                rows[number] = msgspec.structs.replace(row, verdict=ERROR, sentence=sentence)
        return pack(rows)

    def found(self, count: int) -> None:
        """Take note that files were found in another way than by `files`."""
        self._progress.found += count

    def all_found(self) -> None:
        """Take note that there are no more, so that the run can come to its end."""
        self._progress.walked = True
        self.all_sent()

    def all_sent(self) -> None:
        """Take note that all files that were found go to workers, and none is held back."""
        self._all_sent = True

    def tell(self) -> None:
        if self._watch:
            self._watch(self._progress, self.stop)

    def stop(self) -> None:
        self._stopped = True
        self._stop_loop()

    def end(self, sign: Callable[[bytes], tuple[bytes, bytes]] | None) -> Outcome:
        """Append the end of the run, if everything was verified."""
        totals = self._totals
        totals.population = self._walked.population if self._walked else 0
        totals.head = self._head.hex()
        if not (self._progress.walked and self._all_sent):
            return Outcome(self._run.number, False, totals)
        finished, text = time.time(), as_json(totals)
        head = hash_chain.of_end(self._head, finished, text)
        signature = certificate = None
        if sign:
            signature, certificate = sign(hash_chain.to_be_signed(self._run.number, head))
        self._ledger.end(self._run.number, head, text, finished, signature, certificate)
        return Outcome(self._run.number, True, totals)

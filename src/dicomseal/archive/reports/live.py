"""The report of a run, read again and again from its ledger while the run goes on.

In: the path of a ledger, which may not exist yet, may be written to, or be replaced. Out: the page,
the same as JSON, and the table of all objects in trouble, each as it is now.

Nothing is read until somebody asks, and then at most once in a while: the longer reading takes, the
less often. Each reading opens the ledger anew, and closes it before anything is sent, so that who
reads a page slowly never keeps a run from tidying up its ledger.
"""

from __future__ import annotations

import contextlib
import io
import math
import tempfile
import threading
import time
import weakref
from typing import IO

import msgspec

from ...errors import DicomSealError, LedgerError
from ...report import harmless
from ..ledger.ledger import Ledger, Run
from .html import MOST_IN_HTML, Live, error_page, write
from .since import Changes, changes_since, earlier
from .summary import run_shown, summarize
from .trouble import troubled, write_csv

REFRESH = 5.0
"""Seconds after which a page is read again, at least."""
TABLE = "failures.csv"
_SHARE = 10.0  # reading takes at most one part in so many of a processor


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What was read.

    Attributes:
        page, json: as they are sent.
        is_error: there was nothing to show, and both say why.
        seconds: after which it is read again.
        until: until when it is new enough, on the monotonic clock.
    """

    page: bytes
    json: bytes
    is_error: bool
    seconds: int
    until: float


class Table:
    """The table of all objects in trouble, in a temporary file that no name leads to."""

    def __init__(self, file: IO[bytes], until: float) -> None:
        self._file, self.until = file, until
        self._lock = threading.Lock()
        self.size = file.seek(0, io.SEEK_END)
        weakref.finalize(self, file.close)  # whoever still sends it has this object

    def part(self, start: int, size: int) -> bytes:
        """Return some of its bytes; several may ask at the same time."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(size)


class LiveReport:
    """The report of a run of a ledger as it is now; any number of threads may ask.

    Args:
        ledger: its path.
        number: of the run; None is the last one that verified, whichever that is when it is read.
        most: how many failures, and undecided objects, are listed.
        refresh: `REFRESH`, or another number of seconds.
        compare: whether to look for the changes since the run before.
    """

    def __init__(
        self,
        ledger: str,
        number: int | None = None,
        most: int = MOST_IN_HTML,
        refresh: float = REFRESH,
        compare: bool = True,
    ) -> None:
        self._path, self._number, self._most = ledger, number, most
        self._refresh, self._compare = refresh, compare
        self._shown: Shown | None = None
        self._reading = threading.Lock()
        self._table: Table | None = None
        self._writing = threading.Lock()
        self._changes: dict[bytes, Changes | str] = {}

    def shown(self) -> Shown:
        """Return the report; one that is being read again is returned as it was before."""
        before = self._shown
        if before is not None and time.monotonic() < before.until:
            return before
        if not self._reading.acquire(blocking=before is None):
            return self._shown or self.shown()
        try:
            if self._shown is before or self._shown is None:
                self._shown = self._read()
            return self._shown
        finally:
            self._reading.release()

    def table(self) -> Table:
        """Return the table of all objects in trouble.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        with self._writing:
            if self._table is None or time.monotonic() >= self._table.until:
                self._table = None
                self._table = self._written()
            return self._table

    def _written(self) -> Table:
        start = time.thread_time()
        with (
            Ledger(self._path) as ledger,
            ledger.reading(),
            contextlib.ExitStack() as stack,
        ):
            file = stack.enter_context(tempfile.TemporaryFile())
            text = io.TextIOWrapper(file, "utf-8", newline="")
            try:
                run = run_shown(ledger, self._number)
                write_csv(troubled(ledger, ledger.span(run.number)), text)
                text.flush()
            finally:
                text.detach()
            stack.pop_all()  # it stays open
        return Table(file, self._until(start))

    def _until(self, start: float) -> float:
        """Return until when something is new enough that this thread began to read at ``start``."""
        return time.monotonic() + max(self._refresh, _SHARE * (time.thread_time() - start))

    def _read(self) -> Shown:
        start = time.thread_time()
        try:
            with Ledger(self._path) as ledger:
                summary = summarize(ledger, self._number, self._most, compare=False)
                run = ledger.find(summary.run)
                before = earlier(ledger, run) if self._compare else None
        except DicomSealError as error:
            return self._error(str(error), start)
        note = ""
        if before is not None:
            known = self._changes_of(before, run)
            note = known if isinstance(known, str) else ""
            summary.changes = known if isinstance(known, Changes) else None
        until = self._until(start)
        seconds = math.ceil(until - time.monotonic())
        page = io.StringIO()
        write(
            page, summary, time.time(), csv=TABLE, live=Live(seconds), changes_note=note
        )  # fmt: skip
        return Shown(
            page=page.getvalue().encode(), json=msgspec.json.encode(summary), is_error=False,
            seconds=seconds, until=until,
        )  # fmt: skip

    def _error(self, sentence: str, start: float) -> Shown:
        until = self._until(start)
        seconds = math.ceil(self._refresh)
        told = harmless(sentence)
        return Shown(
            page=error_page(told, time.time(), Live(seconds)).encode(),
            json=msgspec.json.encode({"error": told}),
            is_error=True, seconds=seconds, until=until,
        )  # fmt: skip

    def _changes_of(self, before: Run, after: Run) -> Changes | str:
        """Return the changes between two finished runs, or why they are not known yet.

        They take longer than all the rest and do not change any more, so they are looked for once,
        in a thread of their own.
        """
        key = (before.end_head or b"") + (after.end_head or b"")
        if key not in self._changes:
            self._changes.clear()
            self._changes[key] = f"The changes since run {before.number} are being looked for."
            threading.Thread(
                target=self._look_for_changes, args=(key, before, after),
                name="dicomseal-changes", daemon=True,
            ).start()  # fmt: skip
        return self._changes[key]

    def _look_for_changes(self, key: bytes, before: Run, after: Run) -> None:
        found: Changes | str
        try:
            with Ledger(self._path) as ledger, ledger.reading():
                # the ledger may be another one by now
                same = [
                    run
                    for run in ledger.runs()
                    if run.end_head in {before.end_head, after.end_head}
                ]
                if len(same) != 2:
                    raise LedgerError(f"{self._path}: it was replaced", "no_run")
                found = changes_since(ledger, before, after)
        except DicomSealError as error:
            found = f"The changes since run {before.number} are not known: {error}"
        if key in self._changes:
            self._changes[key] = found

"""Figures of a run for monitoring: the text format of Prometheus, for node exporter's textfiles.

Node exporter reads all files of a folder as one: a series may be in one of them only, and a name
has one type and one help in all. So every series has the labels of what was measured: the archive
(its ledger), the kind and the number of the run, and the name of the file. Whichever runs are
written into one folder, no series is there twice.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import LedgerError, SourceError, UsageError
from ...files.atomic import replacing
from ...report import INTACT, TRUSTED, escaped, harmless
from ..ledger.ledger import SIGN, Ledger, Run
from ..ledger.rows import SIGN_VERDICTS, VERDICTS
from ..ledger.sqlite_file import explained
from .progress import Outcome, Progress

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

_PREFIX = "dicomseal_archive"
# of the files and of the labels, see the docstring of the module
_LABELS = ("archive", "kind", "run", "file")
MAX_CERTIFICATES = 100


class _TriedError(Exception):
    """Everything was done except the last step."""


class _Expiry(NamedTuple):
    """A certificate on which signatures depend: when it expires, and how many they are."""

    subject: str
    sha256: str
    time: float
    signatures: int


def check(path: str) -> None:
    """Check that `write` could write there, without changing anything.

    Raises:
        SourceError: it could not.
        UsageError: prometheus_client is not installed.
    """
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        raise UsageError("--metrics needs the extra: pip install dicomseal[archive]") from None

    def stop() -> None:
        raise _TriedError

    with contextlib.suppress(_TriedError), replacing(path, stop):
        pass


def write(path: str, progress: Progress, outcome: Outcome | None) -> None:
    """Write the figures in one step: a reader sees the old ones or the new ones.

    What outlives a run, when the last one came to its end and which certificates expire, is read
    from the ledger.

    Raises:
        SourceError: the file cannot be written, or the ledger cannot be read.
    """
    from prometheus_client.exposition import generate_latest

    try:
        text: bytes = generate_latest(_Collected(path, progress, outcome))
    except LedgerError as error:
        raise SourceError(str(error)) from None
    with replacing(path) as file:
        file.write(text)


class _Collected:
    """The figures as a registry of prometheus_client collects them."""

    def __init__(self, path: str, progress: Progress, outcome: Outcome | None) -> None:
        self._progress, self._outcome = progress, outcome
        self._file = _label(os.path.basename(path))
        self._archive = _label(os.path.abspath(progress.ledger) if progress.ledger else "")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics."""
        progress, outcome, now = self._progress, self._outcome, time.time()
        verdicts: Mapping[str, int] = progress.verdicts + Counter(progress.verdicts_before)
        size = progress.bytes + progress.bytes_before
        if outcome is not None:
            verdicts, size = outcome.totals.verdicts, outcome.totals.bytes
        names = SIGN_VERDICTS if progress.kind == SIGN else VERDICTS
        files = self._family("files", "Files of the run by verdict.", "verdict")
        for one in names:
            files.add_metric(self._labels(progress.run, one), verdicts.get(one, 0))
        yield files
        complete = outcome is not None and outcome.complete
        yield self._gauge("bytes", "Bytes verified in the run.", size)
        yield self._gauge("run", "Number of the run in its ledger.", progress.run)
        yield self._gauge("complete", "1 if the run came to its end.", int(complete))
        yield self._gauge("updated_seconds", "When this was written, Unix time.", round(now))
        if progress.ledger:
            with Ledger(progress.ledger) as ledger:
                yield from self._of_the_ledger(ledger, now)

    def _of_the_ledger(self, ledger: Ledger, now: float) -> Iterator[GaugeMetricFamily]:
        runs = ledger.runs(self._progress.kind)
        run = next(run for run in runs if run.number == self._progress.run)
        yield self._gauge(
            "duration_seconds",
            "Seconds from the beginning of the run to its end, or to now; pauses are included.",
            max(round((run.finished or now) - run.started, 3), 0),
        )
        ended = [run for run in runs if run.finished is not None]
        if not ended:
            return
        last = ended[-1]
        assert last.finished is not None  # noqa: S101 - for the type
        yield self._gauge(
            "last_success_timestamp_seconds",
            "When the last run that came to its end did so, Unix time.",
            round(last.finished),
            last.number,
        )
        expires = self._family(
            "certificate_expiry_timestamp_seconds",
            "When a certificate expires on which signatures without a Certified Timestamp depend, "
            f"Unix time; of the last run that came to its end, the first {MAX_CERTIFICATES}.",
            "subject", "sha256",
        )  # fmt: skip
        depend = self._family(
            "certificate_signatures",
            "Signatures without a Certified Timestamp that depend on a certificate.",
            "subject", "sha256",
        )  # fmt: skip
        # that run does not change any more, and adding it up may take seconds
        for one in _expiring(ledger.path, _identity(ledger), last):
            labels = self._labels(last.number, one.subject, one.sha256)
            expires.add_metric(labels, one.time)
            depend.add_metric(labels, one.signatures)
        yield expires
        yield depend

    def _family(self, name: str, text: str, *labels: str) -> GaugeMetricFamily:
        from prometheus_client.core import GaugeMetricFamily

        return GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=(*_LABELS, *labels))

    def _labels(self, run: int, *more: str) -> list[str]:
        return [self._archive, self._progress.kind, str(run), self._file, *more]

    def _gauge(
        self, name: str, text: str, value: float, run: int | None = None
    ) -> GaugeMetricFamily:
        family = self._family(name, text)
        family.add_metric(self._labels(self._progress.run if run is None else run), value)
        return family


def _label(text: str) -> str:
    """Return the value of a label: in one line, and UTF-8."""
    return harmless(escaped(text))


def _identity(ledger: Ledger) -> bytes:
    """Return what tells this ledger from another one that took its name."""
    runs: Any = ledger.runs()
    return bytes(runs[0].head)


@functools.lru_cache(4)
def _expiring(path: str, _identity: bytes, run: Run) -> tuple[_Expiry, ...]:
    """Return the certificates of a finished run on which signatures depend, by their expiry.

    A run that verifies names those of intact and trusted signatures, which authorities chose, so
    that they are few. A run that signs verifies nothing; its signatures are by its own key.
    """
    found = []
    with Ledger(path) as ledger, explained(path):
        for subject, sha256, not_after, count in ledger.db.execute(
            "SELECT subject, sha256, not_after, count(*)"
            " FROM signature JOIN signer ON signer.id = signature.signer"
            " WHERE object BETWEEN ? AND ? AND timestamp = '' AND not_after != ''"
            " AND (integrity = ? AND trust = ? OR ?) GROUP BY signer.id",
            (*ledger.span(run.number), INTACT, TRUSTED, run.kind == SIGN),
        ):
            moment = _unix(not_after)
            if moment is not None:
                found.append(_Expiry(_label(subject), _label(sha256), moment, count))
    ended = run.finished or 0.0
    # those that can still be renewed come first
    found.sort(key=lambda one: (one.time < ended, one.time, one.sha256))
    return tuple(found[:MAX_CERTIFICATES])


def _unix(text: str) -> float | None:
    """Return a time of the ledger in seconds since 1970; None if it is not one."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None

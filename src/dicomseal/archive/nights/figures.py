"""Figures of a night for monitoring, beside those of its run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...files.atomic import replacing
from ...report import escaped, harmless
from .night import Night

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

_PREFIX = "dicomseal_nightly"


def place(metrics: str) -> str:
    """Return the file of the night's figures, beside the run's: textfiles end with ``.prom``."""
    root, extension = os.path.splitext(metrics)
    return f"{root}.nightly{extension}"


def write(path: str, night: Night) -> None:
    """Write the figures of a night in one step.

    Raises:
        SourceError: the file cannot be written.
    """
    from prometheus_client.exposition import generate_latest

    text: bytes = generate_latest(_Collected(path, night))
    with replacing(path) as file:
        file.write(text)


class _Collected:
    """The figures as a registry of prometheus_client collects them."""

    def __init__(self, path: str, night: Night) -> None:
        self._night = night
        # as in `archive.run.metrics`: no two files of a folder have the same series
        self._labels = [
            harmless(escaped(os.path.abspath(night.ledger))), harmless(night.name),
            harmless(escaped(os.path.basename(path))),
        ]  # fmt: skip

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics."""
        night, alarms = self._night, self._night.alarms
        yield self._gauge("exit_code", "Exit code of the last night.", night.code)
        yield self._gauge(
            "judged_exit_code",
            "Exit code of the last night whose run came to its end: what that one told is open.",
            night.judged,
        )
        yield self._gauge(
            "end_timestamp_seconds", "When the last night ended, Unix time.", round(night.ended)
        )
        yield self._gauge(
            "duration_seconds", "How long it took.", round(night.ended - night.started, 3)
        )
        yield self._gauge(
            "quiet_timestamp_seconds",
            "When a night last began that found nothing new, Unix time; 0 for never.",
            round(night.quiet),
        )
        yield self._gauge("storage_away", "Roots that were not there.", len(night.away))
        yield self._gauge("failed", "1 if the night could not be carried out.", bool(night.failure))
        yield self._gauge(
            "ledger_findings",
            "Faults that the last night whose run came to its end found in the ledger.",
            night.judged_findings,
        )
        if alarms is None:
            return
        trouble = self._family("new_trouble", "Files in new trouble.", "kind", "reason")
        counts: dict[tuple[str, str], int] = {}
        for group in alarms.trouble:
            key = harmless(group.kind), harmless(group.reason)
            counts[key] = counts.get(key, 0) + group.files
        for key, count in counts.items():
            trouble.add_metric([*self._labels, *key], count)
        yield trouble
        yield self._gauge("new_trouble_files", "Files in new trouble, all of them.", alarms.new)
        yield self._gauge("not_given_files", "Files the storage did not give.", alarms.missing)
        yield self._gauge("known_files", "Files in trouble that the baseline knows.", alarms.known)

    def _family(self, name: str, text: str, *labels: str) -> GaugeMetricFamily:
        from prometheus_client.core import GaugeMetricFamily

        return GaugeMetricFamily(
            f"{_PREFIX}_{name}", text, labels=("archive", "name", "file", *labels)
        )

    def _gauge(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        family = self._family(name, text)
        family.add_metric(self._labels, value)
        return family

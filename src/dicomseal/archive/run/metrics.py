"""Figures of a run for monitoring: the text format of Prometheus, for node exporter's textfiles."""

from __future__ import annotations

import contextlib
import time

from ...files.atomic import replacing
from ..ledger.ledger import SIGN
from ..ledger.rows import SIGN_VERDICTS, VERDICTS
from .progress import Outcome, Progress

_PREFIX = "dicomseal_archive"


class _TriedError(Exception):
    """Everything was done except the last step."""


def check(path: str) -> None:
    """Check that `write` could write there, without changing anything.

    Raises:
        SourceError: it could not.
    """

    def stop() -> None:
        raise _TriedError

    with contextlib.suppress(_TriedError), replacing(path, stop):
        pass


def write(path: str, progress: Progress, outcome: Outcome | None) -> None:
    """Write the figures in one step: a reader sees the old ones or the new ones.

    Raises:
        SourceError: the file cannot be written.
    """
    verdicts = progress.verdicts if outcome is None else outcome.totals.verdicts
    size = progress.bytes if outcome is None else outcome.totals.bytes
    complete = int(outcome is not None and outcome.complete)
    names = SIGN_VERDICTS if progress.kind == SIGN else VERDICTS
    lines = [
        f"# HELP {_PREFIX}_files Files of the run by verdict.",
        f"# TYPE {_PREFIX}_files gauge",
        *(f'{_PREFIX}_files{{verdict="{one}"}} {verdicts.get(one, 0)}' for one in names),
        *_gauge("bytes", "Bytes verified in the run.", size),
        *_gauge("run", "Number of the run in its ledger.", progress.run),
        *_gauge("complete", "1 if the run came to its end.", complete),
        *_gauge("updated_seconds", "When this was written, Unix time.", f"{time.time():.0f}"),
    ]
    with replacing(path) as file:
        file.write(("\n".join(lines) + "\n").encode())


def _gauge(name: str, text: str, value: object) -> list[str]:
    name = f"{_PREFIX}_{name}"
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {value}"]

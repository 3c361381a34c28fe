"""The files of a run that are no DICOM objects, or only directories of them."""

from __future__ import annotations

from collections.abc import Iterator

from ...report import escaped
from ...verification.other_files import OTHERS
from ..ledger.ledger import Ledger
from ..ledger.sqlite_file import explained


def others(ledger: Ledger, run: int) -> Iterator[tuple[str, str]]:
    """Yield verdict and path of each of them, in the order in which they were recorded."""
    marks = ", ".join("?" * len(OTHERS))
    with explained(ledger.path):
        for verdict, path in ledger.db.execute(
            "SELECT verdict, path FROM object"  # noqa: S608
            f" WHERE id BETWEEN ? AND ? AND verdict IN ({marks}) ORDER BY id",
            (*ledger.span(run), *sorted(OTHERS)),
        ):
            yield verdict, escaped(path)

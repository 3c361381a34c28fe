"""The exit code of a verification, from its reports."""

from __future__ import annotations

from .. import report


def exit_code(counts: dict[str, int]) -> int:
    """The exit code for so many objects of each verdict."""
    if counts.get(report.FAILED):
        return 1
    if counts.get(report.ERROR):
        return 4
    if counts.get(report.INDETERMINATE):
        return 3
    return 0

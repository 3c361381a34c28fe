"""The exit code of a verification, from its reports."""

from __future__ import annotations

from .. import report

# verdicts on what is not an object: counted, and no failure (`verification.other_files`)
OTHERS = ("not_dicom", "directory")


def exit_code(counts: dict[str, int]) -> int:
    """Return the exit code for these numbers of objects by verdict."""
    if counts.get(report.FAILED):
        return 1
    if counts.get(report.ERROR):
        return 4
    if counts.get(report.INDETERMINATE):
        return 3
    return 0

"""The reason why a signature does not hold, or why that is not known."""

from __future__ import annotations

from .. import report
from ..report import Reason, ReasonCode


class Broken(Exception):  # noqa: N818
    """The outcome of a step of an integrity check; never leaves the package."""

    def __init__(self, integrity: str, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.integrity = integrity
        self.reason = Reason(code, message)


def altered(code: ReasonCode, message: str) -> Broken:
    """Return the outcome for a signature that is broken in itself, or whose content changed."""
    return Broken(report.ALTERED, code, message)


def unverifiable(code: ReasonCode, message: str) -> Broken:
    """Return the outcome for a signature on which a reader who knows more could decide."""
    return Broken(report.UNVERIFIABLE, code, message)

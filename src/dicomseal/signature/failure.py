"""Why a signature does not hold, or why that cannot be known."""

from __future__ import annotations

from .. import report
from ..report import Reason, ReasonCode


class Broken(Exception):  # noqa: N818
    """Carries the outcome out of the steps of an integrity check; never leaves the package."""

    def __init__(self, integrity: str, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.integrity = integrity
        self.reason = Reason(code, message)


def altered(code: ReasonCode, message: str) -> Broken:
    """The signature is broken in itself, or the content is not what was signed."""
    return Broken(report.ALTERED, code, message)


def unverifiable(code: ReasonCode, message: str) -> Broken:
    """A reader who knows more could still decide."""
    return Broken(report.UNVERIFIABLE, code, message)

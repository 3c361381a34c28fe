"""Errors that end a run over an archive."""

from __future__ import annotations

from ..errors import DicomSealError, UsageError
from ..report import escaped


class NothingSelectedError(UsageError):
    """The patterns of a selection leave no file at all: one may be misspelt. No run is begun.

    Args:
        roots: all of them.
        why: a sentence.
    """

    code = "nothing_selected"

    def __init__(self, roots: tuple[str, ...], why: str) -> None:
        super().__init__(f"{', '.join(map(escaped, roots))}: {why}")
        self.roots, self.why = roots, why


class LostError(DicomSealError):
    """A resource that all files need is gone, so no file can be judged. The run can be resumed."""

    code = "lost"


class ExecutorLostError(LostError):
    """The executor accepts no more work, or dropped the work that it had."""

    code = "executor"


class StoreLostError(LostError):
    """An object store does not answer, or refuses access."""

    code = "store"


class StoppedError(DicomSealError):
    """A resource that signing needs is gone: the key, the authority, or space on the disk."""

    code = "stopped"

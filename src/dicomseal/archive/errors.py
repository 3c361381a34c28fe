"""Errors that end a run over an archive."""

from __future__ import annotations

from ..errors import DicomSealError


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

"""What ends a run over an archive, whoever notices it first."""

from __future__ import annotations

from ..errors import DicomSealError


class LostError(DicomSealError):
    """What all files need has gone, so nothing can be said of them. The run can be resumed."""

    code = "lost"


class ExecutorLostError(LostError):
    """The executor takes no more work, or dropped what it had."""

    code = "executor"


class StoreLostError(LostError):
    """An object store does not answer, or does not let us in."""

    code = "store"


class StoppedError(DicomSealError):
    """What every object needs is not there any more: the key, the authority, room on the disk."""

    code = "stopped"

"""How many files a gate may have open: as many as its connections need, where the system allows."""

from __future__ import annotations

import errno
import logging

_log = logging.getLogger("dicomseal.gate")
_OTHERS = 128  # ledger, log, libraries, pages for those who watch
# for an association: its connection, the two ends of what wakes it, and the file of an object with
# the one that it is read from; beyond the limit come as many that are only told that there is one
_EACH = 8
_SCARCE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN}


def allow(connections: int) -> None:
    """Raise the limit of this process to what so many connections need; warn if that is too low.

    A shell gives 1,024, which are soon used up, and what the system allows is mostly far more.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    needed = _OTHERS + _EACH * connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited or soft >= needed:
        return
    most = needed if hard == unlimited else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):
        most = soft
    if most < needed:
        _log.warning(
            "%d connections need %d open files, and this process may have %d (ulimit -n)",
            connections, needed, most,
        )  # fmt: skip


def is_scarcity(error: BaseException) -> bool:
    """Return whether an error says that this machine has too little of something now.

    It says nothing of an object, which can be accepted a moment later. A `MemoryError` may be the
    doing of an object.
    """
    if isinstance(error, OSError):
        return error.errno in _SCARCE
    return isinstance(error, RuntimeError) and "start new thread" in str(error)

"""One process writes to a ledger at a time; the lock ends with the process, however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator

from ...errors import LedgerError

_held: set[str] = set()


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold ``path.lock`` while the block runs; for a link, the lock of the file that it points to.

    Raises:
        LedgerError: another process holds it (code ``in_use``); the message names the process.
    """
    name = f"{os.path.realpath(path)}.lock"
    if name in _held:  # a record lock does not exclude its own process
        raise LedgerError(f"{path}: this process is writing to this ledger already", "in_use")
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except OSError as error:
        raise LedgerError(f"{name}: {error.strerror or error}") from None
    try:
        if not _take(descriptor):
            raise LedgerError(
                f"{path}: another run is writing to this ledger: {_who(descriptor)}", "in_use"
            )
        who = {"host": socket.gethostname(), "pid": os.getpid()}
        with contextlib.suppress(OSError):  # the disk is full: the lock holds, without a name
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, json.dumps(who).encode())
        _held.add(name)
        yield
    finally:
        _held.discard(name)
        # the file stays: its removal would race with the next process that opens it
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    # a record lock belongs to this process alone: workers that outlive it hold none
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _who(descriptor: int) -> str:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        who = json.loads(os.read(descriptor, 4096))
        return f"process {who['pid']} on {who['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that did not leave its name"


PATIENCE = 60.0  # seconds


def as_a_worker(name: str) -> None:
    """Hold a file until this process, a worker that changes files, has ended."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    # never closed; this kind of lock does not end when another descriptor of the process is closed
    fcntl.flock(os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), fcntl.LOCK_SH)


def wait_for_workers(name: str) -> None:
    """Wait for the workers of a process that was killed: they end by themselves, one file later.

    Raises:
        LedgerError: they do not end.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LedgerError(f"{name}: {error.strerror or error}") from None
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > end:
                    raise LedgerError(
                        f"{name}: workers of a run that was killed are still at work", "in_use"
                    ) from None
                time.sleep(0.01)
            else:
                return
    finally:
        os.close(descriptor)

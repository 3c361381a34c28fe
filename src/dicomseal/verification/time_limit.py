"""A time limit for work on data of strangers, also if a library does not return.

In the main thread of a process (on POSIX) an alarm ends the work, in whatever Python code it is, or
if it sleeps. If the alarm is in use by others, and in other threads, the work is done in a thread
of its own, which is told to end and abandoned if it does not. Neither helps against compiled code
that keeps the interpreter for itself: the system then ends a worker process (see
`end_with_the_work`) by its processor time, and the process that started it replaces it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ..encoding.limits import BYTES_OF_A_SECOND
from ..errors import MalformedError

if TYPE_CHECKING:
    from ..files.part10 import Part10
    from .options import Options

P = ParamSpec("P")
R = TypeVar("R")

_AGAIN = 1.0  # seconds, after which a signal that was caught or not heard is repeated
_GRACE = 1.0
_LEAST = 0.001  # zero would disarm an alarm

_here = threading.local()
_main = threading.main_thread()
_is_worker = False


class TimeUp(BaseException):
    """The end of the work; no handler of ordinary exceptions catches it. It never leaves here."""


class OutOfTimeError(MalformedError):
    """The object took too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"it was not verified within {seconds:g} seconds; --limit seconds=NUMBER allows more",
            "limit",
        )


def within(
    seconds: float, left: Callable[[], None] | None, function: Callable[P, R],
    *arguments: P.args, **options: P.kwargs,
) -> R:  # fmt: skip
    """Return what a function returns, or raises, if it does so in time.

    Inside of a call that is watched already, that one's time counts.

    Args:
        seconds: how long it may take.
        left: called if a thread that does not end was left alone, which may hold locks.
        function, arguments, options: the work.

    Raises:
        OutOfTimeError: it did not come back.
    """
    if getattr(_here, "inside", False):
        return function(*arguments, **options)
    seconds = max(seconds, _LEAST)

    def work() -> R:
        return function(*arguments, **options)

    if threading.current_thread() is _main and _alarm_is_free():
        return _by_alarm(seconds, work)
    return _in_a_thread(seconds, work, left)


def of_an_object(
    part10: Part10, options: Options, function: Callable[P, R],
    *arguments: P.args, **keywords: P.kwargs,
) -> R:  # fmt: skip
    """Return `within` the time that an object of this size may take."""
    seconds = options.limits.seconds + part10.size // BYTES_OF_A_SECOND
    left = getattr(options.trust, "renew_lock", None)
    return within(seconds, left, function, *arguments, **keywords)


def end_with_the_work() -> None:
    """Let the system end a new worker process if nothing else ends the work."""
    global _is_worker
    _is_worker = hasattr(signal, "ITIMER_PROF")


def _alarm_is_free() -> bool:
    return (
        hasattr(signal, "setitimer")
        and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )


def _by_alarm(seconds: float, work: Callable[[], R]) -> R:
    def ring(_signal: int, frame: FrameType | None) -> None:
        # when the work is done, and this alarm is late, nothing is to be ended
        while frame is not None:
            if frame.f_code is work.__code__:
                raise TimeUp
            frame = frame.f_back

    signal.signal(signal.SIGALRM, ring)
    _here.inside = True
    try:
        if _is_worker:
            signal.setitimer(signal.ITIMER_PROF, seconds + _GRACE)
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
        return work()
    except TimeUp:
        raise OutOfTimeError(seconds) from None
    finally:
        _here.inside = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        if _is_worker:
            signal.setitimer(signal.ITIMER_PROF, 0)


def _in_a_thread(seconds: float, work: Callable[[], R], left: Callable[[], None] | None) -> R:
    found: list[tuple[bool, Any]] = []

    def run() -> None:
        _here.inside = True
        with contextlib.suppress(TimeUp):
            try:
                found.append((True, work()))
            except BaseException as error:  # noqa: BLE001 - raised again below
                found.append((False, error))

    thread = threading.Thread(target=run, daemon=True, name="dicomseal-watched")
    thread.start()
    late = True
    try:
        thread.join(seconds)
        late = thread.is_alive()
    finally:
        if late:
            _end(thread)
            if left is not None and thread.is_alive():
                left()
    if late:
        raise OutOfTimeError(seconds)
    good, outcome = found[0]
    if not good:
        raise outcome
    result: R = outcome
    return result


def _end(thread: threading.Thread) -> None:
    """Raise `TimeUp` in a thread, as soon as Python code runs in it again."""
    import ctypes

    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(TimeUp)
        )
        thread.join(_AGAIN)

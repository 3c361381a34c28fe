"""A budget of time for work on what a stranger sent, also where a library does not come back.

In the main thread of a process (on POSIX) an alarm ends the work, whatever Python code it is in, or
if it sleeps. Where the alarm is somebody else's, and in other threads, the work is done in a thread
of its own, which is told to end and left alone if it does not. Neither helps against compiled code
that keeps the interpreter for itself: a worker process (see `end_with_the_work`) is ended by the
system then, for what processor time it has taken, and replaced by whoever started it.
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

_AGAIN = 1.0  # seconds; what catches everything, or is not heard, is told once more
_GRACE = 1.0
_LEAST = 0.001  # none at all would disarm an alarm

_here = threading.local()
_main = threading.main_thread()
_is_worker = False


class TimeUp(BaseException):
    """Ends the work where it is; no handler of ordinary exceptions keeps it. Never leaves here."""


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
    """What a function returns, or raises, if it does so in time.

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
    """`within` the time that an object of this size may take."""
    seconds = options.limits.seconds + part10.size // BYTES_OF_A_SECOND
    left = getattr(options.trust, "renew_lock", None)
    return within(seconds, left, function, *arguments, **keywords)


def end_with_the_work() -> None:
    """In a new worker process: let the system end it where nothing else ends the work."""
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
        while frame is not None:  # when the work is done, and this is not, nothing is to be ended
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
    good, made = found[0]
    if not good:
        raise made
    result: R = made
    return result


def _end(thread: threading.Thread) -> None:
    """Raise `TimeUp` in a thread; it is heard when Python code runs in it again."""
    import ctypes

    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(TimeUp)
        )
        thread.join(_AGAIN)

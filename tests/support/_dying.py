"""Children that may die at any moment, for the programs that kill runs over an archive."""

from __future__ import annotations

import os
import sys
import traceback


def fork(work, *prepare):
    """A child that does what it is told, and ends with the status that ``work`` returns."""
    child = os.fork()
    if child:
        return child
    status = 9
    try:
        for one in prepare:
            one()
        status = work()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        sys.setprofile(None)
        os._exit(status)


def ending(child):
    """Wait for a child: its status, or the negative number of the signal that it died of."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def at_event(number, die):
    """For `sys.setprofile`: what dies at the n-th event."""
    left = number

    def watch(_frame, _event, _what):
        nonlocal left
        left -= 1
        if left <= 0:
            die()

    return watch

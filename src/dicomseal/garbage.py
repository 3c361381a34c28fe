"""Work in which Python does not look for garbage, that is, for objects that refer to each other.

The more objects there are, the longer a look takes, and the more are made, the more often it looks.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def not_looked_for() -> Iterator[None]:
    """Open a context for work that makes many objects, of which all stay or none is in a cycle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

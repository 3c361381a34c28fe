"""The compiled threads that open files ahead, or None where they are not built."""

from __future__ import annotations

import sys
from typing import Any

from ..encoding.backend import BACKEND

Opener: Any = None
if BACKEND == "cython" and sys.platform == "linux":
    from . import _opener_c

    Opener = _opener_c.Opener

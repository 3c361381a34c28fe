"""The compiled way into a usual file, or None if it is not built; see `part10` and `reader`."""

from __future__ import annotations

from typing import Any

from ..encoding.backend import BACKEND

quick_file: Any = None
if BACKEND == "cython":
    from . import _file_c

    quick_file = _file_c

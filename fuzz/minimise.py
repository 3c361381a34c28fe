"""Make an input smaller for as long as it fails in the same place."""

from __future__ import annotations

import traceback
from typing import Any


def failure(run: Any, data: bytes) -> str:
    """How and where an input fails; empty if it does not."""
    try:
        run(data)
    except Exception as error:  # noqa: BLE001 whatever it is, it is a find
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}:{frame.name}:{frame.lineno}"
    return ""


def minimise(run: Any, data: bytes) -> bytes:
    """Cut out ever smaller pieces, then zero single bytes."""
    wanted = failure(run, data)
    if not wanted:
        raise SystemExit("this input does not fail")
    size = len(data) // 2
    while size:
        position = 0
        while position < len(data):
            shorter = data[:position] + data[position + size :]
            if failure(run, shorter) == wanted:
                data = shorter
            else:
                position += size
        size //= 2
    for position in range(len(data)):
        zeroed = data[:position] + b"\0" + data[position + 1 :]
        if failure(run, zeroed) == wanted:
            data = zeroed
    print(f"{len(data)} bytes: {data.hex(' ')[:600]}\n{wanted}")
    return data

"""Messages to standard error, a letter for their level before each, as DCMTK's tools write them."""

from __future__ import annotations

import sys

LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")


class Log:
    """Writes what is at least as grave as its level.

    Args:
        level: one of `LEVELS`.
    """

    def __init__(self, level: str = "warn") -> None:
        self._least = LEVELS.index(level)

    def enabled(self, level: str) -> bool:
        """Whether messages of a level are written."""
        return LEVELS.index(level) >= self._least

    def write(self, level: str, message: str) -> None:
        """One message; names and objects come from strangers, so nothing in it moves the cursor."""
        if self.enabled(level):
            for line in message.split("\n"):
                text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
                print(f"{level[0].upper()}: {text}", file=sys.stderr)

    def info(self, message: str) -> None:
        """What is being done."""
        self.write("info", message)

    def warn(self, message: str) -> None:
        """What everybody should see; results too."""
        self.write("warn", message)

    def error(self, message: str) -> None:
        """What went wrong."""
        self.write("error", message)

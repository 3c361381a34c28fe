"""Messages on standard error, each with a letter for its level, as DCMTK's tools write them."""

from __future__ import annotations

import sys

LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")


class Log:
    """Writes messages that are at least as grave as its level.

    Args:
        level: one of `LEVELS`.
    """

    def __init__(self, level: str = "warn") -> None:
        self._least = LEVELS.index(level)

    def enabled(self, level: str) -> bool:
        """Return whether messages of a level are written."""
        return LEVELS.index(level) >= self._least

    def write(self, level: str, message: str) -> None:
        """Write a message; it may come from a stranger, so nothing in it moves the cursor."""
        if self.enabled(level):
            for line in message.split("\n"):
                text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
                print(f"{level[0].upper()}: {text}", file=sys.stderr)

    def info(self, message: str) -> None:
        """Write what is being done."""
        self.write("info", message)

    def warn(self, message: str) -> None:
        """Write a warning, or a result that everyone should see."""
        self.write("warn", message)

    def error(self, message: str) -> None:
        """Write an error."""
        self.write("error", message)

"""One row of the table of remedies."""

from __future__ import annotations

from typing import NamedTuple


class Remedy(NamedTuple):
    """What a code means, and what to do about it.

    Attributes:
        concerns: what the code is said of, e.g. ``altered`` or ``on an object``.
        meaning: what it means, and how it arises.
        steps: what to do: pairs of what a command is for and the command itself, the most useful
            one first. FILE, COPY, OUT and names such as ca.pem stand for the reader's own.
        page: where the documents say more, e.g. ``timestamps.md``; or nothing.
    """

    concerns: str
    meaning: str
    steps: tuple[tuple[str, str], ...]
    page: str = ""

    @property
    def sentence(self) -> str:
        """What to do as one sentence with its commands."""
        return "; ".join(f"{purpose}: {command}" for purpose, command in self.steps)

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands alone."""
        return tuple(command for _, command in self.steps)

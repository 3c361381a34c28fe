"""One step of an explanation: what was checked, the result, and the numbers."""

from __future__ import annotations

import msgspec

OK, BROKEN, UNKNOWN = "ok", "broken", "unknown"
COVERS, CANONICAL, STREAM, MAC, KEY, TRUST, ANSWER = STEPS = (
    "covers", "canonical", "stream", "mac", "key", "trust", "answer",
)  # fmt: skip
TITLES = {
    COVERS: "What it covers",
    CANONICAL: "The canonical form",
    STREAM: "The stream",
    MAC: "The MAC",
    KEY: "Key and padding",
    TRUST: "Chain, time and revocation",
    ANSWER: "The answer",
}


class Step(msgspec.Struct, frozen=True):
    """One step.

    Attributes:
        step: its code, one of `STEPS`.
        state: ``ok``, ``broken`` or ``unknown``.
        message: the result, in a sentence.
        details: numbers and further information for people, one line for each.
    """

    step: str
    state: str
    message: str
    details: tuple[str, ...] = ()

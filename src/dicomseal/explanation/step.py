"""One step of an explanation: what was done, whether it held, and the figures."""

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
        message: what came of it, in a sentence.
        details: figures and what else a person should know, a line each.
    """

    step: str
    state: str
    message: str
    details: tuple[str, ...] = ()

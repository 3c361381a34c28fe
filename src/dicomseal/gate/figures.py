"""Figures of a gate for Prometheus. No label has a value that a sender chooses."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from .admission import Outcome
from .origin import Origin

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_VIAS = frozenset({"C-STORE", "STOW-RS", "watch"})


class Event(msgspec.Struct, frozen=True, array_like=True):
    """What is counted of one object; small, as it may come from another process."""

    via: str
    action: str
    verdict: str
    state: str
    size: int
    seconds: float
    signed: bool
    trouble: bool


def event_of(outcome: Outcome, origin: Origin) -> Event:
    """Return what is counted of an object."""
    return Event(
        origin.via if origin.via in _VIAS else "other",
        outcome.decision.action,
        outcome.decision.verdict,
        outcome.state,
        outcome.size,
        outcome.seconds,
        bool(outcome.signed),
        bool(outcome.trouble),
    )


class Figures:
    """The counters of one gate, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        name = "dicomseal_gate"

        def counter(what: str, text: str, *labels: str) -> Counter:
            return Counter(f"{name}_{what}", text, labels, registry=self.registry)

        self._objects = counter(
            "objects", "Objects that arrived, by what was done and why.", "via", "action", "verdict"
        )
        self._bytes = counter("received_bytes", "Bytes of the objects that arrived.", "via")
        self._again = counter("objects_again", "Objects that were there already.")
        self._conflicts = counter(
            "conflicts", "Objects stored beside another one with the same UIDs."
        )
        self._signed = counter("signed", "Objects that were signed at the door.")
        self._troubles = counter(
            "troubles", "Objects that could not be stored (disk, ledger, key)."
        )
        self._forwarded = counter(
            "forward_attempts", "Attempts to send an object to the next node.", "result"
        )
        self._seconds = Histogram(
            f"{name}_seconds", "From the last byte of an object to its answer.", buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        for result in ("sent", "again", "refused", "repeated"):
            self._forwarded.labels(result)

    def gauge(self, what: str, text: str, value: Callable[[], float]) -> None:
        """Add a figure that is asked for when somebody looks."""
        Gauge(f"dicomseal_gate_{what}", text, registry=self.registry).set_function(value)

    def count(self, event: Event) -> None:
        """Count an object."""
        self._objects.labels(event.via, event.action, event.verdict).inc()
        self._bytes.labels(event.via).inc(event.size)
        self._seconds.observe(event.seconds)
        for counter, counts in (
            (self._again, event.state == "same"),
            (self._conflicts, event.state == "other"),
            (self._signed, event.signed),
            (self._troubles, event.trouble),
        ):
            if counts:
                counter.inc()

    def forwarded(self, result: str) -> None:
        """Count an attempt to forward."""
        self._forwarded.labels(result).inc()

    def text(self) -> bytes:
        """Return all, in the text format of Prometheus."""
        return generate_latest(self.registry)

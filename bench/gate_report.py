"""What RESULTS.md says of the gate."""

from __future__ import annotations

from typing import Any

from .gate import RECEIVERS
from .tables import ratio, size, table

# with so many senders at most so much longer than the same receiver without verification
VERIFICATION = {1: 1.10, 4: 1.05}
OVER_BARE, TWO_JOBS, MEMORY, WATCH = 1.0, 1.5, 200 << 20, 900


def section(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    """The section on `bench.gate`."""
    del drawn
    rows, targets = [], []
    for case in found["cases"].values():
        flushed = "flushed" if case["sync"] else "not flushed"
        what = f"{case['senders']} sender{'s' if case['senders'] > 1 else ''}, {flushed}"
        rates = case["files_per_second"]
        rows.append([what, *(f"{rates[name]:,.0f}" for name in RECEIVERS)])
        most = VERIFICATION[case["senders"]]
        targets += [
            [f"{what}: with verification over without, at most", f"{most:.2f}x",
             _mark(case["verification"], case["verification"] <= most)],
            [f"{what}: gate over pynetdicom alone, at least", f"{OVER_BARE:.2f}x",
             _mark(case["over_bare"], case["over_bare"] >= OVER_BARE)],
        ]  # fmt: skip
        if case["senders"] > 1:
            targets.append(
                [f"{what}: two processes over one, at least", f"{TWO_JOBS:.2f}x",
                 _mark(case["two_jobs"], case["two_jobs"] >= TWO_JOBS)]
            )  # fmt: skip
    memory, watch = found["memory"], found["watch"]["files_per_second"]
    targets += [
        [f"memory with {memory['objects']} objects of {size(memory['bytes'])} at once, at most",
         size(MEMORY), _text(size(memory["most"]), memory["most"] <= MEMORY)],
        ["`watch` behind `storescp +B`, files/s, at least", str(WATCH),
         _text(f"{watch['watch']:,.0f}", watch["watch"] >= WATCH)],
    ]  # fmt: skip
    return [
        f"{found['files']:,} signed CT slices, {size(found['bytes'])}, sent by dcmsend; files a",
        "second, medians of the rounds. Flushed: each object and its name are on disk before the",
        "answer, of all receivers alike.",
        "",
        *table(["", *(one.label for one in RECEIVERS.values())], rows),
        *table(["", "target", "measured"], targets),
        f"`storescp +B` alone: {watch['storescp']:,.0f} files/s.",
        "",
    ]


def _mark(value: float, good: bool) -> str:
    return _text(ratio(value), good)


def _text(text: str, good: bool) -> str:
    return text if good else f"**{text}**"

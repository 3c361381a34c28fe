"""What RESULTS.md says of the archive."""

from __future__ import annotations

from typing import Any

from . import group_commit as group
from .tables import ms, ratio, size, table

OVER_HALF_FLOOR, DCMSIGN = 1.25, 40
LABELS = {
    "floor": "floor, one process",
    "ours": "archive verify, two processes",
    "dcmsign": "`find | xargs -P2 -n1 dcmsign`",
}


def verifying(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    """The section on `bench.archive`."""
    race, lines = found["race"], []
    rows = [
        [LABELS[name], ms(one["median"]), f"{race['files'] / one['median']:,.0f}",
         f"{race['bytes'] / one['median'] / 1e6:,.0f}", str(one["samples"])]
        for name, one in race["contenders"].items()
    ]  # fmt: skip
    lines += [
        f"The `archive` workload ten times over, {race['files']:,} files, {size(race['bytes'])}:",
        "whole runs, with ledger, pool and walk; the floor and dcmsign over the 2,000 files, times",
        "ten. Integrity only, files in the page cache.",
        "",
        *table(["", "ms", "files/s", "MB/s", "samples"], rows),
        *table(
            ["", "target", "measured"],
            [
                ["over half of the floor, at most", f"{OVER_HALF_FLOOR:.2f}x",
                 _mark(race["over_half_floor"], race["over_half_floor"] <= OVER_HALF_FLOOR)],
                ["dcmsign over it, at least", f"{DCMSIGN}x",
                 "not measured" if race["dcmsign_over_ours"] is None else
                 _mark(race["dcmsign_over_ours"], race["dcmsign_over_ours"] >= DCMSIGN)],
            ],
        ),
        "Cost per file over real files (hard links to the 2,000), the start of two processes",
        "included:",
        "",
        *table(
            ["files", "microseconds of wall clock", "of processor time", "of it the main process",
             "bytes of ledger"],
            [
                [f"{one['files']:,}",
                 *(f"{one[what] / one['files'] * 1e6:,.0f}" for what in
                   ("seconds", "cpu", "parent_cpu")),
                 f"{one['ledger_bytes']:,.0f}"]
                for one in found["growth"]
            ],
        ),
    ]  # fmt: skip
    lines += _long(found["long"], drawn)
    return lines + [f"- {name} did not run: {why}" for name, why in found["missing"].items()]


def _long(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    lines = [
        f"{found['objects']:,} objects by a stand-in for the verifier, with one signature each:",
        f"{found['seconds']:,.0f} s ({found['objects'] / found['seconds']:,.0f} objects/s);",
        f"the report {found['report']['seconds']:,.0f} s;",
        f"{found['ledger_bytes']:,.0f} bytes of ledger an object.",
        "Memory of the process at its peak, the report included:",
        f"{_mib(found['peak'], found['limit'])} (limit {found['limit'] >> 20} MiB).",
        "",
    ]
    if drawn.get("archive"):
        lines += ["![memory and rate of a run over very many objects](archive.svg)", ""]
    return lines


def signing(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    """The section on `bench.archive_sign`."""
    del drawn
    rows = []
    for key, one in found["keys"].items():
        rows.append([f"bare {key}", "", f"{one['bare']:,.0f}", "", ""])
        for name, figures in one["folders"].items():
            odd = "" if set(figures["verdicts"]) == {"signed"} else " **!**"
            rows.append(
                [f"{name}, {key}{odd}", size(found["bytes"][name]), f"{figures['rate']:,.0f}",
                 f"{figures['cpu'] * 1e6:,.0f}", f"{figures['rate'] / one['bare']:.0%}"]
            )  # fmt: skip
    return [
        f"`archive sign --target` with {found['jobs']} processes: whole runs, every file flushed",
        f"to disk; beside it `cryptography` alone in {found['jobs']} processes.",
        "",
        *table(["", "size", "a second", "processor microseconds each", "of bare"], rows),
    ]


def group_commit(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    """The section on `bench.group_commit`."""
    del drawn
    rates, parts = [], []
    for name, case in found["cases"].items():
        over = case["over"]
        rates.append(
            [name, *(f"{case[side]['rate']:,.0f}" for side in ("floor", "ours")),
             _least(over["rate"], group.RATE),
             *(f"{case[side]['cpu'] * 1e6:,.0f}" for side in ("floor", "ours")),
             _mark(over["cpu"], over["cpu"] <= group.CPU)]
        )  # fmt: skip
        for side in ("floor", "ours"):
            one = case[side]
            shares = one["system"], case["alone"]["hash"], case["alone"]["key"], one["python"]
            parts.append(
                [f"{side}: {name}",
                 *(f"{part * 1e6:,.0f}" for part in (*shares, one["ledger"], one["waiting"]))]
            )  # fmt: skip
    counts = ", ".join(f"{count:,} of {size}" for size, count in found["files"].items())
    return [
        f"`archive sign --target --jobs {found['jobs']}`, whole runs ({counts}), beside a loop in",
        f"{found['jobs']} processes that reads, hashes, signs and writes {found['group']} files,",
        "flushes them with one syncfs, renames them, and flushes their folder. In turns; medians",
        f"of {found['rounds']} rounds. The rate is to be at least {group.RATE:.2f} of the loop's,",
        f"the processor time at most {group.CPU:.2f} of it.",
        "",
        *table(["", "floor, a second", "ours", "ours / floor", "floor, processor microseconds",
                "ours", "ours / floor"], rates),
        "Where a file's microseconds go. Hash and key are what they take alone, the ledger is",
        "decoding, chaining and inserting rows (SQLite, without its flushes), Python the rest of",
        "the time in user mode, waiting what two processes do not use.",
        "",
        *table(["", "kernel", "hash", "key", "Python", "ledger", "waiting"], parts),
    ]  # fmt: skip


def _least(value: float, goal: float) -> str:
    return f"{value:.2f}" if value >= goal else f"**{value:.2f}**"


def _mark(value: float, met: bool) -> str:
    return ratio(value) if met else f"**{ratio(value)}**"


def _mib(count: int, limit: int) -> str:
    text = f"{count / (1 << 20):.0f} MiB"
    return text if count < limit else f"**{text}**"

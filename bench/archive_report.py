"""What RESULTS.md says of the archive."""

from __future__ import annotations

from typing import Any

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
        for name, made in one["folders"].items():
            odd = "" if set(made["verdicts"]) == {"signed"} else " **!**"
            rows.append(
                [f"{name}, {key}{odd}", size(found["bytes"][name]), f"{made['rate']:,.0f}",
                 f"{made['cpu'] * 1e6:,.0f}", f"{made['rate'] / one['bare']:.0%}"]
            )  # fmt: skip
    return [
        f"`archive sign --target` with {found['jobs']} processes: whole runs, every file flushed",
        f"to disk; beside it `cryptography` alone in {found['jobs']} processes.",
        "",
        *table(["", "size", "a second", "processor microseconds each", "of bare"], rows),
    ]


def _mark(value: float, met: bool) -> str:
    return ratio(value) if met else f"**{ratio(value)}**"


def _mib(count: int, limit: int) -> str:
    text = f"{count / (1 << 20):.0f} MiB"
    return text if count < limit else f"**{text}**"

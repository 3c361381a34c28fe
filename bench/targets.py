"""The targets: how near to the floor, and how far ahead of DCMTK; checked against the figures."""

from __future__ import annotations

from typing import Any, NamedTuple

from .tables import ratio, table


class Target(NamedTuple):
    """For one workload: ours over the floor at most, and DCMTK over ours at least."""

    over_floor: float
    dcmtk: float


TARGETS = {
    "ct": Target(1.10, 3.0),
    "sr_small": Target(2.0, 10),
    "sr_large": Target(2.5, 50),
    "multiframe": Target(1.05, 1.1),
    "jpeg": Target(1.15, 1.2),
}


def section(found: dict[str, Any]) -> list[str]:
    """The targets beside what was measured; and which of them nothing could meet."""
    rows, impossible, partial = [], [], []
    for name, target in TARGETS.items():
        workload = found["workloads"].get(name)
        if workload is None:
            continue
        over_floor = workload["ratios"].get("over_floor", {})
        near = over_floor.get("ours")
        ahead = workload["ratios"].get("over_ours", {}).get("dcmtk")
        most = over_floor.get("dcmtk")
        odd = ahead is not None and not workload["contenders"]["dcmtk"]["agrees"]
        rows.append(
            [
                name,
                f"{target.over_floor:.2f}x",
                _measured(near, near is not None and near <= target.over_floor),
                f"{target.dcmtk:g}x",
                _measured(ahead, ahead is not None and ahead >= target.dcmtk)
                + (" **!**" if odd else ""),
                "" if most is None else ratio(most),
            ]
        )
        if odd:
            partial.append(name)
        if most is not None and target.dcmtk > most:
            impossible.append(
                f"- {name}: DCMTK takes {ratio(most)} as long as the floor, so the target of "
                f"{target.dcmtk:g}x ahead of DCMTK cannot be met on this machine by anything that "
                "reads and hashes the file."
            )
    return [
        "Ratios of the medians below. Bold: the target is missed.",
        "",
        *table(
            [
                "workload",
                "ours/floor, at most",
                "measured",
                "DCMTK/ours, at least",
                "measured",
                "DCMTK/floor",
            ],
            rows,
        ),
        *impossible,
        *([f"- **!** DCMTK did not accept the file as intact: {', '.join(partial)}; see below."]
          if partial else []),
        "",
    ]  # fmt: skip


def _measured(value: float | None, met: bool) -> str:
    if value is None:
        return "not measured"
    return ratio(value) if met else f"**{ratio(value)}**"

"""The plots: bars on a logarithmic axis, how cost grows, and a run over very many objects."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from . import Unavailable

# in the order of the bars; colours that differ in lightness too
BARS = {
    "floor": ("floor", "#bbbbbb"),
    "ours": ("dicomseal", "#0b5fa5"),
    "dcmtk": ("DCMTK in process", "#e08214"),
    "dcmsign": ("dcmsign", "#b35806"),
    "pure": ("pure twin", "#74add1"),
    "pydicom": ("pydicom.dcmread", "#7fbf7b"),
}
AXES = {
    "elements": "elements",
    "depth": "depth of nesting",
    "bytes": "bytes of pixels",
    "signatures": "signatures over the same elements",
    "macs": "MAC Parameters items",
    "tags": "tags in Data Elements Signed",
}
_ACROSS = 3


def bars(results: dict[str, Any], path: Path) -> bool:
    """Draw the medians of all workloads; False if there are none.

    Raises:
        Unavailable: there is no matplotlib.
    """
    found = results.get("workloads", {}).get("workloads")
    if not found:
        return False
    pyplot = _pyplot()
    present = [c for c in BARS if any(c in w["contenders"] for w in found.values())]
    figure, axes = pyplot.subplots(figsize=(1.6 * len(found) + 2, 4.5), layout="constrained")
    width = 0.84 / len(present)
    for number, c in enumerate(present):
        label, colour = BARS[c]
        places, heights, marks = [], [], []
        for place, workload in enumerate(found.values()):
            result = workload["contenders"].get(c)
            if result:
                places.append(place + (number - (len(present) - 1) / 2) * width)
                heights.append(result["median"])
                marks.append("" if result["agrees"] else "!")
        drawn = axes.bar(places, heights, width * 0.94, label=label, color=colour)
        axes.bar_label(drawn, labels=marks, fontweight="bold", color="#a50026")
    axes.set_yscale("log")
    axes.set_ylabel("seconds for one pass, median")
    axes.set_xticks(range(len(found)), list(found))
    axes.set_title("Verifying a signed file (! = the file was not accepted as intact)", fontsize=10)
    axes.grid(axis="y", which="major", alpha=0.3)
    axes.set_axisbelow(True)
    axes.legend(fontsize=8, ncols=3)
    _save(pyplot, figure, path)
    return True


def growth(results: dict[str, Any], path: Path) -> bool:
    """Draw each growth family; False if there are none. Errors as `bars`."""
    found = results.get("growth", {}).get("families")
    if not found:
        return False
    pyplot = _pyplot()
    down = -(-len(found) // _ACROSS)
    figure, rows = pyplot.subplots(
        down, _ACROSS, figsize=(4.2 * _ACROSS, 3.8 * down), layout="constrained", squeeze=False
    )
    places = [axes for row in rows for axes in row]
    for axes in places[len(found) :]:
        axes.set_visible(False)
    for axes, (family, data) in zip(places, found.items(), strict=False):
        for c, (label, colour) in BARS.items():
            known = [(p["size"], p["cpu"][c]) for p in data["points"] if c in p["cpu"]]
            if known:
                exponent = data["slopes"].get(c)
                text = label if exponent is None else f"{label}, exponent {exponent:.2f}"
                axes.plot(*zip(*known, strict=True), "o-", ms=4, color=colour, label=text)
            if known and c == "ours":
                size, seconds = known[-1]
                sizes = [known[0][0], size]
                line = [seconds * s / size for s in sizes]
                axes.plot(sizes, line, ":", color="#555555", lw=1, label="linear")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(AXES[family])
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    for row in rows:
        row[0].set_ylabel("processor seconds, median")
    _save(pyplot, figure, path)
    return True


def archive(results: dict[str, Any], path: Path) -> bool:
    """Draw the memory and the rate of a run over very many objects; False if there is none."""
    found = results.get("archive", {}).get("long")
    if not found:
        return False
    pyplot = _pyplot()
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    points = found["points"]
    counts = [point["files"] / 1e6 for point in points]
    left.plot(counts, [point["memory"] / (1 << 20) for point in points], color="#0b5fa5")
    left.axhline(found["limit"] / (1 << 20), color="#a50026", ls=":", label="limit")
    left.set_ylim(0)
    left.set_ylabel("resident memory of the process, MiB")
    left.legend(fontsize=8)
    rates = [
        (second["files"] - first["files"]) / (second["seconds"] - first["seconds"]) / 1e3
        for first, second in itertools.pairwise(points)
    ]
    right.plot(counts[1:], rates, color="#0b5fa5")
    right.set_ylim(0)
    right.set_ylabel("thousand objects a second")
    for axes in (left, right):
        axes.set_xlabel("million objects")
        axes.grid(alpha=0.3)
    _save(pyplot, figure, path)
    return True


def latency(results: dict[str, Any], path: Path) -> bool:
    """Draw files a second over latency, and over processes; False if there is none."""
    found = results.get("latency", {}).get("folders")
    if not found:
        return False
    pyplot = _pyplot()
    figure, places = pyplot.subplots(
        2, len(found), figsize=(5 * len(found), 7.2), layout="constrained", squeeze=False
    )
    colours = {"1": "#74add1", "2": "#0b5fa5", "8": "#e08214", "2, none ahead": "#a50026"}
    for (upper, lower), (name, one) in zip(places.T, found.items(), strict=True):
        for who, rates in one["rates"].items():
            label = f"{who} process" if who == "1" else f"{who} processes"
            if "none" in who:
                label = "2 processes, none ahead"
            upper.plot(
                range(len(rates)), [rate["rate"] for rate in rates.values()],
                "o:" if "none" in who else "o-", ms=4, color=colours.get(who), label=label,
            )  # fmt: skip
        ahead = {who: rates for who, rates in one["rates"].items() if who.isdecimal()}
        steps = list(next(iter(ahead.values())))
        for number, step in enumerate(steps):
            lower.plot(
                range(len(ahead)), [rates[step]["rate"] for rates in ahead.values()],
                "o-", ms=4, color=pyplot.cm.viridis_r((number + 1) / len(steps)),
                label=f"{step} ms",
            )  # fmt: skip
        upper.set_xticks(range(len(steps)), [f"{ms} ms" for ms in steps])
        upper.set_xlabel("latency of an open")
        upper.set_title(f"{name}, {one['bytes'] / results['latency']['files'] / 1e3:,.0f} KB")
        lower.set_xticks(range(len(ahead)), list(ahead))
        lower.set_xlabel("processes")
        for axes in (upper, lower):
            axes.set_yscale("log")
            axes.grid(alpha=0.3, which="both")
            axes.legend(fontsize=8)
    for axes in places[:, 0]:
        axes.set_ylabel("files a second")
    _save(pyplot, figure, path)
    return True


def _pyplot() -> Any:
    try:
        import matplotlib as mpl
    except ImportError:
        raise Unavailable("plots need matplotlib (pip install matplotlib)") from None
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "dicomseal"  # the same figures give the same file
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    return pyplot


def _save(pyplot: Any, figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)

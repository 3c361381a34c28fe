"""RESULTS.md and its plots, from results.json."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import HERE, Unavailable, plots
from .contenders import CONTENDERS
from .measure import say
from .peers import KNOWN_LIMIT

COLUMNS = tuple(CONTENDERS)


def write(results: dict[str, Any]) -> None:
    """Write RESULTS.md, bars.svg and growth.svg beside this file."""
    lines = [
        "# Results",
        "",
        "Written by `python -m bench`; the figures are in `results.json`.",
        "",
    ]
    drawn = {}
    for name, draw in (("bars", plots.bars), ("growth", plots.growth)):
        try:
            drawn[name] = draw(results, HERE / f"{name}.svg")
        except Unavailable as error:
            say(f"{name}.svg: not drawn: {error}")
    sections = {
        "workloads": _workloads,
        "growth": _growth,
        "memory": _memory,
        "instructions": _instructions,
    }
    for part, section in sections.items():
        found = results.get(part)
        if not found:
            continue
        lines += [f"## {part.capitalize()}", ""]
        if "skipped" in found:
            lines += [f"Skipped: {found['skipped']}", ""]
            continue
        lines += section(found, drawn)
        lines += [_machine(found["machine"]), ""]
    (HERE / "RESULTS.md").write_text("\n".join(lines), "utf-8")


def _workloads(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    lines = [
        "Median milliseconds of one pass, and in brackets its ratio to the floor. Files are in the",
        "page cache, signed with RSA-2048 and SHA256. All contenders took turns in one run.",
        "",
    ]
    if drawn.get("bars"):
        lines += ["![bars on a logarithmic axis](bars.svg)", ""]
    present = [c for c in COLUMNS if any(c in w["contenders"] for w in found["workloads"].values())]
    rows, notes, peer = [], [], False
    for name, workload in found["workloads"].items():
        row = [name, _size(workload["bytes"]), f"{workload['records']:,}"]
        floor = workload["contenders"].get("floor", {}).get("median")
        for c in present:
            result = workload["contenders"].get(c)
            if result is None:
                row.append("")
                continue
            ratio = f" ({_ratio(result['median'] / floor)})" if floor else ""
            mark = "" if result["agrees"] else " **!**"
            row.append(f"{_ms(result['median'])}{ratio}{mark}")
            if mark:
                said = result["message"] or "no message"
                notes.append(f"- **!** {c} on {name}: verdict `{result['verdict']}`, {said}.")
                peer = peer or c in ("dcmtk", "dcmsign")
        rows.append(row)
    lines += _table(["", "size", "records", *present], rows)
    lines += ["How many times as long as `ours`:", ""]
    rows = []
    for name, workload in found["workloads"].items():
        over = workload["ratios"].get("over_ours")
        if over:
            rows.append([name, *(_ratio(over[c]) if c in over else "" for c in present)])
    lines += _table(["", *present], rows)
    lines += [f"- `{c}`: {CONTENDERS[c].label}" for c in present]
    lines += [f"- `{c}` did not run: {why}" for c, why in found["missing"].items()]
    lines += [
        "- records: elements, items and fragments at any depth; `pydicom` leaves sequences of",
        "  defined length unread until they are asked for.",
        *notes,
        *([f"  ({KNOWN_LIMIT}.)"] if peer else []),
        "",
    ]
    return lines


def _growth(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    lines = [
        "Median processor time; the exponent is taken over the last tenfold, 1 is linear.",
        "",
    ]
    if drawn.get("growth"):
        lines += ["![growth on logarithmic axes](growth.svg)", ""]
    for family, data in found["families"].items():
        names = [n for n in COLUMNS if any(n in p["cpu"] for p in data["points"])]
        rows = []
        for point in data["points"]:
            row = [f"{point['size']:,}", _size(point["bytes"])]
            for n in names:
                seconds = point["cpu"].get(n)
                mark = " **!**" if n in point["disagree"] else ""
                row.append("" if seconds is None else f"{_ms(seconds)}{mark}")
            rows.append(row)
        slopes = [data["slopes"].get(n) for n in names]
        rows.append(["exponent", "", *("" if s is None else f"{s:.2f}" for s in slopes)])
        lines += _table([family, "size", *(f"{n}, ms" for n in names)], rows)
    if any(p["disagree"] for data in found["families"].values() for p in data["points"]):
        lines += [f"**!** did not accept the file as intact ({KNOWN_LIMIT}).", ""]
    return lines


def _memory(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    del drawn
    rows = []
    for name, case in found["cases"].items():
        if "error" in case:
            rows.append([name, "", "", "", case["error"]])
            continue
        within = "yes" if case["added"] < case["limit"] else "**no**"
        added = f"{case['added'] / (1 << 20):.1f} MiB"
        rows.append([name, _size(case["bytes"]), case["verdict"], added, within])
    return [
        "Resident memory added at the peak by one verification (an upper bound for anonymous).",
        "",
        *_table(["", "size", "verdict", "added", "below 64 MiB"], rows),
    ]


def _instructions(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    del drawn
    rows = []
    for name, case in found["cases"].items():
        for step, count in case["steps"].items():
            rows.append(
                [
                    name,
                    step,
                    f"{count['instructions']:,.0f}",
                    f"{count['per_record']:,.1f}",
                    f"{count['per_byte']:.3f}",
                ]
            )
    return [
        "Callgrind's count of instructions for one pass, without any hash.",
        "",
        *_table(["", "step", "instructions", "per record", "per byte"], rows),
    ]


def _machine(facts: dict[str, Any]) -> str:
    packages = ", ".join(f"{n} {v}" for n, v in facts["packages"].items() if v)
    return (
        f"<sub>{facts['time']}; {facts['cpu']} ({', '.join(facts['cpu_flags'])}), "
        f"{facts['cores']} cores, load {facts['load_average']:.1f}; {facts['kernel']}; "
        f"{facts['python']} with {facts['hashlib_openssl']}; cryptography with "
        f"{facts['cryptography_openssl']}; {packages}; DCMTK {facts['dcmtk'] or 'missing'}; "
        f"commit {facts['commit'] or 'none'}</sub>"
    )


def _table(head: Iterable[str], rows: Iterable[list[str]]) -> list[str]:
    head = list(head)
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def _ms(seconds: float) -> str:
    value = seconds * 1e3
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(value: float) -> str:
    return f"{value:,.0f}x" if value >= 100 else f"{value:.2f}x" if value < 10 else f"{value:.1f}x"


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    for unit in ("KB", "MB", "GB"):
        count_in_unit = count / 1000 ** (("KB", "MB", "GB").index(unit) + 1)
        if count_in_unit < 1000:
            break
    return f"{count_in_unit:.3g} {unit}"

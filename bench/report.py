"""RESULTS.md and its plots, from results.json."""

from __future__ import annotations

from typing import Any

from . import (
    HERE,
    Unavailable,
    archive_report,
    cold,
    dask_workers,
    datasets,
    fixity,
    gate_report,
    in_memory,
    latency,
    parallel,
    plots,
    processor,
    targets,
)
from .contenders import CONTENDERS
from .measure import say
from .peers import KNOWN_LIMIT
from .tables import ms, ratio, size, table

COLUMNS = tuple(CONTENDERS)


def write(results: dict[str, Any]) -> None:
    """Write RESULTS.md and the plots beside this file."""
    lines = [
        "# Results",
        "",
        "Written by `make bench`, which runs `python -m bench`; the figures are in `results.json`.",
        "",
    ]
    drawn = {}
    plotters = {
        "bars": plots.bars, "growth": plots.growth, "archive": plots.archive,
        "latency": plots.latency,
    }  # fmt: skip
    for name, draw in plotters.items():
        try:
            drawn[name] = draw(results, HERE / f"{name}.svg")
        except Unavailable as error:
            say(f"{name}.svg: not drawn: {error}")
    sections = {
        "workloads": _workloads,
        "growth": _growth,
        "parallel": _parallel,
        "archive": archive_report.verifying,
        "archive-sign": archive_report.signing,
        "dask": dask_workers.section,
        "signing": archive_report.group_commit,
        "latency": latency.section,
        "fixity": fixity.section,
        "processor": processor.section,
        "datasets": _datasets,
        "in-memory": in_memory.section,
        "trust": _trust,
        "cold": _cold,
        "gate": gate_report.section,
        "memory": _memory,
        "instructions": _instructions,
    }
    for part, section in sections.items():
        found = results.get(part)
        if not found:
            continue
        if part == "workloads" and "skipped" not in found:
            lines += ["## Targets", "", *targets.section(found)]
        lines += [f"## {part.capitalize()}", ""]
        if "skipped" in found:
            lines += [f"Skipped: {found['skipped']}", ""]
            continue
        lines += section(found, drawn)
        lines += [_machine(found), ""]
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
        row = [name, size(workload["bytes"]), f"{workload['records']:,}"]
        floor = workload["contenders"].get("floor", {}).get("median")
        for c in present:
            result = workload["contenders"].get(c)
            if result is None:
                row.append("")
                continue
            behind = f" ({ratio(result['median'] / floor)})" if floor else ""
            mark = "" if result["agrees"] else " **!**"
            row.append(f"{ms(result['median'])}{behind}{mark}")
            if mark:
                said = result["message"] or "no message"
                notes.append(f"- **!** {c} on {name}: verdict `{result['verdict']}`, {said}.")
                peer = peer or c in ("dcmtk", "dcmsign")
        rows.append(row)
    lines += table(["", "size", "records", *present], rows)
    lines += ["How many times as long as `ours`:", ""]
    rows = []
    for name, workload in found["workloads"].items():
        over = workload["ratios"].get("over_ours")
        if over:
            rows.append([name, *(ratio(over[c]) if c in over else "" for c in present)])
    lines += table(["", *present], rows)
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
            row = [f"{point['size']:,}", size(point["bytes"])]
            for n in names:
                seconds = point["cpu"].get(n)
                mark = " **!**" if n in point["disagree"] else ""
                row.append("" if seconds is None else f"{ms(seconds)}{mark}")
            rows.append(row)
        slopes = [data["slopes"].get(n) for n in names]
        rows.append(["exponent", "", *("" if s is None else f"{s:.2f}" for s in slopes)])
        lines += table([family, "size", *(f"{n}, ms" for n in names)], rows)
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
        rows.append([name, size(case["bytes"]), case["verdict"], added, within])
    return [
        "Resident memory added at the peak by one verification (an upper bound for anonymous).",
        "",
        *table(["", "size", "verdict", "added", "below 64 MiB"], rows),
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
        *table(["", "step", "instructions", "per record", "per byte"], rows),
    ]


def _parallel(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    del drawn
    rows = []
    for name, folder in found["folders"].items():
        for mode, result in folder["modes"].items():
            speed_up, pool = result["speed_up"], result["pool"]
            mark = "" if result["agrees"] else " **!**"
            rows.append(
                [
                    f"{folder['files']:,} of {name}, {size(folder['bytes'])}",
                    parallel.MODES[mode].label,
                    f"{ms(result['median'])}{mark}",
                    "" if speed_up is None else ratio(speed_up),
                    f"{result['files_per_second']:,.0f}",
                    f"{result['bytes_per_second'] / 1e6:,.0f}",
                    "" if pool is None else ms(pool),
                ]
            )
    head = ["", "mode", "ms", "speed-up", "files/s", "MB/s", "one file, ms"]
    return [
        "Median milliseconds to verify a folder, integrity only; the start and end of the pool are",
        "included. The last column is what one file takes by the same way: for threads and",
        f"processes nearly all of it is the pool (start method: {found['start_method']}).",
        "",
        *table(head, rows),
        *[f"- `{mode}` did not run: {why}\n" for mode, why in found["missing"].items()],
    ]


def _datasets(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    del drawn
    rows = []
    for name, case in found["cases"].items():
        over = case["pure_over_compiled"]
        cells = []
        for twin in datasets.TWINS:
            result = case["twins"].get(twin)
            mark = "" if result is None or result["agrees"] else " **!**"
            cells.append("" if result is None else f"{ms(result['median'])}{mark}")
        rows.append([name, f"{case['records']:,}", *cells, "" if over is None else ratio(over)])
    head = ["", "records of the file", "compiled, ms", "pure, ms", "pure/compiled"]
    return [
        "Median milliseconds for the canonical stream of a `pydicom.Dataset` in memory, into a",
        "consumer that does nothing.",
        "",
        *table(head, rows),
        *[f"- {name}: {datasets.CASES[name].label}" for name in found["cases"]],
        *[f"- `{twin}` did not run: {why}" for twin, why in found["missing"].items()],
        "",
    ]


def _trust(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    del drawn
    rows = [
        [
            f"{one['verifications']:,} of {name}, {size(one['bytes'])}",
            *(f"{one['sides'][side][part]:.2f}" for part in ("seconds", "cpu")
              for side in ("integrity", "trust")),
            f"{one['sides']['trust']['first'] - one['sides']['integrity']['first']:.2f}",
            f"{one['ratios']['seconds']:.3f}", f"{one['ratios']['cpu']:.3f}",
        ]
        for name, one in found["files"].items()
    ]  # fmt: skip
    head = ["", "integrity, s", "with trust, s", "integrity, CPU s", "with trust, CPU s",
            "before the 11th file, s", "ratio", "ratio of CPU"]  # fmt: skip
    return [
        f"{found['signers']} signers, revocation required, a CRL of {found['entries']:,} entries.",
        "Each side in a process of its own, in turns, one thread; imports, reading the CRL and all",
        "decisions are counted, and stand in the column before the ratios. Median of the rounds.",
        "",
        *table(head, rows),
    ]


def _cold(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    del drawn
    rows = []
    for name, result in found["commands"].items():
        over = found["verify_over"].get(name)
        spread = f"{ms(result['low'])} to {ms(result['high'])}"
        rows.append(
            [cold.LABELS[name], ms(result["median"]), spread, "" if over is None else ratio(over)]
        )
    return [
        "Median wall-clock milliseconds of a whole command, started in turn; its bytecode and its",
        "files are in the page cache.",
        "",
        *table(["", "ms", "quartiles", "the command over it"], rows),
    ]


def _machine(found: dict[str, Any]) -> str:
    facts = found["machine"]
    command = f"`{found['command']}`; " if "command" in found else ""
    packages = ", ".join(f"{n} {v}" for n, v in facts["packages"].items() if v)
    return (
        f"<sub>{command}{facts['time']}; {facts['cpu']} ({', '.join(facts['cpu_flags'])}), "
        f"{facts['cores']} cores, load {facts['load_average']:.1f}; {facts['kernel']}; "
        f"{facts['python']} with {facts['hashlib_openssl']}; cryptography with "
        f"{facts['cryptography_openssl']}; {packages}; DCMTK {facts['dcmtk'] or 'missing'}; "
        f"commit {facts['commit'] or 'none'}</sub>"
    )

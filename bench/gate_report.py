"""What RESULTS.md says of the gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .gate import RECEIVERS
from .tables import ms, ratio, size, table

# with so many senders at most so much longer than the same receiver without verification
VERIFICATION = {1: 1.10, 4: 1.05}
OVER_BARE, TWO_JOBS, MEMORY, WATCH = 1.0, 1.5, 200 << 20, 900
_WATCHED = {
    "storescp": "`storescp +B` alone",
    "watch": "and `watch` behind it",
    "watch-2": "and `watch --jobs 2`",
}


def section(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    """The section on `bench.gate`."""
    del drawn
    rates, costs, targets = [], [], []
    for case in found["cases"].values():
        what = _name(case)
        rates.append([what, *_row(case["files_per_second"], lambda value: f"{value:,.0f}")])
        costs.append([what, *_row(case["processor"], ms), ms(case["sender"])])
        targets += _targets(what, case)
    memory, watch = found["memory"], found["watch"]
    files = watch["files_per_second"]
    targets += [
        [f"memory with {memory['objects']} objects of {size(memory['bytes'])} at once, at most",
         size(MEMORY), _text(size(memory["most"]), memory["most"] <= MEMORY)],
        ["`watch` behind `storescp +B`, files/s, at least", str(WATCH),
         _text(f"{files['watch']:,.0f}", files["watch"] >= WATCH)],
    ]  # fmt: skip
    labels = [one.label for one in RECEIVERS.values()]
    return [
        f"{found['files']:,} signed CT slices of a series, {size(found['bytes'])}, sent by dcmsend",
        "on the same machine, or, prepared, by senders with all requests in memory before they",
        "begin; files a second, medians of the rounds. Flushed: each object and its name are on",
        "disk before the answer, of all receivers alike. The load average was",
        f"{found['machine']['load_average']:.1f} when the run began: what others do meanwhile",
        "changes files a second, and processor time a little.",
        "",
        *table(["", *labels], rates),
        "Processor time for an object, in ms, of all processes and threads of the receiver; and of",
        "the senders:",
        "",
        *table(["", *labels, "senders"], costs),
        *table(["", "target", "measured"], targets),
        *_limits(found),
        f"{watch['files']:,} files to `storescp +B`, four senders, prepared; with `watch` until",
        f"the last is in the ledger, {watch['settle']:g} s of which it waits for changes:",
        "",
        *table(
            ["", "files/s", "ms of storescp", "ms of the senders", "ms of watch"],
            [
                [label, f"{files[name]:,.0f}", *(ms(one) for one in watch["processor"][name])]
                for name, label in _WATCHED.items()
            ],
        ),
        *_limit_of_watch(found),
    ]


def _name(case: dict[str, Any]) -> str:
    senders = f"{case['senders']} sender{'s' if case['senders'] > 1 else ''}"
    how = "prepared, " if case.get("prepared") else ""
    return f"{senders}, {how}{'flushed' if case['sync'] else 'not flushed'}"


def _row(values: dict[str, float], text: Callable[[float], str]) -> list[str]:
    """What was measured of each receiver; nothing of one that did not take part."""
    return [text(values[name]) if name in values else "" for name in RECEIVERS]


def _targets(what: str, case: dict[str, Any]) -> list[list[str]]:
    found, most = [], VERIFICATION[case["senders"]]
    if "over_bare" in case:
        found += [
            [f"{what}: with verification over without, at most", f"{most:.2f}x",
             _mark(case["verification"], case["verification"] <= most)],
            [f"{what}: gate over pynetdicom alone, at least", f"{OVER_BARE:.2f}x",
             _mark(case["over_bare"], case["over_bare"] >= OVER_BARE)],
        ]  # fmt: skip
    if "two_jobs" in case:
        found.append(
            [f"{what}: two processes over one, at least", f"{TWO_JOBS:.2f}x",
             _mark(case["two_jobs"], case["two_jobs"] >= TWO_JOBS)]
        )  # fmt: skip
    return found


def _limits(found: dict[str, Any]) -> list[str]:
    """What bounds the figures on this machine, computed from those of the same run."""
    case = found["cases"]["4"]
    used, sent = case["processor"], case["sender"]
    verified = used["gate"] - used["unverified"]
    with_hash = (used["unverified"] + sent + found["hash"]) / (used["unverified"] + sent)
    return [
        f"What bounds them: of {ms(used['gate'])} ms that the gate takes for an object,",
        f"{ms(verified)} are verification, and SHA-256 alone takes {ms(found['hash'])}. Where",
        "senders keep the processors busy too, that cannot be hidden while something else is",
        "waited for: with the hash and nothing else, the time of a transfer would be",
        f"{with_hash:.2f}x of that without verification. dcmsend takes {ms(sent)} ms of the same",
        "processors for an object.",
        *_limit_of_processes(found["cases"].get("4 prepared")),
        "",
    ]


def _limit_of_processes(case: dict[str, Any] | None) -> list[str]:
    """What bounds how much two processes receive more than one."""
    if case is None:  # of an earlier version
        return []
    busy, together = case["busy"], case["processor"]["gate"] + case["sender"]
    return [
        f"With prepared senders, which take {ms(case['sender'])} ms, one process keeps",
        f"{busy['gate']:.2f} processors busy, as what it hashes, writes and receives does not wait",
        f"for the rest of it, and two processes {busy['gate-2']:.2f}. Receiver and senders",
        f"together take {ms(together)} ms for an object, so that no more than",
        f"{case['most']:,.0f} a second can arrive here, however many processes receive:",
        f"{case['most'] / case['files_per_second']['gate']:.2f}x of what one took.",
    ]


def _limit_of_watch(found: dict[str, Any]) -> list[str]:
    together = sum(found["watch"]["processor"]["watch"])
    return [
        f"Receiver, senders and `watch` together need {ms(together)} ms for a file: this machine's",
        f"{found['machine']['cores']} processors cannot do more than",
        f"{found['machine']['cores'] / together:,.0f} a second.",
        "",
    ]


def _mark(value: float, good: bool) -> str:
    return _text(ratio(value), good)


def _text(text: str, good: bool) -> str:
    return text if good else f"**{text}**"

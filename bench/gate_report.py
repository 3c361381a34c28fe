"""What RESULTS.md says of the gate."""

from __future__ import annotations

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
        rates.append([what, *(f"{case['files_per_second'][name]:,.0f}" for name in RECEIVERS)])
        costs.append(
            [what, *(ms(case["processor"][name]) for name in RECEIVERS), ms(case["sender"])]
        )
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
        "on the same machine; files a second, medians of the rounds. Flushed: each object and its",
        "name are on disk before the answer, of all receivers alike. The load average was",
        f"{found['machine']['load_average']:.1f} when the run began: what others do meanwhile",
        "changes files a second, and processor time a little.",
        "",
        *table(["", *labels], rates),
        "Processor time for an object, in ms, of all processes and threads of the receiver; and of",
        "the senders:",
        "",
        *table(["", *labels, "dcmsend"], costs),
        *table(["", "target", "measured"], targets),
        *_limits(found),
        f"{watch['files']:,} files to `storescp +B`, four senders; with `watch` until the last is",
        f"in the ledger, {watch['settle']:g} s of which it waits whether a file still changes:",
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
    flushed = "flushed" if case["sync"] else "not flushed"
    return f"{case['senders']} sender{'s' if case['senders'] > 1 else ''}, {flushed}"


def _targets(what: str, case: dict[str, Any]) -> list[list[str]]:
    most = VERIFICATION[case["senders"]]
    found = [
        [f"{what}: with verification over without, at most", f"{most:.2f}x",
         _mark(case["verification"], case["verification"] <= most)],
        [f"{what}: gate over pynetdicom alone, at least", f"{OVER_BARE:.2f}x",
         _mark(case["over_bare"], case["over_bare"] >= OVER_BARE)],
    ]  # fmt: skip
    if case["senders"] > 1:
        found.append(
            [f"{what}: two processes over one, at least", f"{TWO_JOBS:.2f}x",
             _mark(case["two_jobs"], case["two_jobs"] >= TWO_JOBS)]
        )  # fmt: skip
    return found


def _limits(found: dict[str, Any]) -> list[str]:
    """What bounds the figures on this machine, computed from those of the same run."""
    case = found["cases"]["4"]
    used, sent, one = case["processor"], case["sender"], case["files_per_second"]["gate"]
    verified = used["gate"] - used["unverified"]
    return [
        f"What bounds them: of {ms(used['gate'])} ms that the gate takes for an object,",
        f"{ms(verified)} are verification, and SHA-256 alone takes {ms(found['hash'])}. Where",
        "senders keep the processors busy too, that cannot be hidden while something else is",
        "waited for: with the hash and nothing else, the time of a transfer would be",
        f"{(used['unverified'] + sent + found['hash']) / (used['unverified'] + sent):.2f}x of that",
        f"without verification. Receiver and senders need {ms(used['gate'] + sent)} ms of these",
        "processors for an object, so that however many processes receive, no more than",
        f"{case['most']:,.0f} a second can arrive: {case['most'] / one:.2f}x of what one process",
        "took.",
        "",
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

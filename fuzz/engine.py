"""Runs a target over mutated inputs, with atheris where it is asked for, else with plain Python."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import CACHE, FINDS
from .mutate import Parse, mutate

Target = Callable[[bytes], None]
SLOW = 10.0  # seconds for one input: a find
MOST = 48 << 10  # bytes of an input; what the builders make is long
MOST_ALIKE = 3  # finds in one place that are kept
ROOM = MOST + 4096


class Watch:
    """Runs single inputs, and keeps count where a crash of the process does not lose it.

    The input that is running lies in ``current``, a mapped file; what was seen, in ``stats``.
    """

    def __init__(self, name: str, target: Target, first: bool = False) -> None:
        CACHE.mkdir(exist_ok=True)
        self.name, self.target, self.first = name, target, first
        # what the target counts itself, if it does
        self.counts = getattr(target, "counts", {})
        self.stats: dict[str, Any] = {
            "executions": 0, "finds": 0, "seconds": 0.0, "slowest": 0.0, "slowest_bytes": 0,
            "peak_mib": 0,
        }  # fmt: skip
        self._began = time.monotonic()
        self._known: dict[str, int] = {}
        with open(CACHE / f"{name}.current", "wb+") as file:
            file.truncate(ROOM)
            self._current = mmap.mmap(file.fileno(), ROOM)

    def run(self, data: bytes) -> None:
        """One execution."""
        self._current[: 4 + len(data)] = len(data).to_bytes(4, "little") + data
        begin = time.perf_counter()
        try:
            self.target(data)
        except Exception as error:  # noqa: BLE001 whatever it is, it is a find
            self._find(data, error)
        spent = time.perf_counter() - begin
        if spent > self.stats["slowest"]:
            self.stats.update(slowest=round(spent, 4), slowest_bytes=len(data))
            (CACHE / f"{self.name}.slowest").write_bytes(data)
        if spent > SLOW:
            self._find(data, TimeoutError(f"{spent:.1f} s"))
        self.stats["executions"] += 1
        if self.stats["executions"] % 200 == 0:
            self.save()

    def _find(self, data: bytes, error: BaseException) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        key = f"{type(error).__name__}:{where.name}:{where.lineno}"
        self.stats["finds"] += 1
        if self.first:
            self.save()
            raise SystemExit(f"find: {type(error).__name__}: {str(error)[:500]}")
        self._known[key] = self._known.get(key, 0) + 1
        if self._known[key] > MOST_ALIKE:
            return
        FINDS.mkdir(exist_ok=True)
        path = FINDS / f"{self.name}-{hashlib.sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        text = "".join(traceback.format_exception(error))
        path.with_suffix(".txt").write_text(text, "utf-8", "backslashreplace")
        print(f"find: {path}\n{text}", file=sys.stderr, flush=True)

    def save(self) -> None:
        """Write down what was seen."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        self.stats.update(peak_mib=peak, seconds=round(time.monotonic() - self._began, 1))
        partial = CACHE / f"{self.name}.stats.part"
        partial.write_text(json.dumps(self.stats | self.counts), "utf-8")
        os.replace(partial, CACHE / f"{self.name}.stats")


def crashed(name: str) -> Path:
    """Keep the input that was running when the process of a target died."""
    raw = (CACHE / f"{name}.current").read_bytes()
    data = raw[4 : 4 + int.from_bytes(raw[:4], "little")]
    FINDS.mkdir(exist_ok=True)
    path = FINDS / f"{name}-crash-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


def plain(watch: Watch, seeds: list[bytes], parse: Parse, seconds: float, seed: int) -> None:
    """Without coverage: seeds, then mutations of seeds, until the time is over."""
    dice = random.Random(seed)
    stop = time.monotonic() + seconds
    for data in seeds:
        watch.run(data)
    while time.monotonic() < stop:
        data = dice.choice(seeds)
        for _ in range(8):
            other = dice.choice(seeds)
            watch.run(mutate(data, parse, dice, other, MOST))
    watch.save()


def guided(
    watch: Watch, seeds: list[bytes], parse: Parse, seconds: float, seed: int, largest: int
) -> None:
    """With atheris: libFuzzer keeps what reaches new code; half of the mutations are ours."""
    import atheris

    corpus = CACHE / "corpus" / watch.name
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds:
        if len(data) <= largest:
            (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    def change(data: bytes, most: int, number: int) -> bytes:
        dice = random.Random(number)
        if dice.random() < 0.4:
            return bytes(atheris.Mutate(data, most))
        return mutate(data, parse, dice, dice.choice(seeds), most)

    options = [f"-max_total_time={int(seconds)}", f"-max_len={largest}", f"-seed={seed}"]
    options += ["-timeout=60", "-rss_limit_mb=4096", f"-artifact_prefix={CACHE}/"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], watch.run, custom_mutator=change)
    try:
        atheris.Fuzz()
    finally:
        watch.save()

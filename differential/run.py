"""Runs the builders, verifies what they make, and asks the readers about what passes."""

from __future__ import annotations

import collections
import json
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fuzz import seeds
from fuzz.forms import file_form
from fuzz.mutate import mutate

from dicomseal import TrustStore, verify
from dicomseal.report import PASSED

from . import FINDS
from .builders import load as load_builders
from .oracle import Find, Oracle, finds
from .originals import Original
from .originals import load as load_originals

BATCH = 96  # mutants that pass and are shown to the readers together
LARGEST = 300_000
RAISED = "raised"
MOST_ALIKE = 12  # finds of a builder that are kept


class Mutant(NamedTuple):
    """One mutant; its number alone says how to make it again.

    ``shown`` names the original that the readers must show.
    """

    number: int
    builder: str
    original: Original
    data: bytes
    shown: str


class Mutants:
    """All mutants by number."""

    def __init__(self, seed: int = 1, only: str = "") -> None:
        self.seed = seed
        self.originals = load_originals()
        built = load_builders()
        self.names = [name for name in sorted(built) if not only or name in only.split(",")]
        self._built = built

    def make(self, number: int) -> Mutant | None:
        """The mutant of a number; None if builder and original do not go together."""
        dice = random.Random(f"{self.seed} {number}")
        name = self.names[number % len(self.names)]
        original = dice.choice(self.originals)
        built = self._built[name](dice, original)
        data, shown = built if isinstance(built, tuple) else (built, original.name)
        if data is None or data == original.data or len(data) > LARGEST:
            return None
        if dice.random() < 0.1:
            data = mutate(data, file_form, dice, original.data, LARGEST)
        return Mutant(number, name, original, data, shown)

    def upwards(self, first: int) -> Iterator[Mutant]:
        """Mutants from a number on, without end."""
        number = first
        while True:
            mutant = self.make(number)
            number += 1
            if mutant is not None:
                yield mutant


class Count(NamedTuple):
    """What was seen: verdicts by builder, answers of the readers, and the finds."""

    verdicts: collections.Counter[tuple[str, str]]
    readers: collections.Counter[tuple[str, str]]
    finds: collections.Counter[tuple[str, str, str]]
    lost: dict[str, int]
    seconds: float
    kept: list[str]

    @property
    def mutants(self) -> int:
        return sum(self.verdicts.values())

    def table(self) -> str:
        """By builder: mutants, verdicts, and how many were shown otherwise."""
        kinds = ("passed", "indeterminate", "failed", "unsigned", "error")
        lines = ["| builder | mutants | " + " | ".join(kinds) + " | finds |", "| --- " * 8 + "|"]
        for name in sorted({name for name, _ in self.verdicts}):
            row = [self.verdicts[name, kind] for kind in kinds]
            found = sum(n for (builder, _, _), n in self.finds.items() if builder == name)
            cells = " | ".join(f"{n:,}" for n in (sum(row), *row, found))
            lines.append(f"| `{name}` | {cells} |")
        total = [sum(n for (_, k), n in self.verdicts.items() if k == kind) for kind in kinds]
        cells = " | ".join(f"{n:,}" for n in (self.mutants, *total, sum(self.finds.values())))
        return "\n".join([*lines, f"| all | {cells} |"])


def run(
    count: int, seconds: float = 0, seed: int = 1, only: str = "", first: int = 0,
    oracle: Oracle | None = None, folder: Path = FINDS,
) -> Count:  # fmt: skip
    """Make mutants, and ask the readers about what passes.

    Args:
        count: how many mutants.
        seconds: stop earlier, after that time; 0 is never.
        seed: of all random choices.
        only: names of builders with commas between; empty is all.
        first: the number of the first mutant.
        oracle: the readers; all that are here, if none is given.
        folder: where finds are put, each with what was seen.
    """
    begun = time.monotonic()
    asked = oracle or Oracle()
    mutants = Mutants(seed, only)
    trust = TrustStore.from_files(*(seeds.CACHE / f"{kind}.pem" for kind in ("ec", "rsa")))
    counts = Count(
        collections.Counter(), collections.Counter(), collections.Counter(), {}, 0.0, []
    )  # fmt: skip
    scratch = Path(tempfile.mkdtemp(prefix="dicomseal-differential-", dir=_memory()))
    try:
        baseline = _baseline(asked, mutants.originals, scratch)
        batch: list[tuple[Mutant, bool]] = []
        for mutant in mutants.upwards(first):
            try:
                report = verify(mutant.data, trust=trust)
            except Exception as error:  # noqa: BLE001 a verification never raises for a bad file
                counts.verdicts[mutant.builder, RAISED] += 1
                seen = Find("dicomseal", RAISED, type(error).__name__, "a report", str(error))
                _keep(mutant, False, [seen], counts, folder)
            else:
                counts.verdicts[mutant.builder, report.verdict] += 1
                if report.verdict == PASSED:
                    batch.append((mutant, bool(report.uncovered_elements)))
            over = counts.mutants >= count or (seconds and time.monotonic() - begun > seconds)
            if len(batch) >= BATCH or over:
                _ask(asked, batch, baseline, scratch, counts, folder)
                batch = []
            if over:
                break
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if oracle is None:
            asked.close()
    return counts._replace(lost=asked.lost, seconds=time.monotonic() - begun)


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _baseline(oracle: Oracle, originals: list[Original], scratch: Path) -> dict[str, dict]:  # type: ignore[type-arg]
    paths = []
    for original in originals:
        path = scratch / f"{original.name}.dcm"
        path.write_bytes(original.data)
        paths.append(str(path))
    return dict(zip([o.name for o in originals], oracle.ask(paths), strict=True))


def _ask(
    oracle: Oracle, batch: list[tuple[Mutant, bool]], baseline: dict[str, dict],  # type: ignore[type-arg]
    scratch: Path, counts: Count, folder: Path,
) -> None:  # fmt: skip
    paths = []
    for number, (mutant, _) in enumerate(batch):
        path = scratch / f"mutant-{number:03}.dcm"
        path.write_bytes(mutant.data)
        paths.append(str(path))
    for (mutant, uncovered), shown in zip(batch, oracle.ask(paths), strict=True):
        for name, answer in shown.items():
            refused = answer.get("refused")
            crashed = refused is not None and refused.startswith("crashed")
            word = "crashed" if crashed else "shown" if refused is None else "refused"
            counts.readers[name, word] += 1
        seen = finds(baseline[mutant.shown], shown, mutant.original.signed)
        if seen:
            _keep(mutant, uncovered, seen, counts, folder)


def _keep(mutant: Mutant, uncovered: bool, seen: list[Find], counts: Count, folder: Path) -> None:
    worst = seen[0]
    readers = "+".join(sorted({f.reader for f in seen}))
    kinds = "+".join(sorted({f.kind for f in seen}))
    counts.finds[mutant.builder, kinds, readers] += 1
    alike = counts.finds[mutant.builder, kinds, readers]
    if alike > MOST_ALIKE:
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{mutant.builder}-{mutant.number}.dcm"
    path.write_bytes(mutant.data)
    said = {
        "builder": mutant.builder, "number": mutant.number, "original": mutant.original.name,
        "uncovered": uncovered, "finds": [str(find) for find in seen[:20]],
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(said, indent=1), "utf-8")
    counts.kept.append(f"{path.name} ({mutant.original.name}): {worst}")

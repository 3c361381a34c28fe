"""``python -m differential --count N``: 1 if a mutant that passes shows other content anywhere."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from . import FINDS
from .oracle import NAMES, Oracle, missing
from .run import run


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m differential", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="how many mutants")
    parser.add_argument("--seconds", type=float, default=0, help="stop after that time")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices")
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--only", default="", help="builders, with commas between")
    parser.add_argument("--readers", default="", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--folder", type=Path, default=FINDS, help="where finds are put")
    options = parser.parse_args()
    absent = missing()
    if absent and os.environ.get("CI"):
        raise SystemExit(f"not here: {', '.join(absent)}; all four readers have to be asked")
    for name in absent:
        print(f"{name} is not here and was not asked")
    oracle = Oracle(options.readers.split(",") if options.readers else None)
    try:
        counts = run(
            options.count, options.seconds, options.seed, options.only, options.first, oracle,
            options.folder,
        )  # fmt: skip
    finally:
        oracle.close()
    print(counts.table())
    for name in oracle.names:
        words = ("shown", "refused", "crashed")
        print(f"{name}: " + ", ".join(f"{counts.readers[name, w]:,} {w}" for w in words))
    for (builder, kinds, readers), number in sorted(counts.finds.items()):
        print(f"find: {builder}: {kinds} by {readers}: {number}")
    for line in counts.kept[:40]:
        print(f"  {line}")
    print(
        f"{counts.mutants:,} mutants in {counts.seconds:.0f} s, {sum(counts.finds.values())} finds"
    )
    return 1 if counts.finds or not counts.mutants else 0


if __name__ == "__main__":
    raise SystemExit(main())

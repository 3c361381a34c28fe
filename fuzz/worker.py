"""The process that runs a target; `__main__` starts it on the core that was asked for."""

from __future__ import annotations

import argparse
import faulthandler
from pathlib import Path

from . import engine, seeds
from .minimise import minimise
from .registry import TARGETS, function


def main() -> int:
    """The command line; see `__main__`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("input", nargs="*", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--name", default="", help="of its files in the cache")
    parser.add_argument("--guided", action="store_true")
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--minimise", action="store_true")
    options = parser.parse_intermixed_args()
    faulthandler.enable()
    row = TARGETS[options.target]
    run = function(options.target)
    for path in options.input:
        data = path.read_bytes()
        if options.minimise:
            path.with_suffix(".min").write_bytes(minimise(run, data))
        else:
            run(data)
    if options.input:
        return 0
    watch = engine.Watch(options.name, run, options.first)
    corpus = seeds.load(row.corpus)
    if options.guided:
        engine.guided(watch, corpus, row.parse, options.seconds, options.seed, row.largest)
    else:
        engine.plain(watch, corpus, row.parse, options.seconds, options.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

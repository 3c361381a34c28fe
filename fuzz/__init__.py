"""Fuzzing of the index, the encoder and the operations; run it with ``python -m fuzz TARGET``.

The rooms: `seeds` makes the corpus, `mutate` changes inputs and knows what DICOM looks like,
`targets` and `peers` say what must hold of every input, `engine` drives them with or without
coverage, `build` compiles the core for it, `mutants` breaks the core on purpose. Nothing here is
part of the installed package; docs/fuzzing.md has the results.
"""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = HERE / ".cache"  # seeds, corpora and compiled cores; never committed
FINDS = HERE / "finds"  # inputs on which something did not hold; never committed

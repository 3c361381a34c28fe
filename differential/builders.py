"""The builders by name: each makes a mutant of an original, or none if it does not fit."""

from __future__ import annotations

import random
from collections.abc import Callable

from .originals import Original

# with another original, whose content it has too and which readers see as they see the mutant
Made = bytes | tuple[bytes, str] | None
Builder = Callable[[random.Random, Original], Made]
BUILDERS: dict[str, Builder] = {}


def builder(function: Builder) -> Builder:
    """Enter a builder under its name."""
    BUILDERS[function.__name__.strip("_")] = function
    return function


def load() -> dict[str, Builder]:
    """All builders."""
    from . import (
        builders_content,
        builders_encoding,
        builders_lengths,
        builders_meta,
        builders_pixels,
        builders_repairs,
        builders_un,
    )

    del builders_content, builders_encoding, builders_lengths, builders_meta
    del builders_pixels, builders_repairs, builders_un
    return BUILDERS

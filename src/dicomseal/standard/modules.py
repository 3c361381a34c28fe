"""Which attributes each module has that PS3.15 Annex C names (PS3.3).

In: names of modules. Out: the tags of their attributes, from ``data/modules.txt``, which
``tools/make_modules.py`` writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache

from ..errors import UsageError

_GROUPS = range(0x00, 0x20, 2)  # repeating groups: 5000 to 501E, 6000 to 601E (PS3.5 Section 7.6)


@lru_cache(maxsize=64)
def module_tags(modules: frozenset[str]) -> frozenset[int]:
    """Return the tags at the top level of these modules.

    Raises:
        UsageError: the table does not have one of the modules.
    """
    if not modules:
        return frozenset()
    table = module_table()
    unknown = modules - table.keys()
    if unknown:
        raise UsageError(f"not a module of PS3.15 Annex C: {', '.join(sorted(unknown))}")
    return frozenset().union(*(table[module] for module in modules))


@lru_cache(maxsize=1)
def module_table() -> dict[str, frozenset[int]]:
    """Return the tags at the top level of each module in ``data/modules.txt``."""
    path = os.path.join(os.path.dirname(__file__), "data", "modules.txt")
    with open(path, encoding="utf-8") as lines:
        rows = [line.split() for line in lines if not line.startswith("#")]
    return {name: frozenset(_expand(patterns)) for name, *patterns in rows}


def _expand(patterns: Iterable[str]) -> Iterator[int]:
    for pattern in patterns:
        for group in _GROUPS if "xx" in pattern else (0,):
            yield int(pattern.replace("xx", f"{group:02X}"), 16)

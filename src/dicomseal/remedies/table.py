"""The table of remedies: every code that a report or an exception can have."""

from __future__ import annotations

import functools

from .errors import ERRORS
from .reasons import REASONS, STATES
from .remedy import Remedy

TABLE: dict[str, Remedy] = {**REASONS, **STATES, **ERRORS}


@functools.lru_cache(256)  # a ledger may hold any codes
def sentence(code: str) -> str | None:
    """Return what to do about a code, as one sentence with a command.

    None for a code that is not known.

    Args:
        code: of a reason, of an error, or ``NOT_CHECKED`` or ``UNSIGNED``.
    """
    found = TABLE.get(code)
    return None if found is None else found.sentence

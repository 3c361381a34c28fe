"""The targets by name: which corpus, how inputs are taken apart, and the function."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

from .forms import file_form, raw_form
from .mutate import Parse


class Row(NamedTuple):
    """One target; its function is imported when it runs, on the core that is then in use."""

    corpus: str
    parse: Parse
    function: str
    largest: int  # bytes of an input, with coverage


TARGETS = {
    "index": Row("raw", raw_form, "targets:index", 1200),
    "twins": Row("raw", raw_form, "targets:twins", 600),
    "encoder": Row("raw", raw_form, "targets:encoder", 600),
    "verify": Row("object", file_form, "objects:verify_object", 9000),
    "roundtrip": Row("object", file_form, "objects:roundtrip", 9000),
    "remove": Row("object", file_form, "objects:remove", 9000),
    "dcmsign": Row("signed", file_form, "objects:dcmsign", 9000),
}


def function(name: str) -> Any:
    """The function of a target."""
    module, _, attribute = TARGETS[name].function.partition(":")
    return getattr(importlib.import_module(f"fuzz.{module}"), attribute)

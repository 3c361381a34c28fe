"""Precautions of a command that loads a private key: no core dump, and visible warnings."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import click

from ..errors import KeyFileWarning, LeftOutWarning, UnusedSettingsWarning

_SAID = (KeyFileWarning, LeftOutWarning, UnusedSettingsWarning)


@contextlib.contextmanager
def secrets_at_hand() -> Iterator[None]:
    """Open a context for all work of a command with a key or a password."""
    no_core_dump()
    with warnings_said():
        yield


@contextlib.contextmanager
def warnings_said() -> Iterator[None]:
    """Open a context that prints the warnings about named files."""
    with warnings.catch_warnings():
        for one in _SAID:
            warnings.simplefilter("always", one)
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: object) -> None:
            if issubclass(category, _SAID):
                click.echo(f"dicomseal: warning: {message}", err=True)
            else:
                usual(message, category, *where)  # type: ignore[arg-type]

        warnings.showwarning = show  # type: ignore[assignment]
        yield


def no_core_dump() -> None:
    """Make sure that this process, and those it starts, leave no core file (POSIX).

    The limit is 1 byte, not 0: with either the kernel writes no file; but if it pipes dumps to a
    program (core_pattern begins with ``|``) it ignores 0, while for 1 it starts no program (Linux,
    fs/coredump.c).
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = resource.RLIMIT_CORE
    hard = resource.getrlimit(limit)[1]
    resource.setrlimit(limit, (min(1, hard) if hard >= 0 else 1, hard))  # -1 means unlimited

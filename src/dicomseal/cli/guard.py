"""What a command does before it loads a private key: no core dump, and warnings that are seen."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import click

from ..errors import KeyFileWarning, LeftOutWarning, UnusedSettingsWarning

_SAID = (KeyFileWarning, LeftOutWarning, UnusedSettingsWarning)


@contextlib.contextmanager
def secrets_at_hand() -> Iterator[None]:
    """Around all that a command does with a key or a password."""
    no_core_dump()
    with warnings_said():
        yield


@contextlib.contextmanager
def warnings_said() -> Iterator[None]:
    """Around what may warn of a file that was named."""
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
    """From here on this process, and what it starts, leaves no core file (POSIX).

    The limit is 1 byte, not 0: with either the kernel writes no file, and where it pipes dumps to a
    program (core_pattern begins with ``|``) it ignores 0, but for 1 starts no program (Linux,
    fs/coredump.c).
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = resource.RLIMIT_CORE
    hard = resource.getrlimit(limit)[1]
    resource.setrlimit(limit, (min(1, hard) if hard >= 0 else 1, hard))  # -1 is no limit at all

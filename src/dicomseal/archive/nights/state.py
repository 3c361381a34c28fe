"""What one night leaves to the next one, in a file beside the ledger.

Two things are in it that the last completed run does not tell. An alarm stays until it is repaired
or accepted, so the next night compares an object with what it was before the alarm: otherwise a
signature that was stripped would be told once, in a mail that nobody may have read. And the head of
the ledger shows that the ledger is still the one of the night before.
"""

from __future__ import annotations

import os

import msgspec

from ...errors import LedgerError
from ...files.atomic import replacing

_VERSION = 1


class State(msgspec.Struct, kw_only=True):
    """What one night leaves to the next one.

    Attributes:
        version: of this file.
        run: the last completed run; 0 before the first one.
        head: of the ledger's chain after it, hexadecimal.
        references: the numbers of the objects that are compared with, in the order of their
            paths, because they are not what they were: see `Alarms`.
        agreed: how many of them the baseline knows.
        told: the numbers of the other objects that the last night told as in trouble: they were as
            bad before, or are new.
        judged: the exit code of the last night whose run came to its end; 0 before the first one.
        findings: how many faults it found in the ledger.
        audited: when the ledger was last audited and found intact, in seconds since 1970.
        quiet: when a night last ended with nothing new, in seconds since 1970.
    """

    version: int = _VERSION
    run: int = 0
    head: str = ""
    references: list[int] = msgspec.field(default_factory=list)
    agreed: int = 0
    told: list[int] = msgspec.field(default_factory=list)
    judged: int = 0
    findings: int = 0
    audited: float = 0.0
    quiet: float = 0.0


def place(ledger: str) -> str:
    """Return the path of the state that belongs to a ledger."""
    return f"{os.path.realpath(ledger)}.nightly"


def load(ledger: str) -> State:
    """Return the state that belongs to a ledger; a new one if there is none yet.

    Raises:
        LedgerError: it cannot be read, or is not one.
    """
    path = place(ledger)
    try:
        with open(path, "rb") as file:
            state = msgspec.json.decode(file.read(), type=State)
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror or error}") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise LedgerError(
            f"{path}: this is not what a night left here ({error}); move it away: the next night "
            "then compares with the last completed run alone",
            "changed",
        ) from None
    if state.version != _VERSION:
        raise LedgerError(f"{path}: another version of dicomseal wrote it", "version")
    return state


def save(ledger: str, state: State) -> None:
    """Replace the state that belongs to a ledger, in one step.

    Raises:
        SourceError: it cannot be written.
    """
    with replacing(place(ledger)) as file:
        file.write(msgspec.json.encode(state))

"""Whether the storage is there: an archive that is away for a night has not lost its files."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ...errors import DicomSealError
from ..find.passed_over import PassedOver
from ..find.root import Walk
from ..find.roots import is_path, root_of
from ..find.selection import Selection
from ..ledger.ledger import Ledger
from ..ledger.sqlite_file import explained

# codes of errors by which the storage did not give a file or folder
NOT_GIVEN = frozenset(
    {"not_found", "permission", "unreadable", "empty_folder", "empty_list", "store", "unreachable",
     "incomplete", "media_type", "other_object", "redirected", "hung"}
)  # fmt: skip
_MAX_FOLDERS = 100_000


class Away(msgspec.Struct, frozen=True):
    """A root that is not there, and why."""

    root: str
    why: str


def away(selection: Selection) -> list[Away]:
    """Return the roots of a selection that are missing, empty, or do not answer.

    A mount that is missing leaves an empty folder, or none. One file is found in each root, no
    more.
    """
    return [one for one in (_away(root, selection) for root in selection.roots) if one]


def _away(name: str, selection: Selection) -> Away | None:
    walk = Walk(selection.follow, selection.null, PassedOver(), is_path)
    try:
        root = root_of(name)
        root.check()
        first = next(iter(root.find(walk)), None)
    except DicomSealError as error:
        return Away(name, str(error).removeprefix(f"{name}: "))
    if first is None:
        return Away(name, "there is nothing in it")
    if first.trouble and first.whole and first.path == root.name:
        return Away(name, first.trouble[1])
    return None


class Unreachable:
    """The folders that a run could not read: what was in them has not vanished.

    Args:
        ledger: open for reading.
        span: the objects of the run.
    """

    def __init__(self, ledger: Ledger, span: tuple[int, int]) -> None:
        marks = ", ".join("?" * len(NOT_GIVEN))
        with explained(ledger.path):
            self._paths = {
                _text(path)
                for (path,) in ledger.db.execute(
                    "SELECT path FROM object WHERE id BETWEEN ? AND ? AND verdict = 'error'"  # noqa: S608
                    f" AND reason IN ({marks}) LIMIT ?",
                    (*span, *sorted(NOT_GIVEN), _MAX_FOLDERS),
                )
            }

    def holds(self, path: str | bytes) -> bool:
        """Return whether a path lies below such a folder."""
        return bool(self._paths) and any(one in self._paths for one in _folders(_text(path)))


def _text(path: str | bytes) -> str:
    return path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else path


def _folders(path: str) -> Iterable[str]:
    """Yield the folders that a path lies in."""
    for number, character in enumerate(path):
        if number and character in "/\\":
            yield path[:number]

"""What a run is asked to do: which files, and with which options. The ledger keeps it as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from ... import __version__
from ...errors import UsageError
from . import sample, walk
from .found import Found
from .passed_over import PassedOver


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which files a run is over.

    Attributes:
        roots: as `dicomseal.archive.find.walk.find_files` takes them; folders absolute.
        include: patterns of names; empty takes all.
        exclude: patterns of names that are left out.
        null: in lists a NUL ends each path.
        modified_before: only files last modified before this time, in seconds since 1970; or None.
        share: of the files that is drawn, 0 to 1; None takes all.
        seed: of the draw.
        stratify: draw from every folder apart.
        follow: go into folders that are symbolic links.
    """

    roots: tuple[str, ...]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    null: bool = False
    modified_before: float | None = msgspec.field(default=None, name="before")  # in ledgers
    share: float | None = None
    seed: str = ""
    stratify: bool = False
    follow: bool = False


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was asked to do, as the ledger keeps it.

    Attributes:
        selection: which files.
        trust: the options about trust, as they were given.
        version: of dicomseal.
        signing: how a run signs: key, profile, where to; empty for one that verifies.
    """

    selection: Selection
    trust: dict[str, str | int | bool | list[str] | None] = msgspec.field(default_factory=dict)
    version: str = __version__
    signing: dict[str, str | int | bool | list[str] | None] = msgspec.field(default_factory=dict)


def as_json(made: msgspec.Struct) -> str:
    """As the ledger keeps it.

    Raises:
        UsageError: a root is no UTF-8.
    """
    try:
        return msgspec.json.encode(made).decode()
    except UnicodeEncodeError:
        raise UsageError("the name of a root is no UTF-8: name its parent folder") from None


def check_same(number: int, before: RunRequest, asked: RunRequest) -> None:
    """Refuse to go on with a run that was asked to do something else.

    Raises:
        UsageError: the selection is another, or options about trust or signing are.
    """
    fields = Selection.__struct_fields__, Selection.__struct_encode_fields__
    for field, name in zip(*fields, strict=True):
        was, now = getattr(before.selection, field), getattr(asked.selection, field)
        if field == "modified_before":  # a moment that --older-than counted back from the start
            was, now = was is None, now is None
        if was != now:
            raise UsageError(
                f"run {number} was over another selection: {name} was {was!r}, not {now!r}"
            )
    for what, were, given in (
        ("trust", before.trust, asked.trust), ("signing", before.signing, asked.signing),
    ):  # fmt: skip
        names = sorted(
            name
            for name in were.keys() | given.keys()
            # an option that the version before did not have, and that is not given now, is no other
            if (were.get(name) or None) != (given.get(name) or None)
        )
        if names:
            raise UsageError(f"run {number} had other options about {what}: {', '.join(names)}")


def selected(
    selection: Selection,
    counted: Callable[[Iterable[Found]], Iterable[Found]],
    passed: PassedOver | None = None,
) -> Iterable[Found]:
    """The files of a selection; ``counted`` sees those among which a sample is drawn.

    ``passed`` is told what the walk leaves out, whatever is selected.
    """
    found: Iterable[Found] = walk.find_files(
        selection.roots, selection.follow, passed, selection.null
    )
    if selection.include:
        found = walk.included(found, selection.include)
        found = walk.or_report_nothing(found, selection.roots, _misspelt(selection.include))
    if selection.exclude:
        found = walk.excluded(found, selection.exclude)
        found = walk.or_report_nothing(found, selection.roots, walk.ALL_EXCLUDED)
    if selection.modified_before is not None:
        limit = int(selection.modified_before * 1e9)
        found = (file for file in found if file.mtime < limit)
    found = counted(found)
    if selection.share is not None:
        found = sample.drawn(
            found, selection.share, selection.seed, selection.stratify, selection.roots
        )
    return found


def _misspelt(patterns: Sequence[str]) -> str:
    """What is said where patterns leave nothing; that no file is old enough is no mistake."""
    kind = "path" if all("/" in one for one in patterns) else "name"
    return f"nothing is selected: no file has a {kind} that matches {' or '.join(patterns)}"


def throttled(files: Iterable[Found], rate: float) -> Iterator[Found]:
    """The same files, no faster than so many bytes in a second."""
    start, size = time.monotonic(), 0
    for file in files:
        early = start + size / rate - time.monotonic()
        if early > 0:
            time.sleep(early)
        yield file
        size += file.size

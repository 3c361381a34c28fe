"""The request for a run: its files and its options. The ledger keeps it as JSON."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from ... import __version__
from ...errors import UsageError
from ..errors import NothingSelectedError
from . import sample, walk
from .far_reads import TIMEOUT
from .found import NOTHING_SELECTED, Found
from .passed_over import PassedOver
from .trusted import Trusted


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a run.

    Attributes:
        roots: as `dicomseal.archive.find.walk.find_files` takes them; folders absolute.
        include: patterns of names; empty takes all.
        exclude: patterns of names that are left out.
        null: in lists a NUL ends each path.
        modified_before: only files last modified before this time, in seconds since 1970; or None.
        share: the part of the files that is drawn, 0 to 1; None takes all.
        seed: of the draw.
        stratify: draw from every folder separately.
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
    """The request for a run, as the ledger keeps it.

    Attributes:
        selection: the files.
        trust: the options about trust, as they were given.
        version: of dicomseal.
        signing: the options of a run that signs: key, profile, target; empty for one that verifies.
        trusted: the certificates and the policy behind the options about trust; None: there was no
            anchor, or a dicomseal that did not keep them.
    """

    selection: Selection
    trust: dict[str, str | int | bool | list[str] | None] = msgspec.field(default_factory=dict)
    version: str = __version__
    signing: dict[str, str | int | bool | list[str] | None] = msgspec.field(default_factory=dict)
    trusted: Trusted | None = None


def as_json(request: msgspec.Struct) -> str:
    """Return the JSON that the ledger keeps.

    Raises:
        UsageError: the name of a root is not UTF-8.
    """
    try:
        return msgspec.json.encode(request).decode()
    except UnicodeEncodeError:
        raise UsageError("the name of a root is not UTF-8: name its parent folder") from None


def check_same(number: int, before: RunRequest, request: RunRequest) -> None:
    """Refuse to resume a run whose request was different.

    Raises:
        UsageError: the selection is another, or options about trust or signing are, or what the
            files hold that these name.
    """
    fields = Selection.__struct_fields__, Selection.__struct_encode_fields__
    for field, name in zip(*fields, strict=True):
        was, now = getattr(before.selection, field), getattr(request.selection, field)
        if field == "modified_before":  # --older-than counts it back from the start of each run
            was, now = was is None, now is None
        if was != now:
            raise UsageError(
                f"run {number} was over another selection: {name} was {was!r}, not {now!r}"
            )
    for what, were, given in (
        ("trust", before.trust, request.trust), ("signing", before.signing, request.signing),
    ):  # fmt: skip
        names = sorted(
            name
            for name in were.keys() | given.keys()
            # an option that did not exist in an older version, and is not given now, has not
            # changed
            if (were.get(name) or None) != (given.get(name) or None)
        )
        if names:
            raise UsageError(f"run {number} had other options about {what}: {', '.join(names)}")
    if before.trusted and request.trusted and not before.trusted.judges_as(request.trusted):
        raise UsageError(
            f"run {number} trusted other certificates, or had another policy: what is in these "
            "files has changed since"
        )


def selected(
    selection: Selection,
    counted: Callable[[Iterable[Found]], Iterable[Found]],
    passed: PassedOver | None = None,
    timeout: float = TIMEOUT,
) -> Iterable[Found]:
    """Yield the files of a selection; ``counted`` sees those from which a sample is drawn.

    ``passed`` collects the entries that the walk leaves out, whatever is selected; ``timeout`` is
    as for `walk.find_files`.
    """
    found: Iterable[Found] = walk.find_files(
        selection.roots, selection.follow, passed, selection.null, timeout
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


class Walked:
    """The files of a selection, found as they are asked for.

    Attributes:
        population: how many were found, before a sample was drawn.
        passed: the entries that the walk left out.
    """

    def __init__(self, selection: Selection, timeout: float = TIMEOUT) -> None:
        self.population = 0
        self.passed = PassedOver()
        self._found = iter(selected(selection, self._counted, self.passed, timeout))

    def __iter__(self) -> Iterator[Found]:
        return self._found

    def _counted(self, found: Iterable[Found]) -> Iterator[Found]:
        for file in found:
            self.population += 1
            yield file

    def require_some(self) -> None:
        """Look for the first file, so that no run is begun over none.

        Raises:
            NothingSelectedError: the patterns leave none. An empty folder is another matter: that
                is a finding, and goes into the ledger.
        """
        first = next(self._found, None)
        if first is None:
            return
        if first.trouble and first.trouble[0] == NOTHING_SELECTED:
            roots = (first.path, *(another.path for another in self._found))
            raise NothingSelectedError(roots, first.trouble[1])
        self._found = itertools.chain((first,), self._found)


def _misspelt(patterns: Sequence[str]) -> str:
    """Return the message for patterns that match no file; too young files need no message."""
    kind = "path" if all("/" in one for one in patterns) else "name"
    return f"nothing is selected: no file has a {kind} that matches {' or '.join(patterns)}"


def throttled(files: Iterable[Found], rate: float) -> Iterator[Found]:
    """Yield the same files, at most the given number of bytes in a second."""
    start, size = time.monotonic(), 0
    for file in files:
        early = start + size / rate - time.monotonic()
        if early > 0:
            time.sleep(early)
        yield file
        size += file.size

"""`dicomseal.archive.api.verify_archive`: a run over an archive, from a program of one's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ...encoding.limits import Limits
from ...errors import UsageError
from ...standard.tags import format_tag
from ...verification.many import AUTO, processes
from ...verification.options import WARN, Options
from ...verification.verifier import options_of
from ..find.ahead import TIMEOUT, Reading
from ..find.roots import root_of
from ..find.selection import RunRequest, Selection
from ..find.trusted import trusted_by
from .progress import Outcome, Progress
from .runner import verify

if TYPE_CHECKING:
    from datetime import datetime

    from ...requirements import Rule
    from ...trust.store import TrustStore

_Path = str | os.PathLike[str]


def verify_archive(
    ledger: _Path,
    roots: _Path | Iterable[_Path],
    *,
    jobs: int | str = AUTO,
    executor: Executor | Callable[[], Executor] | None = None,
    workers: int | None = None,
    resume: bool = False,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    follow_links: bool = False,
    max_rate: float | None = None,
    read_ahead: int | str = AUTO,
    read_timeout: float = TIMEOUT,
    content_digest: bool = False,
    watch: Callable[[Progress, Callable[[], None]], object] | None = None,
    trust: TrustStore | None = None,
    at: datetime | None = None,
    accept_claimed_time: bool = False,
    weak: str | None = None,
    integrity_only: bool = False,
    require: str | Rule | Iterable[str | Rule] = (),
    require_signed: Iterable[str | int] = (),
    require_all_signed: bool = False,
    list_uncovered: bool = False,
    unsigned: str = WARN,
    accept_legacy: bool = False,
    transfer_syntax: str = "",
    limits: Limits | None = None,
) -> Outcome:
    """Verify all files of an archive into a ledger, as `dicomseal archive verify` does.

    Every finished batch is on disk; after a crash, or a `stop`, a call with ``resume=True`` goes
    on: every object once (PS3.3 C.12.1.1.3, PS3.15 Annex C).

    Args:
        ledger: the SQLite file that the results are appended to; created if it does not exist.
        roots: folders, files, or what else the command takes: ``@LIST``, ``s3://BUCKET/PREFIX``,
            ``dicomweb+https://…``; one or several.
        jobs: how many processes; ``"auto"`` is as many as this process may use.
        executor: a `concurrent.futures.Executor` instead of them, or a function that makes one;
            see `dicomseal.archive.run.dask_cluster.cluster`.
        workers: how many tasks it runs at once.
        resume: continue the last run, which was stopped.
        include, exclude: patterns of names or, with a slash, of paths.
        follow_links: go into folders that are symbolic links.
        max_rate: megabytes that are read in a second at most.
        read_ahead: how many files each process reads at once, ahead of the one that it verifies;
            ``"auto"`` is none while they come from the page cache, else as many as are worth while.
        read_timeout: seconds after which a file, or a block of a large one, that was not read is
            an error.
        content_digest: keep a hash of all content, signed or not.
        watch: called at the beginning and after every batch with the `Progress`, and with a
            function that stops the run in good order.

    The other arguments are those of `dicomseal.verify`.

    Returns:
        The number of the run, whether it came to its end, and how many files have each verdict.

    Raises:
        UsageError: an argument makes no sense, a root does not exist, or one lies within another;
            with ``resume`` the last run had other options.
        LedgerError: the ledger cannot be used, or there is nothing to resume.
        LostError: the executor, or an object store, no longer works; the run can be resumed.
    """
    options = options_of(
        trust, at, accept_claimed_time, weak, integrity_only, require, require_signed,
        require_all_signed, list_uncovered, unsigned, accept_legacy, transfer_syntax, limits,
    )  # fmt: skip
    options = replace(options, content_digest=content_digest)
    count = processes(jobs)
    if read_ahead != AUTO and (type(read_ahead) is not int or read_ahead < 0):
        raise UsageError(f"read_ahead is a number from 0, or {AUTO!r}, not {read_ahead!r}")
    if not read_timeout > 0:
        raise UsageError(f"read_timeout is a number of seconds, not {read_timeout!r}")
    named = [roots] if isinstance(roots, (str, os.PathLike)) else roots
    selection = Selection(
        roots=tuple(root_of(os.fspath(one)).name for one in named),
        include=_patterns(include),
        exclude=_patterns(exclude),
        follow=follow_links,
    )
    return verify(
        os.fspath(ledger),
        RunRequest(selection=selection, trust=_as_noted(options)),
        options,
        jobs=count,
        executor=executor,
        workers=workers,
        resume=resume,
        max_rate=max_rate and max_rate * 1e6,
        watch=watch,
        reading=Reading(
            ahead=None if isinstance(read_ahead, str) else read_ahead, timeout=read_timeout
        ),
    )


def _patterns(given: Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _as_noted(options: Options) -> dict[str, str | int | bool | list[str] | None]:
    """Return the options as the ledger keeps them, by their names on the command line."""
    usual = Limits()
    limits = zip(Limits._fields, options.limits, usual, strict=True)
    trusted = trusted_by(options.trust)
    return {
        "trust": [one.sha256 for one in trusted.certificates] if trusted else [],
        "at": options.at.isoformat() if options.at else None,
        "accept_claimed_time": options.accept_claimed_time,
        "weak": options.weak,
        "integrity_only": options.integrity_only,
        "require": sorted(map(str, options.require)),
        "require_signed": [format_tag(tag) for tag in options.demands.signed],
        "require_all_signed": options.demands.all_signed,
        "list_uncovered": options.demands.listed,
        "unsigned": options.unsigned,
        "accept_legacy_format": options.accept_legacy,
        "transfer_syntax": options.transfer_syntax,
        "limit": [f"{name}={now}" for name, now, before in limits if now != before],
        "content_digest": options.content_digest,
    }

"""Where a gate puts what it neither accepts nor refuses: the object, and its report beside it."""

from __future__ import annotations

import contextlib
import os
import time
from datetime import UTC, datetime

import msgspec

from ..errors import SourceError, UsageError
from ..files import atomic
from ..report import ObjectReport
from .judgement import Decision
from .origin import Origin
from .placer import Placed, Placer, make_folder, told

_OLD = 3600.0  # seconds for which nobody has written to a temporary file that is left


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the JSON file beside an object in quarantine.

    Attributes:
        received: when it arrived, ISO 8601 in UTC.
        origin: how, and from whom.
        comment: why it is here, in one line.
        study, series: its Study and Series Instance UID.
        report: of the verification, as ``dicomseal verify --format json`` gives it.
    """

    received: str
    origin: Origin
    comment: str
    study: str
    series: str
    report: ObjectReport


class Quarantine:
    """A folder with one object in two files: ``UID_HASH.dcm`` and ``UID_HASH.json``.

    Args:
        root: the folder; it is made if it is not there, and may be on another file system than the
            store.
        sync: as for `store.Store`.

    Raises:
        SourceError: it cannot be made.
    """

    def __init__(self, root: str | os.PathLike[str], *, sync: bool = True) -> None:
        self.root = os.path.abspath(os.fsdecode(root))
        self._placer = Placer(self.root, sync)
        with told(self.root):
            make_folder(self.root, sync)
            self._clean()

    def put(
        self, path: str, sha256: str, decision: Decision, comment: str, origin: Origin
    ) -> Placed:
        """Move a finished file here, and write its report beside it before it has its name.

        Args:
            path: of the file; it is gone from there.
            sha256: of the file, hexadecimal, which makes its name one of its own.
            decision: what was decided of it.
            comment: why it is here.
            origin: how it arrived.

        Raises:
            SourceError: it has no place here, and is where it was.
        """
        _, _, instance = decision.identity.names
        name = f"{instance}_{sha256[:16]}"
        target = os.path.join(self.root, f"{name}.dcm")
        record = Record(
            received=datetime.now(UTC).isoformat(timespec="milliseconds"),
            origin=origin,
            comment=comment,
            study=decision.identity.study,
            series=decision.identity.series,
            report=msgspec.structs.replace(decision.report, path=target),
        )
        beside = os.path.join(self.root, f"{name}.json")
        if not (os.path.exists(target) and os.path.exists(beside)):  # the first arrival stays told
            with atomic.replacing(beside) as file:
                file.write(msgspec.json.format(_encoded(record), indent=2) + b"\n")
        try:
            return self._placer.place(path, self.root, name)
        except SourceError:
            if not os.path.exists(target):  # a report on nothing
                with contextlib.suppress(OSError):
                    os.unlink(beside)
            raise

    def _clean(self) -> None:
        """Remove what was left by a process that died; others may be at work here."""
        old = time.time() - _OLD
        with os.scandir(self.root) as found:
            for entry in found:
                if atomic.is_temporary(entry.name):
                    with contextlib.suppress(FileNotFoundError):
                        if entry.stat(follow_symlinks=False).st_mtime < old:
                            os.unlink(entry.path)


def check_apart(store: str, quarantine: str) -> None:
    """Check that store and quarantine do not lie in one another.

    Raises:
        UsageError: they do.
    """
    one, other = os.path.realpath(store), os.path.realpath(quarantine)
    if os.path.commonpath([one, other]) in (one, other):
        raise UsageError(f"--quarantine: {quarantine} and the store {store} lie in one another")


def _encoded(record: Record) -> bytes:
    """Do as JSON; the report by its own rules for names of files that are not UTF-8."""
    fields = msgspec.structs.asdict(record)
    fields["report"] = msgspec.Raw(record.report.to_json())
    return msgspec.json.encode(fields)

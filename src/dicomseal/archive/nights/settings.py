"""The settings of a night, as its configuration file has them, and what each of them means."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

ALWAYS: Final = "always"


def _key(text: str, example: str, is_path: bool = False) -> msgspec.Meta:
    return msgspec.Meta(description=text, examples=[example], extra={"is_path": is_path})


class Archive(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What is verified."""

    roots: Annotated[
        list[str],
        _key(
            "Folders, @LISTs and object stores, as `archive verify` takes them. Name each mount by "
            "itself: a root that is missing or empty means that the storage is away.",
            '["/archive"]',
        ),
    ]
    ledger: Annotated[
        str,
        _key("The ledger; it is created if it does not exist.", '"ledger.db"', is_path=True),
    ]
    name: Annotated[
        str, _key("The archive's name in mails. Default: the name of the ledger.", '"ct"')
    ] = ""


class Alarm(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What is an alarm."""

    baseline: Annotated[
        str,
        _key(
            "Damage that is known: a file by `archive baseline`, or a ledger. A file that does not "
            "exist yet is an empty one.",
            '"known.jsonl"',
            is_path=True,
        ),
    ] = ""
    ignore: Annotated[
        list[Literal["vanished", "stripped", "content_changed", "replaced", "unsigned_changed"]],
        _key(
            "Kinds of changes that are never an alarm, e.g. where files are removed by plan.",
            '["vanished"]',
        ),
    ] = msgspec.field(default_factory=list)
    most_missing: Annotated[
        float,
        _key(
            "If more than this percentage of the archive is missing, the storage is taken to be "
            "away, and nothing to be removed.",
            "50",
        ),
        msgspec.Meta(gt=0, le=100),
    ] = 50.0
    expiry_days: Annotated[
        int,
        _key("Name certificates that expire within so many days.", "90"),
        msgspec.Meta(ge=0),
    ] = 90
    paths: Annotated[
        int, _key("Name so many files of each group in the mail.", "3"), msgspec.Meta(ge=0)
    ] = 3


class Audit(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The audit of the ledger."""

    every_days: Annotated[
        int,
        _key(
            "Audit the ledger if the last audit is so many days ago; 0: every night. It reads all "
            "runs, at about a minute for a million objects.",
            "0",
        ),
        msgspec.Meta(ge=0),
    ] = 0
    signers: Annotated[
        list[str],
        _key(
            "Every run must be signed by one of these certificates, see `sign-run`.",
            '["archive-cert.pem"]',
            is_path=True,
        ),
    ] = msgspec.field(default_factory=list)


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Files that each night writes."""

    html: Annotated[
        str,
        _key(
            "The report of the run, one HTML page; beside it, as report-failures.csv, all that "
            "failed or was not decided.",
            '"report.html"',
            is_path=True,
        ),
    ] = ""
    json: Annotated[str, _key("The night as JSON.", '"night.json"', is_path=True)] = ""
    metrics: Annotated[
        str,
        _key(
            "Figures of the run for node exporter's textfile collector. Those of the night are in "
            "a second file beside it, archive.nightly.prom.",
            '"archive.prom"',
            is_path=True,
        ),
    ] = ""
    new: Annotated[
        str,
        _key(
            "Every object in new trouble, one JSON object a line, however many.",
            '"new.jsonl"',
            is_path=True,
        ),
    ] = ""


class Mail(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The mail. Without these, the summary is printed."""

    command: Annotated[
        list[str],
        _key(
            "A command that takes a mail with its headers on standard input.",
            '["/usr/sbin/sendmail", "-t", "-i"]',
        ),
    ] = msgspec.field(default_factory=list)
    to: Annotated[str, _key("Its recipients.", '"pacs-admins@hospital.example"')] = ""
    sender: Annotated[str, _key("Its sender.", '"dicomseal@hospital.example"')] = ""
    file: Annotated[
        str, _key("Write the summary here as well.", '"last-night.txt"', is_path=True)
    ] = ""
    when: Annotated[
        Literal["always", "trouble"],
        _key(
            "always: a mail each night, so that silence is an alarm, too; trouble: only if the "
            "exit code is not 0.",
            '"always"',
        ),
    ] = ALWAYS


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All tables but ``[verify]``, whose keys are the options of `archive verify`."""

    archive: Archive
    alarm: Alarm = msgspec.field(default_factory=Alarm)
    audit: Audit = msgspec.field(default_factory=Audit)
    report: Report = msgspec.field(default_factory=Report)
    mail: Mail = msgspec.field(default_factory=Mail)


class Key(msgspec.Struct, frozen=True):
    """A key of a table: its name, what it means, an example as TOML, and whether it is a path."""

    name: str
    text: str
    example: str
    is_path: bool
    required: bool


def tables() -> dict[str, type[msgspec.Struct]]:
    """Return the tables of a configuration file, without ``[verify]``."""
    return dict(get_type_hints(Settings))


def keys(table: type[msgspec.Struct]) -> dict[str, Key]:
    """Return the keys of a table by their names."""
    found = {}
    hints = get_type_hints(table, include_extras=True)
    for field in msgspec.structs.fields(table):
        (meta,) = [
            one
            for one in _metas(hints[field.name])
            if isinstance(one, msgspec.Meta) and one.description
        ]
        extra: Any = meta.extra
        (example,) = meta.examples or [""]
        found[field.encode_name] = Key(
            field.encode_name, meta.description or "", example, extra["is_path"], field.required
        )
    return found


def _metas(hint: Any) -> tuple[Any, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()

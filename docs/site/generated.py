"""What of the site is written by programs: the pages of commands, and the contents of the index."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from dicomseal import cli

DOCS = Path(__file__).resolve().parent.parent
FOLDER = DOCS / "site" / "commands"
INDEX = "docs/index"
# what the navigation shows, in this order; a page that is not there yet is passed over
CONTENTS = {
    "Begin": ["/README", "how-it-works", "workflow"],
    "I run an archive": [
        "runbook", "archive", "gate", "watch", "orthanc", "dicomweb", "trust", "timestamps",
        "seals", "evidence",
    ],
    "I write Python": ["python", "site/api", "profiles", "keys", "writing"],
    "I want to understand it": [
        "verification", "explain", "reports", "unsigned", "dcmsign", "conformance", "architecture",
    ],
    "How good it is": ["performance", "/bench/RESULTS", "agreement", "differential", "fuzzing"],
    "Reference": ["site/commands/index", "/SECURITY", "/CONTRIBUTING", "/CHANGELOG"],
}  # fmt: skip
_DCMSIGN = "dicomseal-dcmsign"
_NAMES = re.compile(r"    +[\w, ]+,")  # of arguments, going on in the next line
_SPECIAL = re.compile(r"([*`|_\\])")


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command with its whole name and its context, a group before its own."""

    def below(
        name: str, command: click.Command, parent: click.Context | None
    ) -> Iterator[tuple[str, click.Command, click.Context]]:
        context = click.Context(command, parent=parent, info_name=name, **command.context_settings)
        yield context.command_path, command, context
        if isinstance(command, click.Group):
            for one in command.list_commands(context):
                inner = command.get_command(context, one)
                if inner is not None and not inner.hidden:
                    yield from below(one, inner, context)

    return below("dicomseal", cli.group, None)


def man_pages(author: str) -> list[tuple[str, str, str, list[str], int]]:
    """Return `man_pages` for the configuration: one for each command."""
    found = [(_slug(name), command.get_short_help_str(200)) for name, command, _ in commands()]
    found.append((_DCMSIGN, "sign and verify with the options of DCMTK's dcmsign"))
    return [(f"docs/site/commands/{page}", page, what, [author], 1) for page, what in found]


def write_pages(_app: Any = None) -> None:
    """Write the pages of the commands; what is up to date is not touched."""
    pages = {_slug(name): _page(name, command, context) for name, command, context in commands()}
    pages[_DCMSIGN] = _page_of_dcmsign()
    listed = "\n".join(f"   {page}" for page in pages)
    pages["index"] = f"{_title('Commands')}.. toctree::\n   :maxdepth: 1\n\n{listed}\n"
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.rst"):
        if old.stem not in pages:
            old.unlink()
    for page, text in pages.items():
        path = FOLDER / f"{page}.rst"
        if not path.exists() or path.read_text("utf-8") != text:
            whole = path.with_suffix(f".{os.getpid()}")  # another build may read it at this moment
            whole.write_text(text, "utf-8")
            whole.replace(path)


def _slug(name: str) -> str:
    return name.replace(" ", "-")


def _title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n\n"


def _plain(text: str) -> str:
    """Text of the command line as reStructuredText that shows just that."""
    return _SPECIAL.sub(r"\\\1", text)


def _paragraph(text: str) -> str:
    shown = _plain(" ".join(text.split()))
    return ("\\" if shown.startswith("-") else "") + shown + "\n\n"  # - is no list here


def _literal(text: str) -> str:
    return "::\n\n" + "".join(f"   {line}".rstrip() + "\n" for line in text.splitlines()) + "\n"


def _page(name: str, command: click.Command, context: click.Context) -> str:
    usage = " ".join(command.collect_usage_pieces(context))
    # the first paragraph of a man page is what it is found by
    parts = [_title(name), _literal(f"{name} {usage}")]
    told = (command.help or "").split("\f")[0]
    parts += [_paragraph(paragraph) for paragraph in told.split("\n\n")]
    if isinstance(command, click.Group):
        parts.append(".. rubric:: Commands\n\n")
        for one in command.list_commands(context):
            inner = command.get_command(context, one)
            if inner is not None and not inner.hidden:
                short = _plain(inner.get_short_help_str(200))
                parts.append(f"* :doc:`{_slug(f'{name} {one}')}`: {short}\n")
        parts.append("\n")
    options = [one.get_help_record(context) for one in command.get_params(context)]
    shown = [one for one in options if one is not None and one[0].startswith("-")]
    if shown:
        parts.append(f".. rubric:: Options\n\n.. program:: {name}\n\n")
    for declared, what in shown:
        parts.append(f".. option:: {declared}\n\n   {_plain(' '.join(what.split()))}\n\n")
    parts += _epilog(command.epilog or "")
    return "".join(parts)


def _epilog(text: str) -> Iterator[str]:
    for paragraph in text.replace("\b\n", "\b").split("\n\n"):
        if paragraph.startswith("\b"):
            yield _literal(paragraph[1:])
        elif paragraph.strip():
            yield _paragraph(paragraph)


def _page_of_dcmsign() -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from dicomseal.dcmsign import main; main()", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return _title(_DCMSIGN) + _literal(done.stdout)


def contents(there: set[str]) -> str:
    """Return the contents of the site, as directives for the end of the index.

    Args:
        there: the names of all documents.
    """
    parts = []
    chapters = {
        caption: [page[1:] if page[0] == "/" else f"docs/{page}" for page in pages]
        for caption, pages in CONTENTS.items()
    }
    known = {name for names in chapters.values() for name in names}
    # what is in no list yet, and in no folder of its own
    chapters["More"] = sorted(
        name for name in there - known - {INDEX} if not name.startswith("docs/site/")
    )
    for caption, names in chapters.items():
        found = [f"/{name}" for name in names if name in there]
        if not found:
            continue
        parts.append(
            "```{toctree}\n:hidden:\n:caption: " + caption + "\n\n" + "\n".join(found) + "\n```\n"
        )
    return "\n".join(parts)


def _read(app: Any, name: str, content: list[str]) -> None:
    """Give the index its contents; in the repository it is plain Markdown."""
    if name == INDEX:
        content[0] += "\n" + contents(set(app.env.found_docs))


def _readable(
    _app: Any, what: str, _name: str, _subject: Any, _options: Any, lines: list[str]
) -> None:
    """Have napoleon read what is meant.

    Names of several arguments go on one line, where it looks for them; and a colon in the first
    sentence on a property is no type.
    """
    if what in ("attribute", "data", "property") and lines:
        lines[0] = lines[0].replace(": ", " \N{EN DASH} ")
    number = 0
    while number + 1 < len(lines):
        if _NAMES.fullmatch(lines[number]):
            lines[number] += f" {lines.pop(number + 1).strip()}"
        else:
            number += 1


def _of_no_use(_app: Any, _what: str, _name: str, subject: Any, *_others: Any) -> bool | None:
    """Leave out the fields of tuples, which the docstring of the tuple describes."""
    told = getattr(subject, "__doc__", None) or ""
    return True if told.startswith("Alias for field number") else None


def _root(app: Any, error: Exception | None) -> None:
    """Lead from the folder of the site to its first page."""
    if error is None and app.builder.name == "html":
        page = f"{INDEX}.html"
        (Path(app.outdir) / "index.html").write_text(
            f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>dicomseal</title>'
            f'<meta http-equiv="refresh" content="0; url={page}"><a href="{page}">dicomseal</a>\n'
        )


def setup(app: Any) -> dict[str, bool]:
    """Set the extension up; called by Sphinx."""
    app.connect("config-inited", lambda app, _config: write_pages(app))
    app.connect("source-read", _read)
    app.connect("autodoc-process-docstring", _readable, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", _of_no_use)
    app.connect("build-finished", _root)
    return {"parallel_read_safe": True}

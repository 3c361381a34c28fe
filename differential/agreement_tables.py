"""The tables of agreement, as Markdown."""

from __future__ import annotations

import platform
import re
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from . import dcmtk, packages
from .both import AS_SIGNED, COMPRESSED, NATIVE, OURS, SIGNERS, THEIRS, Judged, Verification

BEGIN, END = "<!-- begin of the tables -->", "<!-- end of the tables -->"
SHOWN = 3
ACCEPTS = "accepts"


class Key(NamedTuple):
    """One cause: in what the streams differ, and what both say."""

    kinds: tuple[str, ...]
    ours: str
    theirs: str


class Row:
    """What one cause came to."""

    def __init__(self) -> None:
        self.signers: set[str] = set()
        self.verifications = 0
        self.files: set[Path] = set()
        self.elements: Counter[str] = Counter()


def causes(files: Iterable[Judged]) -> dict[Key, Row]:
    """Every verification that not both accept, by its cause; the most frequent first."""
    rows: dict[Key, Row] = {}
    for file in files:
        for one in file.verifications:
            if one.ours.accepts and one.theirs.accepts:
                continue
            row = rows.setdefault(key(one), Row())
            row.signers.add(one.signer)
            row.verifications += 1
            row.files.add(file.path)
            row.elements.update({re.sub(r"\[\d+\]", "[]", e) for e in _elements(one)})
    return dict(sorted(rows.items(), key=lambda r: (-len(r[1].files), -r[1].verifications, r[0])))


def key(one: Verification) -> Key:
    """What a verification is counted under."""
    return Key(
        tuple(sorted({*one.ours.kinds, *one.theirs.kinds})),
        ACCEPTS if one.ours.accepts else one.ours.words,
        ACCEPTS if one.theirs.accepts else one.theirs.words,
    )


def _elements(one: Verification) -> set[str]:
    return {*one.ours.elements, *one.theirs.elements}


def line(file: Judged) -> str:
    """One file, for who waits."""
    word = "accepted" if file.accepted else "agreed" if file.agreed else "differs"
    rejected = sum(not (v.ours.accepts and v.theirs.accepts) for v in file.verifications)
    refused = f", not signed by {' and '.join(file.unsigned)}" if file.unsigned else ""
    return f"{word:8}  {rejected:2} of {len(file.verifications):2}{refused}  {_name(file.path)}"


def markdown(sets: dict[str, list[Judged]]) -> str:
    """All tables.

    Args:
        sets: the files by where they come from; one that is in two sets is counted once in the
            tables that do not tell them apart.
    """
    every = list({id(f): f for files in sets.values() for f in files}.values())
    parts = [
        _versions(), _totals(sets), "### By form", _forms(every),
        "### By cause", _causes(every), "### Not signed", _refusals(every, "unsigned"),
    ]  # fmt: skip
    if any(f.unconverted for f in every):
        parts += ["### Not converted by dcmconv", _refusals(every, "unconverted")]
    return "\n\n".join(parts)


def _versions() -> str:
    system = f"Python {platform.python_version()}"
    names = ", ".join(
        found[0].replace("==", " ")
        for found in re.finditer(r"^\S+==\S+", packages.LIST.read_text("utf-8"), re.MULTILINE)
    )
    return (
        f"dicomseal {version('dicomseal')}, DCMTK {dcmtk.version()}, pydicom {version('pydicom')}, "
        f"{system}. Packages: {names}."
    )


def _totals(sets: dict[str, list[Judged]]) -> str:
    rows = []
    for name, files in sets.items():
        agreed = sum(f.agreed and not f.accepted for f in files)
        differ = sum(not f.agreed for f in files)
        rows.append((name, len(files), sum(f.accepted for f in files), agreed, differ))
    header = (
        "files of", "files", "both sign and accept all forms", "both do the same, and not that",
        "they differ",
    )  # fmt: skip
    return table(header, rows)


def _forms(files: list[Judged]) -> str:
    counts: Counter[tuple[str, str, bool, bool]] = Counter(
        (v.signer, v.form, v.ours.accepts, v.theirs.accepts) for f in files for v in f.verifications
    )
    rows = []
    for form in (AS_SIGNED, *NATIVE, *COMPRESSED):
        for signer in SIGNERS:
            both = [counts[signer, form, *x] for x in
                    ((True, True), (True, False), (False, True), (False, False))]  # fmt: skip
            if any(both):
                rows.append((form, signer, *both))
    header = ("form", "signed by", "both accept", f"only {OURS}", f"only {THEIRS}", "neither")
    return table(header, rows)


def _causes(files: list[Judged]) -> str:
    header = (
        "files", "verifications", "signed by", "what the streams differ in", OURS, THEIRS,
        "elements, for instance", "in",
    )  # fmt: skip
    rows = []
    for cause, row in causes(files).items():
        often = [e for e, _ in sorted(row.elements.items(), key=lambda item: (-item[1], item[0]))]
        elements = ", ".join(often[:SHOWN])
        more = len(row.elements) - SHOWN
        rows.append((
            len(row.files), row.verifications, ", ".join(sorted(row.signers, reverse=True)),
            "; ".join(cause.kinds) or "nothing", cause.ours, cause.theirs,
            elements + (f" and {more} more" if more > 0 else ""), min(map(_name, row.files)),
        ))  # fmt: skip
    return table(header, rows)


def _name(path: Path) -> str:
    return path.name.rpartition(packages.BETWEEN)[2]


def _refusals(files: list[Judged], what: str) -> str:
    counts: Counter[tuple[str, str]] = Counter()
    for file in files:
        for where, words in getattr(file, what).items():
            counts[where if isinstance(where, str) else "dcmconv", words] += 1
    return table(("times", "by", "because"), [(n, *k) for k, n in counts.most_common()])


def table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """A table of Markdown."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(
        f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in lines
    )


def write(document: Path, text: str) -> None:
    """Put the tables between the marks of a document.

    Raises:
        ValueError: it does not have both marks, in this order.
    """
    before, begin, rest = document.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} does not have the marks {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")

"""The house: which room may import from which, and the drawing of it in docs/architecture.md.

    python tools/house.py            # the floors, and what breaks their order
    python tools/house.py --check    # whether docs/architecture.md shows the floors as they are
    python tools/house.py --write    # put the floors into docs/architecture.md

A room is a folder of ``src/dicomseal``, or a module beside them. It imports only from floors below
its own. Every import counts: at the top of a module, inside a function, and for types alone.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "dicomseal"
DRAWING = ROOT / "docs" / "architecture.md"
PACKAGE = "dicomseal"
# what stands between these lines of the document is the drawing
BEGIN, END = "<!-- begin of the house -->\n\n", "\n<!-- end of the house -->"
# the bottom floor first; a room imports only from floors below its own
FLOORS = (
    {"remedies": "what each code means and what to do about it: one table"},
    {
        "errors": "what can go wrong, each with a code",
        "escaping": "paths and names from strangers, as outputs write them",
        "garbage": "work in which Python does not look for garbage",
    },
    {
        "standard": "what PS3 says, as data: tags, VRs, UIDs, MAC algorithms",
        "report": "the reports on objects, as frozen data",
        "policy": "which certificates, algorithms and revocations are accepted",
        "purposes": "the purposes of a signature (CID 7007)",
    },
    {
        "encoding": "elements and the canonical stream, in two twins; data sets in memory; limits",
        "profiles": "the digital signature profiles of PS3.15 Annex C",
    },
    {
        "files": "files as bytes: opening, File Meta Information, inflating, safe writing",
        "requirements": "what a user demands of signatures besides their verification",
    },
    {"ambiguity": "where two readers of the same bytes may see two contents"},
    {"signature": "the items of a signature, its MAC, its value and its certificate"},
    {
        "canonical": "the canonical stream for other programs",
        "trust": "from a certificate to an anchor: paths, revocation, restrictions",
        "dicomweb": "DICOM over HTTP: addresses, multipart bodies, retrieving",
        "editing": "changing a file without changing any other byte; other encodings; removal",
    },
    {"keys": "private keys, in files and on tokens"},
    {"timestamps": "Certified Timestamps: asking for them and judging them"},
    {
        "verification": "a report and a verdict on an object",
        "signing": "making signatures",
    },
    {"__init__": "the public names"},
    {
        "archive": "runs over a whole archive, and the ledger of their results",
        "explanation": "how a signature was verified, and why one does not match",
        "dcmsign": "a second command, with the options of DCMTK's dcmsign",
    },
    {"gate": "receiving objects: each is verified before it is stored and forwarded"},
    {
        "cli": "the commands, one module for each",
        "orthanc": "the hooks of Orthanc's Python plugin",
    },
    {"__main__": "python -m dicomseal"},
)
# the folders of a room that has some, the bottom one first
INNER = {
    "archive": ("errors", "find", "ledger", "run", "reports", "nights", "api"),
    "cli": ("", "archive"),
}


def modules() -> dict[str, Path]:
    """Return the modules of the package by name, without the package's own.

    ``""`` is ``__init__``.
    """
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = list(path.relative_to(SOURCE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


def imports(name: str, known: dict[str, Path]) -> Iterator[str]:
    """Yield the modules that a module imports, wherever in it."""
    path = known[name]
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    package = [part for part in package if part]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == PACKAGE:
                    yield ".".join(alias.name.split(".")[1:])
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            if node.level:
                parts = [*package[: len(package) - node.level + 1], *parts]
            elif parts[:1] == [PACKAGE]:
                parts = parts[1:]
            else:
                continue
            for alias in node.names:
                whole = ".".join([*parts, alias.name])
                yield whole if whole in known else ".".join(parts)


def room_of(name: str) -> str:
    """Return the room of a module."""
    return name.split(".", 1)[0] or "__init__"


def arrows() -> dict[str, set[str]]:
    """Return which modules each module imports, as far as they are Python."""
    known = modules()
    return {name: {one for one in imports(name, known) if one in known} for name in known}


def level_of(room: str) -> int:
    """Return the floor of a room, from 0.

    Raises:
        KeyError: no floor has it.
    """
    for level, rooms in enumerate(FLOORS):
        if room in rooms:
            return level
    raise KeyError(room)


def running_back(found: dict[str, set[str]]) -> list[str]:
    """Return the imports that do not go down."""
    wrong = []
    for name, targets in found.items():
        for target in sorted(targets):
            here, there = room_of(name), room_of(target)
            if here != there and level_of(there) >= level_of(here):
                wrong.append(f"{name or PACKAGE} imports {target or PACKAGE}")
            elif here == there and here in INNER and not _goes_down(name, target, INNER[here]):
                wrong.append(f"{name} imports {target}")
    return wrong


def _goes_down(name: str, target: str, inner: tuple[str, ...]) -> bool:
    def level(module: str) -> int:
        part = module.split(".")[1] if "." in module else ""
        return inner.index(part) if part in inner else 0

    return level(target) <= level(name)


def circles(found: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of modules that import one another, the package's own ``__init__`` aside.

    Every module of the package may ask ``__init__`` for the version, and it names them all.
    """
    left = {name: {one for one in targets if one} for name, targets in found.items() if name}
    before: set[str] = set()
    while len(left) != len(before):
        before = set(left)
        named = {one for targets in left.values() for one in targets}
        left = {
            name: targets & left.keys()
            for name, targets in left.items()
            if name in named and targets & left.keys()
        }
    return _grouped(left)


def _grouped(left: dict[str, set[str]]) -> list[set[str]]:
    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for one in left.get(todo.pop(), set()) - seen:
                seen.add(one)
                todo.append(one)
        return seen

    reach = {name: reached(name) for name in left}
    groups = {
        frozenset(one for one in reach[name] if name in reach[one])
        for name in left
        if name in reach[name]
    }
    return [set(group) for group in groups]


def drawing() -> str:
    """Return the floors as a table in Markdown, the top one first, with a link to each room."""
    known = modules()
    lines = ["| floor | room | what it has |", "| --- | --- | --- |"]
    for level in range(len(FLOORS) - 1, -1, -1):
        for number, (room, what) in enumerate(FLOORS[level].items()):
            shown = "" if number else level + 1
            path = known["" if room == "__init__" else room].relative_to(SOURCE).as_posix()
            name = "(package)" if room == "__init__" else f"`{room}`"
            lines.append(f"| {shown} | [{name}](../src/dicomseal/{path}) | {what} |")
    return "\n".join(lines) + "\n"


def drawn() -> str:
    """Return the drawing that the documentation shows."""
    _, begin, after = DRAWING.read_text("utf-8").partition(BEGIN)
    shown, end, _ = after.partition(END)
    return shown if begin and end else ""


def write() -> None:
    """Put the drawing into the documentation."""
    text = DRAWING.read_text("utf-8")
    before, begin, after = text.partition(BEGIN)
    _, end, rest = after.partition(END)
    DRAWING.write_text(f"{before}{begin}{drawing()}{end}{rest}", "utf-8")


def figures(found: dict[str, set[str]]) -> str:
    """Return how large the house is, in one line."""
    between = {(room_of(a), room_of(b)) for a, targets in found.items() for b in targets}
    rooms = {room for pair in between for room in pair}
    count = sum(a != b for a, b in between)
    return f"{len(rooms)} rooms on {len(FLOORS)} floors, {count} arrows between them"


def complaints() -> Iterable[str]:
    """Return what is wrong with the house, one line each."""
    found = arrows()
    yield from running_back(found)
    for circle in circles(found):
        yield f"a circle: {', '.join(sorted(circle))}"


def main() -> int:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="compare with docs/architecture.md")
    parser.add_argument("--write", action="store_true", help="write docs/architecture.md")
    options = parser.parse_args()
    if options.write:
        write()
    wrong = list(complaints())
    if options.check and drawn() != drawing():
        wrong.append(f"{DRAWING.relative_to(ROOT)} does not show the floors as they are")
    if not options.check and not options.write:
        print(drawing(), end="")
        print(figures(arrows()))
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Check docstrings of functions, and the wording of comments and messages, for `make lint`.

ruff's D401 knows only words that it takes for verbs. Here the first word of the docstring of a
function must be one of `VERBS`, in Python and in Cython; a property and a fixture are things, and
may be described as such. Some phrases that are not English are refused everywhere.

    python tools/prose.py            # exits with 1, and a line for each finding
    python tools/prose.py --count    # how many docstrings are imperative, by folder
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
VERBS = frozenset((Path(__file__).parent / "verbs.txt").read_text().split())
FOLDERS = ("src", "ext", "tools")

PHRASES = {
    r"(?<![tT]here )\b(?:is|are|was|were) no (?!longer\b|more\b|other\b|such\b|use\b)(?=[a-z])": (
        '"is not a", or "there is no"'
    ),
    r"(?i:\b(?:for|to|of|by|with|from|and) who\b)": '"anyone who", or the name of the role',
    r"(?:^|[.:;] )Who (?!.*\?)": '"anyone who", or the name of the role',
    r"\bbelongs? into\b": '"belongs in"',
    r"\banybody can\b": '"anyone can"',
}
_PHRASES = [(re.compile(pattern), better) for pattern, better in PHRASES.items()]
_THINGS = {"property", "cached_property", "fixture", "setter", "overload"}
_CYTHON = re.compile(
    # a head ends at the first line that ends with a colon; what follows may have no docstring
    r"^[ ]*(?:def|cdef(?! class)|cpdef)\b(?:[^\n]*[^:\s][ ]*\n)*?[^\n]*:[ ]*\n[ ]+r?\"\"\"(\w+)",
    re.MULTILINE,
)


class Finding(NamedTuple):
    """A line, and what is wrong in it."""

    path: Path
    line: int
    what: str


def _name(decorator: ast.expr) -> str:
    while isinstance(decorator, ast.Call):
        decorator = decorator.func
    return decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of functions and methods, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text and not _THINGS & {_name(one) for one in node.decorator_list}:
                yield node.body[0].lineno, text


def _is_imperative(text: str) -> bool:
    return text.split(maxsplit=1)[0].strip(".,:;").lower() in VERBS


def texts(tree: ast.Module, path: Path) -> Iterator[tuple[int, str]]:
    """Yield every string and comment of a file, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string.lstrip("#: ")


def check(path: Path) -> Iterator[Finding]:
    """Yield what is wrong in a file."""
    source = path.read_text()
    if path.suffix != ".py":
        for match in _CYTHON.finditer(source):
            if match[1].lower() not in VERBS:
                line = source.count("\n", 0, match.start(1)) + 1
                yield Finding(path, line, f"a docstring begins with {match[1]!r}, not with a verb")
        found = [(n, line) for n, line in enumerate(source.splitlines(), 1) if "#" in line]
    else:
        tree = ast.parse(source)
        for line, text in docstrings(tree):
            if not _is_imperative(text):
                first = text.split(maxsplit=1)[0]
                yield Finding(path, line, f"a docstring begins with {first!r}, not with a verb")
        found = list(texts(tree, path))
    for line, text in found:
        for pattern, better in _PHRASES:
            match = pattern.search(text)
            if match:
                yield Finding(path, line, f"{match[0].strip()!r}: better {better}")


def _files() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".pyx", ".pxi", ".pxd"):
                yield path


def main() -> int:
    """Print the findings, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", action="store_true", help="count imperative docstrings")
    if parser.parse_args().count:
        counts: Counter[tuple[str, bool]] = Counter()
        for path in _files():
            if path.suffix == ".py":
                room = "/".join(path.relative_to(ROOT).parts[:3])
                for _, text in docstrings(ast.parse(path.read_text())):
                    counts[room, _is_imperative(text)] += 1
        for room in sorted({room for room, _ in counts}):
            print(f"{room}: {counts[room, True]} of {counts[room, True] + counts[room, False]}")
        good = sum(count for (_, imperative), count in counts.items() if imperative)
        print(f"all: {good} of {counts.total()}")
        return 0
    findings = [finding for path in _files() if path != Path(__file__) for finding in check(path)]
    for finding in findings:
        print(f"{finding.path.relative_to(ROOT)}:{finding.line}: {finding.what}")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())

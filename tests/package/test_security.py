"""SECURITY.md: its tests exist, its answers are answers, and no threat is untested."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECURITY = (ROOT / "SECURITY.md").read_text("utf-8")
TESTS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", SECURITY)


def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {name for name in found if name.startswith("test_")}


def test_every_test_that_is_named_exists():
    assert len(TESTS) > 40
    assert len(TESTS) == SECURITY.count("::")  # none is written so that it is not found
    for path, name in TESTS:
        assert name in functions_of(path), f"{path}::{name}"


def test_every_test_of_a_threat_is_named():
    for path in (
        "tests/verification/test_threats.py",
        "tests/verification/test_threats_signers.py",
    ):
        assert functions_of(path) == {name for file, name in TESTS if file == path}


def test_every_answer_is_one():
    """Every word of a report in SECURITY.md, and every code, is described in docs/reports.md."""
    known = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "reports.md").read_text("utf-8")))
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+|[a-z][a-z_]+)`", SECURITY))
    assert {"passed", "HASH_FAILURE"} <= named
    assert named <= known, named - known


def test_every_threat_has_an_answer_and_a_test():
    rows = [line for line in SECURITY.splitlines() if line.startswith("| ") and "---" not in line]
    threats = [row.split("|")[1:-1] for row in rows if row.count("|") == 5]
    threats = [row for row in threats if row[0].strip() != "what is done"]
    assert len(threats) > 30
    for done, gained, answer, test in threats:
        assert done.strip()
        assert gained.strip()
        assert "`" in answer, done
        assert re.search(r"`tests/\S+::test_\w+`", test), done

"""docs/reports.md against the source: every indication that is used, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import msgspec
import pytest

import dicomseal
from dicomseal.report import ObjectReport, SignatureReport

SOURCE = Path(dicomseal.__file__).parent
TEXT = (Path(__file__).parents[2] / "docs" / "reports.md").read_text("utf-8")
# ETSI EN 319 102-1, what tables 5 and 6 list; GENERIC in V1.1.1 only, later CUSTOM stands there
ETSI = {
    "FORMAT_FAILURE", "HASH_FAILURE", "SIG_CRYPTO_FAILURE", "REVOKED", "EXPIRED", "NOT_YET_VALID",
    "SIG_CONSTRAINTS_FAILURE", "CHAIN_CONSTRAINTS_FAILURE", "CERTIFICATE_CHAIN_GENERAL_FAILURE",
    "CRYPTO_CONSTRAINTS_FAILURE", "POLICY_PROCESSING_ERROR", "SIGNATURE_POLICY_NOT_AVAILABLE",
    "TIMESTAMP_ORDER_FAILURE", "NO_SIGNING_CERTIFICATE_FOUND", "NO_CERTIFICATE_CHAIN_FOUND",
    "NO_CERTIFICATE_CHAIN_FOUND_NO_POE", "REVOKED_NO_POE", "REVOKED_CA_NO_POE",
    "OUT_OF_BOUNDS_NOT_REVOKED", "OUT_OF_BOUNDS_NO_POE", "REVOCATION_OUT_OF_BOUNDS_NO_POE",
    "CRYPTO_CONSTRAINTS_FAILURE_NO_POE", "NO_POE", "TRY_LATER", "SIGNED_DATA_NOT_FOUND",
    "GENERIC",
    # ours, where the standard has no word
    "ENCODING_NOT_STATED", "UNSIGNED_CONTENT",
}  # fmt: skip
MAKERS = {"Reason": 0, "Unacceptable": 0, "altered": 0, "unverifiable": 0, "Broken": 1}


def constants(tree):
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


TREES = {path.name: ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py")}
USED = {code for tree in TREES.values() for code in constants(tree) & ETSI}


def rows():
    part = TEXT[TEXT.index("### Reasons") :]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in part.splitlines()
        if line.startswith("| `")
    ]


def test_every_indication_is_explained_and_no_other():
    codes = [row[0].strip("`| ") for row in rows()]
    assert sorted(codes) == sorted(USED)
    assert len(codes) >= 13


def test_each_says_what_it_means_and_what_to_do():
    for row in rows():
        assert len(row) == 4, row
        assert all(len(cell) > 5 for cell in row), row


def test_reasons_have_no_other_codes():
    """What is written into a reason literally is an indication of the standard."""
    found = 0
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            place = MAKERS.get(node.func.id)
            if place is None or len(node.args) <= place:
                continue
            code = node.args[place]
            if isinstance(code, ast.Constant):
                found += 1
                assert code.value in ETSI, f"{name}:{node.lineno}"
    assert found >= 30


@pytest.mark.parametrize("kind", [ObjectReport, SignatureReport])
def test_every_field_is_explained(kind):
    named = set(re.findall(r"`(\w+)`", TEXT))
    assert set(msgspec.structs.asdict(_blank(kind))) <= named


def _blank(kind):
    if kind is ObjectReport:
        return ObjectReport(path="", verdict="error")
    return SignatureReport(location="", uid="", mac_id=None, datetime="", integrity=None)

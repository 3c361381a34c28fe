"""docs/reports.md against the table of reason codes, and that table against the source."""

from __future__ import annotations

import ast
import pickle
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import dicomseal
from dicomseal.report import ObjectReport, Reason, ReasonCode, SignatureReport

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
MAKERS = {
    "Reason": 0, "Unacceptable": 0, "altered": 0, "unverifiable": 0, "Broken": 1, "_Refused": 1,
}  # fmt: skip


TREES = {
    path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text("utf-8"))
    for path in SOURCE.rglob("*.py")
}


def constants(tree):
    """The strings in a module, without those of which an f-string is made."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def members(tree):
    """The names of the codes that a module takes from the table."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "ReasonCode"
    }


def rows():
    part = TEXT[TEXT.index("<!-- remedies: reasons -->") : TEXT.index("<!-- end of reasons -->")]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in part.splitlines()
        if line.startswith("| `")
    ]


def test_every_indication_is_explained_and_no_other():
    codes = [row[0].strip("`| ") for row in rows()]
    assert sorted(codes) == sorted(ReasonCode)
    assert len(codes) >= 13


def test_the_tables_are_those_of_the_program():
    script = Path(__file__).parents[2] / "tools" / "make_remedies.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_says_what_it_means_and_what_to_do():
    for row in rows():
        assert len(row) == 4, row
        assert all(len(cell) > 5 for cell in row), row


def test_every_code_is_of_the_standard_or_said_to_be_ours():
    assert {code.value for code in ReasonCode} <= ETSI
    assert all(code.name == code.value for code in ReasonCode)


def test_every_code_arises_somewhere():
    used = {name for tree in TREES.values() for name in members(tree)}
    assert used == {code.name for code in ReasonCode}


def test_a_code_is_written_in_the_table_alone():
    """A string that is a code, or a word of the standard that is none here, is in no module."""
    found = [
        f"{name}:{node.lineno}: {node.value}"
        for name, tree in TREES.items()
        if name not in ("report.py", "remedies/reasons.py")
        for node in constants(tree)
        if node.value in ETSI
    ]
    assert found == []


def test_reasons_take_their_codes_from_the_table():
    """What makes a reason names a code of the table, or hands one on in a variable."""
    found = 0
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            place = MAKERS.get(node.func.id)
            if place is None or len(node.args) <= place:
                continue
            code = node.args[place]
            assert not isinstance(code, (ast.Constant, ast.JoinedStr)), f"{name}:{node.lineno}"
            found += isinstance(code, ast.Attribute)
    assert found >= 50


def test_a_code_is_its_string_wherever_it_goes():
    """In JSON, in text, in a comparison, in a column and in another process."""
    reason = Reason(ReasonCode.NO_POE, "because")
    assert msgspec.json.encode(reason) == b'{"code":"NO_POE","message":"because"}'
    assert msgspec.json.decode(msgspec.json.encode(reason), type=Reason) == reason
    assert f"{reason.code}: {reason.message}" == "NO_POE: because"
    assert reason.code == "NO_POE"
    assert repr(reason.code) == "'NO_POE'"
    assert pickle.loads(pickle.dumps(reason)).code is ReasonCode.NO_POE


@pytest.mark.parametrize("kind", [ObjectReport, SignatureReport])
def test_every_field_is_explained(kind):
    named = set(re.findall(r"`(\w+)`", TEXT))
    assert set(msgspec.structs.asdict(_blank(kind))) <= named


def _blank(kind):
    if kind is ObjectReport:
        return ObjectReport(path="", verdict="error")
    return SignatureReport(location="", uid="", mac_id=None, datetime="", integrity=None)

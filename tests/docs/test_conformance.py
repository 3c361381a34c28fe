"""docs/conformance.md: its tests exist, and its tables are those of the program."""

from __future__ import annotations

import ast
import re
import ssl
from pathlib import Path

import pydicom

import dicomseal
from dicomseal import profiles, purposes
from dicomseal.gate import judgement, receiving, scp
from dicomseal.standard import mac_algorithms, transfer_syntaxes

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "conformance.md").read_text("utf-8")
# PS3.2 Annex N, without the N
PARTS = (
    "1 Overview", "2 Table of contents", "3 Introduction", "4 Implementation model",
    "5 Service and interoperability description", "6 Configuration",
    "7 Network and media communication details", "8 Security",
    "Annex A.A Information Object Definitions", "Annex A.B Structured Report content encoding",
    "Annex A.C Security details", "Annex A.D Mapping of attributes", "Annex A.E Code set usage",
)  # fmt: skip


def part(title: str) -> str:
    """What stands under a heading, to the next one of the same kind."""
    _, heading, rest = TEXT.partition(f"# {title}\n")
    assert heading, title
    return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(title: str) -> list[list[str]]:
    lines = [line for line in part(title).splitlines() if line.startswith("| ")]
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_the_structure_is_that_of_the_standard():
    assert tuple(re.findall(r"^## (.*)$", TEXT, re.MULTILINE)) == PARTS
    listed = " ".join(part("2 Table of contents").split())
    assert listed == " · ".join(PARTS)


def test_every_test_that_is_named_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
    assert len(named) == TEXT.count("::") > 20
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


def test_it_is_of_this_version():
    assert f"This statement is for dicomseal {dicomseal.__version__}." in TEXT


def test_mac_algorithms():
    found = {row[0]: (row[1] == "yes", "weak" in row[2]) for row in rows("Digital signatures")}
    weak = mac_algorithms.WEAK_MAC_ALGORITHMS
    assert found == {
        name: (name not in weak, name in weak) for name in mac_algorithms.MAC_ALGORITHMS
    }


def test_profiles():
    found = {row[0]: row[1] for row in rows("8.4.5 Digital Signature Profiles (PS3.15 Annex C)")}
    sections = {name: one.section for name, one in profiles.PROFILES.items() if name != "none"}
    assert {name: f"PS3.15 {section}" for name, section in found.items()} == sections


def test_transfer_syntaxes_and_identification():
    text = part("7.1 Application Entity") + part("7.2 Transfer syntaxes")
    assert f"for data sets, {len(transfer_syntaxes.TRANSFER_SYNTAXES)} in all" in text
    assert f"UID {receiving.IMPLEMENTATION_CLASS}." in text
    assert f"accepts {scp.Settings().associations} associations" in text
    assert transfer_syntaxes.GE_PRIVATE_IMPLICIT in text


def test_statuses_and_extended_negotiation():
    told = " ".join(row[0] for row in rows("7.3 Status codes"))
    names = ("SUCCESS", "OUT_OF_RESOURCES", "DOES_NOT_MATCH", "CANNOT_UNDERSTAND")
    statuses = [getattr(judgement, name) for name in names]
    assert set(told.split()) == {f"{status:04X}" for status in statuses}
    level = {row[0]: row[1] for row in rows("5.1 Storage SCP")}
    said = scp.BIT_PRESERVING
    assert level["level of support"].startswith(str(said[0]))
    assert level["Digital Signature support"].startswith(str(said[2]))
    assert (said[4], level["element coercion"]) == (0, "none")


def test_purposes():
    codes = sorted(int(code) for code in purposes.MEANINGS)
    assert f"{codes[0]} to {codes[-1]}" in part("Annex A.E Code set usage")
    assert codes == list(range(1, 19))


def test_what_a_signature_adds(tmp_path):
    """Every attribute of a signature that is made here stands in the table, with its tag."""
    from dicomseal.cli.demo import make_pki

    key, cert, _ = make_pki(str(tmp_path))
    dataset = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    before = set(dataset.keys())
    dicomseal.sign(dataset, key, cert, purpose="5", profile="creator")
    said = {row[1]: row[0].strip("> ") for row in rows("Annex A.A Information Object Definitions")}
    added = [dataset[tag] for tag in set(dataset.keys()) - before]
    inside = [one for sequence in added for one in sequence.value[0]]
    assert len(inside) >= 10
    for one in (*added, *inside):
        tag = f"({one.tag.group:04X},{one.tag.element:04X})"
        assert said.get(tag) == one.name, tag


def test_tls(tmp_path):
    """TLS 1.2 and 1.3, as Section 8.4.2 says."""
    from dicomseal.cli.demo import make_pki

    key, cert, _ = make_pki(str(tmp_path))
    context = scp.tls_context(cert, key, None)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert ssl.HAS_TLSv1_3

"""What the package is made of: data in date, layers one-way, nothing heavy imported unasked."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dicomseal

ROOT = Path(__file__).parent.parent
SOURCE = Path(dicomseal.__file__).parent
LAYERS = (
    {"errors", "terms", "dictionary", "tags"},
    {"_record", "_encoder_py", "_encoder_c", "_stream_py", "_notes_py", "_walk_py", "_index_py",
     "_index_c", "canonical", "dataset", "dataset_written", "obstacles", "window", "file_meta",
     "likeness", "labels", "inflate", "part10", "reader"},
    {"frames", "merged", "parser_differentials", "signed_values", "watched", "sequence_items",
     "mac_parameters", "digital_signature", "certificate", "lenient", "splice", "atomic",
     "reencode", "places", "fragments", "identity", "open_vrs", "vr_search"},
    {"report", "meanings", "name_constraints", "restrictions", "policy", "counted_time",
     "outside", "trust_settings", "anchors", "chain", "fetch", "revocation",
     "revocation_sources", "lenient_messages", "judgement", "trust", "keys", "profiles",
     "purposes", "requirements", "signing_policy", "certified_timestamp",
     "timestamp_protocol", "pkcs11_key", "tsa_credentials"},
    {"means", "unpadded", "integrity", "conversion", "signature_trust", "signature_timestamp",
     "signature_verifier", "usual", "coverage", "missing", "unsigned", "verdict", "verifier",
     "signature_maker", "signer", "prepared_signer", "remover", "timestamper"},
    {"annotate", "parallel", "archive"},
    {"cli", "__init__", "__main__"},
)  # fmt: skip
HOUSE = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports(path: Path) -> set[str]:
    """The modules of the package that a module imports anywhere, types aside."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found |= {node.module.split(".")[0]} if node.module else {a.name for a in node.names}
    return found & HOUSE.keys()


@pytest.mark.parametrize("path", sorted(SOURCE.glob("*.py")), ids=lambda path: path.stem)
def test_layers(path):
    level = HOUSE[path.stem]
    if path.stem != "__init__":  # it names the public parts, wherever they are
        assert all(HOUSE[name] <= level for name in imports(path)), imports(path)


@pytest.mark.parametrize("path", sorted(SOURCE.glob("archive/*.py")), ids=lambda path: path.stem)
def test_layers_of_the_archive(path):
    """It uses what lies below it, and never the command line."""
    tree = ast.parse(path.read_text("utf-8"))
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 2:
            used |= {node.module.split(".")[0]} if node.module else {a.name for a in node.names}
    assert all(HOUSE.get(name, 0) <= HOUSE["archive"] for name in used - {"__version__"}), used


def test_verifier_and_signer_do_not_know_each_other():
    assert "signer" not in imports(SOURCE / "verifier.py")
    assert "verifier" not in imports(SOURCE / "signer.py")
    assert "verifier" not in imports(SOURCE / "signature_maker.py")


def test_dictionary_data_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "make_dictionary.py", "--check"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_a_cold_verification_imports_nothing_it_does_not_need(test_files):
    heavy = [
        "pydicom",
        "rich",
        "pyhanko_certvalidator",
        "asyncio",
        "concurrent",
        "dataclasses",
        "asn1crypto",
        "urllib.request",
        "http",
        "pyhanko",
        "pkcs11",
    ]
    program = (
        "import sys; from dicomseal import verify;"
        f"verify({str(Path(test_files, 'MR_small_implicit.dcm'))!r});"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_files_are_read_in_one_sitting():
    long = {
        path.name: lines
        for path in (*SOURCE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"))
        if (lines := len(path.read_text("utf-8").splitlines())) > 500
    }
    assert long == {}

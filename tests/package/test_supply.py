"""The pins cover what pyproject.toml asks for; nothing is installed unchecked; the SBOM's check."""

from __future__ import annotations

import copy
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
FILES = {path.stem: path for path in sorted((ROOT / "requirements").glob("*.txt"))}
TEXTS = {name: path.read_text("utf-8") for name, path in FILES.items()}
EXTRAS = [one for extra in PROJECT.get("optional-dependencies", {}).values() for one in extra]
GROUPS = PYPROJECT["dependency-groups"]
BUILD = PYPROJECT["build-system"]["requires"]
# which file must hold what
ASKED = {
    "run": PROJECT["dependencies"],
    "dev": [*PROJECT["dependencies"], *EXTRAS, *GROUPS["dev"], *BUILD],
    "bench": GROUPS["bench"],
    "fuzz": GROUPS["fuzz"],
    "differential": GROUPS["differential"],
    "docs": GROUPS["docs"],
    "supply": GROUPS["supply"],
}


def pins(name: str) -> list[tuple[str, list[str]]]:
    """The pins of a file, as requirements, each with its hashes."""
    joined = re.sub(r"\\\n\s*", "", TEXTS[name])
    lines = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
    parts = [line.split("--hash=") for line in lines]
    return [(first.strip(), [one.strip() for one in hashes]) for first, *hashes in parts]


def versions(name: str) -> dict[str, set[Version]]:
    found: dict[str, set[Version]] = {}
    for text, _ in pins(name):
        pin = Requirement(text)
        (exact,) = pin.specifier
        assert exact.operator == "=="
        found.setdefault(canonicalize_name(pin.name), set()).add(Version(exact.version))
    return found


def test_every_group_has_its_file():
    assert FILES.keys() == ASKED.keys()
    assert GROUPS.keys() == {"dev", "bench", "fuzz", "differential", "docs", "supply"}


@pytest.mark.parametrize("name", ASKED)
def test_pins_are_in_the_ranges_of_pyproject(name):
    found = versions(name)
    for text in ASKED[name]:
        asked = Requirement(text)
        if asked.name == PROJECT["name"]:
            continue  # an extra that is made of other extras
        pinned = found.get(canonicalize_name(asked.name))
        assert pinned, f"{text} is not pinned: make pins"
        for version in pinned:
            assert version in asked.specifier, f"{text} is pinned as {version}: make pins"


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_hashes_and_no_address(name):
    assert len(pins(name)) > {"fuzz": 0, "differential": 2}.get(name, 5)
    for text, hashes in pins(name):
        assert hashes, text
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), text
    assert not re.search(r"://|--\S*(?:index|links)|@ ", TEXTS[name])


def test_a_package_has_one_version_in_all_files():
    dev = versions("dev")
    assert versions("run").items() <= dev.items()
    for name in ("bench", "fuzz", "differential", "docs", "supply"):
        found = versions(name)
        assert {k: found[k] for k in found.keys() & dev} == {k: dev[k] for k in found.keys() & dev}


@pytest.mark.parametrize("script", ["Makefile", ".ci/run"])
def test_nothing_is_installed_unchecked(script):
    """Every installation checks hashes, or installs the package itself and nothing else."""
    if not (ROOT / script).exists() and not (ROOT / ".git").exists():
        pytest.skip("a source distribution has no CI")
    text = (ROOT / script).read_text("utf-8").replace("$(PINNED)", "install --require-hashes")
    lines = [line for line in text.splitlines() if re.search(r"-m (pip|build) ", line)]
    assert len(lines) >= 4
    for line in lines:
        if re.search(r"\b(install|wheel)\b", line):
            assert "--require-hashes" in line or "--no-deps" in line, line
        if re.search(r"pip wheel|--editable|-m build", line):
            assert re.search(r"--no-(build-)?isolation", line), line


# --- the bill of materials -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def sbom():
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "tools" / "sbom.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def part(name, version):
    ref = f"{name}=={version}"
    purl = f"pkg:pypi/{name}@{version}"
    return {"bom-ref": ref, "name": name, "version": version, "purl": purl}


SMALL = {"name": "tool", "version": "1.0", "dependencies": ["Aa>=1", "b.b"]}
PINS = "aa==1.5 \\\n    --hash=sha256:00\n    # via x\nb-b==2 ; os_name == 'nt' \\\nc==3 \\\n"
BOM = {
    "metadata": {"component": {"bom-ref": "root", "name": "tool", "version": "1.0"}},
    "components": [part("aa", "1.5"), part("b-b", "2"), part("c", "3")],
    "dependencies": [
        {"ref": "root", "dependsOn": ["aa==1.5", "b-b==2"]},
        {"ref": "aa==1.5", "dependsOn": ["c==3"]},
        {"ref": "c==3"},
    ],
}


def test_a_good_bill_of_materials(sbom):
    assert sbom.complaints(BOM, SMALL, PINS) == []
    assert sbom.pinned(TEXTS["run"]).keys() == versions("run").keys()


def other_version(bom):
    bom["components"][0]["version"] = "1.6"


def no_purl(bom):
    del bom["components"][2]["purl"]


def lost(bom):
    del bom["components"][1]


def unlinked(bom):
    bom["dependencies"][0]["dependsOn"].pop()


def linked(bom):
    bom["dependencies"][0]["dependsOn"].append("c==3")


def orphan(bom):
    bom["dependencies"][1]["dependsOn"] = []


def another_root(bom):
    bom["metadata"]["component"]["version"] = "0.9"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_version, "aa 1.6 is not in requirements/run.txt"),
        (no_purl, "c has the package URL None"),
        (lost, "b-b is not a direct dependency in it"),
        (unlinked, "b-b is not a direct dependency in it"),
        (linked, "c is a direct dependency only in it"),
        (orphan, "nothing needs c==3"),
        (another_root, "it describes tool 0.9"),
    ],
)
def test_a_bad_bill_of_materials(sbom, change, said):
    bom = copy.deepcopy(BOM)
    change(bom)
    assert said in sbom.complaints(bom, SMALL, PINS)

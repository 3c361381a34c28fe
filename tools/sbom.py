#!/usr/bin/env python3
"""The bill of materials (CycloneDX JSON) of what dicomseal needs at run time, and a check of it.

``make sbom`` installs requirements/run.txt, hashes checked, into a folder of its own, lets
cyclonedx-py describe that, and compares the description with pyproject.toml and the pins.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


def pinned(text: str) -> dict[str, set[str]]:
    """Map each package to its pinned versions; several if they depend on Python or system."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if line[:1].isalnum():
            name, _, rest = line.partition("==")
            found.setdefault(canonicalize_name(name), set()).add(rest.split()[0])
    return found


def complaints(bom: dict[str, Any], project: dict[str, Any], pins: str) -> list[str]:
    """Return what is missing or wrong in a bill of materials; empty if nothing is.

    Args:
        bom: CycloneDX, parsed.
        project: the table ``project`` of pyproject.toml.
        pins: the content of requirements/run.txt.
    """
    versions = pinned(pins)
    root = bom["metadata"]["component"]
    wrong = []
    if (root["name"], root["version"]) != (project["name"], project["version"]):
        wrong.append(f"it describes {root['name']} {root['version']}")
    components = {part["bom-ref"]: part for part in bom["components"]}
    for part in components.values():
        name, version = canonicalize_name(part["name"]), part.get("version")
        if version not in versions.get(name, ()):
            wrong.append(f"{name} {version} is not in requirements/run.txt")
        if part.get("purl") != f"pkg:pypi/{name}@{version}":
            wrong.append(f"{name} has the package URL {part.get('purl')}")
    uses = {entry["ref"]: entry.get("dependsOn", []) for entry in bom["dependencies"]}
    direct = {
        canonicalize_name(components[ref]["name"])
        for ref in uses.get(root["bom-ref"], ())
        if ref in components
    }
    asked = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    wrong += [f"{name} is not a direct dependency in it" for name in sorted(asked - direct)]
    wrong += [f"{name} is a direct dependency only in it" for name in sorted(direct - asked)]
    reached, waiting = set(), [root["bom-ref"]]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += uses.get(ref, [])
    wrong += [f"nothing needs {ref}" for ref in sorted(components.keys() - reached)]
    return wrong


def main(folder: str) -> int:
    """Describe a folder of installed packages in ``FOLDER.cdx.json``; 1 if it is not right."""
    target = Path(f"{folder}.cdx.json")
    # an interpreter that sees those packages alone: cyclonedx-py asks it for its sys.path
    subprocess.run(
        [
            sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", "pyproject.toml",
            "--mc-type", "library", "--output-reproducible", "--output-file", target,
            f"{folder}/bin/python",
        ],
        check=True,
    )  # fmt: skip
    bom = json.loads(target.read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wrong = complaints(bom, project, (ROOT / "requirements" / "run.txt").read_text("utf-8"))
    for complaint in wrong:
        print(f"{target}: {complaint}", file=sys.stderr)
    if not wrong:
        print(f"{target}: {len(bom['components'])} packages, as pinned in requirements/run.txt")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

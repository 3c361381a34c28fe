"""Write src/dicomseal/standard/data/other_vr.txt: the VRs that others have, or had, for an element.

Implicit VR does not state a VR, and a signature made over explicit VR is over the signer's. Where
that may have been another than the one of our dictionary, this file says which to try first:

``was``   the standard or its drafts, then or since (public tags)
``said``  the private dictionaries of DCMTK, GDCM and pydicom, today's and earlier ones
``seen``  files of devices, in explicit VR; the table below

    python tools/make_other_vrs.py DCMTK GDCM PYDICOM      (clones of their repositories)

A tag and its VR are facts; nothing else is taken from there.
"""

from __future__ import annotations

import html
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from dicomseal.standard import terms
from dicomseal.standard.dictionary import AMBIGUOUS, UNKNOWN, dictionary

DATA = (
    Path(__file__).resolve().parent.parent
    / "src"
    / "dicomseal"
    / "standard"
    / "data"
    / "other_vr.txt"
)
VRS = (terms.LONG_VRS | terms.SHORT_VRS) - {UNKNOWN}
SEVERAL = {"xs": "US SS", "ox": "OB OW", "px": "OB OW", "lt": "US SS OW", "up": "UL"}

# Explicit VR files in the packages deid-data, heudiconv and nibabel, and pydicom issue 2170
SEEN = (
    ("AGFA", "LO", "0019xx10"),
    ("ELSCINT1", "DS", "01F1xx26"),
    ("GEMS_GENIE_1", "LO", "0009xx40"),
    ("GEMS_GENIE_1", "SL", "0013xx12"),
    ("GEMS_GENIE_1", "FD", "0013xx1C 0013xx1D"),
    ("SIEMENS CSA HEADER", "LO", "0029xx20"),
    ("SIEMENS MED SMS USG S2000", "US", "0019xx21"),
    ("SIEMENS MED SMS USG S2000", "UT", "0019xx3B"),
    ("SIEMENS MR HEADER", "LO", "0051xx0A 0051xx0B 0051xx0C 0051xx0E"),
)

_DCMTK = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)\t(\w+)\t", re.MULTILINE)
_DCMTK_PRIVATE = re.compile(
    r'^\(([0-9A-Fa-f]{4}),"([^"]*)",([0-9A-Fa-f]{2})\)\t(\w+)\t', re.MULTILINE
)
_PYDICOM = re.compile(r"0x([0-9A-Fa-f]{8})\s*:\s*\(\s*['\"]([^'\"]*)['\"]")
_PYDICOM_CREATOR = re.compile(r"""\s*['"](.*?)['"]\s*:\s*\{""")
_PYDICOM_PRIVATE = re.compile(r"['\"]([0-9A-Fa-f]{4}xx[0-9A-Fa-f]{2})['\"]\s*:\s*\(['\"](\w+)['\"]")
_GDCM = re.compile(r"<entry ([^>]*?)/?>")
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_HEX = re.compile(r"[0-9A-F]{4}(XX)?[0-9A-F]+")


def versions(clone: str, *paths: str) -> Iterator[tuple[bool, str]]:
    """Yield every version of a file under several names; today's, under the first, is marked."""
    for path in paths:
        found = _git(clone, "log", "--format=%H", "--all", "--", path).split()
        for number, commit in enumerate(found):
            yield number == 0 and path == paths[0], _git(clone, "show", f"{commit}:{path}")


def _git(clone: str, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", clone, *arguments], capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace")


def _vrs(name: str) -> list[str]:
    return [vr for vr in SEVERAL.get(name, name).split() if vr in VRS]


def public(dcmtk: str, gdcm: str, pydicom: str) -> dict[str, set[int]]:
    """Return VR to the public tags that have or had it elsewhere, and have another here."""
    times: dict[tuple[int, str], list[tuple[str, bool]]] = defaultdict(list)
    texts = (
        ("dcmtk", _DCMTK, versions(dcmtk, "dcmdata/data/dicom.dic", "dcmdata/libsrc/dicom.dic")),
        ("pydicom", _PYDICOM, versions(
            pydicom, "src/pydicom/_dicom_dict.py", "pydicom/_dicom_dict.py",
            "source/dicom/_dicom_dict.py",
        )),
    )  # fmt: skip
    for project, pattern, found in texts:
        for newest, text in found:
            for row in pattern.findall(text):
                for vr in _vrs(row[-1]):
                    times[int("".join(row[:-1]), 16), vr].append((project, newest))
    for newest, text in versions(gdcm, "Source/DataDictionary/Part6.xml"):
        for attributes in map(dict, map(_ATTRIBUTE.findall, _GDCM.findall(text))):
            tag = attributes.get("group", "") + attributes.get("element", "")
            if re.fullmatch(r"[0-9a-fA-F]{8}", tag):
                for vr in _vrs(attributes.get("vr", "")):
                    times[int(tag, 16), vr].append(("gdcm", newest))
    known = dictionary()
    tags: dict[str, set[int]] = defaultdict(set)
    for (tag, vr), where in times.items():
        ours = known.public(tag)
        # what stood in one dictionary alone, and stands there no more, may have been a slip
        attested = len({project for project, _ in where}) > 1 or any(newest for _, newest in where)
        if tag >> 16 < 8 or tag >> 16 & 1 or not tag & 0xFFFF or not attested:
            continue
        if vr not in AMBIGUOUS.get(ours, (ours,)):
            tags[vr].add(tag)
    return tags


def private(dcmtk: str, gdcm: str, pydicom: str) -> dict[tuple[str, str], set[str]]:
    """Return creator and VR to the tags, where our dictionary has another, or none."""
    found: set[tuple[str, str, str]] = set()
    for _, text in versions(dcmtk, "dcmdata/data/private.dic", "dcmdata/libsrc/private.dic"):
        for group, creator, element, name in _DCMTK_PRIVATE.findall(text):
            found.update((creator, vr, f"{group}xx{element}".upper()) for vr in _vrs(name))
    for _, text in versions(gdcm, "Source/DataDictionary/privatedicts.xml"):
        for attributes in map(dict, map(_ATTRIBUTE.findall, _GDCM.findall(text))):
            tag = (attributes.get("group", "") + attributes.get("element", "")).upper()
            creator = html.unescape(attributes.get("owner", ""))
            found.update((creator, vr, tag) for vr in _vrs(attributes.get("vr", "")))
    for text in _pydicom_private(pydicom):
        creator = ""
        for line in text.splitlines():
            opened = _PYDICOM_CREATOR.match(line)
            creator = opened[1] if opened else creator
            for tag, name in _PYDICOM_PRIVATE.findall(line):
                found.update((creator, vr, tag.upper()) for vr in _vrs(name))
    known = dictionary()
    tags: dict[tuple[str, str], set[str]] = defaultdict(set)
    for creator, vr, tag in found:
        if not (creator and tag[4:6] == "XX" and len(tag) == 8 and _HEX.fullmatch(tag)):
            continue
        ours = known.private(int(tag.replace("XX", "10"), 16), creator.encode("latin-1", "replace"))
        if int(tag[:4], 16) & 1 and vr not in AMBIGUOUS.get(ours, (ours,)):
            tags[creator, vr].add(tag.replace("XX", "xx"))
    return tags


def _pydicom_private(clone: str) -> Iterator[str]:
    paths = ("src/pydicom/", "pydicom/", "source/dicom/")
    return (text for _, text in versions(clone, *(f"{p}_private_dict.py" for p in paths)))


def _lines(kind: str, rows: Iterable[tuple[str, str, str]]) -> list[str]:
    return ["\t".join((kind, *row)) for row in sorted(rows)]


def main() -> int:
    clones = sys.argv[1:]
    if len(clones) != 3:
        print(__doc__)
        return 2
    was = public(*clones).items()
    said = private(*clones).items()
    lines = [
        "# other VRs than those of vr.txt and private_vr.txt: see tools/make_other_vrs.py",
        "# whose, private creator, VR, tag ...",
        *_lines("was", (("", vr, " ".join(f"{t:08X}" for t in sorted(tags))) for vr, tags in was)),
        *_lines("seen", SEEN),
        *_lines("said", ((*key, " ".join(sorted(tags))) for key, tags in said)),
    ]
    DATA.write_text("\n".join(lines) + "\n", "utf-8")
    print(f"{DATA.name}: {len(lines)} lines")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Write src/dicomseal/standard/data/{vr,private_vr,keywords}.txt from pydicom's data dictionaries.

The file path of dicomseal never imports pydicom, yet implicit VR needs the VR of every tag: so the
two columns it needs (VR and keyword) are kept in the package, in a form that a diff can show.

    python tools/make_dictionary.py [--check]
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import pydicom
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._private_dict import private_dictionaries

DATA = Path(__file__).resolve().parent.parent / "src" / "dicomseal" / "standard" / "data"
HEADER = f"# tag and VR from the data dictionaries of pydicom {pydicom.__version__} (PS3.6)"
# VRs that depend on other elements, PS3.6 notes; see standard.dictionary
AMBIGUOUS = {"US or SS": "xs", "OB or OW": "ox", "US or OW": "lt", "US or SS or OW": "lt"}
# those of "OB or OW" that are bytes in implicit VR: curves are (PS3.5-2004 Annex A.1); of the
# others PS3.5 says nothing, and DCMTK, which alone writes them in explicit VR, takes bytes
BYTES = frozenset(("00143050", "00143070", "50xx200C", "50xx3000", "7Fxx0010"))


def public() -> str:
    """Return one line per VR: the VR, then its tags; x stands for any hexadecimal digit."""
    by_vr: dict[str, list[str]] = defaultdict(list)
    for tag, entry in DicomDictionary.items():
        if entry[0] != "NONE":
            by_vr[AMBIGUOUS.get(entry[0], entry[0])].append(f"{tag:08X}")
    for mask, entry in RepeatersDictionary.items():
        by_vr[AMBIGUOUS.get(entry[0], entry[0])].append(mask.upper().replace("X", "x"))
    by_vr["bo"] = [tag for tag in by_vr["ox"] if tag in BYTES]
    by_vr["ox"] = [tag for tag in by_vr["ox"] if tag not in BYTES]
    lines = [f"{vr} {' '.join(sorted(tags))}" for vr, tags in sorted(by_vr.items())]
    return "\n".join([HEADER, "# VR tag ...", *lines]) + "\n"


def keywords() -> str:
    """Return one line per tag: the tag and its keyword."""
    lines = [f"{tag:08X} {entry[4]}" for tag, entry in sorted(DicomDictionary.items()) if entry[4]]
    return "\n".join([HEADER, "# tag keyword", *lines]) + "\n"


def private() -> str:
    """Return one line per private creator and VR, tab-separated: creator, VR, tags."""
    lines = []
    for creator, tags in sorted(private_dictionaries.items()):
        by_vr: dict[str, list[str]] = defaultdict(list)
        for mask, entry in tags.items():
            by_vr[AMBIGUOUS.get(entry[0], entry[0])].append(mask.upper().replace("X", "x"))
        lines += [f"{creator}\t{vr}\t{' '.join(sorted(t))}" for vr, t in sorted(by_vr.items())]
    return "\n".join([HEADER, "# private creator, VR, tag ...", *lines]) + "\n"


def main() -> int:
    wanted = {
        DATA / "vr.txt": public(),
        DATA / "private_vr.txt": private(),
        DATA / "keywords.txt": keywords(),
    }
    if "--check" in sys.argv[1:]:
        stale = [p.name for p, text in wanted.items() if p.read_text("utf-8") != text]
        if stale:
            print(f"out of date: {', '.join(stale)}; run python tools/make_dictionary.py")
        return bool(stale)
    for path, text in wanted.items():
        path.write_text(text, "utf-8")
        print(f"{path.name}: {len(text)} characters")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

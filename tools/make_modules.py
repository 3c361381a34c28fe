"""Write src/dicomseal/standard/data/modules.txt: the attributes of the modules of PS3.15 C.

The digital signature profiles name modules ("any Attributes of the General Equipment Module that
are present"); here is what stands at the top level of each. Source: the module table in the package
highdicom (MIT licence), which was made from PS3.3. It names no edition; it has SOP Classes, such as
Height Map Segmentation Storage, that came with 2024d, and keeps the attributes that the dictionary
of edition 2024c, in pydicom 3.0, knows. Only modules.txt is kept: highdicom is needed to make it,
not to use it.

    pip install --no-deps highdicom==0.28.2
    python tools/make_modules.py [--check]
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

DATA = (
    Path(__file__).resolve().parent.parent
    / "src"
    / "dicomseal"
    / "standard"
    / "data"
    / "modules.txt"
)

# the names of the standard -> those of the table; only where one is not the other in lower case.
# "MR Spectroscopy modules" is a plural in C.3, and was in C.2: the spectrum itself is in one of its
# own.
OTHER_NAMES = {
    "mr-spectroscopy": (
        "mr-spectroscopy",
        "mr-spectroscopy-data",
        "mr-spectroscopy-pulse-sequence",
        "mr-spectroscopy-multi-frame-functional-groups",
    ),
    "implant-template": ("generic-implant-template-description",),
}
MODULES = (
    "general-equipment", "overlay-plane", "graphic-annotation", "general-image", "image-pixel",
    "sr-document-general", "sr-document-content", "waveform", "waveform-annotation",
    "multi-frame-functional-groups", "enhanced-mr-image", "mr-spectroscopy", "raw-data",
    "enhanced-ct-image", "enhanced-xa-xrf-image", "segmentation-image", "encapsulated-document",
    "x-ray-3d-image", "enhanced-pet-image", "enhanced-us-image", "surface-segmentation",
    "surface-mesh", "structured-display", "structured-display-annotation",
    "structured-display-image-box", "implant-template", "implant-assembly-template",
    "implant-template-group", "point-cloud", "enhanced-mammography-image", "tractography-results",
    "volumetric-graphic-annotation", "microscopy-bulk-simple-annotations",
)  # fmt: skip
# The Curve Module was retired in 2004 and is in no table of today: PS3.3-2004 Table C.10-2. Of the
# repeating group 50xx these are not its own: the Audio Module, the activation layer of presentation
# states, and what stood inside Referenced Overlay Sequence.
NOT_CURVE = ("Audio", "CurveActivationLayer", "CurveReferencedOverlayGroup", "TotalTime",
             "NumberOfChannels", "NumberOfSamples", "SampleRate")  # fmt: skip
# What General Image and Segmentation Image had until 2020. Readers of that edition look for them.
FORMERLY = ("AcquisitionDate", "AcquisitionDateTime", "AcquisitionNumber", "AcquisitionTime",
            "ImagesInAcquisition", "IrradiationEventUID", "ImageOrientationSlide")  # fmt: skip


def table() -> tuple[dict[str, list[dict[str, object]]], str]:
    """Return the module table of highdicom, and its version."""
    found = find_spec("highdicom")
    if found is None or found.origin is None:
        raise SystemExit("highdicom is not installed: pip install --no-deps highdicom==0.28.2")
    path = Path(found.origin).parent / "_standard" / "module_attribute_map.json"
    return json.loads(path.read_text("utf-8")), version("highdicom")


def curve() -> list[str]:
    """Return the attributes of the Curve Module."""
    return [
        mask.upper().replace("X", "x")
        for mask, entry in RepeatersDictionary.items()
        if mask.startswith("50") and not entry[4].startswith(NOT_CURVE)
    ]


def text() -> str:
    """Return one paragraph a module: its name, then its tags, with xx for repeating groups."""
    modules, release = table()
    by_keyword = {entry[4]: f"{tag:08X}" for tag, entry in DicomDictionary.items()}
    by_keyword |= {
        entry[4]: mask.upper().replace("X", "x") for mask, entry in RepeatersDictionary.items()
    }
    tags = {"curve": curve(), "formerly": [by_keyword[keyword] for keyword in FORMERLY]}
    for name in MODULES:
        tags[name] = [
            by_keyword[str(attribute["keyword"])]
            for source in OTHER_NAMES.get(name, (name,))
            for attribute in modules[source]
            if not attribute["path"]
        ]
    lines = [
        f"# top-level attributes of modules, from highdicom {release} (PS3.3 2024d or later)",
        "# module tag ...; xx: the even groups of a repetition",
    ]
    lines += [f"{name} {' '.join(sorted(set(found)))}" for name, found in sorted(tags.items())]
    return "\n".join(lines) + "\n"


def main() -> int:
    wanted = text()
    if "--check" in sys.argv[1:]:
        stale = not DATA.is_file() or DATA.read_text("utf-8") != wanted
        if stale:
            print(f"out of date: {DATA.name}; run python tools/make_modules.py")
        return stale
    DATA.write_text(wanted, "utf-8")
    print(f"{DATA.name}: {len(wanted)} characters")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

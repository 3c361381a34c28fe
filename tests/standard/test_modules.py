"""The attributes of the modules that PS3.15 Annex C names."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from _profiles import TAG
from pydicom.datadict import keyword_for_tag

from dicomseal.profiles import CREATOR, PROFILES
from dicomseal.standard.modules import module_table, module_tags

ROOT = Path(__file__).parents[2]


def test_the_table_is_up_to_date():
    if importlib.util.find_spec("highdicom") is None:
        pytest.skip("highdicom is not installed: pip install --no-deps highdicom==0.28.2")
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "make_modules.py", "--check"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_is_in_the_table_and_every_tag_in_the_dictionary():
    table = module_table()
    named = set().union(*(p.modules | p.beyond for p in PROFILES.values()))
    assert named == table.keys()
    assert len(CREATOR.modules) == 34  # items 4 to 30 of C.2 name as many
    for tags in table.values():
        assert tags
        assert all(keyword_for_tag(tag) for tag in tags)


@pytest.mark.parametrize(("module", "keywords"), {
    "general-equipment": {"Manufacturer", "DeviceSerialNumber", "PixelPaddingValue"},
    "image-pixel": {"PixelData", "Rows", "PhotometricInterpretation", "ICCProfile"},
    "microscopy-bulk-simple-annotations": {"AnnotationGroupSequence", "AnnotationCoordinateType"},
    "mr-spectroscopy": {"SpectroscopyData", "DataPointRows", "ChemicalShiftReference"},
    "encapsulated-document": {"EncapsulatedDocument", "DocumentTitle"},
    "volumetric-graphic-annotation": {"VolumetricAnnotationSequence"},
}.items())  # fmt: skip
def test_modules(module, keywords):
    assert {TAG(name) for name in keywords} <= module_tags(frozenset([module]))


def test_repeating_groups():
    tags = module_tags(frozenset(["overlay-plane", "curve"]))
    assert {0x60003000, 0x60023000, 0x601E3000, 0x50003000, 0x501E0020} <= tags
    assert not tags & {0x60203000, 0x60013000, 0x50002000, 0x50202500}

"""What the package is made of: data in date, layers one-way, nothing heavy imported unasked."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import dicomseal

ROOT = Path(__file__).parents[2]
SOURCE = Path(dicomseal.__file__).parent


def house() -> ModuleType:
    """`tools/house.py`, which holds the order of the floors."""
    spec = importlib.util.spec_from_file_location("house", ROOT / "tools" / "house.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_import_goes_down_and_none_in_a_circle():
    assert list(house().complaints()) == []


def test_every_room_has_a_floor():
    found = house()
    assert {found.room_of(name) for name in found.modules()} == {
        room for floor in found.FLOORS for room in floor
    }


def test_the_drawing_is_that_of_the_documentation():
    assert house().drawn() == house().drawing()


@pytest.mark.parametrize(
    ("module", "line", "said"),
    [
        ("errors", "from .cli import lazy", "errors imports cli.lazy"),
        ("files.part10", "def late():\n    from ..verification import verifier",
         "files.part10 imports verification.verifier"),
        ("trust.decision", "if TYPE_CHECKING:\n    from .store import TrustStore", "a circle: "),
        ("archive.find.unique_paths", "from ..reports import html",
         "archive.find.unique_paths imports archive.reports.html"),
        ("files.window", "import dicomseal.archive", "files.window imports archive"),
    ],
)  # fmt: skip
def test_an_import_that_runs_back_up_is_found(module, line, said, tmp_path, monkeypatch):
    """Wherever it is: at the top, inside a function, or for types alone."""
    found = house()
    copy = tmp_path / "dicomseal"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    path = copy.joinpath(*module.split(".")).with_suffix(".py")
    path.write_text(path.read_text("utf-8") + f"\n{line}\n", "utf-8")
    monkeypatch.setattr(found, "SOURCE", copy)
    assert any(said in one for one in found.complaints()), list(found.complaints())


def test_verifier_and_signer_do_not_know_each_other():
    found = house()
    for name, targets in found.arrows().items():
        rooms = {found.room_of(target) for target in targets}
        assert not (name.startswith("verification") and "signing" in rooms), name
        assert not (name.startswith("signing") and "verification" in rooms), name


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

"""Fixtures that more than one module uses."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import Any

import pydicom
import pytest
from _archive import folder  # noqa: F401 - a fixture
from _archive_sign import archive_to_sign  # noqa: F401 - a fixture
from _forms import signed_forms  # noqa: F401 - a fixture
from _hsm import hsm  # noqa: F401 - a fixture
from _loaded import given, way_to_hold  # noqa: F401 - fixtures
from _profiles import put  # noqa: F401 - a fixture
from hypothesis import settings

from dicomseal import cli
from dicomseal.encoding.record import Coverage

# a machine under load is slow, and nothing is wrong with the code then
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

TWINS = {"cython": "c", "python": "py"}


class Backend:
    """One of the two implementations of the index and the encoder."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.Index = self.module("index").Index
        self.Encoder = self.module("encoder").Encoder

    def module(self, kind: str) -> ModuleType:
        return importlib.import_module(f"dicomseal.encoding._{kind}_{TWINS[self.name]}")

    def stream(self, data: Any, scope: int = 0, tags: Any = None, **options: Any) -> bytes:
        """The canonical bytes of encoded elements."""
        return self.covered(data, scope, tags, **options)[0]

    def covered(
        self, data: Any, scope: int = 0, tags: Any = None, without: Any = (),
        legacy: bool = False, **encoding: Any,
    ) -> tuple[bytes, Coverage]:  # fmt: skip
        """The canonical bytes, and what went into them."""
        out = bytearray()
        index = self.Index(data, **encoding)
        coverage = index.stream(out.extend, scope, tags, without=without, legacy=legacy)
        return bytes(out), coverage


def load_backend(name: str) -> Backend:
    try:
        return Backend(name)
    except ImportError as error:
        pytest.skip(f"the {name} backend cannot be imported: {error}")


@pytest.fixture(scope="session")
def twins() -> list[Backend]:
    """Both implementations, for tests that compare them."""
    return [load_backend(name) for name in TWINS]


@pytest.fixture(params=sorted(TWINS))
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Each implementation in turn; the rest of the package uses it as long as the test runs."""
    chosen = load_backend(request.param)
    for name in ("Index", "Encoder"):
        monkeypatch.setattr(f"dicomseal.encoding.backend.{name}", getattr(chosen, name))
    for name in ("canonical", "as_in_a_file"):
        walk = getattr(chosen.module("dataset"), name)
        monkeypatch.setattr(f"dicomseal.encoding.from_pydicom.{name}", walk)
    if chosen.name == "python":
        for user in ("dicomseal.files.part10", "dicomseal.files.reader"):
            monkeypatch.setattr(f"{user}.quick_file", None)
    return chosen


@pytest.fixture(scope="session")
def test_files() -> str:
    """The folder of the files that come with pydicom."""
    return os.path.join(os.path.dirname(pydicom.__file__), "data", "test_files")


@pytest.fixture
def run(capfdbinary, monkeypatch):
    """Run the command in this process: exit code, standard output, standard error."""

    def inner(*args):
        monkeypatch.setattr(sys, "argv", ["dicomseal", *map(os.fspath, args)])
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = (text.decode("latin-1") for text in capfdbinary.readouterr())
        assert "Traceback" not in out + err
        return caught.value.code or 0, out, err

    return inner

"""The check of `make lint` for docstrings and wording finds what it is there to find."""

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "prose.py"


@pytest.fixture(scope="module")
def prose():
    spec = importlib.util.spec_from_file_location("prose", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def findings(prose, tmp_path, text, name="module.py"):
    path = tmp_path / name
    path.write_text(text)
    return [finding.what for finding in prose.check(path)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('def f():\n    """Return it."""\n', 0),
        ('def f():\n    """The value."""\n', 1),
        ('def f():\n    """Whether it is so."""\n', 1),
        ('@property\ndef f(self):\n    """The value."""\n', 0),
        ('class C:\n    """A thing."""\n\n    async def f(self):\n        """It."""\n', 1),
        ("x = 1  # this is no number\n", 1),
        ("x = 1  # there is no number, and it is no longer one\n", 0),
        ('raise E(f"{x} is no path")\n', 1),
        ('"""For who reads it."""\n', 1),
        ('"""For a person who reads it."""\n', 0),
    ],
)
def test_what_is_found(prose, tmp_path, text, found):
    assert len(findings(prose, tmp_path, text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('cdef int f(int a,\n           int b) except -1:\n    """Count it."""\n', 0),
        ('cdef int f(int a,\n           int b) except -1:\n    """Bytes of it."""\n', 1),
        ('cdef class C:\n    """One thing."""\n', 0),
        ("x = 1  # this is no number\n", 1),
    ],
)
def test_cython(prose, tmp_path, text, found):
    assert len(findings(prose, tmp_path, text, "module.pyx")) == found


def test_nothing_is_found_here(prose, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["prose.py"])
    assert (prose.main(), capsys.readouterr().out) == (0, "")

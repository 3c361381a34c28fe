"""The examples in docstrings of profiles, purposes and policies: each object has one that runs."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

import dicomseal

MODULES = ("dicomseal.policy", "dicomseal.profiles", "dicomseal.purposes",
           "dicomseal.requirements", "dicomseal.signing.policy")  # fmt: skip
OBJECTS = {
    "dicomseal.policy": ["Policy", "load"],
    "dicomseal.profiles": ["Profile"],
    "dicomseal.requirements": [
        "AllOf", "AnyOf", "AnySignature", "HasProfile", "HasPurpose", "HasTimestamp", "NotWeak",
        "Rule", "SignedBy", "parse",
    ],
    "dicomseal.signing.policy": ["SigningPolicy"],
}  # fmt: skip
# constants have no docstring that Python keeps: their example is in the source
CONSTANTS = {"dicomseal.signing.policy": ["ALLOW_WEAK"], "dicomseal.policy": ["ANY"]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the examples speak of: a PKI, ct.dcm, signed.dcm, and old.dcm over MD5."""
    from dicomseal.cli.demo import make_pki

    monkeypatch.chdir(tmp_path)
    for name, path in zip(("key", "cert", "ca"), make_pki(str(tmp_path)), strict=True):
        Path(path).rename(f"{name}.pem")
    Path("ct.dcm").write_bytes(Path(get_testdata_file("CT_small.dcm")).read_bytes())
    pair = ("key.pem", "cert.pem")
    dicomseal.sign_file("ct.dcm", "signed.dcm", *pair, profile="creator", purpose="review")
    dicomseal.sign_file("ct.dcm", "old.dcm", *pair, mac="MD5", policy=dicomseal.ALLOW_WEAK)


def examples(name):
    """Those of a module, its own first: what it names, the others use."""
    module = importlib.import_module(name)
    names = dict(vars(module), dicomseal=dicomseal)
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for test in finder.find(module, name, globs=names) if test.examples]
    parser = doctest.DocTestParser()
    source = Path(module.__file__).read_text("utf-8")
    for constant in CONSTANTS.get(name, ()):
        text = source.split(f"\n{constant} = ", 1)[1].split('"""', 2)[1]
        found.append(parser.get_doctest(text, names, f"{name}.{constant}", module.__file__, 0))
    return sorted(found, key=lambda test: (test.name != name, test.name)), names


@pytest.mark.parametrize("name", MODULES)
def test_they_run(folder, name):
    found, names = examples(name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    said: list[str] = []
    for test in found:
        test.globs = names
        runner.run(test, out=said.append, clear_globs=False)
    assert runner.failures == 0, "".join(said)
    assert runner.tries >= len(found) > 0


@pytest.mark.parametrize("name", MODULES)
def test_every_object_has_one(name):
    found = {test.name.removeprefix(f"{name}.") for test in examples(name)[0]}
    wanted = {*OBJECTS.get(name, ()), *CONSTANTS.get(name, ()), name}
    assert wanted - found == set()
    module = importlib.import_module(name)
    if name == "dicomseal.requirements":
        assert {*OBJECTS[name], "NAMED"} == set(module.__all__)

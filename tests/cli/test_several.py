"""Several files in one `dicomseal sign`: where they go, what fails, what is said."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pki
import pytest

from dicomseal import remove_file, verify
from dicomseal.report import unescaped

KEY = ("--key", "rsa.key.pem", "--cert", "rsa.cert.pem")
NAMES = ("a.dcm", "b.dcm", "c.dcm")


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Three objects that differ, and a file that is none."""
    monkeypatch.chdir(tmp_path)
    for name in ("rsa", "weak"):
        pki.member(name).write(tmp_path)
    for name in NAMES:
        Path(name).write_bytes(pki.small().replace(b"Doe^John", b"Doe^" + name[:4].encode()))
    Path("text").write_bytes(b"no DICOM")
    return tmp_path


def content():
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def check(out, targets, sources):
    """Each line names a signature and its file, which is the original with it."""
    lines = [line.split("  ", 1) for line in out.splitlines()]
    assert [unescaped(path) for _, path in lines] == [os.fspath(path) for path in targets]
    for (uid, path), source in zip(lines, sources, strict=True):
        (report,) = verify(unescaped(path), integrity_only=True).signatures
        assert (report.uid, report.integrity) == (uid, "intact")
        remove_file(unescaped(path), "plain.tmp")
        assert Path("plain.tmp").read_bytes() == source
        os.unlink("plain.tmp")
    return [uid for uid, _ in lines]


def test_in_place(run, work):
    before = content()
    code, out, err = run("sign", *NAMES, "--in-place", *KEY)
    assert (code, err) == (0, "")
    uids = check(out, NAMES, [before[name] for name in NAMES])
    assert len(set(uids)) == 3
    assert content().keys() == before.keys()


@pytest.mark.parametrize("line", [
    (*NAMES, "--target", "there"), ("--target", "new/deep", *NAMES), ("b.dcm", "--target", "new"),
])  # fmt: skip
def test_into_a_folder(run, work, line):
    os.mkdir("there")
    before = content()
    code, out, err = run("sign", *line, *KEY)
    assert (code, err) == (0, "")
    names = [name for name in line if name in NAMES]
    folder = next(part for part in line if part.startswith(("there", "new")))
    check(out, [Path(folder, name) for name in names], [before[name] for name in names])
    after = content()
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + len(names)


def test_one_in_place_names_its_file_too(run, work):
    before = content()
    code, out, err = run("sign", "a.dcm", "--in-place", *KEY)
    assert (code, err) == (0, "")
    check(out, ["a.dcm"], [before["a.dcm"]])


def test_one_that_fails_ends_no_other(run, work):
    """It is named, is as it was, and the exit code tells."""
    os.mkdir("folder")
    before = content()
    cut = before["b.dcm"][:-3]
    Path("b.dcm").write_bytes(cut)
    code, out, err = run(
        "sign", "a.dcm", "text", "gone", "b.dcm", "folder/", "c.dcm", "--in-place", *KEY
    )
    assert code == 1
    check(out, ["a.dcm", "c.dcm"], [before["a.dcm"], before["c.dcm"]])
    lines = err.splitlines()
    for line, said in zip(lines, [
        "dicomseal: text: ", "dicomseal: gone: No such file", "dicomseal: b.dcm: ",
        "dicomseal: folder/: is a folder", "dicomseal: 2 signed, 4 not",
    ], strict=True):  # fmt: skip
        assert line.startswith(said)
    assert (Path("b.dcm").read_bytes(), Path("text").read_bytes()) == (cut, b"no DICOM")


def test_a_file_that_is_there_stays(run, work):
    os.mkdir("out")
    Path("out/b.dcm").write_bytes(b"another")
    line = ("sign", *NAMES, "--target", "out", *KEY)
    code, out, err = run(*line)
    assert (code, Path("out/b.dcm").read_bytes()) == (1, b"another")
    assert err == (
        "dicomseal: b.dcm: out/b.dcm exists already; see --overwrite\ndicomseal: 2 signed, 1 not\n"
    )
    assert [line.split("  ")[1] for line in out.splitlines()] == ["out/a.dcm", "out/c.dcm"]
    code, out, err = run(*line, "--overwrite")
    assert (code, err) == (0, "")
    check(out, [f"out/{name}" for name in NAMES], [content()[name] for name in NAMES])


def test_a_file_that_comes_while_one_signs_stays(run, work, monkeypatch):
    os.mkdir("out")
    monkeypatch.setattr("dicomseal.cli.sign.check", lambda *_: Path("out/a.dcm").write_bytes(b"x"))
    code, out, err = run("sign", "a.dcm", "--target", "out", *KEY)
    assert (code, out, Path("out/a.dcm").read_bytes()) == (1, "", b"x")
    assert "out/a.dcm: exists already" in err


@pytest.mark.parametrize(("line", "said"), [
    (("a.dcm",), "say where it goes: OUT, --in-place or --target DIR"),
    (("a.dcm", "b.dcm", "c.dcm"), "several files need --in-place or --target DIR"),
    (("a.dcm", "b.dcm", "there"), "several files need --in-place or --target DIR"),
    (("a.dcm", "--in-place", "--target", "x"), "--in-place or --target DIR"),
    (("-", "--in-place"), "- has no name to write to"),
    (("a.dcm", "-", "--target", "there"), "- has no name to write to"),
    (("a.dcm", "./a.dcm", "--in-place"), "./a.dcm and a.dcm are one file"),
    (("a.dcm", "link", "--in-place"), "link and a.dcm are one file"),
    (("a.dcm", "other/a.dcm", "--target", "there"),
     "other/a.dcm and a.dcm would both become there/a.dcm"),
    (("a.dcm", "--target", "b.dcm"), "b.dcm: File exists"),
    (("a.dcm", "--in-place", "--overwrite"), "--overwrite goes with --target"),
    (("a.dcm", "x.dcm", "--overwrite"), "--overwrite goes with --target"),
    (("a.dcm", "b.dcm", "--in-place", "--item", "Beam"), "is not of the form BeamSequence[0]"),
    (("a.dcm", "b.dcm", "--in-place", "--tag", "Nonsense"), "'Nonsense' is not a tag"),
])  # fmt: skip
def test_usage(run, work, line, said):
    os.mkdir("there")
    os.mkdir("other")
    Path("other/a.dcm").write_bytes(pki.small())
    os.symlink("a.dcm", "link")
    before = content()
    code, out, err = run("sign", *line, *KEY)
    assert (code, out, said in err) == (2, "", True), err
    assert content() == before


def test_what_every_file_fails_for_ends_it(run, work, monkeypatch):
    """A token that is lost in between, a disk that is full: no use to go on."""
    from dicomseal.editing.splice import Splice
    from dicomseal.errors import KeyFileError, SourceError

    before = content()
    save = Splice.save
    for error, code in ((KeyFileError("lost"), "key"), (SourceError("full", "no_space"), "")):
        calls = []

        def fail(self, target, overwrite, calls=calls, error=error):
            calls.append(target)
            if len(calls) == 2:
                raise error
            save(self, target, overwrite)

        monkeypatch.setattr(Splice, "save", fail)
        code, out, err = run("sign", *NAMES, "--in-place", *KEY)
        assert (code, len(out.splitlines()), calls) == (1, 1, ["a.dcm", "b.dcm"])
        assert err == f"dicomseal: b.dcm: {error}\ndicomseal: stopped: 1 signed, 2 not\n"
        assert {name for name in NAMES if content()[name] == before[name]} == {"b.dcm", "c.dcm"}
        Path("a.dcm").write_bytes(before["a.dcm"])


def test_a_wrong_key_is_said_once(run, work):
    code, out, err = run(
        "sign", *NAMES, "--in-place", "--key", "rsa.key.pem", "--cert", "weak.cert.pem"
    )
    assert (code, out, len(err.splitlines())) == (1, "", 1)


def test_what_is_left_out_is_said_for_each_file(run, work):
    line = ("sign", *NAMES, "--in-place", *KEY, "--profile", "base", "--tag", "PatientName")
    code, _, err = run(*line)
    assert code == 0, err
    notes = [line for line in err.splitlines() if "does not sign" in line]
    assert [re.match(r"dicomseal: note: (\S+): 2\.25", line)[1] for line in notes] == list(NAMES)


def test_names_that_are_no_text(run, work):
    name = os.fsdecode(b"\xff\n\\.dcm")
    Path(name).write_bytes(content()["a.dcm"])
    code, out, _ = run("sign", name, "--in-place", *KEY)
    assert (code, len(out.splitlines())) == (0, 1)
    check(out, [name], [content()["a.dcm"]])


def test_several_items_of_several_files(run, work):
    code, out, _ = run("sign", *NAMES, "--in-place", *KEY, "--item", "", "--item", "")
    assert (code, out) == (1, "")  # one item twice is wrong in each
    items = ("--item", "BeamSequence[0]", "--item", "")
    code, out, err = run("sign", "a.dcm", "b.dcm", "--in-place", *KEY, *items)
    assert (code, err) == (0, "")
    assert [line.split("  ")[1] for line in out.splitlines()] == ["a.dcm"] * 2 + ["b.dcm"] * 2
    assert [len(verify(n, integrity_only=True).signatures) for n in ("a.dcm", "b.dcm")] == [2, 2]


def test_each_is_signed_at_its_own_time(run, work):
    """And not all of them when the first was."""
    run("sign", *NAMES, "--in-place", *KEY)
    times = [verify(name, integrity_only=True).signatures[0].datetime for name in NAMES]
    assert sorted(set(times)) == times

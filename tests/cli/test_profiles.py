"""Profiles, purposes and policies on the command line, and every example of docs/profiles.md."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pki
import pytest
from click.testing import CliRunner
from pydicom.data import get_testdata_file

from dicomseal import purposes
from dicomseal.cli import group

DOCUMENT = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text("utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    from dicomseal.cli.demo import make_pki

    monkeypatch.chdir(tmp_path)
    key, cert, ca = make_pki(str(tmp_path))
    for name, path in (("key.pem", key), ("cert.pem", cert), ("ca.pem", ca)):
        (tmp_path / name).write_bytes(Path(path).read_bytes())
    for name, source in (("ct.dcm", "CT_small.dcm"), ("sr.dcm", "test-SR.dcm")):
        (tmp_path / name).write_bytes(Path(get_testdata_file(source)).read_bytes())
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


KEYS = ("--key", "key.pem", "--cert", "cert.pem")


def test_commands_of_the_document(folder):
    lines = re.findall(r"^\$ dicomseal (.*)$", DOCUMENT, re.MULTILINE)
    assert len(lines) == 6
    for line in lines:
        done = run(*shlex.split(line))
        assert done.exit_code == 0, (line, done.output, done.exception)


def test_python_of_the_document(folder):
    assert run("sign", "ct.dcm", "signed.dcm", *KEYS, "--profile", "creator").exit_code == 0
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert len(blocks) == 4
    checked = 0
    for block in blocks:
        names: dict[str, object] = {}
        # an expression with a comment is checked against the comment
        for line in re.split(r"\n(?=\S)(?!\))", block):
            code, _, said = line.partition("  # ")
            if said:
                assert eval(code, names) == eval(said), code
                checked += 1
            else:
                exec(compile(code, "profiles.md", "exec"), names)
    assert checked == 5


def test_purposes_are_listed():
    done = run("sign", "--list-purposes")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert len(lines) == 18
    assert lines[4] == " 5  Verification Signature"
    assert [line.split(maxsplit=1)[1] for line in lines] == list(purposes.MEANINGS.values())


def test_a_report_shows_profile_and_purpose(folder):
    options = ("--profile", "creator", "--purpose", "source")
    done = run("sign", "ct.dcm", "out.dcm", *KEYS, *options)
    assert done.exit_code == 0
    text = run("verify", "--trust", "ca.pem", "out.dcm").output
    assert "purpose    Source Signature (code 14)" in text
    assert "profiles   base, creator, authorization" in text
    (signature,) = json.loads(run("verify", "--format", "json", "out.dcm").output)["signatures"]
    assert signature["profiles"] == ["base", "creator", "authorization"]
    assert (signature["purpose"], signature["purpose_code"]) == ("Source Signature", "14")


@pytest.mark.parametrize(("require", "code"), [("creator", 1), ("authorization", 1), ("sr", 1),
                                               ("signature", 0)])  # fmt: skip
def test_require(folder, require, code):
    assert run("sign", "ct.dcm", "out.dcm", *KEYS, "--tag", "PatientName").exit_code == 0
    done = run("verify", "--trust", "ca.pem", "--require", require, "out.dcm")
    assert done.exit_code == code
    if code:
        assert f"satisfies the profile {require}: there is none" in done.output


def test_require_in_several_processes(folder):
    run("sign", "ct.dcm", "out.dcm", *KEYS, "--tag", "PatientName")
    done = run("verify", "--integrity-only", "--require", "creator", "--jobs", "2", "out.dcm")
    assert done.exit_code == 1
    run("sign", "ct.dcm", "out.dcm", *KEYS, "--profile", "creator", "--tag", "PatientName")
    done = run("verify", "--integrity-only", "--require", "creator", "--jobs", "2", "out.dcm")
    assert done.exit_code == 0


def test_weak(folder):
    done = run("sign", "ct.dcm", "out.dcm", *KEYS, "--mac", "SHA1")
    assert done.exit_code != 0
    assert "SHA1 is too weak for a new signature" in str(done.exception)
    assert not (folder / "out.dcm").exists()
    done = run("sign", "ct.dcm", "out.dcm", *KEYS, "--mac", "SHA1", "--allow-weak")
    assert done.exit_code == 0
    assert "weak       MAC SHA1" in run("verify", "out.dcm").output
    key, cert = pki.member("weak").write(folder)
    assert run("sign", "ct.dcm", "out.dcm", "--key", key, "--cert", cert).exit_code != 0
    done = run("sign", "ct.dcm", "out.dcm", "--key", key, "--cert", cert, "--allow-weak")
    assert done.exit_code == 0


def test_what_c3_leaves_to_the_signer_is_said(folder):
    options = ("--profile", "authorization")
    done = run("sign", "ct.dcm", "out.dcm", *KEYS, *options, "--tag", "PatientName")
    assert (done.exit_code, "note: C.3 also wants signed" in done.stderr) == (0, True)
    done = run("sign", "ct.dcm", "out.dcm", *KEYS, *options)
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize(("options", "said"), [
    (("--profile", "sr", "--purpose", "author"), "neither a Structured Report"),
    (("--profile", "sr"), "demands a purpose"),
    (("--purpose", "nonsense"), "CID 7007"),
    (("--profile", "sr-verification", "--purpose", "1"), "and no other"),
])  # fmt: skip
def test_refusals(folder, options, said):
    done = run("sign", "ct.dcm", "out.dcm", *KEYS, *options)
    assert done.exit_code != 0
    assert said in str(done.exception)
    assert not (folder / "out.dcm").exists()

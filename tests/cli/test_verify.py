"""`dicomseal verify`: exit codes, formats, and what cannot be read."""

from __future__ import annotations

import json
import os
import re

import pki
import pytest
from _shelf import TRUST

from dicomseal import verify

# verdicts of the objects -> exit code, with --require signature
EXITS = {
    "passed": (0, 0), "failed": (1, 1), "indeterminate": (3, 3), "unsigned": (0, 1),
    "error": (4, 4), "passed unsigned": (0, 1), "passed indeterminate": (3, 3),
    "passed error": (4, 4), "passed failed": (1, 1), "failed error": (1, 1),
    "error failed": (1, 1), "failed indeterminate": (1, 1), "indeterminate unsigned": (3, 1),
    "indeterminate error": (4, 4), "unsigned error": (4, 1),
    "passed unsigned indeterminate error": (4, 1),
    "passed unsigned indeterminate error failed": (1, 1),
}  # fmt: skip


@pytest.mark.parametrize(("verdicts", "codes"), EXITS.items(), ids=EXITS)
def test_exit_codes(run, work, verdicts, codes):
    paths = [f"{verdict}.dcm" for verdict in verdicts.split()]
    for options, code in (((), codes[0]), (("--require", "signature"), codes[1])):
        found, out, err = run("verify", *TRUST, *options, *paths)
        assert (found, err) == (code, "")
        shown = [line.split()[0] for line in out.splitlines() if re.match(r"\w+ +\S+\.dcm$", line)]
        expected = ["failed" if v == "unsigned" and options else v for v in verdicts.split()]
        assert shown == expected


@pytest.mark.parametrize(
    ("options", "path", "code"),
    [
        ((), "passed.dcm", 3),
        (("--integrity-only",), "passed.dcm", 0),
        (("--integrity-only",), "indeterminate.dcm", 0),
        (("--integrity-only",), "failed.dcm", 1),
        (("--trust-signer", "other.cert.pem"), "indeterminate.dcm", 0),
        (TRUST, "below.dcm", 3),
        ((*TRUST, "--intermediate", "intermediate.cert.pem"), "below.dcm", 0),
        ((*TRUST, "--at", "2001-01-01T00:00:00Z"), "passed.dcm", 3),
        ((*TRUST, "--at", "9999-12-31T23:59:59-12:00"), "passed.dcm", 3),
        ((*TRUST, "--accept-legacy-format"), "passed.dcm", 0),
    ],
)
def test_options_of_verify(run, work, options, path, code):
    assert run("verify", *options, path)[0] == code


# --- verify: formats -----------------------------------------------------------------------------


def test_text(run, work):
    _, out, _ = run("verify", *TRUST, "passed.dcm")
    for said in ("passed        passed.dcm", "CN=Test rsa", "intact (6 elements signed, 0 not)",
                 "trusted", "MAC SHA256", "RSA 2048, issued by CN=Test root"):  # fmt: skip
        assert said in out
    _, out, _ = run("verify", *TRUST, "failed.dcm", "error.dcm", "indeterminate.dcm")
    for said in ("HASH_FAILURE: ", "NO_CERTIFICATE_CHAIN_FOUND: ", "truncated: "):
        assert said in out
    assert out.splitlines()[-1] == "3 objects: 1 failed, 1 indeterminate, 1 error"


def test_json(run, work):
    one = json.loads(run("verify", *TRUST, "--format", "json", "passed.dcm")[1])
    assert (one["path"], one["verdict"]) == ("passed.dcm", "passed")
    plain = json.loads(verify("passed.dcm").to_json())
    said, without = one["signatures"][0], plain["signatures"][0]
    of_trust = {"verdict": "", "signatures": [], "covered_elements": 0, "uncovered_elements": 0,
                "remedy": None}  # fmt: skip
    assert one | of_trust == plain | of_trust
    judged = {"trust": "trusted", "judged_at": said["judged_at"], "judged_by": "validation"}
    assert said == without | judged
    assert (without["judged_at"], without["judged_by"]) == (None, None)
    two = json.loads(run("verify", "--format", "json", "passed.dcm", "error.dcm")[1])
    assert [o["verdict"] for o in two] == ["indeterminate", "error"]
    assert two[1]["error"]["code"] == "truncated"
    lines = run("verify", "--format", "jsonl", "passed.dcm", "error.dcm")[1].splitlines()
    assert [json.loads(line) for line in lines] == two


def test_folders(run, work, tmp_path):
    tree = tmp_path / "tree"
    for place in ("b.dcm", "a/2.dcm", "a/10.dcm", "a/deep/er/x"):
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        (tree / place).write_bytes(pki.small())
    (tree / "empty").mkdir()
    (tree / "a" / "round").symlink_to(tree)
    code, out, err = run("verify", "--format", "json", tree)
    found = json.loads(out)
    assert [os.path.relpath(o["path"], tree) for o in found if o["verdict"] == "unsigned"] == [
        "b.dcm", "a/10.dcm", "a/2.dcm", "a/deep/er/x",
    ]  # fmt: skip
    # a link to a folder is not walked, and not passed over in silence; `archive verify` does so too
    assert (code, len(found)) == (0, 4)
    said = "dicomseal: passed over, not verified: links to folders (1)\ndicomseal:   {}\n"
    assert err == said.format(tree / "a" / "round")
    (tree / "a" / "round").unlink()
    code, out, err = run("verify", tree)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "4 objects: 4 unsigned"
    code, out, _ = run("verify", "--format", "json", tree / "empty")
    assert (code, json.loads(out)[0]["error"]["code"]) == (4, "empty_folder")
    assert len(json.loads(run("verify", "--format", "json", tree / "a" / "deep")[1])) == 1


def test_a_folder_that_cannot_be_read_does_not_end_the_walk(run, work, tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.dcm").write_bytes(pki.small())
    real = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("b"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    code, out, _ = run("verify", "--format", "json", tmp_path)
    assert code == 4
    assert [o["verdict"] for o in json.loads(out)] == ["unsigned", "error", "unsigned"]


@pytest.mark.parametrize("output", ["text", "json", "jsonl"])
def test_hostile_names(run, work, tmp_path, output):
    """No UTF-8, commands to the terminal, a line of another verdict."""
    (tmp_path / "x").mkdir()
    for name in (b"\xff", b"a\x1b[2J", b"b\npassed  good"):
        with open(os.path.join(os.fsencode(tmp_path), b"x", name), "wb") as file:
            file.write(b"no DICOM")
    code, out, _ = run("verify", "--list-others", "--format", output, tmp_path / "x")
    assert code == 0
    assert "\x1b" not in out
    assert "\npassed" not in out
    assert "\\xff" in out


# --- verify: what cannot be read -----------------------------------------------------------------


def test_unreadable(run, work, tmp_path):
    (tmp_path / "dangling").symlink_to("/nowhere")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "nothing").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"not DICOM\n" * 99)
    for path, code, said in (
        ("nowhere.dcm", "not_found", "No such file"),
        ("passed.dcm/x", "unreadable", "Not a directory"),
        (tmp_path / "dangling", "not_found", "No such file"),
        (tmp_path / "loop", "unreadable", "symbolic links"),
        (tmp_path / "fifo", "unreadable", "not a regular file"),
        ("/dev/null", "unreadable", "not a regular file"),
        (tmp_path / "nothing", "empty", "the file is empty"),
        (tmp_path / "text", "not_dicom", "not DICOM"),
        ("", "not_found", "No such file"),
        ("x" * 5000, "unreadable", "too long"),
    ):
        found, out, err = run("verify", path)
        assert (found, err) == (4, "")
        assert f"{code}: " in out
        assert said in out


@pytest.mark.parametrize("name", ["verify", "sign", "remove", "dump"])
def test_cut_anywhere(run, work, tmp_path, name):
    data = (work / "passed.dcm").read_bytes()
    cut, out = tmp_path / "cut.dcm", tmp_path / "out.dcm"
    more = {"sign": [out, "--key", "rsa.key.pem", "--cert", "rsa.cert.pem"],
            "remove": [out, "--all"]}  # fmt: skip
    sizes = {0, 1, 127, 128, 131, 132, 133, *range(134, len(data), len(data) // 40), len(data) - 1}
    for size in sorted(sizes):
        cut.write_bytes(data[:size])
        code, said, err = run(name, cut, *more.get(name, ()))
        whole = verify(cut).verdict != "error"
        if name == "verify":
            assert code in ((3, 1, 0) if whole else (4,))
        elif not whole:
            assert (code, said) == (1, "")
            assert re.match(r"dicomseal: .+\n$", err)
            assert os.listdir(tmp_path) == ["cut.dcm"]
        out.unlink(missing_ok=True)

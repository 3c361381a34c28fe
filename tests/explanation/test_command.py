"""The command: exit codes, options, what it costs, and that `verify` knows nothing of it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from _altered import CT, changed, moved, signed, written
from pki import member, part10, small

from dicomseal import sign_file
from dicomseal.signature.items import encode

DATA = Path(__file__).parents[1] / "data" / "dcmsign"


def objects():
    """Objects of every verdict, each with options."""
    name = {0x00100010: b"Doe^Jane"}
    twice = part10(encode([*CT[:6], CT[5], *CT[6:]]))
    unsigned = changed({0x00281052: ("DS", b"0 "), 0x00281053: ("DS", b"1 ")})
    return {
        "intact": (signed(CT), ()),
        "altered": (moved(signed(CT), changed(name)), ()),
        "padded": (moved(signed(changed({0x00100010: b"Doe^John  "})), CT), ()),
        "unsigned": (small(), ()),
        "unsigned and required": (small(), ("--require", "signature")),
        "unreadable": (b"no DICOM" * 99, ()),
        "a tag twice": (twice, ()),
        "unsigned content": (moved(signed(CT), unsigned), ()),
        "accepted content": (moved(signed(CT), unsigned), ("--unsigned", "accept")),
        "other key": (signed(CT, "other"), ()),
        "expired": (signed(CT, "expired"), ()),
        "without MAC ID": (written("rsa", lambda data, own: data + own, mac_id=None), ()),
        "old form": ((DATA / "jpeg-legacy.dcm").read_bytes(), ()),
        "old form, accepted": (
            (DATA / "jpeg-legacy.dcm").read_bytes(), ("--accept-legacy-format",),
        ),
    }  # fmt: skip


OBJECTS = objects()


@pytest.fixture
def path(tmp_path):
    member("root").write(tmp_path)
    return tmp_path / "it.dcm"


def both(run, path, data, *options):
    """What `verify` and `explain` say of the same object."""
    path.write_bytes(data)
    given = (path, "--trust", path.parent / "root.cert.pem", *options, "--format", "json")
    return run("verify", *given), run("explain", *given)


@pytest.mark.parametrize("name", OBJECTS)
def test_never_a_better_verdict_than_verify(run, path, name):
    """Nor a worse one: every field of the report is the same, and the exit code."""
    (code, said, _), (other, told, _) = both(run, path, *OBJECTS[name][:1], *OBJECTS[name][1])
    assert other == code
    report, explained = json.loads(said), json.loads(told)
    for one in (report, explained):
        for signature in one["signatures"]:
            signature.pop("judged_at")  # the time of validation
    for ours, theirs in zip(explained["signatures"], report["signatures"], strict=True):
        assert {key: ours[key] for key in theirs} == theirs
    explained["signatures"] = report["signatures"]
    causes = [cause for one in json.loads(told)["signatures"] for cause in one["causes"]]
    if not any(cause["certainty"] == "proven" for cause in causes):
        assert explained["remedy"] == report["remedy"]
    explained["remedy"] = report["remedy"]
    assert {key: explained[key] for key in report} == report


def test_the_table_has_every_verdict(run, path):
    verdicts = set()
    for data, options in OBJECTS.values():
        (code, said, _), _ = both(run, path, data, *options)
        verdicts.add((json.loads(said)["verdict"], code))
    assert verdicts == {
        ("passed", 0), ("failed", 1), ("indeterminate", 3), ("unsigned", 0), ("error", 4),
    }  # fmt: skip


def test_one_of_several(run, path):
    twice = io.BytesIO()
    sign_file(signed(CT, uid="1.2.3"), twice, *member("ec").pair, uid="1.2.4")
    path.write_bytes(twice.getvalue())
    code, out, _ = run("explain", path, "--uid", "1.2.4", "--integrity-only")
    assert code == 0
    assert "Signature 1: 1.2.4" in out
    assert "1.2.3" not in out
    code, out, err = run("explain", path, "--uid", "1.2.5")
    assert (code, "no signature has the UID 1.2.5" in err) == (2, True)


def test_the_list(run, path):
    """Each element with its place: the stream of the export has it there."""
    path.write_bytes(signed(CT))
    folder = path.parent / "evidence"
    code, out, _ = run("explain", path, "--list", "--integrity-only", "--export", folder)
    stream = (folder / "stream.bin").read_bytes()
    place = out.splitlines().index(
        next(line for line in out.splitlines() if "(0010,0010) PatientName" in line)
    )
    offset, size, vr, length, *_ = out.splitlines()[place].split()
    assert (code, vr, length) == (0, "PN", "8")
    assert '"Doe^John"' in out.splitlines()[place + 1]
    assert stream[int(offset) :][: int(size)] == encode([(0x00100010, "PN", b"Doe^John")])


def test_places_in_the_stream_follow_one_another(run, path):
    """For sequences, fragments, and every form of a file."""
    files = ["sr.dcm", "jpeg.dcm", "rtplan-implicit.dcm", "rtplan-big-endian.dcm", "private.dcm"]
    for file in files:
        folder = path.parent / file.partition(".")[0]
        code, out, _ = run(
            "explain", DATA / file, "--integrity-only", "--format", "json", "--export", folder
        )
        assert code == 0, file
        (one,) = json.loads(out)["signatures"]
        end = 0
        for element in one["covers"]:
            assert element["offset"] == end, file
            end += element["bytes"]
        own = int(one["steps"][2]["message"].split(" and ")[1].split()[0])
        assert (folder / "stream.bin").stat().st_size == end + own, file
        assert len(one["covers"]) == one["signed_elements"]


def test_standard_input_and_output(path):
    member("root").write(path.parent)
    command = [sys.executable, "-m", "dicomseal", "explain", "-", "--integrity-only"]
    done = subprocess.run(command, input=signed(CT), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"passed        -\n")
    assert b"\x1b" not in done.stdout  # colour is for terminals


def test_output_to_a_file(run, path):
    path.write_bytes(signed(CT))
    target = path.parent / "told.html"
    args = ("explain", path, "--format", "html", "--output", target, "--integrity-only")
    assert run(*args) == (0, "", "")
    assert target.read_bytes().startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("given", ["hashes", "hashes=-1", "hours=1", "seconds=1e3", "=", ""])
def test_an_effort_that_makes_no_sense(run, path, given):
    path.write_bytes(signed(CT))
    code, _, err = run("explain", path, "--effort", given)
    assert (code, "--effort" in err) == (2, True)


def test_no_words_in_colour_unless_on_a_terminal(path):
    """On one there are, and without it the same words."""
    pty = pytest.importorskip("pty")
    path.write_bytes(moved(signed(CT), changed({0x00100010: b"Doe^Jane"})))
    command = [sys.executable, "-m", "dicomseal", "explain", str(path), "--effort", "hashes=5"]
    plain = subprocess.run(command, capture_output=True, text=True).stdout
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        mine, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", **environment}
        if coloured:
            environment.pop("NO_COLOR", None)
        process = subprocess.Popen(command, stdout=theirs, env=environment)
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(mine, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
        process.wait()
        os.close(mine)
        assert (b"\x1b[31m" in seen) == coloured
        assert seen.decode().count("BROKEN") == plain.count("BROKEN") > 0


def test_verify_imports_nothing_of_it(path):
    """Not for a good object, nor for a bad one."""
    for data in (signed(CT), moved(signed(CT), changed({0x00100010: b"Doe^Jane"}))):
        path.write_bytes(data)
        program = (
            "import sys; sys.argv = ['dicomseal', 'verify', sys.argv[1], '--trust', sys.argv[2]]\n"
            "from dicomseal.cli import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "print([n for n in sys.modules if 'explanation' in n or n.startswith('xml')])"
        )
        trusted = path.parent / "root.cert.pem"
        done = subprocess.run(
            [sys.executable, "-c", program, path, trusted], capture_output=True, text=True
        )
        assert done.stdout.endswith("[]\n"), done.stdout + done.stderr


def _seconds(*command):
    """The least processor time of a few runs."""
    resource = pytest.importorskip("resource")
    least = float("inf")
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least


def test_it_costs_at_most_twice_a_cold_verification(path, test_files):
    target = str(path)
    sign_file(os.path.join(test_files, "CT_small.dcm"), target, *member("rsa").pair)
    given = (target, "--trust", str(path.parent / "root.cert.pem"))
    dicomseal = (sys.executable, "-m", "dicomseal")
    verify = _seconds(*dicomseal, "verify", *given)
    assert _seconds(*dicomseal, "explain", *given) <= 2 * verify

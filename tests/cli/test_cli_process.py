"""The command as a process: pipes, full disks, terminals, passwords typed in."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pki
import pytest
from cryptography.hazmat.primitives import serialization as form

from dicomseal import sign_file, verify

LINE = [sys.executable, "-c", "from dicomseal.cli import main; main()"]
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shelf")
    pki.member("rsa").write(folder)
    (folder / "plain.dcm").write_bytes(pki.small())
    sign_file(folder / "plain.dcm", folder / "signed.dcm", *pki.member("rsa").pair)
    (folder / "many").mkdir()
    for number in range(30):
        (folder / "many" / f"{number}.dcm").write_bytes((folder / "signed.dcm").read_bytes())
    locked = pki.key("rsa").private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8,
        form.BestAvailableEncryption(PASSWORD.encode()),
    )  # fmt: skip
    pki.secret(folder / "locked.pem", locked)
    return folder


def shell(shelf, script, **options):
    """Run a script of bash in which ``dicomseal`` is the command."""
    start = f"""dicomseal() {{ '{LINE[0]}' -c '{LINE[2]}' "$@"; }}; """
    done = subprocess.run(
        ["bash", "-c", start + script], cwd=shelf, capture_output=True, text=True, timeout=60,
        check=False, **options,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    return done


def terminal(shelf, *args, answer=None):
    """Run the command under a pseudo terminal: exit code, and all that was shown."""
    pid, descriptor = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it
        os.chdir(shelf)
        os.environ["TERM"] = "xterm"
        os.execv(LINE[0], [*LINE, *args])
    shown = b""
    end = time.monotonic() + 30
    due = float("inf")
    while time.monotonic() < end:
        if answer is not None and time.monotonic() > due:
            # what is typed before the prompt has set up the terminal is flushed: type it again;
            # an interrupt is not, and a second one would hit the end of the program
            os.write(descriptor, answer)
            due = time.monotonic() + 2 if answer != b"\x03" else end
        if not select.select([descriptor], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(descriptor, 4096)
        except OSError:  # the other side has gone
            break
        if not piece:
            break
        shown += piece
        if due == float("inf") and b"password" in shown:
            due = time.monotonic() + 0.3
    os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    text = shown.decode()
    assert "Traceback" not in text
    return os.waitstatus_to_exitcode(status), text


@pytest.mark.parametrize(
    "line",
    ["verify many", "verify --format json many", "verify --format jsonl many many many",
     "dump signed.dcm", "dump --raw signed.dcm"],
)  # fmt: skip
def test_a_reader_that_goes_away(shelf, line):
    done = shell(shelf, f"dicomseal {line} | head -c 1; s=${{PIPESTATUS[0]}}; echo; echo $s")
    assert done.stderr == ""
    # 141 as SIGPIPE has it, or the command's own code if all of it had fit into the pipe
    assert done.stdout.splitlines()[-1] in ("141", "3" if "verify" in line else "0")


def test_a_reader_that_was_never_there(shelf):
    """A code of 1 would say that something failed."""
    done = shell(shelf, "dicomseal verify many | true; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.parametrize("line", ["verify signed.dcm", "dump signed.dcm", "dump --raw signed.dcm"])
def test_a_full_disk(shelf, line):
    done = shell(shelf, f"dicomseal {line} > /dev/full")
    assert done.returncode == 4
    assert done.stderr == "dicomseal: No space left on device\n"


def test_no_progress_in_a_pipe(shelf):
    done = shell(shelf, "dicomseal verify many")
    assert (done.returncode, done.stderr) == (3, "")
    assert "\x1b" not in done.stdout


def test_progress_on_a_terminal(shelf):
    code, shown = terminal(shelf, "verify", "many")
    assert code == 3
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown)
    assert re.search(r"verifying .*100 ?%.*0 s left", plain), plain
    assert re.search(r"30 of 30 files  [\d,]+ files/s  0\.00 GB  [\d,]+ MB/s", plain), plain
    assert "30 objects: 30 indeterminate" in shown
    code, shown = terminal(shelf, "verify", "signed.dcm")
    assert (code, "verifying" in shown) == (3, False)


def test_progress_of_several_signings(shelf, tmp_path):
    line = ("sign", "plain.dcm", "gone", "--key", "rsa.key.pem", "--cert", "rsa.cert.pem")
    code, shown = terminal(shelf, *line, "--target", str(tmp_path))
    assert (code, os.listdir(tmp_path)) == (1, ["plain.dcm"])
    for said in ("signing", "2 of 2 files", "gone: No such file", "1 signed, 1 not", "2.25."):
        assert said in shown
    assert "\x1b" not in shell(shelf, f"dicomseal {' '.join(line)} --target {tmp_path}/x").stderr


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [(PASSWORD.encode() + b"\n", 0, "2.25."), (b"wrong\n", 1, "the password is wrong"),
     (b"\x03", 130, "interrupted"), (b"\x04", 130, "interrupted")],
)  # fmt: skip
def test_a_password_that_is_typed_in(shelf, tmp_path, answer, code, said):
    target = str(tmp_path / "out.dcm")
    found, shown = terminal(
        shelf, "sign", "plain.dcm", target, "--key", "locked.pem", "--cert", "rsa.cert.pem",
        answer=answer,
    )  # fmt: skip
    assert "password of locked.pem" in shown
    assert found == code, shown
    assert said in shown
    assert PASSWORD not in shown
    assert os.path.exists(target) == (code == 0)
    if code == 0:
        assert verify(target, integrity_only=True).verdict == "passed"


def test_demo_leaves_nothing(shelf, tmp_path):
    done = shell(shelf, "dicomseal demo", env={**os.environ, "TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "6 objects: 5 passed, 1 failed"
    assert os.listdir(tmp_path) == []


def test_keys_through_a_pipe(shelf, tmp_path):
    done = shell(
        shelf, f"dicomseal sign plain.dcm {tmp_path}/x --key <(cat rsa.key.pem) --cert rsa.cert.pem"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_several_processes(shelf):
    one = shell(shelf, "dicomseal verify --format jsonl many")
    two = shell(shelf, "dicomseal verify --format jsonl --jobs 2 many")
    assert (one.stdout, one.returncode, one.stderr) == (two.stdout, two.returncode, two.stderr)

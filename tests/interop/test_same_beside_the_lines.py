"""dicomseal-dcmsign beside the real one: what needs more than a command line."""

from __future__ import annotations

import fcntl
import os
import subprocess
import termios
from pathlib import Path
from typing import Any

import _command_lines as table
import pytest
from _dcmtk import find
from _kitchen import Kitchen
from _same_outcome import OURS, both, dumped, ours, real, verify

import dicomseal
from dicomseal import dcmsign

pytestmark = pytest.mark.peer


def test_dcmsign_never_ends(
    kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any
) -> None:
    line = ["+ra", "signatures-un.dcm", "out.dcm"]
    kitchen.copy(line, work / "w")
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([kitchen.program, *line], cwd=work / "w", capture_output=True, timeout=1)
    mine = ours(line, work / "w", capsysbinary, monkeypatch)
    assert (mine.code, mine.dumps) == (0, {"out.dcm": dumped(work / "w" / "signatures-un.dcm")})


def test_a_fresh_signature_west_of_greenwich(
    kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any
) -> None:
    """dcmsign rejects what it has just signed; its own zone makes no difference when it looks."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    kitchen.issue("fresh", rsa.generate_private_key(65537, 2048), days=0)
    sign = ["+s", "fresh.key", "fresh.crt", "+m2", "in.dcm", "out.dcm"]
    kitchen.copy(sign, work / "w")
    west = "America/New_York"
    outcome = real(kitchen, sign, work / "w", tz=west)
    assert outcome.code == 0
    (work / "w" / "ca.pem").write_bytes(kitchen.read("ca.pem"))
    check = ["+cf", "ca.pem", "out.dcm"]
    assert [real(kitchen, check, work / "w", tz=tz).code for tz in (west, "UTC")] == [101, 101]
    monkeypatch.setenv("TZ", west)
    mine = ours(check, work / "w", capsysbinary, monkeypatch)
    assert (mine.code, mine.verdicts) == (0, [True])


def test_what_is_said_otherwise(
    kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any
) -> None:
    """The name of a transfer syntax of compressed Pixel Data; here it is the UID."""
    line = "-v +cf ca.pem jpg-signed.dcm"
    theirs, mine = both(kitchen, line, work, capsysbinary, monkeypatch)
    assert theirs[:3] == mine[:3]
    only = (
        [t for t in theirs.said if t not in mine.said],
        [t for t in mine.said if t not in theirs.said],
    )
    what = "I:   MAC calculation xfer syntax : "
    assert only == ([f"{what}=JPEG Baseline"], [f"{what}1.2.840.10008.1.2.4.50"])


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("{S} +pr sr.dcm out.dcm", True),
        ("{S} +pr +sp 1 sr.dcm out.dcm", False),
        ("+cf ca.pem +rs unverified-all.dcm", True),
        ("+cf ca.pem +rs verified-sr.dcm", True),
        ("+cf ca.pem +rs unverified-sr.dcm", False),
        ("+cf ca.pem +rs verified-srv.dcm", False),
        ("+cf ca.pem +rs signed.dcm", False),
    ],
)
def test_what_is_not_by_the_standard_is_said(
    text: str, warned: bool, kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any
) -> None:
    """C.4 wants a purpose and a verifier's signature; dcmsign wants neither."""
    arguments = kitchen.line(table.full(text))
    kitchen.copy(arguments, work / "w")
    monkeypatch.chdir(work / "w")
    assert dcmsign.run(arguments) == (102 if "signed" in text else 0)
    assert (b"PS3.15 C.4" in capsysbinary.readouterr().err) == warned
    if warned and "+rs" in text:
        report = verify(arguments[-1], integrity_only=True, require="sr")
        assert report.verdict == "failed"


def test_private_elements_are_left_out_and_named(
    kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any
) -> None:
    """Of an implicit VR object: dcmsign signs what its dictionary knows, and says nothing."""
    line = kitchen.line(table.full("{S} private-implicit.dcm out.dcm"))
    kitchen.copy(line, work / "w")
    monkeypatch.chdir(work / "w")
    assert dcmsign.run(line) == 0
    assert b"(0029,1008)" in capsysbinary.readouterr().err
    report = dicomseal.verify("out.dcm", integrity_only=True, unsigned="accept")
    assert report.signatures[0].unsigned_elements == 1


def test_a_signature_in_the_syntax_of_ge(kitchen: Kitchen, work: Path) -> None:
    """dcmsign hashes implicit VR there, and names that syntax in the MAC Parameters."""
    line = ["+s", "key.pem", "cert.pem", "+m2", "+d", "dump", "ge.dcm", "out.dcm"]
    kitchen.copy(line, work / "w")
    assert real(kitchen, line, work / "w").code == 0
    assert bytes.fromhex("1000100008000000") in (work / "w" / "dump").read_bytes()  # no VR
    subprocess.run([find("dcmconv"), "+te", work / "w/out.dcm", work / "w/te.dcm"], check=True)
    report = verify(work / "w" / "te.dcm", integrity_only=True)
    assert (report.verdict, report.signatures[0].integrity) == ("indeterminate", "unverifiable")
    assert "1.2.840.113619.5.2 is not known" in report.signatures[0].integrity_reason.message


def test_p521_signatures_of_an_odd_length(kitchen: Kitchen, work: Path) -> None:
    """Not for the curve: what it does not take off is the padding of an odd length."""
    for parity, code in (("odd", 101), ("even", 0)):
        line = ["+cf", "ca.pem", f"p521-{parity}.dcm"]
        kitchen.copy(line, work / parity)
        assert real(kitchen, line, work / parity).code == code
        assert verify(work / parity / line[-1], integrity_only=True).verdict == "passed"


def typed(line: list[str], folder: Path, text: bytes) -> int:
    """The exit code of a program that asks a person at a terminal."""
    near, far = os.openpty()
    running = subprocess.Popen(
        line, cwd=folder, stdin=far, stdout=far, stderr=far, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(far)
    shown = b""
    while b"phrase:" not in shown:
        shown += os.read(near, 1000)
    os.write(near, text + b"\n")
    code = running.wait(60)
    os.close(near)
    return code


@pytest.mark.parametrize(("text", "code"), [(b"secret", 0), (b"wrong", 20), (b"", 20)])
def test_a_password_at_a_terminal(text: bytes, code: int, kitchen: Kitchen, work: Path) -> None:
    line = ["+s", "encrypted.pem", "cert.pem", "in.dcm", "out.dcm"]
    kitchen.copy(line, work / "w")
    for program in OURS, [kitchen.program]:
        assert typed([*program, *line], work / "w", text) == code
        assert (work / "w" / "out.dcm").exists() == (code == 0)
        (work / "w" / "out.dcm").unlink(missing_ok=True)


def test_group_lengths(kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any) -> None:
    """Those around a signed item are counted anew."""
    line = kitchen.line("+si key.pem cert.pem BeamSequence[0] group-plan.dcm out.dcm")
    kitchen.copy(line, work / "w")
    assert ours(line, work / "w", capsysbinary, monkeypatch).code == 0
    counted = work / "w" / "counted.dcm"
    subprocess.run([find("dcmconv"), work / "w" / "out.dcm", counted], check=True)
    assert dumped(counted) == dumped(work / "w" / "out.dcm")
    assert any(line.startswith("(300a,0000)") for line in dumped(counted))


def test_a_broken_pipe_is_no_success(kitchen: Kitchen, work: Path) -> None:
    """Both say 40 when the output cannot be written in full."""
    kitchen.copy(["signed.dcm"], work / "w")
    for program in OURS, [kitchen.program]:
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [*program, "+ra", "signed.dcm", "-"], cwd=work / "w", stdout=full,
                stderr=subprocess.PIPE, check=False,
            )  # fmt: skip
        assert done.returncode == 40, (program, done.stderr)

"""dicomseal-dcmsign and the real dcmsign on the same command lines.

Exit code, verdicts, the object written, other files written, and what scripts read of the messages.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import subprocess
import sys
import termios
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import _command_lines as table
import _command_lines_different as different
import pytest
from _dcmtk import find
from _kitchen import Kitchen

import dicomseal
from dicomseal import dcmsign
from dicomseal.dcmsign import options
from dicomseal.dcmsign.exits import Exit

pytestmark = pytest.mark.peer

# what no signature covers is no matter to dcmsign, and here it is the signatures that are compared
verify = partial(dicomseal.verify, unsigned="accept")

OURS = [sys.executable, "-c", "from dicomseal.dcmsign import main; main()"]
DOCUMENT = Path(__file__).parents[2] / "docs" / "dcmsign.md"
# the lines of the messages that must be the same; whatever else is said is in words of our own
SAID = (
    r"error: .*",
    r"I: calling '.*",
    r"W: Signature( #\d+)? UID=.*",
    r"W: +(Signature|Timestamp) Verification +: (OK.*|[^:]*)",
    r"W: +Certified timestamp : absent.*",
    r"W: unable to load .*",
    r"W: no signatures found.*",
    r"[EF]: (no signatures found|No signature in this|signature with UID|unknown attribute tag).*",
    r"[EF]: (No such file or directory: reading|unable to create dump|invalid filename).*",
    r"I: \d+ signatures .*",
    r"I: (open|create|verifying|inserting|removing) .*",
    r"[IW]:   (Location|MAC|Data elements|Signature date|Signature purpose|Certif|Timestamp sig).*",
    r"I:       (\(|X.509|Subject|Issued|Serial|Validity|Public|Policy|Imprint|Nonce|Timestamp).*",
)


class Outcome(NamedTuple):
    """What one of the two programs did."""

    code: int
    verdicts: list[bool]
    dumps: dict[str, Any]
    said: list[str]


@pytest.fixture(scope="session")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return Kitchen(tmp_path_factory.mktemp("kitchen"))


# --- running them --------------------------------------------------------------------------------


def real(
    kitchen: Kitchen, arguments: list[str], folder: Path, given: bytes = b"", tz: str = "UTC"
) -> Outcome:
    done = subprocess.run(
        [kitchen.program, *arguments], cwd=folder, capture_output=True, input=given, timeout=60,
        env=os.environ | {"TZ": tz}, check=False,
    )  # fmt: skip
    return outcome(done.returncode, arguments, folder, done.stdout, done.stderr)


def ours(
    arguments: list[str], folder: Path, capsysbinary: Any, monkeypatch: Any, given: bytes = b""
) -> Outcome:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    capsysbinary.readouterr()
    code = dcmsign.run(arguments)
    assert type(int(code)) is int
    return outcome(int(code), arguments, folder, *capsysbinary.readouterr())


def outcome(code: int, arguments: list[str], folder: Path, out: bytes, err: bytes) -> Outcome:
    if arguments[-1:] == ["-"] and out:
        (folder / "out.dcm").write_bytes(out)
    log = err.decode("latin-1")
    found = re.findall(r"^W: +Signature Verification +: (.*)", log, re.MULTILINE)
    verdicts = [text.strip() == "OK" for text in found]
    return Outcome(code, verdicts, outputs(folder, "+si" in arguments), said(log))


def said(log: str) -> list[str]:
    lines = []
    for line in log.splitlines():
        match = next((m for m in (re.match(p, line) for p in SAID) if m), None)
        if match:
            lines.append(re.sub(r"calling '[^']*'", "calling", match[0]).rstrip())
    return lines


def outputs(folder: Path, item: bool) -> dict[str, Any]:
    """What was written: objects as dcmdump shows them, the stream, timestamp files."""
    found: dict[str, Any] = {}
    for name in ("out.dcm", "signed.dcm"):
        if (folder / name).exists():
            found[name] = dumped(folder / name, item)
    if (folder / "u").exists():  # dcmsign puts File Meta Information before the one element
        found["u"] = [text[:12] for text in dumped(folder / "u") if text.startswith("(0400")]
    if (folder / "dump").exists():
        # what follows is the signature's own item, whose UID and time are new each time
        stream = (folder / "dump").read_bytes()
        found["dump"], _, own = stream.rpartition(b"\x00\x04\x05\x00US")
        found["own"] = own[:4], b"\x00\x04\x10\x01CS" in own
    if (folder / "q").exists():
        found["q"] = query(folder / "q")
    return found


def dumped(path: Path, item: bool = False) -> list[str]:
    done = subprocess.run(
        [find("dcmdump"), "-q", "+L", "+R", "400", str(path)], capture_output=True, text=True,
        errors="replace", check=False,
    )  # fmt: skip
    if done.returncode:
        return ["not DICOM"]
    lines = []
    for line in done.stdout.splitlines():
        if re.match(r"\(0002,00(00|12|13|16)\)|\(0002,0003\)", line):
            continue  # each program names itself; and the UID file has one of its own
        shown = re.sub(r"#[^#]*$", "", line).rstrip()  # lengths follow from the values
        if re.match(r" +\(0400,(0100|0105|0120)\)", shown):
            shown = shown[: shown.index("(") + 14]
        if item and re.match(r"\([^,]*,0000\)", shown):
            shown = shown[:14]  # UIDs of other lengths in it; test_group_lengths looks at it
        lines.append(shown)
    return lines


def query(path: Path) -> list[str]:
    done = subprocess.run(
        [find("openssl"), "ts", "-query", "-in", str(path), "-text"], capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    shown = [line for line in done.stdout.splitlines() if not line.startswith("    ")]
    return [re.sub(r"0x[0-9A-F]+", "(a number)", line) for line in shown]


def both(
    kitchen: Kitchen, text: str, work: Path, capsysbinary: Any, monkeypatch: Any
) -> list[Outcome]:
    arguments, given = kitchen.line(text), kitchen.input(text)
    for name in ("theirs", "ours"):
        kitchen.copy(arguments, work / name)
    return [
        real(kitchen, arguments, work / "theirs", given),
        ours(arguments, work / "ours", capsysbinary, monkeypatch, given),
    ]


# --- the lines -----------------------------------------------------------------------------------


def test_there_are_enough(kitchen: Kitchen) -> None:
    """Lines that are no usage errors; and a file that is missing by mistake makes both agree."""
    assert len(table.SAME) == len(set(table.SAME)) >= 150
    assert not set(table.SAME) & set(table.USAGE)
    words = {w for text in (*table.SAME, *different.DIFFERENT) for w in text.split()}
    files = {w.lstrip("@") for w in words if re.fullmatch(r"@?[\w-]+\.[a-z]\w*", w)}
    absent = {name for name in files if not (kitchen.folder / name).exists()}
    assert absent == {"out.dcm", "nothing.dcm"}


@pytest.mark.parametrize("text", table.SAME)
def test_same(text: str, kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any) -> None:
    theirs, mine = both(kitchen, text, work, capsysbinary, monkeypatch)
    assert mine == theirs
    assert mine.code != 1
    if mine.code == 0 and "out.dcm" in text and "+s" in text:
        report = verify(work / "ours" / "out.dcm", integrity_only=True)
        lost = "+ra" in text or "became-un" in text  # an element of the first signature became UN
        assert report.verdict == "passed" or lost, report.sentence()


@pytest.mark.parametrize("text", table.USAGE)
def test_usage(
    text: str, kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any
) -> None:
    """Command lines that make no sense: both say what is wrong, in the same words."""
    theirs, mine = both(kitchen, text, work, capsysbinary, monkeypatch)
    assert mine == theirs
    assert mine.code == 1
    assert mine.said


@pytest.mark.parametrize("text", different.DIFFERENT)
def test_different(
    text: str, kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any
) -> None:
    """Deliberate differences: both programs do what the document says, and it names them."""
    theirs, mine = both(kitchen, table.full(text), work, capsysbinary, monkeypatch)
    *codes, reason = different.DIFFERENT[text]
    assert [theirs.code, mine.code] == codes
    assert theirs[:3] != mine[:3]
    assert any(reason in row for row in rows()), reason


def rows() -> list[str]:
    """The first cells of the table of differences between the two commands."""
    text = DOCUMENT.read_text("utf-8").split("## The same options", 1)[1].split("###")[0]
    cells = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
    return cells[cells.index("| case") + 2 :]


def test_every_row_of_the_document_is_held_true() -> None:
    reasons = {reason for *_, reason in different.DIFFERENT.values()} | set(different.ELSEWHERE)
    assert [row for row in rows() if not any(reason in row for reason in reasons)] == []
    for where in different.ELSEWHERE.values():
        file, name = where.split("::")
        assert f"def {name}(" in (Path(__file__).parent / file).read_text("utf-8")


# --- options -------------------------------------------------------------------------------------


def test_options_are_the_same(kitchen: Kitchen) -> None:
    """Every option of its help, and no other, with as many values."""
    done = subprocess.run([kitchen.program, "--help"], capture_output=True, text=True, check=True)
    theirs = set(re.findall(r"^ +(?:([+-]\S+) +)?(--[a-z0-9-]+)(?: |$)", done.stdout, re.MULTILINE))
    assert len(theirs) > 80
    assert {(o.short, o.long) for o in options.ALL} == theirs
    # all in a row: a value too many would be a parameter, one too few would swallow an option
    for pick in ("long", "short"):
        line = [w for o in options.ALL if not o.exclusive and getattr(o, pick)
                for w in (getattr(o, pick), *["x"] * o.values)]  # fmt: skip
        done = subprocess.run([kitchen.program, *line], capture_output=True, text=True, check=False)
        assert "error: Missing parameter dcmfile-in" in done.stderr


def test_purposes_are_the_same(kitchen: Kitchen, capsys: Any) -> None:
    done = subprocess.run([kitchen.program, "+lp"], capture_output=True, text=True, check=True)
    assert dcmsign.run(["+lp"]) == 0
    listed = [
        re.findall(r"^ +\d+: .*", text, re.MULTILINE)
        for text in (done.stdout, capsys.readouterr().out)
    ]
    assert len(listed[0]) == 18
    assert listed[0] == listed[1]


# --- what needs more than a command line ---------------------------------------------------------


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


# --- exit codes ----------------------------------------------------------------------------------

REACHED = {
    0: "+cf ca.pem signed.dcm", 20: "nothing.dcm", 21: '""', 30: "{S} -tf nothing in.dcm out.dcm",
    31: "+t nothing r.tsr u.uid signed.dcm out.dcm",
    32: "+t q.tsq nothing u.uid signed.dcm out.dcm",
    33: "+t q.tsq r.tsr nothing stamp-me.dcm out.dcm", 40: "{S} in.dcm nothing/out.dcm",
    46: "{S} +d nothing/dump in.dcm out.dcm", 83: "+ra no-mac-id.dcm out.dcm",
    84: "+r 1.2.3 signed.dcm out.dcm", 85: "{S} -t 0010,9998 in.dcm out.dcm",
    86: "{S} -tf bad-tags.txt in.dcm out.dcm", 87: "+t other.tsq r.tsr u.uid stamp-me.dcm out.dcm",
    100: "+rg in.dcm", 101: "+cf ca.pem altered.dcm", 102: "+rc subset.dcm",
}  # fmt: skip
NEVER = {5, 80, 81, 82}


@pytest.mark.parametrize("code", REACHED)
def test_exit_codes(
    code: int, kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any
) -> None:
    text = table.full(REACHED[code])
    assert text in table.SAME
    theirs, mine = both(kitchen, text, work, capsysbinary, monkeypatch)
    assert (theirs.code, mine.code) == (code, code)


def test_every_exit_code_is_reached_or_said_to_be_never() -> None:
    assert {int(e) for e in Exit} | {5} == set(REACHED) | NEVER | {1}

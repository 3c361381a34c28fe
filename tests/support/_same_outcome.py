"""What dicomseal-dcmsign and the real dcmsign do with one command line, to be compared."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from _dcmtk import find
from _kitchen import Kitchen

import dicomseal
from dicomseal import dcmsign

# what no signature covers is no matter to dcmsign, and here it is the signatures that are compared
verify = partial(dicomseal.verify, unsigned="accept")

OURS = [sys.executable, "-c", "from dicomseal.dcmsign import main; main()"]
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

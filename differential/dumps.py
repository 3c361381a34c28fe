"""What dcmdump shows of many files, asked in one call."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

SECONDS = 60
_FILE = re.compile(rb"^# dcmdump \((\d+)/\d+\): ", re.MULTILINE)
_ELEMENT = re.compile(
    r"^( *)\(([0-9a-f]{4}),([0-9a-f]{4})\) (\S\S) (.*) # *(?:\d+|u/l), *\d+ [^#]*$"
)
_SIGNING = ("4FFE0001", "FFFAFFFA")


def environment() -> dict[str, str]:
    """Where Debian's dictionaries are; without them names and sequences are not known."""
    found = [
        p for name in ("dicom", "private") for p in glob.glob(f"/usr/share/libdcmtk*/{name}.dic")
    ]
    return os.environ | ({"DCMDICTPATH": ":".join(found)} if found else {})


def dumped(paths: Sequence[str]) -> list[dict[str, Any]]:
    """An answer for each path, as `readers` gives them.

    Of files on which dcmdump dies or hangs each is asked alone.
    """
    command = [shutil.which("dcmdump") or "dcmdump", "-q", "+F", "-Un", *paths]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=SECONDS, env=environment(), check=False
        )  # fmt: skip
        code, out = done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        code, out = -9, b""
    if code < 0:
        if len(paths) == 1:
            return [{"refused": f"ended with {code}"}]
        middle = len(paths) // 2
        return dumped(paths[:middle]) + dumped(paths[middle:])
    if len(paths) == 1:
        return [_read(out)]
    answers = [{"refused": "not shown"} for _ in paths]
    marks = [*_FILE.finditer(out)]
    for number, mark in enumerate(marks):
        stop = marks[number + 1].start() if number + 1 < len(marks) else len(out)
        answers[int(mark[1]) - 1] = _read(out[mark.start() : stop])
    return answers


def _read(out: bytes) -> dict[str, Any]:
    """What was printed of one file; of a damaged one that is nothing."""
    said = out.decode("utf-8", "replace")
    _, found, body = said.partition("# Dicom-Data-Set\n")
    if not found:
        return {"refused": "not shown"}
    root: dict[str, Any] = {}
    # by depth: the data set or item, and its last sequence, and where its last fragments are shown
    holders: dict[int, dict[str, Any]] = {0: root}
    sequences: dict[int, list[Any]] = {}
    pixels: dict[int, tuple[dict[str, Any], str]] = {}
    for line in body.split("\n"):
        match = _ELEMENT.match(line)
        if not match:
            continue
        depth, tag, vr = len(match[1]), (match[2] + match[3]).upper(), match[4]
        if tag == "FFFEE000" and vr == "na" and depth - 2 in sequences:
            holders[depth + 2] = {}
            sequences[depth - 2].append(holders[depth + 2])
        elif tag == "FFFEE000" and vr == "pi" and depth - 2 in pixels:
            holder, name = pixels[depth - 2]
            holder[name] += f" | {match[5].rstrip()}"
        elif match[2] != "fffe" and depth in holders:
            while tag in holders[depth]:  # a second of its kind: both are shown
                tag += "+"
            if vr == "SQ":
                sequences[depth] = []
            if match[5].startswith("(PixelSequence"):
                pixels[depth] = holders[depth], tag
            holders[depth][tag] = sequences[depth] if vr == "SQ" else _value(match[5])
    for tag in _SIGNING:
        root.pop(tag, None)
    return {"elements": root, "pixels": {}}


def _value(said: str) -> str:
    said = said.rstrip(" ")
    if said == "(no value available)":
        return ""
    return said[1:-1].rstrip(" \0") if said.startswith("[") and said.endswith("]") else said

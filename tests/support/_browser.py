"""A real browser without a window: what it draws, asks the network for, and complains about."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


class Seen(NamedTuple):
    """What was seen of a page.

    Attributes:
        dom: the document after everything has run.
        requests: what the page asked the network for.
        console: what was said on the console, errors and broken policies among them.
        colours: how many pixels of a picture of it have which colour, ``rrggbb``.
    """

    dom: str
    requests: list[str]
    console: list[str]
    colours: dict[str, int]


def look(
    page: Path, height: int = 3000, width: int = 1000, dark: bool = False, query: str = ""
) -> Seen:
    """Open a page in a window of that size, as one who prefers a light or a dark one.

    With a query its scripts have ten seconds of their own.
    """
    if BROWSER is None:
        if os.environ.get("CI"):
            pytest.fail("there is no chromium")
        pytest.skip("there is no chromium")
    log, picture = page.with_suffix(".netlog"), page.with_suffix(".png")
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        f"--user-data-dir={page.with_suffix('.browser')}", "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--window-size={width},{height}", "--hide-scrollbars", "--disable-background-networking",
        "--no-first-run", "--enable-logging=stderr", "--v=0",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
    ]  # fmt: skip
    if query:
        command.append("--virtual-time-budget=10000")
    address = page.as_uri() + query
    done = subprocess.run(
        [*command, f"--log-net-log={log}", "--dump-dom", address],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    said = re.findall(r":CONSOLE[:(]\S+ (.*)", done.stderr.decode("utf-8", "replace"))
    subprocess.run(
        [*command, f"--screenshot={picture}", address],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    return Seen(done.stdout.decode(), _requests(log), said, pixels(picture))


def _requests(log: Path) -> list[str]:
    """What was asked for on behalf of a page: the browser asks its maker for this and that too."""
    content = json.loads(log.read_text())
    started = content["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [one["params"] for one in content["events"]
             if one["type"] == started and "url" in one.get("params", {})]  # fmt: skip
    return [one["url"] for one in asked if one.get("network_isolation_key", "").startswith("file:")]


def pixels(path: Path) -> dict[str, int]:
    """How many pixels of a PNG (8 bits, RGB or RGBA) have which colour."""
    data = path.read_bytes()
    width, height, depth, kind = struct.unpack_from(">IIBB", data, 16)
    assert depth == 8
    size = {2: 3, 6: 4}[kind]
    packed, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += length + 12
    raw, step = zlib.decompress(packed), width * size
    before, counts = bytearray(step), {}
    for y in range(height):
        filtered, line = raw[y * (step + 1)], bytearray(raw[y * (step + 1) + 1 :][:step])
        for x in range(step if filtered else 0):
            a, b = line[x - size] if x >= size else 0, before[x]
            c = before[x - size] if x >= size else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[x] = (line[x] + (0, a, b, (a + b) // 2, paeth)[filtered]) & 255
        for x in range(0, step, size):
            colour = line[x : x + 3].hex()
            counts[colour] = counts.get(colour, 0) + 1
        before = line
    return counts

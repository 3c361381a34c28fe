"""A real browser without a window: what it draws, asks the network for, and complains about.

`look` opens one page; a `Browser` stays, goes to pages of any width, by day, by night and on paper,
and measures where what they say is drawn.
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--disable-background-networking", "--no-first-run",
)  # fmt: skip


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


def _browser() -> str:
    if BROWSER is None:
        if os.environ.get("CI"):
            pytest.fail("there is no chromium")
        pytest.skip("there is no chromium")
    return BROWSER


def look(
    page: Path, height: int = 3000, width: int = 1000, dark: bool = False, query: str = ""
) -> Seen:
    """Open a page in a window of that size, as one who prefers a light or a dark one.

    With a query its scripts have ten seconds of their own.
    """
    log, picture = page.with_suffix(".netlog"), page.with_suffix(".png")
    command = [
        _browser(), *_OPTIONS, f"--user-data-dir={page.with_suffix('.browser')}",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--window-size={width},{height}",
        "--enable-logging=stderr", "--v=0",
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


class Browser:
    """A browser to which one talks by the DevTools protocol, over pipes: JSON, each ended by a NUL.

    Args:
        folder: for its profile.

    Attributes:
        requests: what pages have asked for.
        complaints: errors and broken policies, as the console has them.
    """

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._number = self._width = 0
        self._events: list[dict[str, Any]] = []
        self._rest = b""
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        # the browser reads from 3 and writes to 4
        script = f'exec 3<&{theirs_in} 4>&{theirs_out}; exec "$@"'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, "-", _browser(), *_OPTIONS, "--remote-debugging-pipe",
             f"--user-data-dir={folder / 'browser'}"],
            pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out = ours_in, ours_out
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = ""
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._ask(f"{domain}.enable")

    def close(self) -> None:
        """End it."""
        os.close(self._out)
        self._process.terminate()
        self._process.wait(20)
        os.close(self._in)

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        number = self._number
        asked: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if getattr(self, "_session", ""):
            asked["sessionId"] = self._session
        os.write(self._out, json.dumps(asked).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == number:
                assert "error" not in told, (method, told["error"])
                return told["result"]
            self._note(told)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], 60)
            assert ready, "the browser says nothing"
            data = os.read(self._in, 1 << 20)
            assert data, "the browser has ended"
            self._rest += data
        told, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(told)
        return found

    def _note(self, told: dict[str, Any]) -> None:
        method, parameters = told.get("method", ""), told.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(str(parameters["args"]))
        self._events.append(told)

    def open(self, address: str, width: int, *, dark: bool = False, paper: bool = False) -> None:
        """Go to a page, in a window or on paper so many pixels wide, by day or by night."""
        self._width = width
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=844,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        self._ask(
            "Emulation.setEmulatedMedia", media="print" if paper else "screen",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )  # fmt: skip
        self._events.clear()
        self._ask("Page.navigate", url=address)
        self.wait_for("Page.loadEventFired")

    def wait_for(self, method: str) -> None:
        """Wait until an event has happened since the page was asked for, or was last waited for."""
        while method not in {one.get("method") for one in self._events}:
            self._note(self._next())
        self._events.clear()

    def value(self, script: str) -> Any:
        """Return the value of an expression of JavaScript in the page, whatever its policy is."""
        reply = self._ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    def measured(self) -> dict[str, Any]:
        """Return what is wrong with how the page is drawn: see `_MEASURE`."""
        found: dict[str, Any] = self.value(_MEASURE.replace("WIDTH", str(self._width)))
        return found

    def picture(self, path: Path) -> None:
        """Save the whole page as a PNG."""
        height = self.value("document.documentElement.scrollHeight")
        reply = self._ask(
            "Page.captureScreenshot", captureBeyondViewport=True, format="png",
            clip={"x": 0, "y": 0, "scale": 1, "width": self._width, "height": height},
        )  # fmt: skip
        path.write_bytes(base64.b64decode(reply["data"]))


# texts as they are drawn, line by line: which of them are wider than the page, cut by a box that
# hides what does not fit, over another one, or of too little contrast (WCAG 2, success criterion
# 1.4.3); and graphics that cannot be told from what is behind them (1.4.11)
_MEASURE = r"""
(() => {
  const colour = (text) => (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)];
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const found = colour(getComputedStyle(one).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches
      ? [18, 18, 18] : [255, 255, 255];
  };
  const shown = (element) => element.checkVisibility();
  const wide = [], cut = [], faint = [], lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement, text = node.data.trim();
    if (!text || !shown(parent) || parent.closest("style, title, script")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const style = getComputedStyle(parent);
    const inSvg = parent.namespaceURI.endsWith("svg");
    const ratio = contrast(colour(inSvg ? style.fill : style.color), behind(parent));
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) faint.push([text.slice(0, 60), Math.round(ratio * 100) / 100]);
    for (const box of range.getClientRects()) {
      if (box.width < 1 || box.height < 1) continue;
      if (box.right > WIDTH + 0.5 || box.left < -0.5) wide.push(text.slice(0, 60));
      for (let one = parent; one; one = one.parentElement) {
        if (one === document.documentElement || one === document.body) break;
        const place = one.getBoundingClientRect(), flow = getComputedStyle(one);
        if (flow.overflowX !== "visible"
            && (box.right > place.right + 1 || box.left < place.left - 1)) {
          cut.push(text.slice(0, 60));
        }
      }
      lines.push([box, text, parent]);
    }
  }
  const over = [];
  lines.sort((a, b) => a[0].top - b[0].top);
  for (let i = 0; i < lines.length; i++) {
    for (let j = i + 1; j < lines.length && lines[j][0].top < lines[i][0].bottom - 3; j++) {
      const [a, b] = [lines[i][0], lines[j][0]];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1 && down > 3) over.push([lines[i][1].slice(0, 40), lines[j][1].slice(0, 40)]);
    }
  }
  const dim = [];
  for (const one of document.querySelectorAll("svg rect")) {
    if (!shown(one) || !one.getBoundingClientRect().height) continue;
    const ratio = contrast(colour(getComputedStyle(one).fill), behind(one.parentElement));
    if (ratio < 3) dim.push([one.getAttribute("class"), Math.round(ratio * 100) / 100]);
  }
  return {width: document.documentElement.scrollWidth - WIDTH, wide, cut, over, faint, dim};
})()
"""

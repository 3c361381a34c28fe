"""The HTML of `archive report`, looked at in a real browser."""

from __future__ import annotations

import os
import re

import pytest
from _archive import VERDICTS, VERIFY
from _browser import look

from dicomseal.archive.reports.html import COLOURS

# names of files: markup, a way out of an attribute, text that runs backwards, a line end
HOSTILE = [
    "<b>x&y.dcm",
    "'\"><script>alert(1)<\\script>.dcm",
    "\u202emcd.tac\u2066.dcm",
    "a\nb.dcm",
]
BARS = re.compile(r'<rect [^>]*?width="([\d.]+)" height="([\d.]+)" fill="#(\w+)"')


@pytest.fixture
def page(run, folder):
    data = (folder / "archive/failed.dcm").read_bytes()
    for name in HOSTILE:
        (folder / "archive" / name).write_bytes(data)
    run(*VERIFY)
    code, out, err = run("archive", "report", "ledger.db", "--html", "report.html")
    assert (code, out, err) == (0, "", "")
    return folder / "report.html"


def test_it_needs_nothing_else(page):
    text = page.read_text("utf-8")
    assert not re.search(r"<script|<link|<img|<iframe|src=|href=|url\(|https?:", text)
    assert "<b>x" not in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", text)


def test_the_same_by_format(run, page):
    first = page.read_text("utf-8")
    os.unlink(page)
    for options in (("--output", "report.html"), ()):
        code, out, _ = run("archive", "report", "ledger.db", "--format", "html", *options)
        assert code == 0
        assert (out.encode("latin-1") or page.read_bytes()).decode() == first
    assert run("archive", "report", "ledger.db", "--html", "x", "--format", "json")[0] == 2
    assert run("archive", "report", "ledger.db", "--html", "x", "--output", "y")[0] == 2


def test_in_a_browser(page):
    seen = look(page)
    assert (seen.requests, seen.console) == ([], [])
    assert "<h2>Failures</h2>" in seen.dom
    assert "/archive/&lt;b&gt;x&amp;y.dcm</td>" in seen.dom
    assert "&gt;&lt;script&gt;alert(1)" in seen.dom
    assert "/archive/\\u202emcd.tac\\u2066.dcm</td>" in seen.dom
    assert "/archive/a\\nb.dcm</td>" in seen.dom
    # every bar of every plot is drawn, as large as the file says, and in its colour
    drawn = {}
    for width, height, colour in BARS.findall(seen.dom):
        drawn[colour] = drawn.get(colour, 0) + float(width) * float(height)
    assert len(drawn) == len(VERDICTS) + 1
    longest = max(VERDICTS.values()) + len(HOSTILE) - 1
    assert drawn[COLOURS["failed"][1:]] == 440 * 18
    assert drawn[COLOURS["passed"][1:]] == pytest.approx(440 * 18 * 2 / longest, rel=0.01)
    scale = seen.colours[COLOURS["failed"][1:]] / drawn[COLOURS["failed"][1:]]
    assert 1 < scale < 1.5  # 800 units are stretched to the width of the page
    for colour, size in drawn.items():
        assert seen.colours.get(colour, 0) == pytest.approx(size * scale, rel=0.08), colour


def test_what_the_browser_would_notice(tmp_path):
    """The looking itself: a page that asks the network, complains, and draws nothing."""
    page = tmp_path / "page.html"
    page.write_text(
        '<img src="http://192.0.2.1/x.png"><link rel="stylesheet" href="https://example.org/a.css">'
        '<script>console.error("oops")</script>'
    )
    seen = look(page, 500)
    assert sorted(seen.requests) == ["http://192.0.2.1/x.png", "https://example.org/a.css"]
    assert "oops" in seen.console[0]
    policy = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
    page.write_text(policy + page.read_text())
    seen = look(page, 500)
    assert seen.requests == []
    assert any("Content Security Policy" in line for line in seen.console)
    assert seen.colours["ffffff"] > 400_000

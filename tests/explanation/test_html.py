"""The page of `explain --format html`, looked at in a real browser, on a phone and on a desk."""

from __future__ import annotations

import html
import re

import pytest
from _altered import CT, changed, explained, moved, signed
from _browser import look

from dicomseal.explanation.html import render

WIDTHS = (390, 1280)
# markup, a way out of an attribute, text that runs backwards, a command to a terminal
HOSTILE = "<b>x&y</b>'\"><script>alert(1)</script>\u202egnp.\u2066 \x1b[31mred\x07"
NAME = 0x00100010
PAGE, DARK = "ffffff", "0d1117"  # the background, light and dark


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A signature that does not match, of an object with a hostile name, with all elements."""
    hostile = HOSTILE.encode() + b" " * (len(HOSTILE.encode()) % 2)
    utf8 = {0x00080005: b"ISO_IR 192", 0x00081030: b"plain "}
    data = moved(signed(changed({**utf8, NAME: hostile + b"  "})), changed({**utf8, NAME: hostile}))
    explanation = explained(data, with_values=True)
    assert explanation.signatures[0].causes
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_bytes(render(explanation.at(HOSTILE.replace("/", ":") + ".dcm")))
    return path


def test_it_needs_nothing_else(page):
    text = page.read_text("utf-8")
    assert not re.search(r"<script|<link|<img|<iframe|src=|href=|url\(|https?:", text)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f]", text)
    assert text.count("&lt;script&gt;alert(1)&lt;") >= 2  # the file's name, and the patient's
    assert "\\u202egnp.\\u2066 \\x1b[31mred\\x07" in text


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_in_a_browser(page, width, dark):
    seen = look(page, 2000, width, dark)
    assert (seen.requests, seen.console) == ([], [])
    for word in ("VALUE_PADDING, proven", "computed now: ", "What to do: "):
        assert word in seen.dom
    assert "<b>x" not in seen.dom
    background, other = (DARK, PAGE) if dark else (PAGE, DARK)
    assert seen.colours.get(background, 0) > 20_000
    assert seen.colours.get(other, 0) < seen.colours[background] / 20


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(page, width, tmp_path):
    """Measured in a frame of that width; so is a page that is too wide, for the measure itself."""
    text = page.read_text("utf-8").replace("<details>", '<details open="open">')
    wide = f'<p style="width:{width + 50}px">too wide</p>'
    measure = tmp_path / "measure.html"
    measure.write_text(
        f'<iframe width="{width}" height="9000" srcdoc="{html.escape(text)}"></iframe>'
        f'<iframe width="{width}" height="90" srcdoc="{html.escape(wide)}"></iframe><p id="m"></p>'
        "<script>window.onload = () => { m.textContent = 'widths ' + [...document.querySelectorAll("
        "'iframe')].map(f => f.contentDocument.documentElement.scrollWidth).join(' ') }</script>"
    )
    found = re.search(r"widths (\d+) (\d+)", look(measure, 500, width).dom)
    shown, too_wide = map(int, found.groups())
    assert shown <= width
    assert too_wide > width


def test_an_intact_one(tmp_path):
    path = tmp_path / "page.html"
    path.write_bytes(render(explained(signed(CT))))
    seen = look(path, 1500, 390)
    assert (seen.requests, seen.console) == ([], [])
    assert "Why it does not match" not in seen.dom
    assert "passed" in seen.dom

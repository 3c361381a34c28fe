"""The site: it is built without a warning, names no other host, and works in a browser, offline."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from _browser import look

from dicomseal import cli

ROOT = Path(__file__).parents[2]
# links that a reader may follow by a click, and nothing that a page loads
MAY_BE_FOLLOWED = {"a"}
PARTS = ("docs/index", "docs/how-it-works", "docs/site/api", "docs/site/commands/dicomseal-verify")


def built(kind: str, folder: Path) -> Path:
    target = folder / kind
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--conf-dir", "docs",
         "--builder", kind, "--doctree-dir", folder / "doctrees", ".", target],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return target


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    for name in ("sphinx", "myst_parser", "furo"):
        if importlib.util.find_spec(name) is None:
            message = f"{name} is not installed: pip install -r requirements/docs.txt"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def site(folder) -> Path:
    return built("html", folder)


class Links(HTMLParser):
    """Every address in a page, with the element that it stands in."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href", "action", "data", "poster", "srcset", "content") and value:
                self.found.append((tag, value))
            elif name == "style" and value:
                self.found += [(tag, one) for one in re.findall(r"url\(['\"]?([^)'\"]+)", value)]
            if name == "id":
                self.anchors.add(value)


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_no_page_loads_anything_from_another_host(site):
    assert len(pages(site)) > 30
    for page in pages(site):
        for tag, address in Links(page).found:
            if tag not in MAY_BE_FOLLOWED:
                assert not re.match(r"(\w+:)?//", address), (page, tag, address)
    # what style sheets and scripts of the pages load
    for file in [*site.rglob("*.css"), *site.rglob("*.js")]:
        text = file.read_text("utf-8")
        loaded = re.findall(r"@import\s+['\"]?([^;'\"]+)|url\(['\"]?((?:\w+:)?//[^)'\"]+)", text)
        assert loaded == [], file
    assert not [one for one in site.rglob("*") if one.suffix in (".woff", ".woff2", ".ttf")]


def test_what_may_be_followed_is_the_standard_or_a_program_that_is_named(site):
    """Hosts that documents link to; an address that comes in by chance is seen here."""
    hosts = {
        urlsplit(address).hostname
        for page in pages(site)
        for _, address in Links(page).found
        if re.match(r"https?://", address)
    }
    assert hosts <= {"dicom.nema.org", "support.dcmtk.org"}, hosts


def test_every_link_has_its_target(site):
    """Between the pages, to files, and to a place in a page."""
    seen = {page: Links(page) for page in pages(site)}
    checked = 0
    for page, links in seen.items():
        for _, address in links.found:
            split = urlsplit(address)
            if split.scheme or split.netloc or address.startswith("data:") or " " in address:
                continue
            path = (page.parent / unquote(split.path)).resolve() if split.path else page
            if split.path and not re.search(r"\.\w+$", split.path):
                continue  # the content of a <meta>, and no address
            assert path.exists(), (page, address)
            if split.fragment and path in seen:
                assert unquote(split.fragment) in seen[path].anchors, (page, address)
            checked += 1
    assert checked > 1000


def test_every_document_is_in_the_contents(site):
    """A page that no list has is found by nobody."""
    listed = Links(site / "docs" / "index.html").found
    listed = {(site / "docs" / address).resolve() for tag, address in listed if tag == "a"}
    for name in (ROOT / "docs").glob("*.md"):
        assert site / "docs" / f"{name.stem}.html" in listed | {site / "docs" / "index.html"}, name


def test_every_command_has_a_page(site):
    text = (site / "docs" / "site" / "commands" / "index.html").read_text("utf-8")
    for name in cli._COMMANDS:
        assert f'href="dicomseal-{name}.html"' in text, name
        page = (site / "docs" / "site" / "commands" / f"dicomseal-{name}.html").read_text("utf-8")
        assert f"dicomseal {name} " in page


def test_every_public_name_is_in_the_reference(site):
    import dicomseal

    text = (site / "docs" / "site" / "api.html").read_text("utf-8")
    anchors = set(re.findall(r'id="([\w.]+)"', text))
    named = {name for name in dicomseal.__all__ if name[:1] != "_"}
    named -= {"ALLOW_WEAK", "canonical", "profiles", "purposes", "requirements"}  # own parts
    assert {f"dicomseal.{name}" for name in named} - anchors == set()


@pytest.mark.parametrize(
    ("part", "width"), [*((part, 1280) for part in PARTS), *((part, 390) for part in PARTS[:2])]
)
def test_in_a_browser(site, part, width):
    seen = look(site / f"{part}.html", 800, width, query="?")
    assert seen.console == []
    assert [one for one in seen.requests if not one.startswith("file:")] == []
    assert "dicomseal" in seen.dom
    assert len(seen.colours) > 20  # it was drawn: text with smooth edges
    assert seen.colours.get("ffffff", 0) < sum(seen.colours.values())


def test_search_offline(site):
    """By a word of a document, without a server and without a network."""
    seen = look(site / "search.html", 800, query="?q=coerces")
    assert seen.console == []
    found = re.findall(
        r'<a href="([^"]+)"[^>]*>', seen.dom[seen.dom.index('id="search-results"') :]
    )
    assert any("workflow" in address for address in found), found
    assert [one for one in seen.requests if not one.startswith("file:")] == []


def test_the_first_page_leads_to_the_index(site):
    (target,) = re.findall(r"url=([^\"]+)", (site / "index.html").read_text("utf-8"))
    assert (site / target).exists()


def test_man_pages(folder):
    man = built("man", folder)
    for name in (*cli._COMMANDS, "dcmsign"):
        text = (man / f"dicomseal-{name}.1").read_text("utf-8")
        assert text.count(".SH") >= 2, name
    if shutil.which("man"):
        done = subprocess.run(
            ["man", "-l", man / "dicomseal-verify.1"], capture_output=True, text=True,
            env={**os.environ, "MANPAGER": "cat", "MANWIDTH": "80"},
        )  # fmt: skip
        assert done.returncode == 0
        assert "--trust" in done.stdout

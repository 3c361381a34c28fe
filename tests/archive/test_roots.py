"""Roots of an archive: one more kind is one more class, and the place that chooses it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from _archive import rows

from dicomseal.archive.errors import NothingSelectedError, StoreLostError
from dicomseal.archive.find import roots, sample, walk
from dicomseal.archive.find.ahead import ReadAhead, Reading
from dicomseal.archive.find.found import EMPTY_FOLDER, Found
from dicomseal.archive.find.list_root import ListRoot
from dicomseal.archive.find.root import Fetched, Root
from dicomseal.archive.find.store_root import StoreRoot
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.estimate import countable
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.archive.run.sign_archive import sign
from dicomseal.errors import SourceError, UsageError
from dicomseal.verification.options import Options


class Shelf(Root):
    """Objects by their names, as a root of its own."""

    objects: dict[str, bytes] = {}  # noqa: RUF012
    is_forkable = False
    is_countable = False

    @property
    def place(self):
        return f"{self.name}/"

    def check(self):
        if self.name == "shelf://nobody":
            raise StoreLostError(f"{self.name}: nobody answers")

    def find(self, walk):
        found = [one for one in self.objects.items() if one[0].startswith(self.place)]
        yield from (Found(name, len(data), 7) for name, data in found)
        if not found:
            yield Found(self.name, trouble=(EMPTY_FOLDER, "nothing on it"), whole=True)

    @staticmethod
    def fetch(file, buffer, windows):
        data = Shelf.objects[file.path]
        if data:
            return Fetched(memoryview(data), len(data), 8)
        return Fetched(SourceError("was taken away", "not_found"))


@pytest.fixture
def shelf(folder, monkeypatch):
    kind_of = roots.kind_of
    chosen = lambda path: Shelf if path.startswith("shelf://") else kind_of(path)  # noqa: E731
    monkeypatch.setattr(roots, "kind_of", chosen)
    passed = (folder / "archive/a/passed.dcm").read_bytes()
    failed = (folder / "archive/failed.dcm").read_bytes()
    monkeypatch.setattr(
        Shelf, "objects",
        {"shelf://one/a": passed, "shelf://one/b": failed, "shelf://one/c": b"",
         "shelf://two/a": passed},
    )  # fmt: skip
    return folder


def verified(*names, **selection):
    asked = RunRequest(selection=Selection(roots=names, **selection))
    with ThreadPoolExecutor(1) as executor:
        outcome = runs.verify(
            "ledger.db", asked, Options(integrity_only=True), executor=executor, count=True
        )
    return outcome.totals.verdicts


def test_a_run_over_another_kind_of_root(shelf):
    local = os.path.abspath("archive/a/passed.dcm")
    assert verified("shelf://one", local) == {"passed": 2, "failed": 1, "error": 1}
    found = {row.path: (row.verdict, row.reason, row.mtime) for row in rows()}
    assert found.pop(local)[0] == "passed"
    assert found["shelf://one/a"] == ("passed", "", 8)
    assert found["shelf://one/b"][0] == "failed"
    assert found["shelf://one/c"] == ("error", "not_found", 7)


def test_the_kind_of_a_file_is_asked_for_once(shelf, monkeypatch):
    """Of a path alone it is told which class it belongs to, for each of very many files."""
    asked, kind_of = [], roots.kind_of
    monkeypatch.setattr(roots, "kind_of", lambda path: asked.append(path) or kind_of(path))
    files = [Found(path, 8) for path in ("shelf://one/a", os.path.abspath("archive/failed.dcm"))]
    ahead = ReadAhead(Reading(ahead=0))
    assert {type(one.source) for _, one in ahead.each(files)} == {memoryview}  # by a thread
    assert asked == [file.path for file in files]


def test_what_a_selection_says_of_it(shelf):
    assert verified("shelf://three") == {"error": 1}
    assert [(row.path, row.reason) for row in rows()] == [("shelf://three", "empty_folder")]
    with pytest.raises(NothingSelectedError, match="shelf://one: nothing is selected"):
        verified("shelf://one", include=("x",))
    found = list(walk.find_files(["shelf://one"]))
    names = ["shelf://one", "shelf://two"]
    again = [Found(file.path.replace("one", "four"), file.size) for file in found]
    drawn = {one.path[-1] for one in sample.drawn(found, 0.5, "s", False, names)}
    assert drawn == {one.path[-1] for one in sample.drawn(again, 0.5, "s", False, ["shelf://four"])}
    assert not countable(names)


def test_what_it_refuses(shelf):
    with pytest.raises(UsageError, match="shelf://one/a lies within shelf://one"):
        verified("shelf://one", "shelf://one/a")
    with pytest.raises(StoreLostError, match="nobody answers"):
        verified("shelf://nobody")
    (shelf / "list").write_text("shelf://one/a\n")
    with pytest.raises(UsageError, match="a list names files"):
        verified("@list")
    with pytest.raises(UsageError, match="verified only"):
        sign("l.db", Selection(roots=("shelf://one",)), "rsa.key.pem", "rsa.cert.pem")


def test_names_of_roots(folder):
    """As the selection of a run keeps them, wherever the process works."""
    said = {"archive": os.path.abspath("archive"), "@list": f"@{os.path.abspath('list')}", "-": "-",
            "s3://bucket/p/": "s3://bucket/p/", "x://y": os.path.abspath("x://y")}  # fmt: skip
    for name, whole in said.items():
        root = roots.root_of(name)
        assert (root.name, roots.root_of(root.name).name) == (whole, whole)
    assert isinstance(roots.root_of("-"), ListRoot)
    assert isinstance(roots.root_of("gs://bucket"), StoreRoot)
    with pytest.raises(UsageError, match="name a bucket"):
        roots.root_of("s3://").place  # noqa: B018

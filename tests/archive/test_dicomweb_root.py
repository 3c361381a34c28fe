"""`archive verify dicomweb+http://…`: what a server lists, or has to be asked for at once."""

from __future__ import annotations

import os

import _dicomweb
import pki
import pytest
from _archive import rows

from dicomseal import sign_file
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.dicomweb import client, retrieve

pytest.importorskip("httpx")
STUDY = "2.25.1"
SERIES = "2.25.2", "2.25.3"
VERDICTS = ("passed", "failed", "unsigned", "error")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A study of 12 objects, of four kinds, in two series."""
    with _dicomweb.asked(tmp_path, monkeypatch) as server:
        for number in range(12):
            uids = STUDY, SERIES[number % 2], f"2.25.{100 - number}"
            server.objects[uids] = content(uids, VERDICTS[number % 4])
        yield server


def content(uids, verdict, *more):
    data = pki.small(elements=_dicomweb.elements(*uids, *more))
    if verdict == "unsigned":
        return data
    with open("object.dcm", "wb") as file:
        file.write(data)
    sign_file("object.dcm", "object.dcm", *pki.member("rsa").pair)
    with open("object.dcm", "rb") as file:
        data = file.read()
    if verdict == "error":
        return data[:-9]
    return data.replace(b"John", b"Jane") if verdict == "failed" else data


def verify(run, *roots, more=()):
    return run(
        "archive", "verify", *roots, "--ledger", "ledger.db", "--trust", "root.cert.pem", *more
    )


def recorded():
    with Ledger("ledger.db") as ledger:
        assert audit(ledger).intact
    return {row.path: (row.verdict, row.reason) for row in rows()}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_study(run, server, monkeypatch, jobs):
    """Every instance by its own address, page by page, once, in the order of the UIDs."""
    monkeypatch.setattr(retrieve, "_PAGE", 5)
    code, out, err = verify(run, server.name(STUDY), more=("--jobs", jobs))
    assert (code, err) == (1, "")
    assert "12 files" in out
    found = recorded()
    assert {name: verdict for name, (verdict, _) in found.items()} == {
        server.name(*uids): VERDICTS[n % 4] for n, uids in enumerate(server.objects)
    }
    retrieved = [path for path, _ in server.asked if path.count("/instances/")]
    assert len(retrieved) == len(set(retrieved)) == 12
    assert [row.size for row in rows() if row.verdict == "unsigned"] == [
        len(content((STUDY, SERIES[0], "2.25.98"), "unsigned"))
    ] * 3


def test_a_large_object_is_read_from_a_file_without_a_name(run, server, tmp_path, monkeypatch):
    """More than is kept in memory; what was altered in it is found as well."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    pixels = (0x7FE00010, "OW", os.urandom(9 << 20))
    good = content((STUDY, SERIES[0], "2.25.300"), "passed", pixels)
    bad = bytearray(content((STUDY, SERIES[0], "2.25.301"), "passed", pixels))
    bad[5 << 20] ^= 1
    server.objects = {
        (STUDY, SERIES[0], "2.25.300"): good, (STUDY, SERIES[0], "2.25.301"): bytes(bad),
    }  # fmt: skip
    verify(run, server.name(STUDY))
    assert [verdict for verdict, _ in recorded().values()] == ["passed", "failed"]
    assert [row.size for row in rows()] == [len(good), len(bad)]
    left = [one for one in os.listdir(tmp_path / "temporary") if "etilqs" not in one]
    assert left == []


def test_a_series_an_instance_and_a_folder(run, server, tmp_path):
    uids = next(iter(server.objects))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.dcm").write_bytes(server.objects[uids])
    code, _, _ = verify(run, server.name(STUDY, SERIES[1]), server.name(*uids), "folder")
    assert code == 1
    assert len(recorded()) == 6 + 1 + 1
    code, _, err = verify(run, server.name(STUDY), server.name(STUDY, SERIES[1]))
    assert (code, "lies within" in err) == (2, True)


@pytest.mark.parametrize("heeds_offset", [True, False])
@pytest.mark.parametrize("page", [5, 1 << 30])
def test_servers_that_page_as_they_like(run, server, page, heeds_offset):
    """Fewer than were asked for, or all of them whatever is asked for."""
    server.page, server.heeds_offset = page, heeds_offset
    verify(run, server.name(STUDY))
    assert len(recorded()) == (12 if heeds_offset or page > 12 else page)


def test_a_server_that_does_not_search(run, server):
    """It is asked for all at once to learn which there are; what cannot be told is an error."""
    server.searches = False
    code, _, _ = verify(run, server.name(STUDY))
    found = recorded()
    assert code == 1
    assert [found[server.name(*uids)][0] for n, uids in enumerate(server.objects) if n % 4 < 3] == [
        "passed", "failed", "unsigned",
    ] * 3  # fmt: skip
    assert sorted(name for name in found if "#" in name) == sorted(
        f"{server.name(STUDY)}#{number}" for number in (4, 8, 12)
    )


def test_a_server_that_goes_stops_the_run(run, server):
    """What is recorded stays, and is not asked for again."""
    server.serves = 40
    for number in range(40):
        uids = STUDY, SERIES[0], f"2.25.2{number:03}"
        server.objects[uids] = content(uids, "unsigned")
    # one after the other: the first batch is done before the server goes
    code, _, err = verify(run, server.name(STUDY), more=("--jobs", "1", "--read-ahead", "0"))
    assert (code, "does not answer" in err, "--resume" in err) == (4, True, True)
    before = len(recorded())
    assert 0 < before < 52
    server.serves = None
    server.asked.clear()
    assert verify(run, server.name(STUDY), more=("--resume",))[0] == 1
    assert len(recorded()) == 52
    assert len([path for path, _ in server.asked if "/instances/" in path]) == 52 - before


def test_a_server_that_is_not_there(run, server):
    server.server_close()
    code, _, err = verify(run, server.name(STUDY))
    assert (code, "does not answer" in err) == (4, True)
    assert not os.path.exists("ledger.db")


def test_an_instance_that_vanished_and_one_that_was_exchanged(run, server):
    uids = sorted(server.objects)
    good = next(data for n, data in enumerate(server.objects.values()) if n % 4 == 0)
    where = [server.name(*one).removeprefix(server.url) for one in uids[:3]]
    server.instead[where[0]] = [(404, {}, b"")]
    related = {"Content-Type": _dicomweb.RELATED}
    server.instead[where[1]] = [(200, related, _dicomweb.multipart([good]))]
    server.instead[where[2]] = [(200, related, _dicomweb.multipart([server.objects[uids[2]]] * 2))]
    verify(run, server.name(STUDY))
    found = recorded()
    assert [found[server.name(*one)][1] for one in uids[:3]] == [
        "not_found", "other_object", "other_object",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [(401, b"", 4), (200, b"<html>", 4), (200, b"[{}]", 4), (200, b"[1]", 4), (200, b"[]", 4),
     (200, b'[{"00080018": {"Value": ["2.25.1"]}, "0020000E": {"Value": ["../../x"]}}]', 4)],
)  # fmt: skip
def test_lists_that_are_none(run, server, status, body, code):
    server.instead[f"/studies/{STUDY}/instances"] = [(status, {}, body)]
    assert verify(run, server.name(STUDY))[0] == code
    if body == b"[]":
        assert recorded() == {server.name(STUDY): ("error", "empty_folder")}


def test_nothing_is_asked_unless_named(run, server, monkeypatch):
    """Not even httpx is imported for a folder."""
    monkeypatch.setattr(client, "answer", None)
    with open("a.dcm", "wb") as file:
        file.write(pki.small())
    assert verify(run, "a.dcm")[0] == 0
    assert server.asked == []

"""Archives in object stores: what is found there, and large objects."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import _s3
import msgspec
import pki
import pytest
from _buckets import command, fill, found, make, rows

from dicomseal import TrustStore
from dicomseal.archive.find import object_stores, walk
from dicomseal.archive.find.ahead import ReadAhead, Reading
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.files.reader import SNAPSHOT
from dicomseal.verification.options import Options
from dicomseal.verification.verifier import verify_with

pytestmark = pytest.mark.skipif(_s3.SKIP, reason="there is no obstore, or no moto")
ODD = "a b/ä+%2F&=\\'.dcm"

READS = ReadAhead(Reading()).reads


# --- what is found -------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_same_as_from_a_folder(run, server, bucket, tmp_path, signed, large, jobs):
    """Every verdict; small objects and a large one; nothing but paths and times differs."""
    contents = {
        "ct/passed.dcm": signed, "ct/failed.dcm": signed.replace(b"Doe^John", b"Doe^Jane"),
        "unsigned.dcm": pki.small(), "error.dcm": signed[:-9], "notes.txt": b"no DICOM" * 20,
        "empty": b"", ODD: signed, "large/passed.dcm": large[0], "large/failed.dcm": large[1],
    }  # fmt: skip
    for key, data in contents.items():
        (tmp_path / "archive" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "archive" / key).write_bytes(data)
        server.put(bucket, f"a/{key}", data)
    server.put(bucket, "ab/other", b"")
    server.put(bucket, "a/placeholder/", b"")
    now = ("--at", datetime.now(UTC).isoformat())
    code, out, err = run(*command("archive"), *now)
    assert (code, err) == (1, "")
    local = rows()
    code, out, err = run(*command(f"s3://{bucket}/a"), "--jobs", str(jobs), *now)
    assert (code, err) == (1, "")
    assert "10 files" in out
    stored = rows()
    assert stored.pop(f"s3://{bucket}/a/placeholder").verdict == "not_dicom"
    for key in contents:
        one, other = local[str(tmp_path / "archive" / key)], stored[f"s3://{bucket}/a/{key}"]
        assert msgspec.structs.asdict(one) | {"path": "", "time": 0, "mtime": 0} == (
            msgspec.structs.asdict(other) | {"path": "", "time": 0, "mtime": 0}
        )
        assert abs(other.mtime / 1e9 - time.time()) < 600
    assert len(stored) == len(contents)


def test_500_objects(run, server, bucket, signed):
    expected = fill(server, bucket, signed)
    code, out, err = run(*command(f"s3://{bucket}"), "--jobs", "2")
    assert (code, err) == (0, "")
    assert out.endswith("500 passed\n")
    assert sorted(rows()) == expected
    pages = [one for one in server.log() if one["path"] == "?"]
    assert len(pages) >= 6  # one to look whether it is there, and five of 100
    assert len(server.log()) - len(pages) == 500


def test_requests_that_take_long(run, server, bucket, signed):
    """Several are under way at once, and as many as was said."""
    expected = fill(server, bucket, signed, 60)
    at_once = {}
    for ahead in ("0", "4", "auto"):
        server.faults({"path": ".dcm", "wait": 0.1})
        code, _, err = run(*command(f"s3://{bucket}"), "--read-ahead", ahead)
        assert (code, err) == (0, "")
        assert sorted(rows()) == expected
        at_once[ahead] = max(one.get("waiting", 0) for one in server.log())
    assert at_once["0"] == 1
    assert 2 <= at_once["4"] <= 4
    assert at_once["auto"] > 4


def test_selection(server, bucket, signed):
    """Sizes and times are those of the listing."""
    expected = fill(server, bucket, signed, 140)

    def chosen(rate=None, **selection):
        asked = RunRequest(selection=Selection(roots=(f"s3://{bucket}/p",), **selection))
        runs.verify("ledger.db", asked, Options(), max_rate=rate,
                    executor=lambda: ThreadPoolExecutor(2))  # fmt: skip
        return sorted(rows())

    assert chosen(include=("00*.dcm", "*/6/*")) == [
        one for one in expected if "/00" in one or "/6/" in one
    ]
    assert chosen(modified_before=time.time() - 86400) == []
    assert chosen(modified_before=time.time() + 86400) == expected
    drawn = chosen(share=0.1, seed="x")
    assert 2 < len(drawn) < 40
    assert chosen(share=0.1, seed="x") == drawn
    strata = chosen(share=0.01, stratify=True)
    assert sorted(one.split("/")[4] for one in strata) == list("0123456")
    start = time.monotonic()
    chosen(rate=80 * len(signed), include=("*/0/*", "*/1/*", "*/2/*", "*/3/*"))
    assert time.monotonic() - start > 0.9


def test_roots(server, bucket, signed, monkeypatch):
    server.put(bucket, "p/1.dcm", signed)
    server.put(bucket, "p1", signed)
    one = f"s3://{bucket}/p/1.dcm"
    assert found(f"s3://{bucket}") == [one, f"s3://{bucket}/p1"]
    assert found(f"s3://{bucket}/p/") == found(f"s3://{bucket}/p") == found(one) == [one]
    (nothing,) = walk.find_files([f"s3://{bucket}/nothing"])
    assert nothing.trouble == ("empty_folder", "no object's key begins so")


@pytest.mark.parametrize(
    ("roots", "said"),
    [
        (("s3://",), "name a bucket"),
        (("s3://key:secret@bucket/p",), "credentials come from the environment"),
        (("s3://bucket/a", "s3://bucket/a/b"), "lies within s3://bucket/a"),
        (("@list.txt",), "a list names files"),
        (("https://bucket/a",), "no such file"),
    ],
)
def test_roots_that_make_no_sense(run, server, tmp_path, roots, said):
    (tmp_path / "list.txt").write_text("s3://bucket/key\n")
    code, _, err = run(*command(*roots))
    assert (code, said in err, "secret" in err) == (2, True, False), err


def test_nothing_of_it_is_imported_for_folders(server, tmp_path):
    (tmp_path / "unsigned.dcm").write_bytes(pki.small())
    program = (
        "import sys; from dicomseal import cli\n"
        "try: cli.main()\n"
        "finally: print([one for one in sys.modules if one.startswith('obstore')])"
    )
    done = subprocess.run([sys.executable, "-c", program, *command("unsigned.dcm")],
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout.endswith("1 unsigned\n[]\n"), done
    assert server.log() == []


def test_without_the_extra(run, server, monkeypatch):
    for name in ("obstore", "obstore.store", "obstore.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    code, _, err = run(*command("s3://bucket"))
    assert (code, "pip install dicomseal[archive]" in err) == (2, True)


def test_gs(run, server, bucket, signed, monkeypatch):
    """Google's API for listing and reading is S3's; where it differs nothing is checked here."""
    server.put(bucket, "p/1.dcm", signed)
    monkeypatch.setenv("GOOGLE_BASE_URL", server.url)
    monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "x")
    code, _, err = run(*command(f"gs://{bucket}/p"))
    assert (code, err, list(rows())) == (0, "", [f"gs://{bucket}/p/1.dcm"])


# --- large objects -------------------------------------------------------------------------------


def test_a_large_object_is_read_in_ranges(server, bucket, large):
    size = len(large[0])
    assert size > SNAPSHOT
    server.put(bucket, "large", large[0])
    fetched = object_stores.fetch(f"s3://{bucket}/large", READS)
    assert fetched.size == size == len(large[0])
    trust = TrustStore([pki.member("root").certificate])
    assert verify_with(fetched.source, Options(trust=trust)).verdict == "passed"
    log = server.log()
    ranges = [tuple(map(int, one["range"][6:].split("-"))) for one in log if one["range"]]
    assert len(ranges) >= 4
    assert max(last - first for first, last in ranges) < object_stores.MAX_RANGE
    assert sum(last - first for first, last in ranges) < size + (2 << 20)
    assert len({one["if_match"] for one in log if one["range"]}) == 1
    assert all(one["if_match"] for one in log if one["range"])


MEMORY = """
import resource, sys
from dicomseal.archive.find import object_stores
from dicomseal.archive.find.ahead import ReadAhead, Reading
from dicomseal.verification.options import Options
from dicomseal.verification.verifier import verify_with
reads = ReadAhead(Reading()).reads
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
assert verify_with(object_stores.fetch(sys.argv[1], reads).source, Options()).signatures
before = most()
report = verify_with(object_stores.fetch(sys.argv[2], reads).source, Options())
assert report.signatures[0].integrity == "intact", report
print(most() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux counts it")
def test_a_large_object_costs_no_memory(server, bucket, signed, tmp_path):
    pixels = (0x7FE00010, "OW", bytes(48 << 20))
    server.put(bucket, "large", make(tmp_path, pki.small(elements=[*pki.SMALL[:-1], pixels])))
    server.put(bucket, "small", signed)
    urls = [f"s3://{bucket}/small", f"s3://{bucket}/large"]
    done = subprocess.run([sys.executable, "-c", MEMORY, *urls], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 30 << 20


def replaced(large, **more):
    """Replace it by the altered one before the last range of the second reading of it."""
    return {"put": base64.b64encode(large[1]).decode(), "times": 1, **more}


@pytest.mark.parametrize("heeds", [True, False])
def test_replaced_between_two_ranges(run, server, bucket, large, heeds):
    """What was altered was read before, so without a check it would pass."""
    server.put(bucket, "large", large[0])
    assert run(*command(f"s3://{bucket}"))[0] == 0
    count = sum(one["path"] != "?" for one in server.log())
    faults = [{**replaced(large), "path": "/large", "at": count}]
    if not heeds:  # there are stores that do not know If-Match
        faults.append({"path": "/large", "drop": "HTTP_IF_MATCH"})
    server.faults(*faults)
    assert run(*command(f"s3://{bucket}"))[0] == 4
    (row,) = rows().values()
    assert (row.verdict, row.reason) == ("error", "changed")
    assert row.sentence == "was replaced in the store while it was read; try again"


def test_no_etag_no_ranges(run, server, bucket, large):
    server.put(bucket, "large", large[0])
    server.faults({"path": "/large", "hide": "ETag"})
    assert run(*command(f"s3://{bucket}"))[0] == 4
    (row,) = rows().values()
    assert (row.verdict, "no ETag" in row.sentence) == ("error", True), row.sentence

"""`archive verify s3://…` against an S3 server on loopback, and with what can go wrong there."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context

import _s3
import msgspec
import pki
import pytest

from dicomseal import TrustStore, sign_file
from dicomseal.archive.errors import LostError
from dicomseal.archive.find import object_stores, walk
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.errors import LedgerError
from dicomseal.files.reader import SNAPSHOT
from dicomseal.verification.options import Options
from dicomseal.verification.verifier import verify_with

pytestmark = pytest.mark.skipif(_s3.SKIP, reason="there is no obstore, or no moto")
ODD = "a b/ä+%2F&=\\'.dcm"


@pytest.fixture(scope="module")
def running():
    with _s3.running() as server:
        yield server


@pytest.fixture
def server(running, tmp_path, monkeypatch):
    """The server, and the environment and folder to use it."""
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    pki.member("root").write(tmp_path)
    running.faults()
    object_stores._made.cache_clear()
    object_stores._anybody_there.cache_clear()
    object_stores._lost.clear()
    return running


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    return make(tmp_path_factory.mktemp("signed"), pki.small())


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """9 MB, signed; and the same with one byte of the first megabyte changed."""
    pixels = (0x7FE00010, "OW", os.urandom(9 << 20))
    good = make(tmp_path_factory.mktemp("large"), pki.small(elements=[*pki.SMALL[:-1], pixels]))
    bad = bytearray(good)
    bad[1 << 20] ^= 1
    return good, bytes(bad)


def make(folder, data):
    path = folder / "object.dcm"
    path.write_bytes(data)
    sign_file(path, path, *pki.member("rsa").pair)
    return path.read_bytes()


_names = iter(range(1000))


@pytest.fixture
def bucket(server):
    name = f"bucket{next(_names)}"
    server.put(name)
    return name


def rows(path="ledger.db"):
    with Ledger(path) as ledger:
        assert audit(ledger).intact
        return {row.path: row for row in ledger.rows(*ledger.span(ledger.find().number))}


def command(*roots):
    return "archive", "verify", *roots, "--ledger", "ledger.db", "--trust", "root.cert.pem"


def found(url):
    return [file.path for file in walk.find_files([url]) if file.trouble is None]


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


def fill(server, bucket, data, count=500):
    for number in range(count):
        server.put(bucket, f"p/{number % 7}/{number:03}.dcm", data)
    return sorted(f"s3://{bucket}/p/{n % 7}/{n:03}.dcm" for n in range(count))


def test_500_objects(run, server, bucket, signed):
    expected = fill(server, bucket, signed)
    code, out, err = run(*command(f"s3://{bucket}"), "--jobs", "2")
    assert (code, err) == (0, "")
    assert out.endswith("500 passed\n")
    assert sorted(rows()) == expected
    pages = [one for one in server.log() if one["path"] == "?"]
    assert len(pages) >= 6  # one to look whether it is there, and five of 100
    assert len(server.log()) - len(pages) == 500


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
    assert len(large[0]) > SNAPSHOT
    server.put(bucket, "large", large[0])
    source, size, _ = object_stores.fetch(f"s3://{bucket}/large")
    assert size == len(large[0])
    trust = TrustStore([pki.member("root").certificate])
    assert verify_with(source, Options(trust=trust)).verdict == "passed"
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
from dicomseal.verification.options import Options
from dicomseal.verification.verifier import verify_with
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
assert verify_with(object_stores.fetch(sys.argv[1]).source, Options()).signatures
before = most()
report = verify_with(object_stores.fetch(sys.argv[2]).source, Options())
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


# --- what goes wrong -----------------------------------------------------------------------------


def test_for_the_moment(run, server, bucket, signed, large):
    """Busy, or a connection that breaks in the middle: the client asks again."""
    server.put(bucket, "small", signed)
    server.put(bucket, "large", large[0])
    server.faults(
        {"path": "?", "status": 503, "times": 1}, {"path": "/small", "status": 503, "times": 2},
        {"path": "/large", "at": 3, "times": 2, "cut": 1000},
    )  # fmt: skip
    assert run(*command(f"s3://{bucket}"))[0] == 0
    assert len(rows()) == 2
    assert sum(one["path"].endswith("/small") for one in server.log()) == 3


def test_one_object_and_no_other(run, server, bucket, signed):
    for name in ("denied", "gone", "broken", "grown", "good"):
        server.put(bucket, name, signed)
    larger = signed + bytes(1000)
    server.faults(
        {"path": "/denied", "status": 403, "code": "AccessDenied"},
        {"path": "/gone", "delete": True, "times": 1},
        {"path": "/broken", "status": 400, "code": "InvalidObjectState"},
        {"path": "/grown", "put": base64.b64encode(larger).decode(), "times": 1},
    )
    code, _, err = run(*command(f"s3://{bucket}"))
    assert (code, err) == (4, "")
    told = {path.rpartition("/")[2]: row for path, row in rows().items()}
    assert {name: (row.verdict, row.reason) for name, row in told.items()} == {
        "denied": ("error", "permission"), "gone": ("error", "not_found"),
        "broken": ("error", "unreadable"), "grown": ("passed", ""), "good": ("passed", ""),
    }  # fmt: skip
    assert told["denied"].sentence == "as asked (AccessDenied)"
    assert told["gone"].sentence == "The specified key does not exist. (NoSuchKey)"
    assert told["broken"].sentence == "as asked (InvalidObjectState)"
    assert told["grown"].size == len(larger)


def refused(server):
    with _s3.running() as other:
        return other.url


@pytest.mark.parametrize("what", ["missing", "denied", "refused", "https"])
def test_a_store_that_does_not_let_us_in(run, server, bucket, monkeypatch, what):
    """Each a sentence, and no run is begun."""
    url = f"s3://{bucket}/p"
    if what == "missing":
        url, said = "s3://there-is-none/p", "The specified bucket does not exist (NoSuchBucket)"
    elif what == "denied":
        server.faults({"path": "?", "status": 403, "code": "AccessDenied"})
        said = "as asked (AccessDenied)"
    elif what == "refused":
        monkeypatch.setenv("AWS_ENDPOINT_URL", refused(server))
        said = "Connection refused"
    else:  # http is never used in place of https
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.replace("http:", "https:"))
        said = "error sending request"
    code, out, err = run(*command(url))
    assert (code, out) == (4, "")
    assert err.startswith(f"dicomseal: {url}: ")
    assert said in err
    assert "resume" not in err
    assert len(err) < 250
    assert not os.path.exists("ledger.db")
    if what == "https":
        assert server.log() == []
        assert object_stores._store("s3", bucket).client_options is None


def test_a_store_that_goes_in_the_middle(server, signed, monkeypatch):
    """The run stops, nothing is said of what was not read, and it is resumed when it is back."""
    with _s3.running() as other:
        for name, value in other.environment.items():
            monkeypatch.setenv(name, value)
        other.put("archive")
        expected = fill(other, "archive", signed, 300)
        rate = str(300 * len(signed) / 2e6)
        arguments = [sys.executable, "-m", "dicomseal", *command("s3://archive"), "--jobs", "2"]
        child = subprocess.Popen([*arguments, "--max-rate", rate], stdout=-1, stderr=-1, text=True)
        while not rows_if_any():
            assert child.poll() is None, child.communicate()
            time.sleep(0.05)
        other.kill()
        out, err = child.communicate(timeout=120)
    assert (child.returncode, out) == (4, "")
    assert err.startswith("dicomseal: s3://archive")
    assert "Connection refused" in err
    assert err.endswith("; --resume continues from here\n")
    before = rows()
    assert 0 < len(before) < 300
    assert {row.verdict for row in before.values()} == {"passed"}
    with _s3.running(other.port) as again:
        again.put("archive")
        fill(again, "archive", signed, 300)
        done = subprocess.run([*arguments, "--resume"], capture_output=True, text=True)
    assert done.returncode == 0, done
    assert sorted(rows()) == expected
    assert f"{300 - len(before)} files now, {len(before)} before" in done.stdout


def rows_if_any():
    try:
        with Ledger("ledger.db") as ledger:
            return ledger.span(1)[1]
    except LedgerError:  # it is being made
        return 0


@pytest.mark.parametrize("key", ["a//b", "a/../b", "a/./b"])
def test_a_key_that_the_client_cannot_name(server, bucket, signed, key):
    """It stops the run: what comes behind it in the listing would be missing."""
    server.put(bucket, "a/a", signed)
    server.put(bucket, key, signed)
    with pytest.raises(LostError, match=f's3://{bucket}: cannot be listed: .*Path "{key}"'):
        found(f"s3://{bucket}")


def test_a_listing_that_breaks_off(run, server, bucket, signed):
    fill(server, bucket, signed, 150)
    server.faults({"path": "?", "at": 3, "status": 400, "code": "InvalidToken"})
    code, out, err = run(*command(f"s3://{bucket}"))
    assert (code, out) == (4, "")
    assert f"s3://{bucket}: cannot be listed: as asked (InvalidToken); --resume continues" in err
    server.faults()
    code, out, err = run(*command(f"s3://{bucket}"), "--resume")
    assert (code, len(rows())) == (0, 150)


def processes(start):
    return ProcessPoolExecutor(1, get_context(start))


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_forked_workers_are_refused(server, bucket, signed):
    """They would wait for the client's threads, which were not forked."""
    server.put(bucket, "1.dcm", signed)
    asked = RunRequest(selection=Selection(roots=(f"s3://{bucket}",)))
    with pytest.raises(LostError, match="let the executor spawn its processes"):
        runs.verify("ledger.db", asked, Options(), executor=lambda: processes("fork"))
    outcome = runs.verify(
        "ledger.db", asked, Options(), resume=True, executor=lambda: processes("spawn")
    )
    assert outcome.totals.verdicts == {"indeterminate": 1}

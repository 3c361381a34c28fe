"""``az://`` roots, with a stand-in that answers as the REST API of Azure's Blob service does.

No server of Azure's API runs here as moto does for S3's. The stand-in knows List Blobs and Get Blob
(with Range and If-Match), and was written from their description: it shows what is asked for, not
what Azure answers.
"""

from __future__ import annotations

import re
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import _s3
import pki
import pytest

from dicomseal import sign_file
from dicomseal.archive.find import object_stores, walk
from dicomseal.archive.find.ahead import ReadAhead, Reading
from dicomseal.files.reader import SNAPSHOT
from dicomseal.verification.options import Options
from dicomseal.verification.verifier import verify_with

pytestmark = pytest.mark.skipif(_s3.SKIP, reason="there is no obstore")
TIME = "Sat, 21 Nov 2026 10:00:00 GMT"
BLOB = (
    "<Blob><Name>{name}</Name><Properties><Last-Modified>{time}</Last-Modified><Etag>0x8D1</Etag>"
    "<Content-Length>{size}</Content-Length><Content-Type>application/dicom</Content-Type>"
    "<BlobType>BlockBlob</BlobType></Properties></Blob>"
)
LIST = (
    '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="box"><Blobs>{blobs}'
    "</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
)

READS = ReadAhead(Reading()).reads


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


class Container:
    """One container, ``box`` of the account ``acc``; a page of its listing has one blob."""

    def __init__(self, blobs):
        self.blobs, self.asked, self.etag = blobs, [], '"0x8D1"'

    def __call__(self, environ, start):
        path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
        self.asked.append((path, environ.get("HTTP_RANGE"), environ.get("HTTP_IF_MATCH")))
        assert environ["HTTP_AUTHORIZATION"].startswith("SharedKey acc:")
        if "comp=list" in query:
            assert path == "/acc/box"
            names = sorted(self.blobs)
            marker = re.search("marker=([0-9]+)", query)
            number = int(marker[1]) if marker else 0
            name = names[number]
            blob = BLOB.format(name=name, time=TIME, size=len(self.blobs[name]))
            more = number + 1 if number + 1 < len(names) else ""
            return self.answer(start, "200 OK", LIST.format(blobs=blob, next=more).encode())
        data = self.blobs[path.removeprefix("/acc/box/")]
        if environ.get("HTTP_IF_MATCH", self.etag) != self.etag:
            return self.answer(start, "412 Precondition Failed", b"")
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", environ.get("HTTP_RANGE", ""))
        if not wanted:
            return self.answer(start, "200 OK", data)
        first, last = int(wanted[1]), min(int(wanted[2]), len(data) - 1)
        where = ("Content-Range", f"bytes {first}-{last}/{len(data)}")
        return self.answer(start, "206 Partial Content", data[first : last + 1], where)

    def answer(self, start, status, body, *more):
        start(status, [("Content-Length", str(len(body))), ("Last-Modified", TIME),
                       ("ETag", self.etag), *more])  # fmt: skip
        return [body]


@pytest.fixture
def container(tmp_path, monkeypatch):
    path = tmp_path / "object.dcm"
    pixels = (0x7FE00010, "OW", bytes(SNAPSHOT))
    blobs = {}
    for name, elements in (("a/small", pki.SMALL), ("b/large", [*pki.SMALL[:-1], pixels])):
        path.write_bytes(pki.small(elements=elements))
        sign_file(path, path, *pki.member("rsa").pair)
        blobs[name] = path.read_bytes()
    container = Container(blobs)
    with make_server("127.0.0.1", 0, container, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:{server.server_port}/acc")
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "acc")
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "bm90IGEgc2VjcmV0")
        object_stores._made.cache_clear()
        yield container
        server.shutdown()
        thread.join()


def test_az(container):
    found = list(walk.find_files(["az://box"]))
    assert [(one.path, one.size) for one in found] == [
        (f"az://box/{name}", len(data)) for name, data in sorted(container.blobs.items())
    ]
    assert {one.mtime for one in found} == {1795255200 * 10**9}
    for one in found:
        report = verify_with(
            object_stores.fetch(one.path, READS).source, Options(integrity_only=True)
        )
        assert report.verdict == "passed"
    ranges = [(wanted, etag) for _, wanted, etag in container.asked if wanted]
    assert len(ranges) > 3
    assert {etag for _, etag in ranges} == {'"0x8D1"'}


def test_replaced(container):
    source = object_stores.fetch("az://box/b/large", READS).source
    container.etag = '"0x8D2"'
    report = verify_with(source, Options(integrity_only=True))
    assert (report.verdict, report.error.code) == ("error", "changed")

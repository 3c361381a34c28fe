"""Fetching, from a server on this machine: bounded in time and size, cached, only if asked."""

from __future__ import annotations

import http.server
import itertools
import socket
import threading
import time
from datetime import timedelta

import pytest
import trust_pki as pki
from _clock import waits
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import ocsp

from dicomseal import TrustStore
from dicomseal.errors import TrustError
from dicomseal.policy import DEFAULT
from dicomseal.trust import fetching
from dicomseal.trust.fetching import Fetcher

REQUIRE = DEFAULT.but(revocation="require")
FINE_ROOT = pki.crl("root")
NUMBERS = itertools.count()  # certificates are remembered by name


class Server:
    """Answers by path: bytes, or a function of the handler."""

    def __init__(self):
        self.answers, self.asked = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                size = int(self.headers.get("Content-Length") or 0)
                self.body = self.rfile.read(size)
                outer.asked.append((self.command, self.path, self.body))
                answer = outer.answers.get(self.path)
                if callable(answer):
                    answer = answer(self)
                    if answer is None:
                        return
                self.send_response(200 if answer is not None else 404)
                self.send_header("Content-Length", str(len(answer or b"")))
                self.end_headers()
                self.wfile.write(answer or b"")

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def leaf(server, monkeypatch):
    """A certificate that points at the server, for a CRL or for OCSP."""

    def inner(crl="/ca.crl", responder="", base=None):
        extra = []
        base = server.url if base is None else base
        if crl:
            extra.append(pki.crl_at(base + crl))
        if responder:
            extra.append(pki.ocsp_at(base + responder))
        name = f"pointing {next(NUMBERS)}"
        monkeypatch.setitem(pki.TABLE, name, pki.Row("ca", extra=tuple(extra)))
        return name

    return inner


def store(fetcher, policy=REQUIRE, **more):
    return TrustStore(
        pki.certs("root"), pki.certs("ca"), crls=[FINE_ROOT], policy=policy, fetcher=fetcher, **more
    )


def test_no_network_unless_asked(server, leaf, monkeypatch):
    server.answers["/ca.crl"] = pki.crl("ca")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("it uses the network"))
    answer = store(None).judge(pki.cert(leaf(responder="/ocsp")))
    assert (answer.trust, server.asked) == ("untrusted", [])


def test_a_crl(server, leaf):
    server.answers["/ca.crl"] = pki.crl("ca")
    name = leaf()
    trust_store = store(Fetcher())
    for _ in range(3):
        assert trust_store.judge(pki.cert(name)).revocation == "good"
    assert [path for _, path, _ in server.asked] == ["/ca.crl"]
    server.answers["/ca.crl"] = pki.crl("ca", pki.Entry(name))
    assert store(Fetcher()).judge(pki.cert(name)).reason.code == "REVOKED_NO_POE"


def test_ocsp(server, leaf):
    name = leaf(crl="", responder="/ocsp")

    def answer(handler):
        asked = ocsp.load_der_ocsp_request(handler.body)
        assert handler.headers["Content-Type"] == "application/ocsp-request"
        assert asked.serial_number == pki.cert(name).serial_number
        return pki.ocsp(name, states[-1])

    server.answers["/ocsp"] = answer
    states = []
    for state, trust in (("good", "trusted"), ("revoked", "untrusted")):
        states.append(state)
        assert store(Fetcher()).judge(pki.cert(name)).trust == trust
    assert {method for method, *_ in server.asked} == {"POST"}


def test_what_is_at_hand_is_not_fetched(server, leaf):
    trust_store = store(Fetcher())
    trust_store = TrustStore(pki.certs("root"), pki.certs("ca"), crls=[FINE_ROOT, pki.crl("ca")],
                      policy=REQUIRE, fetcher=Fetcher())  # fmt: skip
    assert trust_store.judge(pki.cert(leaf())).revocation == "good"
    assert server.asked == []


def test_only_below_an_anchor(server, leaf):
    """The address is that of an authority one trusts, not of anybody who makes a certificate."""
    trust_store = TrustStore(
        pki.certs("other root"), pki.certs("ca"), policy=REQUIRE, fetcher=Fetcher()
    )
    assert trust_store.judge(pki.cert(leaf())).trust == "untrusted"
    assert server.asked == []


def slow_body(handler):
    handler.send_response(200)
    handler.end_headers()
    drip(handler, b"x")


def slow_headers(handler):
    handler.wfile.write(b"HTTP/1.0 200 OK\r\n")
    drip(handler, b"X-More: x\r\n")


def drip(handler, what):
    try:
        for _ in range(100):
            handler.wfile.write(what)
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        pass


@waits
@pytest.mark.parametrize("answer", [slow_body, slow_headers, lambda _: time.sleep(5)],
                         ids=["body", "headers", "nothing"])  # fmt: skip
def test_time(server, leaf, answer):
    server.answers["/ca.crl"] = answer
    begin = time.monotonic()
    said = store(Fetcher(timeout=0.5)).judge(pki.cert(leaf()))
    assert time.monotonic() - begin < 4.5  # the server goes on for 5 and more
    assert said.reason.code == "TRY_LATER"
    assert "not complete after 0.5 seconds" in said.reason.message or "timed" in said.reason.message


def test_time_that_the_download_notices_first(server, leaf, monkeypatch):
    """Both sides look at the clock; whoever is first says the same."""
    server.answers["/ca.crl"] = slow_body
    fetcher = Fetcher(timeout=0.5)
    monkeypatch.setattr(fetcher, "_get", fetcher._download)
    said = store(fetcher).judge(pki.cert(leaf()))
    assert "/ca.crl: not complete after 0.5 seconds" in said.reason.message


def test_size(server, leaf):
    server.answers["/ca.crl"] = pki.crl("ca")
    size = len(server.answers["/ca.crl"])
    name = leaf()
    assert store(Fetcher(largest_crl=size)).judge(pki.cert(name)).trust == "trusted"
    said = store(Fetcher(largest_crl=size - 1)).judge(pki.cert(name))
    assert f"/ca.crl: larger than {size - 1} bytes" in said.reason.message


def redirect(to):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.end_headers()

    return answer


def busy(_):
    response = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    return response.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(("answer", "said"), [
    (b"<html>", "no CRL: "), (b"", "no CRL: "), (None, "Not Found"),
    (redirect("file:///etc/passwd"), "not allowed"),
    (redirect("ftp://127.0.0.1/x"), "redirected to ftp:"), (redirect("/ca.crl"), "redirect"),
], ids=["HTML", "empty", "none", "to a file", "to FTP", "loop"])  # fmt: skip
def test_bad_answers(server, leaf, answer, said):
    server.answers["/ca.crl"] = answer
    name = leaf()
    for policy, trust in ((REQUIRE, "untrusted"), (DEFAULT, "trusted")):
        trust_store = store(Fetcher(), policy).judge(pki.cert(name))
        assert trust_store.trust == trust
        told = trust_store.reason.message if trust_store.reason else " ".join(trust_store.messages)
        assert "/ca.crl: " in told and said in told


def test_a_busy_responder(server, leaf):
    server.answers["/ocsp"] = busy
    said = store(Fetcher()).judge(pki.cert(leaf(crl="", responder="/ocsp")))
    assert "the OCSP responder answered try_later" in said.reason.message


def test_nobody_there(leaf):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
    said = store(Fetcher()).judge(pki.cert(leaf(base=base)))
    assert said.reason.code == "TRY_LATER"
    assert "refused" in said.reason.message


@pytest.mark.parametrize("base", ["ldap://127.0.0.1", "file:///etc", "ftp://127.0.0.1"])
def test_http_only(leaf, base, monkeypatch):
    monkeypatch.setattr(Fetcher, "_get", lambda *_: pytest.fail("it asked"))
    said = store(Fetcher()).judge(pki.cert(leaf(base=base)))
    assert said.reason.code == "TRY_LATER"


def test_a_failure_is_not_asked_again_at_once(server, leaf, monkeypatch):
    name, other = leaf(), leaf()
    trust_store = store(Fetcher())
    for _ in range(3):
        assert trust_store.judge(pki.cert(name)).trust == "untrusted"
        assert trust_store.judge(pki.cert(other)).trust == "untrusted"  # the same address
    assert len(server.asked) == 1
    server.answers["/ca.crl"] = pki.crl("ca")
    assert trust_store.judge(pki.cert(name)).trust == "untrusted"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + fetching.RETRY + 1)
    assert trust_store.judge(pki.cert(name)).trust == "trusted"
    assert len(server.asked) == 2


def test_the_cache_in_a_folder(server, leaf, tmp_path):
    server.answers["/ca.crl"] = pki.crl("ca")
    name = leaf()
    for _ in range(3):
        trust_store = store(Fetcher(folder=tmp_path / "cache"))
        assert trust_store.judge(pki.cert(name)).revocation == "good"
    assert len(server.asked) == 1
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(b"damaged")
    assert store(Fetcher(folder=tmp_path / "cache")).judge(pki.cert(name)).revocation == "good"
    assert len(server.asked) == 2


def test_what_is_out_of_date_is_fetched_anew(server, leaf, tmp_path):
    server.answers["/ca.crl"] = pki.crl("ca", window=(-3, -2))
    name = leaf()
    for _ in range(2):
        trust_store = store(Fetcher(folder=tmp_path))
        assert trust_store.judge(pki.cert(name)).reason.code == "TRY_LATER"
    assert len(server.asked) == 2


def test_a_window_of_what_was_fetched(server, leaf):
    name = leaf()
    server.answers["/ca.crl"] = pki.crl("ca", window=(-1, 1))
    trust_store = store(Fetcher())
    assert trust_store.judge(pki.cert(name), pki.at(0)).trust == "trusted"
    server.answers["/ca.crl"] = pki.crl("ca", pki.Entry(name, 0.5), window=(1, 2))
    assert trust_store.judge(pki.cert(name), pki.at(1) - timedelta(seconds=1)).trust == "trusted"


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TrustError, match="file"):
        Fetcher(folder=tmp_path / "file")

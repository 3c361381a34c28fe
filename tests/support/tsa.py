"""Timestamp authorities for tests: ``openssl ts`` behind a declared PKI, by call and over HTTP."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku

POLICY, OTHER_POLICY, UNKNOWN_POLICY = "1.2.3.4.1", "1.2.3.4.5", "1.2.3.4.9"


class Row(NamedTuple):
    """An authority: who issued its certificate, and what that is like."""

    issuer: str = "tsa root"
    key: str = "RSA 2048"
    days: tuple[float, float] = (-30, 30)
    usages: tuple[Any, ...] | None = (Eku.TIME_STAMPING,)
    critical: bool = True


TABLE = {
    "rsa": Row(),
    "ec": Row(key="EC P-256"),
    "other root": Row(issuer="other tsa root"),
    "below": Row(issuer="tsa intermediate"),
    "expired": Row(days=(-20, -10)),
    "short": Row(days=(-1, 1)),
    "revoked": Row(),
    # openssl ts refuses to sign with these three; pyHanko's stamper does not look
    "no usage": Row(usages=None),
    "not critical": Row(critical=False),
    "two usages": Row(usages=(Eku.TIME_STAMPING, Eku.CODE_SIGNING)),
}
ROOTS = {"tsa root": "tsa root", "other tsa root": "other tsa root", "tsa intermediate": "tsa root"}

_CONFIG = """\
[tsa]
default_tsa = one
[one]
dir = {folder}
serial = {folder}/serial
signer_cert = {folder}/cert.pem
certs = {folder}/chain.pem
signer_key = {folder}/key.pem
signer_digest = sha256
default_policy = {policy}
other_policies = {other}
digests = md5, sha1, sha256, sha384, sha512
accuracy = secs:1, millisecs:500
tsa_name = yes
ess_cert_id_alg = sha256
"""


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Test {text}")])


@lru_cache
def key(name: str) -> Any:
    return pki.KEYS[TABLE[name].key if name in TABLE else "RSA 2048"]()


@lru_cache
def certificate(name: str) -> x509.Certificate:
    """The certificate of an authority of the table, or of a root."""
    row = TABLE.get(name, Row(issuer=ROOTS.get(name, ""), days=(-4000, 4000)))
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name if name in ROOTS else f"{name} TSA"))
        .issuer_name(_name(row.issuer))
        .public_key(key(name).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(pki.NOW + timedelta(days=row.days[0]))
        .not_valid_after(pki.NOW + timedelta(days=row.days[1]))
        .add_extension(x509.BasicConstraints(name in ROOTS, None), critical=True)
    )
    if name in TABLE and row.usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(row.usages), critical=row.critical)
    return builder.sign(key(row.issuer), hashes.SHA256())


def der(name: str) -> bytes:
    return certificate(name).public_bytes(Encoding.DER)


def crl(reason: x509.ReasonFlags | None, days_ago: float) -> bytes:
    """The root's list, with the authority "revoked" on it."""
    since = pki.NOW - timedelta(days=days_ago)
    issued = max(since + timedelta(hours=1), pki.NOW - timedelta(days=1))
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(certificate("revoked").serial_number)
        .revocation_date(since)
    )
    if reason is not None:
        entry = entry.add_extension(x509.CRLReason(reason), critical=False)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(_name("tsa root"))
        .last_update(issued)
        .next_update(issued + timedelta(days=7))
        .add_revoked_certificate(entry.build())
    )
    return builder.sign(key("tsa root"), hashes.SHA256()).public_bytes(Encoding.DER)


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    """Run openssl; the test is skipped without it, and fails without it in CI."""
    if shutil.which("openssl") is None:
        if os.environ.get("CI", "").lower() not in ("", "0", "false"):
            pytest.fail("openssl is not installed, and CI is set", False)
        pytest.skip("openssl is not installed")
    done = subprocess.run(["openssl", *arguments], input=given, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Tsa:
    """One authority of the table, as ``openssl ts`` with its files in a folder."""

    def __init__(self, folder: Path, name: str = "rsa", chain: bool = True) -> None:
        self.name, self.folder = name, folder
        self.key, self.certificate = key(name), certificate(name)
        folder.mkdir(parents=True, exist_ok=True)
        private, public = pki.Member("tsa", self.key, self.certificate).write(folder)
        os.replace(private, folder / "key.pem")
        os.replace(public, folder / "cert.pem")
        above = [TABLE[name].issuer] if chain else []
        (folder / "chain.pem").write_bytes(
            b"".join(certificate(one).public_bytes(Encoding.PEM) for one in above)
        )
        (folder / "serial").write_text("1000\n")
        self.config = folder / "tsa.cnf"
        self.config.write_text(
            _CONFIG.format(folder=folder, policy=POLICY, other=OTHER_POLICY), encoding="utf-8"
        )
        self._lock = threading.Lock()

    def reply(self, request: bytes) -> bytes:
        """The response to a request, DER."""
        with self._lock:  # the serial number is a file
            query = self.folder / "request.tsq"
            query.write_bytes(request)
            return openssl(
                "ts", "-reply", "-config", str(self.config), "-section", "one",
                "-queryfile", str(query),
            )  # fmt: skip

    def query(self, data: bytes, *options: str) -> bytes:
        """A request by openssl for a timestamp of some data."""
        name = self.folder / "data"
        name.write_bytes(data)
        return openssl("ts", "-query", "-data", str(name), *(options or ("-sha256", "-cert")))

    def token(self, data: bytes, *options: str) -> bytes:
        """A token over some data, without our own code."""
        response = self.folder / "response.tsr"
        response.write_bytes(self.reply(self.query(data, *options)))
        return openssl("ts", "-reply", "-in", str(response), "-token_out")


class Raw:
    """For ``tsa=`` of the signing functions: put in whatever it is told, unchecked."""

    def __init__(self, make: Callable[[bytes], bytes]) -> None:
        self.stamp = make


@contextlib.contextmanager
def serve(
    answer: Callable[[bytes], tuple[int, dict[str, str], Iterator[bytes]]],
    password: str | None = None,
) -> Iterator[str]:
    """An HTTP server on loopback; yields its address.

    Args:
        answer: from a request's body to status, headers, and the pieces of the response's body.
        password: what the header Authorization must be; None: nothing.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/timestamp-query"
            if self.headers["Authorization"] == password:
                status, headers, pieces = answer(body)
            else:
                status, headers, pieces = 401, {"WWW-Authenticate": "Basic"}, iter([b"who?"])
            self.send_response(status)
            for header in headers.items():
                self.send_header(*header)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsr"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def serving(
    tsa: Tsa, change: Callable[[bytes], bytes] = bytes, password: str | None = None
) -> Iterator[str]:
    """An authority over HTTP; yields its address.

    Args:
        change: what happens to a request before the authority sees it.
        password: as for `serve`.
    """
    reply = {"Content-Type": "application/timestamp-reply"}
    with serve(lambda body: (200, reply, iter([tsa.reply(change(body))])), password) as url:
        yield url

"""Asking an authority: requests, responses, HTTP; `openssl ts` is the authority."""

from __future__ import annotations

import hashlib
import time
from itertools import repeat

import pki
import pytest
import tsa
from asn1crypto import tsp
from tsa import Tsa, serve, serving

from dicomseal import TrustStore, sign, sign_file, verify
from dicomseal.errors import TimestampError, UsageError
from dicomseal.timestamps.authority import MAX_BYTES, TimestampAuthority
from dicomseal.timestamps.protocol import TimestampRequest, accept, token_of

VALUE = bytes(range(200))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Tsa(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def store():
    return TrustStore([pki.member("root").certificate], tsa=[tsa.certificate("tsa root")])


# --- requests -------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
@pytest.mark.parametrize("policy", [None, tsa.OTHER_POLICY])
@pytest.mark.parametrize("nonce", [True, False])
@pytest.mark.parametrize("certificate", [True, False])
def test_openssl_reads_a_request(tmp_path, algorithm, policy, nonce, certificate):
    query = TimestampRequest.make(VALUE, algorithm, policy, nonce, certificate)
    path = tmp_path / "request.tsq"
    path.write_bytes(query.encode())
    text = tsa.openssl("ts", "-query", "-in", str(path), "-text").decode()
    assert f"Hash Algorithm: {algorithm.lower()}" in text
    assert f"Policy OID: {policy or 'unspecified'}" in text
    assert (f"Nonce: 0x{query.nonce:X}" if nonce else "Nonce: unspecified") in text
    assert f"Certificate required: {'yes' if certificate else 'no'}" in text
    assert query.imprint == hashlib.new(algorithm, VALUE).digest()
    assert TimestampRequest.parse(query.encode()) == query


def test_a_request_of_openssl_is_read(authority):
    der = authority.query(VALUE, "-sha512", "-cert", "-tspolicy", tsa.OTHER_POLICY)
    query = TimestampRequest.parse(der)
    assert query.imprint == hashlib.sha512(VALUE).digest()
    assert (query.algorithm, query.policy, query.certificate) == ("sha512", tsa.OTHER_POLICY, True)
    assert query.nonce


def test_nonces_differ_and_are_long():
    nonces = {TimestampRequest.make(VALUE).nonce for _ in range(50)}
    assert len(nonces) == 50
    assert min(nonces) >= 1 << 63


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"algorithm": "SHA1"}, "one of SHA256, SHA384, SHA512, not SHA1"),
        ({"algorithm": "MD5"}, "not MD5"),
        ({"policy": "1.2.x"}, "not an OID"),
        ({"policy": "9.2"}, "not an OID"),
    ],
)
def test_wishes_that_make_no_sense(options, words):
    with pytest.raises(UsageError, match=words):
        TimestampRequest.make(VALUE, **options)
    with pytest.raises(UsageError, match=words):
        TimestampAuthority("http://localhost/", **options)


@pytest.mark.parametrize("der", [b"", b"0", b"\x30\x00", b"no request", b"\x30\x82\xff"])
def test_no_request(der):
    with pytest.raises(TimestampError, match="not a timestamp request"):
        TimestampRequest.parse(der)


# --- responses ------------------------------------------------------------------------------------


def test_the_token_of_a_response_and_a_bare_one(authority):
    request = TimestampRequest.make(VALUE)
    response = authority.reply(request.encode())
    token = token_of(response)
    assert token_of(token) == token
    assert accept(response, VALUE, request) == accept(token, VALUE) == token


def changed(request, **fields):
    """The same request with other fields, in DER: what the authority was really asked."""
    return request._replace(**fields).encode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"nonce": 4711}, "its nonce differs"),
        ({"nonce": None}, "its nonce differs"),
        ({"policy": tsa.POLICY}, f"followed the policy {tsa.POLICY}, not {tsa.OTHER_POLICY}"),
        ({"imprint": bytes(32)}, "it stamps something else"),
        ({"certificate": False}, "certificate was requested, and is missing"),
    ],
)
def test_a_response_to_another_request(authority, fields, words):
    request = TimestampRequest.make(VALUE, policy=tsa.OTHER_POLICY)
    assert accept(authority.reply(request.encode()), VALUE, request)
    with pytest.raises(TimestampError, match=words):
        accept(authority.reply(changed(request, **fields)), VALUE, request)


def test_a_refusal_says_why(authority):
    request = TimestampRequest.make(VALUE, policy=tsa.UNKNOWN_POLICY)
    with pytest.raises(TimestampError, match=r"refused.*policy is not supported") as caught:
        token_of(authority.reply(request.encode()))
    assert caught.value.code == "refused"


def test_a_grant_without_a_token():
    response = b"\x30\x05\x30\x03\x02\x01\x00"
    assert tsp.PKIStatusInfo.load(response[2:])["status"].native == "granted"
    with pytest.raises(TimestampError, match="holds no timestamp"):
        token_of(response)


@pytest.mark.parametrize("response", [b"", b"<html>", b"\x30\x00", b"\x30\x82\xff", bytes(50)])
def test_no_response(response):
    with pytest.raises(TimestampError, match="not a timestamp response"):
        token_of(response)


def test_what_is_not_taken(authority):
    with pytest.raises(TimestampError, match="not taken: it is not of this signature"):
        accept(authority.token(VALUE + b"x"), VALUE)
    with pytest.raises(TimestampError, match="not taken: its imprint is hashed with SHA1"):
        accept(authority.token(VALUE, "-sha1", "-cert"), VALUE)
    with pytest.raises(TimestampError, match="not taken: the certificate of its authority"):
        accept(authority.token(VALUE, "-sha256"), VALUE)
    asked = TimestampRequest.make(VALUE, nonce=False, certificate=False)
    assert accept(authority.reply(asked.encode()), VALUE, asked)


# --- over HTTP ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rsa", "ec"])
@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
def test_sign_with_an_authority(tmp_path, store, name, algorithm):
    path = tmp_path / "object.dcm"
    path.write_bytes(pki.small())
    with serving(Tsa(tmp_path / "tsa", name)) as url:
        chosen = TimestampAuthority(url, algorithm, tsa.OTHER_POLICY)
        sign_file(path, path, *pki.member("ec").pair, tsa=chosen)
    report = verify(path, trust=store, require=["timestamp"])
    (signature,) = report.signatures
    assert (report.verdict, signature.judged_by) == ("passed", "timestamp")
    assert (signature.timestamp.imprint, signature.timestamp.policy) == (
        algorithm, tsa.OTHER_POLICY,
    )  # fmt: skip
    assert signature.timestamp.authority == f"CN=Test {name} TSA"


@pytest.mark.parametrize("form", ["explicit", "implicit", "big endian"])
def test_every_signature_of_a_call_gets_its_own(tmp_path, authority, store, form):
    path = tmp_path / "object.dcm"
    path.write_bytes(pki.small(form))
    with serving(authority) as url:
        items = ["BeamSequence[0]", "BeamSequence[1]"]
        sign_file(path, path, *pki.member("rsa").pair, items=items, tsa=url)
    stamps = [s.timestamp for s in verify(path, trust=store).signatures]
    assert len({stamp.serial for stamp in stamps}) == 2
    assert all(stamp.counts for stamp in stamps)


def test_sign_a_dataset(authority, store):
    from io import BytesIO

    from pydicom import dcmread

    dataset = dcmread(BytesIO(pki.small()))
    with serving(authority) as url:
        sign(dataset, *pki.member("rsa").pair, tsa=url)
    assert dataset.DigitalSignaturesSequence[0].CertifiedTimestampType == "CMS_TSP"
    assert verify(dataset, trust=store, require="timestamp").verdict == "passed"


def refused(url, tmp_path, **options):
    """Sign with this authority: nothing is written, and the error comes back."""
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(pki.small())
    with pytest.raises(TimestampError) as caught:
        sign_file(source, target, *pki.member("rsa").pair, tsa=TimestampAuthority(url, **options))
    assert not target.exists()
    assert str(caught.value).startswith(url)
    return caught.value


def test_a_nonce_that_comes_back_changed(authority, tmp_path):
    def replay(body):
        return changed(TimestampRequest.parse(body), nonce=4711)

    with serving(authority, replay) as url:
        assert "its nonce differs" in str(refused(url, tmp_path))


def test_a_policy_that_the_authority_does_not_have(authority, tmp_path):
    with serving(authority) as url:
        error = refused(url, tmp_path, policy=tsa.UNKNOWN_POLICY)
    assert (error.code, "policy is not supported" in str(error)) == ("refused", True)


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_http_error(tmp_path, status):
    with serve(lambda _: (status, {}, iter([b"sorry"]))) as url:
        error = refused(url, tmp_path)
    assert (error.code, f"HTTP {status}" in str(error)) == ("http", True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(authority, tmp_path, status):
    with serving(authority) as other, serve(
        lambda _: (status, {"Location": other}, iter([]))
    ) as url:  # fmt: skip
        assert f"HTTP {status}" in str(refused(url, tmp_path))


def test_a_page_instead_of_a_response(tmp_path):
    with serve(lambda _: (200, {}, iter([b"<html>"]))) as url:
        assert "not a timestamp response" in str(refused(url, tmp_path))


def test_an_endless_answer(tmp_path):
    sent = []

    def endless(_):
        return 200, {}, (sent.append(1) or bytes(65536) for _ in repeat(None))

    with serve(endless) as url:
        error = refused(url, tmp_path)
    assert error.code == "limit"
    assert len(sent) * 65536 < 8 * MAX_BYTES + (16 << 20)  # the rest lies in socket buffers


def test_an_answer_that_never_comes(tmp_path):
    def silent(_):
        time.sleep(3)
        return 200, {}, iter([])

    with serve(silent) as url:
        start = time.monotonic()
        error = refused(url, tmp_path, timeout=0.3)
    assert (error.code, time.monotonic() - start < 2.5) == ("timeout", True)


def test_an_answer_in_drops(tmp_path):
    """Each drop comes within the time-out, the whole does not."""

    def dripping(_):
        return 200, {}, (time.sleep(0.1) or b"\x30" for _ in range(40))

    with serve(dripping) as url:
        start = time.monotonic()
        error = refused(url, tmp_path, timeout=0.5)
    assert (error.code, time.monotonic() - start < 2.5) == ("timeout", True)


def test_nobody_there(tmp_path):
    with serve(lambda _: (200, {}, iter([]))) as url:
        pass
    error = refused(url, tmp_path)
    assert (error.code, "cannot be reached" in str(error)) == ("http", True)


@pytest.mark.parametrize("url", ["", "localhost", "ftp://x/", "file:///etc/passwd", "http:///", 5])
def test_no_address(url):
    with pytest.raises(UsageError, match="not an address"):
        TimestampAuthority(url)
    with pytest.raises(UsageError, match="not an address"):
        sign_file("in.dcm", "out.dcm", *pki.member("rsa").pair, tsa=url)


@pytest.mark.parametrize("timeout", [0, -1])
def test_no_time(timeout):
    with pytest.raises(UsageError, match="time-out"):
        TimestampAuthority("http://localhost/", timeout=timeout)

"""``dicomseal timestamp`` and ``dicomseal sign --tsa``: on the command line, by file."""

from __future__ import annotations

import pki
import pytest
import tsa
from pydicom import dcmread
from tsa import Tsa, serving

from dicomseal import TrustStore, remove_file, sign_file, verify
from dicomseal.timestamps.protocol import TimestampRequest
from dicomseal.timestamps.request_files import insert_file, query_file


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Tsa(tmp_path_factory.mktemp("tsa"))


@pytest.fixture
def signed(tmp_path, monkeypatch):
    """A signed object ``signed.dcm`` in the current folder, in some encoding."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "root.pem").write_bytes(pki_pem("root"))
    (tmp_path / "tsa.pem").write_bytes(
        tsa.certificate("tsa root").public_bytes(pki.serialization.Encoding.PEM)
    )

    def inner(form="explicit", **options):
        (tmp_path / "plain.dcm").write_bytes(pki.small(form))
        sign_file("plain.dcm", "signed.dcm", *pki.member("rsa").pair, **options)
        return tmp_path / "signed.dcm"

    return inner


def pki_pem(name):
    return pki.member(name).certificate.public_bytes(pki.serialization.Encoding.PEM)


def answer(authority, request, response):
    with open(request, "rb") as file:
        data = authority.reply(file.read())
    with open(response, "wb") as file:
        file.write(data)


def trusted():
    return TrustStore([pki.member("root").certificate], tsa=[tsa.certificate("tsa root")])


@pytest.mark.parametrize("form", ["explicit", "implicit", "big endian"])
def test_two_steps(run, signed, authority, form):
    path = signed(form)
    uid = verify(path).signatures[0].uid
    assert run("timestamp", "query", path, "--out", "q.tsq") == (0, f"{uid}\n", "")
    answer(authority, "q.tsq", "r.tsr")
    args = ("--response", "r.tsr", "--request", "q.tsq")
    assert run("timestamp", "insert", path, "stamped.dcm", *args) == (0, f"{uid}\n", "")
    code, out, _ = run("verify", "--trust", "root.pem", "--tsa-trust", "tsa.pem", "stamped.dcm",
                       "--require", "timestamp")  # fmt: skip
    assert code == 0, out
    assert "by CN=Test rsa TSA: intact, trusted" in out
    # every other byte is kept
    remove_file("stamped.dcm", "back.dcm")
    with open("back.dcm", "rb") as back, open("plain.dcm", "rb") as plain:
        assert back.read() == plain.read()


def test_out_may_be_in_and_nothing_else_changes(run, signed, authority):
    path = signed()
    before = dcmread(path)
    run("timestamp", "query", path, "--out", "q.tsq")
    answer(authority, "q.tsq", "r.tsr")
    assert run("timestamp", "insert", path, path, "--response", "r.tsr")[0] == 0
    after = dcmread(path)
    item = after.DigitalSignaturesSequence[0]
    assert item.CertifiedTimestampType == "CMS_TSP"
    assert [e.tag for e in item] == sorted(e.tag for e in item)
    del item.CertifiedTimestampType, item.CertifiedTimestamp
    assert after == before


def test_wishes(run, signed):
    path = signed()
    run("timestamp", "query", path, "--out", "q.tsq", "--mac", "SHA512", "--policy", "1.2.3",
        "--no-nonce", "--no-cert")  # fmt: skip
    with open("q.tsq", "rb") as file:
        query = TimestampRequest.parse(file.read())
    assert query[0] == "sha512"
    assert query[2:] == (None, "1.2.3", False)


def test_which_of_several(run, signed, authority):
    path = signed(items=["BeamSequence[0]", "BeamSequence[1]"])
    first, second = (s.uid for s in verify(path).signatures)
    code, _, err = run("timestamp", "query", path, "--out", "q.tsq")
    assert (code, f"2 signatures; say which by its UID: {first}, {second}" in err) == (1, True)
    assert run("timestamp", "query", path, "--out", "q.tsq", "--uid", second,
               "--uid-out", "u.dcm")[:2] == (0, f"{second}\n")  # fmt: skip
    answer(authority, "q.tsq", "r.tsr")
    # its imprint is of the other one
    code, _, err = run("timestamp", "insert", path, path, "--response", "r.tsr", "--uid", first)
    assert (code, "not of this signature" in err) == (1, True)
    assert run("timestamp", "insert", path, path, "--response", "r.tsr",
               "--uid-file", "u.dcm")[:2] == (0, f"{second}\n")  # fmt: skip
    stamps = [s.timestamp for s in verify(path, trust=trusted()).signatures]
    assert stamps[0] is None
    assert stamps[1].counts
    code, _, err = run("timestamp", "query", path, "--out", "q.tsq", "--uid", "1.2.3")
    assert (code, "no signature has the UID 1.2.3" in err) == (1, True)


def test_a_second_timestamp_is_refused(run, signed, authority):
    path = signed()
    insert_file(path, path, authority.reply(query_file(path)[1]))
    before = path.read_bytes()
    for args in (("query", path, "--out", "q.tsq"),
                 ("insert", path, path, "--response", "q.tsq")):  # fmt: skip
        (path.parent / "q.tsq").write_bytes(b"")
        code, _, err = run("timestamp", *args)
        assert (code, "has a timestamp already" in err) == (1, True)
    assert path.read_bytes() == before


def test_a_response_to_another_request(run, signed, authority):
    path = signed()
    before = path.read_bytes()
    run("timestamp", "query", path, "--out", "q1.tsq")
    run("timestamp", "query", path, "--out", "q2.tsq")
    answer(authority, "q1.tsq", "r1.tsr")
    code, _, err = run("timestamp", "insert", path, path, "--response", "r1.tsr",
                       "--request", "q2.tsq")  # fmt: skip
    assert (code, "its nonce differs" in err) == (1, True)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("query", "nowhere.dcm", "--out", "q"), 1, "nowhere.dcm"),
        (("query", "plain.dcm", "--out", "q"), 1, "there is no signature"),
        (("query", "signed.dcm"), 2, "--out"),
        (("query", "signed.dcm", "--out", "q", "--policy", "x"), 2, "not an OID"),
        (("query", "signed.dcm", "--out", "no/folder/q"), 1, "no/folder/q"),
        (("insert", "signed.dcm", "o.dcm", "--response", "nowhere"), 1, "nowhere: No such file"),
        (("insert", "signed.dcm", "o.dcm", "--response", "root.pem"), 1, "not a timestamp resp"),
        (("insert", "signed.dcm", "o.dcm", "--response", "root.pem", "--uid", "1",
          "--uid-file", "u"), 2, "not both"),
        (("insert", "signed.dcm", "o.dcm", "--response", "root.pem", "--uid-file", "plain.dcm"),
         1, "no Digital Signature UID"),
        (("insert", "signed.dcm", "o.dcm", "--response", "root.pem", "--request", "root.pem"),
         1, "not a timestamp request"),
    ],
)  # fmt: skip
def test_bad_input(run, signed, tmp_path, args, code, words):
    signed()
    exit_code, out, err = run("timestamp", *args)
    assert (exit_code, out) == (code, ""), err
    assert words in err
    assert not (tmp_path / "o.dcm").exists()


def test_an_ambiguous_object_is_left_alone(run, signed, authority):
    path = signed()
    data = path.read_bytes()
    name = data[data.index(b"\x10\x00\x10\x00PN") :][:16]
    path.write_bytes(data.replace(name, name + name.replace(b"Doe", b"Dee")))
    code, _, err = run("timestamp", "insert", path, path, "--response", path)
    assert (code, "repair the object first" in err) == (1, True)


# --- dicomseal sign --tsa -------------------------------------------------------------------------


def test_sign_with_an_authority(run, signed, authority):
    signed()
    key, cert = pki.member("rsa").write(".")
    with serving(authority) as url:
        code, _, err = run("sign", "plain.dcm", "out.dcm", "--key", key, "--cert", cert,
                           "--tsa", url, "--tsa-mac", "SHA384",
                           "--tsa-policy", tsa.OTHER_POLICY)  # fmt: skip
    assert code == 0, err
    report = verify("out.dcm", trust=trusted(), require="timestamp")
    stamp = report.signatures[0].timestamp
    assert (report.verdict, stamp.imprint, stamp.policy) == ("passed", "SHA384", tsa.OTHER_POLICY)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--tsa", "tsa.example"), 2, "not an address"),
        (("--tsa", "http://127.0.0.1:1/", "--tsa-mac", "MD5"), 2, "MD5"),
        (("--tsa", "http://127.0.0.1:1/", "--tsa-policy", "x"), 2, "not an OID"),
        (("--tsa", "http://127.0.0.1:1/", "--tsa-timeout", "0"), 2, "tsa-timeout"),
        (("--tsa", "http://127.0.0.1:1/"), 1, "cannot be reached"),
    ],
)
def test_no_authority(run, signed, tmp_path, args, code, words):
    signed()
    key, cert = pki.member("rsa").write(".")
    exit_code, _, err = run("sign", "plain.dcm", "out.dcm", "--key", key, "--cert", cert, *args)
    assert (exit_code, words in err) == (code, True), err
    assert not (tmp_path / "out.dcm").exists()

"""OpenSSL's TRUSTED CERTIFICATE: what it says of trust is never more than what it gets."""

from __future__ import annotations

import base64
import os
import subprocess
import warnings

import pki as signers
import pytest
import trust_pki as pki
from cryptography.hazmat.primitives import serialization

from dicomseal import TrustStore, policy, sign_file, verify
from dicomseal.errors import LeftOutWarning, TrustError, UnusedSettingsWarning, UsageError
from dicomseal.keys.signing_key import SigningKey
from dicomseal.trust import loading, outside, trust_settings
from dicomseal.trust.trust_settings import NOT_TRUSTED, Wanted

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
EMAIL, SERVER, ANY = "emailProtection", "serverAuth", "anyExtendedKeyUsage"
STAMPS = "timeStamping"


def trusted(path, name, *options):
    """OpenSSL makes it; the certificates are those of `trust_pki`."""
    path.write_bytes(pki.cert(name).public_bytes(PEM))
    line = ["openssl", "x509", "-in", path, "-trustout", "-out", path, *options]
    subprocess.run(line, check=True, capture_output=True)
    assert path.read_bytes().startswith(b"-----BEGIN TRUSTED CERTIFICATE-----")
    return path


def settings(trust=(), reject=()):
    return [
        *(part for one in trust for part in ("-addtrust", one)),
        *(part for one in reject for part in ("-addreject", one)),
    ]


def by_hand(tail):
    """The certificate of the root with any bytes behind it."""
    text = base64.encodebytes(pki.der("root") + tail)
    return b"-----BEGIN TRUSTED CERTIFICATE-----\n" + text + b"-----END TRUSTED CERTIFICATE-----\n"


@pytest.mark.parametrize("trust", [(), (EMAIL,), (SERVER,), (ANY,), (SERVER, EMAIL)], ids=str)
@pytest.mark.parametrize("reject", [(), (EMAIL,), (SERVER,), (ANY,), (SERVER, EMAIL)], ids=str)
def test_as_openssl_judges_them(tmp_path, trust, reject):
    """Whether it is trusted for e-mail, say both of them."""
    root = trusted(tmp_path / "root", "root", *settings(trust, reject))
    leaf = tmp_path / "leaf"
    leaf.write_bytes(pki.cert("direct").public_bytes(PEM))
    line = ["openssl", "verify", "-purpose", "smimesign", "-trusted", root, leaf]
    done = subprocess.run(line, capture_output=True, text=True)
    assert (done.returncode, "certificate rejected" in done.stderr) in ((0, False), (2, True)), done
    read = trust_settings.read(outside.der_in(root.read_bytes()))
    wanted = Wanted(frozenset({"email_protection"}))
    assert bool(read.trouble(wanted)) == bool(done.returncode), (read, done)


# what it is trusted for, and not -> who may use it: for signatures, for timestamps, in between
TABLE = {
    ((), ()): (1, 1, 1),
    ((ANY,), ()): (1, 1, 1),
    ((EMAIL,), ()): (1, 0, 1),
    ((SERVER,), ()): (0, 0, 1),
    ((SERVER, EMAIL), ()): (1, 0, 1),
    ((STAMPS,), ()): (0, 1, 1),
    (("1.2.3.4",), ()): (0, 0, 1),
    (("1.3.6.1.5.5.7.3.36",), ()): (1, 0, 1),  # RFC 9336
    ((), (SERVER,)): (1, 1, 1),
    ((), (EMAIL,)): (0, 1, 0),
    ((), (STAMPS,)): (1, 0, 1),
    ((), (ANY,)): (0, 0, 0),
    ((ANY,), (ANY,)): (0, 0, 0),
    ((ANY,), (EMAIL,)): (0, 1, 0),
    ((ANY,), (SERVER,)): (1, 1, 1),
}


@pytest.mark.parametrize(("given", "may"), TABLE.items(), ids=str)
@pytest.mark.parametrize("in_folder", [False, True])
def test_who_may_use_it(tmp_path, given, may, in_folder):
    (tmp_path / "folder").mkdir()
    file = trusted(tmp_path / "folder" / "it", "root", *settings(*given))
    path = tmp_path / "folder" if in_folder else file
    other = tmp_path / "other"
    other.write_bytes(pki.cert("other root").public_bytes(PEM))
    for role, allowed in zip(("anchors", "tsa", "intermediates", "signers"), (*may, may[0]),
                             strict=True):  # fmt: skip
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if role == "anchors":
                found = TrustStore.from_files(other, path).anchors[1:]
            else:
                found = getattr(TrustStore.from_files(other, **{role: [path]}), role)
        assert found == ((pki.cert("root"),) if allowed else ())
        left_out = [one for one in caught if one.category is LeftOutWarning]
        assert bool(left_out) != bool(allowed)
        assert all(os.fspath(file) in str(one.message) for one in caught)
        unused = [str(one.message) for one in caught if one.category is UnusedSettingsWarning]
        expected = allowed and (given[1] or (given[0] and role == "intermediates"))
        assert bool(unused) == bool(expected), unused
    if not may[0]:
        for options in ({}, {"signers": [path]}):
            paths = [] if options else [path]
            with pytest.raises(TrustError, match=r"certificate 1 is .* by its trust settings"):
                TrustStore.from_files(*paths, **options)


def test_the_policy_says_what_signatures_are(tmp_path):
    root = trusted(tmp_path / "root", "root", *settings(["codeSigning"]))
    assert TrustStore.from_files(root).anchors == (pki.cert("root"),)
    with pytest.raises(TrustError, match="is trusted for code signing only"):
        TrustStore.from_files(root, policy="strict")
    nothing = policy.DEFAULT.but(authority_usages=policy.ANY)
    server = trusted(tmp_path / "server", "root", *settings([SERVER]))
    with pytest.raises(TrustError, match="is trusted for server auth only"):
        TrustStore.from_files(server, policy=nothing)
    with pytest.raises(UsageError, match="not 5"):
        TrustStore.from_files(root, policy=5)


def test_names_in_it_decide_nothing(tmp_path, recwarn):
    root = trusted(tmp_path / "root", "root", "-setalias", "My Root")
    assert loading.load_certificates(root) == [pki.cert("root")]
    assert not recwarn.list


def test_one_of_several(tmp_path):
    """As systems ship them: the rejected ones are left out, each with its number."""
    bundle = tmp_path / "bundle"
    parts = [
        trusted(tmp_path / "1", "root", *settings([EMAIL, SERVER])).read_bytes(),
        trusted(tmp_path / "2", "ca", *settings((), [ANY])).read_bytes(),
        pki.cert("other root").public_bytes(PEM),
    ]
    bundle.write_bytes(b"# Root\n".join(parts))
    with pytest.warns(LeftOutWarning, match="certificate 2 is rejected for any extended key"):
        assert loading.load_certificates(bundle) == [pki.cert("root"), pki.cert("other root")]


TAILS = {
    "no settings at all": (b"", True),
    "empty settings": (b"\x30\x00", True),
    "trusted for nothing": (bytes.fromhex("30023000"), False),
    "half a length": (b"\x30", False),
    "longer than it is": (b"\x30\x05\x0c\x01", False),
    "a number": (b"\x02\x01\x05", False),
    "a number inside": (b"\x30\x03\x02\x01\x05", False),
    "a rejection behind an alias": (bytes.fromhex("300F0C0178A00A06082B06010505070304"), False),
    "no purpose": (bytes.fromhex("3005A003020105"), False),
    "more behind it": (b"\x30\x00\x00", False),
    "another certificate": (pki.der("ca"), False),
    "a form that is not DER": (bytes.fromhex("30800000"), False),
}


@pytest.mark.parametrize(("tail", "good"), TAILS.values(), ids=TAILS)
def test_what_cannot_be_understood_is_no_trust(tmp_path, tail, good):
    path = tmp_path / "file"
    path.write_bytes(by_hand(tail))
    if good:
        assert loading.load_certificates(path) == [pki.cert("root")]
        return
    for load in (loading.load_certificates, loading.load_signers):
        with pytest.raises(TrustError, match="certificate 1 "):
            load(path)
    with pytest.raises(TrustError, match=r"certificate 1 cannot be parsed|is trusted for nothing"):
        TrustStore.from_files(path)


def test_it_is_no_der(tmp_path):
    """OpenSSL writes the settings into no DER; there they have no mark."""
    path = tmp_path / "file"
    for tail in (b"\x30\x00", bytes.fromhex("3008A0060604551D2500")):
        path.write_bytes(pki.der("root") + tail)
        with pytest.raises(TrustError, match="cannot be parsed"):
            loading.load_certificates(path)


@pytest.mark.parametrize(
    ("trust", "reject"), [((), ()), ((SERVER,), ()), ((), (ANY,)), ((SERVER,), (ANY,))], ids=str
)
def test_the_signers_own_certificate(tmp_path, run, trust, reject):
    """Nobody trusts it for that; the object gets the certificate alone."""
    member = signers.member("rsa")
    member.write(tmp_path)
    (tmp_path / "in.dcm").write_bytes(signers.small())
    cert = tmp_path / "own"
    subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "rsa.cert.pem", "-trustout", "-out", cert,
         *settings(trust, reject)],
        check=True, capture_output=True,
    )  # fmt: skip
    code, _, err = run(
        "sign", tmp_path / "in.dcm", tmp_path / "out.dcm", "--key", tmp_path / "rsa.key.pem",
        "--cert", cert,
    )  # fmt: skip
    assert (code, "these of its trust settings have no effect" in err) == (
        0,
        bool(trust or reject),
    ), err
    store = TrustStore([signers.member("root").certificate])
    assert verify(tmp_path / "out.dcm", trust=store).verdict == "passed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedSettingsWarning)
        signing_key = SigningKey(tmp_path / "rsa.key.pem", cert).certificate
    assert signing_key.der == member.certificate.public_bytes(DER)


def test_on_the_command_line(tmp_path, run):
    sign_file(signers.small(), tmp_path / "x.dcm", *signers.member("rsa").pair)
    signers.member("root").write(tmp_path)
    trusted_root = tmp_path / "root"
    line = ["openssl", "x509", "-in", tmp_path / "root.cert.pem", "-trustout", "-out", trusted_root]
    for options, code, said in (
        ([], 0, ""), (settings([EMAIL]), 0, ""), (settings((), [SERVER]), 0, "no effect: rejected"),
        (settings([SERVER]), 2, "certificate 1 is trusted for server auth only"),
        (settings((), [ANY]), 2, "certificate 1 is rejected for any extended key usage"),
    ):  # fmt: skip
        subprocess.run([*line, *options], check=True, capture_output=True)
        found, out, err = run("verify", "--trust", trusted_root, tmp_path / "x.dcm")
        assert (found, out.startswith("passed") == (code == 0)) == (code, True)
        assert said in err
        assert bool(err) == bool(said)


def test_not_trusted_is_what_it_says():
    settings = trust_settings.Settings(b"", frozenset(), frozenset({trust_settings.ANY_PURPOSE}))
    assert settings.trouble(NOT_TRUSTED) == ""
    assert "trusted for nothing, rejected for any" in settings.unused(NOT_TRUSTED)

"""User and password for a timestamp authority: where from, where to, and that nobody reads them."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import warnings

import pki
import pytest
import tsa
from _clock import FAKED
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import dicomseal
from dicomseal import TimestampAuthority, sign_file
from dicomseal.errors import KeyFileWarning, TimestampError, UsageError
from dicomseal.timestamps.credentials import find

SECRET = "Sentinel:Passw0rd \u00fc"
EXPECTED = "Basic " + base64.b64encode(f"clinic:{SECRET}".encode()).decode()


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """The address of an authority that asks for user and password."""
    one = tsa.Tsa(tmp_path_factory.mktemp("tsa"))
    with tsa.serving(one, password=EXPECTED) as url:
        yield url


@pytest.fixture
def files(tmp_path):
    """Arguments of `sign`."""
    key, certificate = pki.member("ec").pair
    (tmp_path / "in.dcm").write_bytes(pki.small())
    form = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    (tmp_path / "key.pem").write_bytes(key.private_bytes(*form))
    (tmp_path / "key.pem").chmod(0o600)
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return "in.dcm", "out.dcm", "--key", "key.pem", "--cert", "cert.pem"


# of all that stands in the environment; the path, as another dicomseal may be installed, or none
USUAL = {
    "PATH": "/usr/bin:/bin",
    "PYTHONPATH": os.path.dirname(os.path.dirname(dicomseal.__file__)),
    **FAKED,
}


def python(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True,
        env=USUAL | {"HOME": str(folder)} | environment,
    )  # fmt: skip


def command(folder, *arguments, **environment):
    return python(folder, "-m", "dicomseal", "sign", *arguments, **environment)


def test_the_command_is_of_the_package_that_is_tested(tmp_path):
    done = python(tmp_path, "-c", "import dicomseal; print(dicomseal.__file__)")
    assert done.stdout == f"{dicomseal.__file__}\n"


def netrc(folder, url, name=".netrc", mode=0o600):
    path = folder / name
    host = url.partition("://")[2].partition(":")[0]
    path.write_text(f'machine {host} login clinic password "{SECRET}"\n')
    path.chmod(mode)
    return str(path)


def test_from_the_environment(locked, files, tmp_path):
    done = command(tmp_path, *files, "--tsa", locked, "--tsa-auth", "env:TSA",
                   TSA=f"clinic:{SECRET}")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.dcm").exists()


@pytest.mark.parametrize("named", [False, True])
def test_from_netrc(locked, files, tmp_path, named):
    path = netrc(tmp_path, locked, "elsewhere" if named else ".netrc")
    options = {"NETRC": path} if named else {}
    done = command(tmp_path, *files, "--tsa", locked, "--tsa-auth", "netrc", **options)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.dcm").exists()


def test_without_or_with_wrong_ones(locked, files, tmp_path):
    for value, said in ((None, "it asks for user and password"),
                        ("clinic:Sentinel", "user or password is wrong")):  # fmt: skip
        options = ("--tsa-auth", "env:TSA") if value else ()
        done = command(tmp_path, *files, "--tsa", locked, *options, TSA=value or "")
        assert (done.returncode, done.stdout) == (1, ""), done
        assert said in done.stderr
        assert "Sentinel" not in done.stderr
        assert not (tmp_path / "out.dcm").exists()


WRONG = {
    "no such variable": ("env:NOT_THERE", "no environment variable of that name"),
    "no user": ("env:NO_USER", "no environment variable of that name"),
    "no colon": ("env:NO_COLON", "no environment variable of that name"),
    "no name": ("env:", "netrc or env:NAME"),
    "the password itself": ("clinic:Sentinel", "netrc or env:NAME"),
    "no netrc": ("netrc", ".netrc: No such file"),
}


@pytest.mark.parametrize(("source", "said"), WRONG.values(), ids=WRONG)
def test_wrong_sources(locked, files, tmp_path, source, said):
    done = command(tmp_path, *files, "--tsa", locked, "--tsa-auth", source,
                   NO_USER=":Sentinel", NO_COLON="Sentinel")  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Sentinel" not in done.stderr


@pytest.mark.parametrize(("text", "said"), [
    ("machine 127.0.0.1 login clinic Sentinel", "line 1 cannot be read"),
    ("machine elsewhere login clinic password Sentinel", "no user and password for 127.0.0.1"),
    ("machine 127.0.0.1 password Sentinel", "no user and password for 127.0.0.1"),
    ("machine 127.0.0.1 login clinic", "no user and password for 127.0.0.1"),
])  # fmt: skip
def test_wrong_netrc(monkeypatch, tmp_path, text, said):
    path = tmp_path / "netrc"
    path.write_text(text)
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    with pytest.raises(UsageError, match=said) as caught:
        find("netrc", "http://127.0.0.1:1/")
    assert "Sentinel" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_netrc_that_others_can_read(monkeypatch, tmp_path):
    path = netrc(tmp_path, "http://127.0.0.1:1/", mode=0o644)
    monkeypatch.setenv("NETRC", path)
    with pytest.warns(KeyFileWarning, match="every user can read"):
        assert find("netrc", "http://127.0.0.1:1/") == ("clinic", SECRET)


@pytest.mark.parametrize(
    "url", ["http://tsa.example/", "http://127.0.0.1.example/", "http://localhost.example/"]
)
def test_only_over_https_or_to_this_machine(url):
    with pytest.raises(UsageError, match="over https only"):
        TimestampAuthority(url, credentials=("clinic", SECRET))
    for fine in ("https://tsa.example/", "http://localhost/", "http://127.0.0.1:80/",
                 "http://[::1]/"):  # fmt: skip
        authority = TimestampAuthority(fine, credentials=("clinic", SECRET))
        assert "Sentinel" not in repr(authority) + str(authority)


@pytest.mark.parametrize(("user", "password"), [("a:b", "c"), ("a", "b\r\nHost: x"), ("a\n", "b")])
def test_what_cannot_be_sent(user, password):
    with pytest.raises(UsageError, match="colon"):
        TimestampAuthority("https://tsa.example/", credentials=(user, password))


def test_an_address_with_a_password_in_it():
    with pytest.raises(UsageError, match="must not contain user and password") as caught:
        TimestampAuthority("https://clinic:Sentinel@tsa.example/")
    assert "Sentinel" not in str(caught.value)


def test_without_an_authority(files, tmp_path):
    done = command(tmp_path, *files, "--tsa-auth", "netrc")
    assert done.returncode == 2
    assert "--tsa-auth goes with --tsa" in done.stderr


def test_in_python(locked, tmp_path):
    (tmp_path / "in.dcm").write_bytes(pki.small())
    pair = pki.member("ec").pair
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen = TimestampAuthority(locked, credentials=("clinic", SECRET))
        sign_file(tmp_path / "in.dcm", tmp_path / "out.dcm", *pair, tsa=chosen)
    with pytest.raises(TimestampError, match="401"):
        sign_file(tmp_path / "in.dcm", tmp_path / "none.dcm", *pair, tsa=locked)


def test_a_proxy_is_told_nothing_in_the_clear(locked, monkeypatch):
    """It is for this machine alone that http will do."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        authority = TimestampAuthority(locked, credentials=("clinic", SECRET), timeout=5)
        assert authority.stamp(b"value")
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()

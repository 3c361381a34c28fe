"""Keys on PKCS#11 tokens, against SoftHSM: RSA and EC, PINs, processes, and what can go wrong."""

from __future__ import annotations

import builtins
import gc
import os
import pickle
import subprocess
import sys

import pki
import pytest
from _hsm import KEYS, PIN

from dicomseal import cli, sign_file, verify
from dicomseal.errors import CertificateError, KeyFileError, KeyFileWarning, UsageError
from dicomseal.keys.pkcs11 import MODULE_VARIABLE, Pkcs11Key, Pkcs11Uri
from dicomseal.keys.signing_key import SigningKey
from dicomseal.signature import certificate
from dicomseal.standard.mac_algorithms import MAC_ALGORITHMS

# --- signing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", KEYS)
@pytest.mark.parametrize("algorithm", MAC_ALGORITHMS)
def test_every_key_and_algorithm(hsm, label, algorithm):
    key = Pkcs11Key(f"pkcs11:token=archive;object={label}", PIN)
    digest = os.urandom({"MD5": 16, "RIPEMD160": 20, "SHA1": 20}.get(algorithm, 0)
                        or int(algorithm[3:]) // 8)  # fmt: skip
    value = key.sign(digest, algorithm)
    public = certificate.parse(hsm.file(label).read_bytes()).public_key
    assert certificate.verify_mac(public, digest, algorithm, value)
    assert not certificate.verify_mac(public, bytes(len(digest)), algorithm, value)
    if label.startswith("p"):
        assert value[0] == 0x30  # DER of r and s, not the bare numbers


@pytest.mark.parametrize("label", KEYS)
def test_sign_a_file(hsm, tmp_path, label):
    path = tmp_path / "object.dcm"
    path.write_bytes(pki.small())
    uri = f"pkcs11:token=archive;id=%{KEYS[label][0]}"
    sign_file(path, path, uri, hsm.file(label), password=PIN)
    (signature,) = verify(path).signatures
    assert signature.integrity == "intact"
    assert signature.signer.subject == f"CN={label}"


def test_the_certificate_comes_from_the_token(hsm, tmp_path):
    path = tmp_path / "object.dcm"
    path.write_bytes(pki.small())
    sign_file(path, path, "pkcs11:token=archive;object=rsa", password=PIN)
    assert verify(path).signatures[0].signer.subject == "CN=rsa"
    with pytest.raises(CertificateError, match="none is beside the key"):
        SigningKey("pkcs11:token=archive;object=p256", password=PIN)


def test_the_certificate_of_another_key(hsm):
    key = SigningKey("pkcs11:token=archive;object=p256", hsm.file("p384"), PIN)
    with pytest.raises(KeyFileError, match="do not belong together"):
        key.sign(bytes(32), "SHA256")


def test_a_key_that_is_gone_leaves_no_session(hsm, monkeypatch):
    """Every call of `sign_file` with a URI makes a key of its own, and tokens have few sessions."""
    from dicomseal.keys import pkcs11 as pkcs11_key

    ended = []
    real = pkcs11_key._close
    monkeypatch.setattr(pkcs11_key, "_close", lambda *args: ended.append(args) or real(*args))
    for _ in range(5):
        assert Pkcs11Key("pkcs11:token=archive;object=rsa", PIN).sign(bytes(32), "SHA256")
        gc.collect()
    assert len(ended) == 5
    with pytest.raises(KeyFileError, match="needs a PIN"):  # the login has ended with the last one
        Pkcs11Key("pkcs11:token=archive;object=rsa").sign(bytes(32), "SHA256")


def test_two_keys_of_one_token_in_one_process(hsm):
    """The login is the process's, not the session's: the end of one must not log the other out."""
    one = Pkcs11Key("pkcs11:token=archive;object=rsa", PIN)
    two = Pkcs11Key("pkcs11:token=archive;object=p256", PIN)
    assert one.sign(bytes(32), "SHA256")
    assert two.sign(bytes(32), "SHA256")
    del one
    gc.collect()
    assert two.sign(bytes(32), "SHA256")


# --- processes ------------------------------------------------------------------------------------

FORK = """
import os, sys, traceback
from dicomseal.keys.signing_key import SigningKey

made = SigningKey("pkcs11:token=archive;object={label}", {file!r}, {pin!r})
assert "pkcs11" not in sys.modules  # nothing is opened, not even imported, before it is used

def work(who):
    value = made.sign(bytes(32), "SHA256")  # verified with the certificate before it comes back
    assert made._key._process == os.getpid()  # a session of its own; SoftHSM would let it pass
    os.write(1, f"{{who}} {{len(value) > 60}}\\n".encode())

def child(who):
    pid = os.fork()
    if not pid:
        try:
            work(who)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid

def wait(*children):
    assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)

wait(child("before"), child("before"))
work("parent")
wait(child("after"), child("after"))
work("parent")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("label", ["rsa", "p256"])
def test_a_key_goes_through_a_fork(hsm, label):
    program = FORK.format(label=label, file=str(hsm.file(label)), pin=PIN)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = ["before"] * 2 + ["parent"] + ["after"] * 2 + ["parent"]
    assert done.stdout.split() == [part for word in words for part in (word, "True")]


def test_a_key_goes_to_another_process(hsm):
    key = Pkcs11Key("pkcs11:token=archive;object=p256", PIN)
    key.sign(bytes(32), "SHA256")
    copied = pickle.loads(pickle.dumps(key))
    assert copied._login is None
    assert copied.sign(bytes(32), "SHA256")


# --- PINs -----------------------------------------------------------------------------------------

URI = "pkcs11:token=archive;object=rsa"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_pin_from_a_file(hsm, tmp_path, mark):
    path = tmp_path / "the pin"
    pki_secret(path, f"{mark}{PIN}\r\nmore\n")
    gc.collect()
    for source in (f"{tmp_path}/the%20pin", f"file:{tmp_path}/the%20pin",
                   f"file://{tmp_path}/the%20pin"):  # fmt: skip
        key = Pkcs11Key(f"{URI}?pin-source={source}", lambda: pytest.fail("it was asked for"))
        assert key.sign(bytes(32), "SHA256")
        del key
        gc.collect()
    path.chmod(0o644)
    with pytest.warns(KeyFileWarning, match="every user can read this file"):
        Pkcs11Key(f"{URI}?pin-source={tmp_path}/the%20pin").sign(bytes(32), "SHA256")
    gc.collect()
    with pytest.raises(KeyFileError, match="pin-source: /nowhere: No such file"):
        logged_out(f"{URI}?pin-source=/nowhere")
    with pytest.raises(UsageError, match="commands are not run"):
        logged_out(f"{URI}?pin-source=%7Ccat%20pin")


def pki_secret(path, text):
    path.write_text(text)
    path.chmod(0o600)


def logged_out(uri, pin=None):
    """Sign in this process after all sessions have ended, so that a PIN is needed again."""
    gc.collect()
    return Pkcs11Key(uri, pin).sign(bytes(32), "SHA256")


def test_a_pin_in_the_clear_is_warned_of(hsm):
    with pytest.warns(KeyFileWarning, match="the PIN is in the URI") as caught:
        assert logged_out(f"{URI}?pin-value={PIN}")
    assert PIN not in str(caught[0].message)


def test_no_pin(hsm):
    with pytest.raises(KeyFileError, match="needs a PIN") as caught:
        logged_out(URI)
    assert caught.value.code == "password"


def test_a_wrong_pin_is_tried_once(hsm, monkeypatch):
    """A token locks itself after a few wrong ones."""
    gc.collect()
    asked, tried = [], []
    real = Pkcs11Key._open_session
    monkeypatch.setattr(
        Pkcs11Key, "_open_session", lambda key, token: tried.append(1) or real(key, token)
    )
    key = Pkcs11Key(URI, lambda: asked.append(1) or "999999")
    for _ in range(3):
        with pytest.raises(KeyFileError, match="the PIN is wrong") as caught:
            key.sign(bytes(32), "SHA256")
        assert (caught.value.code, "999999" in str(caught.value)) == ("password", False)
    assert (asked, tried) == ([1], [1])
    signing = SigningKey(Pkcs11Key(URI, "999999"), hsm.file("rsa"))
    with pytest.raises(KeyFileError) as caught:
        signing.sign(bytes(32), "SHA256")
    assert caught.value.code == "password"


@pytest.mark.parametrize("how", ["env", "file", "uri"])
def test_on_the_command_line(hsm, tmp_path, how):
    (tmp_path / "in.dcm").write_bytes(pki.small())
    pki_secret(tmp_path / "pin", f"{PIN}\n")
    options = {
        "env": ["--key", URI, "--password-env", "HSM_PIN"],
        "file": ["--key", URI, "--password-file", "pin"],
        "uri": ["--key", f"{URI}?pin-value={PIN}"],
    }[how]
    done = subprocess.run(
        [sys.executable, "-m", "dicomseal", "sign", "in.dcm", "out.dcm", *options],
        cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"HSM_PIN": PIN},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert ("the PIN is in the URI" in done.stderr) == (how == "uri")
    assert PIN not in done.stdout + done.stderr
    assert verify(tmp_path / "out.dcm").signatures[0].integrity == "intact"


def test_a_wrong_pin_on_the_command_line(hsm, tmp_path, monkeypatch, capfd):
    gc.collect()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.dcm").write_bytes(pki.small())
    monkeypatch.setenv("HSM_PIN", "99999")
    monkeypatch.setattr(sys, "argv", ["dicomseal", "sign", "in.dcm", "out.dcm", "--key", URI,
                                      "--password-env", "HSM_PIN"])  # fmt: skip
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    assert f"{URI}: the PIN is wrong" in capfd.readouterr().err
    assert not (tmp_path / "out.dcm").exists()


# --- what is not there ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("pkcs11:token=nobody;object=rsa", "no token of this description"),
        ("pkcs11:object=rsa", "2 tokens of this description"),
        ("pkcs11:token=archive;object=nobody", "no private key of this name"),
        ("pkcs11:token=archive;object=twice", "2 private keys of this name"),
        ("pkcs11:token=archive;id=%99", "no private key of this name"),
        ("pkcs11:token=archive;object=rsa;id=%03", "no private key of this name"),
        ("pkcs11:token=archive;manufacturer=Nobody;object=rsa", "no token"),
        ("pkcs11:token=archive;model=Nothing;object=rsa", "no token"),
        ("pkcs11:token=archive;serial=123;object=rsa", "no token"),
        ("pkcs11:token=archive;slot-id=1;object=rsa", "no token"),
        ("pkcs11:token=archive;slot-description=Nothing;object=rsa", "no token"),
        ("pkcs11:token=archive;object=rsa?module-path=/nowhere.so", "/nowhere.so: no PKCS#11"),
        ("pkcs11:token=archive;object=rsa?module-name=nobody", "libnobody.so: no PKCS#11"),
    ],
)
def test_what_is_not_there(hsm, uri, words):
    with pytest.raises(KeyFileError, match=words):
        Pkcs11Key(uri, PIN).sign(bytes(32), "SHA256")


def test_every_attribute_finds_its_token(hsm):
    import pkcs11

    token = pkcs11.lib(hsm.library).get_token(token_label="archive")
    uri = (
        f"pkcs11:token=archive;serial={token.serial.decode()};model=SoftHSM%20v2;"
        f"manufacturer=SoftHSM%20project;slot-id={token.slot.slot_id};type=private;object=rsa;"
        f"id=%01?module-path={hsm.library}&x-other=1"
    )
    assert Pkcs11Key(uri, PIN).sign(bytes(32), "SHA256")


def test_no_library_named(hsm, monkeypatch):
    monkeypatch.delenv(MODULE_VARIABLE)
    with pytest.raises(UsageError, match=f"module-path.*{MODULE_VARIABLE}"):
        Pkcs11Key(URI, PIN).sign(bytes(32), "SHA256")


def test_without_python_pkcs11(monkeypatch):
    real = builtins.__import__

    def importing(name, *args, **kwargs):
        if name.split(".")[0] == "pkcs11":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    for name in [n for n in sys.modules if n.split(".")[0] == "pkcs11"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", importing)
    with pytest.raises(KeyFileError, match=r"pip install dicomseal\[pkcs11\]") as caught:
        Pkcs11Key(URI, PIN).sign(bytes(32), "SHA256")
    assert caught.value.code == "not_installed"


# --- URIs -----------------------------------------------------------------------------------------


def test_a_uri_is_taken_apart():
    pkcs11_uri = Pkcs11Uri(
        "pkcs11:token=The%20Archive%3B;id=%00%ff;object=%C3%A4?pin-value=1%262&module-name=softhsm2"
    )
    assert pkcs11_uri.path == {"token": "The Archive;", "id": b"\0\xff", "object": "ä"}
    assert pkcs11_uri.query == {"pin-value": "1&2", "module-name": "softhsm2"}
    assert pkcs11_uri.module == "libsofthsm2.so"
    assert str(pkcs11_uri) == "pkcs11:token=The%20Archive%3B;id=%00%FF;object=%C3%A4"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("pkcs11:", "names no key"),
        ("pkcs11:token=a", "names no key"),
        ("pkcs11:object=a;object=b", "object occurs twice"),
        ("pkcs11:object=a;type=public", "private key"),
        ("pkcs11:object=a;colour=red", "colour is not known"),
        ("pkcs11:object=a;slot-id=x", "slot-id is a number"),
        ("pkcs11:object=%ff", "object in the PKCS#11 URI is not UTF-8"),
        ("pkcs11:object=a;;id=1", "not understood"),
        ("pkcs11:object", "not understood"),
        ("pkcs11:object=a?pin-source=x&pin-value=1", "not both"),
        ("pkcs11:object=a?pin-value=secret&pin-value=secret", "pin-value occurs twice"),
        ("pkcs11:object=a?pin-value=secret=", "not understood in the PKCS#11 URI: 'pin-value'"),
        ("object=a", "begins with pkcs11:"),
    ],
)
def test_bad_uris(uri, words):
    with pytest.raises(UsageError, match=words) as caught:
        Pkcs11Uri(uri)
    assert "secret" not in str(caught.value)

"""The commands: usage, and sign, remove, dump and demo."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pki
import pytest
from _shelf import PASSWORD, TRUST
from pydicom import dcmread

from dicomseal import __version__, verify
from dicomseal.cli import streams
from dicomseal.errors import UsageError
from dicomseal.signature.certificate import verify_mac

COMMANDS = ["verify", "sign", "remove", "dump", "demo"]


# --- usage ---------------------------------------------------------------------------------------


def test_help(run):
    code, out, _ = run("--help")
    assert code == 0
    assert all(re.search(rf"^  {name} ", out, re.MULTILINE) for name in COMMANDS)
    for name in COMMANDS:
        code, out, _ = run(name, "--help")
        assert code == 0
        assert re.search(rf"Examples?:\s+dicomseal {name}", out)
        assert run(name, "-h")[1] == out
    assert run("--version")[:2] == (0, f"dicomseal {__version__} ({_backend()} backend)\n")


def _backend():
    from dicomseal.canonical import BACKEND

    return BACKEND


@pytest.mark.parametrize(
    "line",
    [
        "", "nope", "verify", "verify --nope x", "verify --format xml x", "verify --require luck x",
        "verify --trust nowhere.pem passed.dcm", "verify --trust passed.dcm passed.dcm",
        "verify --intermediate root.cert.pem passed.dcm", "verify --at yesterday passed.dcm",
        "verify --trust root.cert.pem --intermediate nowhere.pem passed.dcm",
        "verify --at 2026-01-01T00:00:00 passed.dcm", "sign", "sign a", "sign a b",
        "sign unsigned.dcm out.dcm --key rsa.key.pem --cert rsa.cert.pem --tag Nose",
        "sign unsigned.dcm out.dcm --key rsa.key.pem --cert rsa.cert.pem --tag 0010,0000",
        "sign unsigned.dcm out.dcm --key rsa.key.pem --cert rsa.cert.pem --item Nose[0]",
        "sign unsigned.dcm out.dcm --key rsa.key.pem --cert rsa.cert.pem --mac CRC",
        "sign unsigned.dcm out.dcm --key locked.pem --cert rsa.cert.pem --password-env NO_SUCH",
        "sign unsigned.dcm out.dcm --key locked.pem --cert rsa.cert.pem --password-file nowhere",
        "sign unsigned.dcm out.dcm --key locked.pem --cert rsa.cert.pem --password-file passed.dcm",
        "remove passed.dcm out.dcm", "remove passed.dcm out.dcm --all --uid 1.2", "remove a",
        "dump", "demo x", "demo --keep .",
    ],
)  # fmt: skip
def test_usage(run, work, line):
    code, out, err = run(*line.split())
    assert code == 2
    assert out == "" or line == ""
    assert (err or out).strip()
    assert not (work / "out.dcm").exists()


# --- sign, remove, dump, demo --------------------------------------------------------------------
KEY = ("--key", "rsa.key.pem", "--cert", "rsa.cert.pem")


def test_sign_and_remove(run, work, tmp_path):
    out = tmp_path / "out.dcm"
    code, uids, err = run("sign", "unsigned.dcm", out, *KEY)
    assert (code, err) == (0, "")
    assert run("verify", *TRUST, out)[0] == 0
    items = ("--item", "BeamSequence[0]", "--item", "BeamSequence[0].ControlPointSequence[1]")
    code, more, _ = run("sign", out, out, *KEY, "--mac", "SHA512", *items)
    assert (code, len(more.split())) == (0, 2)
    report = verify(out)
    assert sorted(s.uid for s in report.signatures) == sorted(uids.split() + more.split())
    assert run("remove", out, out, "--uid", uids.strip())[:2] == (0, "1 removed, 2 left\n")
    assert run("remove", out, out, "--all")[:2] == (0, "2 removed, 0 left\n")
    assert out.read_bytes() == (work / "unsigned.dcm").read_bytes()
    code, _, err = run("remove", out, out, "--all")
    assert (code, "there is no signature" in err) == (1, True)
    run("sign", "unsigned.dcm", out, *KEY, "--tag", "PatientID", "--tag", "0010,0010")
    assert verify(out).signatures[0].signed_elements == 2


@pytest.mark.parametrize("name", ["sign", "remove"])
def test_nothing_is_left_behind(run, work, tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    os.mkfifo(tmp_path / "fifo")
    before = sorted(os.listdir(tmp_path))
    options = KEY if name == "sign" else ("--all",)
    for target in ("nowhere/x", "file/x", "folder", "fifo"):
        code, out, err = run(name, "passed.dcm", tmp_path / target, *options)
        assert (code, out) == (1, "")
        assert re.match(r"dicomseal: .*: cannot be written: ", err)
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == before
    assert os.listdir(tmp_path / "folder") == []
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--key", "nowhere.pem", "--cert", "rsa.cert.pem"), "nowhere.pem: No such file"),
        (("--key", "rsa.cert.pem", "--cert", "rsa.cert.pem"), "no private key in it"),
        (("--key", "rsa.key.pem", "--cert", "nowhere.pem"), "nowhere.pem: No such file"),
        (("--key", "rsa.key.pem", "--cert", "ec.cert.pem"), "not the one of the certificate"),
        (("--key", "rsa.key.pem"), "there is no certificate"),
        ((*KEY, "--item", "BeamSequence[9]"), "none with number 9"),
        ((*KEY, "--tag", "PatientAge"), "PatientAge (0010,1010) is to be signed and is missing"),
        (("--key", "locked.pem", "--cert", "rsa.cert.pem"), "give --password-env or"),
        (("--key", "locked.pem", "--cert", "rsa.cert.pem", "--password-file", "rsa.key.pem"),
         "locked.pem: the password is wrong"),
    ],
)  # fmt: skip
def test_refusals_of_sign(run, work, monkeypatch, options, said):
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115
    code, out, err = run("sign", "unsigned.dcm", "out.dcm", *options)
    sys.stdin.close()
    assert (code, out) == (1, "")
    assert said in err
    assert not (work / "out.dcm").exists()


def test_passwords(run, work, tmp_path, monkeypatch):
    monkeypatch.setenv("KEY_PASSWORD", PASSWORD)
    for option in (("--password-env", "KEY_PASSWORD"), ("--password-file", "password")):
        line = ("sign", "unsigned.dcm", tmp_path / "x", "--key", "locked.pem", *KEY[2:], *option)
        code, _, err = run(*line)
        assert (code, err) == (0, "")


def piped(data, *line):
    done = subprocess.run(
        [sys.executable, "-m", "dicomseal", *map(os.fspath, line)], input=data, capture_output=True
    )
    assert b"Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr.decode()


def test_standard_input_and_output(run, work):
    plain = Path("unsigned.dcm").read_bytes()
    code, signed, uid = piped(plain, "sign", "-", "-", *KEY)
    (report,) = verify(signed, integrity_only=True).signatures
    assert (code, uid) == (0, f"{report.uid}\n")
    code, said, _ = piped(signed, "verify", *TRUST, "-", "--format", "json")
    assert (code, json.loads(said)["verdict"], json.loads(said)["path"]) == (0, "passed", "-")
    code, said, _ = piped(signed, "verify", *TRUST, "-", "failed.dcm", "--jobs", "2")
    assert code == 1
    assert [line.split() for line in said.decode().splitlines() if line[0] != " "] == [
        ["passed", "-"], ["failed", "failed.dcm"], ["2", "objects:", "1", "passed,", "1", "failed"],
    ]  # fmt: skip
    code, back, said = piped(signed, "remove", "-", "-", "--all")
    assert (code, back, said) == (0, plain, "1 removed, 0 left\n")
    for options in ([], ["--raw"]):
        expected = run("dump", "passed.dcm", *options)[1].encode("latin-1")
        data = Path("passed.dcm").read_bytes()
        assert piped(data, "dump", "-", *options)[:2] == (0, expected)


def test_what_goes_wrong_on_standard_input_and_output(run, work):
    assert not Path("-").exists()
    for line, code in (
        (("verify", "-", "-"), 2), (("verify", "-"), 4), (("sign", "-", "-", *KEY), 1),
        (("remove", "-", "-", "--all"), 1), (("remove", "unsigned.dcm", "-", "--all"), 1),
        (("dump", "-"), 1),
    ):  # fmt: skip
        done, out, err = piped(b"no DICOM", *line)
        assert (done, out if line[0] != "verify" else b"") == (code, b""), err
    assert not Path("-").exists()
    assert piped(b"", "verify", "-")[0] == 4


def test_no_object_is_written_to_a_terminal(monkeypatch):
    class Terminal(io.BytesIO):
        def isatty(self):
            return True

    for there in (Terminal(), None):
        monkeypatch.setattr(sys, "stdout", there)
        with pytest.raises(UsageError, match="to a terminal"):
            streams.Target("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="no standard input"):
        streams.source_of("-")


def test_a_password_file_of_windows(run, work, tmp_path):
    pki.secret(tmp_path / "password", b"\xef\xbb\xbf" + PASSWORD.encode() + b"\r\n")
    line = ("sign", "unsigned.dcm", tmp_path / "x", "--key", "locked.pem", *KEY[2:])
    assert run(*line, "--password-file", tmp_path / "password")[::2] == (0, "")


@pytest.mark.parametrize("name", ["sha512", "Sha512", "SHA512"])
def test_the_name_of_a_hash_in_any_case(run, work, tmp_path, name):
    assert run("sign", "unsigned.dcm", tmp_path / "x", *KEY, "--mac", name)[0] == 0
    (report,) = verify(tmp_path / "x", integrity_only=True).signatures
    assert (report.mac_algorithm, report.integrity) == ("SHA512", "intact")


@pytest.mark.parametrize("length", ["80", "8120", "820400", "83010000", "8401000000"])
def test_a_cms_envelope_is_named(run, work, tmp_path, length):
    """A Secure DICOM File is one (PS3.10 Section 7.4)."""
    start = bytes.fromhex(f"30{length}06092A864886F70D010703A0")
    (tmp_path / "x").write_bytes(start + pki.small())
    code, out, _ = run("verify", tmp_path / "x")
    assert (code, "a CMS (PKCS #7) envelope" in out) == (4, True)
    (tmp_path / "x").write_bytes(start.replace(b"\x06\x09", b"\x02\x09") + pki.small())
    assert "CMS" not in run("verify", tmp_path / "x")[1]


def test_dump(run, work):
    code, out, _ = run("dump", "passed.dcm")
    assert code == 0
    assert out.startswith("00000000 (0008,0016) UI 26 SOPClassUID")
    assert "(0010,0010) PN 8 PatientName" in out
    size = int(re.search(r"-- (\d+) bytes\n$", out)[1])
    raw = run("dump", "--raw", "passed.dcm")[1].encode("latin-1")
    assert len(raw) == size
    value = dcmread("passed.dcm").DigitalSignaturesSequence[0].Signature
    assert verify_mac(pki.key("rsa").public_key(), sha256(raw).digest(), "SHA256", value)
    uid = verify("passed.dcm").signatures[0].uid
    assert run("dump", "--uid", uid, "passed.dcm")[1] == out
    assert run("dump", "--uid", "1.2.3", "passed.dcm")[::2] == (
        1, "dicomseal: passed.dcm: no signature has the UID 1.2.3\n",
    )  # fmt: skip
    assert run("dump", "unsigned.dcm")[0] == 0


def test_demo(run, tmp_path):
    code, out, err = run("demo", "--keep", tmp_path / "demo")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "6 objects: 5 passed, 1 failed"
    assert "HASH_FAILURE" in out
    assert stat.S_IMODE((tmp_path / "demo" / "key.pem").stat().st_mode) == 0o600
    assert len(list((tmp_path / "demo").glob("*.dcm"))) == 6

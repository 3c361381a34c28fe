"""The command line: exit codes, formats, bad input, pipes and terminals."""

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
from cryptography.hazmat.primitives import serialization as form
from pydicom import dcmread

from dicomseal import __version__, sign_file, verify
from dicomseal.cli import streams
from dicomseal.errors import UsageError
from dicomseal.signature.certificate import verify_mac

COMMANDS = ["verify", "sign", "remove", "dump", "demo"]
PASSWORD = "correct horse"


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """A folder with keys, and one object for each verdict (with the root as anchor)."""
    folder = tmp_path_factory.mktemp("shelf")
    for name in ("root", "intermediate", "rsa", "ec", "below", "other"):
        pki.member(name).write(folder)
    (folder / "unsigned.dcm").write_bytes(pki.small())
    for name, who in (("passed", "rsa"), ("indeterminate", "other"), ("below", "below")):
        sign_file(folder / "unsigned.dcm", folder / f"{name}.dcm", *pki.member(who).pair)
    good = (folder / "passed.dcm").read_bytes()
    (folder / "failed.dcm").write_bytes(good.replace(b"Doe^John", b"Doe^Jane"))
    (folder / "error.dcm").write_bytes(good[:-9])
    locked = pki.key("rsa").private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8,
        form.BestAvailableEncryption(PASSWORD.encode()),
    )  # fmt: skip
    pki.secret(folder / "locked.pem", locked)
    pki.secret(folder / "password", f"{PASSWORD}\r\nmore\n".encode())
    return folder


@pytest.fixture
def work(shelf, monkeypatch):
    monkeypatch.chdir(shelf)
    return shelf


# --- verify: exit codes --------------------------------------------------------------------------

TRUST = ("--trust", "root.cert.pem")
# verdicts of the objects -> exit code, with --require signature
EXITS = {
    "passed": (0, 0), "failed": (1, 1), "indeterminate": (3, 3), "unsigned": (0, 1),
    "error": (4, 4), "passed unsigned": (0, 1), "passed indeterminate": (3, 3),
    "passed error": (4, 4), "passed failed": (1, 1), "failed error": (1, 1),
    "error failed": (1, 1), "failed indeterminate": (1, 1), "indeterminate unsigned": (3, 1),
    "indeterminate error": (4, 4), "unsigned error": (4, 1),
    "passed unsigned indeterminate error": (4, 1),
    "passed unsigned indeterminate error failed": (1, 1),
}  # fmt: skip


@pytest.mark.parametrize(("verdicts", "codes"), EXITS.items(), ids=EXITS)
def test_exit_codes(run, work, verdicts, codes):
    paths = [f"{verdict}.dcm" for verdict in verdicts.split()]
    for options, code in (((), codes[0]), (("--require", "signature"), codes[1])):
        found, out, err = run("verify", *TRUST, *options, *paths)
        assert (found, err) == (code, "")
        shown = [line.split()[0] for line in out.splitlines() if re.match(r"\w+ +\S+\.dcm$", line)]
        expected = ["failed" if v == "unsigned" and options else v for v in verdicts.split()]
        assert shown == expected


@pytest.mark.parametrize(
    ("options", "path", "code"),
    [
        ((), "passed.dcm", 3),
        (("--integrity-only",), "passed.dcm", 0),
        (("--integrity-only",), "indeterminate.dcm", 0),
        (("--integrity-only",), "failed.dcm", 1),
        (("--trust-signer", "other.cert.pem"), "indeterminate.dcm", 0),
        (TRUST, "below.dcm", 3),
        ((*TRUST, "--intermediate", "intermediate.cert.pem"), "below.dcm", 0),
        ((*TRUST, "--at", "2001-01-01T00:00:00Z"), "passed.dcm", 3),
        ((*TRUST, "--at", "9999-12-31T23:59:59-12:00"), "passed.dcm", 3),
        ((*TRUST, "--accept-legacy-format"), "passed.dcm", 0),
    ],
)
def test_options_of_verify(run, work, options, path, code):
    assert run("verify", *options, path)[0] == code


# --- verify: formats -----------------------------------------------------------------------------


def test_text(run, work):
    _, out, _ = run("verify", *TRUST, "passed.dcm")
    for said in ("passed        passed.dcm", "CN=Test rsa", "intact (6 elements signed, 0 not)",
                 "trusted", "MAC SHA256", "RSA 2048, issued by CN=Test root"):  # fmt: skip
        assert said in out
    _, out, _ = run("verify", *TRUST, "failed.dcm", "error.dcm", "indeterminate.dcm")
    for said in ("HASH_FAILURE: ", "NO_CERTIFICATE_CHAIN_FOUND: ", "truncated: "):
        assert said in out
    assert out.splitlines()[-1] == "3 objects: 1 failed, 1 indeterminate, 1 error"


def test_json(run, work):
    one = json.loads(run("verify", *TRUST, "--format", "json", "passed.dcm")[1])
    assert (one["path"], one["verdict"]) == ("passed.dcm", "passed")
    plain = json.loads(verify("passed.dcm").to_json())
    said, without = one["signatures"][0], plain["signatures"][0]
    of_trust = {"verdict": "", "signatures": [], "covered_elements": 0, "uncovered_elements": 0,
                "remedy": None}  # fmt: skip
    assert one | of_trust == plain | of_trust
    judged = {"trust": "trusted", "judged_at": said["judged_at"], "judged_by": "validation"}
    assert said == without | judged
    assert (without["judged_at"], without["judged_by"]) == (None, None)
    two = json.loads(run("verify", "--format", "json", "passed.dcm", "error.dcm")[1])
    assert [o["verdict"] for o in two] == ["indeterminate", "error"]
    assert two[1]["error"]["code"] == "truncated"
    lines = run("verify", "--format", "jsonl", "passed.dcm", "error.dcm")[1].splitlines()
    assert [json.loads(line) for line in lines] == two


def test_folders(run, work, tmp_path):
    tree = tmp_path / "tree"
    for place in ("b.dcm", "a/2.dcm", "a/10.dcm", "a/deep/er/x"):
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        (tree / place).write_bytes(pki.small())
    (tree / "empty").mkdir()
    (tree / "a" / "round").symlink_to(tree)
    code, out, err = run("verify", "--format", "json", tree)
    found = json.loads(out)
    assert [os.path.relpath(o["path"], tree) for o in found if o["verdict"] == "unsigned"] == [
        "b.dcm", "a/10.dcm", "a/2.dcm", "a/deep/er/x",
    ]  # fmt: skip
    # a link to a folder is not walked, and not passed over in silence; `archive verify` does so too
    assert (code, len(found)) == (0, 4)
    said = "dicomseal: passed over, not verified: links to folders (1)\ndicomseal:   {}\n"
    assert err == said.format(tree / "a" / "round")
    (tree / "a" / "round").unlink()
    code, out, err = run("verify", tree)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "4 objects: 4 unsigned"
    code, out, _ = run("verify", "--format", "json", tree / "empty")
    assert (code, json.loads(out)[0]["error"]["code"]) == (4, "empty_folder")
    assert len(json.loads(run("verify", "--format", "json", tree / "a" / "deep")[1])) == 1


def test_a_folder_that_cannot_be_read_does_not_end_the_walk(run, work, tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.dcm").write_bytes(pki.small())
    real = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("b"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    code, out, _ = run("verify", "--format", "json", tmp_path)
    assert code == 4
    assert [o["verdict"] for o in json.loads(out)] == ["unsigned", "error", "unsigned"]


@pytest.mark.parametrize("output", ["text", "json", "jsonl"])
def test_hostile_names(run, work, tmp_path, output):
    """No UTF-8, commands to the terminal, a line of another verdict."""
    (tmp_path / "x").mkdir()
    for name in (b"\xff", b"a\x1b[2J", b"b\npassed  good"):
        with open(os.path.join(os.fsencode(tmp_path), b"x", name), "wb") as file:
            file.write(b"no DICOM")
    code, out, _ = run("verify", "--format", output, tmp_path / "x")
    assert code == 4
    assert "\x1b" not in out
    assert "\npassed" not in out
    assert "\\xff" in out


# --- verify: what cannot be read -----------------------------------------------------------------


def test_unreadable(run, work, tmp_path):
    (tmp_path / "dangling").symlink_to("/nowhere")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "nothing").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"not DICOM\n" * 99)
    for path, code, said in (
        ("nowhere.dcm", "not_found", "No such file"),
        ("passed.dcm/x", "unreadable", "Not a directory"),
        (tmp_path / "dangling", "not_found", "No such file"),
        (tmp_path / "loop", "unreadable", "symbolic links"),
        (tmp_path / "fifo", "unreadable", "not a regular file"),
        ("/dev/null", "unreadable", "not a regular file"),
        (tmp_path / "nothing", "empty", "the file is empty"),
        (tmp_path / "text", "not_dicom", "not DICOM"),
        ("", "not_found", "No such file"),
        ("x" * 5000, "unreadable", "too long"),
    ):
        found, out, err = run("verify", path)
        assert (found, err) == (4, "")
        assert f"{code}: " in out
        assert said in out


@pytest.mark.parametrize("name", ["verify", "sign", "remove", "dump"])
def test_cut_anywhere(run, work, tmp_path, name):
    data = (work / "passed.dcm").read_bytes()
    cut, out = tmp_path / "cut.dcm", tmp_path / "out.dcm"
    more = {"sign": [out, "--key", "rsa.key.pem", "--cert", "rsa.cert.pem"],
            "remove": [out, "--all"]}  # fmt: skip
    sizes = {0, 1, 127, 128, 131, 132, 133, *range(134, len(data), len(data) // 40), len(data) - 1}
    for size in sorted(sizes):
        cut.write_bytes(data[:size])
        code, said, err = run(name, cut, *more.get(name, ()))
        whole = verify(cut).verdict != "error"
        if name == "verify":
            assert code in ((3, 1, 0) if whole else (4,))
        elif not whole:
            assert (code, said) == (1, "")
            assert re.match(r"dicomseal: .+\n$", err)
            assert os.listdir(tmp_path) == ["cut.dcm"]
        out.unlink(missing_ok=True)


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
    (made,) = verify(signed, integrity_only=True).signatures
    assert (code, uid) == (0, f"{made.uid}\n")
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
    (made,) = verify(tmp_path / "x", integrity_only=True).signatures
    assert (made.mac_algorithm, made.integrity) == ("SHA512", "intact")


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

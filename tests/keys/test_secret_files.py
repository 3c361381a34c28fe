"""Nothing of a key or a password is in what we say, log, raise or leave behind."""

from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import warnings

import pki
import pydicom
import pytest
from cryptography.hazmat.primitives import serialization as form

from dicomseal import sign, sign_file, verify
from dicomseal.errors import DicomSealError, KeyFileWarning
from dicomseal.keys.key_files import load_key
from dicomseal.keys.signing_key import SigningKey
from dicomseal.signing.policy import STRONG
from dicomseal.signing.request import SigningOptions, request_of

PASSWORD = "Sentinel-Passw0rd"
ODD = PASSWORD + "\udcff"  # cannot be written as UTF-8
KEY, CERT = pki.member("rsa").pair
PEM, DER, PKCS8 = form.Encoding.PEM, form.Encoding.DER, form.PrivateFormat.PKCS8
PLAIN = KEY.private_bytes(PEM, PKCS8, form.NoEncryption())
LOCKED = KEY.private_bytes(PEM, PKCS8, form.BestAvailableEncryption(PASSWORD.encode()))
NUMBERS = KEY.private_numbers()


def sentinels():
    """The password, the lines of the PEM files, the numbers of the key in several writings."""
    found = [PASSWORD, PASSWORD.encode().hex()]
    found += PLAIN.decode().split()[3:-3] + LOCKED.decode().split()[4:-4]
    for number in (NUMBERS.d, NUMBERS.p, NUMBERS.q):
        raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
        found += [str(number), f"{number:x}", f"{number:X}", repr(raw)[2:-1], raw[5:40].hex()]
    return found


SENTINELS = sentinels()


def leaks(text):
    return [secret for secret in SENTINELS if secret in text]


def all_of(error):
    """All that is said by an exception and by those it carries, shown or not."""
    said = "".join(traceback.format_exception(error))
    seen = set()
    pending = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        said += f"{one!s}{one!r}{one.args!r}{vars(one)!r}{getattr(one, '__notes__', '')}"
        said += repr([getattr(one, n, None) for n in ("object", "filename", "filename2")])
        pending += [one.__cause__, one.__context__]
    return said


@pytest.fixture
def shelf(tmp_path):
    """A folder with an object, keys that only the owner can read, and a certificate."""
    (tmp_path / "in.dcm").write_bytes(pki.small())
    pki.secret(tmp_path / "plain.pem", PLAIN)
    pki.secret(tmp_path / "plain.der", KEY.private_bytes(DER, PKCS8, form.NoEncryption()))
    pki.secret(tmp_path / "locked.pem", LOCKED)
    pki.secret(tmp_path / "cut.pem", PLAIN[:-300])
    pki.secret(tmp_path / "damaged.pem", PLAIN.replace(b"\nM", b"\n!", 1)[:-200] + PLAIN[-200:])
    pki.secret(tmp_path / "both.pem", PLAIN + CERT.public_bytes(PEM))
    pki.secret(tmp_path / "password", PASSWORD.encode() + b"\n")
    pki.secret(tmp_path / "cert.pem", CERT.public_bytes(PEM))  # some take it for a key
    (tmp_path / "other.pem").write_bytes(pki.member("rsa two").certificate.public_bytes(PEM))
    return tmp_path


def test_the_test_finds_what_it_looks_for():
    assert len(SENTINELS) > 50
    assert leaks(f"x{PASSWORD}x") == [PASSWORD]
    assert leaks(PLAIN.decode())
    assert leaks(str(NUMBERS.d))
    try:
        ODD.encode()
    except UnicodeEncodeError as error:
        hidden = error
    assert leaks(all_of(hidden)) == [PASSWORD]
    try:
        open(PLAIN.decode(), "rb")  # noqa: SIM115
    except OSError as error:
        assert leaks(all_of(error))


# --- exceptions ----------------------------------------------------------------------------------

# name: (key, certificate, password); texts ending in .pem or .der are files of the shelf
WRONG = {
    "wrong password": ("locked.pem", "cert.pem", PASSWORD + "!"),
    "wrong password in bytes": ("locked.pem", "cert.pem", PASSWORD.encode() + b"!"),
    "wrong password from a function": ("locked.pem", "cert.pem", lambda: PASSWORD + "!"),
    "password that cannot be encoded": ("locked.pem", "cert.pem", ODD),
    "password of a wrong type": ("locked.pem", "cert.pem", [PASSWORD]),
    "no password": ("locked.pem", "cert.pem", None),
    "cut": ("cut.pem", "cert.pem", PASSWORD),
    "damaged": ("damaged.pem", "cert.pem", PASSWORD),
    "other certificate": ("plain.pem", "other.pem", PASSWORD),
    "no certificate": ("plain.pem", None, PASSWORD),
    "key as certificate": ("plain.pem", "plain.pem", PASSWORD),
    "der key as certificate": ("plain.pem", "plain.der", PASSWORD),
    "certificate as key": ("cert.pem", "cert.pem", PASSWORD),
    "text as path": (PLAIN.decode(), "cert.pem", None),
    "short text as path": (PLAIN.decode()[:200], "cert.pem", None),
    "locked text as path": (LOCKED.decode(), "cert.pem", PASSWORD),
    "text with NUL as path": (PLAIN.decode() + "\0", "cert.pem", None),
    "numbers as path": (repr(NUMBERS.d), "cert.pem", None),
    "text as certificate": ("plain.pem", PLAIN.decode(), None),
    "short text as certificate": ("plain.pem", PLAIN.decode()[:200], None),
    "bytes as key": (PLAIN, "cert.pem", None),
    "bytes as certificate": ("plain.pem", PLAIN, None),
    "numbers as key": (NUMBERS, "cert.pem", None),
    "key object as certificate": ("plain.pem", KEY, None),
}  # fmt: skip


def on_the_shelf(shelf, value):
    return str(shelf / value) if isinstance(value, str) and value[-4:-3] == "." else value


@pytest.mark.parametrize("name", WRONG)
def test_no_exception_tells(shelf, name):
    key, cert, password = (on_the_shelf(shelf, value) for value in WRONG[name])
    calls = [
        lambda: SigningKey(key, cert, password),
        lambda: sign_file(shelf / "in.dcm", shelf / "out.dcm", key, cert, password=password),
        lambda: sign(pydicom.dcmread(shelf / "in.dcm"), key, cert, password=password),
    ]
    if isinstance(key, str) and "certificate" not in name:
        calls.append(lambda: load_key(key, password))
    for call in calls:
        with pytest.raises(DicomSealError) as caught:
            call()
        assert leaks(all_of(caught.value)) == []
    assert not (shelf / "out.dcm").exists()


def test_a_path_is_named_and_a_text_is_not(shelf):
    for path, shown in (
        (shelf / "nö where.pem", "nö where.pem: No such file or directory"),
        (PLAIN.decode(), f"(a text of {len(PLAIN)} characters that is not shown): "),
    ):
        with pytest.raises(DicomSealError) as caught:
            load_key(path)
        assert shown in str(caught.value)


def test_no_repr_log_or_report_tells(shelf, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    key = SigningKey(shelf / "locked.pem", shelf / "cert.pem", PASSWORD)
    request = request_of(str(shelf / "locked.pem"), CERT, PASSWORD, SigningOptions(policy=STRONG))
    sign_file(shelf / "in.dcm", shelf / "out.dcm", shelf / "both.pem", shelf / "both.pem")
    data = (shelf / "out.dcm").read_bytes()
    report = verify(shelf / "out.dcm", integrity_only=True)
    assert report.verdict == "passed"
    out, err = capfd.readouterr()
    said = f"{key!r}{vars(key)!r}{request!r}{report!r}{report.to_json()!r}{caplog.text}{out}{err}"
    assert leaks(said) == []
    assert not [s for s in SENTINELS if s.encode() in data]
    assert NUMBERS.p.to_bytes(128, "big") not in data


# --- the command ---------------------------------------------------------------------------------


def command(shelf, *arguments, **options):
    done = subprocess.run(
        [sys.executable, "-m", "dicomseal", *map(str, arguments)],
        cwd=shelf, capture_output=True, text=True, check=False, timeout=60,
        stdin=subprocess.DEVNULL, **options,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


LINES = {
    "a wrong password": ("--password-env", "WRONG"),
    "a password that is no UTF-8": ("--password-env", "ODD"),
    "the password as a name": ("--password-env", PASSWORD),
    "the password as a path": ("--password-file", PASSWORD),
    "a key as the password": ("--password-file", "plain.pem"),
    "an option there is not": ("--password", PASSWORD),
    "an option there is not, joined": (f"--password={PASSWORD}",),
    "an option there is not, short": (f"-p{PASSWORD}",),
    "no password": (),
}


@pytest.mark.parametrize("name", LINES)
def test_no_message_tells(shelf, name):
    key = ("--key", "locked.pem", "--cert", "cert.pem")
    env = os.environb | {b"WRONG": PASSWORD.encode() + b"!", b"ODD": PASSWORD.encode() + b"\xff"}
    done = command(shelf, "sign", "in.dcm", "out.dcm", *key, *LINES[name], env=env)
    assert done.returncode in (1, 2)
    assert done.stderr
    assert leaks(done.stdout + done.stderr) == []


def test_a_password_that_is_no_utf8_opens_its_key(shelf):
    odd = form.BestAvailableEncryption(PASSWORD.encode() + b"\xff")
    pki.secret(shelf / "odd.pem", KEY.private_bytes(PEM, PKCS8, odd))
    key = ("--key", "odd.pem", "--cert", "cert.pem", "--password-env", "ODD")
    env = os.environb | {b"ODD": PASSWORD.encode() + b"\xff"}
    assert command(shelf, "sign", "in.dcm", "out.dcm", *key, env=env).returncode == 0


def test_no_option_takes_a_password():
    from dicomseal.cli import sign as module

    options = {option for p in module.command.params for option in p.opts if "pass" in option}
    assert options == {"--password-env", "--password-file"}


# --- files that others can read ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "said"),
    [(0o400, None), (0o600, None), (0o700, None), (0o711, None), (0o640, "its group can read"),
     (0o660, "its group can read"), (0o604, "every user can read"), (0o644, "every user can read"),
     (0o620, "its group can write"), (0o602, "every user can write")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["plain.pem", "locked.pem", "plain.der"])
def test_a_key_that_others_can_read(shelf, name, mode, said):
    (shelf / name).chmod(mode)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_key(shelf / name, PASSWORD)
    assert [warning.category for warning in caught] == [KeyFileWarning] * (said is not None)
    for warning in caught:
        assert str(warning.message).startswith(f"{shelf / name}: {said} this file")
        assert f"mode {mode:04o}" in str(warning.message)


def test_the_library_warns_once_for_a_file(shelf):
    program = """
        from dicomseal import sign_file
        for target in "abc":
            sign_file("in.dcm", target, "plain.pem", "cert.pem")
        sign_file("in.dcm", "d", "plain.der", "cert.pem")
    """
    for name in ("plain.pem", "plain.der"):
        (shelf / name).chmod(0o644)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=shelf, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr.count("KeyFileWarning: plain.pem: every user can read") == 1
    assert done.stderr.count("KeyFileWarning: plain.der: every user can read") == 1


@pytest.mark.parametrize("python", ["default", "ignore", "error"])
def test_the_command_warns_whatever_python_was_told(shelf, python):
    (shelf / "locked.pem").chmod(0o640)
    (shelf / "password").chmod(0o644)
    key = ("--key", "locked.pem", "--cert", "cert.pem", "--password-file", "password")
    env = os.environ | {"PYTHONWARNINGS": f"{python}::UserWarning"}
    done = command(shelf, "sign", "in.dcm", "out.dcm", *key, env=env)
    assert done.returncode == 0
    assert done.stderr == (
        "dicomseal: warning: locked.pem: its group can read this file, and it holds a secret "
        "(mode 0640; chmod 600 shuts them out)\n"
        "dicomseal: warning: password: every user can read this file, and it holds a secret "
        "(mode 0644; chmod 600 shuts them out)\n"
    )
    assert done.stdout.startswith("2.25.")


def test_other_warnings_are_left_alone():
    program = (
        "import warnings; from dicomseal.cli.guard import secrets_at_hand\n"
        "with secrets_at_hand(): warnings.warn('something else', UserWarning, stacklevel=1)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "<string>:2: UserWarning: something else\n" in done.stderr


# --- core dumps ----------------------------------------------------------------------------------


def crash(shelf, arguments):
    """Start a program that waits for its key on a FIFO, then crash it: limits, and its status."""
    fifo = shelf / "fifo"
    os.mkfifo(fifo, 0o600)
    child = subprocess.Popen(
        [sys.executable, *arguments], cwd=shelf, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard(), hard())),
    )  # fmt: skip
    writer = os.open(fifo, os.O_RDWR)  # the command can open it, and waits for bytes
    try:
        end = time.monotonic() + 30
        while not waits_for(child.pid, fifo):
            assert time.monotonic() < end, "it never opened its key"
            time.sleep(0.02)
        with open(f"/proc/{child.pid}/limits") as lines:
            (limits,) = (line.split()[4:6] for line in lines if line.startswith("Max core"))
        os.kill(child.pid, signal.SIGABRT)
        _, status = os.waitpid(child.pid, 0)
        child.returncode = status
    finally:
        os.close(writer)
        fifo.unlink()
    assert os.WTERMSIG(status) == signal.SIGABRT
    return limits, os.WCOREDUMP(status)


def hard():
    return resource.getrlimit(resource.RLIMIT_CORE)[1]


def waits_for(pid, path):
    try:
        names = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
    except FileNotFoundError:
        return False
    return str(path) in names


@pytest.mark.skipif(not os.path.exists("/proc/self/limits"), reason="needs Linux's /proc")
def test_a_crash_leaves_no_core(shelf):
    program = [
        "-m",
        "dicomseal",
        "sign",
        "in.dcm",
        "out.dcm",
        "--key",
        "fifo",
        "--cert",
        "cert.pem",
    ]
    before = set(os.listdir(shelf))
    limits, dumped = crash(shelf, program)
    assert limits[0] in ("1", "0")
    assert not dumped
    assert set(os.listdir(shelf)) == before
    # and without the limit, the same crash does leave one, where this machine lets any process
    limits, dumped = crash(shelf, ["-c", "open('fifo').read()"])
    if not dumped:
        pytest.skip(f"no core from an unprotected process either here (limits {limits})")


@pytest.mark.parametrize("start", [(0, 0), (0, 4096), (4096, 4096)])
def test_the_limit_from_any_start(start):
    program = (
        f"import resource as r; r.setrlimit(r.RLIMIT_CORE, {start});"
        "from dicomseal.cli.guard import no_core_dump; no_core_dump(); no_core_dump();"
        "print(r.getrlimit(r.RLIMIT_CORE))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == f"({min(1, start[1])}, {start[1]})\n", done.stderr


def test_a_key_from_a_pipe_draws_no_warning(shelf):
    """The permissions of a pipe say nothing about who can read what goes through it."""
    fifo = shelf / "fifo"
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    writer = threading.Thread(target=fifo.write_bytes, args=(PLAIN,))
    writer.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_key(fifo)[0].key_size == 2048
    writer.join()

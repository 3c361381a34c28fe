"""dicomseal-dcmsign without dcmsign at hand: the parser, standard input and output, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import _chains
import pki
import pytest
import tsa
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from dicomseal import dcmsign, sign_file, verify
from dicomseal.dcmsign import details, options, tagnames
from dicomseal.dcmsign.exits import Exit, ExitError
from dicomseal.dcmsign.job import parse_job
from dicomseal.dcmsign.parser import parse
from dicomseal.errors import UsageError

RSA = pki.member("rsa")
PROGRAM = [sys.executable, "-c", "from dicomseal.dcmsign import main; main()"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    key, certificate = RSA.write(tmp_path)
    os.rename(key, "key.pem")
    os.rename(certificate, "cert.pem")
    pki.member("root").write(tmp_path)
    (tmp_path / "in.dcm").write_bytes(pki.small())
    sign_file("in.dcm", "signed.dcm", "key.pem", "cert.pem")
    return tmp_path


def program(*arguments, **given):
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, **given)


# --- the command line ----------------------------------------------------------------------------


def test_names_are_unique():
    names = [n for o in options.ALL for n in (o.long, o.short) if n]
    assert len(names) == len(set(names)) == len(options.BY_NAME)


def test_help_names_every_option(capsys):
    assert dcmsign.run(["--help"]) == 0
    shown = capsys.readouterr().out.split()
    assert [n for n in options.BY_NAME if n not in shown] == []


@pytest.mark.parametrize(
    ("argv", "names", "found"),
    [
        ("+mr +m2 x", ("--mac-ripemd160", "--mac-sha256"), ["--mac-ripemd160", "--mac-sha256"]),
        ("+m2 +mr x", ("--mac-ripemd160", "--mac-sha256"), ["--mac-ripemd160"]),
        ("+m2 +mr +m2 x", ("--mac-ripemd160", "--mac-sha256"), ["--mac-ripemd160", "--mac-sha256"]),
        ("x", ("--mac-ripemd160", "--mac-sha256"), []),
    ],
)
def test_options_that_exclude_one_another(argv, names, found):
    assert [name for name, _ in parse(argv.split()).block(*names)] == found


def test_what_is_a_parameter():
    assert parse(["-", "-5", "+1.dcm"][:2]).parameters == ["-", "-5"]
    assert parse(["@"]).parameters == ["@"]
    # a value may look like an option
    assert parse(["+pw", "-q", "x"]).given[0].values == ("-q",)


def test_a_command_file_is_not_read_for_others(folder):
    (folder / "a").write_text("+cf 'a b' \"c d\"\n@b")
    assert parse(["@a"]).arguments == ["--add-cert-file", "a b", "c d", "@b"]


@pytest.mark.parametrize(
    ("argv", "field", "value"),
    [
        ("x", "operation", "--verify"),
        ("x", "mac", "RIPEMD160"),
        ("+s k c x y", "mac", "RIPEMD160"),
        ("+s k c x y +m5", "mac", "SHA512"),
        ("x", "undefined", False),
        ("-e x", "undefined", True),
        ("-e +e x", "undefined", False),
        ("+s k c x y", "password", None),
        ("+s k c -pw x y", "password", ""),
        ("+s k c -pw +pw p x y", "password", "p"),
        ("+s k c +sp 7 x y", "purpose", 7),
        ("+s k c +pr x y", "profile", "sr"),
        ("+s k c +ts q u x y", "stamp_mac", "SHA256"),
        ("+s k c +ts q u -tn x y", "stamp_nonce", False),
        ("+s k c +ts q u +tp 1.2 -tp x y", "stamp_policy", None),
        ("-q x", "level", "fatal"),
        ("-ll DEBUG x", "level", "debug"),
        ("+rg +rv x", "require", ""),
        ("+rv +rs x", "require", "sr"),
    ],
)
def test_what_is_to_be_done(argv, field, value):
    assert getattr(parse_job(parse(argv.split())), field) == value


BEAM, POINT = "BeamSequence", "ControlPointSequence"


@pytest.mark.parametrize(
    "text",
    [f"{BEAM}[-1]", "300a,00b0[0]", BEAM, "", f"{BEAM}[0].", f"{BEAM}[0]{POINT}[1]", f"{BEAM}[x]",
     f"{BEAM}[0] .{POINT}[0]", "(300a ,00b0)[0]", "()[0]", "Nonsense[0]", f"{BEAM}[0].."],
)  # fmt: skip
def test_locations_are_dcmsigns(text):
    with pytest.raises(UsageError):
        tagnames.location(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{BEAM}[0]", "(300A,00B0)[0]"),
        (f" {BEAM} [0]. {POINT}\t[12]\n", "(300A,00B0)[0].(300A,0111)[12]"),
        ("(0x300a, 0xB0 and more)[00]", "(300A,00B0)[00]"),
    ],
)
def test_locations(text, found):
    assert tagnames.location(text) == found


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("10,10", 0x00100010),
        (" +0x10, 0X20x", 0x00100020),
        ("-10,10", 0xFFF00010),
        ("10010,12340020", 0x00100020),
        ("f" * 17 + ",10", 0xFFFF0010),
        ("OverlayData", 0x60003000),
        ("RETIRED_AcquisitionComments", 0x00184000),
    ],
)
def test_tags_are_read_as_scanf_does(name, tag):
    assert tagnames.tags_of(None, [name]) == (tag,)


@pytest.mark.parametrize("name", ["10 ,10", "10", "x,10", "", "0x,10", "RETIRED_Nonsense"])
def test_no_tags(name):
    with pytest.raises(ExitError) as caught:
        tagnames.tags_of(None, [name])
    assert caught.value.code == Exit.COMMAND_LINE


def test_a_tag_file_and_tags(folder):
    (folder / "t").write_bytes(b"PatientID(0010,0010)\x0b\nModality\0Nonsense")
    assert tagnames.tags_of("t", ["0008,0060"]) == (0x00100020, 0x00100010, 0x00080060, 0x00080060)
    assert tagnames.tags_of(None, []) is None
    (folder / "t").write_bytes(b"\0PatientID")
    assert tagnames.tags_of("t", []) == ()


# --- streams -------------------------------------------------------------------------------------


def test_standard_input_and_output(folder):
    done = program("+s", "key.pem", "cert.pem", "+m2", "-", "-", input=pki.small())
    assert (done.returncode, done.stderr) == (0, b"")
    assert verify(done.stdout, integrity_only=True).verdict == "passed"
    again = program("+cf", "root.cert.pem", "+rg", "-", input=done.stdout)
    assert again.returncode == 0, again.stderr
    assert b"Signature Verification : OK" in again.stderr
    assert again.stdout == b""
    back = program("+ra", "-", "-", input=done.stdout)
    assert (back.returncode, back.stdout) == (0, pki.small())


def test_nothing_on_standard_input(folder):
    assert program("-", input=b"").returncode == Exit.CANNOT_READ_INPUT


def test_the_reader_of_the_output_goes_away(folder):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*PROGRAM, "+ra", "signed.dcm", "-"], stdout=write, stderr=-1)
    os.close(write)
    assert done.returncode in (Exit.CANNOT_WRITE_OUTPUT, 141)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(("given", "code"), [(b"secret\n", 0), (b"wrong\n", 20), (b"", 20)])
def test_a_password_on_standard_input(folder, given, code):
    """Where there is no terminal, as OpenSSL does; in a session of its own there is none."""
    secret = serialization.BestAvailableEncryption(b"secret")
    form = serialization.PrivateFormat.PKCS8
    pem = RSA.key.private_bytes(serialization.Encoding.PEM, form, secret)
    (folder / "encrypted.pem").write_bytes(pem)
    done = program(
        "+s", "encrypted.pem", "cert.pem", "in.dcm", "out.dcm", input=given, start_new_session=True
    )
    assert done.returncode == code, done.stderr
    assert (folder / "out.dcm").exists() == (code == 0)
    assert b"secret" not in done.stdout + done.stderr


def test_names_of_strangers_move_no_cursor(folder, capsys):
    assert dcmsign.run(["no\x1b[2Jsuch"]) == Exit.CANNOT_READ_INPUT
    assert "\x1b" not in capsys.readouterr().err


# --- what is never passed ------------------------------------------------------------------------


def test_a_hidden_sequence_is_not_unsigned(folder, capsys):
    data = pki.small(elements=[*pki.SMALL, (0xFFFAFFFA, "UN", b"\0" * 8)])
    (folder / "hidden.dcm").write_bytes(data)
    assert dcmsign.run(["hidden.dcm"]) == Exit.VERIFICATION_FAILED
    assert "UN" in capsys.readouterr().err


def test_history_is_left_alone(folder, capsys):
    former = [(0x04000561, "SQ", [[(0x04000550, "SQ", [pki.SMALL[2:4]])]])]
    elements = [*pki.SMALL[:4], *former, *pki.SMALL[4:]]
    (folder / "h.dcm").write_bytes(pki.small(elements=elements))
    place = "OriginalAttributesSequence[0].ModifiedAttributesSequence[0]"
    sign_file("h.dcm", "h.dcm", "key.pem", "cert.pem", items=place)
    before = (folder / "h.dcm").read_bytes()
    assert dcmsign.run(["+rg", "h.dcm"]) == Exit.NO_SIGNATURES
    assert dcmsign.run(["+ra", "h.dcm", "out.dcm"]) == 0
    assert (folder / "out.dcm").read_bytes() == before


def test_an_output_that_fails_leaves_the_old_file(folder):
    before = (folder / "signed.dcm").read_bytes()
    assert dcmsign.run(["+r", "1.2", "signed.dcm", "signed.dcm"]) == Exit.UID_NOT_FOUND
    assert dcmsign.run(["+s", "key.pem", "cert.pem", "-t", "Rows", "signed.dcm", "signed.dcm"]) == (
        Exit.CREATION_FAILED
    )
    assert (folder / "signed.dcm").read_bytes() == before


@pytest.mark.parametrize("name", ["--version", "-h"])
def test_nothing_is_done_beside_an_exclusive_option(folder, name):
    before = sorted(p.name for p in folder.iterdir())
    assert dcmsign.run(["+s", "key.pem", "cert.pem", "in.dcm", "out.dcm", name]) == 0
    assert sorted(p.name for p in folder.iterdir()) == before


def test_ended_carries_its_code():
    with pytest.raises(ExitError) as caught:
        parse(["+zz"])
    assert caught.value.code == Exit.COMMAND_LINE == 1


# --- as OpenSSL writes it ------------------------------------------------------------------------


def test_days_have_two_places():
    assert details.moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "Jan  2 03:04:05 2026 GMT"


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0x0"), (10, "0xA"), (0x8BD8B05B8F4BF8E, "0x8BD8B05B8F4BF8E"), (-1, "-0x1")],
)
def test_numbers_have_no_leading_zero(number, shown):
    assert details.hexadecimal(number) == shown


def test_names_in_one_line():
    oid = x509.NameOID
    name = x509.Name(
        [
            x509.NameAttribute(oid.COUNTRY_NAME, "DE"),
            x509.NameAttribute(oid.EMAIL_ADDRESS, "a@b.example"),
            x509.NameAttribute(oid.COMMON_NAME, "J\u00f6rg\n"),
        ]
    )
    shown = "/C=DE/emailAddress=a@b.example/CN=J\\xC3\\xB6rg\\x0A"
    assert details.one_line(name) == shown


def test_a_device_that_is_no_authority_is_trusted_for_itself(folder):
    """As with OpenSSL, which takes any certificate that signed itself for itself."""
    device = _chains.make("Ultrasound 3", ca=False)
    other = _chains.make("Chief Radiologist", device, ca=False)
    pem = device.certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "device.pem").write_bytes(pem)
    for member, code in ((device, 0), (other, 101)):
        sign_file("in.dcm", "out.dcm", member.key, member.certificate)
        done = program("--verify", "+cf", "device.pem", "out.dcm")
        assert done.returncode == code, done.stderr


@pytest.mark.parametrize(
    ("file", "options", "code", "said"),
    [
        ("stamped.dcm", ("+cf", "tsa.pem"), 0, "Timestamp Verification : OK"),
        (
            "stamped.dcm",
            (),
            101,
            "Timestamp Verification : timestamp signature verification failed",
        ),
        ("stamped.dcm", ("--ignore-ts",), 0, ""),
        ("signed.dcm", (), 0, ""),
        ("signed.dcm", ("--require-ts",), 101, "Certified timestamp : absent, but required"),
    ],
)
def test_a_timestamp_decides_too(folder, capsys, file, options, code, said):
    if file == "stamped.dcm":
        with tsa.serving(tsa.Tsa(folder / "tsa")) as url:
            sign_file("in.dcm", file, *RSA.pair, tsa=url)
    for name, certificate in (
        ("ca.pem", pki.member("root").certificate),
        ("tsa.pem", tsa.certificate("tsa root")),
    ):
        (folder / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    assert dcmsign.run(["--verify", "+cf", "ca.pem", *options, file]) == code
    err = capsys.readouterr().err
    assert "Signature Verification : OK" in err
    assert said in err
    assert ("imestamp" in err) == bool(said)

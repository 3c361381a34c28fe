"""dicomseal-dcmsign and the real dcmsign on the same command lines: exit code, verdict, object."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import struct
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import _command_lines as table
import pki as members
import pytest
from _dcmtk import ROOT, find
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from dicomseal import dcmsign, sign_file, verify
from dicomseal.part10 import Part10
from dicomseal.sequence_items import encode

pytestmark = pytest.mark.peer

DOCUMENT = Path(__file__).parents[2] / "docs" / "dcmsign.md"
BLOCKS = ("COMMAND_LINE", "READING", "VERIFYING", "SIGNING", "ITEMS", "WRITING", "REMOVING")
OPTIONAL = {"PROFILES": "profiles", "REVOCATION": "revocation", "TIMESTAMPS": "timestamper"}
SAME = [line for block in BLOCKS for line in table.lines(getattr(table, block))]
OTHERS = [(b, line) for b in OPTIONAL for line in table.lines(getattr(table, b))]
MEMBERS = {"rsa": "", "rsa two": "two", "ec": "ec", "dsa": "dsa", "weak": "weak",
           "below": "below", "expired": "expired"}  # fmt: skip
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


class Outcome(NamedTuple):
    """What one of the two programs did."""

    code: int
    verdicts: list[bool]
    dumps: dict[str, Any]


class Kitchen:
    """A folder with everything that the command lines name; made with dcmsign alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = find("dcmsign")
        find("dcmdump")
        self.uids: dict[str, str] = {}
        self._certificates()
        self._texts()
        self._objects()

    def dcmsign(self, *arguments: str) -> None:
        done = subprocess.run(
            [self.program, *arguments], cwd=self.folder, capture_output=True, text=True,
            env=os.environ | {"TZ": "UTC"}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (arguments, done.stderr)

    def put(self, name: str, data: bytes | str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(0o600)  # keys are among them

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def _certificates(self) -> None:
        for name, stem in MEMBERS.items():
            key, certificate = members.member(name).pair
            plain = serialization.NoEncryption()
            form = serialization.PrivateFormat
            pem = certificate.public_bytes(PEM)
            if stem:
                self.put(f"{stem}.crt", pem)
                self.put(f"{stem}.key", key.private_bytes(PEM, form.PKCS8, plain))
                continue
            self.put("cert.pem", pem)
            self.put("cert.der", certificate.public_bytes(DER))
            self.put("key.pem", key.private_bytes(PEM, form.PKCS8, plain))
            self.put("key.der", key.private_bytes(DER, form.TraditionalOpenSSL, plain))
            self.put("key8.der", key.private_bytes(DER, form.PKCS8, plain))
            secret = serialization.BestAvailableEncryption(b"secret")
            self.put("encrypted.pem", key.private_bytes(PEM, form.PKCS8, secret))
        shutil.move(self.folder / "two.key", self.folder / "other.pem")
        root, intermediate = (members.member(n).certificate for n in ("root", "intermediate"))
        self.put("ca.pem", root.public_bytes(PEM))
        self.put("ca.der", root.public_bytes(DER))
        self.put("intermediate.pem", intermediate.public_bytes(PEM))
        self.put("both.pem", root.public_bytes(PEM) + intermediate.public_bytes(PEM))
        self.put("other-ca.pem", members.member("other root").certificate.public_bytes(PEM))
        self.put("unhashed/ca.pem", root.public_bytes(PEM))
        self.put(f"hashed/{subject_hash(self.folder / 'ca.pem')}.0", root.public_bytes(PEM))
        for name, serials, days in (("crl", (), 1), ("revoked", ("rsa",), 1), ("old-crl", (), -1)):
            made = crl([members.member(s).certificate for s in serials], days)
            self.put(f"{name}.pem", made.public_bytes(PEM))
            if name == "crl":
                self.put("crl.der", made.public_bytes(DER))

    def _texts(self) -> None:
        self.put("tags.txt", "PatientName (0010,0020)\n (0008,0060)\tStudyInstanceUID")
        self.put("bad-tags.txt", "PatientName 0010,0020")
        self.put("open-tags.txt", "PatientName (0010,0020")
        self.put("unknown-tags.txt", "PatientName Nonsense")
        self.put("empty.txt", "")
        self.put("logger.cfg", "log4cplus.rootLogger = WARN, console\n"
                 "log4cplus.appender.console = log4cplus::ConsoleAppender\n")  # fmt: skip
        self.put("command.txt", "+cf ca.pem\n   signed.dcm\n")
        self.put("quoted.txt", '+cf "ca.pem" "signed.dcm"')
        self.put("verify.txt", "--verify +rg +cf ca.pem signed.dcm")
        self.put("sign.txt", "+s key.pem cert.pem\n+m2\n-t PatientName -t Modality in.dcm out.dcm")

    def _objects(self) -> None:
        for name, source in (
            ("in.dcm", "MR_small.dcm"), ("implicit.dcm", "MR_small_implicit.dcm"),
            ("big.dcm", "MR_small_bigendian.dcm"), ("deflated.dcm", "image_dfl.dcm"),
            ("jpg.dcm", "SC_rgb_small_odd_jpeg.dcm"), ("sr.dcm", "test-SR.dcm"),
            ("plan.dcm", "rtplan.dcm"), ("un-sequence.dcm", "UN_sequence.dcm"),
        ):  # fmt: skip
            shutil.copy(ROOT / source, self.folder / name)
        shutil.copy(ROOT / "dicomdirtests" / "DICOMDIR", self.folder / "dicomdir")
        rsa, sha = ("+s", "key.pem", "cert.pem"), "+m2"
        self.dcmsign(*rsa, sha, "in.dcm", "signed.dcm")
        self.dcmsign(*rsa, sha, "-t", "PatientName", "in.dcm", "subset.dcm")
        self.dcmsign(*rsa, "jpg.dcm", "jpg-signed.dcm")
        self.dcmsign(*rsa, "-fo", "jpg.dcm", "jpg-old.dcm")
        self.dcmsign("+s", "ec.key", "ec.crt", sha, "in.dcm", "ec.dcm")
        self.dcmsign("+s", "dsa.key", "dsa.crt", sha, "in.dcm", "dsa.dcm")
        self.dcmsign("+s", "below.key", "below.crt", sha, "in.dcm", "below.dcm")
        self.dcmsign("+s", "expired.key", "expired.crt", sha, "in.dcm", "expired.dcm")
        self.dcmsign("+si", *rsa[1:], "BeamSequence[0]", "plan.dcm", "item.dcm")
        self.dcmsign(*rsa, sha, "item.dcm", "two.dcm")
        self.dcmsign("-e", *rsa, "plan.dcm", "undefined.dcm")
        self.dcmsign("+ra", "-e", "undefined.dcm", "undefined.dcm")
        signed = self.read("signed.dcm")
        self.put("cut.dcm", signed[:5000])
        self.put("altered.dcm", signed.replace(b"CompressedSamples^MR1", b"CompressedSamples^MR2"))
        half = self.read("two.dcm").replace(b"Field_1", b"Field_2", 1)
        self.put("half.dcm", half if half != self.read("two.dcm") else b"")
        at = signed.rindex(b"\x00\x04\x20\x01OB") + 40
        self.put("broken.dcm", signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :])
        for name, source in (("raw.dcm", "in.dcm"), ("raw-signed.dcm", "signed.dcm")):
            data = self.read(source)
            self.put(name, data[Part10.from_bytes(data).start :])
        # labelled implicit, though it is explicit
        uid = b"1.2.840.10008.1.2.1\0"
        self.put("mislabelled.dcm", signed.replace(uid, b"1.2.840.10008.1.2.2\0", 1))
        self.put("became-un.dcm", as_un(signed, 0x00100010))
        name = encode([(0x00100010, "PN", b"Forged^Name ")])
        for target, source in (("duplicate.dcm", signed), ("duplicate-unsigned.dcm",
                                                           self.read("in.dcm"))):  # fmt: skip
            self.put(target, before(source, 0x00100020, name))
        private = [*members.SMALL[:4], (0x30091001, "LO", b"unknown ")]
        self.put("private.dcm", members.small(elements=private))
        self.dcmsign(*rsa, sha, "private.dcm", "private-signed.dcm")
        west = datetime.now(UTC).astimezone(timezone(timedelta(hours=-11)))
        sign_file(self.folder / "in.dcm", self.folder / "west.dcm", *early(self, "west"), when=west)
        first = x509.load_pem_x509_certificate(self.read("west.crt")).not_valid_before_utc
        for name, when in (("first-second", first), ("early", first - timedelta(seconds=5))):
            target = self.folder / f"{name}.dcm"
            sign_file(self.folder / "in.dcm", target, *early(self, "west"), when=when)
        modality = encode([(0x00080060, "CS", b"CT")])
        self.put("duplicate-unsigned-element.dcm",
                 before(self.read("subset.dcm"), 0x00080070, modality))  # fmt: skip
        self._timestamps()
        for found in verify(self.folder / "two.dcm").signatures:
            self.uids["item uid" if found.location else "uid of two"] = found.uid
        self.uids["uid"] = verify(self.folder / "signed.dcm").signatures[0].uid

    def _timestamps(self) -> None:
        """Queries and UID files by dcmsign, the response by ``openssl ts``."""
        rsa = ("+s", "key.pem", "cert.pem", "+m2")
        self.dcmsign(*rsa, "+ts", "q.tsq", "u.uid", "in.dcm", "stamp-me.dcm")
        self.dcmsign(*rsa, "+ts", "other.tsq", "other.uid", "in.dcm", "other-stamp-me.dcm")
        key = members.key("rsa two")
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(members.member("root").certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=1))
            .add_extension(
                x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
            )
            .sign(members.key("root"), hashes.SHA256())
        )
        self.put("tsa.crt", made.public_bytes(PEM))
        self.put("serial", "01")
        self.put("tsa.cnf", "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\n"
                 "default_policy = 1.2.3\nother_policies = 1.2.3\ndigests = sha256\n"
                 "signer_digest = sha256\ness_cert_id_alg = sha256\n")  # fmt: skip
        done = subprocess.run(
            [find("openssl"), "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q.tsq",
             "-signer", "tsa.crt", "-inkey", "other.pem", "-out", "r.tsr"],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.dcmsign("+t", "q.tsq", "r.tsr", "u.uid", "stamp-me.dcm", "stamped.dcm")

    def line(self, text: str) -> list[str]:
        """A command line as arguments."""
        uids = dict(self.uids)
        if "two.dcm" in text:
            uids["uid"] = uids["uid of two"]
        for name, uid in uids.items():
            text = text.replace(f"{{{name}}}", uid)
        return [] if text == "(nothing)" else shlex.split(text)

    def copy(self, arguments: list[str], target: Path) -> None:
        """What a command line names into a folder of its own; everything for a command file."""
        target.mkdir()
        everything = any(a.startswith("@") for a in arguments)
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.copytree(path, target / path.name)
            elif everything or path.name in arguments:
                shutil.copy(path, target / path.name)


def early(kitchen: Kitchen, name: str) -> tuple[Path, Path]:
    """A key whose certificate is valid from a minute ago."""
    key, crt = kitchen.folder / f"{name}.key", kitchen.folder / f"{name}.crt"
    if not crt.exists():
        signer = members.member("rsa")
        now = datetime.now(UTC).replace(microsecond=0)
        made = (
            x509.CertificateBuilder()
            .subject_name(signer.certificate.subject)
            .issuer_name(signer.certificate.issuer)
            .public_key(signer.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(members.key("root"), hashes.SHA256())
        )
        crt.write_bytes(made.public_bytes(PEM))
        shutil.copy(kitchen.folder / "key.pem", key)
    return key, crt


def crl(revoked: list[x509.Certificate], days: int) -> x509.CertificateRevocationList:
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(members.member("root").certificate.subject)
        .last_update(now - timedelta(days=3))
        .next_update(now + timedelta(days=days))
    )
    for certificate in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
        builder = builder.add_revoked_certificate(
            entry.revocation_date(now - timedelta(days=2)).build()
        )
    return builder.sign(members.key("root"), hashes.SHA256())


def subject_hash(path: Path) -> str:
    """By which OpenSSL finds a certificate in a hashed directory."""
    done = subprocess.run(
        [find("openssl"), "x509", "-hash", "-noout", "-in", path], capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def as_un(data: bytes, tag: int) -> bytes:
    """An element of explicit VR little endian with its VR lost."""
    part10 = Part10.from_bytes(data)
    index = part10.index()
    record = index.record(index.find(0, tag))
    header = struct.pack("<HH2s2xL", tag >> 16, tag & 0xFFFF, b"UN", record.end - record.value)
    return data[: record.start] + header + data[record.value :]


def before(data: bytes, tag: int, what: bytes) -> bytes:
    """Bytes put in front of an element."""
    index = Part10.from_bytes(data).index()
    start = index.record(index.find(0, tag)).start
    return data[:start] + what + data[start:]


@pytest.fixture(scope="session")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return Kitchen(tmp_path_factory.mktemp("kitchen"))


# --- running them --------------------------------------------------------------------------------


def real(kitchen: Kitchen, arguments: list[str], folder: Path) -> Outcome:
    done = subprocess.run(
        [kitchen.program, *arguments], cwd=folder, capture_output=True, text=True,
        errors="replace", stdin=subprocess.DEVNULL, env=os.environ | {"TZ": "UTC"}, check=False,
    )  # fmt: skip
    return Outcome(done.returncode, verdicts(done.stderr), outputs(folder))


def ours(arguments: list[str], folder: Path, capsys: Any, monkeypatch: Any) -> Outcome:
    monkeypatch.chdir(folder)
    capsys.readouterr()
    code = dcmsign.run(arguments)
    assert type(int(code)) is int
    return Outcome(int(code), verdicts(capsys.readouterr().err), outputs(folder))


def verdicts(log: str) -> list[bool]:
    """Of every signature, in their order, whether it is OK."""
    found = re.findall(r"^W: +Signature Verification +: (.*)", log, re.MULTILINE)
    return [text.strip() == "OK" for text in found]


def outputs(folder: Path) -> dict[str, Any]:
    """What was written: objects as dcmdump shows them, the stream, timestamp files."""
    found: dict[str, Any] = {}
    for name in ("out.dcm", "signed.dcm"):
        if (folder / name).exists():
            found[name] = dumped(folder / name)
    if (folder / "u").exists():  # dcmsign puts File Meta Information before the one element
        found["u"] = [text[:12] for text in dumped(folder / "u") if text.startswith("(0400")]
    if (folder / "dump").exists():
        # what follows is the signature's own item, whose UID and time are new each time
        stream = (folder / "dump").read_bytes()
        found["dump"], _, own = stream.rpartition(b"\x00\x04\x05\x00US")
        found["own"] = own[:4], b"\x00\x04\x10\x01CS" in own
    if (folder / "q").exists():
        found["q"] = query(folder / "q")
    return found


def dumped(path: Path) -> list[str]:
    done = subprocess.run(
        [find("dcmdump"), "-q", "+L", "+R", "400", str(path)], capture_output=True, text=True,
        errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = []
    for line in done.stdout.splitlines():
        if re.match(r"\(0002,00(00|12|13|16)\)|\(0002,0003\)", line):
            continue  # each program names itself; and the UID file has one of its own
        shown = re.sub(r"#[^#]*$", "", line).rstrip()  # lengths follow from the values
        if re.match(r" +\(0400,(0100|0105|0120)\)", shown):
            shown = shown[: shown.index("(") + 14]
        lines.append(shown)
    return lines


def query(path: Path) -> list[str]:
    done = subprocess.run(
        [find("openssl"), "ts", "-query", "-in", str(path), "-text"], capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    shown = [line for line in done.stdout.splitlines() if not line.startswith("    ")]
    return [re.sub(r"0x[0-9A-F]+", "(a number)", line) for line in shown]


def both(kitchen: Kitchen, text: str, work: Path, capsys: Any, monkeypatch: Any) -> list[Outcome]:
    arguments = kitchen.line(text)
    for name in ("theirs", "ours"):
        kitchen.copy(arguments, work / name)
    return [
        real(kitchen, arguments, work / "theirs"),
        ours(arguments, work / "ours", capsys, monkeypatch),
    ]


def test_there_are_enough(kitchen: Kitchen) -> None:
    assert len(SAME) == len(set(SAME)) >= 150
    # a file that is missing by mistake would make both programs agree about nothing
    words = {w for text in (*SAME, *(t for _, t in OTHERS), *table.DIFFERENT) for w in text.split()}
    files = {w.lstrip("@") for w in words if re.fullmatch(r"@?[\w-]+\.[a-z]\w*", w)}
    absent = {name for name in files if not (kitchen.folder / name).exists()}
    assert absent == {"out.dcm", "another.dcm", "nothing.dcm", "nothing.txt"}


@pytest.mark.parametrize("text", SAME)
def test_same(text: str, kitchen: Kitchen, work: Path, capsys: Any, monkeypatch: Any) -> None:
    theirs, mine = both(kitchen, text, work, capsys, monkeypatch)
    assert mine == theirs
    if mine.code == 0 and "out.dcm" in text and "+s" in text:
        report = verify(work / "ours" / "out.dcm", integrity_only=True)
        assert report.verdict == "passed" or "+ra" in text, report.sentence()


@pytest.mark.parametrize(("block", "text"), OTHERS)
def test_optional(
    block: str, text: str, kitchen: Kitchen, work: Path, capsys: Any, monkeypatch: Any
) -> None:
    """The same, for options that need a room of the package which may not be there yet."""
    from importlib.util import find_spec

    theirs, mine = both(kitchen, text, work, capsys, monkeypatch)
    if find_spec(f"dicomseal.{OPTIONAL[block]}") is None and mine != theirs:
        assert mine.code == (101 if "stamped.dcm" in text else 1)  # unchecked never passes
        assert not mine.dumps.get("out.dcm")
        return
    assert mine == theirs


@pytest.mark.parametrize("text", table.DIFFERENT)
def test_different(text: str, kitchen: Kitchen, work: Path, capsys: Any, monkeypatch: Any) -> None:
    """Deliberate differences: both programs do what the document says, and it names them."""
    from importlib.util import find_spec

    line = text.replace("{S}", table.SIGN)
    theirs, mine = both(kitchen, line, work, capsys, monkeypatch)
    *codes, reason = table.DIFFERENT[text]
    if "+pr" in text and find_spec("dicomseal.profiles") is None:
        codes[1] = 1
    assert [theirs.code, mine.code] == codes
    assert theirs != mine
    assert reason in DOCUMENT.read_text("utf-8")

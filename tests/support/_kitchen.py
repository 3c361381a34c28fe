"""A folder with every file that the command lines name; dcmsign and OpenSSL made most of them.

See `_command_lines` for the lines, `test_same_command_lines` for what is done with them.
"""

from __future__ import annotations

import os
import shlex
import shutil
import struct
import subprocess
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pki as members
from _dcmtk import ROOT, find
from _kitchen_pki import PEM, Pantry
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from dicomseal import sign_file, verify
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode
from dicomseal.standard import transfer_syntaxes

MAC_ID, MAC_ALGORITHM = b"\x00\x04\x05\x00US", b"\x00\x04\x15\x00CS"
CERTIFIED_TIMESTAMP = b"\x00\x04\x10\x03OB"


class Kitchen(Pantry):
    """A folder with everything that the command lines name; made with dcmsign alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = find("dcmsign")
        find("dcmdump")
        self.uids: dict[str, str] = {}
        self._certificates()
        self._texts()
        soon = self._brief()
        self._objects()
        self._encodings()
        self._labels()
        self._odd_lengths()
        self._reports()
        self._timestamps()
        self._know_uids()
        time.sleep(max(0, (soon - datetime.now(UTC)).total_seconds() + 1))

    def dcmsign(self, *arguments: str) -> None:
        done = subprocess.run(
            [self.program, *arguments], cwd=self.folder, capture_output=True, text=True,
            env=os.environ | {"TZ": "UTC"}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (arguments, done.stderr)

    def _texts(self) -> None:
        self.put("tags.txt", "PatientName (0010,0020)\n (0008,0060)\tStudyInstanceUID")
        self.put("bad-tags.txt", "PatientName 0010,0020")
        self.put("open-tags.txt", "PatientName (0010,0020")
        for name, text in (
            ("unknown", "PatientName Nonsense"),
            ("nul", "PatientName\0Nonsense"),
            ("dot", ".PatientName"),
            ("index", "[1] PatientName"),
            ("hex", "(0x0010,0x0010)"),
            ("comma", "PatientName,PatientID"),
            ("glued", "PatientName(0010,0020)PatientID"),
            ("comment", "# the name\nPatientName"),
            ("crlf", "PatientName\r\nPatientID\r\n\f\v"),
            ("bom", "\ufeffPatientName"),
            ("repeating", "OverlayData"),
            ("twice", "(0010,0010) (0010,0010)"),
            ("nil", "()"),
            ("closed", "(0010,0010))"),
        ):
            self.put(f"{name}-tags.txt", text)
        self.put("empty.txt", "")
        self.put("logger.cfg", "log4cplus.rootLogger = WARN, console\n"
                 "log4cplus.appender.console = log4cplus::ConsoleAppender\n")  # fmt: skip
        self.put("command.txt", "+cf ca.pem\n   signed.dcm\n")
        self.put("quoted.txt", '+cf "ca.pem" "signed.dcm"')
        for name, text in (
            ("glued", 'signed.dcm +cf "ca.pem"-q'),
            ("inner", '+cf c"a.pem" signed.dcm'),
            ("single", "+cf 'ca.pem' signed.dcm"),
            ("apostrophe", '+cf "it\'s" signed.dcm'),
            ("unclosed", '+cf "ca.pem" "signed.dcm'),
            ("swallowed", '+cf "ca.pem signed.dcm'),
            ("blank", '+cf ca.pem ""'),
            ("lone", '"'),
            ("comment", "# a comment\nsigned.dcm"),
            ("nested", "@verify.txt"),
        ):
            self.put(f"{name}.txt", text)
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

    def _know_uids(self) -> None:
        for found in verify(self.folder / "two.dcm").signatures:
            self.uids["item uid" if found.location else "uid of two"] = found.uid
        self.uids["uid"] = verify(self.folder / "signed.dcm").signatures[0].uid

    def _brief(self) -> datetime:
        """A signature whose certificate expires in a moment, and a timestamp from before that."""
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
        self.issue("brief", members.key("rsa"), until=until)
        shutil.copy(ROOT / "MR_small.dcm", self.folder / "in.dcm")
        self.authority("tsa", "root")
        files = ("q-brief.tsq", "u-brief.uid", "in.dcm", "brief.dcm")
        self.dcmsign("+s", "brief.key", "brief.crt", "+m2", "+ts", *files)
        self.answer("q-brief.tsq", "r-brief.tsr")
        self.dcmsign("+t", "q-brief.tsq", "r-brief.tsr", "u-brief.uid", "brief.dcm",
                     "brief-stamped.dcm")  # fmt: skip
        return until

    def _encodings(self) -> None:
        """The same objects, written otherwise."""
        for source, target, *options in (
            ("in.dcm", "group.dcm", "+g"), ("plan.dcm", "group-plan.dcm", "+g"),
            ("in.dcm", "group-implicit.dcm", "+g", "+ti"),
            ("in.dcm", "padded.dcm", "+p", "512", "64"),
            ("plan.dcm", "padded-plan.dcm", "+p", "512", "64"),
        ):  # fmt: skip
            subprocess.run(
                [find("dcmconv"), *options, source, target], cwd=self.folder, check=True,
                capture_output=True,
            )  # fmt: skip
        signed = self.read("signed.dcm")
        at = signed.rindex(MAC_ID)
        self.put("no-mac-id.dcm", signed[:at] + MAC_ID.replace(b"\5", b"\4") + signed[at + 6 :])
        at = signed.rindex(MAC_ALGORITHM)
        self.put("no-algorithm.dcm", signed[: at + 8] + b"XXXXXX" + signed[at + 14 :])
        self.put("signatures-un.dcm", as_un(signed, 0xFFFAFFFA))
        former = [(0x04000561, "SQ", [[(0x04000550, "SQ", [members.SMALL[2:4]])]])]
        self.put("history.dcm", members.small(elements=[*members.SMALL[:4], *former]))
        place = "OriginalAttributesSequence[0].ModifiedAttributesSequence[0]"
        self.dcmsign("+si", "key.pem", "cert.pem", place, "history.dcm", "history.dcm")

    def _labels(self) -> None:
        """Data sets under the label of another encoding."""
        forms = members.LABELS
        bodies = {form: members.body_of(form) for form in forms}
        large = [*members.SMALL[:-1], (0x7FE00010, "OW", bytes(20 << 20))]
        big = "big endian"
        for name, form, label in (
            ("explicit-as-implicit", "explicit", "implicit"), ("little-as-big", "explicit", big),
            ("implicit-as-explicit", "implicit", "explicit"), ("big-as-little", big, "explicit"),
            ("explicit-as-deflated", "explicit", "deflated"),
            ("deflated-as-explicit", "deflated", "explicit"),
        ):  # fmt: skip
            self.put(f"{name}.dcm", members.part10(bodies[form], forms[label]))
        body = members.body_of("explicit", large)
        self.put("large-explicit-as-implicit.dcm", members.part10(body, forms["implicit"]))
        private = [(0x00290010, "LO", b"SIEMENS CSA HEADER"), (0x00291008, "CS", b"IMAGE NUM 4 ")]
        known = [*members.SMALL[:2], private[0], private[1]]
        self.put("private-implicit.dcm", members.small("implicit", known))
        self.put(
            "ge.dcm", members.part10(bodies["implicit"], transfer_syntaxes.GE_PRIVATE_IMPLICIT)
        )

    def _odd_lengths(self) -> None:
        """OW of an odd length, and P-521 signatures of an odd length and an even one."""
        sign = ("+s", "key.pem", "cert.pem", "+m2")
        word = bytes(range(1, 8))
        for name, form, tag in (
            ("odd", "explicit", 0x7FE00010), ("odd-implicit", "implicit", 0x7FE00010),
            ("odd-big", "big endian", 0x7FE00010), ("odd-curve", "explicit", 0x54001010),
        ):  # fmt: skip
            elements = [*members.SMALL[:4], (tag, "OW", word)]
            self.put(f"{name}.dcm", members.small(form, elements))
            self.dcmsign(*sign, f"{name}.dcm", f"{name}-signed.dcm")
        shutil.move(self.folder / "odd-curve-signed.dcm", self.folder / "odd-curve.dcm")
        signed = self.read("odd-signed.dcm")
        self.put("odd-altered.dcm", signed.replace(word, word[:-1] + b"\x09"))
        self.issue("p521", ec.generate_private_key(ec.SECP521R1()))
        left = {"odd", "even"}
        while left:
            self.dcmsign("+s", "p521.key", "p521.crt", "+m2", "in.dcm", "p521.dcm")
            data = self.read("p521.dcm")
            at = data.rindex(b"\x00\x04\x20\x01OB") + 12  # 30 81, and the rest of its length
            assert data[at : at + 2] == b"\x30\x81"
            parity = "even" if data[at + 2] % 2 else "odd"
            shutil.move(self.folder / "p521.dcm", self.folder / f"p521-{parity}.dcm")
            left.discard(parity)

    def _reports(self) -> None:
        """Structured reports, verified or not, with signatures of several profiles."""
        sign = ("+s", "key.pem", "cert.pem", "+m2")
        report = self.read("sr.dcm")
        verified = self.folder / "sr-verified.dcm"
        unverified = self.folder / "sr-unverified.dcm"
        for target, value in ((verified, "VERIFIED"), (unverified, "UNVERIFIED")):
            target.write_bytes(report)
            subprocess.run(
                [find("dcmodify"), "-nb", "-q", "-m", f"0040,a493={value}", target], check=True,
                capture_output=True,
            )  # fmt: skip
        for source in ("verified", "unverified"):
            self.dcmsign(*sign, f"sr-{source}.dcm", f"{source}-all.dcm")
            self.dcmsign(*sign, "+pr", "+sp", "1", f"sr-{source}.dcm", f"{source}-sr.dcm")
        self.dcmsign(*sign, "-t", "PatientName", "sr-unverified.dcm", "unverified-part.dcm")
        self.dcmsign(*sign, "+pv", "+sp", "5", "sr-verified.dcm", "verified-srv.dcm")
        self.dcmsign(*sign, "+pc", "-t", "PatientName", "in.dcm", "creator.dcm")
        self.dcmsign(*sign, "+pa", "-t", "PatientName", "in.dcm", "authorized.dcm")

    def _timestamps(self) -> None:
        """Queries and UID files by dcmsign, responses by ``openssl ts``."""
        rsa = ("+s", "key.pem", "cert.pem", "+m2")
        self.authority("stranger", "other root")
        for name, source, target, *options in (
            ("", "in.dcm", "stamp-me.dcm"), ("other", "in.dcm", "other-stamp-me.dcm"),
            ("bare", "in.dcm", "bare-stamp-me.dcm", "-tn", "-tc"),
            ("weak", "in.dcm", "weak-stamp-me.dcm", "+tms"),
            ("policy", "in.dcm", "policy-stamp-me.dcm", "+tp", "1.2.3.9"),
            ("long", "in.dcm", "long-stamp-me.dcm", "+tm5"),
        ):  # fmt: skip
            files = (f"{name or 'q'}.tsq", f"{name or 'u'}.uid")
            self.dcmsign(*rsa, "+ts", *files, *options, source, target)
        self.answer("q.tsq", "r.tsr")
        self.answer("q.tsq", "stranger.tsr", "stranger")
        for name in ("bare", "weak", "policy", "long"):
            self.answer(f"{name}.tsq", f"{name}.tsr")
        for name, query, response in (
            ("stamped", "q", "r"), ("strange", "q", "stranger"), ("weak-stamped", "weak", "weak"),
            ("long-stamped", "long", "long"),
        ):  # fmt: skip
            uid, source = (query, query) if query != "q" else ("u", "stamp-me")
            source = source if query == "q" else f"{query}-stamp-me"
            self.dcmsign("+t", f"{query}.tsq", f"{response}.tsr", f"{uid}.uid", f"{source}.dcm",
                         f"{name}.dcm")  # fmt: skip
        stamped = self.read("stamped.dcm")
        at = stamped.index(b"\x18\x0f20", stamped.rindex(CERTIFIED_TIMESTAMP)) + 3  # its time
        self.put("stamp-altered.dcm", stamped[:at] + b"1" + stamped[at + 1 :])

    def answer(self, query: str, response: str, name: str = "tsa") -> None:
        """The answer of a timestamp authority to a query."""
        done = subprocess.run(
            [find("openssl"), "ts", "-reply", "-config", "tsa.cnf", "-queryfile", query,
             "-signer", f"{name}.crt", "-inkey", f"{name}.key", "-out", response],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def line(self, text: str) -> list[str]:
        """A command line as arguments."""
        uids = dict(self.uids)
        if "two.dcm" in text:
            uids["uid"] = uids["uid of two"]
        for name, uid in uids.items():
            text = text.replace(f"{{{name}}}", uid)
        return [] if text == "(nothing)" else shlex.split(text.partition(" < ")[0])

    def input(self, text: str) -> bytes:
        """What a command line gets on standard input: the file behind ``<``."""
        name = text.partition(" < ")[2]
        return self.read(name) if name else b""

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
        builder = (
            x509.CertificateBuilder()
            .subject_name(signer.certificate.subject)
            .issuer_name(signer.certificate.issuer)
            .public_key(signer.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(members.key("root"), hashes.SHA256())
        )
        crt.write_bytes(builder.public_bytes(PEM))
        shutil.copy(kitchen.folder / "key.pem", key)
    return key, crt


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

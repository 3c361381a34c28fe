"""One file, signed by dicomseal and by dcmsign, in five forms, and what both say of each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from dicomseal import ObjectReport, TrustStore, sign_file, verify
from dicomseal.cli.demo import make_pki
from dicomseal.encoding import values
from dicomseal.encoding.backend import Index
from dicomseal.errors import DicomSealError
from dicomseal.files.source import open_source
from dicomseal.signature import mac_parameters
from dicomseal.standard import terms, transfer_syntaxes

from .dcmtk import Dcmtk
from .streams import Difference, UnreadableStreamError, data_set, differences, pieces_left_out

OURS, THEIRS = "dicomseal", "dcmsign"
SIGNERS = (OURS, THEIRS)
AS_SIGNED = "as signed"
NATIVE = {
    "implicit VR": ("+ti",), "explicit VR": ("+te",), "big endian": ("+tb",), "deflated": ("+td",),
}  # fmt: skip
# dcmconv does not decode: what is compressed is re-encoded in other ways
COMPRESSED = {
    "undefined lengths": ("-e",), "explicit lengths": ("+e",), "group lengths": ("+g",),
    "padding elements": ("+p", "512", "64"),
}  # fmt: skip
KINDS = {
    "left out": "no longer hashed", "added": "hashed now", "padding": "padding of values",
    "value": "value",
}  # fmt: skip
_NAMED = re.compile(r"((?:[A-Z]\w+ (?:& )?)*)\([0-9A-Fa-f]{4},[0-9A-Fa-f]{4}\)")
BLOCK = "pieces of sequences left out"


class Side(NamedTuple):
    """What one program says of a signed file.

    Attributes:
        accepts: whether it does.
        words: why not, without what is of this file alone.
        kinds: in what the stream that it hashes differs from what was signed.
        elements: which elements.
    """

    accepts: bool
    words: str = ""
    kinds: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()


class Verification(NamedTuple):
    """What both say of one signed file in one form."""

    signer: str
    form: str
    ours: Side
    theirs: Side


class Judged(NamedTuple):
    """All that is known of one file.

    Attributes:
        path: the file.
        unsigned: what a program said that did not sign it.
        unconverted: what dcmconv said, by signer and form.
        verifications: the rest.
    """

    path: Path
    unsigned: dict[str, str]
    unconverted: dict[tuple[str, str], str]
    verifications: list[Verification]

    @property
    def accepted(self) -> bool:
        """Whether both signed it, and both accept every form of it."""
        return not self.unsigned and all(
            v.ours.accepts and v.theirs.accepts for v in self.verifications
        )

    @property
    def agreed(self) -> bool:
        """Whether both did the same throughout, be it that they refused."""
        return len(self.unsigned) != 1 and all(
            v.ours.accepts == v.theirs.accepts for v in self.verifications
        )


class Both:
    """Both programs, with one signer and one authority.

    Args:
        folder: for keys and files; empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        key, certificate, authority = make_pki(str(folder))
        self._pair = key, certificate
        self.dcmtk = Dcmtk(key, certificate, authority)
        self._trust = TrustStore.from_files(authority)

    def judge(self, path: Path) -> Judged:
        """Sign a file with both, re-encode, verify with both."""
        judged = Judged(path, {}, {}, [])
        signed, stream = self._folder / "signed", self._folder / "signed.stream"
        converted = self._folder / "converted"
        for signer in SIGNERS:
            refused = self._sign(signer, path, signed, stream)
            if refused:
                judged.unsigned[signer] = refused
                continue
            hashed = stream.read_bytes()
            judged.verifications.append(self.ask(signer, AS_SIGNED, signed, hashed))
            for form, options in forms(signed).items():
                converted.unlink(missing_ok=True)
                answer = self.dcmtk.convert(signed, converted, *options)
                if answer.ok:
                    judged.verifications.append(self.ask(signer, form, converted, hashed))
                else:
                    judged.unconverted[signer, form] = template(answer.words)
        return judged

    def _sign(self, signer: str, source: Path, target: Path, stream: Path) -> str:
        """Sign, and write down what was hashed; what the program said if it did not sign."""
        for path in (target, stream):
            path.unlink(missing_ok=True)
        if signer == THEIRS:
            answer = self.dcmtk.sign(source, target, stream)
            return "" if answer.ok else template(answer.words)
        try:
            sign_file(source, target, *self._pair)
        except DicomSealError as error:
            return template(str(error))
        stream.write_bytes(_streamed(target))
        return ""

    def ask(self, signer: str, form: str, path: Path, signed: bytes) -> Verification:
        """What both say of a file, and why one does not accept it.

        Args:
            signer, form: where it comes from.
            path: the file.
            signed: the stream that was signed.
        """
        # dcmsign says nothing of what no signature covers
        report = verify(path, trust=self._trust, unsigned="accept")
        ours = theirs = Side(True)
        if not report.passed:
            altered = any(s.integrity != "intact" for s in report.signatures)
            kinds = compared(signed, _streamed(path)) if altered else ((), ())
            ours = Side(False, said(report), *kinds)
        answer = self.dcmtk.verify(path)
        if not answer.ok:
            theirs = Side(False, template(answer.words), *self._of_dcmsign(path, signed))
        return Verification(signer, form, ours, theirs)

    def _of_dcmsign(self, path: Path, signed: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """In what its stream differs: it writes one down while it signs, so it signs again."""
        stream, again = self._folder / "again.stream", self._folder / "again"
        tags = _listed(path)
        for chosen in (tags, None):  # it refuses to sign listed elements that became UN
            stream.unlink(missing_ok=True)
            if self.dcmtk.sign(path, again, stream, chosen).ok:
                return compared(signed, stream.read_bytes(), chosen is not None)
        return (), ()


def forms(signed: Path) -> dict[str, tuple[str, ...]]:
    """Four ways to re-encode a file, with the options of dcmconv."""
    encapsulated = transfer_syntaxes.is_encapsulated(open_source(signed).transfer_syntax)
    return COMPRESSED if encapsulated else NATIVE


def _streamed(path: Path) -> bytes:
    """The stream that dicomseal hashes as the object stands, also where elements lost their VRs.

    `dicomseal dump` shows none then, as it is not the one that was signed.
    """
    index = open_source(path).index()
    *_, item = values.items_of(index, 0, terms.DIGITAL_SIGNATURES_SEQUENCE)
    out = bytearray()
    index.stream(out.extend, 0, _listed_in(index))
    index.stream(out.extend, item, None, without=terms.NOT_IN_MAC)
    return bytes(out)


def _listed(path: Path) -> list[int]:
    """Data Elements Signed of the last signature over the main data set."""
    return list(_listed_in(open_source(path).index()))


def _listed_in(index: Index) -> tuple[int, ...]:
    *_, item = values.items_of(index, 0, terms.MAC_PARAMETERS_SEQUENCE)
    return mac_parameters.read(index, item).data_elements_signed


def said(report: ObjectReport) -> str:
    """Why a report has its verdict: the word, the code, and the sentence up to its colon."""
    reasons = [s.integrity_reason or s.trust_reason for s in report.signatures]
    found = [*filter(None, reasons), *report.reasons, *filter(None, [report.error])]
    if not found:
        return report.verdict
    return f"{report.verdict}, {found[0].code}: {template(found[0].message.partition(':')[0])}"


def template(words: str) -> str:
    """What was said, without the names of elements and the numbers of one file."""
    words = words.removeprefix("signature verification failed: ")
    words = re.sub(r"(reading file: ).*", r"\1FILE", words)
    words = _NAMED.sub(_named, words)
    words = re.sub(r"ELEMENT(, ELEMENT)+( and \d+ more)?", "ELEMENTS", words)
    return re.sub(r"(?<![\w.])\d+(?![\w.])", "N", words)


def _named(found: re.Match[str]) -> str:
    """A name of several words is one that the program always has there, and not of the file."""
    name = found[1].rstrip()
    return name if " " in name else "ELEMENT"


def compared(
    signed: bytes, found: bytes, everything: bool = True
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """In what a stream differs from the signed one: the kinds, and the elements.

    Args:
        signed: the stream that was signed.
        found: the one that a program hashes now.
        everything: whether what is in ``found`` alone counts.
    """
    try:
        different = differences(signed, found)
    except UnreadableStreamError as error:
        part, whole = sorted((data_set(signed), data_set(found)), key=len)
        return ((BLOCK,), ()) if pieces_left_out(whole, part) else ((f"unreadable: {error}",), ())
    counted = [d for d in different if everything or d.kind != "added"]
    return tuple(sorted({kind(d) for d in counted})), tuple(d.name for d in counted)


def kind(different: Difference) -> str:
    """The kind of a difference, in words."""
    if different.kind == "VR":
        return "VR of private elements" if different.private else f"VR {different.detail}"
    if different.kind in ("left out", "added") and different.nested:
        return BLOCK  # a sequence with an element whose VR was lost would be left out as a whole
    return KINDS[different.kind]

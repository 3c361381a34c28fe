"""What must hold of any file: for `verify`, `sign_file`, `remove_file`, and beside dcmsign."""

from __future__ import annotations

import atexit
import datetime
import io
import os
import re
import shutil
import struct
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import msgspec
import pydicom

from dicomseal import TrustStore, remove_file, sign_file, verify
from dicomseal.encoding import _index_c, _index_py
from dicomseal.encoding import backend as dispatch
from dicomseal.errors import DicomSealError
from dicomseal.files import part10, reader
from dicomseal.report import PASSED, ObjectReport
from dicomseal.standard import terms, transfer_syntaxes

from . import seeds
from .forms import IMPLICIT, Form, file_form, tokens
from .mutate import padded

MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
FOLDER = Path(tempfile.mkdtemp(prefix="dicomseal-fuzz-", dir=MEMORY))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
IMPLICIT_UID = transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN
NOW = datetime.datetime.now(datetime.UTC)
_SEQUENCES = re.compile(rb"\xfe\x4f\x01\0|\x4f\xfe\0\x01|\xfa\xff\xfa\xff|\xff\xfa\xff\xfa")
_state: dict[str, Any] = {}
reader.SNAPSHOT = 64  # paths are read through windows, bytes are not


def _once(name: str, make: Any) -> Any:
    if name not in _state:
        _state[name] = make()
    return _state[name]


def _trust() -> TrustStore:
    return TrustStore.from_files(*(seeds.CACHE / f"{kind}.pem" for kind in ("ec", "rsa")))


def _verified(data: bytes, backend: Any, path: Path | None = None, **options: Any) -> ObjectReport:
    dispatch.Index = backend
    try:
        return verify(str(path) if path else data, **options)
    finally:
        dispatch.Index = _index_c.Index


def verify_object(data: bytes) -> None:
    """Nothing but a report leaves `verify`; both twins, and bytes and files, give the same one.

    What passes shows an independent reader the content that was signed.
    """
    options = {"trust": _once("trust", _trust), "at": NOW, "accept_legacy": bool(len(data) & 1)}
    report = _verified(data, _index_c.Index, **options)
    report.to_json()
    report.sentence()
    assert _verified(data, _index_py.Index, **options) == report, report
    path = FOLDER / "object.dcm"
    path.write_bytes(data)
    again = _verified(b"", _index_c.Index, path, **options)
    if not (data[:1] == b"" and again.error):
        assert msgspec.structs.replace(again, path="") == report, (again, report)
    if report.verdict == PASSED or (
        report.signatures and _verified(data, _index_c.Index, integrity_only=True).verdict == PASSED
    ):
        _same_content(data, report)


def _contents() -> dict[str, list[tuple[Any, pydicom.Dataset]]]:
    """The data sets that were signed, by the UID of the signature."""
    found: dict[str, list[tuple[Any, pydicom.Dataset]]] = {}
    for data in seeds.load("file"):
        for uid, content in _signed_content(data).items():
            found.setdefault(uid, []).append(content)
    return found


def _signed_content(data: bytes) -> dict[str, tuple[Any, pydicom.Dataset]]:
    """For each signature of the main data set the tags it lists, and the data set, by pydicom."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(io.BytesIO(data), force=True)
            signatures = dataset.get("DigitalSignaturesSequence") or []
            macs = {m.MACIDNumber: m for m in dataset.get("MACParametersSequence") or []}
            return {
                str(s.DigitalSignatureUID): (macs[s.MACIDNumber].DataElementsSigned, dataset)
                for s in signatures
            }
        except Exception as error:
            if isinstance(error, AssertionError):
                raise
            return {}


def _same_content(data: bytes, report: ObjectReport) -> None:
    """PS3.3 C.12.1.1.3.1.1: what a passing signature lists is as it was when it was made."""
    known = _once("contents", _contents)
    seen = _signed_content(data)
    for signature in report.signatures:
        if signature.location or signature.uid not in known or signature.uid not in seen:
            continue
        tags, dataset = seen[signature.uid]
        tags = tags if isinstance(tags, list | pydicom.multival.MultiValue) else [tags]
        assert any(_equal(dataset, original, tags) for _, original in known[signature.uid]), (
            f"signature {signature.uid} passes over other content"
        )


def _equal(one: pydicom.Dataset, two: pydicom.Dataset, tags: Any) -> bool:
    for tag in tags:
        if tag not in one and tag not in two:
            continue
        if tag not in one or tag not in two:
            return False
        try:
            if str(one[tag]).strip() != str(two[tag]).strip():
                return False
        except pydicom.errors.BytesLengthException:
            continue  # an odd length, which is signed as the even one; that reader refuses it
    return True


def roundtrip(data: bytes) -> None:
    """What can be signed verifies afterwards, and without the signature is the file it was."""
    source, signed, back = (FOLDER / name for name in ("source", "signed", "back"))
    source.write_bytes(data)
    pair = _once("pair", lambda: seeds.pair("ec"))
    had = verify(data, integrity_only=True)
    try:
        (uid,) = sign_file(source, signed, *pair)
    except DicomSealError:
        return
    # of what cannot be signed, as its VR is UN, some may say what signed elements mean
    after = verify(signed.read_bytes(), integrity_only=True, unsigned="accept")
    assert after.error is None and not after.reasons, after
    (signature,) = [s for s in after.signatures if s.uid == uid and s.location == ""]
    assert signature.integrity == "intact", signature
    others = [(s.location, s.uid, s.integrity) for s in after.signatures if s is not signature]
    before = [(s.location, s.uid, s.integrity) for s in had.signatures]
    assert others == before, (before, others)
    remove_file(signed, back, uid)
    whole = had.signatures and all(s.mac_algorithm for s in had.signatures)
    if _SEQUENCES.search(data) and not whole:
        return  # MAC Parameters that nothing used go with the last signature
    assert _plain(back.read_bytes()) == _plain(data), "removing does not give the file back"


def _plain(data: bytes) -> Any:
    """A file; of a deflated one what it inflates to, where no setting of zlib gives its bytes."""
    opened = part10.Part10.from_bytes(data)
    if opened.deflated is None:
        return data
    return opened.head, bytes(opened.source)


def remove(data: bytes) -> None:
    """After `remove_file` there are no signatures, and what is left is as readable as before."""
    source, target = FOLDER / "source", FOLDER / "target"
    source.write_bytes(data)
    try:
        removed = remove_file(source, target)
    except DicomSealError:
        return
    assert removed.removed > 0
    after = verify(target.read_bytes(), integrity_only=True)
    assert after.error is None, after
    assert all(s.integrity is None for s in after.signatures), after


# --- dcmsign ----------------------------------------------------------------------------------

counts = {"compared": 0, "ok": 0, "corrupted": 0, "explained": 0, "not read": 0}


def dcmsign(data: bytes) -> None:
    """Never ``passed`` where dcmsign says that the document is corrupted.

    dcmsign is asked only about what passes here: the rest cannot break the rule.
    """
    ours = verify(data, integrity_only=True, unsigned="accept")  # as dcmsign does
    if ours.verdict != PASSED:
        return
    said = _said(data)
    corrupted = "document corrupted" in said
    counts["compared"] += 1
    counts["ok"] += "Verification : OK" in said and not corrupted
    counts["corrupted"] += corrupted
    counts["not read"] += "Signature #" not in said
    if corrupted:
        assert _converted(ours) or _odd(data, said), said
        counts["explained"] += 1


dcmsign.counts = counts  # type: ignore[attr-defined]  # for `engine.Watch`


def _said(data: bytes) -> str:
    """What dcmsign says of a file."""
    path = FOLDER / "object.dcm"
    path.write_bytes(data)
    done = subprocess.run(
        [_once("dcmsign", lambda: _found("dcmsign")), "+cf", seeds.CACHE / "ec.pem",
         "+cf", seeds.CACHE / "rsa.pem", path],
        capture_output=True, text=True, errors="replace", env=os.environ | {"TZ": "UTC"},
        timeout=30, check=False, close_fds=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def _found(command: str) -> str:
    path = shutil.which(command)
    if path is None:
        raise SystemExit(f"{command} of DCMTK is not here; on Debian: apt-get install dcmtk")
    return path


def _converted(ours: ObjectReport) -> bool:
    """Pixel Data signed as OB, then converted to implicit VR; see docs/dcmsign.md.

    The report says so itself.
    """
    return ours.transfer_syntax == IMPLICIT_UID and any(
        message.startswith("implicit VR left OB open")
        for signature in ours.signatures
        for message in signature.messages
    )


def _odd(data: bytes, said: str) -> bool:
    """Text of odd length, which the two pad with different bytes; see docs/dcmsign.md.

    It is that only if dcmsign finds nothing wrong once the lengths have been made even.
    """
    if "is odd" not in said:
        return False
    form = file_form(data)
    even = form._replace(body=form.body)
    position = len(tokens(even)) - 1
    while position >= 0:
        found = tokens(even)
        token = found[position]
        position -= 1
        length = token.end - token.value
        if not token.stop and length % 2:
            pad = b" " if _vr(even, token.start) in terms.SPACE_PADDED else b"\0"
            even = even._replace(body=padded(even, found, token, pad))
    return "document corrupted" not in _said(form.join(even.body))


def _vr(form: Form, start: int) -> str:
    """The VR of the element that begins there."""
    if form.encoding != IMPLICIT:
        return form.body[start + 4 : start + 6].decode("latin-1")
    group, element = struct.unpack_from("<HH", form.body, start)
    if group % 2:
        return "LO" if element < 0x100 else "UN"
    try:
        return pydicom.datadict.dictionary_VR(group << 16 | element)
    except KeyError:
        return "UN"

"""The work in a signing run: a worker looks at each file of a batch, and signs it if needed.

Every worker opens the key itself, after it was started: a child process cannot use its parent's
session with a token.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from cryptography.hazmat.primitives import serialization

from ... import report
from ...encoding import values
from ...encoding.backend import Index
from ...errors import (
    CertificateError,
    DicomSealError,
    KeyFileError,
    KeyFileWarning,
    MalformedError,
    SourceError,
    TimestampError,
)
from ...files import atomic
from ...files.group import Group
from ...files.part10 import Part10
from ...files.reader import Reader
from ...report import CertificateInfo
from ...signature import certificate, digital_signature, mac_parameters
from ...signing.bulk_signer import BulkSigner
from ...signing.request import SignatureUID, SigningOptions
from ...standard import terms
from ...verification import parallel
from ...verification.options import Options
from ...verification.other_files import (
    DIRECTORY,
    MEDIA_STORAGE_DIRECTORY,
    NO_OBJECT,
    is_directory,
    on_no_dicom,
)
from ...verification.verifier import verify_with
from ..errors import StoppedError
from ..find.found import Found, path_of
from ..ledger.lock import as_a_worker
from ..ledger.rows import (
    ALREADY_SIGNED,
    REFUSED,
    SIGNED,
    Row,
    SignatureRow,
    as_stored,
    pack,
)
from ..ledger.uncovered import left_out
from .verify_worker import death_of

# the name of a temporary file: the run, the process's part in it, its worker
_BEGUN = re.compile(re.escape(atomic.PREFIX) + r"(\w+)-(\w+)-(\d{1,9})-").match
_MAX_SWEPT = 10_000  # folders that are remembered
_PAUSES = (1.0, 5.0)  # seconds, before a request to an authority is repeated
# these errors of one file would be those of every other file too
_GONE = (KeyFileError, CertificateError, TimestampError)


class Der(NamedTuple):
    """A private key of `cryptography` in PKCS#8, for a worker."""

    data: bytes


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a worker; the fields are those of `sign_archive.sign`.

    Attributes:
        signing_options: the options of the signatures.
        workers_lock: the file whose locks show that workers live.
        run, session: name the temporary files of this run, and of this process's part in it.
        runs: the earlier runs in the ledger, of which no worker lives.
    """

    key: Any
    certificate: bytes
    password: bytes | str | None
    signing_options: SigningOptions
    roots: tuple[str, ...]
    target: str | None
    overwrite: bool
    countersign_broken: bool
    workers_lock: str
    run: str = ""
    session: str = ""
    runs: frozenset[str] = frozenset()


_config: WorkerConfig | None = None
_made: Worker | None = None
_encode = msgspec.msgpack.Encoder().encode


def start(config: WorkerConfig) -> None:
    """Prepare a new worker process."""
    global _config
    _config = config
    parallel.be_a_worker()
    warnings.simplefilter("ignore", KeyFileWarning)  # shown when the run began
    as_a_worker(config.workers_lock)
    atomic.mark(f"{config.run}-{config.session}-{os.getpid()}-")


def sign_batch(batch: list[Found]) -> bytes:
    """Return the packed rows of a batch; and why no more can be signed, if so."""
    if _config is None:
        raise RuntimeError("this process was not started as a worker that signs")
    rows: dict[int, Row] = {}
    why = ""
    try:
        _worker(_config).sign_all(batch, rows)
    except StoppedError as stop:
        why = str(stop)  # the rows before count
    return _sent([rows[number] for number in sorted(rows)], why)


def crashed(file: Found, error: BaseException) -> bytes:
    """Return the row of a file at which a worker died or raised."""
    return _sent([_row(file, report.ERROR, ("crashed", death_of(error)))])


def _sent(rows: list[Row], why: str = "") -> bytes:
    return _encode((pack(rows) if rows else b"", why))


# the answer of a worker: the packed rows, or nothing, and why no more can be signed
unpack: Callable[[bytes], tuple[bytes, str]] = msgspec.msgpack.Decoder(tuple[bytes, str]).decode


def _worker(config: WorkerConfig) -> Worker:
    global _made
    if _made is None:
        try:
            _made = Worker(config)
        except DicomSealError as error:  # the parent could open it, and the worker cannot
            raise StoppedError(str(error)) from None
    return _made


class Worker:
    """Signs files, a group of them at a time. Errors are those of `BulkSigner`."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        key = config.key
        if isinstance(key, Der):
            key = serialization.load_der_private_key(key.data, None)
        self._signer = BulkSigner(key, config.certificate, config.password, config.signing_options)
        self._reader, self._other = Reader(), Reader()
        self._group = Group(opened=self._sweep)
        self._staged: dict[int, tuple[Found, Row]] = {}  # in the group, by their numbers
        self._folder = self._target_folder = ""
        self._swept: set[str] = set()

    def sign(self, file: Found) -> Row:
        """Return the row of a file, which then has a signature of this key, or a reason why not.

        Raises:
            StoppedError: no other file can be signed either. Nothing was written.
        """
        rows: dict[int, Row] = {}
        self.sign_all([file], rows)
        return rows[0]

    def sign_all(self, files: list[Found], rows: dict[int, Row]) -> None:
        """Sign files, and enter the row of each when it is on disk, by its place in the list.

        Raises:
            StoppedError: no other file can be signed either. Files without a row are as they were.
        """
        changed: list[int] = []
        try:
            for number, file in enumerate(files):
                self._one(number, file, rows, changed)
                if self._group.full:
                    self._commit(rows, changed)
            self._commit(rows, changed)
            # a file with two names may be signed by two workers, or be twice in this group
            for number in changed:
                again: list[int] = []
                self._one(number, files[number], rows, again)
                self._commit(rows, again)
                if again:
                    self._one(number, files[number], rows, None)
                    self._commit(rows, None)
        except StoppedError:
            self._commit(rows, [])  # what was signed before
            raise
        finally:
            self._group.discard()
            self._staged.clear()

    def _one(
        self, number: int, file: Found, rows: dict[int, Row], changed: list[int] | None
    ) -> None:
        """Enter the row of a file, or write what its group will rename.

        Args:
            number: of the file.
            file: the file.
            rows: for its row.
            changed: for its number, if it changed meanwhile; None: that is an error by now.
        """
        if file.trouble:
            rows[number] = _row(file, report.ERROR, file.trouble)
            return
        while True:
            try:
                row = self._sign(number, file)
            except SourceError as error:
                if error.code == "no_space":
                    if self._group:  # it holds space, of which renaming gives some back
                        self._commit(rows, changed)
                        continue
                    raise StoppedError(str(error)) from None
                self._refuse(number, file, error, rows, changed)
                return
            except MalformedError as error:
                verdict, sentence = report.ERROR, _said(file, error)
                if error.code in NO_OBJECT:
                    verdict, sentence = on_no_dicom(file.path, sentence)
                row = _row(file, verdict, (error.code, sentence))
            except _GONE as error:
                raise StoppedError(str(error)) from None
            except DicomSealError as error:
                row = _row(file, REFUSED, (error.code, _said(file, error)))
            if row is not None:
                rows[number] = row
            return

    @staticmethod
    def _refuse(
        number: int, file: Found, error: SourceError, rows: dict[int, Row],
        changed: list[int] | None,
    ) -> None:  # fmt: skip
        # once more: it changed, or the flush failed, perhaps for data of another program
        if error.code in ("changed", "write") and changed is not None:
            changed.append(number)
            return
        verdict = REFUSED if error.code == "exists" else report.ERROR
        rows[number] = _row(file, verdict, (error.code, _said(file, error)))

    def _commit(self, rows: dict[int, Row], changed: list[int] | None) -> None:
        """Have the files of the group on disk under their names, and enter their rows."""
        full = None
        for number, error in self._group.commit():
            file, row = self._staged.pop(number)
            if error is None:
                rows[number] = row
            elif error.code == "no_space":
                full = error
            else:
                self._refuse(number, file, error, rows, changed)
        if full is not None:
            raise StoppedError(str(full))

    def _sign(self, number: int, file: Found) -> Row | None:
        """Return the row of a file that is not signed; None of one that is now in the group."""
        target = self._target(file.path)
        part10 = self._reader.open(file.path, settled=True)
        index = self._signer.index(part10)
        existing = self._signer.existing_signature(index)
        if existing:
            return _row(file, ALREADY_SIGNED, index=index, signature=_stored(index, *existing))
        if is_directory(part10, index):
            return _row(file, DIRECTORY)
        broken = None if self._config.countersign_broken else _broken(file.path, index)
        if broken:
            return _row(file, REFUSED, broken, index=index)
        if target != file.path and os.path.lexists(target):
            there = self._copy(target, index)
            if there:
                return _row(file, ALREADY_SIGNED, index=index, signature=there)
            if not self._config.overwrite:
                raise SourceError(f"{target}: exists already, and is not such a copy", "exists")
        uid, when, status = self._stage(part10, index, target, target == file.path, number)
        signature = _signature(
            str(uid),
            when.isoformat(),
            self._config.signing_options.mac,
            self._signer.certificate.signer,
        )
        now = file
        if target == file.path:
            now = msgspec.structs.replace(file, size=status.st_size, mtime=status.st_mtime_ns)
        left = len(uid.left_out), left_out(uid.telling, uid.left_out)
        row = _row(now, SIGNED, index=index, signature=signature, left=left)
        self._staged[number] = file, row
        return None

    def _stage(
        self, part10: Part10, index: Index, target: str, in_place: bool, number: int
    ) -> tuple[SignatureUID, datetime, os.stat_result]:
        overwrite = in_place or self._config.overwrite
        for pause in (*_PAUSES, None):
            try:
                return self._signer.stage(part10, index, target, overwrite, self._group, number)
            except TimestampError:
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError("the last attempt raises")

    def _target(self, path: str) -> str:
        """Return the path of the signed file; folders in the target are created."""
        folder, name = os.path.split(path)
        if folder != self._folder:  # files come folder by folder
            self._target_folder = self._other_folder(path, folder)
            self._folder = folder
            # also where no file is left to be written: a killed run may have begun the last one
            self._sweep(os.path.realpath(self._target_folder))
        if self._config.target is None:
            return path
        return os.path.join(self._target_folder, name)

    def _other_folder(self, path: str, folder: str) -> str:
        """Return the folder for the signed file, and create it."""
        if self._config.target is None:
            return folder
        for root in self._config.roots:
            if path == root or path.startswith(os.path.join(root, "")):
                below = os.path.dirname(root) if os.path.isfile(root) else root
                several = len(self._config.roots) > 1 and below == root
                name = os.path.join(os.path.basename(root) if several else "",
                                    os.path.relpath(path, below))  # fmt: skip
                target = os.path.dirname(os.path.join(self._config.target, name))
                _make_folders(target)
                return target
        raise SourceError(f"{path}: lies below none of the roots")

    def _copy(self, target: str, original: Index) -> SignatureRow | None:
        """Return the signature of an existing copy, if it is the one that would be made."""
        with contextlib.suppress(SourceError, MalformedError):
            copy = self._other.open(target).index()
            existing = self._signer.existing_signature(copy)
            if existing and self._signer.is_up_to_date_copy(copy, original):
                return _stored(copy, *existing)
        return None

    def _sweep(self, folder: str) -> None:
        """Remove temporary files that killed workers of runs of this ledger left in a folder."""
        if folder in self._swept:
            return
        if len(self._swept) >= _MAX_SWEPT:
            self._swept.clear()
        self._swept.add(folder)
        begun = []
        with contextlib.suppress(OSError), os.scandir(folder) as entries:  # may be unreadable
            begun = [(entry.path, parts) for entry in entries if (parts := _BEGUN(entry.name))]
        for path, parts in begun:
            run, session, process = parts.groups()
            mine = run == self._config.run
            if (run in self._config.runs and not mine) or (
                mine and (session != self._config.session or not _lives(int(process)))
            ):
                with contextlib.suppress(OSError):  # another worker was faster
                    os.unlink(path)


def _lives(process: int) -> bool:
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user
    return True


def _make_folders(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise SourceError(f"{folder}: cannot be made: {error.strerror or error}", "write") from None


def _broken(path: str, index: Index) -> tuple[str, str] | None:
    """Return what is wrong with the existing signatures, beside which a new one would look fine."""
    if not index.scopes:
        return None
    found = verify_with(path, Options(integrity_only=True))
    if found.error:
        return found.error.code, found.error.message
    for one in found.signatures:
        if one.integrity_reason:
            return one.integrity_reason.code, (
                f"an existing signature does not verify: {one.integrity_reason.message}"
            )
    return None


def _said(file: Found, error: DicomSealError) -> str:
    return str(error).removeprefix(f"{file.path}: ")


def _row(
    file: Found,
    verdict: str,
    why: tuple[str, str] | None = None,
    index: Index | None = None,
    signature: SignatureRow | None = None,
    left: tuple[int, str] = (0, ""),
) -> Row:
    code, sentence = why or ("", "")
    kind = MEDIA_STORAGE_DIRECTORY if verdict == DIRECTORY else ""
    instance = modality = ""
    if index is not None:
        found = index.values(0, (terms.SOP_CLASS_UID, terms.SOP_INSTANCE_UID, terms.MODALITY))
        kind, instance, modality = (as_stored(values.as_text(value)) for value in found)
    return Row(
        path=path_of(file.path),
        size=file.size,
        mtime=file.mtime,
        sop_class_uid=kind,
        sop_instance_uid=instance,
        modality=modality,
        content=b"",
        verdict=verdict,
        reason=code,
        sentence=as_stored(sentence),
        reasons=code,
        uncovered=left[0],
        uncovered_classes=left[1],
        time=time.time(),
        signatures=(signature,) if signature else (),
    )


def _stored(index: Index, stored: digital_signature.DigitalSignature, _: int) -> SignatureRow:
    """Return the row of an existing signature."""
    algorithm = ""
    for mac_id, item in mac_parameters.read_ids(index, 0):
        if mac_id == stored.mac_id:
            algorithm = mac_parameters.read(index, item).algorithm
            break
    when = digital_signature.parse_datetime(stored.datetime)
    return _signature(
        stored.uid,
        when.isoformat() if when else stored.datetime,
        algorithm,
        certificate.parse(stored.certificate).signer,
    )


def _signature(uid: str, when: str, algorithm: str, signer: CertificateInfo) -> SignatureRow:
    """Return the row of a new signature, neither intact nor trusted, as nothing was verified."""
    return SignatureRow(
        location="", uid=as_stored(uid), datetime=as_stored(when), integrity="",
        trust=report.NOT_CHECKED, mac_algorithm=as_stored(algorithm), reason="", sentence="",
        judged_at="", judged_by="", timestamp="", proof="", weak="", digest=b"", content=b"",
        elements=b"", signer=signer,
    )  # fmt: skip

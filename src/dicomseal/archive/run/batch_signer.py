"""The work on a batch in a signing run: each file is looked at, and signed if needed.

Files are read as `dicomseal.archive.find.ahead` has it, so one that hangs costs a row, and signed a
group at a time (`dicomseal.files.group`).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from cryptography.hazmat.primitives import serialization

from ... import report
from ...encoding.backend import Index
from ...errors import (
    CertificateError,
    DicomSealError,
    KeyFileError,
    MalformedError,
    SourceError,
    TimestampError,
)
from ...files.group import Group
from ...files.part10 import Part10
from ...files.reader import Reader
from ...files.window import Origin, Window
from ...signature import digital_signature
from ...signing.bulk_signer import BulkSigner, Signed
from ...signing.request import SigningOptions
from ...standard import terms
from ...verification.options import Options
from ...verification.other_files import DIRECTORY, NO_OBJECT, is_directory, on_no_dicom
from ...verification.verifier import verify_with
from ..errors import StoppedError
from ..find import roots
from ..find.ahead import HUNG, ReadAhead, Reading
from ..find.folder_root import FolderRoot, ToBeReplaced
from ..find.found import Found
from ..find.root import Fetched, Root
from ..ledger.rows import ALREADY_SIGNED, REFUSED, SIGNED, Row, SignatureRow
from ..ledger.uncovered import left_out
from .left_behind import Sweeper
from .sign_rows import row_of_file, said, signature_row, stored_signature
from .targets import Targets

_TOGETHER, _TOGETHER_BYTES = 32, 2 << 20  # files that are read, then signed, then written
_BUFFER = 1 << 16  # bytes, of the file that each of them is read into; it grows
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
        reading: how files are read.
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
    reading: Reading = Reading(ahead=0)


class _Signable(msgspec.Struct, frozen=True):
    """An object that is to be signed: what it was read as, and where the signed file goes."""

    number: int
    file: Found
    target: str
    part10: Part10
    index: Index


class Worker:
    """Signs files, a group of them at a time. Errors are those of `BulkSigner`.

    Some files are read, then all of these are signed, then all are written, as each of these steps
    is faster while its code is in the caches of the processor.

    Attributes:
        ahead: reads them.
    """

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        key = config.key
        # of a slow key, or with a slow authority, nothing that was signed waits to be written
        is_quick = isinstance(key, (Der, str)) and not config.signing_options.tsa
        if isinstance(key, Der):
            key = serialization.load_der_private_key(key.data, None)
        self._signer = BulkSigner(key, config.certificate, config.password, config.signing_options)
        self._readers = [Reader(_BUFFER) for _ in range(_TOGETHER if is_quick else 1)]
        self.ahead = ReadAhead(config.reading, kind_of=_kind_of)
        self._sweeper = Sweeper(config.run, config.session, config.runs)
        self._group = Group(opened=self._sweeper.sweep)
        self._targets = Targets(config.roots, config.target, self._sweeper.sweep, self.ahead.reads)
        self._signable: list[_Signable] = []  # read, and to be signed
        self._staged: dict[int, tuple[Found, Row]] = {}  # in the group, by their numbers

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
            self._all(files, range(len(files)), rows, changed)
            # a file with two names may be signed by two workers, or be twice in this group
            for number in changed:
                again: list[int] = []
                self._all(files, [number], rows, again)
                if again:
                    self._all(files, [number], rows, None)
        except StoppedError:
            self._commit(rows, [])  # what was signed before
            raise
        finally:
            self._group.discard()
            self._signable.clear()
            self._staged.clear()

    def _all(
        self, files: list[Found], numbers: Sequence[int], rows: dict[int, Row],
        changed: list[int] | None,
    ) -> None:  # fmt: skip
        """Enter the rows of some of the files, when these are on disk.

        Args:
            files: all of the batch.
            numbers: which of them.
            rows: for their rows.
            changed: for the number of one that changed meanwhile; None: that is an error by now.
        """
        readable = []
        for number in numbers:
            file = files[number]
            if file.trouble:
                rows[number] = row_of_file(file, report.ERROR, file.trouble)
            else:
                readable.append(number)
        size = 0  # of the files that are to be signed
        with contextlib.closing(self.ahead.each([files[number] for number in readable])) as each:
            for place, fetched in each:
                number = readable[place]
                file = files[number]
                if size + file.size > _TOGETHER_BYTES:
                    self._sign_signable(rows, changed)
                    size = 0
                self._look_at(number, file, fetched, rows, changed)
                size += file.size
                # what was fetched is there until the next one is
                is_near = isinstance(fetched.source, str)
                if not is_near or len(self._signable) == len(self._readers):
                    self._sign_signable(rows, changed)
                    size = 0
        self._sign_signable(rows, changed)
        self._commit(rows, changed)

    def _look_at(
        self, number: int, file: Found, fetched: Fetched, rows: dict[int, Row],
        changed: list[int] | None,
    ) -> None:  # fmt: skip
        """Enter the row of a file, or put it with those to be signed; arguments as `_all`."""
        try:
            row = self._look(number, file, fetched)
        except DicomSealError as error:
            self._fail(number, file, error, rows, changed)
        else:
            if row is not None:
                rows[number] = row

    def _fail(
        self, number: int, file: Found, error: DicomSealError, rows: dict[int, Row],
        changed: list[int] | None,
    ) -> None:  # fmt: skip
        """Enter the row of a file that is not signed for an error; arguments as `_all`.

        Raises:
            StoppedError: no other file can be signed either.
        """
        if isinstance(error, _GONE) or error.code == "no_space":
            raise StoppedError(str(error)) from None
        if isinstance(error, SourceError):
            # once more: it changed, or the flush failed, perhaps for data of another program
            if error.code in ("changed", "write") and changed is not None:
                changed.append(number)
                return
            verdict = REFUSED if error.code == "exists" else report.ERROR
            rows[number] = row_of_file(file, verdict, (error.code, said(file, error)))
        elif isinstance(error, MalformedError):
            verdict, sentence = report.ERROR, said(file, error)
            if error.code in NO_OBJECT:
                verdict, sentence = on_no_dicom(file.path, sentence)
            rows[number] = row_of_file(file, verdict, (error.code, sentence))
        else:
            rows[number] = row_of_file(file, REFUSED, (error.code, said(file, error)))

    def _sign_signable(self, rows: dict[int, Row], changed: list[int] | None) -> None:
        """Sign what is to be signed, and write what its group will rename; arguments as `_all`."""
        signable, self._signable = self._signable, []
        signed = []
        for one in signable:
            try:
                signed.append((one, self._signed(one)))
            except DicomSealError as error:
                self._fail(one.number, one.file, error, rows, changed)
        for one, new in signed:
            try:
                try:
                    self._stage(one, new)
                except SourceError as error:
                    if error.code != "no_space" or not self._group:
                        raise
                    # it holds space, of which renaming gives some back
                    self._commit(rows, changed)
                    self._stage(one, self._signed(one))
            except DicomSealError as error:
                self._fail(one.number, one.file, error, rows, changed)
            if self._group.full:
                self._commit(rows, changed)

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
                self._fail(number, file, error, rows, changed)
        if full is not None:
            raise StoppedError(str(full))

    def _look(self, number: int, file: Found, fetched: Fetched) -> Row | None:
        """Return the row of a file that is not to be signed; None of one that is."""
        part10 = self._opened(file, fetched)
        target = self._targets.of(file.path)
        index = self._signer.index(part10)
        existing = self._signer.existing_signature(index)
        if existing:
            return row_of_file(
                file, ALREADY_SIGNED, index=index, signature=stored_signature(index, *existing)
            )
        # whether there is such a sequence is seen in a tenth of the time
        if index.find(0, terms.DIRECTORY_RECORD_SEQUENCE) >= 0 and is_directory(part10, index):
            return row_of_file(file, DIRECTORY)
        broken = None if self._config.countersign_broken else _broken(fetched, index)
        if broken:
            return row_of_file(file, REFUSED, broken, index=index)
        if target != file.path and os.path.lexists(target):
            there = self._copy(target, index)
            if there:
                return row_of_file(file, ALREADY_SIGNED, index=index, signature=there)
            if not self._config.overwrite:
                raise SourceError(f"{target}: exists already, and is not such a copy", "exists")
        self._signable.append(_Signable(number, file, target, part10, index))
        return None

    def _opened(self, file: Found, fetched: Fetched) -> Part10:
        source = fetched.source
        if isinstance(source, SourceError):
            raise source
        if isinstance(source, str):  # it is near
            return self._readers[len(self._signable)].open(source, settled=True)
        part10 = Part10(source, len(source))
        if fetched.status is not None:
            part10.origin = Origin(file.path, fetched.status)
        return part10

    def _signed(self, one: _Signable) -> Signed:
        for pause in (*_PAUSES, None):
            try:
                return self._signer.signed(one.part10, one.index)
            except TimestampError:
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError("the last attempt raises")

    def _stage(self, one: _Signable, new: Signed) -> None:
        """Write a signed object to a temporary file, which waits for its group."""
        number, file, target, index = one.number, one.file, one.target, one.index
        is_in_place = target == file.path
        overwrite = is_in_place or self._config.overwrite
        status = new.splice.stage(self._group, number, target, overwrite)
        signature = signature_row(
            str(new.uid),
            digital_signature.iso(new.when),
            self._config.signing_options.mac,
            self._signer.certificate.signer,
        )
        now = file
        if is_in_place:
            now = msgspec.structs.replace(file, size=status.st_size, mtime=status.st_mtime_ns)
        left = new.uid.left_out
        row = row_of_file(
            now,
            SIGNED,
            index=index,
            signature=signature,
            left=(len(left), left_out(new.uid.telling, left)) if left else (0, ""),
        )
        self._staged[number] = file, row

    def _copy(self, target: str, original: Index) -> SignatureRow | None:
        """Return the signature of an existing copy, if it is the one that would be made."""
        try:
            with contextlib.closing(self._read(target)) as source:
                copy = Part10(source, len(source)).index()
                existing = self._signer.existing_signature(copy)
                if existing and self._signer.is_up_to_date_copy(copy, original):
                    return stored_signature(copy, *existing)
        except (SourceError, MalformedError) as error:
            if error.code == HUNG:  # it may be such a copy
                raise
        return None

    def _read(self, path: str) -> Window:
        """Open a file that is beside the one that the group is about."""
        reads = self.ahead.reads
        fetched = reads.within(lambda: FolderRoot.fetch(Found(path), None, reads))
        if not isinstance(fetched.source, Window):
            raise fetched.source if isinstance(fetched.source, SourceError) else SourceError(path)
        return fetched.source


def _kind_of(path: str) -> type[Root]:
    kind = roots.kind_of(path)
    return ToBeReplaced if kind is FolderRoot else kind


def _broken(fetched: Fetched, index: Index) -> tuple[str, str] | None:
    """Return what is wrong with the existing signatures, beside which a new one would look fine."""
    if not index.scopes:
        return None
    source = fetched.source
    if isinstance(source, SourceError):
        return source.code, str(source)
    found = verify_with(source, Options(integrity_only=True))
    if found.error:
        return found.error.code, found.error.message
    for one in found.signatures:
        if one.integrity_reason:
            return one.integrity_reason.code, (
                f"an existing signature does not verify: {one.integrity_reason.message}"
            )
    return None

"""Input and output of dcmsign: files, data sets alone, standard input and output."""

from __future__ import annotations

import os
import sys

from ..editing.convert import convert
from ..editing.reencode import EXPLICIT, UNDEFINED, file_of, needs_other_lengths, reencode
from ..errors import DicomSealError, MalformedError, SourceError
from ..files.atomic import replacing
from ..files.part10 import Part10
from ..standard import transfer_syntaxes
from .exits import Exit, ExitError
from .job import Job

STANDARD = "-"


def read(name: str) -> bytes:
    """Read a file, or standard input.

    Raises:
        ExitError: it cannot be read.
    """
    try:
        if name == STANDARD:
            return sys.stdin.buffer.read()
        with open(name, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ExitError(Exit.CANNOT_READ_INPUT, f"{why}: reading file: {name}") from None


def load(job: Job) -> bytes:
    """Return the input as the bytes of a DICOM file, whatever form it has.

    Raises:
        ExitError: it cannot be read, or is not DICOM.
    """
    if not job.source:
        raise ExitError(Exit.NO_INPUT, "invalid filename: <empty string>")
    data = read(job.source)
    try:
        return _as_file(job, data)
    except DicomSealError as error:
        raise ExitError(Exit.CANNOT_READ_INPUT, f"{error}: reading file: {job.source}") from None


def _as_file(job: Job, data: bytes) -> bytes:
    is_file = data[128:132] == b"DICM"
    if job.mode == "--read-file-only" and not is_file:
        raise MalformedError("File meta information header missing", "not_dicom")
    if job.mode == "--read-dataset":
        if is_file:
            raise MalformedError("it begins with file meta information", "not_dicom")
        part10 = (
            Part10.from_data_set(data, job.read_syntax)
            if job.read_syntax
            else Part10.from_bytes(data)
        )
    else:
        part10 = Part10.from_bytes(data)
        if job.detect and is_file and part10.deflated is None:
            inside = Part10.from_bytes(bytes(data[part10.start :]))
            if transfer_syntaxes.is_encapsulated(part10.transfer_syntax) is False:
                part10 = inside  # encapsulated Pixel Data are not detected at the start of the file
    index = part10.index()
    if "open" in index.noted:
        raise MalformedError("Sequence Delimitation Item missing", "truncated")
    if not part10.head or not part10.stated:
        data = file_of(part10, index)
    if job.convert_un:
        part10 = Part10.from_bytes(data)
        data, _ = reencode(part10, part10.index(), convert_un=True)
    return data


def converted(job: Job, data: bytes) -> bytes:
    """Return the object in the encoding of the output.

    Raises:
        ExitError: that is not possible, or would break a signature.
    """
    lengths = UNDEFINED if job.undefined else EXPLICIT
    try:
        part10 = Part10.from_bytes(data)
        index = part10.index()
        syntax = job.write_syntax or part10.transfer_syntax
        if syntax == part10.transfer_syntax and not needs_other_lengths(index, lengths):
            return data
        return convert(part10, index, syntax, lengths=lengths, accept_loss=True)
    except DicomSealError as error:
        raise ExitError(Exit.CANNOT_WRITE_OUTPUT, f"No conversion possible: {error}") from None


def write(name: str, data: bytes) -> None:
    """Write the output, to a file or to standard output.

    Raises:
        ExitError: it cannot be written.
    """
    try:
        if name == STANDARD:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        with replacing(name) as file:
            file.write(data)
    except (OSError, SourceError) as error:
        why = getattr(error, "strerror", None) or error
        raise ExitError(Exit.CANNOT_WRITE_OUTPUT, f"{why}: writing file: {name}") from None


def create_dump(name: str) -> None:
    """Check that the dump can be written, before anything is done.

    Raises:
        ExitError: it cannot be written.
    """
    write_support(name, b"", f"unable to create dump file '{name}'")


def write_support(name: str, data: bytes, trouble: str) -> None:
    """Write a file that accompanies the output.

    Raises:
        ExitError: it cannot be written.
    """
    try:
        with open(os.fsencode(name), "wb") as file:
            file.write(data)
    except (OSError, ValueError):
        raise ExitError(Exit.CANNOT_WRITE_SUPPORT_FILE, trouble) from None

"""Verify on load: a data set that pydicom parses from the very bytes that were verified.

In: a file.
Out: a `pydicom.Dataset` with its report, or a `VerificationError`.
PS3: PS3.3 C.12.1.1.3, PS3.10.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import msgspec

from .. import report
from ..errors import DicomSealError, MalformedError, SourceError, UsageError, VerificationError
from ..files.dataset_source import IN_PART
from ..files.held_bytes import HeldBytes, hold
from ..files.source import is_dataset
from ..report import ObjectReport
from ..standard import transfer_syntaxes
from .options import WARN
from .verifier import verify

if TYPE_CHECKING:
    from pydicom import FileDataset
    from typing_extensions import Buffer

    from ..encoding.limits import Limits
    from ..requirements import Rule
    from ..trust.store import TrustStore

RAISE, REPORT = "raise", "report"
_FINE = (report.PASSED, report.UNSIGNED)


def dcmread(
    source: str | os.PathLike[str] | Buffer | BinaryIO,
    *,
    trust: TrustStore | None = None,
    at: datetime | None = None,
    accept_claimed_time: bool = False,
    weak: str | None = None,
    integrity_only: bool = False,
    require: str | Rule | Iterable[str | Rule] = (),
    require_signed: Iterable[str | int] = (),
    require_all_signed: bool = False,
    list_uncovered: bool = False,
    unsigned: str = WARN,
    accept_legacy: bool = False,
    transfer_syntax: str = "",
    limits: Limits | None = None,
    on_failed: str = RAISE,
    defer_size: int | float | str | None = None,
    stop_before_pixels: bool = False,
    force: bool = False,
    specific_tags: Iterable[int | str | tuple[int, int]] | None = None,
) -> FileDataset:
    """Read a DICOM file as `pydicom.dcmread` does, after its signatures are verified.

    The bytes are read once. They are verified, and pydicom parses the same bytes, so a change of
    the file in between has no effect. All of the object is verified, however little of it is kept.

    Args:
        source: a path, a file's content as bytes, or a binary file, which is read to its end.
        trust, at, accept_claimed_time, weak, integrity_only, require, require_signed,
            require_all_signed, list_uncovered, unsigned, accept_legacy, transfer_syntax, limits:
            as for `verify`. An object without signatures is read, unless `require` demands some.
        on_failed: ``raise``: an object whose verdict is neither ``passed`` nor ``unsigned`` gives
            an exception and no data set; ``report``: it is read like any other, and its report says
            what is wrong with it.
        defer_size, stop_before_pixels, force, specific_tags: as for `pydicom.dcmread`. What is
            deferred comes from the bytes that were verified, which are held in memory for it.

    Returns:
        The data set that pydicom parses, with the report of `verify` on the bytes it was read from
        as its attribute ``seal``. It is not an element: no file and no JSON gets it. Copies
        and pickles have it too. It does not know what is changed in the data set afterwards.

    Raises:
        VerificationError: the verdict is ``failed``, ``indeterminate`` or ``error``, and
            ``on_failed`` is ``raise``; its attribute ``report`` is the report. The limits of what
            an object may cost hold for ``report`` as well.
        SourceError: the bytes cannot be had, or changed while they were read.
        MalformedError: pydicom cannot parse them, or takes them for another encoding.
        UsageError: as of `verify`; ``on_failed`` is none of the two words, an argument of pydicom
            makes no sense, or the source is a `pydicom.Dataset`.
    """
    if on_failed not in (RAISE, REPORT):
        raise UsageError(f"on_failed is {RAISE} or {REPORT}, not {on_failed!r}")
    if is_dataset(source):
        raise UsageError("dcmread reads files; verify takes a pydicom.Dataset")
    as_pydicom = _checked(defer_size, stop_before_pixels, force, specific_tags)
    stays = defer_size is not None
    held = hold(source, stays=stays)
    seal = verify(
        held.view, trust=trust, at=at, accept_claimed_time=accept_claimed_time, weak=weak,
        integrity_only=integrity_only, require=require, require_signed=require_signed,
        require_all_signed=require_all_signed, list_uncovered=list_uncovered, unsigned=unsigned,
        accept_legacy=accept_legacy, transfer_syntax=transfer_syntax, limits=limits,
    )  # fmt: skip
    if held.path:
        seal = msgspec.structs.replace(seal, path=held.path)
    too_much = seal.error is not None and seal.error.code == "limit"
    if seal.verdict not in _FINE and (on_failed == RAISE or too_much):
        hint = ""
        if seal.verdict == report.INDETERMINATE and trust is None and not integrity_only:
            hint = (
                "; whom to trust was not said: trust=TrustStore.from_files('ca.pem'), or "
                "integrity_only=True"
            )
        message = f"{seal.path or 'the object'}: {seal.sentence()}{hint}"
        raise VerificationError(message, report=seal, remedy=seal.remedy)
    dataset = _parse(held, as_pydicom)
    _require_encoding(dataset, seal)
    _settle(dataset, held, stays)
    dataset.seal = seal
    if stop_before_pixels or specific_tags is not None:
        setattr(dataset, IN_PART, True)
    return dataset


def _checked(
    defer_size: Any, stop_before_pixels: bool, force: bool, specific_tags: Any
) -> dict[str, Any]:
    """Check the arguments of pydicom before anything is read."""
    if defer_size is None and specific_tags is None:
        return {"stop_before_pixels": stop_before_pixels, "force": force}
    from pydicom.misc import size_in_bytes
    from pydicom.tag import Tag

    try:
        size = size_in_bytes(defer_size)
        tags = None if specific_tags is None else [Tag(tag) for tag in specific_tags]
    except Exception as error:  # whatever pydicom raises for a value that it cannot use
        raise UsageError(
            f"defer_size or specific_tags cannot be used by pydicom: {error}"
        ) from error
    return {
        "defer_size": size,
        "stop_before_pixels": stop_before_pixels,
        "force": force,
        "specific_tags": tags,
    }


def _parse(held: HeldBytes, as_pydicom: dict[str, Any]) -> FileDataset:
    import pydicom

    try:
        return pydicom.dcmread(held.open(), **as_pydicom)
    except DicomSealError:
        raise
    except Exception as error:  # whatever pydicom's readers raise
        name = held.path or "the object"
        raise MalformedError(f"{name}: pydicom cannot read it: {error}") from error


def _require_encoding(dataset: FileDataset, seal: ObjectReport) -> None:
    """Check that pydicom uses the named encoding for a data set without File Meta Information."""
    syntax = seal.transfer_syntax
    if not syntax or not dataset:
        return
    implicit = syntax == transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN
    little = syntax != transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN
    if dataset.original_encoding != (implicit, little):
        raise MalformedError(
            f"{seal.path or 'the object'}: it was verified as Transfer Syntax {syntax}, and "
            "pydicom takes it for another encoding",
            "contradiction",
        )


def _settle(dataset: FileDataset, held: HeldBytes, may_defer: bool) -> None:
    """Set what a data set that was read from this source has, and no way to other bytes."""
    dataset.filename, dataset.timestamp = held.path or None, held.modified
    if may_defer and any(_is_deferred(element) for element in dataset.values()):
        # the buffer has verified bytes, or bytes that were inflated from them
        dataset.fileobj_type = _no_other_bytes
    else:
        dataset.buffer, dataset.fileobj_type = None, open


def _is_deferred(element: Any) -> bool:
    return element.is_raw and element.value is None and element.length != 0


def _no_other_bytes(path: str, *_mode: str) -> NoReturn:
    """Refuse to open a file for a deferred value, if its buffer was taken away."""
    raise SourceError(
        f"{path}: its bytes were verified, are no longer held, and may be others by now", "changed"
    )

"""What is done with one object that arrived, and what its sender is told (PS3.4 Annex B)."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from .. import report
from ..errors import UsageError
from ..files.source import read_all
from ..report import ErrorReport, ObjectReport, Reason, ReasonCode
from ..standard import terms
from ..verification.verifier import verify_with
from .descriptors import is_scarcity
from .identity import Identity, identify
from .policy import REFUSE, Policy
from .room import room

if TYPE_CHECKING:
    from typing_extensions import Buffer

# statuses of a C-STORE response (PS3.4 Table B.2-1)
SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

COMMENT_LENGTH = 64  # characters of Error Comment (0000,0902), an LO
_local = threading.local()
_SNAPSHOT = 8 << 20  # bytes: up to here a file is read once and judged in memory


class Decision(report.Answer, msgspec.Struct, frozen=True, kw_only=True):
    """What is done with an object. It has no truth value: ``bool()`` of it raises.

    Attributes:
        verdict: of the verification; ``failed`` as well where the object is not the one that its
            sender announced.
        action: ``accept``, ``quarantine`` or ``refuse``.
        status: Status (0000,0900) of the C-STORE response.
        comment: Error Comment (0000,0902) of it, ASCII of at most 64 characters; empty with
            success.
        offending: tags for its Offending Element (0000,0901).
        identity: the UIDs of the object.
        report: of the verification; its path is empty.
    """

    _write = "`.action == 'accept'`"

    verdict: str
    action: str
    status: int
    comment: str = ""
    offending: tuple[int, ...] = ()
    identity: Identity = Identity()
    report: ObjectReport

    @property
    def reason(self) -> Reason | ErrorReport | None:
        """The first reason why it did not pass; None if it did, or is unsigned."""
        return first_reason(self.report)


def judge(
    data: str | os.PathLike[str] | Buffer | BinaryIO,
    policy: Policy,
    *,
    sop_class: str = "",
    sop_instance: str = "",
    study: str = "",
) -> Decision:
    """Verify an object that arrived, and decide what is done with it.

    Args:
        data: a path, a file's content as bytes, or a binary file.
        policy: what is asked of it.
        sop_class, sop_instance: the UIDs by which the sender announced it, e.g. in the command set
            of a C-STORE request; an object that is another one failed. Empty: nothing was said.
        study: the Study Instance UID that a request names, as a Store transaction may (PS3.18
            Section 10.5.1); an object of another study failed, and is refused by every policy.

    Returns:
        A decision. Anything wrong with the object itself is in its report, never raised.

    Raises:
        UsageError: the policy is not a `Policy`.
        SourceError: the data are nothing that can be read.
    """
    if not isinstance(policy, Policy):
        raise UsageError(f"a Policy is needed, e.g. Policy.of(trust), not {policy!r}")
    source = read_once(data)
    found = verify_with(source, policy.options)
    identity = identify(source, policy.options.limits)
    tags: tuple[int, ...] = ()
    elsewhere = bool(study) and study != identity.study
    if found.verdict != report.ERROR:
        found, tags = _announced(found, identity, sop_class, sop_instance, study)
    if found.path:
        found = msgspec.structs.replace(found, path="")
    action = REFUSE if elsewhere else policy.action_for(found.verdict)
    if action != REFUSE:
        return Decision(
            verdict=found.verdict, action=action, status=SUCCESS, identity=identity, report=found
        )
    if not tags and found.verdict != report.ERROR:
        tags = (terms.DIGITAL_SIGNATURES_SEQUENCE,)
    matches = found.verdict in (report.FAILED, report.UNSIGNED)
    return Decision(
        verdict=found.verdict,
        action=action,
        status=DOES_NOT_MATCH if matches else CANNOT_UNDERSTAND,
        comment=comment(found),
        offending=tags,
        identity=identity,
        report=found,
    )


def read_once(data: Any) -> Any:
    """Return a source that is read once, so that all looks at it are looks at the same bytes.

    A file goes into a buffer of the thread, which the next one reuses.

    Raises:
        OSError: this machine has too little memory or too few files now.
    """
    if not isinstance(data, (str, os.PathLike)):
        return read_all(data)
    try:
        with open(data, "rb", buffering=0, opener=_opened) as file:
            status = os.fstat(file.fileno())
            size = status.st_size
            if size > _SNAPSHOT or not stat.S_ISREG(status.st_mode):
                return os.fspath(data)
            view = _buffer(size)
            done = 0
            while done < size:
                count = file.readinto(view[done:])
                if not count:
                    break
                done += count
            return view[:done]
    except (OSError, ValueError) as error:
        if is_scarcity(error):  # which says nothing of the object
            raise
        return os.fspath(data)  # the verification says what is wrong with it


def _opened(path: str, flags: int) -> int:
    """Open a file; a pipe that nobody writes to does not hold it up."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _buffer(size: int) -> memoryview:
    found: memoryview | None = getattr(_local, "buffer", None)
    if found is None or len(found) < size:
        found = _local.buffer = room(size + (size >> 2))
    return found[:size]


def release() -> None:
    """Give back the buffer of this thread: nothing is to be judged for a while."""
    _local.buffer = None


def _announced(
    found: ObjectReport, identity: Identity, sop_class: str, sop_instance: str, study: str
) -> tuple[ObjectReport, tuple[int, ...]]:
    """Return the report with the reasons why it is not the announced object, and their tags."""
    reasons, tags = [], []
    for said, stored, tag, name in (
        (sop_class, identity.sop_class, terms.SOP_CLASS_UID, "SOP Class UID"),
        (sop_instance, identity.sop_instance, terms.SOP_INSTANCE_UID, "SOP Instance UID"),
        (study, identity.study, terms.STUDY_INSTANCE_UID, "Study Instance UID"),
    ):
        if said and said != stored:
            tags.append(tag)
            reasons.append(
                Reason(
                    ReasonCode.FORMAT_FAILURE,
                    f"its {name} is not the announced one",
                )
            )
    if not reasons:
        return found, ()
    return msgspec.structs.replace(
        found, verdict=report.FAILED, reasons=(*reasons, *found.reasons)
    ), tuple(tags)


def first_reason(found: ObjectReport) -> Reason | ErrorReport | None:
    """Return the first reason why an object did not pass."""
    if found.error:
        return found.error
    if found.reasons:
        return found.reasons[0]
    for signature in found.signatures:
        reason = signature.integrity_reason or signature.trust_reason
        if reason:
            return reason
    return None


def comment(found: ObjectReport) -> str:
    """Return an Error Comment: the code of the first reason and as much of the sentence as fits.

    No element value of the object is in it but what a reason names itself.
    """
    reason = first_reason(found)
    if reason is None:
        if found.verdict == report.UNSIGNED:
            return "unsigned: the object has no digital signature"
        return shortened(f"{found.verdict}: no signature of it is trusted")
    return shortened(f"{reason.code}: {reason.message}")


def shortened(text: str) -> str:
    """Return a text as the value of an LO in the default repertoire (PS3.5 Section 6.2)."""
    plain = "".join(
        one if one.isascii() and one.isprintable() and one != "\\" else "?" for one in text
    )
    plain = " ".join(plain.split())
    if len(plain) <= COMMENT_LENGTH:
        return plain
    cut = plain[: COMMENT_LENGTH - 2]
    whole = cut.rsplit(" ", 1)[0] if " " in cut[COMMENT_LENGTH // 2 :] else cut
    return f"{whole}..".rstrip()

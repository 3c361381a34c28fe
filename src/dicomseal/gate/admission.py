"""All that a gate does with an object once its last byte is there, by whatever way it came.

In this order: judge it; sign it, if that is asked for; give it its place in the store or in
quarantine; put it into the spool for the next node; write it into the ledger. Only then its sender
is answered. A gate that dies in between has answered nothing, so the sender sends the object again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from ..errors import DicomSealError, MalformedError, SigningError, SourceError
from ..report import ERROR, UNSIGNED, ErrorReport, ObjectReport
from ..verification.verifier import verify_with
from .identity import Identity
from .judgement import (
    CANNOT_UNDERSTAND,
    OUT_OF_RESOURCES,
    Decision,
    comment,
    judge,
    read_once,
    shortened,
)
from .origin import Origin
from .placer import SAME, Placed, digest
from .policy import ACCEPT, QUARANTINE, REFUSE, Policy
from .quarantine import Quarantine
from .store import Store


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an object.

    Attributes:
        decision: on it; ``refuse`` as well if it could not be stored.
        path: where it is now; empty if it was refused.
        state: ``new``, ``same`` or ``other``, as `store.Placed` has it; empty if it was refused.
        size: in bytes, as it arrived.
        seconds: from its last byte on.
        signed: UID of the signature that the gate made; empty if it made none.
        stored: the report on the object as it was signed here, now or when it came before; None:
            it is stored as it came.
        trouble: why it could not be stored, for the operator; empty if it could.
    """

    decision: Decision
    path: str = ""
    state: str = ""
    size: int = 0
    seconds: float = 0.0
    signed: str = ""
    stored: ObjectReport | None = None
    trouble: str = ""


class Signed(msgspec.Struct, frozen=True):
    """An object that was signed at the door: the file it is in now, and the signature's UID."""

    path: str
    uid: str


class Signer(Protocol):
    """Signs what came unsigned."""

    def sign(self, path: str, store: Store) -> Signed:
        """Sign the object in a finished file, into a new one of the store's incoming folder.

        Raises:
            DicomSealError: it cannot be signed.
        """

    def is_signed_copy(self, copy: str, path: str) -> bool:
        """Return whether a stored file is what signing this one gave before.

        Raises:
            DicomSealError: one of them cannot be read.
        """


_WORDS = {  # for the sender; the operator has the log
    "no_space": "no space is left on the disk",
    "signing": "it cannot be signed here now",
    "ledger": "the ledger cannot be written",
}
Told = Callable[[Outcome, Origin], None]


class Admission:
    """What a gate does with each object. It serves any number of threads at once.

    Args:
        policy: what is asked of objects.
        store: where those go that are accepted.
        quarantine: where those go that are neither accepted nor refused.
        signer: signs what came unsigned and is accepted.
        spool: called with the path of each object in the store that goes on to the next node.
        ledger: called with each outcome before the sender is answered; it raises a
            `DicomSealError` where it cannot keep it.
        told: called with each outcome in the end, for log and figures.

    Raises:
        SourceError: the policy puts objects into quarantine, and there is none.
    """

    def __init__(
        self,
        policy: Policy,
        store: Store,
        quarantine: Quarantine | None = None,
        *,
        signer: Signer | None = None,
        spool: Callable[[str], None] | None = None,
        ledger: Told | None = None,
        told: Told | None = None,
    ) -> None:
        if policy.quarantines and quarantine is None:
            raise SourceError("the policy puts objects into quarantine, and no folder is for them")
        self.policy = policy
        self.store = store
        self._quarantine = quarantine
        self._signer = signer
        self._spool = spool
        self._ledger = ledger
        self._told = told

    def admit(
        self,
        path: str,
        size: int,
        origin: Origin,
        *,
        sop_class: str = "",
        sop_instance: str = "",
        study: str = "",
        finish: Callable[[], None] | None = None,
        content: memoryview | None = None,
    ) -> Outcome:
        """Do with a file in which all is what the policy says.

        Args:
            path: of the file, best in the store's incoming folder; it stays there if it is refused.
            size: of it.
            origin: how it arrived.
            sop_class, sop_instance, study: the UIDs by which it was announced, or nothing.
            finish: called when it is judged, and before it is kept; it returns when the file is on
                disk, or raises a `SourceError`.
            content: of the file, if it is in memory; it need not be read then.

        Returns:
            What became of it. If a disk is full, or the ledger cannot be written, it is refused
            with the status for that.
        """
        begun = time.monotonic()
        decision = judge(
            path if content is None else content, self.policy,
            sop_class=sop_class, sop_instance=sop_instance, study=study,
        )  # fmt: skip
        outcome = Outcome(decision=decision, size=size)
        try:
            if finish is not None and decision.action != REFUSE:
                finish()
            if decision.action == QUARANTINE:
                placed = self._into_quarantine(path, decision, origin)
                outcome = _placed(outcome, placed)
            elif decision.action == ACCEPT:
                outcome = self._into_the_store(path, outcome)
            if self._ledger is not None:
                self._ledger(outcome, origin)
        except SourceError as error:
            outcome = Outcome(
                decision=_without_resources(decision, error), size=size, trouble=str(error)
            )
        outcome = msgspec.structs.replace(outcome, seconds=time.monotonic() - begun)
        if self._told is not None:
            self._told(outcome, origin)
        return outcome

    def not_received(
        self,
        error: SourceError,
        origin: Origin,
        *,
        size: int = 0,
        sop_class: str = "",
        sop_instance: str = "",
    ) -> Outcome:
        """Refuse an object that could not be received whole, because of the disk or its size.

        It is in ledger, log and figures as every other. That it has no row, where the ledger is on
        the same full disk, changes nothing: it is refused.
        """
        decision = _without_resources(
            Decision(
                verdict=ERROR,
                action=REFUSE,
                status=OUT_OF_RESOURCES,
                identity=Identity(sop_class, sop_instance),
                report=ObjectReport(
                    path="", verdict=ERROR, error=ErrorReport(error.code, str(error))
                ),
            ),
            error,
        )
        outcome = Outcome(decision=decision, size=size, trouble=str(error))
        try:
            if self._ledger is not None:
                self._ledger(outcome, origin)
        except SourceError as lost:
            outcome = msgspec.structs.replace(outcome, trouble=f"{error}; {lost}")
        if self._told is not None:
            self._told(outcome, origin)
        return outcome

    def _into_the_store(self, path: str, outcome: Outcome) -> Outcome:
        decision = outcome.decision
        names = decision.identity.names
        if self._signer is not None and decision.verdict == UNSIGNED:
            outcome = self._signed(self._signer, path, outcome)
        else:
            outcome = _placed(outcome, self.store.keep(path, names))
        if self._spool is not None and outcome.path:
            self._spool(outcome.path)
        return outcome

    def _signed(self, signer: Signer, path: str, outcome: Outcome) -> Outcome:
        """Return the object with a signature in the store.

        One that was sent again is signed once.
        """
        names = outcome.decision.identity.names
        there = self.store.path_of(names)
        signed = None
        try:
            if os.path.exists(there) and signer.is_signed_copy(there, path):
                self.store.confirm(there)
                found = verify_with(read_once(there), self.policy.options)
                return msgspec.structs.replace(_placed(outcome, Placed(there, SAME)), stored=found)
            signed = signer.sign(path, self.store)
            stored = verify_with(read_once(signed.path), self.policy.options)
            placed = self.store.keep(signed.path, names)
        except SourceError:
            raise
        except (SigningError, MalformedError) as error:  # this object, today and tomorrow
            return msgspec.structs.replace(
                outcome, decision=_not_signable(outcome.decision, error), trouble=str(error)
            )
        except DicomSealError as error:  # the key, its token, its certificate
            raise SourceError(f"it cannot be signed here: {error}", "signing") from None
        finally:
            if signed is not None:
                with contextlib.suppress(OSError):
                    os.unlink(signed.path)
        return msgspec.structs.replace(_placed(outcome, placed), signed=signed.uid, stored=stored)

    def _into_quarantine(self, path: str, decision: Decision, origin: Origin) -> Placed:
        if self._quarantine is None:
            raise SourceError("no folder is for quarantine")
        why = comment(decision.report)
        return self._quarantine.put(path, digest(path), decision, why, origin)


def _placed(outcome: Outcome, placed: Placed) -> Outcome:
    return msgspec.structs.replace(outcome, path=placed.path, state=placed.state)


def _not_signable(decision: Decision, error: DicomSealError) -> Decision:
    """Return the refusal of an object that is to be signed and cannot be."""
    return msgspec.structs.replace(
        decision,
        action=REFUSE,
        status=CANNOT_UNDERSTAND,
        comment=shortened(f"it cannot be signed: {error}"),
    )


def _without_resources(decision: Decision, error: SourceError) -> Decision:
    """Return the refusal of an object that could not be kept; its sender may try again (A7xx)."""
    said = str(error) if error.code == "limit" else "it cannot be stored here now"
    return msgspec.structs.replace(
        decision,
        action=REFUSE,
        status=OUT_OF_RESOURCES,
        comment=shortened(_WORDS.get(error.code, said)),
        offending=(),
    )

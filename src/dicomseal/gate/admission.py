"""All that a gate does with an object once its last byte is there, by whatever way it came.

In this order: judge it; sign it, if that is asked for; give it its place in the store or in
quarantine; put it into the spool for the next node; write it into the ledger. Only then its sender
is answered. A gate that dies in between has answered nothing, so the sender sends the object again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from ..errors import SourceError
from .judgement import OUT_OF_RESOURCES, Decision, comment, judge, shortened
from .origin import Origin
from .policy import ACCEPT, QUARANTINE, REFUSE, Policy
from .quarantine import Quarantine
from .store import Placed, Store, digest


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an object.

    Attributes:
        decision: on it; ``refuse`` as well if it could not be stored.
        path: where it is now; empty if it was refused.
        state: ``new``, ``same`` or ``other``, as `store.Placed` has it; empty if it was refused.
        size: in bytes, as it arrived.
        seconds: from its last byte on.
        signed: UID of the signature that the gate made; empty if it made none.
        trouble: why it could not be stored, for the operator; empty if it could.
    """

    decision: Decision
    path: str = ""
    state: str = ""
    size: int = 0
    seconds: float = 0.0
    signed: str = ""
    trouble: str = ""


class Signed(msgspec.Struct, frozen=True):
    """An object that was signed at the door: the file it is in now, and the signature's UID."""

    path: str
    uid: str


class Signer(Protocol):
    """Signs what came unsigned."""

    def sign(self, path: str, store: Store, decision: Decision) -> Signed:
        """Sign the object in a file of the store's incoming folder.

        Raises:
            DicomSealError: it cannot be signed.
        """


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
    ) -> Outcome:
        """Do with a finished file what the policy says.

        Args:
            path: of the file, best in the store's incoming folder; it stays there if it is refused.
            size: of it.
            origin: how it arrived.
            sop_class, sop_instance: the UIDs by which it was announced, or nothing.

        Returns:
            What became of it. If a disk is full, or the ledger cannot be written, it is refused
            with the status for that.
        """
        begun = time.monotonic()
        decision = judge(path, self.policy, sop_class=sop_class, sop_instance=sop_instance)
        placed, uid = Placed("", ""), ""
        try:
            if decision.action == QUARANTINE:
                placed = self._into_quarantine(path, decision, origin)
            elif decision.action == ACCEPT:
                decision, placed, uid = self._into_the_store(path, decision)
            outcome = self._outcome(decision, placed, size, begun, uid)
            if self._ledger is not None:
                self._ledger(outcome, origin)
        except SourceError as error:
            decision = _without_resources(decision, error)
            outcome = msgspec.structs.replace(
                self._outcome(decision, Placed("", ""), size, begun, ""), trouble=str(error)
            )
        if self._told is not None:
            self._told(outcome, origin)
        return outcome

    def _into_the_store(self, path: str, decision: Decision) -> tuple[Decision, Placed, str]:
        placed = self.store.keep(path, decision.identity.names)
        if self._spool is not None:
            self._spool(placed.path)
        return decision, placed, ""

    def _into_quarantine(self, path: str, decision: Decision, origin: Origin) -> Placed:
        if self._quarantine is None:
            raise SourceError("no folder is for quarantine")
        why = comment(decision.report)
        return self._quarantine.put(path, digest(path), decision, why, origin)

    @staticmethod
    def _outcome(decision: Decision, placed: Placed, size: int, begun: float, uid: str) -> Outcome:
        return Outcome(
            decision=decision,
            path=placed.path,
            state=placed.state,
            size=size,
            seconds=time.monotonic() - begun,
            signed=uid,
        )


def _without_resources(decision: Decision, error: SourceError) -> Decision:
    """The refusal of an object that could not be kept; its sender may try again (A7xx)."""
    return msgspec.structs.replace(
        decision,
        action=REFUSE,
        status=OUT_OF_RESOURCES,
        comment=shortened(
            "no space is left on the disk" if error.code == "no_space" else "it cannot be stored"
        ),
        offending=(),
    )

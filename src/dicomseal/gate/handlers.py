"""Answers to C-STORE requests, for the gate's own SCP and for any other pynetdicom application."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset

from ..errors import DicomSealError, UsageError
from .admission import Admission
from .commands import Answer
from .descriptors import is_scarcity
from .judgement import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SUCCESS, Decision, judge, shortened
from .origin import Origin
from .policy import ACCEPT, Policy
from .quarantine import Quarantine
from .store import Store

if TYPE_CHECKING:
    from pynetdicom.events import Event

    Status = int | Dataset
    Accepted = Callable[[Event, Decision], Status]

_log = logging.getLogger("dicomseal.gate")
PROCESSING_FAILURE = 0x0110  # PS3.7 Annex C.5.14


def handler(
    policy: Policy,
    *,
    store: Store | None = None,
    quarantine: Quarantine | None = None,
    accepted: Accepted | None = None,
) -> Callable[[Event], Status]:
    """Return a handler for ``evt.EVT_C_STORE`` that verifies before anything else is done.

    >>> from pynetdicom import AE, AllStoragePresentationContexts, evt
    >>> from dicomseal.gate import Policy, handler
    >>> ae = AE("GATE")
    >>> ae.supported_contexts = AllStoragePresentationContexts
    >>> handlers = [(evt.EVT_C_STORE, handler(Policy.of(integrity_only=True)))]

    It takes the bytes as they came, whether pynetdicom has them in memory or in a file
    (``STORE_RECV_CHUNKED_DATASET``). It answers a refusal with status, Offending Element and Error
    Comment, and whatever goes wrong in it is a refusal.

    Args:
        policy: what is asked of objects. Without a store, what would go into quarantine is
            refused.
        store: where objects go that are accepted; None: nowhere.
        quarantine: where those go that the policy puts there; it goes with a store.
        accepted: called with the event and the decision for each object that is accepted, after it
            was stored; what it returns is the answer.

    Raises:
        UsageError: one of these is something else.
        SourceError: there is a store, the policy puts objects into quarantine, and there is none.
    """
    for given, kind in ((policy, Policy), (store, Store), (quarantine, Quarantine)):
        if not isinstance(given, kind) and (given is not None or kind is Policy):
            raise UsageError(f"a {kind.__name__} is needed, not {given!r}")
    if accepted is not None and not callable(accepted):
        raise UsageError(f"accepted is called with an event and a decision: {accepted!r} cannot be")
    if quarantine is not None and store is None:
        raise UsageError("a quarantine goes with a store, through which objects get there")
    admission = None
    if store is not None:
        admission = Admission(policy, store, quarantine)

    def answer(event: Event) -> Status:
        origin, sop_class, sop_instance = announced(event)
        if admission is not None:
            data = event_data(event)
            with admission.store.incoming() as incoming:
                incoming.write(data)
                incoming.finish()
                decision = admission.admit(
                    incoming.path, len(data), origin,
                    sop_class=sop_class, sop_instance=sop_instance, content=memoryview(data),
                ).decision  # fmt: skip
        else:
            decision = judge(
                event_data(event), policy, sop_class=sop_class, sop_instance=sop_instance
            )
        if decision.status == SUCCESS and decision.action != ACCEPT and admission is None:
            return failure(CANNOT_UNDERSTAND, f"{decision.verdict}: there is no quarantine")
        if decision.action == ACCEPT and accepted is not None:
            return accepted(event, decision)
        return status_of(decision)

    def handle(event: Event) -> Status:
        try:
            return answer(event)
        except Exception as error:  # noqa: BLE001 - whatever it is: not verified is not accepted
            refused = failed(error)
            return failure(refused.status, refused.comment)

    return handle


def failed(error: Exception) -> Answer:
    """Return the refusal for what should not happen, and say so in the log."""
    if isinstance(error, DicomSealError):
        _log.error("not accepted: %s", error)
        return Answer(CANNOT_UNDERSTAND, shortened(str(error.code)))
    if is_scarcity(error):
        _log.error("not accepted: %s: %s", type(error).__name__, error)
        return Answer(OUT_OF_RESOURCES, "this machine has too little memory, files or threads")
    _log.exception("not accepted: an error of the gate itself")
    return Answer(PROCESSING_FAILURE, "an error of the gate itself")


def failure(status: int, comment: str) -> Dataset:
    """Return a status with words."""
    answer = Dataset()
    answer.Status = status
    answer.ErrorComment = shortened(comment)
    return answer


def status_of(decision: Decision) -> Status:
    """Return the answer to a C-STORE request (PS3.7 Section 9.3.1.2)."""
    if decision.status == SUCCESS:
        return SUCCESS
    answer = failure(decision.status, decision.comment)
    if decision.offending:
        answer.OffendingElement = list(decision.offending)
    return answer


def announced(event: Event) -> tuple[Origin, str, str]:
    """Return who sent a request, and the SOP Class and Instance UID in its command set.

    A SOP Class that is not the one of the presentation context was not negotiated, and is none.
    """
    requestor, request = event.assoc.requestor, event.request
    origin = Origin(
        via="C-STORE",
        peer=str(requestor.address or ""),
        calling_aet=requestor.ae_title.strip(),
        called_aet=str(getattr(requestor.primitive, "called_ae_title", "") or "").strip(),
    )
    # an empty value is not an announcement: a request without them is not a valid one
    sop_class = str(getattr(request, "AffectedSOPClassUID", None) or "-")
    return (
        origin,
        sop_class if sop_class == str(event.context.abstract_syntax) else "-",
        str(getattr(request, "AffectedSOPInstanceUID", None) or "-"),
    )


def event_data(event: Event) -> bytes:
    """Return the file of a request, as it came, from memory or from where pynetdicom put it."""
    path: Any = getattr(event.request, "_dataset_path", None)
    if path is not None:
        file = getattr(event.request, "_dataset_file", None)
        if file is not None and not file.closed:
            file.flush()
        with open(path, "rb") as source:
            return source.read()
    return event.encoded_dataset()

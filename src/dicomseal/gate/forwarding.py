"""What passed goes on to the next node by C-STORE, from the spool, as it came.

The first entry is sent first, and stays in the spool until the next node has answered it. One that
does not answer, or says that it has no room, is asked again later, with growing pauses, and nothing
overtakes; one that refuses an object for good is asked three times, and then the object is put
aside. Nothing is ever dropped but what the next node has just taken, when it comes once more: else
two gates that forward to each other would never come to an end.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import queue
import random
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
from pydicom.dataset import Dataset
from pynetdicom import AE, _config, build_context
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider

from ..errors import DicomSealError, UsageError
from ..files import file_meta
from ..report import harmless
from .receiving import IMPLEMENTATION_CLASS
from .spool import Spool

_log = logging.getLogger("dicomseal.gate")
_BATCH = 256  # entries that are looked at for one association
_CONTEXTS = 120  # of 128 that an association can have
_TRIES = 3
_PAUSES = (1.0, 60.0)  # seconds, the first and the longest
_WAITING = 16  # PDUs that wait to be sent
_POLL = 0.5  # seconds between looks for what other processes added

_NO_CONTEXT = "the next node accepts no presentation context for it"
_UID = re.compile(r"[0-9.]{1,64}")
_NAME = re.compile(r"[!-\[\]-~]{1,64}")  # of an instance: a UID, or what a node may take for one
_NOT_NOW = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}  # why any file cannot be read
SENT, AGAIN, REFUSED, REPEATED = "sent", "again", "refused", "repeated"
ONCE = 600.0  # seconds
_MOST_SENT = 100_000  # objects of which is remembered when they were sent


class Node(msgspec.Struct, frozen=True):
    """Where objects go on to."""

    host: str
    port: int
    aet: str

    @classmethod
    def parse(cls, text: str) -> Node:
        """Return the node that ``HOST:PORT:AET`` names; an IPv6 address stands in brackets.

        Raises:
            UsageError: it names none.
        """
        found = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\[\]]+):([0-9]{1,5}):([ -~]{1,16})", text)
        if not found or not 0 < int(found[2]) < 65536 or "\\" in found[3] or not found[3].strip():
            raise UsageError(f"{text!r} is not HOST:PORT:AET, e.g. pacs.example:104:PACS")
        return cls(found[1].strip("[]"), int(found[2]), found[3].strip())


class _Bounded(queue.Queue[Any]):
    """PDUs for the peer: the file is read no faster than they are sent."""

    def __init__(self, dul: DULServiceProvider) -> None:
        super().__init__(_WAITING)
        self._dul = dul

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        while self._dul.is_alive():  # else nobody takes it, and the connection is gone
            try:
                super().put(item, block, 0.2 if timeout is None else timeout)
            except queue.Full:
                continue
            return


class Forwarder:
    """Sends in a thread of its own.

    Args:
        spool: what is to be sent.
        node: where to.
        aet: the AE title that it calls itself.
        told: called with ``sent``, ``again`` or ``refused`` for each attempt, and ``repeated`` for
            what is not sent once more.
        once: seconds after the next node took an object in which the same one is not sent once
            more, whoever it comes from; 0: it always is.
        timeout: seconds for the next node to answer.
        pauses: the first and the longest pause before another attempt, in seconds.
    """

    def __init__(
        self,
        spool: Spool,
        node: Node,
        aet: str,
        *,
        told: Callable[[str], None] | None = None,
        once: float = ONCE,
        timeout: float = 60.0,
        pauses: tuple[float, float] = _PAUSES,
    ) -> None:
        # the bytes of the file, not what pydicom makes of them; of this process's whole pynetdicom
        _config.STORE_SEND_CHUNKED_DATASET = True
        self._spool, self._node, self._told = spool, node, told
        self._pauses = pauses
        self._tries: dict[str, int] = {}
        self._once = once
        self._taken: dict[str, float] = {}  # when the next node took what, the first one first
        self._stop = threading.Event()
        self._work = threading.Event()
        self._ae = AE(aet)
        self._ae.network_timeout = self._ae.acse_timeout = self._ae.dimse_timeout = timeout
        self._ae.connection_timeout = min(timeout, 15.0)
        self._ae.implementation_class_uid = IMPLEMENTATION_CLASS
        self._ae.implementation_version_name = "DICOMSEAL"
        self._thread = threading.Thread(target=self._run, name="dicomseal-forward", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        brought = self._spool.bring_back()
        if brought:
            _log.info("%d objects that the next node refused are tried again", brought)
        self._thread.start()

    def ring(self) -> None:
        """Say that something was added to the spool."""
        self._work.set()

    def stop(self, seconds: float = 10.0) -> None:
        """Send no further object; the rest waits for the next start."""
        self._stop.set()
        self._work.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.is_set():
            if pause:
                self._stop.wait(pause * random.uniform(0.8, 1.2))  # noqa: S311 - nothing secret
                if self._stop.is_set():
                    return
            self._work.clear()
            try:
                entries = self._spool.entries()
                if not entries:
                    self._work.wait(_POLL)
                    continue
                good = self._send(entries[:_BATCH])
            except Exception as error:  # noqa: BLE001 - what it is: nothing was lost, try again
                _log.error("forwarding: %s: %s", type(error).__name__, error)
                good = False
            first, longest = self._pauses
            pause = 0.0 if good else min(max(pause * 2, first), longest)

    def _send(self, entries: list[str]) -> bool:
        """Send entries in one association, as far as it goes; False: try again later."""
        metas = {}
        contexts: dict[tuple[str, str], Any] = {}
        for entry in entries:
            if not os.path.exists(entry) or self._is_repeated(entry):
                continue  # somebody took it out of the spool
            try:
                meta = _meta(entry)
            except OSError as error:
                if error.errno in _NOT_NOW:
                    raise
                self._refused(entry, f"it cannot be read: {error.strerror or error}")
                continue
            if isinstance(meta, str):
                self._refused(entry, meta, final=True)
                continue
            if meta not in contexts:
                if len(contexts) >= _CONTEXTS:
                    break
                contexts[meta] = build_context(*meta)
            metas[entry] = meta
        if not metas:
            return not any(entry in self._tries for entry in entries)
        assoc = self._ae.associate(
            self._node.host, self._node.port, [*contexts.values()], self._node.aet
        )
        if not assoc.is_established and assoc.rejected_contexts:  # it answered, and took none
            for entry in metas:
                self._refused(entry, _NO_CONTEXT)
            return False
        if not assoc.is_established:
            _log.warning("the next node %s:%d does not accept", self._node.host, self._node.port)
            self._tell(AGAIN)
            return False
        assoc.dul.to_provider_queue = _Bounded(assoc.dul)
        try:
            taken = {(cx.abstract_syntax, cx.transfer_syntax[0]) for cx in assoc.accepted_contexts}
            for entry, meta in metas.items():
                if self._stop.is_set():
                    return True
                if self._is_repeated(entry):
                    continue
                if meta not in taken:
                    self._refused(entry, _NO_CONTEXT)
                elif not self._send_one(assoc, entry):
                    return False
        finally:
            if assoc.is_established:
                assoc.release()
        # what was refused waits for its next turn, and must not be asked about without a pause
        return not any(entry in self._tries for entry in entries)

    def _send_one(self, assoc: Association, entry: str) -> bool:
        """Send one object; False if the next node cannot take it now."""
        try:
            answer = assoc.send_c_store(entry)
        except FileNotFoundError:  # somebody took it out of the spool
            return True
        except Exception as error:  # noqa: BLE001 - of this object: the others must not wait for it
            if assoc.is_established:
                self._refused(entry, f"it cannot be sent: {type(error).__name__}: {error}")
                assoc.abort()  # a part of it may be on its way
                return False
            answer = Dataset()
        status = answer.get("Status")
        if status is None:
            _log.warning("the next node did not answer")
            self._tell(AGAIN)
            return False
        if status == 0 or status & 0xF000 == 0xB000:
            self._spool.done(entry)
            self._tries.pop(entry, None)
            self._remember(entry)
            self._tell(SENT)
            return True
        words = str(answer.get("ErrorComment", ""))
        if status & 0xFF00 == 0xA700:
            _log.warning("the next node has no room: 0x%04X %s", status, words)
            self._tell(AGAIN)
            return False
        self._refused(entry, f"the next node answered 0x{status:04X} {words}".strip())
        return True

    def _remember(self, entry: str) -> None:
        """Take note that the next node has an object."""
        key, now = self._spool.key(entry), time.monotonic()
        if not key or not self._once:
            return
        self._taken.pop(key, None)  # so that the last one stands last
        self._taken[key] = now
        for old, taken in [*itertools.islice(self._taken.items(), 2)]:
            if taken < now - self._once or len(self._taken) > _MOST_SENT:
                del self._taken[old]

    def _is_repeated(self, entry: str) -> bool:
        """Return whether the next node has just taken the same object; it is not sent then."""
        taken = self._taken.get(self._spool.key(entry))
        if taken is None or time.monotonic() - taken >= self._once:
            return False
        fields = {"sop_instance_uid": _instance(entry), "entry": os.path.basename(entry)}
        _log.info("not sent on: the next node has just taken it", extra={"fields": fields})
        self._spool.done(entry)
        self._tries.pop(entry, None)
        self._tell(REPEATED)
        return True

    def _refused(self, entry: str, why: str, final: bool = False) -> None:
        tries = self._tries[entry] = self._tries.get(entry, 0) + 1
        instance = _instance(entry)
        fields = {"sop_instance_uid": instance, "entry": os.path.basename(entry)}
        _log.warning("not forwarded: %s", why, extra={"fields": fields})
        if final or tries >= _TRIES:
            self._spool.put_aside(entry, why, instance)
            del self._tries[entry]
            self._tell(REFUSED)
        else:
            self._tell(AGAIN)

    def _tell(self, what: str) -> None:
        if self._told is not None:
            self._told(what)


def _instance(path: str) -> str:
    """Return the SOP Instance UID of a file, for a person; empty if it cannot be read."""
    try:
        with open(path, "rb") as file:
            found = file_meta.read(file.read(1 << 16))
    except (OSError, DicomSealError):
        return ""
    return harmless(found.sop_instance.rstrip(b"\0 ").decode("latin-1"))


def _meta(path: str) -> tuple[str, str] | str:
    """Return SOP Class and Transfer Syntax UID of a file as its File Meta Information has them.

    Where no C-STORE request can have its UIDs, return that as a sentence.

    Raises:
        OSError: it cannot be read now.
    """
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    try:
        found = file_meta.read(head)
    except DicomSealError as error:
        return f"its File Meta Information cannot be read: {error}"
    sop_class, instance = (
        uid.rstrip(b"\0 ").decode("latin-1") for uid in (found.sop_class, found.sop_instance)
    )
    syntax = found.transfer_syntax
    if _UID.fullmatch(sop_class) and _UID.fullmatch(syntax) and _NAME.fullmatch(instance):
        return sop_class, syntax
    return "its File Meta Information does not have the UIDs that a C-STORE request has"

"""Verification in Orthanc: two hooks of its Python plugin, so that it stores nothing unverified.

The script that Orthanc runs (``PythonScript`` in its configuration) is in ``contrib/orthanc/``; it
calls `register`. The requirements for objects are in Orthanc's configuration, see `Settings`.

These are the two hooks, and the reason for each:

* Orthanc calls the *received instance callback* for every object that arrives, by C-STORE, REST,
  STOW-RS or from a plugin. This hook makes the decision. If it discarded the object, Orthanc would
  tell a C-STORE sender or a STOW-RS client that it was stored. So a refused object is replaced by
  bytes that Orthanc cannot store: REST answers 400, and STOW-RS does not list it. If this callback
  raises an exception, Orthanc stores the object, so it must never raise.
* Orthanc then calls the *C-STORE filter* for an object that arrived by C-STORE, and its answer is
  the status that the sender gets.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import threading
import time
from collections import OrderedDict
from typing import Any

import msgspec

from . import report
from .errors import DicomSealError, UsageError
from .files import atomic
from .gate.judgement import OUT_OF_RESOURCES, SUCCESS, Decision, comment, judge
from .gate.origin import Origin
from .gate.policy import ACCEPT, QUARANTINE, REFUSE, Policy
from .gate.quarantine import Quarantine
from .policy import load
from .trust.store import TrustStore
from .verification.options import WARN

OBSERVE = "observe"
MODES = (OBSERVE, QUARANTINE, REFUSE)
METADATA = 4711  # of those that Orthanc leaves to its users, 1024 to 65535
_REMEMBERED, _SECONDS = 256, 60.0  # decisions, and how long, from one hook to the next
_TRIES = 50  # of setting metadata, a tenth of a second apart


class Settings(
    msgspec.Struct, frozen=True, kw_only=True, rename="pascal", forbid_unknown_fields=True
):
    """The section ``Dicomseal`` of Orthanc's configuration; names begin with a capital there.

    Attributes:
        mode: ``observe`` stores everything, ``quarantine`` keeps an object that is not accepted in
            a folder, ``refuse`` refuses it.
        trust, trust_signer, intermediate, tsa_trust, crl, ocsp: files and folders, as the options
            of ``dicomseal verify``.
        trust_policy: name of a policy or a JSON file.
        revocation, weak, require, require_signed, unsigned, accept_claimed_time, integrity_only: as
            these options.
        on_failed, on_indeterminate, on_unsigned: ``accept``, ``quarantine`` or ``refuse``; without
            them the mode decides for the first two, and an unsigned object is accepted.
        quarantine: the folder.
        metadata: number of the instance metadata that has the verdict.
    """

    mode: str
    trust: list[str] = []
    trust_signer: list[str] = []
    intermediate: list[str] = []
    tsa_trust: list[str] = []
    crl: list[str] = []
    ocsp: list[str] = []
    trust_policy: str = "default"
    revocation: str | None = None
    weak: str | None = None
    require: list[str] = []
    require_signed: list[str] = []
    unsigned: str = WARN
    accept_claimed_time: bool = False
    integrity_only: bool = False
    on_failed: str | None = None
    on_indeterminate: str | None = None
    on_unsigned: str = ACCEPT
    quarantine: str | None = None
    metadata: int = METADATA


def settings_of(configuration: str) -> Settings:
    """Return the settings in Orthanc's configuration, JSON as `orthanc.GetConfiguration` gives it.

    Raises:
        UsageError: there are none, one is not known, or they make no sense.
    """
    try:
        found = msgspec.convert(json.loads(configuration).get("Dicomseal"), Settings)
    except (ValueError, AttributeError) as error:  # a ValidationError is a ValueError
        raise UsageError(f"the section Dicomseal of the configuration: {error}") from None
    if found.mode not in MODES:
        raise UsageError(f"Dicomseal.Mode is one of {', '.join(MODES)}, not {found.mode!r}")
    if not 1024 <= found.metadata <= 65535:
        raise UsageError("Dicomseal.Metadata is a number from 1024 to 65535")
    if not (found.trust or found.trust_signer or found.integrity_only or found.mode == OBSERVE):
        raise UsageError("name Dicomseal.Trust or TrustSigner, or IntegrityOnly")
    return found


def policy_of(settings: Settings) -> Policy:
    """Return the policy for these settings.

    Raises:
        DicomSealError: a file cannot be read, or they make no sense.
    """
    trust = None
    if settings.trust or settings.trust_signer:
        chosen = load(settings.trust_policy).but(weak=settings.weak, revocation=settings.revocation)
        trust = TrustStore.from_files(
            *settings.trust, intermediates=settings.intermediate, tsa=settings.tsa_trust,
            signers=settings.trust_signer, crls=settings.crl, ocsps=settings.ocsp, policy=chosen,
        )  # fmt: skip
    usual = ACCEPT if settings.mode == OBSERVE else settings.mode
    policy = Policy.of(
        trust,
        accept_claimed_time=settings.accept_claimed_time,
        integrity_only=settings.integrity_only,
        require=settings.require,
        require_signed=settings.require_signed,
        unsigned=settings.unsigned,
        on_failed=settings.on_failed or usual,
        on_indeterminate=settings.on_indeterminate or usual,
        on_unsigned=settings.on_unsigned,
    )
    if policy.quarantines and not settings.quarantine:
        raise UsageError("name the folder: Dicomseal.Quarantine")
    return policy


class Plugin:
    """The hooks.

    Args:
        orthanc: the module that Orthanc gives to its scripts.
        policy: for the verification; None refuses every object.
        quarantine: the folder for objects in quarantine.
        metadata: see `Settings`.
        observes: whether every object is stored, even after an error.
    """

    def __init__(
        self,
        orthanc: Any,
        policy: Policy | None,
        quarantine: Quarantine | None = None,
        metadata: int = METADATA,
        observes: bool = False,
    ) -> None:
        self._orthanc, self._policy, self._quarantine = orthanc, policy, quarantine
        self._metadata, self._observes = metadata, observes
        self._decisions: OrderedDict[bytes, tuple[float, Decision]] = OrderedDict()
        self._lock = threading.Lock()
        self._stored: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    # --- the hooks -------------------------------------------------------------------------------

    def received(self, data: bytes, origin: Any) -> tuple[Any, bytes | None]:
        """Handle the received instance callback, and never raise."""
        actions = self._orthanc.ReceivedInstanceAction
        try:
            decision = self._decision(data)
            if decision.action == ACCEPT:
                return actions.KEEP_AS_IS, None
            if decision.action == QUARANTINE:
                self._into_quarantine(data, decision, str(origin))
                return actions.DISCARD, None
            if self._is_c_store(origin):  # the filter is asked next, and answers the sender
                return actions.KEEP_AS_IS, None
            self._say(f"refused: {decision.verdict}: {decision.comment}")
        except BaseException as error:  # noqa: BLE001 - what raises here is stored by Orthanc
            self._say_error(error)
            if self._observes:
                return actions.KEEP_AS_IS, None
        return actions.MODIFY, b"refused by dicomseal"

    def filtered(self, instance: Any) -> int:
        """Return the C-STORE filter: the status of the response, 0 to store."""
        try:
            decision = self._decision(instance.GetInstanceData())
            if decision.action == REFUSE:
                self._say(f"refused: {decision.verdict}: {decision.comment}")
                return decision.status
            # an object for quarantine was discarded before; if it was not, it must not be stored
            return SUCCESS if decision.action == ACCEPT else OUT_OF_RESOURCES
        except BaseException as error:  # noqa: BLE001 - not verified is not accepted
            self._say_error(error)
            return SUCCESS if self._observes else OUT_OF_RESOURCES

    def stored(self, instance: Any, identifier: str) -> None:
        """Handle the stored instance callback: another thread stores the verdict as metadata.

        The callback itself must not call Orthanc.
        """
        try:
            self._stored.put((identifier, _told(self._decision(instance.GetInstanceData()))))
            self._begin()
        except BaseException as error:  # noqa: BLE001 - it is stored, and stays unmarked
            self._say_error(error)

    def register(self) -> None:
        """Register the hooks in Orthanc."""
        self._orthanc.RegisterReceivedInstanceCallback(self.received)
        self._orthanc.RegisterIncomingCStoreInstanceFilter(self.filtered)
        if self._policy is not None:
            self._orthanc.RegisterOnStoredInstanceCallback(self.stored)

    # --- what they do ----------------------------------------------------------------------------

    def _decision(self, data: bytes) -> Decision:
        """Return the decision on an object.

        The hooks are called with the same bytes, one after another.

        Raises:
            UsageError: nothing can be verified.
        """
        if self._policy is None:
            raise UsageError("nothing can be verified, see the log of the start")
        key, now = hashlib.sha256(data).digest(), time.monotonic()
        with self._lock:
            until, found = self._decisions.get(key, (now, None))
        if found is None or until < now:  # certificates expire, so a decision ends as well
            found = judge(data, self._policy)
            with self._lock:
                self._decisions[key] = now + _SECONDS, found
                self._decisions.move_to_end(key)
                while len(self._decisions) > _REMEMBERED:
                    self._decisions.popitem(last=False)
        return found

    def _is_c_store(self, origin: Any) -> bool:
        return bool(origin == self._orthanc.InstanceOrigin.DICOM_PROTOCOL)

    def _into_quarantine(self, data: bytes, decision: Decision, origin: str) -> None:
        quarantine = self._quarantine
        if quarantine is None:
            raise UsageError("there is no folder for quarantine")
        descriptor, path = atomic.temporary(quarantine.root)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            placed = quarantine.put(
                path, hashlib.sha256(data).hexdigest(), decision, comment(decision.report),
                Origin(via=f"Orthanc {origin}"),
            )  # fmt: skip
        except BaseException:
            if os.path.exists(path):
                os.unlink(path)
            raise
        self._say(f"in quarantine: {decision.verdict}: {placed.path}")

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._mark, name="dicomseal-metadata", daemon=True
                )
                self._thread.start()

    def _mark(self) -> None:
        while True:
            identifier, text = self._stored.get()
            for attempt in range(_TRIES):
                try:
                    path = f"/instances/{identifier}/metadata/{self._metadata}"
                    self._orthanc.RestApiPut(path, text.encode())
                    break
                except Exception as error:  # noqa: BLE001 - whatever Orthanc raises
                    if attempt == _TRIES - 1:
                        self._say(f"the verdict on {identifier} is not in its metadata: {error}")
                    time.sleep(0.1)

    def _say(self, text: str) -> None:
        _logged(self._orthanc.LogWarning, text)

    def _say_error(self, error: BaseException) -> None:
        done = "stored unverified" if self._observes else "refused"
        _logged(self._orthanc.LogError, f"{done}, not verified", error)


def _logged(log: Any, text: str, error: BaseException | None = None) -> None:
    """Write to Orthanc's log and never raise: Orthanc could store an object after an exception."""
    try:
        if error is not None:
            known = isinstance(error, DicomSealError)
            text += f": {error}" if known else f": {type(error).__name__}: {error}"
        # Orthanc's log does not accept a text that is not UTF-8, such as the name of a file
        log(f"dicomseal: {report.harmless(text)}".encode("utf-8", "backslashreplace").decode())
    except BaseException:  # noqa: BLE001, S110 - the answer to the sender matters more
        pass


def _told(decision: Decision) -> str:
    """Return the content of the metadata."""
    reason = decision.reason
    found = {
        "verdict": decision.verdict,
        "reason": reason.code if reason else "",
        "signers": [
            one.signer.subject for one in decision.report.signatures if one.signer is not None
        ],
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return json.dumps(found, ensure_ascii=False)


def register(orthanc: Any) -> Plugin:
    """Register the hooks that Orthanc's configuration asks for.

    If the configuration makes no sense, or a file that it names cannot be read, the hooks refuse
    everything, and Orthanc's log says why. No exception is raised, because Orthanc would continue
    without the hooks.

    Args:
        orthanc: the module that Orthanc gives to its scripts.
    """
    try:
        settings = settings_of(orthanc.GetConfiguration())
        policy = policy_of(settings)
        quarantine = Quarantine(settings.quarantine) if settings.quarantine else None
        plugin = Plugin(
            orthanc, policy, quarantine, settings.metadata, observes=settings.mode == OBSERVE
        )
        plugin.register()
        _logged(orthanc.LogWarning, f"mode {settings.mode}")
    except BaseException as error:  # noqa: BLE001 - not verified is not accepted
        plugin = Plugin(orthanc, None)
        plugin.register()
        _logged(orthanc.LogError, "everything is refused", error)
    return plugin

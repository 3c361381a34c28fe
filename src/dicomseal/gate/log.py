"""The log of a gate: one line of JSON for each object and each event, on standard error.

No line names a patient unless that is asked for. A SOP Instance UID is not a name, but whoever has
the archive finds the patient by it: treat the log as what it is.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from ..report import harmless
from .admission import Outcome
from .judgement import comment
from .origin import Origin
from .policy import ACCEPT

LOGGER = logging.getLogger("dicomseal.gate")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": harmless(record.getMessage()),
        }
        fields.update(getattr(record, "fields", {}))
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=True)


def to_standard_error(level: str = "info") -> None:
    """Write the log there, in this process, with the warnings of Python, so that all is JSON.

    The logs of pynetdicom and pydicom stay silent.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level.upper())
    LOGGER.propagate = False
    for name in ("pynetdicom", "pydicom"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False
    logging.captureWarnings(True)  # pydicom warns of values that senders choose
    warned = logging.getLogger("py.warnings")
    warned.handlers[:] = [handler]
    warned.propagate = False


class ObjectLog:
    """Says what became of each object.

    Args:
        patients: whether Patient ID, Study and Series Instance UID are named.
    """

    def __init__(self, patients: bool = False) -> None:
        self._patients = patients

    def __call__(self, outcome: Outcome, origin: Origin) -> None:
        decision = outcome.decision
        fields: dict[str, Any] = {
            "via": origin.via,
            "peer": origin.peer,
            "calling_aet": harmless(origin.calling_aet),
            "action": decision.action,
            "verdict": decision.verdict,
            "sop_instance_uid": harmless(decision.identity.sop_instance),
            "bytes": outcome.size,
            "milliseconds": round(outcome.seconds * 1000, 1),
        }
        reason = decision.reason
        if reason is not None:
            fields["reason"] = str(reason.code)
        if decision.action != ACCEPT:
            fields["status"] = f"0x{decision.status:04X}"
            fields["comment"] = decision.comment or comment(decision.report)
        if outcome.state and outcome.state != "new":
            fields["state"] = outcome.state
        if outcome.signed:
            fields["signed"] = outcome.signed
        if outcome.trouble:
            fields["trouble"] = harmless(self._without_names(outcome))
        if self._patients:
            fields["patient_id"] = harmless(decision.identity.patient)
            fields["study_instance_uid"] = harmless(decision.identity.study)
            fields["series_instance_uid"] = harmless(decision.identity.series)
        level = logging.INFO if decision.action == ACCEPT else logging.WARNING
        if outcome.trouble:
            level = logging.ERROR
        LOGGER.log(level, "object", extra={"fields": fields})

    def _without_names(self, outcome: Outcome) -> str:
        """Return the trouble; the folder that it names is that of a study and a series."""
        identity, text = outcome.decision.identity, outcome.trouble
        if not self._patients:
            for uid, name in zip((identity.study, identity.series), identity.names, strict=False):
                text = text.replace(name, "-") if uid else text
        return text

"""The answer to a Store transaction: which instances are stored, and why others are not.

PS3.18 Section 10.5.3 and Annex I.2, in DICOM JSON (PS3.18 Annex F).
"""

from __future__ import annotations

from typing import Any

import msgspec

from .identity import Identity
from .judgement import shortened

_CLASS, _INSTANCE, _REASON = "00081150", "00081155", "00081197"
_COMMENT = "00000902"  # Error Comment, as a C-STORE response has it
_STORED, _FAILED, _OTHERS, _URL = "00081199", "00081198", "0008119A", "00081190"
_NO_URL = {_URL: {"vr": "UR"}}  # Type 2 of the answer and of what is stored: nothing is retrieved
ALL, SOME, NONE, NOTHING = 200, 202, 409, 400


class StowAnswer:
    """What became of the instances of a request."""

    def __init__(self) -> None:
        self._stored: list[dict[str, Any]] = []
        self._failed: list[dict[str, Any]] = []
        self._others: list[dict[str, Any]] = []

    def stored(self, identity: Identity) -> None:
        """Add an instance that is stored."""
        self._stored.append(_reference(identity) | _NO_URL)

    def failed(self, identity: Identity, reason: int, comment: str) -> None:
        """Add an instance that is not.

        Args:
            identity: what is known of it; without its UIDs it is one of Other Failures Sequence.
            reason: Failure Reason (0008,1197), a status of PS3.4 Table B.2-1.
            comment: the same for people.
        """
        why = {
            _REASON: {"vr": "US", "Value": [reason]},
            _COMMENT: {"vr": "LO", "Value": [shortened(comment)]},
        }
        if identity.sop_class and identity.sop_instance:
            self._failed.append(_reference(identity) | why)
        else:
            self._others.append(why)

    @property
    def status(self) -> int:
        """The HTTP status (PS3.18 Table 10.5.3-1)."""
        if self._stored:
            return SOME if self._failed or self._others else ALL
        return NONE if self._failed or self._others else NOTHING

    def json(self) -> bytes:
        """Return the body."""
        found: dict[str, Any] = dict(_NO_URL)
        for tag, items in (
            (_FAILED, self._failed), (_STORED, self._stored), (_OTHERS, self._others),
        ):  # fmt: skip
            if items:
                found[tag] = {"vr": "SQ", "Value": items}
        return msgspec.json.encode(dict(sorted(found.items())))


def _reference(identity: Identity) -> dict[str, Any]:
    return {
        _CLASS: {"vr": "UI", "Value": [identity.sop_class]},
        _INSTANCE: {"vr": "UI", "Value": [identity.sop_instance]},
    }


def failure_in(body: bytes) -> tuple[int, str]:
    """Return what another server's answer gives as reason for the one instance that it was sent.

    Returns:
        Failure Reason and Error Comment; 0 and "" if there is none.
    """
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        return 0, ""
    for tag in (_FAILED, _OTHERS):
        try:
            item = found[tag]["Value"][0]
            reason = item[_REASON]["Value"][0]
        except (KeyError, IndexError, TypeError):
            continue
        if isinstance(reason, int) and 0 <= reason <= 0xFFFF:
            return reason, _text(item)
    return 0, ""


def is_stored(body: bytes) -> bool:
    """Return whether another server lists an instance as stored, perhaps with a warning."""
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
        return bool(found[_STORED]["Value"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return False


def _text(item: dict[str, Any]) -> str:
    try:
        text = item[_COMMENT]["Value"][0]
    except (KeyError, IndexError, TypeError):
        return ""
    return text if isinstance(text, str) else ""

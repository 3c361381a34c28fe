"""The remedy for an object whose signature does not match, if the cause is known.

The remedies for all other cases are in the table of `remedies`, and in the report.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..remedies.remedy import Remedy
from ..report import PASSED, ObjectReport
from .diagnosis.cause import PROVEN, Cause, CauseCode

_COMPARE = ("to see each difference", "dicomseal explain FILE --against COPY")
_SIGN = ("to sign what it is now", "dicomseal sign FILE OUT --key key.pem --cert cert.pem")
_NOTHING = "verified", "nothing but that was changed"
BY_CAUSE = {
    CauseCode.VALUE_PADDING: Remedy(
        *_NOTHING,
        (
            ("have what receives objects keep values as they are, and send it again",
             "storescp +B"),
            _COMPARE,
        ),
    ),
    CauseCode.COERCED: Remedy(
        *_NOTHING,
        (
            ("verify what the device sent, before the archive changed it",
             "dicomseal verify --trust ca.pem ORIGINAL"),
            _SIGN,
        ),
    ),
    CauseCode.AMBIGUOUS_VR: Remedy(*_NOTHING, (_COMPARE, _SIGN)),
    CauseCode.LOST_VR: Remedy(*_NOTHING, (_COMPARE, _SIGN)),
    CauseCode.CHARACTER_SET: Remedy(*_NOTHING, (_COMPARE, _SIGN)),
    CauseCode.LEGACY_FRAGMENTS: Remedy(
        *_NOTHING,
        (("if you know who kept it", "dicomseal verify --accept-legacy-format FILE"),),
    ),
    CauseCode.DCMSIGN_BLOCK: Remedy(
        *_NOTHING,
        (("sign it anew, as a part of it is not protected",
          "dicomseal sign FILE OUT --key key.pem --cert cert.pem"),),
    ),
    CauseCode.TRANSCODED: Remedy(
        *_NOTHING,
        (
            ("verify the copy in the transfer syntax in which it was signed",
             "dicomseal verify --trust ca.pem COPY"),
            _SIGN,
        ),
    ),
}  # fmt: skip


def remedy_of(report: ObjectReport, causes: Iterable[Cause] = ()) -> str | None:
    """Return what to do, a sentence with a command; None for an object that passed.

    Args:
        report: the report.
        causes: what was found.
    """
    if report.verdict == PASSED:
        return None
    for cause in causes:
        if cause.certainty == PROVEN and cause.code in BY_CAUSE:
            return BY_CAUSE[cause.code].sentence
    return report.remedy

"""The purposes of a signature: the codes of CID 7007 "Signature Purpose" (PS3.16).

They are stored in Digital Signature Purpose Code Sequence (0400,0401), which the MAC protects.

>>> from dicomseal import purposes
>>> purposes.parse("verification")
('5', 'ASTM-sigpurpose', 'Verification Signature')
"""

from __future__ import annotations

from typing import TypeAlias

from .errors import UsageError

__all__ = ["MEANINGS", "SCHEME", "VERIFICATION", "code_of", "contradiction", "parse"]

SCHEME = "ASTM-sigpurpose"
"""Coding Scheme Designator (0008,0102) of every code of CID 7007."""

MEANINGS = {
    "1": "Author's Signature",
    "2": "Coauthor's Signature",
    "3": "Co-participant's Signature",
    "4": "Transcriptionist/Recorder Signature",
    "5": "Verification Signature",
    "6": "Validation Signature",
    "7": "Consent Signature",
    "8": "Signature Witness Signature",
    "9": "Event Witness Signature",
    "10": "Identity Witness Signature",
    "11": "Consent Witness Signature",
    "12": "Interpreter Signature",
    "13": "Review Signature",
    "14": "Source Signature",
    "15": "Addendum Signature",
    "16": "Modification Signature",
    "17": "Administrative (Error/Edit) Signature",
    "18": "Timestamp Signature",
}
"""Code Value (0008,0100) to Code Meaning (0008,0104)."""

VERIFICATION = "5"

Code: TypeAlias = "tuple[str, str, str]"
"""Code Value, Coding Scheme Designator, Code Meaning."""


def _plain(text: str) -> str:
    """Return letters and digits alone, so that 'author signature' finds "Author's Signature"."""
    letters = "".join(c for c in text.casefold().replace("'s", "") if c.isalnum())
    return letters.removesuffix("signature") or letters


_BY_NAME = {_plain(meaning): value for value, meaning in MEANINGS.items()}


def parse(purpose: str | int) -> Code:
    """Return the code for ``5``, ``"5"``, ``"Verification Signature"`` or ``"verification"``.

    Case, spaces and punctuation do not matter, nor do the word Signature and a possessive 's.

    Raises:
        UsageError: CID 7007 has no such code or name.
    """
    text = str(purpose).strip()
    value = text if text in MEANINGS else _BY_NAME.get(_plain(text))
    if value is None or isinstance(purpose, bool):
        raise UsageError(
            f"{purpose!r} is not a purpose of a signature: PS3.16 CID 7007 has the codes 1 to 18, "
            "e.g. 5 or 'Verification Signature' (--list-purposes shows them)"
        )
    return value, SCHEME, MEANINGS[value]


def code_of(purpose: Code | None) -> str | None:
    """Return the Code Value of a purpose if it is one of CID 7007, else None."""
    if purpose is None or purpose[1] != SCHEME or purpose[0] not in MEANINGS:
        return None
    return purpose[0]


def contradiction(purpose: Code | None) -> str:
    """Return a sentence if a stored Code Meaning is that of another code, else an empty string.

    The code decides. Software shows the meaning, so a person would see another purpose.
    """
    code = code_of(purpose)
    if purpose is None or code is None:
        return ""
    meaning_code = _BY_NAME.get(_plain(purpose[2]), code)
    if meaning_code == code:
        return ""
    return (
        f"its purpose has the code {code}, {MEANINGS[code]}, and the meaning of code "
        f"{meaning_code}, {purpose[2]}: the code counts"
    )

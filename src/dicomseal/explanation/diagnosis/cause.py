"""The findings of a diagnosis: codes, which never change, and how certain each finding is."""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

from .budget import Effort

PROVEN, POSSIBLE = "proven", "possible"


class CauseCode(StrEnum):
    """Every code that a cause can have; docs/explain.md says what each means."""

    VALUE_PADDING = "VALUE_PADDING"
    COERCED = "COERCED"
    AMBIGUOUS_VR = "AMBIGUOUS_VR"
    LOST_VR = "LOST_VR"
    CHARACTER_SET = "CHARACTER_SET"
    LEGACY_FRAGMENTS = "LEGACY_FRAGMENTS"
    DCMSIGN_BLOCK = "DCMSIGN_BLOCK"
    BYTE_ORDER = "BYTE_ORDER"
    GROUP_LENGTHS = "GROUP_LENGTHS"
    ITEM_FIELDS = "ITEM_FIELDS"
    TAG_LIST = "TAG_LIST"
    REMOVED = "REMOVED"
    TRANSCODED = "TRANSCODED"
    OTHER_SIGNED_COPY = "OTHER_SIGNED_COPY"
    FOREIGN_FORMAT = "FOREIGN_FORMAT"
    TRUNCATED = "TRUNCATED"
    MAC_ALGORITHM = "MAC_ALGORITHM"


class Cause(msgspec.Struct, frozen=True):
    """One finding.

    Attributes:
        code: what happened.
        certainty: ``proven`` if the hash over the reconstructed content is the signed one;
            ``possible`` if there are only signs of it in the object.
        elements: which elements it is about, e.g. ``(0010,0010) PatientName``.
        message: a sentence for people.
    """

    code: CauseCode
    certainty: str
    elements: tuple[str, ...]
    message: str


class Search(msgspec.Struct, frozen=True):
    """The effort of the search for causes.

    Attributes:
        hashes: how many hypotheses were tried.
        seconds: how long it took.
        complete: whether all hypotheses were tried or a cause was proven, before the budget ended.
    """

    hashes: int
    seconds: float
    complete: bool

    @property
    def says_something(self) -> bool:
        """Whether anything was tried, or would have been with more budget."""
        return self.hashes > 0 or not self.complete

    @property
    def more(self) -> str:
        """The options that allow a longer search, for the budget that ended this one."""
        least = Effort()
        return (
            f"--effort hashes={10 * max(least.hashes, self.hashes)} "
            f"--effort seconds={10 * max(least.seconds, math.ceil(self.seconds))}"
        )

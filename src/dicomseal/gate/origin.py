"""How an object came to a gate, and from whom."""

from __future__ import annotations

import msgspec


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """How an object arrived.

    Attributes:
        via: ``C-STORE``, ``STOW-RS``, ``watch``, or whatever a caller of its own says.
        peer: the address of the sender; empty if it is not known.
        calling_aet: the AE title that the sender gave itself, which nothing proves.
        called_aet: the AE title that it called.
    """

    via: str
    peer: str = ""
    calling_aet: str = ""
    called_aet: str = ""

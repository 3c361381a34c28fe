"""Transfer syntaxes by their UIDs: how a data set is encoded (PS3.5 Annex A, PS3.6 Annex A)."""

from __future__ import annotations

import re

# Transfer syntaxes, PS3.5 Annex A
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPIP_REFERENCED_DEFLATE = "1.2.840.10008.1.2.4.95"
JPIP_HTJ2K_REFERENCED_DEFLATE = "1.2.840.10008.1.2.4.205"
DEFLATED = frozenset(
    (DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, JPIP_REFERENCED_DEFLATE, JPIP_HTJ2K_REFERENCED_DEFLATE)
)

# Pixel Data is native, or absent (JPIP); every other known transfer syntax encapsulates it
NATIVE = (
    frozenset(
        (
            IMPLICIT_VR_LITTLE_ENDIAN,
            EXPLICIT_VR_LITTLE_ENDIAN,
            EXPLICIT_VR_BIG_ENDIAN,
            "1.2.840.10008.1.2.4.94",  # JPIP Referenced
            "1.2.840.10008.1.2.4.204",  # JPIP HTJ2K Referenced
        )
    )
    | DEFLATED
)

# PS3.3 C.12.1.1.3.1.2: a MAC can only be computed over explicit VR and little endian. A mail, an
# XML document or a stream does not contain a data set at all (PS3.6 Annex A).
NEVER_FOR_MAC = frozenset(
    (
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        *(f"1.2.840.10008.1.2.{end}" for end in ("6.1", "6.2", "7.1", "7.2", "7.3")),
    )
)

# the standard's own transfer syntaxes all live under this arc (PS3.6 Annex A)
TRANSFER_SYNTAX_ROOT = "1.2.840.10008.1.2"

# PS3.6 Table A-1: every transfer syntax in which a file holds a data set, also the retired ones.
# Those of streams (SMPTE ST 2110), mails and XML are left out, and so is Papyrus 3, on which
# readers do not agree.
TRANSFER_SYNTAXES = NATIVE | frozenset(
    f"{TRANSFER_SYNTAX_ROOT}.{end}"
    for end in (
        "1.98", "5", "8.1",
        *(f"4.{number}" for number in range(50, 67)),
        "4.70", "4.80", "4.81", "4.90", "4.91", "4.92", "4.93",
        "4.100", "4.101", "4.102", "4.103", "4.104", "4.105", "4.106", "4.107", "4.108",
        "4.100.1", "4.101.1", "4.102.1", "4.103.1", "4.104.1", "4.105.1", "4.106.1",
        "4.110", "4.111", "4.112", "4.201", "4.202", "4.203",
    )
)  # fmt: skip
RLE_LOSSLESS = "1.2.840.10008.1.2.5"

# PS3.5 Annex A.4.2, A.4.11 and A.4.13: each frame is one fragment. In the latter two (Encapsulated
# Uncompressed, Deflated Image Frame Compression) a frame does not begin with an image header.
ONE_FRAGMENT_PER_FRAME = frozenset(
    (RLE_LOSSLESS, f"{TRANSFER_SYNTAX_ROOT}.1.98", f"{TRANSFER_SYNTAX_ROOT}.8.1")
)

# Implicit VR little endian with the words of Pixel Data in big endian, of old GE devices
GE_PRIVATE_IMPLICIT = "1.2.840.113619.5.2"
_UID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")


def is_uid(text: str) -> bool:
    """Return whether a text has the form of a UID (PS3.5 Section 9.1)."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def may_be_for_mac(uid: str) -> bool:
    """Return whether a UID may name a MAC Calculation Transfer Syntax, as far as is known.

    A UID to which the standard gives another meaning than a transfer syntax may not.
    """
    others = uid.startswith("1.2.840.10008.") and not uid.startswith(TRANSFER_SYNTAX_ROOT + ".")
    return uid not in NEVER_FOR_MAC and not others


def is_encapsulated(transfer_syntax: str) -> bool | None:
    """Return whether Pixel Data is encapsulated under a transfer syntax UID; None if unknown."""
    if transfer_syntax in NATIVE:
        return False
    if transfer_syntax.startswith(TRANSFER_SYNTAX_ROOT + "."):
        return True
    return None


def is_video(transfer_syntax: str) -> bool:
    """Return whether it is MPEG-2, MPEG-4 or HEVC, whose frames have no own fragments."""
    return transfer_syntax.startswith(TRANSFER_SYNTAX_ROOT + ".4.10")


def mac_transfer_syntax(transfer_syntax: str) -> str:
    """Return the MAC Calculation Transfer Syntax UID: the object's own if encapsulated.

    Otherwise it is explicit VR little endian.
    """
    return transfer_syntax if is_encapsulated(transfer_syntax) else EXPLICIT_VR_LITTLE_ENDIAN

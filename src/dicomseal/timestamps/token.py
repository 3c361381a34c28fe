"""The content of a timestamp token in a Certified Timestamp (0400,0310).

In: the DER of a token.
Out: a `Token`, read by asn1crypto and not verified.
PS3: PS3.3 C.12.1.1.3.1.3; RFC 3161 Section 2.4.2.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from ..errors import TimestampError

if TYPE_CHECKING:
    from asn1crypto.cms import SignedData

# the exceptions of asn1crypto for bytes that it cannot parse
UNPARSABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError,
               RecursionError)  # fmt: skip
_MAX_MESSAGE = 200  # characters of a library's message; some numbers in it have thousands of digits


class Token(NamedTuple):
    """A timestamp token that could be read; nothing in it is verified.

    Attributes:
        time: when the authority says it was made, in UTC.
        policy: OID of the policy under which it was made.
        serial: its serial number.
        algorithm: hash of the imprint, named as in asn1crypto.
        imprint: the hash of the stamped data.
        accuracy: by how many seconds the time may be wrong; None if it does not say.
        nonce: the number that the request asked it to repeat, or None.
        critical: whether it holds a critical extension.
        certificates: the certificates in it, DER.
        signed_data: the whole structure, for pyHanko.
    """

    time: datetime
    policy: str
    serial: int
    algorithm: str
    imprint: bytes
    accuracy: float | None
    nonce: int | None
    critical: bool
    certificates: list[bytes]
    signed_data: SignedData


def read(der: bytes) -> Token:
    """Read a token: a CMS ContentInfo with a TSTInfo signed by one authority (RFC 3161 2.4.2).

    Raises:
        TimestampError: it is not a token.
    """
    from asn1crypto import tsp

    from ..signature.lenient_messages import ContentInfo

    try:
        content = ContentInfo.load(der, strict=True)
        if content["content_type"].native != "signed_data":
            raise TimestampError("it is not signed data")
        signed_data = content["content"]
        info = signed_data["encap_content_info"]["content"].parsed
        if not isinstance(info, tsp.TSTInfo) or info["version"].native != "v1":
            raise TimestampError("it holds no time-stamp of version 1")
        if len(signed_data["signer_infos"]) != 1:
            raise TimestampError("it is not signed by exactly one authority")
        spread = info["accuracy"].native or {}
        time = info["gen_time"].native.astimezone(UTC)
        return Token(
            time,
            info["policy"].dotted,
            info["serial_number"].native,
            info["message_imprint"]["hash_algorithm"]["algorithm"].native,
            info["message_imprint"]["hashed_message"].native,
            _seconds(spread) if spread else None,
            info["nonce"].native,
            any(one["critical"].native for one in info["extensions"] or ()),
            [one.chosen.untag().dump() for one in signed_data["certificates"] or ()
             if one.name == "certificate"],
            signed_data,
        )  # fmt: skip
    except UNPARSABLE as error:
        raise TimestampError(f"it cannot be parsed: {first_line(error)}") from None


def first_line(error: Exception) -> str:
    """Return the first line of a library's message, short enough for a report."""
    text = str(error).partition("\n")[0]
    return text[:_MAX_MESSAGE] or type(error).__name__


def _seconds(spread: dict[str, int | None]) -> float:
    units = (("seconds", 1), ("millis", 1_000), ("micros", 1_000_000))
    return float(sum((spread.get(name) or 0) / unit for name, unit in units))

"""The length that DER states, to distinguish the NUL of an even length from a value's end.

In: the stored value of an OB element that holds DER.
Out: the DER, without padding.
PS3: PS3.5 Section 6.2.
"""

from __future__ import annotations


def der_length(data: bytes) -> int:
    """Return the length that the DER header at the start states; an odd value gets a NUL.

    If the first bytes are not a DER header it is the length of the data.
    """
    if len(data) < 2 or data[0] != 0x30:
        return len(data)
    first = data[1]
    if first < 0x80:
        return 2 + first
    count = first & 0x7F
    if not 1 <= count <= 4 or len(data) < 2 + count:
        return len(data)
    return 2 + count + int.from_bytes(data[2 : 2 + count], "big")


def without_padding(data: bytes) -> bytes:
    """Return a DER value without the one NUL that made its length even (PS3.5 Section 6.2, OB).

    A NUL after an even number of bytes did not make the length even, so it stays, and the value is
    wrong.
    """
    if not data or data[-1] or len(data) % 2:
        return data
    length = der_length(data)
    padded = length % 2 == 1 and length == len(data) - 1 and data[-1] == 0
    return data[:length] if padded else data

"""Encoded elements and their canonical form, field by field.

PS3.5 Section 7 and Annex A for what a file holds, PS3.3 C.12.1.1.3.1.1 for what is hashed. What a
file holds in explicit VR little endian and what is hashed is the same for a plain element.
"""

from __future__ import annotations

H = bytes.fromhex

# --- pieces of sequences and encapsulated values ---------------------------------------------

# hashed: tags without lengths
ITEM = b"\xfe\xff\x00\xe0"  # (FFFE,E000)
END = b"\xfe\xff\xdd\xe0"  # (FFFE,E0DD)

# in a file
UNDEFINED = b"\xff\xff\xff\xff"
ITEM_UNDEFINED = (
    b"\xfe\xff\x00\xe0"  # (FFFE,E000)
    b"\xff\xff\xff\xff"  # undefined length
)
ITEM_EMPTY = (
    b"\xfe\xff\x00\xe0"  # (FFFE,E000)
    b"\x00\x00\x00\x00"  # length 0
)
ITEM_END = (
    b"\xfe\xff\x0d\xe0"  # (FFFE,E00D)
    b"\x00\x00\x00\x00"  # length 0
)
SEQUENCE_END = (
    b"\xfe\xff\xdd\xe0"  # (FFFE,E0DD)
    b"\x00\x00\x00\x00"  # length 0
)
ITEM_END_BIG = (
    b"\xff\xfe\xe0\x0d"  # (FFFE,E00D)
    b"\x00\x00\x00\x00"  # length 0
)
SEQUENCE_END_BIG = (
    b"\xff\xfe\xe0\xdd"  # (FFFE,E0DD)
    b"\x00\x00\x00\x00"  # length 0
)

# --- plain elements, explicit VR little endian -------------------------------------------------

MODALITY = (
    b"\x08\x00\x60\x00"  # (0008,0060)
    b"CS"  # VR
    b"\x02\x00"  # length 2
    b"CT"  # value
)
PATIENT_NAME = (
    b"\x10\x00\x10\x00"  # (0010,0010)
    b"PN"  # VR
    b"\x06\x00"  # length 6
    b"Doe^J "  # value, padded
)
PATIENT_ID = (
    b"\x10\x00\x20\x00"  # (0010,0020)
    b"LO"  # VR
    b"\x04\x00"  # length 4
    b"1234"  # value
)
PATIENT_SEX_EMPTY = (
    b"\x10\x00\x40\x00"  # (0010,0040)
    b"CS"  # VR
    b"\x00\x00"  # length 0
)
TEXT_VALUE = (
    b"\x40\x00\x60\xa1"  # (0040,A160)
    b"UT"  # VR
    b"\x00\x00"  # reserved
    b"\x04\x00\x00\x00"  # length 4
    b"text"  # value
)
TEXT_VALUE_RESERVED = (
    b"\x40\x00\x60\xa1"  # (0040,A160)
    b"UT"  # VR
    b"\x12\x34"  # reserved, but not zero
    b"\x04\x00\x00\x00"  # length 4
    b"text"  # value
)
PRIVATE_UNKNOWN = (
    b"\x09\x00\x01\x10"  # (0009,1001)
    b"UN"  # VR
    b"\x00\x00"  # reserved
    b"\x04\x00\x00\x00"  # length 4
    b"\x01\x02\x03\x04"  # value
)
FROM_THE_FUTURE = (
    b"\x09\x00\x02\x10"  # (0009,1002)
    b"ZZ"  # a VR that nobody knows yet
    b"\x00\x00"  # reserved
    b"\x04\x00\x00\x00"  # length 4, of 32 bits as for every new VR
    b"\x01\x02\x03\x04"  # value
)

# --- elements that are never hashed --------------------------------------------------------------

GROUP_LENGTH = (
    b"\x10\x00\x00\x00"  # (0010,0000)
    b"UL"  # VR
    b"\x04\x00"  # length 4
    b"\x2a\x00\x00\x00"  # value
)
PRIVATE_GROUP_LENGTH = (
    b"\x09\x00\x00\x00"  # (0009,0000)
    b"UL"  # VR
    b"\x04\x00"  # length 4
    b"\x2a\x00\x00\x00"  # value
)
LENGTH_TO_END = (
    b"\x08\x00\x01\x00"  # (0008,0001)
    b"UL"  # VR
    b"\x04\x00"  # length 4
    b"\x2a\x00\x00\x00"  # value
)
AFFECTED_SOP_CLASS = (
    b"\x00\x00\x02\x00"  # (0000,0002)
    b"UI"  # VR
    b"\x04\x00"  # length 4
    b"1.2\x00"  # value
)
FILE_SET_ID = (
    b"\x04\x00\x30\x11"  # (0004,1130)
    b"CS"  # VR
    b"\x02\x00"  # length 2
    b"ID"  # value
)
MAC_PARAMETERS = (
    b"\xfe\x4f\x01\x00"  # (4FFE,0001)
    b"SQ"  # VR
    b"\x00\x00"  # reserved
    b"\x00\x00\x00\x00"  # length 0
)
DIGITAL_SIGNATURES = (
    b"\xfa\xff\xfa\xff"  # (FFFA,FFFA)
    b"SQ"  # VR
    b"\x00\x00"  # reserved
    b"\x00\x00\x00\x00"  # length 0
)
TRAILING_PADDING = (
    b"\xfc\xff\xfc\xff"  # (FFFC,FFFC)
    b"OB"  # VR
    b"\x00\x00"  # reserved
    b"\x02\x00\x00\x00"  # length 2
    b"\x00\x00"  # value
)
NEVER_HASHED = {
    "group 0000": AFFECTED_SOP_CLASS,
    "group 0004": FILE_SET_ID,
    "(0008,0001)": LENGTH_TO_END,
    "private group length": PRIVATE_GROUP_LENGTH,
    "UN": PRIVATE_UNKNOWN,
    "a VR from the future": FROM_THE_FUTURE,
    "group length": GROUP_LENGTH,
    "(4FFE,0001)": MAC_PARAMETERS,
    "group FFFA": DIGITAL_SIGNATURES,
    "(FFFC,FFFC)": TRAILING_PADDING,
}

# --- sequences and encapsulated values: the header up to the length ----------------------------

REFERENCED_IMAGES = (
    b"\x08\x00\x40\x11"  # (0008,1140)
    b"SQ"  # VR
    b"\x00\x00"  # reserved
)
REFERENCED_SERIES = (
    b"\x08\x00\x15\x11"  # (0008,1115)
    b"SQ"  # VR
    b"\x00\x00"  # reserved
)
PIXEL_DATA_OB = (
    b"\xe0\x7f\x10\x00"  # (7FE0,0010)
    b"OB"  # VR
    b"\x00\x00"  # reserved
)
PIXEL_DATA_OW = (
    b"\xe0\x7f\x10\x00"  # (7FE0,0010)
    b"OW"  # VR
    b"\x00\x00"  # reserved
)
UNKNOWN_SEQUENCE = (
    b"\x09\x00\x10\x10"  # (0009,1010)
    b"UN"  # VR
    b"\x00\x00"  # reserved
)
OFFSET_TABLE = (
    b"\xfe\xff\x00\xe0"  # (FFFE,E000)
    b"\x04\x00\x00\x00"  # length 4
    b"\x00\x00\x00\x00"  # offset of the first frame
)
FRAGMENT = (
    b"\xfe\xff\x00\xe0"  # (FFFE,E000)
    b"\x04\x00\x00\x00"  # length 4
    b"\xff\xd8\xff\xd9"  # value
)
FRAGMENT_HASHED = (
    b"\xfe\xff\x00\xe0"  # (FFFE,E000)
    b"\xff\xd8\xff\xd9"  # value
)
OFFSET_TABLE_HASHED = (
    b"\xfe\xff\x00\xe0"  # (FFFE,E000)
    b"\x00\x00\x00\x00"  # offset of the first frame
)


def sequence(content: bytes, head: bytes = REFERENCED_IMAGES, defined: bool = False) -> bytes:
    """A sequence in a file around its items."""
    if defined:
        return head + len(content).to_bytes(4, "little") + content
    return head + UNDEFINED + content + SEQUENCE_END


def item(content: bytes, defined: bool = False) -> bytes:
    """An item in a file around its elements."""
    if defined:
        return ITEM + len(content).to_bytes(4, "little") + content
    return ITEM_UNDEFINED + content + ITEM_END


# --- one row per VR: an element in big endian, and hashed (tag, VR, (reserved,) length, value) ---

BIG_ENDIAN = {
    "US": ("0028 1234  5553  0004  01020304", "2800 3412  5553  0400  02010403"),
    "SS": ("0028 1234  5353  0004  01020304", "2800 3412  5353  0400  02010403"),
    "OW": ("0028 1234  4F57 0000  00000004  01020304", "2800 3412  4F57 0000  04000000  02010403"),
    "AT": ("0028 1234  4154  0004  00100020", "2800 3412  4154  0400  10002000"),
    "UL": ("0028 1234  554C  0004  01020304", "2800 3412  554C  0400  04030201"),
    "SL": ("0028 1234  534C  0004  01020304", "2800 3412  534C  0400  04030201"),
    "FL": ("0028 1234  464C  0004  01020304", "2800 3412  464C  0400  04030201"),
    "OL": ("0028 1234  4F4C 0000  00000004  01020304", "2800 3412  4F4C 0000  04000000  04030201"),
    "OF": ("0028 1234  4F46 0000  00000004  01020304", "2800 3412  4F46 0000  04000000  04030201"),
    "FD": ("0028 1234  4644  0008  0102030405060708", "2800 3412  4644  0800  0807060504030201"),
    "OD": (
        "0028 1234  4F44 0000  00000008  0102030405060708",
        "2800 3412  4F44 0000  08000000  0807060504030201",
    ),
    "SV": (
        "0028 1234  5356 0000  00000008  0102030405060708",
        "2800 3412  5356 0000  08000000  0807060504030201",
    ),
    "UV": (
        "0028 1234  5556 0000  00000008  0102030405060708",
        "2800 3412  5556 0000  08000000  0807060504030201",
    ),
    "OV": (
        "0028 1234  4F56 0000  00000008  0102030405060708",
        "2800 3412  4F56 0000  08000000  0807060504030201",
    ),
    "OB": ("0028 1234  4F42 0000  00000004  01020304", "2800 3412  4F42 0000  04000000  01020304"),
    "UN": ("0028 1234  554E 0000  00000004  01020304", ""),  # never hashed
    "LO": ("0028 1234  4C4F  0004  31323334", "2800 3412  4C4F  0400  31323334"),
    "UT": ("0028 1234  5554 0000  00000004  31323334", "2800 3412  5554 0000  04000000  31323334"),
    "UI": ("0028 1234  5549  0004  312E3200", "2800 3412  5549  0400  312E3200"),
    "PN": ("0028 1234  504E  0004  41424344", "2800 3412  504E  0400  41424344"),
}

# --- one row per VR: odd length in the file, and hashed with the VR's padding --------------------

ODD_LENGTHS = {
    "LO": ("1000 2000  4C4F  0300  313233", "1000 2000  4C4F  0400  31323320"),
    "UI": ("0800 1800  5549  0300  312E32", "0800 1800  5549  0400  312E3200"),
    "UT": ("4000 60A1  5554 0000  01000000  41", "4000 60A1  5554 0000  02000000  4120"),
    "UR": ("0800 2011  5552 0000  01000000  41", "0800 2011  5552 0000  02000000  4120"),
    "OB": ("0004 2001  4F42 0000  01000000  41", "0004 2001  4F42 0000  02000000  4100"),
    "US": ("2800 1000  5553  0300  010203", "2800 1000  5553  0400  01020300"),
}

# --- implicit VR: what stands in the file, what is hashed -----------------------------------------

# name: (tag, length, value) and (tag, VR, (reserved,) length, value)
IMPLICIT = {
    "public": ("1000 2000  04000000  31323334", "1000 2000  4C4F  0400  31323334"),
    "long VR": ("4000 60A1  04000000  74657874", "4000 60A1  5554 0000  04000000  74657874"),
    "empty": ("1000 4000  00000000", "1000 4000  4353  0000"),
    "repeating group": ("0260 1000  02000000  0800", "0260 1000  5553  0200  0800"),
    "overlay data": ("0260 0030  02000000  0102", "0260 0030  4F57 0000  02000000  0102"),
    "curve, retired": ("0050 0030  02000000  0102", "0050 0030  4F42 0000  02000000  0102"),
    "repeating element": ("2000 0131  02000000  4142", "2000 0131  4353  0200  4142"),
    "OB or OW": ("E07F 1000  02000000  0102", "E07F 1000  4F57 0000  02000000  0102"),
    "US or SS without a rule": ("2800 0601  02000000  0102", "2800 0601  5553  0200  0102"),
    "LUT data": ("2800 0630  02000000  0102", "2800 0630  4F57 0000  02000000  0102"),
    "private creator": ("0900 1000  02000000  4120", "0900 1000  4C4F  0200  4120"),
    "no creator": ("0900 0110  02000000  4142", ""),
    "group length": ("1000 0000  04000000  2A000000", ""),
    "unknown public tag": ("1000 3412  02000000  4142", ""),
    "odd": ("1000 2000  03000000  313233", "1000 2000  4C4F  0400  31323320"),
}
CREATOR_GEMS_IDEN = "0900 1000  0C000000  47454D535F4944454E5F3031"  # (0009,0010) GEMS_IDEN_01
CREATOR_GEMS_IDEN_HASHED = "0900 1000  4C4F  0C00  47454D535F4944454E5F3031"
PRIVATE_SL = "0900 2710  04000000  01020304"  # (0009,1027)
PRIVATE_SL_HASHED = "0900 2710  534C  0400  01020304"
PIXEL_REPRESENTATION = {  # (0028,0103), implicit
    0: "2800 0301  02000000  0000",
    1: "2800 0301  02000000  0100",
}
PIXEL_REPRESENTATION_HASHED = {
    0: "2800 0301  5553  0200  0000",
    1: "2800 0301  5553  0200  0100",
}
SMALLEST_VALUE = "2800 0601  02000000  FEFF"  # (0028,0106), implicit
SMALLEST_VALUE_HASHED = {
    "US": "2800 0601  5553  0200  FEFF",
    "SS": "2800 0601  5353  0200  FEFF",
}
REFERENCED_IMAGES_IMPLICIT = "0800 4011"  # (0008,1140), up to the length

# --- files (PS3.10 Section 7.1) -----------------------------------------------------------------

PREAMBLE = b"\x00" * 128 + b"DICM"
META_VERSION = (
    b"\x02\x00\x01\x00"  # (0002,0001)
    b"OB"  # VR
    b"\x00\x00"  # reserved
    b"\x02\x00\x00\x00"  # length 2
    b"\x00\x01"  # value
)


def meta(transfer_syntax: str) -> bytes:
    """The File Meta Information up to the data set: group length, version, Transfer Syntax UID."""
    uid = transfer_syntax.encode() + b"\0" * (len(transfer_syntax) % 2)
    content = META_VERSION + (
        b"\x02\x00\x10\x00"  # (0002,0010)
        b"UI"  # VR
        + len(uid).to_bytes(2, "little")  # length
        + uid
    )
    return (
        b"\x02\x00\x00\x00"  # (0002,0000)
        b"UL"  # VR
        b"\x04\x00"  # length 4
        + len(content).to_bytes(4, "little")  # so many bytes follow
        + content
    )


META_EXPLICIT = meta("1.2.840.10008.1.2.1")
META_IMPLICIT = meta("1.2.840.10008.1.2")
META_BIG_ENDIAN = meta("1.2.840.10008.1.2.2")
META_DEFLATED = meta("1.2.840.10008.1.2.1.99")
META_WITHOUT_UID = META_VERSION

# one data set in three encodings; the first is what is hashed
FILE_EXPLICIT = MODALITY + PATIENT_ID
FILE_IMPLICIT = (
    b"\x08\x00\x60\x00"  # (0008,0060)
    b"\x02\x00\x00\x00"  # length 2
    b"CT"  # value
    b"\x10\x00\x20\x00"  # (0010,0020)
    b"\x04\x00\x00\x00"  # length 4
    b"1234"  # value
)
FILE_BIG_ENDIAN = (
    b"\x00\x08\x00\x60"  # (0008,0060)
    b"CS"  # VR
    b"\x00\x02"  # length 2
    b"CT"  # value
    b"\x00\x10\x00\x20"  # (0010,0020)
    b"LO"  # VR
    b"\x00\x04"  # length 4
    b"1234"  # value
)
FILES = {
    "explicit": (META_EXPLICIT, FILE_EXPLICIT),
    "implicit": (META_IMPLICIT, FILE_IMPLICIT),
    "big endian": (META_BIG_ENDIAN, FILE_BIG_ENDIAN),
}

"""The standard's own terms: tags, UIDs and defined terms that Digital Signatures use.

PS3.3 C.12.1.1.3 (Digital Signatures Macro), PS3.5 Section 7 and 10, PS3.6, PS3.15 Annex C.
"""

from __future__ import annotations

import re

# Attributes of the Digital Signatures Macro, PS3.3 Table C.12-6
MAC_PARAMETERS_SEQUENCE = 0x4FFE0001
DIGITAL_SIGNATURES_SEQUENCE = 0xFFFAFFFA
MAC_ID_NUMBER = 0x04000005
MAC_CALCULATION_TRANSFER_SYNTAX_UID = 0x04000010
MAC_ALGORITHM = 0x04000015
DATA_ELEMENTS_SIGNED = 0x04000020
DIGITAL_SIGNATURE_UID = 0x04000100
DIGITAL_SIGNATURE_DATETIME = 0x04000105
CERTIFICATE_TYPE = 0x04000110
CERTIFICATE_OF_SIGNER = 0x04000115
SIGNATURE = 0x04000120
CERTIFIED_TIMESTAMP_TYPE = 0x04000305
CERTIFIED_TIMESTAMP = 0x04000310
DIGITAL_SIGNATURE_PURPOSE_CODE_SEQUENCE = 0x04000401
ORIGINAL_ATTRIBUTES_SEQUENCE = 0x04000561

# What their items hold, PS3.3 Table C.12-6; nothing covers MAC Parameters, so their values may not
# be longer than PS3.5 Section 6.2 lets them be, either
MAC_PARAMETERS_VRS = {
    MAC_ID_NUMBER: "US",
    MAC_CALCULATION_TRANSFER_SYNTAX_UID: "UI",
    MAC_ALGORITHM: "CS",
    DATA_ELEMENTS_SIGNED: "AT",
}
LONGEST_IN_MAC_PARAMETERS = {"US": 2, "UI": 64, "CS": 16}
DIGITAL_SIGNATURE_VRS = {
    MAC_ID_NUMBER: "US",
    DIGITAL_SIGNATURE_UID: "UI",
    DIGITAL_SIGNATURE_DATETIME: "DT",
    CERTIFICATE_TYPE: "CS",
    CERTIFICATE_OF_SIGNER: "OB",
    SIGNATURE: "OB",
    CERTIFIED_TIMESTAMP_TYPE: "CS",
    CERTIFIED_TIMESTAMP: "OB",
    DIGITAL_SIGNATURE_PURPOSE_CODE_SEQUENCE: "SQ",
}

# PS3.3 C.12.1.1.3.1.1 and .2: of the signature's own item these stay out of the MAC
NOT_IN_MAC = frozenset(
    (CERTIFICATE_OF_SIGNER, SIGNATURE, CERTIFIED_TIMESTAMP_TYPE, CERTIFIED_TIMESTAMP)
)

# File Meta Information, PS3.10 Table 7.1-1, with the VRs of PS3.6 Section 7; groups of this number
# have no place in a data set
FILE_META_VRS = {
    0x00020000: "UL",
    0x00020001: "OB",
    0x00020002: "UI",
    0x00020003: "UI",
    0x00020010: "UI",
    0x00020012: "UI",
    0x00020013: "SH",
    0x00020016: "AE",
    0x00020017: "AE",
    0x00020018: "AE",
    0x00020026: "UR",
    0x00020027: "UR",
    0x00020028: "UR",
    0x00020031: "OB",
    0x00020032: "UI",
    0x00020033: "UI",
    0x00020035: "UI",
    0x00020036: "UI",
    0x00020037: "UI",
    0x00020038: "UI",
    0x00020100: "UI",
    0x00020102: "OB",
}
MEDIA_STORAGE_SOP_CLASS_UID = 0x00020002
MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"

# The elements of a DICOMDIR that no signature can cover, PS3.3 Annex F and PS3.6 Section 6
DIRECTORY_VRS = {
    0x00041130: "CS",
    0x00041141: "CS",
    0x00041142: "CS",
    0x00041200: "UL",
    0x00041202: "UL",
    0x00041212: "US",
    0x00041220: "SQ",
    0x00041400: "UL",
    0x00041410: "US",
    0x00041420: "UL",
    0x00041430: "CS",
    0x00041432: "UI",
    0x00041500: "CS",
    0x00041504: "UL",
    0x00041510: "UI",
    0x00041511: "UI",
    0x00041512: "UI",
    0x0004151A: "UI",
    0x00041600: "UL",
}

# Attributes read from or written to the object itself
TRANSFER_SYNTAX_UID = 0x00020010
LENGTH_TO_END = 0x00080001
SOP_CLASS_UID = 0x00080016
MODALITY = 0x00080060
DIRECTORY_RECORD_SEQUENCE = 0x00041220
SOP_INSTANCE_UID = 0x00080018
INSTANCE_CREATION_DATE = 0x00080012
INSTANCE_CREATION_TIME = 0x00080013
CODE_VALUE = 0x00080100
CODING_SCHEME_DESIGNATOR = 0x00080102
CODE_MEANING = 0x00080104
TIMEZONE_OFFSET_FROM_UTC = 0x00080201
CREATOR_VERSION_UID = 0x00089123
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
PIXEL_REPRESENTATION = 0x00280103
LUT_DESCRIPTOR = 0x00283002
VERIFICATION_DATETIME = 0x0040A030
OBSERVATION_DATETIME = 0x0040A032
VALUE_TYPE = 0x0040A040
CONCEPT_NAME_CODE_SEQUENCE = 0x0040A043
VERIFYING_OBSERVER_SEQUENCE = 0x0040A073
REFERENCED_SOP_INSTANCE_MAC_SEQUENCE = 0x04000403
PREDECESSOR_DOCUMENTS_SEQUENCE = 0x0040A360
CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE = 0x0040A375
PERTINENT_OTHER_EVIDENCE_SEQUENCE = 0x0040A385
VERIFICATION_FLAG = 0x0040A493
CONTENT_SEQUENCE = 0x0040A730
ENCAPSULATED_DOCUMENT = 0x00420011
EXTENDED_OFFSET_TABLE = 0x7FE00001
SAMPLES_PER_PIXEL = 0x00280002
NUMBER_OF_FRAMES = 0x00280008
ROWS = 0x00280010
COLUMNS = 0x00280011
BITS_ALLOCATED = 0x00280100
PIXEL_DATA = 0x7FE00010
DATA_SET_TRAILING_PADDING = 0xFFFCFFFC
ITEM = 0xFFFEE000
ITEM_DELIMITATION = 0xFFFEE00D
SEQUENCE_DELIMITATION = 0xFFFEE0DD
UNDEFINED_LENGTH = 0xFFFFFFFF

# PS3.3 Table C.12-6, MAC Algorithm (0400,0015): defined term -> name for hashlib
MAC_ALGORITHMS = {
    "RIPEMD160": "ripemd160",
    "MD5": "md5",
    "SHA1": "sha1",
    "SHA256": "sha256",
    "SHA384": "sha384",
    "SHA512": "sha512",
}
WEAK_MAC_ALGORITHMS = frozenset(("RIPEMD160", "MD5", "SHA1"))
CERTIFICATE_TYPE_X509 = "X509_1993_SIG"
# PS3.3 Table C.12-6, Certified Timestamp Type (0400,0305): RFC 3161
CMS_TSP = "CMS_TSP"
# what a timestamp may be asked for with; its imprint has to last longer than the signature
TIMESTAMP_ALGORITHMS = ("SHA256", "SHA384", "SHA512")

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
# Pixel Data is native (or absent, for JPIP); every other known transfer syntax encapsulates it
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
# PS3.3 C.12.1.1.3.1.2: a MAC can only be computed over explicit VR and little endian; nor is there
# a data set in a mail, in XML or in a stream (PS3.6 Annex A)
NEVER_FOR_MAC = frozenset(
    (
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        *(f"1.2.840.10008.1.2.{end}" for end in ("6.1", "6.2", "7.1", "7.2", "7.3")),
    )
)
# the standard's own transfer syntaxes all live under this arc (PS3.6 Annex A)
TRANSFER_SYNTAX_ROOT = "1.2.840.10008.1.2"
# PS3.6 Table A-1: every transfer syntax in which a file holds a data set, retired ones too. Not
# those of streams (SMPTE ST 2110), mails and XML, nor Papyrus 3, which no reader agrees upon.
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
# PS3.5 Annex A.4.2, A.4.11 and A.4.13: each frame is one fragment. The latter two do not begin as
# an image does: encapsulated uncompressed, and Deflated Image Frame Compression
ONE_FRAGMENT_PER_FRAME = frozenset(
    (RLE_LOSSLESS, f"{TRANSFER_SYNTAX_ROOT}.1.98", f"{TRANSFER_SYNTAX_ROOT}.8.1")
)
# Implicit VR little endian with the words of Pixel Data in big endian, of old GE devices
GE_PRIVATE_IMPLICIT = "1.2.840.113619.5.2"

# PS3.5 Section 7.1.2: value representations whose length field has 32 bits in explicit VR
LONG_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
SHORT_VRS = frozenset(
    ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL",
     "SS", "ST", "TM", "UI", "UL", "US")
)  # fmt: skip
# PS3.5 Section 6.2.2: bytes of a value that their length field can tell; an odd one is padded
MOST_SHORT = 0xFFFE
# PS3.5 Section 7.3: how many bytes change places in big endian; every other VR is bytes or text
SWAP_WIDTH = {
    "AT": 2, "OW": 2, "SS": 2, "US": 2,
    "FL": 4, "OF": 4, "OL": 4, "SL": 4, "UL": 4,
    "FD": 8, "OD": 8, "OV": 8, "SV": 8, "UV": 8,
}  # fmt: skip
# PS3.5 Section 6.2: text is padded with a space, UIDs and bytes with a NUL
SPACE_PADDED = frozenset(
    ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT")
)


_UID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")


def is_uid(text: str) -> bool:
    """Whether it is written as a UID is (PS3.5 Section 9.1)."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def may_be_for_mac(uid: str) -> bool:
    """Whether a UID may name a MAC Calculation Transfer Syntax, as far as is known.

    One that the standard gives to something else than a transfer syntax may not.
    """
    others = uid.startswith("1.2.840.10008.") and not uid.startswith(TRANSFER_SYNTAX_ROOT + ".")
    return uid not in NEVER_FOR_MAC and not others


def is_encapsulated(transfer_syntax: str) -> bool | None:
    """Whether Pixel Data is encapsulated under a transfer syntax UID; None if it is not known."""
    if transfer_syntax in NATIVE:
        return False
    if transfer_syntax.startswith(TRANSFER_SYNTAX_ROOT + "."):
        return True
    return None


def is_video(transfer_syntax: str) -> bool:
    """Whether it is MPEG-2, MPEG-4 or HEVC, whose frames have no fragments of their own."""
    return transfer_syntax.startswith(TRANSFER_SYNTAX_ROOT + ".4.10")


def mac_transfer_syntax(transfer_syntax: str) -> str:
    """MAC Calculation Transfer Syntax UID for an object: its own if encapsulated, else explicit."""
    return transfer_syntax if is_encapsulated(transfer_syntax) else EXPLICIT_VR_LITTLE_ENDIAN

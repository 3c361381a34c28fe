"""The standard's own terms: tags, UIDs and defined terms that Digital Signatures use.

PS3.3 C.12.1.1.3 (Digital Signatures Macro), PS3.5 Section 7 and 10, PS3.6, PS3.15 Annex C.
"""

from __future__ import annotations

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

# PS3.3 C.12.1.1.3.1.1 and .2: of the signature's own item these stay out of the MAC
NOT_IN_MAC = frozenset(
    (CERTIFICATE_OF_SIGNER, SIGNATURE, CERTIFIED_TIMESTAMP_TYPE, CERTIFIED_TIMESTAMP)
)

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
# PS3.3 C.12.1.1.3.1.2: a MAC can only be computed over explicit VR and little endian
NEVER_FOR_MAC = frozenset((IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN))
# the standard's own transfer syntaxes all live under this arc (PS3.6 Annex A)
TRANSFER_SYNTAX_ROOT = "1.2.840.10008.1.2"

# PS3.5 Section 7.1.2: value representations whose length field has 32 bits in explicit VR
LONG_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
SHORT_VRS = frozenset(
    ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL",
     "SS", "ST", "TM", "UI", "UL", "US")
)  # fmt: skip
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


def is_encapsulated(transfer_syntax: str) -> bool | None:
    """Whether Pixel Data is encapsulated under a transfer syntax UID; None if it is not known."""
    if transfer_syntax in NATIVE:
        return False
    if transfer_syntax.startswith(TRANSFER_SYNTAX_ROOT + "."):
        return True
    return None


def mac_transfer_syntax(transfer_syntax: str) -> str:
    """MAC Calculation Transfer Syntax UID for an object: its own if encapsulated, else explicit."""
    return transfer_syntax if is_encapsulated(transfer_syntax) else EXPLICIT_VR_LITTLE_ENDIAN

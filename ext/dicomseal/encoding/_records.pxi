# The record of the index, and how bytes are read; part of _index_c.pyx.

cdef enum:
    # kinds, in the low bits of Rec.bits; the same numbers as in encoding.record
    ELEMENT = 0
    SEQUENCE = 1
    ENCAPSULATED = 2
    ITEM = 3
    FRAGMENT = 4
    KIND = 7
    # flags, above them
    UNDEFINED = 1 << 3
    UNKNOWN_VR = 2 << 3
    LONG_HEADER = 4 << 3
    REWRITE = 8 << 3
    GUESSED = 16 << 3
    PRIVATE = 32 << 3
    IMAGE = 64 << 3

    # the notes, numbered as in encoding.record.KINDS
    ODD_DUPLICATE = 0
    ODD_ORDER
    ODD_VR
    ODD_PLACE
    ODD_FORM
    ODD_MACRO
    ODD_LENGTH
    ODD_REPAIRED
    ODD_EXPLICIT
    ODD_ITEMS
    ODD_OPEN
    AMBIGUITIES  # those above are reasons to fail, those below are messages
    ODD_VALUE = AMBIGUITIES
    ODD_WIDTH
    ODD_RESERVED
    ODD_DELIMITER
    ODD_UNDEFINED
    ODD_GROUP_LENGTH
    ODD_DIRECTORY
    MIN_OPEN = 2  # as in encoding.record
    MAX_AMBIGUITIES = 100
    MAX_LEVELS = 8  # of values that look like sequences, nested in one another
    MAX_REMEMBERED = 4096  # tags of a list
    MAX_SPARE = 1 << 21  # records: 64 MiB, of which only what was written takes memory
    WINDOW = 65536
    SHORT_RUN = 64
    MAX_BEGINNING = 8  # as in standard.compressed_images
    GLANCE = 512  # bytes that are read after a jump, as usually only the next header is needed

cdef enum:
    UNDEFINED_LENGTH = 0xFFFFFFFFU
    TAG_ITEM = 0xFFFEE000U
    ITEM_AS_STORED = 0xE000FFFEU  # the four bytes read as one number, little endian
    SWAPPED_ITEM = 0x00E0FEFFU
    TAG_ITEM_DELIMITATION = 0xFFFEE00DU
    TAG_SEQUENCE_DELIMITATION = 0xFFFEE0DDU
    TAG_PARAMETERS = 0x4FFE0001U
    TAG_SIGNATURES = 0xFFFAFFFAU
    TAG_LISTED = 0x04000020U
    TAG_PURPOSES = 0x04000401U
    TAG_PIXEL_REPRESENTATION = 0x00280103U
    TAG_LUT_DESCRIPTOR = 0x00283002U
    TAG_PIXEL_DATA = 0x7FE00010U
    TAG_LENGTH_TO_END = 0x00080001U
    TAG_PADDING = 0xFFFCFFFCU
    TAG_TO_THE_END = 0x00FF4AA5U  # GDCM reads it as Pixel Data up to the end of the file
    TAG_PAPYRUS = 0x031E0324U  # and it reads this one, with this length, as one of 202 bytes
    PAPYRUS_LENGTH = 0x031F031CU
    # every tag between these two can be signed, except group lengths and MAC Parameters, so a quick
    # look has to ask no more than that
    TAG_FIRST_SIGNABLE = 0x00080001U
    TAG_LAST_SIGNABLE = 0xFFFA0000U
    # two letters, the first in the low byte
    VR_AT = 0x5441
    VR_CS = 0x5343
    VR_DT = 0x5444
    VR_OB = 0x424F
    VR_OW = 0x574F
    VR_SQ = 0x5153
    VR_SS = 0x5353
    VR_UI = 0x4955
    VR_UL = 0x4C55
    VR_UN = 0x4E55
    VR_US = 0x5355
    VR_XS = 0x7378  # US or SS, see standard.dictionary
    VR_BO = 0x6F62  # OB or OW, the bytes first

cdef struct Note:
    uint32_t tag
    uint32_t number
    uint8_t kind

cdef struct Notes:
    Note first[MAX_AMBIGUITIES]
    uint32_t count

cdef struct Rec:
    uint64_t start
    uint64_t end
    uint32_t tag
    uint32_t next
    uint32_t parent
    uint16_t vr
    uint16_t bits

cdef struct Frame:
    uint64_t stop
    int64_t last
    uint32_t number
    uint8_t implicit
    uint8_t swapped

# A private sequence of defined length, which is a sequence only by a dictionary
cdef struct Soft:
    uint64_t stop
    uint32_t number
    uint32_t frame
    # the numbers of notes before it
    uint32_t ambiguous, odd, noted, free, lengths, macros
    bint fragmented

cdef struct Trouble:
    uint64_t position
    uint32_t holder
    uint32_t tag
    uint16_t vr
    int kind
    bint at_end

TROUBLES = ("", "header", "value", "delimiter", "overrun", "no item", "stray", "vr", "length",
            "records", "depth")
cdef enum:
    CUT_HEADER = 1
    CUT_VALUE
    NO_DELIMITER
    OVERRUN
    NO_ITEM
    STRAY
    BAD_VR
    NO_LENGTH
    TOO_MANY
    TOO_DEEP


def first_unsignable(tags):
    """Return the first of some tags that can never be signed (PS3.3 C.12.1.1.3.1.1), or None."""
    cdef uint32_t tag
    for tag in tags:
        if not signable(tag):
            return tag
    return None


def first_repeated(tags):
    """Return the first of some tags that occurred before, or None."""
    cdef int64_t last = -1
    cdef uint32_t tag
    for tag in tags:
        if tag <= last:
            break
        last = tag
    else:
        return None  # ascending, as nearly every list is
    seen = set()
    for found in tags:
        if found in seen:
            return found
        seen.add(found)
    return None


cdef inline bint of_dictionary(uint32_t tag) noexcept nogil:
    """Return whether only a dictionary gives its VR: no group length, no Private Creator."""
    return tag & 0x10000 and tag & 0xFFFF and not 0x10 <= tag & 0xFFFF <= 0xFF


cdef inline uint32_t load16(const uint8_t* p, bint swapped) noexcept nogil:
    if swapped:
        return <uint32_t> p[0] << 8 | p[1]
    return <uint32_t> p[1] << 8 | p[0]


cdef inline uint32_t load32(const uint8_t* p, bint swapped) noexcept nogil:
    if swapped:
        return <uint32_t> p[0] << 24 | <uint32_t> p[1] << 16 | <uint32_t> p[2] << 8 | p[3]
    return <uint32_t> p[3] << 24 | <uint32_t> p[2] << 16 | <uint32_t> p[1] << 8 | p[0]


cdef inline bint begins_as_an_image(const uint8_t* p, uint64_t length) noexcept nogil:
    """Return what `standard.compressed_images.BEGINNING` says; at most 8 bytes are read."""
    cdef uint32_t first
    if length < 2:
        return False
    if p[0] == 0xFF and p[1] == 0x0A:
        return True
    if length < 3:
        return False
    if p[0] == 0xFF and p[1] == 0xD8 and p[2] == 0xFF:
        return True
    if length < 4:
        return False
    first = load32(p, True)
    if first == 0xFF4FFF51U:
        return True
    if length < 8:
        return False
    if first == 12:
        return load32(p + 4, True) in (0x6A502020U, 0x4A584C20U)
    return p[0] - 1U < 15 and load32(p, False) < 16 and load32(p + 4, False) == 0x40


cdef inline uint64_t content(Rec* rec) noexcept nogil:
    """Return where its value or content begins."""
    return rec.start + (12 if rec.bits & LONG_HEADER else 8)


def as_text(value):
    """Return a text value without its padding; empty if there is none."""
    return _text(value)


cdef str _text(value):
    cdef bytes text
    cdef const uint8_t* p
    cdef Py_ssize_t end, i
    if not value:
        return ""
    text = value
    p = text
    end = len(text)
    while end and (p[end - 1] == 0x20 or p[end - 1] == 0):
        end -= 1
    for i in range(end):
        if not 0x20 <= p[i] < 0x7F:
            break
    else:
        if not end or (p[0] != 0x20):
            return PyUnicode_DecodeASCII(<const char*> p, end, NULL)
    return text.rstrip(b"\0 ").decode("ascii", "replace").strip()


cdef object _number(value, bint big_endian):
    """Return the value of an US element; None if it is absent, or not one number."""
    cdef const uint8_t* p
    if value is None or len(<bytes> value) != 2:
        return None
    p = <bytes> value
    return load16(p, big_endian)


def tags_of(bytes value, bint big_endian):
    """Return the value of an AT element as tags; an incomplete tag at its end is ignored."""
    cdef const uint8_t* p = value
    cdef Py_ssize_t i
    return tuple([
        load16(p + 4 * i, big_endian) << 16 | load16(p + 4 * i + 2, big_endian)
        for i in range(len(value) // 4)
    ])


cdef int _ascending(const void* a, const void* b) noexcept nogil:
    cdef uint32_t x = (<const uint32_t*> a)[0]
    cdef uint32_t y = (<const uint32_t*> b)[0]
    return (x > y) - (x < y)


cdef uint16_t _code(str vr) except? 0:
    return ord(vr[0]) | <uint16_t> ord(vr[1]) << 8


cdef str _letters(uint16_t vr):
    return chr(vr & 0xFF) + chr(vr >> 8) if vr else ""

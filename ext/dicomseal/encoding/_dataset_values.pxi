# The value of a decoded element as bytes, by its VR; part of _dataset_c.pyx.

cdef enum:
    # what a VR's values are
    STRING = 1    # in the default character repertoire
    TEXT          # in the Specific Character Set
    NAME
    NUMBER        # as a string
    DATE
    WHOLE         # numbers in binary
    REAL
    TAGS
    BYTES
    ESC = 0x1B

cdef uint8_t VR_VALUES[65536]
cdef uint8_t VR_SIGNED[65536]


cdef int _fill_values() except -1:
    for kind, names in (
        (STRING, "AE AS CS UI UR"), (TEXT, "LO LT SH ST UC UT"), (NAME, "PN"), (NUMBER, "DS IS"),
        (DATE, "DA DT TM"), (WHOLE, "SL SS SV UL US UV"), (REAL, "FD FL"), (TAGS, "AT"),
        (BYTES, "OB OD OF OL OV OW UN"),
    ):
        for name in names.split():
            VR_VALUES[ord(name[0]) | ord(name[1]) << 8] = kind
            VR_SIGNED[ord(name[0]) | ord(name[1]) << 8] = name in ("SL", "SS", "SV")
    return 0


cdef class _Values(_Arena):
    """Puts values out. What is not of the usual types is left to pydicom: those return 0."""

    cdef object names  # `rare`, once pydicom is there
    cdef object element_type, raw_type, name_type, several_type, sequence_type, float_type, int_type

    cdef object encodings(self):
        """Return the character sets that count where the value is."""
        raise NotImplementedError

    cdef int value(self, uint16_t vr, uint32_t tag, object value) except -1:
        """Put a value out that is not empty; 0 if it is none of the usual ones."""
        cdef int kind = VR_VALUES[vr]
        cdef Py_ssize_t i, count
        cdef list several = None
        if type(value) is self.several_type:
            several = value._list
        elif type(value) is list:
            several = value
        elif type(value) is tuple and kind not in (WHOLE, REAL):
            several = list(<tuple> value)
        if several is None:
            return self.one(kind, vr, value, False)
        count = len(several)
        if kind == BYTES or (kind == NAME and count == 1):
            return 0
        if count > 1 and kind == WHOLE and (
                tag == 0x00283002 or 0x00281101 <= tag <= 0x00281103):
            return 0  # of a LUT Descriptor the first number is US, whatever the others are
        i = 0
        while i < len(several):  # it may change while other code runs
            if i and kind < WHOLE:
                self.make(1)[0] = b"\\"
            if not self.one(kind, vr, several[i], True):
                return 0
            i += 1
        return 1

    cdef inline int one(self, int kind, uint16_t vr, object value, bint of_several) except -1:
        if kind == STRING:
            return self.string(value)
        if kind == TEXT:
            return self.text(value)
        if kind == WHOLE:
            return self.integer(value, traits(vr) >> 3, VR_SIGNED[vr])
        if kind == NUMBER:
            return self.number(value)
        if kind == DATE:
            return self.date(value, of_several)
        if kind == NAME:
            return self.name(value)
        if kind == REAL:
            return self.real(value, traits(vr) >> 3)
        if kind == TAGS:
            return self.tags(value)
        return 0

    cdef inline int string(self, object value) except -1:
        """Write characters up to FF as one byte each."""
        cdef Py_ssize_t length
        if not PyUnicode_Check(value) or PyUnicode_KIND(value) != 1:
            return 0
        length = PyUnicode_GET_LENGTH(value)
        if length:
            memcpy(self.make(length), PyUnicode_DATA(value), length)
        return 1

    cdef inline bint is_plain(self, object value):
        """Return whether text is the same in every character set (PS3.5 Section 6.1.2)."""
        return PyUnicode_IS_ASCII(value) and memchr(
            PyUnicode_DATA(value), ESC, PyUnicode_GET_LENGTH(value)) == NULL

    cdef inline int text(self, object value) except -1:
        if not PyUnicode_Check(value):
            return 0
        if self.is_plain(value):
            return self.string(value)
        self.put_bytes(self.names.text(value, self.encodings()))
        return 1

    cdef int number(self, object value) except -1:
        cdef char* shortest
        if PyUnicode_Check(value):
            return self.string(value)
        found = getattr(value, "original_string", None)
        if found is not None:
            return self.string(found)
        if type(value) is self.float_type:
            if not isfinite(<double> value):
                return 0
            shortest = PyOS_double_to_string(<double> value, b"r", 0, Py_DTSF_ADD_DOT_0, NULL)
            if shortest == NULL:
                raise MemoryError
            try:
                self.put(shortest, strlen(shortest))
            finally:
                PyMem_Free(shortest)
            return 1
        if type(value) is self.int_type:
            return self.string(int.__repr__(value))
        return 0

    cdef inline int date(self, object value, bint of_several) except -1:
        if PyUnicode_Check(value):
            return self.string(value)
        if value is None:
            return of_several
        found = getattr(value, "original_string", None)
        return 0 if found is None else self.string(found)

    cdef int name(self, object value) except -1:
        """Write a person's name: as it was read, unless it needs other character sets now."""
        cdef Py_ssize_t length
        cdef const char* p
        cdef bint first = True
        if type(value) is not self.name_type:
            return 0
        stored = value.original_string
        if type(stored) is bytes and len(<bytes> stored):
            p = <const char*> <bytes> stored
            length = len(<bytes> stored)
            if (p[length - 1] != b"=" and is_ascii(p, length) or value.encodings is None):
                return self.put(p, length) + 1
        elif stored is None:
            parts = value._components
            if type(parts) is tuple and parts and parts[len(parts) - 1]:
                for part in <tuple> parts:
                    if not PyUnicode_Check(part) or not self.is_plain(part):
                        break
                else:
                    for part in <tuple> parts:
                        if not first:
                            self.make(1)[0] = b"="
                        first = False
                        self.string(part)
                    return 1
        self.put_bytes(self.names.person_name(value, self.encodings()))
        return 1

    cdef inline int integer(self, object value, int width, bint is_signed) except -1:
        cdef int overflow = 0
        cdef int64_t number
        cdef uint64_t bits
        cdef uint8_t* to
        cdef int k
        if not PyLong_Check(value):
            return 0
        number = PyLong_AsLongLongAndOverflow(value, &overflow)
        bits = <uint64_t> number
        if overflow:
            if is_signed or width < 8 or overflow < 0:
                return 0
            try:
                bits = <uint64_t> int(value)
            except OverflowError:
                return 0
        elif is_signed:
            if width < 8 and not -(<int64_t> 1 << (8 * width - 1)) <= number < (
                    <int64_t> 1 << (8 * width - 1)):
                return 0
        elif number < 0 or (width < 8 and number >> (8 * width)):
            return 0
        to = self.make(width)
        for k in range(width):
            to[k] = bits >> (8 * k) & 0xFF
        return 1

    cdef inline int real(self, object value, int width) except -1:
        cdef double number
        cdef float single
        cdef uint32_t bits
        cdef uint64_t all_bits
        cdef uint8_t* to
        cdef int k
        if PyFloat_Check(value):
            number = PyFloat_AS_DOUBLE(value)
        elif PyLong_Check(value):
            try:
                number = <double> value
            except OverflowError:
                return 0
        else:
            return 0
        if width == 4:
            single = <float> number
            if isinf(single) and not isinf(number):
                return 0
            memcpy(&bits, &single, 4)
            all_bits = bits
        else:
            memcpy(&all_bits, &number, 8)
        to = self.make(width)
        for k in range(width):
            to[k] = all_bits >> (8 * k) & 0xFF
        return 1

    cdef inline int tags(self, object value) except -1:
        cdef int overflow = 0
        cdef int64_t tag
        cdef uint8_t* to
        if not PyLong_Check(value):
            return 0
        tag = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow or not 0 <= tag <= 0xFFFFFFFF:
            return 0
        to = self.make(4)
        to[0] = tag >> 16 & 0xFF
        to[1] = tag >> 24
        to[2] = tag & 0xFF
        to[3] = tag >> 8 & 0xFF
        return 1


cdef bint is_ascii(const char* p, Py_ssize_t length) noexcept nogil:
    """Return whether bytes are the same text in every character set."""
    cdef Py_ssize_t i
    for i in range(length):
        if <uint8_t> p[i] >= 0x80 or p[i] == ESC:
            return False
    return True

from cpython.ref cimport Py_REFCNT
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

cdef enum:
    BLOCK = 65536

# the properties of a VR, by its two letters
cdef enum:
    VR_KNOWN = 1
    VR_LONG = 2
    VR_SPACE = 4
    VR_WIDTH = 0xF8  # the size of the words that are swapped in big endian, shifted left by 3

# indexed by the two letters, the first in the low byte: one look-up for each element of a file
cdef uint8_t VR_TRAITS[65536]

cdef inline uint8_t traits(uint16_t vr) noexcept nogil:
    return VR_TRAITS[vr]

cdef inline bint signable(uint32_t tag) noexcept nogil:
    """Return whether PS3.3 C.12.1.1.3.1.1 lets it be signed, as dicomseal.tags.is_signable_tag."""
    cdef uint32_t group = tag >> 16
    return not (group < 8 or tag & 0xFFFF == 0 or group == 0xFFFA or group == 0xFFFE
                or tag == 0x00080001U or tag == 0x4FFE0001U or tag == 0xFFFCFFFCU)

cdef extern from "Python.h":
    ctypedef struct _PyManagedBufferObject:
        Py_ssize_t exports
    ctypedef struct PyMemoryViewObject:
        _PyManagedBufferObject* mbuf

cdef inline bint is_kept(object view):
    """Return whether somebody else has a memoryview by now, or another one over the same memory.

    An array of numpy has a reference to it, and a memoryview of it shares its buffer: neither keeps
    it from being released.
    """
    return Py_REFCNT(view) > 1 or (<PyMemoryViewObject*> view).mbuf.exports > 1

cdef inline void write_tag_and_vr(uint8_t* to, uint32_t tag, uint16_t vr) noexcept nogil:
    to[0] = tag >> 16 & 0xFF
    to[1] = tag >> 24
    to[2] = tag & 0xFF
    to[3] = tag >> 8 & 0xFF
    to[4] = vr & 0xFF
    to[5] = vr >> 8

cdef class Encoder:
    cdef object _update
    cdef object owner  # of what is sent without a copy
    cdef uint8_t* block
    cdef Py_ssize_t used

    cdef int keep(self, const uint8_t* data) except -1
    cdef int send(self, const uint8_t* data, Py_ssize_t length) except -1
    cdef int put(self, const uint8_t* data, Py_ssize_t length) except -1 nogil
    cdef int put_swapped(self, const uint8_t* data, Py_ssize_t length, int width) except -1 nogil
    cdef int put_header(self, uint32_t tag, uint16_t vr, uint32_t length) except -1 nogil
    cdef int put_value(self, uint32_t tag, uint16_t vr, const uint8_t* value, Py_ssize_t size,
                       bint big_endian) except -1
    cdef int make_room(self) except -1 nogil
    cpdef int flush(self) except -1

    # what nested sequences consist of, so inlined

    cdef inline int put_open(self, uint32_t tag, uint16_t vr) except -1 nogil:
        cdef uint8_t* to
        if self.used > BLOCK - 8:
            self.make_room()
        to = self.block + self.used
        write_tag_and_vr(to, tag, vr)
        to[6] = to[7] = 0
        self.used += 8
        return 0

    cdef inline int put_item(self) except -1 nogil:
        if self.used > BLOCK - 4:
            self.make_room()
        memcpy(self.block + self.used, b"\xfe\xff\x00\xe0", 4)
        self.used += 4
        return 0

    cdef inline int put_close(self) except -1 nogil:
        if self.used > BLOCK - 4:
            self.make_room()
        memcpy(self.block + self.used, b"\xfe\xff\xdd\xe0", 4)
        self.used += 4
        return 0

from libc.stdint cimport uint8_t, uint16_t, uint32_t

# what is known of a VR, by its two letters
cdef enum:
    VR_KNOWN = 1
    VR_LONG = 2
    VR_SPACE = 4
    VR_WIDTH = 0xF8  # how many bytes change places in big endian, shifted left by 3

cdef uint8_t VR_TRAITS[676]

cdef inline uint8_t traits(uint16_t vr) noexcept nogil:
    cdef unsigned int first = (vr & 0xFF) - 65
    cdef unsigned int second = (vr >> 8) - 65
    if first > 25 or second > 25:
        return 0
    return VR_TRAITS[first * 26 + second]

cdef class Encoder:
    cdef object _update
    cdef uint8_t* block
    cdef Py_ssize_t used

    cdef int send(self, const uint8_t* data, Py_ssize_t length) except -1
    cdef int put(self, const uint8_t* data, Py_ssize_t length) except -1 nogil
    cdef int put_swapped(self, const uint8_t* data, Py_ssize_t length, int width) except -1 nogil
    cdef int put_header(self, uint32_t tag, uint16_t vr, uint32_t length) except -1 nogil
    cdef int put_open(self, uint32_t tag, uint16_t vr) except -1 nogil
    cdef int put_item(self) except -1 nogil
    cdef int put_close(self) except -1 nogil
    cpdef int flush(self) except -1

# A sequence of big endian, in little endian; part of _dataset_c.pyx.


cdef inline uint32_t big16(const uint8_t* p) noexcept nogil:
    return <uint32_t> p[0] << 8 | p[1]


cdef inline uint32_t big32(const uint8_t* p) noexcept nogil:
    return big16(p) << 16 | big16(p + 2)


cdef object little_endian(bytes value):
    """Return the items of a sequence in explicit VR little endian (PS3.5 Section 7.3), or None.

    No length changes, so the borders of items need no attention: headers and values follow one
    another. None is for what is not read so: encapsulated values, UN of undefined length, VRs
    that are not known, and what is cut short.
    """
    cdef const uint8_t* data = <const uint8_t*> <const char*> value
    cdef Py_ssize_t size = len(value)
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t i, whole
    cdef uint32_t length
    cdef uint16_t vr
    cdef int head, k, width
    cdef uint8_t* to
    made = PyBytes_FromStringAndSize(NULL, size)
    to = <uint8_t*> <char*> made
    while at < size:
        if size - at < 8:
            return None
        store16(to + at, <uint16_t> big16(data + at))
        store16(to + at + 2, <uint16_t> big16(data + at + 2))
        if big16(data + at) == 0xFFFE:
            store32(to + at + 4, big32(data + at + 4))
            at += 8
            continue
        vr = data[at + 4] | <uint16_t> data[at + 5] << 8
        if not traits(vr) & VR_KNOWN:
            return None
        memcpy(to + at + 4, data + at + 4, 4)
        if traits(vr) & VR_LONG:
            if size - at < 12:
                return None
            length = big32(data + at + 8)
            store32(to + at + 8, length)
            head = 12
        else:
            length = big16(data + at + 6)
            store16(to + at + 6, <uint16_t> length)
            head = 8
        at += head
        if vr == VR_SQ:
            continue  # its items follow
        if length > size - at:
            return None
        width = traits(vr) >> 3
        whole = length - length % width
        for i in range(0, whole, width):
            for k in range(width):
                to[at + i + k] = data[at + i + width - 1 - k]
        memcpy(to + at + whole, data + at + whole, length - whole)
        at += length
    return made


cdef inline void store16(uint8_t* to, uint16_t number) noexcept nogil:
    to[0] = number & 0xFF
    to[1] = number >> 8

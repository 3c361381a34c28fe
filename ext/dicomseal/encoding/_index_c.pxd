from libc.stdint cimport uint16_t, uint32_t

cdef uint16_t public_vr(uint32_t tag) except? 0

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: auto_pickle=False, autotestdict=False, embedsignature=False
"""The usual way into a file, without a detour through Python: what reader and part10 say in words.

Whatever is not usual, an error or an oddity, is answered with -1 or None, and they look themselves.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp

import os

cdef extern from "_pread.h" nogil:
    long long seal_pread(int descriptor, void* to, size_t length, unsigned long long at)
    int seal_open(const char* path, unsigned long long* size, long long* changed)
    long long seal_changed_ns(int descriptor)
    void seal_close(int descriptor)

cdef enum:
    MOST_META = 1 << 16
    PREFIX = 128

cdef object _fsencode = os.fsencode


def snapshot(path, bytearray buffer, Py_ssize_t most):
    """Read a regular file of at most ``most`` bytes into a buffer that holds them; return its size.

    -1: something is not as usual, and what the buffer holds now means nothing. So too if the file
    was changed meanwhile.
    """
    cdef bytes name = path.encode() if type(path) is str and path.isascii() else _fsencode(path)
    cdef const char* raw = PyBytes_AS_STRING(name)
    cdef uint8_t* to = <uint8_t*> buffer
    cdef unsigned long long size = 0
    cdef unsigned long long done = 0
    cdef long long n
    cdef long long changed = 0
    cdef int descriptor
    if b"\0" in name:
        return -1
    most = min(most, len(buffer))
    with nogil:
        descriptor = seal_open(raw, &size, &changed)
        if descriptor >= 0:
            if size <= <unsigned long long> most:
                while done < size:
                    n = seal_pread(descriptor, to + done, size - done, done)
                    if n <= 0:
                        break
                    done += n
                if changed != seal_changed_ns(descriptor):
                    done = 0
            seal_close(descriptor)
    return <long long> size if size and done == size else -1


def meta(source):
    """Where the data set of a file begins, and its Transfer Syntax UID, or None."""
    cdef Py_buffer view
    PyObject_GetBuffer(source, &view, PyBUF_SIMPLE)
    try:
        return _meta(<const uint8_t*> view.buf, min(view.len, MOST_META))
    finally:
        PyBuffer_Release(&view)


cdef object _meta(const uint8_t* p, Py_ssize_t size):
    cdef Py_ssize_t position = PREFIX + 4
    cdef Py_ssize_t length, i
    cdef object uid = None
    cdef uint32_t element
    cdef uint8_t character
    if size < PREFIX + 4 or memcmp(p + PREFIX, b"DICM", 4):
        return None
    while position + 12 <= size and p[position] == 2 and p[position + 1] == 0:
        element = p[position + 2] | <uint32_t> p[position + 3] << 8
        length = p[position + 6] | p[position + 7] << 8
        if p[position + 4] == c"O" and p[position + 5] == c"B":
            length = (p[position + 8] | p[position + 9] << 8 | p[position + 10] << 16
                      | <Py_ssize_t> p[position + 11] << 24)
            position += 4
        elif not ((p[position + 4] == c"U" and (p[position + 5] == c"I" or p[position + 5] == c"L"))
                  or (p[position + 4] == c"S" and p[position + 5] == c"H")
                  or (p[position + 4] == c"A" and p[position + 5] == c"E")):
            return None
        position += 8
        if length > size - position:
            return None
        if element == 0x0010:
            if uid is not None or p[position - 3] != c"I":
                return None
            i = 0
            while i < length:
                character = p[position + i]
                if not (character == c"." or c"0" <= character <= c"9"):
                    if i + 1 == length and character == 0:
                        break
                    return None
                i += 1
            if i == 0:
                return None
            uid = PyUnicode_DecodeASCII(<const char*> p + position, i, NULL)
        position += length
    if uid is None or position + 12 > size:
        return None
    return position, uid

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: auto_pickle=False, autotestdict=False, embedsignature=False
"""The compiled way into a usual file; `reader` and `part10` say the same in Python.

A file that is not usual (an error, an oddity) is answered with -1 or None, and the Python modules
read it themselves.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp

import os

cdef extern from "../encoding/_pread.h" nogil:
    long long seal_pread(int descriptor, void* to, size_t length, unsigned long long at)
    int seal_open(const char* path, unsigned long long* size, long long* changed)
    long long seal_changed_ns(int descriptor)
    void seal_close(int descriptor)
    int seal_status(const char* path, long long* size, long long* modified)

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8(object text) except NULL

cdef enum:
    MAX_META = 1 << 16
    PREFIX = 128
    # two letters, the first in the low byte
    AE = 0x4541
    OB = 0x424F
    SH = 0x4853
    UI = 0x4955

cdef object _fsencode = os.fsencode


def snapshot(path, bytearray buffer, Py_ssize_t most):
    """Read a regular file of at most ``most`` bytes into a buffer that holds them; return its size.

    Return -1 if something is not usual, also if the file was changed meanwhile; the content of the
    buffer is then undefined.
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


def status(path):
    """Return size and last modification, in ns, of what is at a path; None if something is not usual.
    """
    cdef const char* raw
    cdef long long size = 0
    cdef long long modified = 0
    cdef int failed
    if type(path) is not str or not path.isascii() or "\0" in path:
        return None
    raw = PyUnicode_AsUTF8(path)
    with nogil:
        failed = seal_status(raw, &size, &modified)
    return None if failed else (size, modified)


def meta(source):
    """Return what `file_meta.read` returns for meta information exactly as in PS3.10, else None.

    The caller checks whether the transfer syntax is known.
    """
    cdef Py_buffer view
    PyObject_GetBuffer(source, &view, PyBUF_SIMPLE)
    try:
        return _meta(<const uint8_t*> view.buf, min(view.len, MAX_META))
    finally:
        PyBuffer_Release(&view)


cdef inline uint16_t _vr_of(uint32_t element) noexcept nogil:
    """Return the VR of an element of group 0002, first letter in the low byte; 0 of rare ones.
    """
    if element == 0x01 or element == 0x102:
        return OB
    if element == 0x02 or element == 0x03 or element == 0x10 or element == 0x12 or element == 0x100:
        return UI
    if element == 0x13:
        return SH
    if 0x16 <= element <= 0x18:
        return AE
    return 0


cdef object _meta(const uint8_t* p, Py_ssize_t size):
    cdef Py_ssize_t position = PREFIX + 4
    cdef Py_ssize_t end, length, i
    cdef object uid = None
    cdef bytes sop_class = b""
    cdef bytes sop_instance = b""
    cdef uint32_t element
    cdef uint32_t last = 0
    cdef int private = 0  # 1: Private Information Creator UID is there, 2: Private Information
    cdef uint16_t vr
    cdef uint8_t character
    if size < PREFIX + 16 or memcmp(p + PREFIX, b"DICM\x02\0\0\0UL\x04\0", 12):
        return None
    position += 12
    end = position + (p[position - 4] | p[position - 3] << 8 | p[position - 2] << 16
                      | <Py_ssize_t> p[position - 1] << 24)
    if end + 12 > size or (p[end] == 2 and p[end + 1] == 0):
        return None
    while position < end:
        if position + 12 > size or p[position] != 2 or p[position + 1]:
            return None
        element = p[position + 2] | <uint32_t> p[position + 3] << 8
        vr = p[position + 4] | <uint16_t> p[position + 5] << 8
        if element <= last or vr != _vr_of(element):
            return None
        last = element
        length = p[position + 6] | p[position + 7] << 8
        position += 8
        if vr == OB:
            if length:
                return None
            length = (p[position] | p[position + 1] << 8 | p[position + 2] << 16
                      | <Py_ssize_t> p[position + 3] << 24)
            position += 4
        if length & 1 or length > end - position:
            return None
        if element == 0x0002:
            sop_class = PyBytes_FromStringAndSize(<const char*> p + position, length)
        elif element == 0x0003:
            sop_instance = PyBytes_FromStringAndSize(<const char*> p + position, length)
        elif element == 0x0010:
            i = 0
            while i < length:
                character = p[position + i]
                if not (character == c"." or c"0" <= character <= c"9"):
                    if i + 1 == length and character == 0:
                        break
                    return None
                i += 1
            uid = PyUnicode_DecodeASCII(<const char*> p + position, i, NULL)
        elif element == 0x0100:
            private |= 1
        elif element == 0x0102:
            private |= 2
        position += length
    if not uid or position != end or private == 1 or private == 2:
        return None
    return position, uid, "", sop_class, sop_instance

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: auto_pickle=False, autotestdict=False, embedsignature=False
"""The compiled twin of dicomseal.encoding._encoder_py: the same stream, in blocks.

Small pieces are collected in a block of 64 KiB; a larger piece goes to the hasher directly from
memory. The hasher is called with the GIL held (hashlib drops it again for 2 KiB and more).
"""

cimport cython
from cpython.buffer cimport PyBUF_READ, PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.ref cimport Py_INCREF
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from dicomseal.standard import terms
from dicomseal.errors import EncodingError

cdef enum:
    DIRECT = 16384  # pieces of this size and more are not collected


cdef int _fill_traits() except -1:
    for name in terms.SHORT_VRS | terms.LONG_VRS:
        VR_TRAITS[ord(name[0]) | ord(name[1]) << 8] = (
            VR_KNOWN
            | (VR_LONG if name in terms.LONG_VRS else 0)
            | (VR_SPACE if name in terms.SPACE_PADDED else 0)
            | terms.SWAP_WIDTH.get(name, 1) << 3
        )
    return 0

_fill_traits()


cdef inline uint16_t _two_letters(str vr) except? 0:
    """Return the two letters as a number; 0 for any other text."""
    cdef Py_ssize_t size = 0
    cdef const char* letters = PyUnicode_AsUTF8AndSize(vr, &size)
    return <uint8_t> letters[0] | <uint16_t> (<uint8_t> letters[1]) << 8 if size == 2 else 0


cdef uint16_t _code(str vr) except 0:
    cdef uint16_t code = _two_letters(vr)
    if code == 0:
        raise EncodingError(f"{vr!r} is not a value representation")
    return code


KEPT = "the hasher keeps the buffer that it was given, which is valid during the call only"

# the block of the previous encoder, kept for the next one
cdef uint8_t* _spare = NULL


@cython.final
cdef class Encoder:
    """Writes canonical bytes to ``update``, the method of a hasher."""

    def __cinit__(self, update):
        global _spare
        self._update = update
        self.used = 0
        self.block = _spare
        _spare = NULL
        if self.block == NULL:
            self.block = <uint8_t*> malloc(BLOCK)
            if self.block == NULL:
                raise MemoryError

    def __dealloc__(self):
        global _spare
        if _spare == NULL:
            _spare = self.block
        else:
            free(self.block)

    cdef int send(self, const uint8_t* data, Py_ssize_t length) except -1:
        # the view dies with the call: a consumer that kept it would read freed memory
        view = PyMemoryView_FromMemory(<char*> data, length, PyBUF_READ)
        try:
            self._update(view)
            if is_kept(view):
                self.keep(data)
        finally:
            try:
                view.release()
            except BufferError:
                self.keep(data)
                raise EncodingError(KEPT) from None
        return 0

    cdef int keep(self, const uint8_t* data) except -1:
        """Keep for ever what a consumer keeps against the rule."""
        if self.block <= data < self.block + BLOCK:
            self.block = <uint8_t*> malloc(BLOCK)
            if self.block == NULL:
                raise MemoryError
        elif self.owner is not None:
            Py_INCREF(self.owner)
        return 0

    cpdef int flush(self) except -1:
        """Send the collected bytes."""
        cdef Py_ssize_t length = self.used
        if length:
            self.used = 0
            self.send(self.block, length)
        return 0

    cdef int put(self, const uint8_t* data, Py_ssize_t length) except -1 nogil:
        if length >= DIRECT:
            with gil:
                self.flush()
                self.send(data, length)
            return 0
        if length > BLOCK - self.used:
            with gil:
                self.flush()
        memcpy(self.block + self.used, data, length)
        self.used += length
        return 0

    cdef int put_swapped(self, const uint8_t* data, Py_ssize_t length, int width) except -1 nogil:
        cdef Py_ssize_t whole = length - length % width
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t n, i
        cdef int k
        cdef uint8_t* target
        while done < whole:
            if BLOCK - self.used < width:
                with gil:
                    self.flush()
            n = BLOCK - self.used
            n = min(n - n % width, whole - done)
            target = self.block + self.used
            i = 0
            if width == 2:
                while i < n:
                    target[i] = data[done + i + 1]
                    target[i + 1] = data[done + i]
                    i += 2
            else:
                while i < n:
                    for k in range(width):
                        target[i + k] = data[done + i + width - 1 - k]
                    i += width
            self.used += n
            done += n
        return self.put(data + whole, length - whole)

    cdef int put_header(self, uint32_t tag, uint16_t vr, uint32_t length) except -1 nogil:
        cdef uint8_t* head
        cdef int size = 8
        if self.used > BLOCK - 12:
            self.make_room()
        head = self.block + self.used
        write_tag_and_vr(head, tag, vr)
        if traits(vr) & VR_LONG:
            head[6] = head[7] = 0
            head[8] = length & 0xFF
            head[9] = length >> 8 & 0xFF
            head[10] = length >> 16 & 0xFF
            head[11] = length >> 24
            size = 12
        elif length <= 0xFFFF:
            head[6] = length & 0xFF
            head[7] = length >> 8
        else:
            with gil:
                raise EncodingError(
                    f"({tag >> 16:04X},{tag & 0xFFFF:04X}) has {length} bytes, too many for the VR "
                    f"{chr(vr & 0xFF)}{chr(vr >> 8)} in explicit VR"
                )
        self.used += size
        return 0

    cdef int make_room(self) except -1 nogil:
        with gil:
            return self.flush()

    def header(self, uint32_t tag, str vr, uint32_t length):
        """Write tag, VR, the two reserved bytes if the VR has them, and length."""
        self.put_header(tag, _code(vr), length)

    def element(self, uint32_t tag, str vr, value, bint big_endian=False):
        """Write a plain element: its header, and its value made even."""
        cdef Py_buffer view
        PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
        self.owner = value
        try:
            self.put_value(tag, _code(vr), <const uint8_t*> view.buf, view.len, big_endian)
        finally:
            self.owner = None
            PyBuffer_Release(&view)

    cdef int put_value(self, uint32_t tag, uint16_t vr, const uint8_t* value, Py_ssize_t size,
                       bint big_endian) except -1:
        cdef uint8_t known = traits(vr)
        self.put_header(tag, vr, <uint32_t> (size + (size & 1)))
        if size == 0:
            return 0  # an empty value may be NULL, which C does not let us add to or copy from
        if big_endian and known >> 3 > 1:
            self.put_swapped(value, size, known >> 3)
        else:
            self.put(value, size)
        if size & 1:
            self.put(b" " if known & VR_SPACE else b"\0", 1)
        return 0

    def data(self, value):
        """Write a piece of a value whose header has been written."""
        cdef Py_buffer view
        PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
        self.owner = value
        try:
            self.put(<const uint8_t*> view.buf, view.len)
        finally:
            self.owner = None
            PyBuffer_Release(&view)

    def open(self, uint32_t tag, str vr):
        """Write the start of a sequence, or of an encapsulated value, without a length."""
        self.put_open(tag, _code(vr))

    def item(self):
        """Write the start of an item or of a fragment: the tag alone."""
        self.put_item()

    def fragment(self, value):
        """Write a fragment of an encapsulated value, made even, also without a length."""
        self.put_item()
        self.data(value)
        if len(value) & 1:
            self.put(b"\0", 1)

    def close(self):
        """Write the end of a sequence, or of an encapsulated value."""
        self.put_close()

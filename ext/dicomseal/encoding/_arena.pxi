# What has been put out and not been handed over yet; part of _dataset_c.pyx.


cdef class _Arena:
    """Return small pieces one after the other in one block of memory, and where large ones belong.

    What was put out last can be taken back (`take_back`), as long as it was not handed over.
    """

    cdef uint8_t* block
    cdef Py_ssize_t used, room
    cdef list others    # what is not in the block: (offset in it, what)
    cdef bint canonical, implicit

    def __cinit__(self):
        self.room = 4096
        self.block = <uint8_t*> malloc(self.room)
        if self.block == NULL:
            raise MemoryError
        self.others = []

    def __dealloc__(self):
        free(self.block)

    cdef int grow(self, Py_ssize_t length) except -1:
        cdef Py_ssize_t room = max(self.used + length, self.room + (self.room >> 1))
        cdef uint8_t* more = <uint8_t*> realloc(self.block, room)
        if more == NULL:
            raise MemoryError
        self.block = more
        self.room = room
        return 0

    cdef inline uint8_t* make(self, Py_ssize_t length) except NULL:
        """Return room for so many bytes, counted as used."""
        if length > self.room - self.used:
            self.grow(length)
        self.used += length
        return self.block + self.used - length

    cdef inline int put(self, const void* data, Py_ssize_t length) except -1:
        if length:
            memcpy(self.make(length), data, length)
        return 0

    cdef int put_bytes(self, bytes value) except -1:
        return self.put(<const char*> value, len(value))

    cdef int refer(self, what) except -1:
        """Note that something else belongs here."""
        self.others.append((self.used, what))
        return 0

    cdef int take_back(self, Py_ssize_t used) except -1:
        """Forget all that was put out from there on."""
        self.used = used
        while self.others and (<tuple> self.others[len(self.others) - 1])[0] >= used:
            self.others.pop()
        return 0

    cdef int put_swapped(self, const uint8_t* data, Py_ssize_t length, int width) except -1:
        """Write words in the other order of bytes; an incomplete one as it is."""
        cdef Py_ssize_t whole = length - length % width
        cdef Py_ssize_t i
        cdef int k
        cdef uint8_t* to = self.make(length)
        for i in range(0, whole, width):
            for k in range(width):
                to[i + k] = data[i + width - 1 - k]
        memcpy(to + whole, data + whole, length - whole)
        return 0

    # --- sequences and headers -------------------------------------------------------------------

    cdef int put_open(self, uint32_t tag, uint16_t vr) except -1:
        cdef uint8_t* to = self.make(4 if self.implicit else 8)
        cdef uint8_t letters[8]
        write_tag_and_vr(letters, tag, vr)
        letters[6] = letters[7] = 0
        memcpy(to, letters, 4 if self.implicit else 8)
        if not self.canonical:
            self.put(b"\xff\xff\xff\xff", 4)
        return 0

    cdef int put_item(self) except -1:
        return self.put(b"\xfe\xff\x00\xe0\xff\xff\xff\xff", 4 if self.canonical else 8)

    cdef int put_item_end(self) except -1:
        if not self.canonical:
            self.put(b"\xfe\xff\x0d\xe0\x00\x00\x00\x00", 8)
        return 0

    cdef int put_close(self) except -1:
        return self.put(b"\xfe\xff\xdd\xe0\x00\x00\x00\x00", 4 if self.canonical else 8)

    cdef inline Py_ssize_t begin_value(self, uint32_t tag, uint16_t vr) except -1:
        """Return a header without its length, which `end_value` adds; returns where it is."""
        cdef Py_ssize_t at = self.used
        cdef bint long_header = self.implicit or traits(vr) & VR_LONG
        cdef uint8_t* to = self.make(12 if long_header and not self.implicit else 8)
        write_tag_and_vr(to, tag, vr)
        if long_header:
            to[6] = to[7] = 0
        return at

    cdef int end_value(self, Py_ssize_t at, uint16_t vr, Py_ssize_t apart, bint even) except -1:
        """Fill in the length of the value after a header, and make the value even.

        Args:
            at: what `begin_value` returned.
            apart: bytes of the value that are not in the block.
            even: whether an odd value is padded.

        Returns:
            0 if explicit VR cannot tell the length, which is UN (PS3.5 Section 6.2.2).
        """
        cdef bint long_header = traits(vr) & VR_LONG
        cdef Py_ssize_t head = 12 if long_header and not self.implicit else 8
        cdef Py_ssize_t length = self.used - at - head + apart
        cdef uint8_t* to
        if even and length & 1:
            self.make(1)[0] = b" " if traits(vr) & VR_SPACE else 0
            length += 1
        if length > 0xFFFFFFFE:
            raise OverflowError("the value is longer than 32 bits can tell")
        to = self.block + at
        if self.implicit:
            store32(to + 4, <uint32_t> length)
        elif long_header:
            store32(to + 8, <uint32_t> length)
        elif length <= 0xFFFE:
            to[6] = length & 0xFF
            to[7] = length >> 8
        elif self.canonical:
            return 0
        else:
            self.make(4)
            to = self.block + at
            memmove(to + 12, to + 8, self.used - at - 12)
            to[4], to[5], to[6], to[7] = b"U", b"N", 0, 0
            store32(to + 8, <uint32_t> length)
        return 1

    # --- handing over ----------------------------------------------------------------------------

    cdef int flush(self, update) except -1:
        """Send everything to a hasher."""
        cdef list others = self.others
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t used = self.used
        cdef uint8_t* block = self.block
        self.used = 0
        if others:
            self.others = []
            for at, what in others:
                self.send(update, block + done, at - done)
                done = at
                if type(what) is Index:
                    encoder = Encoder(update)
                    what.stream_items(encoder)
                    encoder.flush()
                elif type(what) is tuple:
                    send_swapped(update, what[0], what[1])
                elif type(what) is Stretch or type(what) is Swapped:
                    for begin in range(0, len(what), CHUNK):
                        update(what.read(begin, min(CHUNK, len(what) - begin)))
                else:
                    send_buffer(update, what)
        self.send(update, block + done, used - done)
        return 0

    cdef int send(self, update, uint8_t* data, Py_ssize_t length) except -1:
        if not length:
            return 0
        view = PyMemoryView_FromMemory(<char*> data, length, PyBUF_READ)
        try:
            update(view)
            if is_kept(view):
                self.keep()
        finally:
            try:
                view.release()
            except BufferError:
                self.keep()
                raise EncodingError(KEPT) from None
        return 0

    cdef int keep(self) except -1:
        """Keep the block for ever, as a consumer keeps it against the rule."""
        self.block = NULL
        self.used = self.room = 0
        return 0

    cdef list in_pieces(self):
        """Return what was put out, for `pieces.Pieces`."""
        cdef list pieces = []
        cdef Py_ssize_t done = 0
        for at, what in self.others:
            pieces.append(PyBytes_FromStringAndSize(<char*> self.block + done, at - done))
            pieces.append(what)
            done = at
        pieces.append(PyBytes_FromStringAndSize(<char*> self.block + done, self.used - done))
        return pieces


cdef inline void store32(uint8_t* to, uint32_t number) noexcept nogil:
    to[0] = number & 0xFF
    to[1] = number >> 8 & 0xFF
    to[2] = number >> 16 & 0xFF
    to[3] = number >> 24


cdef int send_buffer(update, value) except -1:
    """Send a large value from where it is in memory, by plain bytes whatever its items are."""
    cdef Py_buffer view
    cdef bint kept = False
    PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
    try:
        shown = PyMemoryView_FromMemory(<char*> view.buf, view.len, PyBUF_READ)
        try:
            update(shown)
            kept = is_kept(shown)
        finally:
            try:
                shown.release()
            except BufferError:
                kept = True  # the consumer keeps it: the value is never let go
                raise EncodingError(KEPT) from None
    finally:
        if not kept:
            PyBuffer_Release(&view)
    return 0


cdef int send_swapped(update, value, int width) except -1:
    cdef Py_buffer view
    cdef Encoder encoder = Encoder(update)
    PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
    try:
        encoder.put_swapped(<const uint8_t*> view.buf, view.len, width)
        encoder.flush()
    finally:
        PyBuffer_Release(&view)
    return 0

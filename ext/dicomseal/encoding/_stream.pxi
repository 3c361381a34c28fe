# The canonical stream from the records of an index; part of _index_c.pyx.


@cython.final
cdef class _Stream:
    """One pass over the records of an index."""

    cdef Index index
    cdef Encoder encoder
    cdef bint legacy, native, swapped
    cdef uint64_t run_start, run_end  # bytes of the source that go out as they are
    cdef uint32_t* ends

    def __cinit__(self, Index index, Encoder encoder, bint legacy):
        self.index = index
        self.encoder = encoder
        encoder.owner = index
        self.legacy = legacy
        self.native = not (index._implicit or index._swapped)
        self.swapped = index._swapped
        self.ends = <uint32_t*> malloc((index._deepest + 1) * sizeof(uint32_t))
        if self.ends == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.ends)

    cdef inline int run(self, uint64_t start, uint64_t end) except -1 nogil:
        if start != self.run_end:
            self.end()
            self.run_start = start
        self.run_end = end
        return 0

    cdef inline int end(self) except -1 nogil:
        """Send the run that is open."""
        cdef uint64_t start = self.run_start
        cdef uint64_t length = self.run_end - start
        if length == 0:
            return 0
        self.run_start = self.run_end = 0
        if length <= SHORT_RUN and self.encoder.used <= BLOCK - SHORT_RUN:
            # a copy of fixed size is a few moves; what it copies too much is overwritten next
            if self.index._bytes != NULL:
                if start + SHORT_RUN <= self.index._length:
                    memcpy(self.encoder.block + self.encoder.used,
                           self.index._bytes + start, SHORT_RUN)
                    self.encoder.used += length
                    return 0
            elif (self.index._window_at <= start
                    and start + SHORT_RUN <= self.index._window_at + self.index._window_used):
                memcpy(self.encoder.block + self.encoder.used,
                       self.index._window + (start - self.index._window_at), SHORT_RUN)
                self.encoder.used += length
                return 0
        return self.source(start, length)

    cdef int source(self, uint64_t start, uint64_t length) except -1 nogil:
        """Send bytes of the source as they are."""
        cdef Py_ssize_t piece
        cdef uint64_t ready
        if length == 0:
            return 0
        if self.index._bytes != NULL:
            return self.encoder.put(self.index._bytes + start, length)
        while length:
            piece = min(length, <uint64_t> WINDOW)
            ready = self.index._window_at + self.index._window_used
            if self.index._window_at <= start < ready:
                # what is in memory, before more is read
                piece = min(<uint64_t> piece, ready - start)
            self.encoder.put(self.index._need(start, piece), piece)
            start += piece
            length -= piece
        return 0

    cdef int scope(self, uint32_t scope, _Wanted tags, _Wanted without,
                   uint32_t* signed, uint32_t* unsigned, list unknown) except -1:
        cdef uint32_t* wanted = NULL if tags is None else tags.tags
        cdef Py_ssize_t n = 0 if tags is None else tags.count
        cdef Rec* recs = self.index._recs
        cdef uint32_t stop = recs[scope].next
        cdef uint32_t number = scope + 1
        cdef uint32_t tag
        cdef Py_ssize_t high, middle
        cdef Py_ssize_t low = 0
        cdef Py_ssize_t others = 0 if without is None else without.count
        cdef Py_ssize_t other
        cdef bint listed = True
        if self.index._inside_unknown(scope):
            self.native = self.swapped = False
        with nogil:
            while number < stop:
                tag = recs[number].tag
                if signable(tag):
                    other = 0
                    while other < others and without.tags[other] != tag:
                        other += 1
                    if other < others:
                        number = recs[number].next
                        continue
                    if wanted != NULL:
                        # if it is not, all wanted tags before this one were present
                        if not (low < n and wanted[low] == tag):
                            low = 0
                            high = n
                            while low < high:
                                middle = (low + high) // 2
                                if wanted[middle] < tag:
                                    low = middle + 1
                                else:
                                    high = middle
                        listed = low < n and wanted[low] == tag
                        low += listed
                    if listed and not recs[number].bits & UNKNOWN_VR:
                        signed[0] += 1
                        self.emit(number, recs[number].next, 0)
                    else:
                        unsigned[0] += 1
                        if listed and wanted != NULL:
                            with gil:
                                unknown.append(tag)
                number = recs[number].next
            self.end()
        self.encoder.flush()
        return 0

    cdef int emit(self, uint32_t number, uint32_t stop, uint32_t depth) except -1 nogil:
        """Write some records; ``ends`` has the ends of ``depth`` sequences around the first.
        """
        cdef Rec* rec
        cdef uint16_t kind
        while True:
            while depth and number == self.ends[depth - 1]:
                depth -= 1
                # the record that ends here is not known here; its delimiter is the same everywhere
                self.end()
                self.encoder.put_close()
            if number >= stop:
                return 0
            rec = &self.index._recs[number]
            kind = rec.bits & KIND
            if kind == ITEM:
                self.end()
                self.encoder.put_item()
            elif kind == FRAGMENT:
                self.fragment(rec)
            elif not signable(rec.tag):
                number = rec.next
                continue
            elif kind == ELEMENT:
                if self.native and not rec.bits & REWRITE:
                    self.run(rec.start, rec.end)
                else:
                    self.element(rec)
            else:
                self.end()
                self.encoder.put_open(rec.tag, rec.vr)
                self.ends[depth] = rec.next
                depth += 1
            number += 1

    cdef int fragment(self, Rec* rec) except -1 nogil:
        cdef uint64_t length = rec.end - content(rec)
        cdef uint32_t even = <uint32_t> (length + (length & 1))
        cdef uint8_t size[4]
        self.end()
        self.encoder.put_item()
        if self.legacy:
            size[0] = even & 0xFF
            size[1] = even >> 8 & 0xFF
            size[2] = even >> 16 & 0xFF
            size[3] = even >> 24
            self.encoder.put(size, 4)
        self.source(content(rec), length)
        if length & 1:
            self.encoder.put(b"\0", 1)
        return 0

    cdef int element(self, Rec* rec) except -1 nogil:
        """Write one plain element whose header differs from the source's."""
        cdef uint64_t start = content(rec)
        cdef uint64_t length = rec.end - start
        cdef uint64_t piece
        cdef uint8_t known = traits(rec.vr)
        cdef int width = known >> 3
        self.end()
        self.encoder.put_header(rec.tag, rec.vr, <uint32_t> (length + (length & 1)))
        if self.swapped and width > 1:
            while length:
                piece = min(length, <uint64_t> WINDOW)
                self.encoder.put_swapped(self.index._need(start, piece), piece, width)
                start += piece
                length -= piece
        else:
            self.run(start, start + length)
            self.end()
        if (rec.end - content(rec)) & 1:
            self.encoder.put(b" " if known & VR_SPACE else b"\0", 1)
        return 0

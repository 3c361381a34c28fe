# What implicit VR leaves to the dictionary; part of _index_c.pyx.


@cython.internal
@cython.no_gc
cdef class _Implicit(_Records):
    """The VRs that the bytes do not state."""

    cdef object _dictionary
    cdef const uint32_t* _tags
    cdef const uint8_t* _vrs
    cdef Py_ssize_t _tag_count
    cdef list _guesses
    cdef dict _hints, _creators

    @cython.final
    cdef int _load_dictionary(self) except -1:
        cdef const uint32_t[::1] tags
        cdef const uint8_t[::1] vrs
        self._dictionary = _dictionary.dictionary()
        self._hints = {}
        self._creators = {}
        tags = self._dictionary.tags
        vrs = self._dictionary.vrs
        self._tag_count = tags.shape[0]
        self._tags = &tags[0]
        self._vrs = &vrs[0]
        return 0

    @cython.final
    cdef uint16_t _implicit_vr(self, uint32_t tag, uint32_t holder) except? 0 nogil:
        cdef Py_ssize_t low = 0
        cdef Py_ssize_t high = self._tag_count
        cdef Py_ssize_t middle
        while low < high:
            middle = (low + high) // 2
            if self._tags[middle] < tag:
                low = middle + 1
            else:
                high = middle
        if (low < self._tag_count and self._tags[low] == tag
                and not self._vrs[2 * low] == 111):  # o, as in ox: not all of those are known
            return <uint16_t> self._vrs[2 * low + 1] << 8 | self._vrs[2 * low]
        with gil:
            return self._ask_dictionary(tag, holder)

    @cython.final
    cdef uint16_t _ask_dictionary(self, uint32_t tag, uint32_t holder) except? 0:
        if tag >> 16 & 1:
            return _code(self._dictionary.private(tag, self._creators.get((holder, tag >> 8))))
        return _code(self._dictionary.public(tag))

    @cython.final
    cdef int _hint(self, uint32_t number, bint swapped) except -1 nogil:
        """Remember what later elements need to know their VR, and which VRs are open."""
        cdef Rec* rec = &self._recs[number]
        cdef uint64_t length = rec.end - content(rec)
        cdef const uint8_t* p
        if rec.bits & GUESSED:
            with gil:
                self._guesses.append((number, _letters(rec.vr)))
        if rec.tag >> 16 & 1 and 0x10 <= rec.tag & 0xFFFF <= 0xFF:
            p = self._need(content(rec), min(length, <uint64_t> 64)) if length else NULL
            with gil:
                self._creators[rec.parent, (rec.tag >> 16) << 8 | rec.tag & 0xFF] = (
                    PyBytes_FromStringAndSize(<char*> p, min(length, <uint64_t> 64))
                    if length else b""
                )
        elif (rec.tag == TAG_PIXEL_REPRESENTATION or rec.tag == TAG_LUT_DESCRIPTOR) and length >= 2:
            p = self._need(content(rec), 2)
            with gil:
                self._hints[rec.parent, rec.tag] = load16(p, swapped)
        return 0

    def resolve(self, **choice):
        """Set the VRs that implicit VR leaves open: by the rules, or as ``ox="OB"`` says."""
        cdef Rec* rec
        for number, kind in self._guesses:
            rec = &self._recs[number]
            vr = choice.get(kind)
            if vr is None:
                vr = _dictionary.AMBIGUOUS[kind][0]
                if kind == "xs" and self._nearest(number, TAG_PIXEL_REPRESENTATION):
                    vr = "SS"
                elif kind == "lt" and self._hints.get((rec.parent, TAG_LUT_DESCRIPTOR)) == 1:
                    vr = "US"
            if kind == "lt" and rec.end - content(rec) > 0xFFFE:
                vr = "OW"  # the only one that can hold it
            rec.vr = _code(vr)

    @cython.final
    cdef object _nearest(self, uint32_t number, uint32_t tag):
        while number:
            number = self._recs[number].parent
            if (number, tag) in self._hints:
                return self._hints[number, tag]
        return None

    @cython.final
    cdef bint _inside_unknown(self, uint32_t number) noexcept nogil:
        """Whether a record is content of a UN sequence, which is implicit VR little endian."""
        while number:
            number = self._recs[number].parent
            if self._recs[number].vr == VR_UN:
                return True
        return False

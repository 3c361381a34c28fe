# The VRs that implicit VR leaves to the dictionary; part of _index_c.pyx.

# The VRs of the public tags as an open hash table: filled once, then only read, by any thread.
cdef enum:
    PUBLIC = 1 << 14  # about three times as many as there are tags

cdef uint32_t _public_tag[PUBLIC]
cdef uint16_t _public_vr[PUBLIC]
cdef bint _public_is_filled = False


cdef inline uint32_t _place(uint32_t tag) noexcept nogil:
    return (tag * 2654435769U) >> 18


cdef uint16_t public_vr(uint32_t tag) except? 0:
    """Return the VR of a tag of an even group, lower case where it is ambiguous."""
    cdef uint32_t place = _place(tag)
    if not _public_is_filled:
        _fill_public(_dictionary.dictionary())
    while _public_vr[place]:
        if _public_tag[place] == tag:
            return _public_vr[place]
        place = (place + 1) % PUBLIC
    return _code(_dictionary.dictionary().public(tag))


cdef int _fill_public(dictionary) except -1:
    global _public_is_filled
    cdef uint32_t place, tag
    cdef Py_ssize_t i
    cdef const uint8_t[::1] vrs = dictionary.vrs
    if len(dictionary.tags) > PUBLIC // 2:
        raise MemoryError("more public tags than there is room for")
    for i, tag in enumerate(dictionary.tags):
        place = _place(tag)
        while _public_vr[place]:
            place = (place + 1) % PUBLIC
        _public_tag[place] = tag
        _public_vr[place] = <uint16_t> vrs[2 * i + 1] << 8 | vrs[2 * i]
    _public_is_filled = True
    return 0


@cython.internal
@cython.no_gc
cdef class _Implicit(_Records):
    """The index's search for the VRs that the bytes do not state."""

    cdef object _dictionary
    cdef bint _has_dictionary
    cdef list _guesses
    cdef dict _hints, _creators
    cdef dict _near  # the results of `_nearest`, by each record on its way

    @cython.final
    cdef int _load_dictionary(self) except -1:
        self._dictionary = _dictionary.dictionary()
        self._has_dictionary = True
        self._hints = {}
        self._creators = {}
        if not _public_is_filled:
            _fill_public(self._dictionary)
        return 0

    @cython.final
    cdef inline uint16_t _implicit_vr(self, uint32_t tag, uint32_t holder) except? 0 nogil:
        cdef uint32_t place = _place(tag)
        while _public_vr[place]:
            if _public_tag[place] == tag:
                return _public_vr[place]
            place = (place + 1) % PUBLIC
        with gil:
            return self._ask_dictionary(tag, holder)

    @cython.final
    cdef uint16_t _ask_dictionary(self, uint32_t tag, uint32_t holder) except? 0:
        if tag >> 16 & 1:
            return _code(self._dictionary.private(tag, self._creators.get((holder, tag >> 8))))
        return _code(self._dictionary.public(tag))

    @cython.final
    cdef int _hint(self, uint32_t number, bint swapped) except -1 nogil:
        """Remember the values that later elements need to find their VR, and which VRs are open."""
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

    @cython.final
    cdef int _forget(self, uint32_t number) except -1:
        """Forget the notes about the records after this one."""
        while self._guesses and self._guesses[len(self._guesses) - 1][0] > number:
            self._guesses.pop()
        for noted in (self._hints, self._creators):
            while noted and next(reversed(noted))[0] > number:
                noted.popitem()
        return 0

    @cython.final
    cdef int _resolve(self) except -1:
        """Set the VRs that implicit VR leaves open by the rules of `dictionary`."""
        cdef Rec* rec
        self._near = {}
        for number, kind in self._guesses:
            rec = &self._recs[number]
            known = None
            if kind == "xs":
                known = self._nearest(rec.parent)
            elif kind == "lt":
                known = self._hints.get((rec.parent, TAG_LUT_DESCRIPTOR))
            vr = _dictionary.resolved(kind, rec.end - content(rec), known)
            rec.vr = _code(vr)
        self._near = None
        return 0

    @cython.final
    cdef object _nearest(self, uint32_t number):
        """Return the nearest Pixel Representation, from the data set outwards; read each once."""
        cdef list passed = []
        cdef object found = None
        while number not in self._near:
            passed.append(number)
            found = self._hints.get((number, TAG_PIXEL_REPRESENTATION))
            if found is not None or not number:
                break
            number = self._recs[number].parent
        else:
            found = self._near[number]
        for one in passed:
            self._near[one] = found
        return found

    @cython.final
    cdef bint _inside_unknown(self, uint32_t number) noexcept nogil:
        """Return whether a record is in a UN sequence, which is implicit VR little endian.
        """
        while number:
            number = self._recs[number].parent
            if self._recs[number].vr == VR_UN:
                return True
        return False

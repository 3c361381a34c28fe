# What elements are checked for on the walk, beside their place; part of _index_c.pyx.


@cython.internal
@cython.no_gc
cdef class _Checks(_Implicit):
    """The checks of elements that no signature covers, of lengths, and of what a value begins with.
    """

    cdef uint64_t _not_zero  # zeros that begin before this offset are followed by another byte

    @cython.final
    cdef int _check_form(self, uint32_t tag, uint16_t vr, uint32_t length) except -1 nogil:
        """Check the form of elements that no signature covers: the standard must fix it.
        """
        cdef bint outermost = self._open_frames == 1
        cdef bint right
        cdef int kind = ODD_FORM
        if tag == TAG_PARAMETERS or tag == TAG_SIGNATURES:
            right = vr == VR_SQ or vr == VR_UN
        elif tag == TAG_PADDING:
            right = vr == VR_OB and length != UNDEFINED_LENGTH
        elif tag >> 16 == 4:
            with gil:
                right = _DIRECTORY_VRS.get(tag) == _letters(vr)
            if right:
                self._note(ODD_DIRECTORY, tag)
            kind = ODD_PLACE
        elif tag >> 16 >= 8 and (not tag & 0xFFFF or (tag == TAG_LENGTH_TO_END and outermost)):
            right = vr == VR_UL and length == 4
        else:
            right = False
            kind = ODD_PLACE
        if not right:
            self._note(kind, tag)
            self._free += 1
        return 0

    @cython.final
    cdef void _check_length(self, uint32_t tag, uint16_t vr, uint32_t length,
                            bint implicit) noexcept nogil:
        """Note lengths that some readers replace by others, and those that split a value."""
        cdef int width
        if vr & 0x2020 == 0x2020:  # lower case: ambiguous
            vr = VR_US if vr == VR_XS else VR_OB if vr == VR_BO else VR_OW
        width = 4 if vr == VR_AT else traits(vr) >> 3
        if ((implicit and (length == 13 or (tag == TAG_PAPYRUS and length == PAPYRUS_LENGTH)))
                or (vr == VR_UL and length == 6 and tag >> 16 == 9) or tag == TAG_TO_THE_END):
            self._note(ODD_REPAIRED, tag)
        elif length & 1:
            # for the image itself the check is that no byte is missing; for an icon there is no
            # check
            self._note(ODD_VALUE if vr == VR_OB or vr == VR_UN
                       or (tag == TAG_PIXEL_DATA and self._open_frames == 1) else ODD_LENGTH, tag)
        elif length & (width - 1):
            self._note(ODD_WIDTH, tag)

    @cython.final
    cdef int _check_items(self, uint64_t value, uint64_t end, bint swapped,
                          uint32_t tag) except -1 nogil:
        """Check a value that begins as items do, though nothing here says that it is a sequence."""
        cdef const uint8_t* p = self._need(value, 4)
        cdef bint ends_elsewhere
        if (load16(p, swapped) << 16 | load16(p + 2, swapped)) == TAG_ITEM:
            with gil:
                try:
                    if self._level >= MAX_LEVELS:
                        raise MalformedError("a sequence in a value in a value ...", "limit")
                    inside = type(self)(
                        self._given, value, end, implicit=True, big_endian=swapped,
                        root=SEQUENCE, limits=self._limits, level=self._level + 1,
                    )
                    ends_elsewhere = (<_Checks> inside)._noted >> ODD_ITEMS & 1
                except MalformedError:
                    ends_elsewhere = True
                if ends_elsewhere:
                    self._note(ODD_ITEMS, tag)
        return 0

    @cython.final
    cdef int _check_group_lengths(self) except -1 nogil:
        """Check that group lengths are the bytes to the end of the group (PS3.5 Section 7.2)."""
        cdef uint32_t i, after, holder
        cdef uint64_t end
        cdef Rec* rec
        cdef Rec* other
        cdef uint32_t number
        for i in range(self._length_count):
            number = self._lengths[i] >> 1
            rec = &self._recs[number]
            if rec.end - content(rec) != 4:
                continue
            holder = rec.parent
            end = rec.end
            if rec.tag == TAG_LENGTH_TO_END:
                end = self._recs[0].end
            else:
                after = rec.next
                while after < self._recs[holder].next:
                    other = &self._recs[after]
                    if other.tag >> 16 != rec.tag >> 16 or not other.tag & 0xFFFF:
                        break
                    end = other.end
                    after = other.next
            if load32(self._need(content(rec), 4), self._lengths[i] & 1) != end - rec.end:
                self._note_at(ODD_GROUP_LENGTH, rec.tag, number)
                self._free += 1
        return 0

    @cython.final
    cdef int _check_macros(self) except -1:
        """Check that items of the Digital Signatures Macro hold what PS3.3 Table C.12-6 has."""
        cdef uint32_t i, sequence, item, number
        cdef Rec* rec
        cdef bint parameters
        for i in range(self._macro_count):
            sequence = self._macros[i]
            parameters = self._recs[sequence].tag == TAG_PARAMETERS
            item = sequence + 1
            while item < self._recs[sequence].next:
                number = item + 1
                while number < self._recs[item].next:
                    rec = &self._recs[number]
                    if not right_in_macro(rec, parameters):
                        self._note_at(ODD_MACRO, rec.tag, number)
                        self._free += 1
                    number = rec.next
                item = self._recs[item].next
        return 0

    @cython.final
    cdef bint _only_zeros(self, uint64_t position, uint64_t stop) except? True nogil:
        cdef const uint8_t* p
        cdef uint64_t n, i
        if position < self._not_zero or self._need(position, 1)[0]:
            return False  # a run of zeros was checked up to there before
        while position < stop:
            n = min(stop - position, <uint64_t> WINDOW)
            p = self._need(position, n)
            for i in range(n):
                if p[i]:
                    self._not_zero = position + i + 1
                    return False
            position += n
        return True


cdef bint right_in_macro(Rec* rec, bint parameters) noexcept nogil:
    """Return whether an element belongs in an item of one of the two sequences, with its VR."""
    cdef uint64_t length = rec.end - content(rec)
    cdef uint32_t tag = rec.tag
    if not tag & 0xFFFF or tag == TAG_PADDING:
        return True  # `_check_form` has checked the form of these
    if tag == 0x04000005:
        return rec.vr == VR_US and (length <= 2 or not parameters)
    if parameters:
        if tag == 0x04000010:
            return rec.vr == VR_UI and length <= 64
        if tag == 0x04000015:
            return rec.vr == VR_CS and length <= 16
        return tag == 0x04000020 and rec.vr == VR_AT
    if tag == 0x04000100:
        return rec.vr == VR_UI
    if tag == 0x04000105:
        return rec.vr == VR_DT
    if tag == 0x04000110 or tag == 0x04000305:
        return rec.vr == VR_CS
    if tag == 0x04000115 or tag == 0x04000120 or tag == 0x04000310:
        return rec.vr == VR_OB
    return tag == 0x04000401 and rec.vr == VR_SQ

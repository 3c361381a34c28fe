# The walk over any encoding, record by record; part of _index_c.pyx.


@cython.internal
@cython.no_gc
cdef class _Walk(_Checks):
    """Return the walk that makes the records; `Index` looks them up."""

    cdef uint64_t _trailing

    @cython.final
    cdef int _fail(self, int kind, uint64_t position, uint32_t holder, bint at_end=False,
                   uint32_t tag=0, uint16_t vr=0) noexcept nogil:
        self._trouble.kind = kind
        self._trouble.position = position
        self._trouble.holder = holder
        self._trouble.at_end = at_end
        self._trouble.tag = tag
        self._trouble.vr = vr
        return 1

    @cython.final
    cdef int _walk(self) except -1 nogil:
        cdef uint64_t position = self._recs[0].start
        cdef uint64_t stop_of_all = self._recs[0].end
        cdef Frame* top
        cdef Rec* rec
        cdef bint native = not self._implicit and not self._swapped
        while self._open_frames:
            if native:
                position = stride(self, position)
                if not self._open_frames:
                    break
            top = &self._frames[self._open_frames - 1]
            rec = &self._recs[top.number]
            if position == top.stop:
                if rec.bits & UNDEFINED and self._may_end(top, rec, position == stop_of_all):
                    self._note_at(ODD_OPEN, rec.tag, top.number)
                    self._close(position)
                elif rec.bits & UNDEFINED:
                    self._fail(NO_DELIMITER, position, top.number, position == stop_of_all)
                    if not self._give_up(&position):
                        break
                else:
                    self._close(position)
            elif rec.bits & KIND == ITEM:
                if self._element(&position) and not self._give_up(&position):
                    break
            elif self._item(&position) and not self._give_up(&position):
                break
        return 0

    @cython.final
    cdef bint _may_end(self, Frame* top, Rec* rec, bint at_end) noexcept nogil:
        """Return whether Pixel Data may end with the file and without a delimiter.
        """
        return (at_end and rec.bits & KIND == ENCAPSULATED and rec.tag == TAG_PIXEL_DATA
                and rec.parent == 0 and top.last + 1 >= MIN_OPEN)

    @cython.final
    cdef bint _give_up(self, uint64_t* position) except? True nogil:
        """Treat a sequence as UN if only a private dictionary calls it one and it cannot be read.

        The notes from inside it are dropped, and the walk goes on after it.
        """
        cdef Soft* soft
        cdef Rec* rec
        if self._soft_count == 0 or self._trouble.kind in (TOO_MANY, TOO_DEEP):
            return False
        self._soft_count -= 1
        soft = &self._soft[self._soft_count]
        self._trouble.kind = 0
        self._open_frames = soft.frame
        self._count = soft.number + 1
        self._ambiguous.count = soft.ambiguous
        self._odd.count = soft.odd
        self._noted = soft.noted
        self._free = soft.free
        self._length_count = soft.lengths
        self._macro_count = soft.macros
        self._fragmented = soft.fragmented
        while self._scope_count and self._scopes[self._scope_count - 1] > soft.number:
            self._scope_count -= 1
        with gil:
            self._forget(soft.number)
        rec = &self._recs[soft.number]
        rec.end = soft.stop
        rec.next = self._count
        rec.vr = VR_UN
        rec.bits = ELEMENT | UNKNOWN_VR | (REWRITE if soft.stop - content(rec) & 1 else 0)
        self._spread(UNKNOWN_VR)
        # another reader may have the same dictionary, and see another end of the items
        if soft.stop - content(rec) >= 8 and load32(self._need(content(rec), 4), False) == (
                SWAPPED_ITEM if self._frames[self._open_frames - 1].swapped else ITEM_AS_STORED):
            self._note_at(ODD_ITEMS, rec.tag, soft.number)
        position[0] = soft.stop
        return True

    @cython.final
    cdef inline void _close(self, uint64_t position) noexcept nogil:
        cdef Rec* rec
        self._open_frames -= 1
        if self._soft_count and self._soft[self._soft_count - 1].frame == self._open_frames:
            self._soft_count -= 1
        rec = &self._recs[self._frames[self._open_frames].number]
        rec.end = position
        rec.next = self._count

    @cython.final
    cdef inline int _enter(self, uint64_t* position, uint32_t length, uint8_t implicit,
                    uint8_t swapped) except -1 nogil:
        """Open the newest record; its content comes next."""
        cdef Frame* top = &self._frames[self._open_frames - 1]
        cdef Rec* rec = &self._recs[self._count - 1]
        cdef uint64_t stop = top.stop
        cdef uint32_t tag = TAG_ITEM if rec.bits & KIND == ITEM else rec.tag
        if length == UNDEFINED_LENGTH:
            rec.bits |= UNDEFINED
        else:
            stop = content(rec) + length
            if stop > top.stop:
                return self._fail(OVERRUN, rec.start, top.number,
                                  top.stop == self._recs[0].end, tag)
        if (self._open_frames - 1) // 2 >= self._depth:
            return self._fail(TOO_DEEP, rec.start, top.number)
        position[0] = content(rec)
        self._push(self._count - 1, stop, implicit, swapped)
        return 0

    @cython.final
    cdef inline Rec* _add(self, uint64_t start, uint64_t end, uint32_t tag, uint16_t vr, uint16_t bits,
                   uint32_t parent) except? NULL nogil:
        cdef Rec* rec
        if self._count >= self._most:
            self._fail(TOO_MANY, start, parent)
            return NULL
        if self._count == self._room:
            self._grow()
        rec = &self._recs[self._count]
        self._count += 1
        rec.start = start
        rec.end = end
        rec.tag = tag
        rec.next = self._count
        rec.parent = parent
        rec.vr = vr
        rec.bits = bits
        return rec

    @cython.final
    cdef inline int _item(self, uint64_t* position) except -1 nogil:
        cdef Frame* top = &self._frames[self._open_frames - 1]
        cdef uint32_t holder = top.number
        cdef bint is_sequence = self._recs[holder].bits & KIND == SEQUENCE
        cdef uint64_t start = position[0]
        cdef uint64_t end
        cdef uint32_t tag, length
        cdef const uint8_t* p
        if top.stop - start < 8:
            return self._fail(CUT_HEADER, start, holder, top.stop == self._recs[0].end)
        p = self._need(start, 8)
        tag = load16(p, top.swapped) << 16 | load16(p + 2, top.swapped)
        length = load32(p + 4, top.swapped)
        if tag == TAG_SEQUENCE_DELIMITATION and self._recs[holder].bits & UNDEFINED:
            position[0] = start + 8
            return self._end(start + 8, length)
        if tag != TAG_ITEM:
            return self._fail(NO_ITEM, start, holder, False, tag)
        top.last += 1
        if is_sequence:
            if self._add(start, 0, <uint32_t> top.last, 0, ITEM, holder) == NULL:
                return 1
            return self._enter(position, length, top.implicit, top.swapped)
        end = start + 8 + length
        if length == UNDEFINED_LENGTH or end > top.stop:
            return self._fail(OVERRUN, start, holder, top.stop == self._recs[0].end, tag)
        p = self._need(start + 8, min(length, MAX_BEGINNING))
        if self._add(start, end, <uint32_t> top.last, 0,
                     FRAGMENT | (REWRITE if length & 1 else 0)
                     | (IMAGE if begins_as_an_image(p, length) else 0), holder) == NULL:
            return 1
        self._fragmented = True
        position[0] = end
        return 0

    @cython.final
    cdef inline int _element(self, uint64_t* position) except -1 nogil:
        cdef Frame* top = &self._frames[self._open_frames - 1]
        cdef uint32_t holder = top.number
        cdef uint64_t start = position[0]
        cdef uint64_t end
        cdef uint32_t tag, length
        cdef uint16_t vr
        cdef uint16_t bits = ELEMENT
        cdef uint8_t known
        cdef uint8_t implicit = top.implicit
        cdef uint8_t swapped = top.swapped
        cdef bint first = top.last < 0
        cdef const uint8_t* p
        if self._open_frames == 1 and self._only_zeros(start, top.stop):
            self._trailing = top.stop - start
            top.stop = start
            return 0
        if top.stop - start < 8:
            return self._fail(CUT_HEADER, start, holder, top.stop == self._recs[0].end)
        p = self._need(start, 8)
        tag = load16(p, swapped) << 16 | load16(p + 2, swapped)
        if tag >= TAG_ITEM and tag >> 16 == 0xFFFE:
            if tag == TAG_ITEM_DELIMITATION and self._recs[holder].bits & UNDEFINED:
                position[0] = start + 8
                return self._end(start + 8, load32(p + 4, swapped))
            return self._fail(STRAY, start, holder, False, tag)
        if tag >> 16 == 0xFFFE:
            return self._fail(STRAY, start, holder, False, tag)
        if <int64_t> tag <= top.last:
            self._note(ODD_ORDER if tag < top.last else ODD_DUPLICATE, tag)
        else:
            top.last = tag

        if implicit:
            length = load32(p + 4, swapped)
            vr = self._implicit_vr(tag, holder)
            if length == UNDEFINED_LENGTH and (vr == VR_UN or of_dictionary(tag)):
                vr = VR_SQ  # PS3.5 Section 7.5: a sequence, whatever VR a dictionary gives
            if vr != VR_UN and of_dictionary(tag):
                bits |= PRIVATE
            if vr & 0x2020 == 0x2020:  # lower case: ambiguous
                bits |= GUESSED
            # some readers guess the encoding by the first element of a data set, or of an item of
            # UN
            if (first and 65 <= p[4] <= 90 and 65 <= p[5] <= 90
                    and (self._open_frames == 1 or not self._implicit)):
                self._note(ODD_EXPLICIT, tag)
        else:
            vr = <uint16_t> p[5] << 8 | p[4]
            known = traits(vr)
            if known & (VR_KNOWN | VR_LONG) == VR_KNOWN:
                length = load16(p + 6, swapped)
            else:
                if not known & VR_KNOWN and not (65 <= p[4] <= 90 and 65 <= p[5] <= 90):
                    return self._fail(BAD_VR, start, holder, False, tag, vr)
                if top.stop - start < 12:
                    return self._fail(CUT_HEADER, start, holder, top.stop == self._recs[0].end)
                bits |= LONG_HEADER
                if p[6] | p[7]:
                    bits |= REWRITE
                    self._note(ODD_RESERVED, tag)
                length = load32(self._need(start, 12) + 8, swapped)
                if not known & VR_KNOWN:
                    self._note(ODD_VR, tag)
                    vr = VR_UN  # a VR newer than this program: its length has 32 bits
        known = VR_KNOWN if vr == VR_XS else traits(vr)  # xs becomes US or SS
        if vr == VR_UN or (length > 0xFFFE and known & (VR_KNOWN | VR_LONG) == VR_KNOWN):
            bits |= UNKNOWN_VR  # explicit VR cannot hold such a length (PS3.5 Section 6.2.2)

        if vr == VR_SQ or (vr == VR_UN and length == UNDEFINED_LENGTH):
            bits |= SEQUENCE
        elif length == UNDEFINED_LENGTH:
            if bits & GUESSED:
                vr = VR_US if vr == VR_XS else VR_OW
            if vr != VR_OB and vr != VR_OW:
                return self._fail(NO_LENGTH, start, holder, False, tag, vr)
            vr = VR_OB  # PS3.5 Annex A.4: encapsulated is OB
            bits = (bits & ~GUESSED) | ENCAPSULATED
            if tag != TAG_PIXEL_DATA:
                self._note(ODD_UNDEFINED, tag)
        if not signable(tag):
            self._check_form(tag, vr, length)
        if bits & UNKNOWN_VR:
            self._spread(UNKNOWN_VR)
        if bits & PRIVATE:
            self._spread(PRIVATE)
        if bits & KIND != ELEMENT:
            if tag == TAG_SIGNATURES:
                self._note_scope(holder)
            if tag == TAG_SIGNATURES or tag == TAG_PARAMETERS:
                self._note_macro()
            if self._add(start, 0, tag, vr, bits, holder) == NULL:
                return 1
            # PS3.5 Section 6.2.2: the content of a UN sequence is implicit VR little endian
            if vr == VR_UN and not implicit:
                if not self._has_dictionary:
                    with gil:
                        self._load_dictionary()
                return self._enter(position, length, True, False)
            if bits & PRIVATE and length != UNDEFINED_LENGTH and length <= top.stop - start - 8:
                self._push_soft(self._count - 1, start + 8 + length)
            return self._enter(position, length, implicit, swapped)
        end = start + (12 if bits & LONG_HEADER else 8) + length
        if end > top.stop:
            return self._fail(CUT_VALUE, start, holder, top.stop == self._recs[0].end, tag)
        self._check_length(tag, vr, length, implicit)
        if length & 1:
            bits |= REWRITE
        if not tag & 0xFFFF or tag == TAG_LENGTH_TO_END:
            self._note_length(swapped)
        if implicit and length >= 8 and (vr == VR_UN or tag >> 16 & 1):
            self._check_items(end - length, end, swapped, tag)
        if self._add(start, end, tag, vr, bits, holder) == NULL:
            return 1
        if implicit:
            self._hint(self._count - 1, swapped)
        position[0] = end
        return 0

    @cython.final
    cdef int _end(self, uint64_t position, uint32_t length) noexcept nogil:
        """Check a delimiter, which has no length (PS3.5 Section 7.5); a length is not skipped."""
        cdef uint32_t number = self._frames[self._open_frames - 1].number
        cdef uint32_t owner = number
        if length:
            if self._recs[number].bits & KIND == ITEM:
                owner = self._recs[number].parent
            self._note_at(ODD_DELIMITER, self._recs[owner].tag, number)
        self._close(position)
        return 0

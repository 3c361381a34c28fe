# The fast walk over explicit VR little endian; part of _index_c.pyx.


cdef uint64_t stride(_Walk self, uint64_t position) noexcept nogil:
    """Walk over explicit VR little endian while nothing is unusual; return where that ends.

    It makes the same records as `_element` and `_item`, and stops where these must look closely: at
    elements that are malformed, ambiguous, unknown or rare, and where the bytes in memory end.
    """
    cdef size_t base = <size_t> self._bytes  # where the byte at offset 0 is, or would be
    cdef uint64_t ready = self._length  # where the bytes in memory end
    cdef const uint8_t* p
    cdef Rec* recs = self._recs
    cdef Rec* rec
    cdef Frame* top
    cdef uint64_t stop, end
    cdef uint32_t tag, length, number
    cdef uint32_t count = self._count
    cdef uint32_t room = min(self._room, self._most)
    cdef uint32_t opened = self._open_frames
    cdef uint16_t vr, bits
    cdef uint8_t known
    if self._bytes == NULL:
        if position < self._window_at:
            return position
        base = <size_t> self._window - <size_t> self._window_at
        ready = self._window_at + self._window_used
    while opened:
        top = &self._frames[opened - 1]
        number = top.number
        stop = top.stop
        bits = recs[number].bits
        if top.implicit:
            break
        if position == stop and not bits & UNDEFINED:
            recs[number].end = position
            recs[number].next = count
            opened -= 1
            continue
        if stop - position < 8 or position + 12 > ready or count >= room:
            break
        p = <const uint8_t*> (base + <size_t> position)
        if bits & KIND == SEQUENCE:
            tag = load16(p, False) << 16 | load16(p + 2, False)
            length = load32(p + 4, False)
            if tag == TAG_ITEM and opened < self._frame_room:
                end = stop if length == UNDEFINED_LENGTH else position + 8 + length
                if end > stop or opened // 2 >= self._depth:
                    break
                top.last += 1
                rec = &recs[count]
                rec.tag = <uint32_t> top.last
                rec.vr = 0
                rec.bits = ITEM | (UNDEFINED if length == UNDEFINED_LENGTH else 0)
            elif tag == TAG_SEQUENCE_DELIMITATION and bits & UNDEFINED and length == 0:
                position += 8
                recs[number].end = position
                recs[number].next = count
                opened -= 1
                continue
            else:
                break
        elif bits & KIND == ITEM:
            tag = load16(p, False) << 16 | load16(p + 2, False)
            vr = <uint16_t> p[5] << 8 | p[4]
            known = traits(vr)
            if <int64_t> tag <= top.last or not known & VR_KNOWN or vr == VR_UN:
                if (tag == TAG_ITEM_DELIMITATION and bits & UNDEFINED
                        and load32(p + 4, False) == 0):
                    position += 8
                    recs[number].end = position
                    recs[number].next = count
                    opened -= 1
                    continue
                break
            if not (TAG_FIRST_SIGNABLE < tag < TAG_LAST_SIGNABLE and tag & 0xFFFF) or (
                    tag == TAG_TO_THE_END):
                break  # elements that no signature covers are checked by `_element`
            rec = &recs[count]
            rec.tag = tag
            rec.vr = vr
            if vr != VR_SQ:
                if not known & VR_LONG:
                    length = load16(p + 6, False)
                    end = position + 8 + length
                    rec.bits = ELEMENT
                else:
                    if stop - position < 12 or p[6] | p[7]:
                        break
                    length = load32(p + 8, False)
                    end = position + 12 + length
                    rec.bits = ELEMENT | LONG_HEADER
                # an undefined length is odd, and not a multiple of any width
                if length & (((known >> 3) - 1) | 1) or end > stop or (
                        tag == TAG_PARAMETERS or (vr == VR_AT and length & 2)):
                    break
                top.last = tag
                rec.start = position
                rec.end = end
                rec.parent = number
                count += 1
                rec.next = count
                position = end
                continue
            if (stop - position < 12 or p[6] | p[7] or tag == TAG_PARAMETERS or opened >= self._frame_room or opened // 2 >= self._depth):
                break
            length = load32(p + 8, False)
            end = stop if length == UNDEFINED_LENGTH else position + 12 + length
            if end > stop:
                break
            top.last = tag
            rec.bits = SEQUENCE | LONG_HEADER | (
                UNDEFINED if length == UNDEFINED_LENGTH else 0)
        else:
            break
        # a sequence or an item was entered
        rec.start = position
        rec.parent = number
        position += 12 if rec.bits & LONG_HEADER else 8
        top += 1
        top.number = count
        top.stop = end
        top.last = -1
        top.implicit = False
        top.swapped = False
        opened += 1
        if opened > self._deepest:
            self._deepest = opened
        count += 1
        rec.next = count
    self._count = count
    self._open_frames = opened
    return position

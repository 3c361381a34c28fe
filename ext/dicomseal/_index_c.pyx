# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: auto_pickle=False, autotestdict=False, embedsignature=False
"""The compiled twin of dicomseal._index_py: 32 bytes a record, and no GIL while it walks.

Where the source already is canonical (explicit VR little endian), neighbouring elements are not
looked at again when they are hashed: they form a run, and a run goes to the encoder as one slice.
"""

cimport cython
from cpython.buffer cimport PyBUF_READ, PyBUF_SIMPLE, PyBUF_WRITE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memcpy, memset

from dicomseal._encoder_c cimport BLOCK, VR_KNOWN, VR_LONG, VR_SPACE, Encoder, signable, traits

from dicomseal import _record, dictionary as _dictionary
from dicomseal._record import Ambiguity, Coverage, Limits, Record
from dicomseal.errors import SourceError

include "_records.pxi"


# the memory of the index that went last, for the next one: fresh pages cost as much as the walk
cdef Rec* _spare = NULL
cdef uint32_t _spare_room = 0


@cython.final
@cython.no_gc  # in a cycle of others it would hold a memoryview that cannot be released yet
cdef class Index:
    """Where every element of an encoded data set lies; see dicomseal._index_py.Index."""

    cdef object _source          # a Source, or None where all bytes are in memory
    cdef Py_buffer _view
    cdef bint _has_view
    cdef const uint8_t* _bytes   # those bytes
    cdef uint64_t _length
    cdef uint8_t* _window        # else: the bytes from _window_at on
    cdef uint64_t _window_at
    cdef Py_ssize_t _window_used

    cdef Rec* _recs
    cdef uint32_t _count, _room, _most
    cdef Frame* _frames
    cdef uint32_t _open_frames, _frame_room, _depth, _deepest
    cdef uint32_t* _scopes
    cdef uint32_t _scope_count, _scope_room
    cdef uint32_t _odd[MAX_AMBIGUITIES]
    cdef uint32_t _odd_tag[MAX_AMBIGUITIES]
    cdef uint8_t _odd_kind[MAX_AMBIGUITIES]
    cdef uint32_t _odd_count
    cdef Trouble _trouble
    cdef bint _implicit, _swapped
    cdef uint64_t _trailing
    cdef uint64_t _not_zero      # before this offset, zeros end in something else
    cdef uint64_t _most_bytes    # of a value that is read as such

    cdef object _dictionary      # implicit VR only, as all that follows
    cdef const uint32_t* _tags
    cdef const uint8_t* _vrs
    cdef Py_ssize_t _tag_count
    cdef list _guesses
    cdef dict _hints, _creators

    def __cinit__(self, source, uint64_t start=0, stop=None, *, bint implicit=False,
                  bint big_endian=False, int root=ITEM, limits=None):
        global _spare, _spare_room
        cdef Rec* rec
        cdef uint64_t end
        limits = Limits() if limits is None else limits
        if hasattr(source, "readinto"):
            self._source = source
            self._length = len(source)
            self._window = <uint8_t*> malloc(WINDOW)
            if self._window == NULL:
                raise MemoryError
        else:
            PyObject_GetBuffer(source, &self._view, PyBUF_SIMPLE)
            self._has_view = True
            self._bytes = <const uint8_t*> self._view.buf
            self._length = self._view.len
        end = self._length if stop is None else stop
        if end > self._length or start > end:
            raise SourceError(f"bytes {start} to {end} of a source of {self._length}")
        self._most = min(limits.records, 0xFFFFFFF0)
        self._most_bytes = max(limits.value, 0)
        self._depth = min(limits.depth, 0x3FFFFFF0)
        self._implicit = implicit
        self._swapped = big_endian
        self._guesses = []
        if implicit:
            self._load_dictionary()
        if _spare != NULL:
            self._recs, self._room = _spare, _spare_room
            _spare, _spare_room = NULL, 0
        else:
            self._grow()
        rec = &self._recs[0]
        memset(rec, 0, sizeof(Rec))
        rec.start = start
        rec.end = end
        rec.bits = root
        rec.vr = VR_SQ if root == SEQUENCE else 0
        self._count = 1
        self._push(0, end, implicit, big_endian)
        with nogil:
            self._walk()
        free(self._frames)
        self._frames = NULL
        if self._trouble.kind:
            self._raise(limits)
        if self._guesses:
            self.resolve()

    def __dealloc__(self):
        global _spare, _spare_room
        if self._room > _spare_room and self._room <= MOST_SPARE:
            free(_spare)
            _spare = self._recs
            _spare_room = self._room
        else:
            free(self._recs)
        free(self._frames)
        free(self._scopes)
        free(self._window)
        if self._has_view:
            PyBuffer_Release(&self._view)

    # --- memory -----------------------------------------------------------------------------------

    cdef int _grow(self) except -1 nogil:
        cdef uint32_t room = 256 if self._room == 0 else self._room + (self._room >> 1)
        cdef Rec* more = <Rec*> realloc(self._recs, room * sizeof(Rec))
        if more == NULL:
            with gil:
                raise MemoryError
        self._recs = more
        self._room = room
        return 0

    cdef inline int _push(self, uint32_t number, uint64_t stop, uint8_t implicit,
                          uint8_t swapped) except -1 nogil:
        cdef Frame* frame
        if self._open_frames == self._frame_room:
            self._frame_room = 16 if self._frame_room == 0 else self._frame_room * 2
            frame = <Frame*> realloc(self._frames, self._frame_room * sizeof(Frame))
            if frame == NULL:
                with gil:
                    raise MemoryError
            self._frames = frame
        frame = &self._frames[self._open_frames]
        self._open_frames += 1
        if self._open_frames > self._deepest:
            self._deepest = self._open_frames
        frame.number = number
        frame.stop = stop
        frame.last = -1
        frame.implicit = implicit
        frame.swapped = swapped
        return 0

    cdef inline const uint8_t* _need(self, uint64_t position,
                                     Py_ssize_t length) except NULL nogil:
        """``length`` bytes (a window's at most) that lie in one piece."""
        if self._bytes != NULL:
            return self._bytes + position
        return self._look(position, length)

    cdef const uint8_t* _look(self, uint64_t position, Py_ssize_t length) except NULL nogil:
        """The same through the window."""
        cdef uint64_t size
        if (position < self._window_at
                or position + length > self._window_at + self._window_used):
            size = WINDOW
            if position > self._window_at + self._window_used and length < GLANCE:
                size = GLANCE
            size = min(size, self._length - position)
            self._window_used = 0
            with gil:
                self._source.readinto(
                    position, PyMemoryView_FromMemory(<char*> self._window, size, PyBUF_WRITE)
                )
            self._window_at = position
            self._window_used = size
        return self._window + (position - self._window_at)

    # --- the walk ---------------------------------------------------------------------------------

    cdef int _fail(self, int kind, uint64_t position, uint32_t holder, bint at_end=False,
                   uint32_t tag=0, uint16_t vr=0) noexcept nogil:
        self._trouble.kind = kind
        self._trouble.position = position
        self._trouble.holder = holder
        self._trouble.at_end = at_end
        self._trouble.tag = tag
        self._trouble.vr = vr
        return 1

    cdef int _walk(self) except -1 nogil:
        cdef uint64_t position = self._recs[0].start
        cdef uint64_t stop_of_all = self._recs[0].end
        cdef Frame* top
        cdef Rec* rec
        cdef bint native = self._bytes != NULL and not self._implicit and not self._swapped
        while self._open_frames:
            if native:
                position = self._stride(position)
                if not self._open_frames:
                    break
            top = &self._frames[self._open_frames - 1]
            rec = &self._recs[top.number]
            if position == top.stop:
                if rec.bits & UNDEFINED:
                    return self._fail(NO_DELIMITER, position, top.number, position == stop_of_all)
                self._close(position)
            elif rec.bits & KIND == ITEM:
                if self._element(&position):
                    break
            elif self._item(&position):
                break
        return 0

    cdef uint64_t _stride(self, uint64_t position) noexcept nogil:
        """Explicit VR little endian in memory, for as long as nothing is unusual.

        It makes the same records as `_element` and `_item`, and stops where those must look: at
        what is malformed, ambiguous, unknown or rare. Returns where that is.
        """
        cdef const uint8_t* base = self._bytes
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
            if stop - position < 8 or count >= room:
                break
            p = base + position
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
                elif tag == TAG_SEQUENCE_DELIMITATION and bits & UNDEFINED:
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
                    if tag == TAG_ITEM_DELIMITATION and bits & UNDEFINED:
                        position += 8
                        recs[number].end = position
                        recs[number].next = count
                        opened -= 1
                        continue
                    break
                if tag >> 16 == 0xFFFE:
                    break
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
                    if length & 1 or end > stop:  # an undefined length is odd
                        break
                    top.last = tag
                    rec.start = position
                    rec.end = end
                    rec.parent = number
                    count += 1
                    rec.next = count
                    position = end
                    continue
                if (stop - position < 12 or p[6] | p[7] or tag == TAG_SIGNATURES
                        or opened >= self._frame_room or opened // 2 >= self._depth):
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

    cdef inline void _close(self, uint64_t position) noexcept nogil:
        cdef Rec* rec
        self._open_frames -= 1
        rec = &self._recs[self._frames[self._open_frames].number]
        rec.end = position
        rec.next = self._count

    cdef inline int _enter(self, uint64_t* position, uint32_t length, uint8_t implicit,
                    uint8_t swapped) except -1 nogil:
        """Open the record made last; its content comes next."""
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
            self._close(start + 8)
            return 0
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
        if self._add(start, end, <uint32_t> top.last, 0,
                     FRAGMENT | (REWRITE if length & 1 else 0), holder) == NULL:
            return 1
        position[0] = end
        return 0

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
                self._close(start + 8)
                return 0
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
            if vr == VR_UN and length == UNDEFINED_LENGTH:
                vr = VR_SQ
            if vr & 0x2020 == 0x2020:  # lower case: ambiguous
                bits |= GUESSED
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
                length = load32(self._need(start, 12) + 8, swapped)
                if not known & VR_KNOWN:
                    self._note(ODD_VR, tag)
                    vr = VR_UN  # a VR newer than this program: its length has 32 bits
        known = VR_KNOWN if vr == VR_XS else traits(vr)  # xs becomes US or SS
        if vr == VR_UN or (length > 0xFFFE and known & (VR_KNOWN | VR_LONG) == VR_KNOWN):
            bits |= UNKNOWN_VR  # explicit VR cannot hold the latter (PS3.5 Section 6.2.2)

        if vr == VR_SQ or (vr == VR_UN and length == UNDEFINED_LENGTH):
            bits |= SEQUENCE
        elif length == UNDEFINED_LENGTH:
            if bits & GUESSED:
                vr = VR_US if vr == VR_XS else VR_OW
            if vr != VR_OB and vr != VR_OW:
                return self._fail(NO_LENGTH, start, holder, False, tag, vr)
            vr = VR_OB  # PS3.5 Annex A.4: encapsulated is OB
            bits = (bits & ~GUESSED) | ENCAPSULATED
        if bits & UNKNOWN_VR:
            self._spread()
        if bits & KIND != ELEMENT:
            if tag == TAG_SIGNATURES:
                self._note_scope(holder)
            if self._add(start, 0, tag, vr, bits, holder) == NULL:
                return 1
            # PS3.5 Section 6.2.2: the content of a UN sequence is implicit VR little endian
            if vr == VR_UN and not implicit:
                if self._tags == NULL:
                    with gil:
                        self._load_dictionary()
                return self._enter(position, length, True, False)
            return self._enter(position, length, implicit, swapped)
        end = start + (12 if bits & LONG_HEADER else 8) + length
        if end > top.stop:
            return self._fail(CUT_VALUE, start, holder, top.stop == self._recs[0].end, tag)
        if length & 1:
            bits |= REWRITE
        if self._add(start, end, tag, vr, bits, holder) == NULL:
            return 1
        if implicit:
            self._hint(self._count - 1, swapped)
        position[0] = end
        return 0

    cdef void _note(self, uint8_t kind, uint32_t tag) noexcept nogil:
        if self._odd_count < MAX_AMBIGUITIES:
            self._odd[self._odd_count] = self._count
            self._odd_tag[self._odd_count] = tag
            self._odd_kind[self._odd_count] = kind
            self._odd_count += 1

    cdef void _spread(self) noexcept nogil:
        """An unknown VR makes every sequence around it one that cannot be signed."""
        cdef uint32_t i = self._open_frames
        cdef Rec* rec
        while i:
            i -= 1
            rec = &self._recs[self._frames[i].number]
            if rec.bits & KIND == SEQUENCE:
                if rec.bits & UNKNOWN_VR:
                    return
                rec.bits |= UNKNOWN_VR

    cdef int _note_scope(self, uint32_t holder) except -1 nogil:
        cdef uint32_t* more
        if self._scope_count and self._scopes[self._scope_count - 1] == holder:
            return 0
        if self._scope_count == self._scope_room:
            self._scope_room = 4 if self._scope_room == 0 else self._scope_room * 2
            more = <uint32_t*> realloc(self._scopes, self._scope_room * sizeof(uint32_t))
            if more == NULL:
                with gil:
                    raise MemoryError
            self._scopes = more
        self._scopes[self._scope_count] = holder
        self._scope_count += 1
        return 0

    cdef bint _only_zeros(self, uint64_t position, uint64_t stop) except? True nogil:
        cdef const uint8_t* p
        cdef uint64_t n, i
        if position < self._not_zero or self._need(position, 1)[0]:
            return False  # the former: looked this far before
        while position < stop:
            n = min(stop - position, <uint64_t> WINDOW)
            p = self._need(position, n)
            for i in range(n):
                if p[i]:
                    self._not_zero = position + i + 1
                    return False
            position += n
        return True

    # --- implicit VR ------------------------------------------------------------------------------

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

    cdef uint16_t _ask_dictionary(self, uint32_t tag, uint32_t holder) except? 0:
        if tag >> 16 & 1:
            return _code(self._dictionary.private(tag, self._creators.get((holder, tag >> 8))))
        return _code(self._dictionary.public(tag))

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

    cdef object _nearest(self, uint32_t number, uint32_t tag):
        while number:
            number = self._recs[number].parent
            if (number, tag) in self._hints:
                return self._hints[number, tag]
        return None

    cdef bint _inside_unknown(self, uint32_t number) noexcept nogil:
        """Whether a record is content of a UN sequence, which is implicit VR little endian."""
        while number:
            number = self._recs[number].parent
            if self._recs[number].vr == VR_UN:
                return True
        return False

    # --- looking up -------------------------------------------------------------------------------

    cdef int _raise(self, limits) except -1:
        cdef Trouble* t = &self._trouble
        cdef object detail = ""
        if t.kind == BAD_VR:
            detail = bytes((t.vr & 0xFF, t.vr >> 8))
        elif t.kind == NO_LENGTH:
            detail = _letters(t.vr)
        elif t.kind == TOO_MANY:
            detail = limits.records
        elif t.kind == TOO_DEEP:
            detail = limits.depth
        raise _record.malformed(
            TROUBLES[t.kind], t.position, self.record(t.holder),
            self._recs[self._recs[t.holder].parent].tag, t.at_end, t.tag, detail,
        )

    cdef Rec* _at(self, uint32_t number) except NULL:
        if number >= self._count:
            raise IndexError(f"record {number} of {self._count}")
        return &self._recs[number]

    def __len__(self):
        return self._count

    @property
    def scopes(self):
        """The records (root or items) that hold a Digital Signatures Sequence themselves."""
        return [self._scopes[i] for i in range(self._scope_count)]

    @property
    def ambiguities(self):
        """Tags that come twice or out of order, the first 100."""
        return [
            Ambiguity(ODD_NAMES[self._odd_kind[i]], self._odd_tag[i], self._odd[i])
            for i in range(self._odd_count)
        ]

    @property
    def trailing(self):
        """How many zero bytes follow the data set."""
        return self._trailing

    @property
    def unknown(self):
        """Whether the root is a sequence that holds an element of unknown VR."""
        return self._recs[0].bits & UNKNOWN_VR != 0

    @property
    def big_endian(self):
        """How it is encoded."""
        return self._swapped

    @property
    def guessed(self):
        """Which kinds of ambiguous VR were met, see `resolve`."""
        return frozenset(kind for _, kind in self._guesses)

    def record(self, uint32_t number):
        """One record; numbers run from 0, the root, in the order of the bytes."""
        cdef Rec* rec = self._at(number)
        return Record(
            rec.tag, _letters(rec.vr), rec.bits & KIND, rec.bits >> 3, rec.start,
            content(rec) if number else rec.start, rec.end, rec.next, rec.parent,
        )

    def children(self, uint32_t number):
        """The numbers of the records directly inside one."""
        cdef list found = []
        cdef uint32_t stop = self._at(number).next
        number += 1
        while number < stop:
            found.append(number)
            number = self._recs[number].next
        return iter(found)

    def find(self, uint32_t scope, uint32_t tag):
        """The first element with this tag directly inside a scope, or -1."""
        cdef uint32_t stop = self._at(scope).next
        cdef uint32_t number = scope + 1
        with nogil:
            while number < stop and self._recs[number].tag != tag:
                number = self._recs[number].next
        return number if number < stop else -1

    def value(self, uint32_t number):
        """The value of an element or fragment as it is stored, a copy."""
        cdef Rec* rec = self._at(number)
        cdef uint64_t start = content(rec) if number else rec.start
        if self._bytes == NULL:
            return self._source.read(start, rec.end - start)
        return PyBytes_FromStringAndSize(<char*> self._bytes + start, rec.end - start)

    def values(self, uint32_t scope, tags):
        """The values of the first elements with these tags directly inside a scope."""
        cdef list found = []
        cdef uint32_t stop = self._at(scope).next
        cdef uint32_t number = scope + 1
        cdef uint32_t tag
        for tag in tags:
            # tags mostly come ascending, so the search goes on where the last one ended
            if number >= stop or self._recs[number].tag > tag or self._odd_count:
                number = scope + 1
            while number < stop and self._recs[number].tag != tag:
                if self._recs[number].tag > tag and not self._odd_count:
                    break
                number = self._recs[number].next
            if (number < stop and self._recs[number].tag == tag
                    and self._recs[number].bits & KIND == ELEMENT):
                found.append(self._bounded(number, self._most_bytes))
            else:
                found.append(None)
        return found

    cdef bytes _bounded(self, uint32_t number, uint64_t limit):
        cdef Rec* rec = &self._recs[number]
        cdef uint64_t length = rec.end - content(rec)
        if length > limit:
            raise _record.too_long(rec.tag, rec.start, length, limit)
        return self.value(number)

    def tags(self, uint32_t number):
        """The value of an AT element as tags; empty if its VR is another."""
        cdef bytes value
        cdef const uint8_t* p
        cdef Py_ssize_t i
        if self._at(number).vr != VR_AT:
            return ()
        value = self._bounded(number, 16 * self._most_bytes)
        p = value
        return tuple([
            load16(p + 4 * i, self._swapped) << 16 | load16(p + 4 * i + 2, self._swapped)
            for i in range(len(value) // 4)
        ])

    # --- the canonical stream ---------------------------------------------------------------------

    def stream(self, update, uint32_t scope=0, tags=None, *, without=(), bint legacy=False):
        """Feed the canonical form of a scope's elements to a hasher (PS3.3 C.12.1.1.3.1.1)."""
        cdef _Stream out = _Stream(self, update, legacy)
        cdef uint32_t* wanted = NULL
        cdef Py_ssize_t n = 0
        cdef Py_ssize_t i
        cdef bint ascending
        cdef uint32_t signed = 0
        cdef uint32_t unsigned = 0
        cdef list unknown = []
        self._at(scope)
        if tags is not None:
            n = len(tags)
            wanted = <uint32_t*> malloc((n + 1) * sizeof(uint32_t))
            if wanted == NULL:
                raise MemoryError
        try:
            if wanted != NULL:
                i = 0
                ascending = True
                for tag in tags:
                    wanted[i] = tag
                    if i and wanted[i - 1] > wanted[i]:
                        ascending = False
                    i += 1
                if not ascending:
                    qsort(wanted, n, sizeof(uint32_t), _ascending)
            out.scope(scope, wanted, n, frozenset(without), &signed, &unsigned, unknown)
        finally:
            free(wanted)
        # what Coverage(...) does in the end, without the detour through Python code
        return tuple.__new__(Coverage, (signed, unsigned, tuple(unknown)))

    def stream_items(self, update, bint legacy=False):
        """Feed the items or fragments of an index whose root is no data set."""
        cdef _Stream out = _Stream(self, update, legacy)
        with nogil:
            out.emit(1, self._count)
            out.end()
        out.encoder.flush()


include "_stream.pxi"

# The records under construction; part of _index_c.pyx.


@cython.internal
@cython.no_gc
cdef class _Records(_Bytes):
    """Return the records made so far, and the sequences and items that are open."""

    cdef Rec* _recs
    cdef uint32_t _count, _room, _most
    cdef Frame* _frames
    cdef uint32_t _open_frames, _frame_room, _depth, _deepest
    cdef Soft* _soft
    cdef uint32_t _soft_count, _soft_room
    cdef uint32_t* _scopes
    cdef uint32_t _scope_count, _scope_room
    cdef Notes _ambiguous, _odd
    cdef uint32_t _noted         # a bit for each kind that was noted
    cdef uint32_t _free          # elements whose content no signature and no rule fixes
    cdef uint32_t* _lengths      # the group lengths: twice their number, and 1 in big endian
    cdef uint32_t _length_count, _length_room
    cdef uint32_t* _macros       # the sequences of the Digital Signatures Macro
    cdef uint32_t _macro_count, _macro_room
    cdef bint _fragmented  # whether there is a fragment anywhere
    cdef Trouble _trouble
    cdef object _given, _limits  # the arguments of the index
    cdef int _level  # how many values that may be sequences are around it
    cdef bint _implicit, _swapped

    @cython.final
    cdef int _grow(self) except -1 nogil:
        cdef uint32_t room = 256 if self._room == 0 else self._room + (self._room >> 1)
        cdef Rec* more = <Rec*> realloc(self._recs, room * sizeof(Rec))
        if more == NULL:
            with gil:
                raise MemoryError
        self._recs = more
        self._room = room
        return 0

    @cython.final
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

    @cython.final
    cdef void _note(self, uint8_t kind, uint32_t tag) noexcept nogil:
        self._note_at(kind, tag, self._count)

    @cython.final
    cdef void _note_at(self, uint8_t kind, uint32_t tag, uint32_t number) noexcept nogil:
        cdef Notes* notes = &self._ambiguous if kind < AMBIGUITIES else &self._odd
        self._noted |= 1U << kind
        if notes.count < MAX_AMBIGUITIES:
            notes.first[notes.count] = Note(tag, number, kind)
            notes.count += 1

    @cython.final
    cdef int _note_length(self, bint swapped) except -1 nogil:
        """Note that the next element is a group length."""
        self._lengths = more_numbers(self._lengths, self._length_count, &self._length_room)
        self._lengths[self._length_count] = self._count << 1 | swapped
        self._length_count += 1
        return 0

    @cython.final
    cdef int _push_soft(self, uint32_t number, uint64_t stop) except -1 nogil:
        """Note that the next frame may have to be given up."""
        cdef Soft* more
        if self._soft_count == self._soft_room:
            self._soft_room = 4 if self._soft_room == 0 else self._soft_room * 2
            more = <Soft*> realloc(self._soft, self._soft_room * sizeof(Soft))
            if more == NULL:
                with gil:
                    raise MemoryError
            self._soft = more
        more = &self._soft[self._soft_count]
        self._soft_count += 1
        more.stop = stop
        more.number = number
        more.frame = self._open_frames
        more.ambiguous = self._ambiguous.count
        more.odd = self._odd.count
        more.noted = self._noted
        more.free = self._free
        more.lengths = self._length_count
        more.macros = self._macro_count
        more.fragmented = self._fragmented
        return 0

    @cython.final
    cdef int _note_macro(self) except -1 nogil:
        """Note that the next element is a sequence of the Digital Signatures Macro."""
        self._macros = more_numbers(self._macros, self._macro_count, &self._macro_room)
        self._macros[self._macro_count] = self._count
        self._macro_count += 1
        return 0

    @cython.final
    cdef void _spread(self, uint16_t flag) noexcept nogil:
        """Mark every sequence around an unknown VR as not signable; likewise for a guessed VR."""
        cdef uint32_t i = self._open_frames
        cdef Rec* rec
        while i:
            i -= 1
            rec = &self._recs[self._frames[i].number]
            if rec.bits & KIND == SEQUENCE:
                if rec.bits & flag:
                    return
                rec.bits |= flag

    @cython.final
    cdef int _note_scope(self, uint32_t holder) except -1 nogil:
        if self._scope_count and self._scopes[self._scope_count - 1] == holder:
            return 0
        self._scopes = more_numbers(self._scopes, self._scope_count, &self._scope_room)
        self._scopes[self._scope_count] = holder
        self._scope_count += 1
        return 0


cdef uint32_t* more_numbers(uint32_t* numbers, uint32_t count, uint32_t* room) except NULL nogil:
    """Return an array with room for one number more: the same one or a larger one."""
    cdef uint32_t* more
    if count < room[0]:
        return numbers
    room[0] = 4 if room[0] == 0 else room[0] * 2
    more = <uint32_t*> realloc(numbers, room[0] * sizeof(uint32_t))
    if more == NULL:
        with gil:
            raise MemoryError
    return more

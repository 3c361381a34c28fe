# The records as they are made; part of _index_c.pyx.


@cython.internal
@cython.no_gc
cdef class _Records(_Bytes):
    """The records made so far, and the sequences and items that are open."""

    cdef Rec* _recs
    cdef uint32_t _count, _room, _most
    cdef Frame* _frames
    cdef uint32_t _open_frames, _frame_room, _depth, _deepest
    cdef Soft* _soft
    cdef uint32_t _soft_count, _soft_room
    cdef uint32_t* _scopes
    cdef uint32_t _scope_count, _scope_room
    cdef uint32_t _odd[MAX_AMBIGUITIES]
    cdef uint32_t _odd_tag[MAX_AMBIGUITIES]
    cdef uint8_t _odd_kind[MAX_AMBIGUITIES]
    cdef uint32_t _odd_count
    cdef bint _fragmented  # whether there is a fragment anywhere
    cdef Trouble _trouble
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
        if self._odd_count < MAX_AMBIGUITIES:
            self._odd[self._odd_count] = self._count
            self._odd_tag[self._odd_count] = tag
            self._odd_kind[self._odd_count] = kind
            self._odd_count += 1

    @cython.final
    cdef int _push_soft(self, uint32_t number, uint64_t stop) except -1 nogil:
        """Note that the frame that is opened next may have to be given up."""
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
        more.fragmented = self._fragmented
        return 0

    @cython.final
    cdef void _spread(self, uint16_t flag) noexcept nogil:
        """An unknown VR makes every sequence around it one that cannot be signed; so a guess."""
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

# The bytes of the index: in memory or from a file; part of _index_c.pyx.


@cython.internal
@cython.no_gc
cdef class _Bytes:
    """Return bytes in memory, or a window on those of a file."""

    cdef object _source          # a Source, or None where all bytes are in memory
    cdef Py_buffer _view
    cdef bint _has_view
    cdef const uint8_t* _bytes   # those bytes
    cdef uint64_t _length
    cdef uint8_t* _window        # else: the bytes from _window_at on
    cdef uint64_t _window_at
    cdef Py_ssize_t _window_used
    cdef int _descriptor         # of that file, or -1 where only the Source can read

    @cython.final
    cdef inline const uint8_t* _need(self, uint64_t position,
                                     Py_ssize_t length) except NULL nogil:
        """Return ``length`` bytes (a window's at most) that lie in one piece."""
        if self._bytes != NULL:
            return self._bytes + position
        return self._look(position, length)

    @cython.final
    cdef const uint8_t* _look(self, uint64_t position, Py_ssize_t length) except NULL nogil:
        """Return them from the window, which is moved."""
        cdef uint64_t size
        if (position < self._window_at
                or position + length > self._window_at + self._window_used):
            size = WINDOW
            if position > self._window_at + self._window_used and length < GLANCE:
                size = GLANCE
            size = min(size, self._length - position)
            self._window_used = 0
            self._window_at = position
            if self._descriptor >= 0:
                # if this reads less than all, the Source tries again and explains
                if seal_pread(self._descriptor, self._window, size, position) == <int64_t> size:
                    self._window_used = size
                    return self._window
            with gil:
                self._source.readinto(
                    position, PyMemoryView_FromMemory(<char*> self._window, size, PyBUF_WRITE)
                )
            self._window_used = size
        return self._window + (position - self._window_at)

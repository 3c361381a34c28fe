# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: auto_pickle=False, autotestdict=False, embedsignature=False
"""Files that threads open ahead, so that they can be read without waiting for them.

What is not usual (an error, an oddity) is answered with -1, and the Python modules read it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t

cimport cython

import os

cdef extern from "_opener.h" nogil:
    ctypedef struct seal_request:
        void* of
        int state
        int descriptor
        int may_wait
        long long size
        long long modified
        double seconds
    ctypedef struct seal_pool:
        int stuck
        int held
    double seal_now()
    seal_pool* seal_new_pool(int most, long long largest)
    void seal_end_pool(seal_pool*)
    seal_request* seal_submit(seal_pool*, const char* path, size_t length, void* of)
    bint seal_put(seal_pool*, seal_request*)
    seal_request* seal_next(seal_pool*, double seconds)
    void seal_call(seal_pool*)
    bint seal_give_up(seal_pool*, seal_request**)
    void seal_drop(seal_pool*, seal_request*)
    void seal_free(seal_pool*, seal_request*)
    long long seal_read_opened(seal_request*, void* to)

cdef object _fsencode = os.fsencode


@cython.final
@cython.no_gc  # there is no cycle: an opener keeps none of them alive
cdef class Opening:
    """A file that is being opened, or was.

    Attributes:
        key: the submitter's own, to know it again.
        since: when it was submitted, on the monotonic clock.
        seconds: how long it took, when it is there.
        size: in bytes, when it was opened; -1: it is not usual.
        mtime: in nanoseconds.
        may_wait: the file system does not tell what can be read without waiting for it.
        given_up: nobody waits for it any more.
    """

    cdef Opener _opener
    cdef seal_request* _one
    cdef readonly unsigned long long key
    cdef readonly double since
    cdef readonly double seconds
    cdef readonly long long size
    cdef readonly long long mtime
    cdef readonly bint may_wait
    cdef readonly bint given_up
    cdef bint _taken
    cdef bint _again

    def __dealloc__(self):
        self._close()

    def close(self):
        """Close the file, of which nothing is to be read any more; or leave it to a thread."""
        self._close()

    cdef void _close(self):
        if self._one is not NULL:
            if self._taken:
                seal_free(self._opener._pool, self._one)
            else:
                seal_drop(self._opener._pool, self._one)
            self._one = NULL

    cdef void _came(self):
        self._taken = True
        self.seconds = self._one.seconds
        self.size = self._one.size if self._one.descriptor >= 0 else -1
        self.mtime = self._one.modified
        self.may_wait = self._one.may_wait

    def read(self, bytearray buffer):
        """Read it whole into a buffer that holds it, without waiting; return its size.

        Return -1 if something is not usual, also if it was changed since it was opened, or if
        bytes are missing in the page cache (`Opener.again`). The content of the buffer is then
        undefined.
        """
        cdef seal_request* one = self._one
        cdef uint8_t* to = <uint8_t*> buffer
        cdef long long size
        if one is NULL or not self._taken or not 0 < self.size <= len(buffer):
            return -1
        with nogil:
            size = seal_read_opened(one, to)
        if size != -2:  # bytes are missing
            seal_free(self._opener._pool, one)
            self._one = NULL
        return max(size, -1)


@cython.final
cdef class Opener:
    """Threads that open files, started as they are needed; for one thread that uses it.

    Args:
        most: of the threads, those that hang included.
        largest: of the files, in bytes; a larger one is not usual.
    """

    cdef seal_pool* _pool

    def __cinit__(self, int most, long long largest):
        self._pool = seal_new_pool(most, largest)
        if self._pool is NULL:
            raise MemoryError

    def __dealloc__(self):
        if self._pool is not NULL:
            seal_end_pool(self._pool)

    @property
    def stuck(self):
        """Return the number of threads that hang with a file that was given up."""
        return self._pool.stuck

    @property
    def held(self):
        """Return the number of openings that are not read, closed or forgotten."""
        return self._pool.held

    def submit(self, path, unsigned long long key):
        """Have a file opened; return its `Opening`, or None if there is no thread to do it."""
        cdef bytes name = path.encode() if type(path) is str and path.isascii() else _fsencode(path)
        cdef Opening opening
        if b"\0" in name:
            return None
        opening = Opening.__new__(Opening)
        opening._opener = self
        opening.key = key
        opening.since = seal_now()
        opening._one = seal_submit(
            self._pool, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name), <void*> opening
        )
        return None if opening._one is NULL else opening

    def again(self, Opening opening):
        """Have the bytes fetched that are missing of an open file; return False if that was in
        vain before, or it is not open, or there is no thread to do it."""
        if opening._one is NULL or opening.size < 0 or not opening._taken or opening._again:
            return False
        opening.since = seal_now()
        opening._taken = not seal_put(self._pool, opening._one)
        opening._again = not opening._taken
        return opening._again

    def next(self, double seconds):
        """Return the next one that is there; None if none comes in so many seconds, or `call`."""
        cdef seal_request* one = seal_next(self._pool, 0)
        cdef Opening opening
        if one is NULL and seconds > 0:
            with nogil:
                one = seal_next(self._pool, seconds)
        if one is NULL:
            return None
        opening = <Opening> one.of
        opening._came()
        return opening

    def call(self):
        """End what waits in `next`, which may be in another thread."""
        seal_call(self._pool)

    def give_up(self, Opening opening):
        """Wait for one no longer; return whether it was still open, and never comes now."""
        if opening._one is NULL or opening._taken:
            return False
        opening.given_up = seal_give_up(self._pool, &opening._one)
        return opening.given_up

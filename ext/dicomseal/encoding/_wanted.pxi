# Lists of tags to look for, and the ones that were asked for last; part of _index_c.pyx.


@cython.final
@cython.internal
cdef class _Wanted:
    """Tags to look for, ascending."""

    cdef object source
    cdef uint32_t* tags
    cdef Py_ssize_t count

    def __cinit__(self, tags):
        cdef bint ascending = True
        # a copy: the code of a member may change the list when it is asked for its number
        cdef tuple fixed = tuple(tags)
        self.source = tags
        self.tags = <uint32_t*> malloc((len(fixed) + 1) * sizeof(uint32_t))
        if self.tags == NULL:
            raise MemoryError
        for tag in fixed:
            self.tags[self.count] = tag
            if self.count and self.tags[self.count - 1] > self.tags[self.count]:
                ascending = False
            self.count += 1
        if not ascending:
            qsort(self.tags, self.count, sizeof(uint32_t), _ascending)

    def __dealloc__(self):
        free(self.tags)


@cython.final
@cython.internal
cdef class _Recent:
    """The list that was asked for last: the objects of one device have the same."""

    cdef _Wanted last
    cdef type fixed  # the type of a list that cannot change

    def __cinit__(self, type fixed):
        self.fixed = fixed

    cdef _Wanted wanted(self, tags):
        cdef _Wanted found = self.last
        if found is None or found.source is not tags:
            found = _Wanted(tags)
            if type(tags) is self.fixed and found.count <= MAX_REMEMBERED:
                self.last = found
        return found


cdef _Recent _listed = _Recent(tuple)
cdef _Recent _left_out = _Recent(frozenset)

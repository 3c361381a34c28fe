# The data set and the items that are open; part of _dataset_c.pyx.

cdef struct Pair:
    uint32_t tag
    PyObject* element    # owned

cdef struct Scope:
    PyObject* dataset    # owned, as all here
    PyObject* copied     # for pydicom to change; NULL until it is wanted
    PyObject* encodings  # the character sets that count here; likewise
    Py_ssize_t start, at, stop  # its elements: the first, the next one, behind the last
    PyObject* items      # of the sequence that is open, a list, or NULL
    Py_ssize_t item      # the next one
    uint32_t sequence    # its tag
    int rewritten        # see `rare.is_rewritten`; -1 until it is asked

# what Python's names of the encodings are, by the value of Specific Character Set
cdef dict _charsets = {}


cdef int _by_tag(const void* a, const void* b) noexcept nogil:
    cdef uint32_t x = (<const Pair*> a).tag
    cdef uint32_t y = (<const Pair*> b).tag
    return (x > y) - (x < y)


cdef class _Scopes(_Values):
    """The scopes that are open, the innermost last, and what is asked of them."""

    cdef Scope* scopes
    cdef Pair* pairs
    cdef Py_ssize_t level, base, scope_room, pair_count, pair_room

    def __cinit__(self):
        self.level = -1

    def __dealloc__(self):
        self.leave(-1)
        free(self.scopes)
        free(self.pairs)

    cdef int enter(self, object dataset, uint32_t sequence) except -1:
        """Note the elements of a data set or item, ascending."""
        cdef PyObject* key
        cdef PyObject* value
        cdef Py_ssize_t position = 0
        cdef Scope* scope
        cdef bint ascending = True
        elements = getattr(dataset, "_dict", None)
        if elements is None:
            raise self.names.no_items(sequence, dataset)
        if type(elements) is not dict:
            elements = dict(elements)
        self.open_scope(dataset)
        while PyDict_Next(elements, &position, &key, &value):
            self.note(<object> key, <object> value, &ascending)
        scope = &self.scopes[self.level]
        scope.stop = self.pair_count
        if not ascending:
            qsort(&self.pairs[scope.start], scope.stop - scope.start, sizeof(Pair), _by_tag)
        return 0

    cdef int open_scope(self, object dataset) except -1:
        cdef Scope* scope
        if self.level + 1 == self.scope_room:
            scope = <Scope*> realloc(self.scopes, (self.scope_room * 2 + 8) * sizeof(Scope))
            if scope == NULL:
                raise MemoryError
            self.scopes = scope
            self.scope_room = self.scope_room * 2 + 8
        self.level += 1
        scope = &self.scopes[self.level]
        Py_INCREF(dataset)
        scope.dataset = <PyObject*> dataset
        scope.copied = scope.encodings = scope.items = NULL
        scope.start = scope.at = scope.stop = self.pair_count
        scope.rewritten = -1
        return 0

    cdef inline int note(self, object key, object element, bint* ascending) except -1:
        cdef Pair* more
        cdef uint32_t tag = key
        if self.pair_count == self.pair_room:
            more = <Pair*> realloc(self.pairs, (self.pair_room * 2 + 64) * sizeof(Pair))
            if more == NULL:
                raise MemoryError
            self.pairs = more
            self.pair_room = self.pair_room * 2 + 64
        if self.pair_count > self.scopes[self.level].start and (
                self.pairs[self.pair_count - 1].tag > tag):
            ascending[0] = False
        Py_INCREF(element)
        self.pairs[self.pair_count] = Pair(tag, <PyObject*> element)
        self.pair_count += 1
        return 0

    cdef int leave(self, Py_ssize_t level) except -1:
        """Let go of all scopes inside one."""
        cdef Scope* scope
        cdef PyObject* element
        while self.level > level:
            scope = &self.scopes[self.level]
            while self.pair_count > scope.start:
                self.pair_count -= 1
                element = self.pairs[self.pair_count].element
                Py_DECREF(<object> element)
                scope = &self.scopes[self.level]
            self.close_items(scope)
            Py_XDECREF(scope.copied)
            Py_XDECREF(scope.encodings)
            self.level -= 1
            Py_DECREF(<object> scope.dataset)
        return 0

    cdef int open_items(self, uint32_t tag, list items) except -1:
        cdef Scope* scope = &self.scopes[self.level]
        if self.level - self.base >= DEPTH:
            raise self.names.too_deep(DEPTH)
        Py_INCREF(items)
        scope.items = <PyObject*> items
        scope.item = 0
        scope.sequence = tag
        return 0

    cdef int close_items(self, Scope* scope) except -1:
        cdef PyObject* items = scope.items
        scope.items = NULL
        Py_XDECREF(items)
        return 0

    cdef object dataset(self):
        return <object> self.scopes[self.level].dataset

    cdef object find(self, Py_ssize_t level, uint32_t tag):
        """Return the element of a scope with a tag, or None."""
        cdef Py_ssize_t low = self.scopes[level].start
        cdef Py_ssize_t stop = self.scopes[level].stop
        cdef Py_ssize_t high = stop
        cdef Py_ssize_t middle
        while low < high:
            middle = (low + high) // 2
            if self.pairs[middle].tag < tag:
                low = middle + 1
            else:
                high = middle
        if low < stop and self.pairs[low].tag == tag:
            return <object> self.pairs[low].element
        return None

    cdef object encodings(self):
        """Return the Specific Character Set that counts here: its own, or the nearest around it."""
        cdef Py_ssize_t level = self.level
        cdef object own = None
        if self.scopes[level].encodings != NULL:
            return <object> self.scopes[level].encodings
        while level >= 0 and own is None:
            own = self.find(level, TAG_CHARACTER_SET)
            level -= 1
        own = self.names.encodings_of(own)
        if self.scopes[self.level].encodings == NULL:
            Py_INCREF(own)
            self.scopes[self.level].encodings = <PyObject*> own
        return own

    cdef object pixel_representation(self):
        """Return the nearest Pixel Representation (0028,0103)."""
        cdef Py_ssize_t level = self.level
        while level >= 0:
            found = self.names.first_number(self.find(level, TAG_PIXEL_REPRESENTATION))
            if found is not None:
                return found
            level -= 1
        return None

    cdef object copied(self, Py_ssize_t level):
        """Return a copy of a data set, for pydicom to change."""
        if self.scopes[level].copied == NULL:
            found = self.names.copied(<object> self.scopes[level].dataset)
            Py_INCREF(found)
            self.scopes[level].copied = <PyObject*> found
        return <object> self.scopes[level].copied

    cdef list all_copied(self):
        """Return copies of this scope and those around it, nearest first."""
        return [self.copied(level) for level in range(self.level, -1, -1)]

    cdef bint is_rewritten(self, object encoding) except -1:
        """Do as `rare.is_rewritten`, which is asked only where it is not plain."""
        cdef Scope* scope = &self.scopes[self.level]
        cdef int answer = scope.rewritten
        if answer < 0:
            answer = self.ask_rewritten(<object> scope.dataset, encoding)
            self.scopes[self.level].rewritten = answer
        return answer

    cdef int ask_rewritten(self, object dataset, object encoding) except -1:
        cdef object own
        if (dataset._read_implicit is not (<tuple> encoding)[0]
                or dataset._read_little is not (<tuple> encoding)[1]):
            return self.names.is_rewritten(dataset, encoding)
        own = self.find(self.level, TAG_CHARACTER_SET)
        if own is None:
            return dataset._read_charset != dataset._parent_encoding
        if type(own) is self.raw_type and (<tuple> own)[3] is not None:
            key = (<tuple> own)[3]
            known = _charsets.get(key)
            if known is not None and known == dataset._read_charset:
                return False
            answer = self.names.is_rewritten(dataset, encoding)
            if not answer and len(_charsets) < 256 and isinstance(dataset._read_charset, list):
                _charsets[key] = list(dataset._read_charset)
            return answer
        return self.names.is_rewritten(dataset, encoding)

# The data set and the items that are open; part of _dataset_c.pyx.

cdef struct Pair:
    uint32_t tag
    PyObject* element    # owned, as is
    PyObject* value      # of a decoded one; NULL if it was not asked for

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define dicomseal_prefetch(p) __builtin_prefetch(p)
    #else
    #define dicomseal_prefetch(p) ((void) (p))
    #endif
    """
    void prefetch "dicomseal_prefetch"(const void*) noexcept nogil

cdef extern from "Python.h":
    # as a pointer, so that nothing is raised yet for an attribute that is missing
    PyObject* own_attribute "PyObject_GenericGetAttr"(object, object) noexcept
    void PyErr_Clear() noexcept

cdef enum:
    NO_TAG = 0xFFFFFFFFU  # a tag of no element (PS3.5 Section 7.5)

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


cdef inline uint32_t as_tag(PyObject* key) noexcept:
    """Return a key of a data set as a number, and run no code of Python for that."""
    cdef int overflow = 0
    cdef int64_t number
    if not PyLong_Check(<object> key):
        return NO_TAG
    number = PyLong_AsLongLongAndOverflow(<object> key, &overflow)
    return NO_TAG if overflow or not 0 <= number < NO_TAG else <uint32_t> number


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
        cdef PyObject* element
        cdef Py_ssize_t position = 0
        cdef Py_ssize_t start
        cdef Scope* scope
        cdef Pair* pair
        cdef Pair* stop
        cdef uint32_t last = 0
        cdef bint ascending = True
        elements = getattr(dataset, "_dict", None)
        if elements is None:
            raise self.names.no_items(sequence, dataset)
        if type(elements) is not dict:
            elements = dict(elements)
        self.open_scope(dataset)
        start = self.pair_count
        self.make_pairs(len(<dict> elements))
        pair = &self.pairs[start]
        # all that takes a look at memory is begun at once: objects lie far from one another
        while PyDict_Next(elements, &position, &key, &element):
            prefetch(key)
            prefetch(element)
            pair.value = key
            pair.element = element
            pair += 1
        stop = self.pairs + start + len(<dict> elements)
        pair = &self.pairs[start]
        while pair != stop:  # no code of Python runs here: nothing else holds on to the objects
            key = pair.value
            pair.value = NULL
            pair.tag = as_tag(key)
            if pair.tag == NO_TAG:
                raise self.names.no_tag(sequence, <object> key)
            Py_INCREF(<object> pair.element)
            if pair.tag < last:
                ascending = False
            last = pair.tag
            self.pair_count += 1
            pair += 1
        self.take_values(start)
        scope = &self.scopes[self.level]
        scope.stop = self.pair_count
        if not ascending:
            qsort(&self.pairs[start], scope.stop - start, sizeof(Pair), _by_tag)
        return 0

    cdef int make_pairs(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room = self.pair_count + more
        cdef Pair* pairs
        if room > self.pair_room:
            room = max(room, self.pair_room * 2 + 64)
            pairs = <Pair*> realloc(self.pairs, room * sizeof(Pair))
            if pairs == NULL:
                raise MemoryError
            self.pairs = pairs
            self.pair_room = room
        return 0

    cdef int take_values(self, Py_ssize_t start) except -1:
        """Take the values of decoded elements, one right after the other."""
        cdef Py_ssize_t i
        for i in range(start, self.pair_count):
            if type(<object> self.pairs[i].element) is self.element_type:
                self.pairs[i].value = own_attribute(<object> self.pairs[i].element, "_value")
                if self.pairs[i].value == NULL:
                    PyErr_Clear()  # `decoded` asks again, and says of which element it is
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

    cdef int leave(self, Py_ssize_t level) except -1:
        """Let go of all scopes inside one."""
        cdef Scope* scope
        cdef PyObject* element
        while self.level > level:
            scope = &self.scopes[self.level]
            while self.pair_count > scope.start:
                self.pair_count -= 1
                element = self.pairs[self.pair_count].element
                Py_XDECREF(self.pairs[self.pair_count].value)
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
        cdef object own, key
        if (dataset._read_implicit is not (<tuple> encoding)[0]
                or dataset._read_little is not (<tuple> encoding)[1]):
            return self.names.is_rewritten(dataset, encoding)
        own = self.find(self.level, TAG_CHARACTER_SET)
        if own is None:
            return dataset._read_charset != dataset._parent_encoding
        key = None
        if type(own) is self.raw_type:
            if (<tuple> own)[1] == "CS":
                key = (<tuple> own)[3]
        elif type(own) is self.element_type:
            key = own._value
        if type(key) is bytes or type(key) is str:
            known = _charsets.get(key)
            if known is not None and known == dataset._read_charset:
                return False
            answer = self.names.is_rewritten(dataset, encoding)
            if not answer and len(_charsets) < 256 and isinstance(dataset._read_charset, list):
                _charsets[key] = list(dataset._read_charset)
            return answer
        return self.names.is_rewritten(dataset, encoding)

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: auto_pickle=False, autotestdict=False, embedsignature=False
"""The compiled twin of dicomseal.encoding._index_py: 32 bytes a record, and no GIL while it walks.

If the source already is canonical (explicit VR little endian), neighbouring elements are not looked
at again when they are hashed: they form a run, and a run goes to the encoder as one slice.
"""

cimport cython
from cpython.buffer cimport PyBUF_READ, PyBUF_SIMPLE, PyBUF_WRITE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeASCII
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memcpy, memset

cdef extern from "_pread.h" nogil:
    long long seal_pread(int descriptor, void* to, size_t length, unsigned long long at)

from dicomseal.encoding._encoder_c cimport BLOCK, VR_KNOWN, VR_LONG, VR_SPACE, Encoder, signable, traits

from dicomseal.encoding import record as _record
from dicomseal.standard import dictionary as _dictionary
from dicomseal.encoding.limits import Limits
from dicomseal.encoding.record import Ambiguity, Coverage, Record
from dicomseal.encoding.record import MAC_FIELDS as _MAC_FIELDS
from dicomseal.encoding.record import SIGNATURE_FIELDS as _SIGNATURE_FIELDS
from dicomseal.encoding.record import RawMac as _RawMac
from dicomseal.encoding.record import SignatureValues as _SignatureValues
from dicomseal.encoding.record import SoleSignature as _SoleSignature
from dicomseal.errors import MalformedError, SourceError
from dicomseal.standard.terms import DIRECTORY_VRS as _DIRECTORY_VRS

include "_records.pxi"
include "_source.pxi"
include "_builder.pxi"
include "_implicit.pxi"
include "_checks.pxi"
include "_walk.pxi"
include "_fast_walk.pxi"
include "_wanted.pxi"


cdef frozenset _NONE = frozenset()


cdef list _told(Notes* notes):
    cdef uint32_t i
    return [
        Ambiguity(
            _record.KINDS[notes.first[i].kind], notes.first[i].tag, notes.first[i].number
        )
        for i in range(notes.count)
    ]


# the memory of the previous index, for the next one: fresh pages cost as much as the walk
cdef Rec* _spare = NULL
cdef uint32_t _spare_room = 0


@cython.final
@cython.no_gc  # in a cycle of others it would hold a memoryview that cannot be released yet
cdef class Index(_Walk):
    """The records of an encoded data set; see dicomseal.encoding._index_py.Index."""

    cdef uint64_t _most_bytes  # the limit for a value that is read as such

    def __cinit__(self, source, uint64_t start=0, stop=None, *, bint implicit=False,
                  bint big_endian=False, int root=ITEM, limits=None, int level=0,
                  pixel_representation=None):
        global _spare, _spare_room
        cdef Rec* rec
        cdef uint64_t end
        limits = Limits() if limits is None else limits
        self._given, self._limits, self._level = source, limits, level
        if hasattr(source, "readinto"):
            self._source = source
            self._descriptor = getattr(source, "descriptor", -1)
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
        self._most = min(limits.records, 0x7FFFFFF0)
        self._most_bytes = max(limits.value, 0)
        self._depth = min(limits.depth, 0x3FFFFFF0)
        self._implicit = implicit
        self._swapped = big_endian
        self._guesses = []
        if implicit:
            self._load_dictionary()
            if pixel_representation is not None:
                self._hints[0, TAG_PIXEL_REPRESENTATION] = pixel_representation
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
            if self._length_count and not self._trouble.kind:
                self._check_group_lengths()
        if self._macro_count and not self._trouble.kind:
            self._check_macros()
        free(self._frames)
        self._frames = NULL
        if self._trouble.kind:
            self._raise(limits)
        free(self._soft)
        self._soft = NULL
        if self._guesses:
            self._resolve()

    def __dealloc__(self):
        global _spare, _spare_room
        if self._room > _spare_room and self._room <= MAX_SPARE:
            free(_spare)
            _spare = self._recs
            _spare_room = self._room
        else:
            free(self._recs)
        free(self._frames)
        free(self._soft)
        free(self._scopes)
        free(self._lengths)
        free(self._macros)
        free(self._window)
        if self._has_view:
            PyBuffer_Release(&self._view)

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
        """Return the records (root or items) that directly hold a Digital Signatures Sequence."""
        return [self._scopes[i] for i in range(self._scope_count)]

    @property
    def ambiguities(self):
        """Return the first 100 places that readers may take differently."""
        return _told(&self._ambiguous)

    @property
    def oddities(self):
        """Return the first 100 places that differ from the standard and mislead nobody."""
        return _told(&self._odd)

    @property
    def noted(self):
        """Return the kinds of everything that was noted, see encoding.record.KINDS."""
        if not self._noted:
            return _NONE  # most objects have no notes, and the caller asks several times
        return frozenset(
            kind for i, kind in enumerate(_record.KINDS) if self._noted & (1U << i)
        )

    @property
    def free(self):
        """Return how many elements have a content that neither a signature nor a rule fixes."""
        return self._free

    @property
    def trailing(self):
        """Return how many zero bytes follow the data set."""
        return self._trailing

    @property
    def fragmented(self):
        """Return whether there is a fragment anywhere."""
        return self._fragmented

    @property
    def unknown(self):
        """Return whether the root is a sequence that holds an element of unknown VR."""
        return self._recs[0].bits & UNKNOWN_VR != 0

    @property
    def implicit(self):
        """Return how it is encoded."""
        return self._implicit

    @property
    def big_endian(self):
        """Return how it is encoded."""
        return self._swapped

    @property
    def guessed(self):
        """Return which kinds of ambiguous VR occur, see `dictionary.AMBIGUOUS`."""
        return frozenset(kind for _, kind in self._guesses)

    def record(self, uint32_t number):
        """Return one record; numbers run from 0, the root, in the order of the bytes."""
        cdef Rec* rec = self._at(number)
        # the effect of Record(...) without its Python code
        return tuple.__new__(Record, (
            rec.tag, _letters(rec.vr), rec.bits & KIND, rec.bits >> 3, rec.start,
            content(rec) if number else rec.start, rec.end, rec.next, rec.parent,
        ))

    def children(self, uint32_t number):
        """Yield the numbers of the records directly inside one."""
        cdef list found = []
        cdef uint32_t stop = self._at(number).next
        number += 1
        while number < stop:
            found.append(number)
            number = self._recs[number].next
        return iter(found)

    def starts(self, uint32_t number):
        """Return the offsets of the first bytes of the records directly inside one."""
        cdef list found = []
        cdef uint32_t stop = self._at(number).next
        number += 1
        while number < stop:
            found.append(self._recs[number].start)
            number = self._recs[number].next
        return found

    def images(self, uint32_t number):
        """Return how many fragments of a value begin as an image; the first is a table."""
        cdef uint32_t stop = self._at(number).next
        cdef uint32_t count = 0
        number = self._recs[number + 1].next if number + 1 < stop else stop
        while number < stop:
            if self._recs[number].bits & IMAGE:
                count += 1
            number = self._recs[number].next
        return count

    def present(self, uint32_t scope):
        """Return the tags of the elements directly inside a scope."""
        cdef set found = set()
        cdef uint32_t stop = self._at(scope).next
        cdef uint32_t number = scope + 1
        while number < stop:
            found.add(self._recs[number].tag)
            number = self._recs[number].next
        return found

    def all_signable(self, uint32_t scope, bint include_guessed=False):
        """Return the list of what can be signed inside a scope; None if an element cannot be."""
        cdef uint32_t stop = self._at(scope).next
        cdef uint32_t number, tag
        cdef uint32_t obstacles = UNKNOWN_VR if include_guessed else UNKNOWN_VR | PRIVATE
        cdef Py_ssize_t count = 0
        cdef bytes found
        cdef uint8_t* p
        number = scope + 1
        while number < stop:
            if signable(self._recs[number].tag):
                if self._recs[number].bits & obstacles:
                    return None
                count += 1
            number = self._recs[number].next
        found = PyBytes_FromStringAndSize(NULL, 4 * count)
        p = found
        number = scope + 1
        while number < stop:
            if signable(self._recs[number].tag):
                tag = self._recs[number].tag
                p[0] = tag >> 16 & 0xFF
                p[1] = tag >> 24
                p[2] = tag & 0xFF
                p[3] = tag >> 8 & 0xFF
                p += 4
            number = self._recs[number].next
        return found

    def following(self, uint32_t scope, uint32_t tag):
        """Return the number of the first element inside a scope with a greater tag, or -1."""
        cdef uint32_t stop = self._at(scope).next
        cdef uint32_t number = scope + 1
        while number < stop and self._recs[number].tag <= tag:
            number = self._recs[number].next
        return number if number < stop else -1

    def fragments(self, uint32_t scope):
        """Return the numbers of all fragments inside a scope, nested ones too."""
        cdef uint32_t stop = self._at(scope).next
        cdef uint32_t number
        cdef list found = []
        if not self._fragmented:
            return found  # most objects have none; a walk over all records can be spared
        for number in range(scope + 1, stop):
            if self._recs[number].bits & KIND == FRAGMENT:
                found.append(number)
        return found

    cdef int64_t _find(self, uint32_t scope, uint32_t tag) except -2:
        cdef uint32_t stop = self._at(scope).next
        cdef uint32_t number = scope + 1
        with nogil:
            while number < stop and self._recs[number].tag != tag:
                number = self._recs[number].next
        return number if number < stop else -1

    def find(self, uint32_t scope, uint32_t tag):
        """Return the number of the first element with this tag directly inside a scope, or -1."""
        return self._find(scope, tag)

    def sole_signature(self):
        """Return the signature of an object that has one, with the MAC Parameters it names.
        """
        cdef int64_t parameters = self._only_item(TAG_PARAMETERS)
        cdef int64_t item = self._only_item(TAG_SIGNATURES)
        if (parameters < 0 or item < 0 or self._scope_count != 1 or self._noted
                or self._trailing):
            return None
        values = self.signature(item)
        mac = self.mac_parameters(parameters)
        number = (<tuple> values)[0]
        if number is None or number != _number((<tuple> mac)[0], self._swapped):
            return None
        return tuple.__new__(_SoleSignature, (parameters, item, values, mac))

    cpdef object signature(self, uint32_t item):
        """Return the values in an item of the Digital Signatures Sequence."""
        cdef list found = self._values(item, _SIGNATURE_FIELDS)
        return tuple.__new__(_SignatureValues, (
            _number(found[0], self._swapped), _text(found[1]), _text(found[2]), _text(found[3]),
            found[4] or b"", found[5] or b"", _text(found[6]), found[7] or b"",
            self._find(item, TAG_PURPOSES) >= 0,
        ))

    cpdef object mac_parameters(self, uint32_t item):
        """Return the values in an item of the MAC Parameters Sequence."""
        cdef list found = self._values(item, _MAC_FIELDS)
        return tuple.__new__(
            _RawMac, (found[0], found[1], found[2], self.listed(item, TAG_LISTED))
        )

    cdef int64_t _only_item(self, uint32_t tag) except -2:
        cdef int64_t number = self._find(0, tag)
        if number < 0 or self._recs[number].bits & KIND != SEQUENCE:
            return -1
        if number + 1 < self._recs[number].next == self._recs[number + 1].next:
            return number + 1
        return -1

    def holds(self, uint32_t scope, tags):
        """Return whether all these tags are directly inside a scope."""
        cdef uint32_t tag
        for tag in tags:
            if self._find(scope, tag) < 0:
                return False
        return True

    def value(self, uint32_t number):
        """Return a copy of the stored value of an element or fragment."""
        cdef Rec* rec = self._at(number)
        cdef uint64_t start = content(rec) if number else rec.start
        cdef uint64_t length = rec.end - start
        if self._bytes == NULL and length > WINDOW:
            return self._source.read(start, length)
        if length == 0:
            return b""
        return PyBytes_FromStringAndSize(<char*> self._need(start, length), length)

    def values(self, uint32_t scope, tags):
        """Return the values of the first elements with these tags directly inside a scope."""
        return self._values(scope, tags)

    cdef list _values(self, uint32_t scope, tags):
        cdef list found = []
        cdef uint32_t stop = self._at(scope).next
        cdef uint32_t number = scope + 1
        cdef uint32_t tag
        for tag in tags:
            # tags usually come ascending, so the search goes on where the last one ended
            if number >= stop or self._recs[number].tag > tag or self._ambiguous.count:
                number = scope + 1
            while number < stop and self._recs[number].tag != tag:
                if self._recs[number].tag > tag and not self._ambiguous.count:
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

    cpdef bytes listed(self, uint32_t scope, uint32_t tag):
        """Return the value of the first element with this tag; empty without one, or if not AT."""
        cdef int64_t number = self._find(scope, tag)
        if number < 0 or self._recs[number].vr != VR_AT:
            return b""
        return self._bounded(number, 16 * self._most_bytes)

    # --- the canonical stream ---------------------------------------------------------------------

    def stream(self, update, uint32_t scope=0, tags=None, *, without=(), bint legacy=False):
        """Feed the canonical form of a scope's elements to a hasher (PS3.3 C.12.1.1.3.1.1)."""
        cdef _Stream out = _Stream(self, Encoder(update), legacy)
        cdef _Wanted wanted = None if tags is None else _listed.wanted(tags)
        cdef uint32_t signed = 0
        cdef uint32_t unsigned = 0
        cdef list unknown = []
        self._at(scope)
        out.scope(scope, wanted, _left_out.wanted(without) if without else None, &signed, &unsigned,
                  unknown)
        # what Coverage(...) does in the end, without the detour through Python code
        return tuple.__new__(Coverage, (signed, unsigned, tuple(unknown)))

    def tags(self, uint32_t start, uint32_t stop):
        """Return the tags of these records; -1 for items and fragments."""
        cdef list found = []
        cdef uint32_t number
        for number in range(start, min(stop, self._count)):
            found.append(-1 if self._recs[number].bits & KIND >= ITEM else self._recs[number].tag)
        return found

    def choose(self, uint32_t number, str vr):
        """Choose another VR for an element of a data set that is not in big endian."""
        cdef Rec* rec = self._at(number)
        if rec.bits & KIND == ELEMENT and len(vr) == 2 and rec.vr != _code(vr):
            rec.vr = _code(vr)
            rec.bits |= REWRITE

    def stream_between(self, update, uint32_t start, uint32_t stop, uint32_t inside,
                       uint32_t scope):
        """Feed a part of the canonical form of one signed element."""
        cdef _Stream out = _Stream(self, Encoder(update), False)
        cdef uint32_t depth = 0
        cdef uint32_t low
        self._at(inside)
        self._at(scope)
        stop = min(stop, self._count)
        while inside != scope and inside:
            inside = self._recs[inside].parent
            if inside != scope and self._recs[inside].bits & KIND in (SEQUENCE, ENCAPSULATED):
                out.ends[depth] = self._recs[inside].next
                depth += 1
        for low in range(depth // 2):  # the outermost comes first
            out.ends[low], out.ends[depth - 1 - low] = out.ends[depth - 1 - low], out.ends[low]
        with nogil:
            out.emit(start, stop, depth)
            out.end()
        out.encoder.flush()

    def stream_items(self, Encoder encoder, bint legacy=False):
        """Write the items or fragments of an index whose root is a sequence to an encoder."""
        cdef _Stream out = _Stream(self, encoder, legacy)
        with nogil:
            out.emit(1, self._count, 0)
            out.end()


include "_stream.pxi"

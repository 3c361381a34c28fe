# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: auto_pickle=False, autotestdict=False, embedsignature=False
"""The compiled twin of dicomseal.encoding._dataset_py: from Python's objects to the hasher.

What is small gathers in one block of memory; what is large stays where it is. Sequences inside one
another are frames on the heap, so depth costs no stack. Of each data set the elements are noted
when it is met: it may be changed meanwhile, by another thread or by the hasher.
"""

cimport cython
from cpython.buffer cimport PyBUF_READ, PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_Next
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_Check
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_Check
from cpython.mem cimport PyMem_Free
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from libc.math cimport isfinite, isinf
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memchr, memcpy, memmove, strlen

cdef extern from "Python.h":
    bint PyUnicode_Check(object)
    bint PyUnicode_IS_ASCII(object)
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    bint PyType_IsSubtype(object, object)
    char* PyOS_double_to_string(double, char, int, int, int*) except? NULL
    enum:
        Py_DTSF_ADD_DOT_0

from dicomseal.encoding._encoder_c cimport (
    VR_KNOWN, VR_LONG, VR_SPACE, Encoder, is_kept, signable, traits, write_tag_and_vr,
)
from dicomseal.encoding._index_c cimport public_vr

from dicomseal.encoding import record as _record
from dicomseal.encoding._encoder_c import KEPT
from dicomseal.encoding._index_c import Index
from dicomseal.encoding.pieces import Stretch, Swapped
from dicomseal.errors import DicomSealError, EncodingError
from dicomseal.standard.dictionary import AMBIGUOUS_NAMES, dictionary, resolved

DEPTH = 2048  # as `Limits.depth`

cdef enum:
    CHUNK = 65536
    DIRECT = 16384    # values of this size and more are not copied on their way to a hasher
    STAYS = 65536     # nor these on their way into a source
    ENOUGH = 65536    # is handed over at once
    UNDEFINED_LENGTH = 0xFFFFFFFFU
    TAG_CHARACTER_SET = 0x00080005U
    TAG_PIXEL_REPRESENTATION = 0x00280103U
    TAG_LUT_DESCRIPTOR = 0x00283002U
    TAG_PIXEL_DATA = 0x7FE00010U
    VR_CS = 0x5343
    VR_OB = 0x424F
    VR_OW = 0x574F
    VR_SQ = 0x5153
    VR_UN = 0x4E55

cdef bytes _DELIMITER = bytes.fromhex("FEFFDDE000000000")

include "_arena.pxi"
include "_swapped.pxi"
include "_dataset_values.pxi"
include "_dataset_scopes.pxi"
include "_dataset_octets.pxi"

_fill_values()


cdef inline uint16_t letters(object vr):
    """Return a VR as a number; 0 where it is no two letters."""
    cdef const uint8_t* p
    if PyUnicode_Check(vr) and PyUnicode_IS_ASCII(vr) and PyUnicode_GET_LENGTH(vr) == 2:
        p = <const uint8_t*> PyUnicode_DATA(vr)
        return p[0] | <uint16_t> p[1] << 8
    return 0


cdef bint is_as_written(object value) except -1:
    """Return whether text that was read is what pydicom writes of it.

    With no more padding than it needs.
    """
    cdef const char* p
    cdef Py_ssize_t length
    if type(value) is not bytes:
        return value is None
    p = <const char*> <bytes> value
    length = len(<bytes> value)
    if length & 1 or not is_ascii(p, length):
        return False
    if length and p[length - 1] == b" ":
        length -= 1
    return length == 0 or (p[length - 1] != b" " and p[length - 1] != 0)


@cython.final
cdef class _Walk(_Octets):
    """Puts elements out, with all that is in them."""

    cdef bint element(self, uint32_t tag, object element, PyObject* value) except -1:
        """Put one element of the innermost scope out, or open its sequence; 0 if it is not signed.

        Raises an `EncodingError` for whatever goes wrong with it.
        """
        try:
            if value != NULL:
                return self.decoded(tag, element, <object> value)
            if isinstance(element, self.raw_type):
                return self.raw(tag, element)
            return self.decoded(tag, element, element.value)
        except DicomSealError:
            raise
        except Exception as error:  # whatever pydicom and values of other programs raise
            raise self.names.failed(tag, error) from error

    cdef bint whole(self, Pair* pair) except -1:
        """Put one element of the scope out, and what is in it; 0 if it cannot be signed."""
        cdef Py_ssize_t level = self.level
        cdef Py_ssize_t begin = self.used
        cdef Scope* scope
        cdef object items
        if not self.element(pair.tag, <object> pair.element, pair.value):
            self.take_back(begin)
            return False
        while True:
            scope = &self.scopes[self.level]
            if scope.items != NULL:
                items = <object> scope.items
                if scope.item < len(<list> items):
                    scope.item += 1
                    self.put_item()
                    self.enter((<list> items)[scope.item - 1], scope.sequence)
                else:
                    self.close_items(scope)
                    self.put_close()
            elif self.level == level:
                return True
            elif scope.at < scope.stop:
                pair = &self.pairs[scope.at]
                scope.at += 1
                if self.has_place(pair.tag):
                    if not self.element(pair.tag, <object> pair.element, pair.value):
                        self.leave(level)
                        self.close_items(&self.scopes[level])
                        self.take_back(begin)
                        return False
            else:
                self.put_item_end()
                self.leave(self.level - 1)

    cdef inline bint has_place(self, uint32_t tag) noexcept:
        """Return whether an element is put out.

        Pydicom writes no group lengths (PS3.5 Section 7.2).
        """
        if self.canonical:
            return signable(tag)
        return tag & 0xFFFF != 0 or tag >> 16 <= 6

    # --- what an element is ----------------------------------------------------------------------

    cdef bint without_vr(self, uint32_t tag, object vr) except -1:
        """Raise the error for an element without a VR: UN, or one newer than this program."""
        if self.canonical:
            return False
        raise self.names.unknown_vr(tag, vr)

    cdef bint raw(self, uint32_t tag, object element) except -1:
        """Return an element that was read and not decoded: a tuple."""
        cdef tuple parts = <tuple> element
        cdef object vr = parts[1]
        cdef object value = parts[3]
        cdef uint16_t code = 0
        cdef bint undefined
        cdef bint again = False
        if vr is not None:
            code = letters(vr)
            if not traits(code) & VR_KNOWN and vr not in AMBIGUOUS_NAMES:
                return self.without_vr(tag, vr)
        # when it writes, pydicom decodes Specific Character Set, deferred values and empty UN
        if value is None and (code == VR_UN or parts[2] != 0):
            again = True
            if parts[2] != 0:
                parts = <tuple> self.names.deferred(self.dataset(), element)
        elif tag == TAG_CHARACTER_SET:
            again = code != VR_CS or not is_as_written(value)
        else:
            again = self.is_rewritten(self.encoding)
        if again:
            return self.decoded_anew(tag, parts)
        if value is None:
            value = b""
        elif type(value) is not bytes and not isinstance(value, (bytes, bytearray, memoryview)):
            if value:
                raise self.names.not_bytes(tag, value)
            value = b""
        undefined = <uint32_t> parts[2] == UNDEFINED_LENGTH
        if vr is None:
            code = self.implicit_vr(tag)
            if code == VR_UN and undefined:
                code = VR_SQ  # PS3.5 Section 7.5
        if code == VR_UN and self.canonical:
            return False
        if code == VR_SQ:
            if self.canonical:
                return self.indexed(tag, value, parts[5], not parts[6])
            if not parts[6]:
                value = self.in_little_endian(value)
                if value is None:
                    return self.decoded_anew(tag, parts)
                return self.plain(tag, code, value, False, False)
        elif undefined or (tag == TAG_PIXEL_DATA and self.names.is_compressed(self.dataset())):
            return self.fragments(tag, value)
        if not traits(code) & VR_KNOWN:  # lower case, or pydicom's words for it
            code = letters(self.resolve(
                chr(code & 0xFF) + chr(code >> 8) if code else AMBIGUOUS_NAMES[vr], len(value)
            ))
        return self.plain(tag, code, value, not parts[6], self.canonical)

    cdef uint16_t implicit_vr(self, uint32_t tag) except? 0:
        """Return the VR that the bytes do not state, as the index of a file finds it."""
        cdef uint32_t block = tag >> 8 & 0xFF
        if not tag & 0x10000:
            return public_vr(tag)
        creator = self.find(self.level, tag & 0xFFFF0000U | block) if block >= 0x10 else None
        return letters(dictionary().private(tag, self.names.creator(creator)))

    cdef object resolve(self, str kind, Py_ssize_t length):
        known = None
        if kind == "xs":
            known = self.pixel_representation()
        elif kind == "lt":
            known = self.names.first_number(self.find(self.level, TAG_LUT_DESCRIPTOR))
        return resolved(kind, length, known)

    cdef bint indexed(self, uint32_t tag, object value, object implicit, object swapped) except -1:
        """Return a sequence that was not read into items, by the index of its bytes."""
        index = Index(value, implicit=implicit, big_endian=swapped, root=_record.SEQUENCE)
        if implicit and "xs" in index.guessed:
            index = Index(value, implicit=implicit, big_endian=swapped, root=_record.SEQUENCE,
                          pixel_representation=self.pixel_representation())
        if index.unknown:
            return False
        self.put_open(tag, VR_SQ)
        self.refer(index)
        self.put_close()
        return True

    cdef object in_little_endian(self, object value):
        """Return a sequence that was not read into items; None where pydicom must decode it.

        Raises a `MalformedError` as the file does into which pydicom puts these bytes.
        """
        Index(value, big_endian=True, root=_record.SEQUENCE)
        return little_endian(bytes(value))

    cdef bint decoded_anew(self, uint32_t tag, tuple parts) except -1:
        """Return an element that pydicom decodes now."""
        element = self.names.decoded(self.copied(self.level), parts)
        return self.decoded(tag, element, element.value)

    cdef bint decoded(self, uint32_t tag, object element, object value) except -1:
        cdef object vr = element.VR
        cdef uint16_t code = letters(vr)
        cdef int kind
        cdef Py_ssize_t at
        if not traits(code) & VR_KNOWN:
            if vr in AMBIGUOUS_NAMES:
                element = self.names.settled(element, self.all_copied())
                vr, value = element.VR, element.value
                code = letters(vr)
            if not traits(code) & VR_KNOWN:
                return self.without_vr(tag, str(vr))
        if code == VR_UN and self.canonical:
            return False
        if code == VR_SQ:
            if self.implicit and self.implicit_vr(tag) != VR_SQ and not element.is_undefined_length:
                return self.plain(
                    tag, code, self.names.unseen_sequence(element, self.encodings()), False, False)
            if type(value) is self.sequence_type:
                value = value._list
                self.open_items(tag, value[:] if type(value) is list else list(value))
            else:
                self.open_items(tag, list(value or ()))
            self.put_open(tag, VR_SQ)
            return True
        kind = VR_VALUES[code]
        if kind == BYTES:
            return self.octets(tag, code, element, value)
        at = self.begin_value(tag, code)
        if not (value is None or self.is_empty(value)) and not self.value(code, tag, value):
            self.take_back(at)
            at = self.begin_value(tag, code)
            self.put_bytes(self.names.written(element, str(vr), self.encodings()))
        return self.end_value(at, code, 0, self.canonical or code != VR_UN)


cdef _Walk begun(dataset, ancestors, encoding, bint canonical, bint implicit):
    from dicomseal.encoding import rare

    cdef _Walk walk = _Walk()
    walk.names = rare
    walk.element_type, walk.raw_type = rare.DataElement, rare.RawDataElement
    walk.name_type, walk.several_type = rare.PersonName, rare.MultiValue
    walk.sequence_type = rare.Sequence
    walk.float_type, walk.int_type = rare.DSfloat, rare.IS
    walk.encoding = encoding
    walk.canonical, walk.implicit = canonical, implicit
    for one in (*reversed(ancestors), dataset):
        walk.enter(one, 0)
    walk.base = walk.level
    return walk


def canonical(update, dataset, wanted, ancestors, encoding):
    """Feed the canonical form of a data set's elements to a hasher (PS3.3 C.12.1.1.3.1.1)."""
    cdef _Walk walk = begun(dataset, ancestors, encoding, True, False)
    cdef Scope* scope
    cdef Py_ssize_t signed = 0
    cdef Py_ssize_t unsigned = 0
    cdef list unknown = []
    cdef uint32_t tag
    cdef Py_ssize_t at
    for at in range(walk.scopes[walk.level].at, walk.scopes[walk.level].stop):
        tag = walk.pairs[at].tag
        if not walk.has_place(tag):
            continue
        # as a plain int: pydicom's tags compare in Python code
        if wanted is not None and <object> tag not in wanted:
            unsigned += 1
            continue
        if walk.whole(&walk.pairs[at]):
            signed += 1
            if walk.used >= ENOUGH or walk.others:
                walk.flush(update)
        else:
            unsigned += 1
            if wanted is not None:
                unknown.append(tag)
    walk.flush(update)
    return _record.Coverage(signed, unsigned, tuple(unknown))


def as_in_a_file(dataset, bint implicit, encoding):
    """Write all elements of a data set in little endian, signatures included, to `Pieces`."""
    cdef _Walk walk = begun(dataset, (), encoding, False, implicit)
    cdef Py_ssize_t at
    for at in range(walk.scopes[walk.level].at, walk.scopes[walk.level].stop):
        if walk.has_place(walk.pairs[at].tag):
            walk.whole(&walk.pairs[at])
    return walk.in_pieces()

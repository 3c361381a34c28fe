# Values that pydicom keeps as bytes; part of _dataset_c.pyx.


cdef class _Octets(_Scopes):
    """Puts out values that are bytes, native or encapsulated, in memory or in a buffered file."""

    cdef object encoding  # how pydicom will write it: in implicit VR, in little endian

    cdef bint is_empty(self, object value) except -1:
        """Return whether an element has no value, by its value.

        Text, bytes, a name, several of them.
        """
        if PyUnicode_Check(value):
            return PyUnicode_GET_LENGTH(value) == 0
        if PyLong_Check(value) or PyFloat_Check(value):
            return False
        # not isinstance: an abstract base class of pydicom answers that in Python code
        if PyType_IsSubtype(type(value), self.several_type) or PyType_IsSubtype(
                type(value), self.name_type):
            return not value
        if isinstance(value, (list, tuple, bytes, bytearray)):
            return not value
        return False

    cdef bint octets(self, uint32_t tag, uint16_t code, object element, object value) except -1:
        """Return a value that pydicom keeps as bytes."""
        # pydicom writes the words as they are, and a reader takes them for what the file is in
        cdef bint swapped = not (<tuple> self.encoding)[1]
        if element.is_undefined_length or (
                tag == TAG_PIXEL_DATA and self.names.is_compressed(self.dataset())):
            if code != VR_OB and code != VR_OW:
                raise self.names.without_length(tag, chr(code & 0xFF) + chr(code >> 8))
            return self.fragments(tag, value)
        if value is None or self.is_empty(value):
            value = b""
        elif type(value) is not bytes:
            if element.is_buffered:
                return self.buffered(tag, code, Stretch(value, None, tag), swapped)
            try:
                memoryview(value).cast("B")
            except (TypeError, ValueError, BufferError):
                value = self.names.written(element, chr(code & 0xFF) + chr(code >> 8), ())
        return self.plain(tag, code, value, swapped, self.canonical or code != VR_UN)

    cdef bint plain(self, uint32_t tag, uint16_t code, object value, bint swapped,
                    bint even) except -1:
        """Return a header with a length, and a value."""
        cdef Py_ssize_t at = self.begin_value(tag, code)
        cdef Py_ssize_t apart = 0
        cdef int width = traits(code) >> 3
        cdef Py_buffer view
        cdef bint small
        if type(value) is bytes and len(<bytes> value) < DIRECT and not swapped:
            self.put_bytes(<bytes> value)
            return self.end_value(at, code, 0, even)
        PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
        try:
            small = view.len < (DIRECT if self.canonical else STAYS)
            if swapped and width > 1:
                if small:
                    self.put_swapped(<const uint8_t*> view.buf, view.len, width)
                else:
                    self.refer((value, width) if self.canonical else Swapped(value, width))
                    apart = view.len
            elif small:
                self.put(view.buf, view.len)
            else:
                self.refer(value if self.canonical or type(value) is bytes
                           else memoryview(value).cast("B"))
                apart = view.len
        finally:
            PyBuffer_Release(&view)
        return self.end_value(at, code, apart, even)

    cdef bint buffered(self, uint32_t tag, uint16_t code, object stretch, bint swapped) except -1:
        cdef Py_ssize_t at
        cdef int width = traits(code) >> 3
        at = self.begin_value(tag, code)
        if len(stretch):
            self.refer(Swapped(stretch, width) if swapped and width > 1 else stretch)
        return self.end_value(at, code, len(stretch), True)

    cdef bint fragments(self, uint32_t tag, object value) except -1:
        """Return an encapsulated value, whose delimiter may be there or not."""
        if hasattr(value, "readinto"):
            whole = Stretch(value, None, tag)
            size = len(whole)
            ends = size >= 8 and whole.read(size - 8, 8) == _DELIMITER
            value = Stretch(value, size - 8, tag) if ends else whole
        else:
            value = bytes(value).removesuffix(_DELIMITER)
        self.put_open(tag, VR_OB)
        self.refer(Index(value, root=_record.ENCAPSULATED) if self.canonical else value)
        self.put_close()
        return True

"""Bodies of the media type ``multipart/related`` (RFC 2387), parsed while their bytes arrive.

The parser is python-multipart's (extra ``[gate]``). This module keeps no part of a body.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from ..errors import SourceError, UsageError

_MAX_HEADERS = 32  # of a part
_MAX_PREAMBLE = 1 << 16  # bytes
RELATED, DICOM = "multipart/related", "application/dicom"
# its messages about a bad body go to the peer and into the report, not also into the log
logging.getLogger("python_multipart").setLevel(logging.ERROR)


class Headers(NamedTuple):
    """The beginning of a part: Content-Location, and the media type in lower case."""

    media_type: str
    location: str


class Data(NamedTuple):
    """A piece of the content of the part."""

    data: bytes


class End(NamedTuple):
    """The end of the part."""


Event = Headers | Data | End


def media_type_of(content_type: str) -> tuple[str, dict[str, str]]:
    """Return a Content-Type in lower case, and its parameters by their names."""
    parse = _library().multipart.parse_options_header
    kind, given = parse(content_type.encode("latin-1", "replace"))
    parameters = {name.decode("latin-1"): value.decode("latin-1") for name, value in given.items()}
    return kind.decode("latin-1").lower(), parameters


class Parts:
    """The parts of a body, in their order.

    Args:
        content_type: of the body. The media type ``application/dicom`` itself is one part.

    Raises:
        SourceError: it is of another media type, or names no boundary (code ``media_type``).
        UsageError: python-multipart is not installed.
    """

    def __init__(self, content_type: str) -> None:
        kind, parameters = media_type_of(content_type)
        self._events: list[Event] = []
        self._parser: Any = None
        self._field, self._value = b"", b""
        self._headers: dict[str, str] = {}
        self._ended = False
        self._preamble: bytes | None = b""
        if kind == DICOM:
            self._events.append(Headers(kind, ""))
            return
        boundary = parameters.get("boundary", "")
        root = parameters.get("type", DICOM).partition(";")[0].strip().lower()
        if kind != RELATED or not boundary or root != DICOM:
            raise SourceError(
                f"the body is {content_type or 'of no media type'!r}, not {RELATED}; "
                f'type="{DICOM}"; boundary=…',
                "media_type",
            )
        library = _library()
        self._failure: type[Exception] = library.exceptions.FormParserError
        callbacks = {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_headers_finished": self._on_headers,
            "on_part_data": lambda data, start, end: self._events.append(Data(data[start:end])),
            "on_part_end": lambda: self._events.append(End()),
            "on_end": self._on_end,
        }
        self._begin = b"--" + boundary.encode("latin-1")
        try:
            self._parser = library.MultipartParser(
                boundary, callbacks, max_header_count=_MAX_HEADERS
            )
        except self._failure as error:
            raise SourceError(f"the boundary: {error}", "media_type") from None

    def feed(self, data: bytes) -> list[Event]:
        """Return the events in these bytes, so that memory is needed only for these bytes.

        Raises:
            SourceError: they are not such a body (code ``malformed``).
        """
        if self._parser is None:
            self._events.append(Data(data))
        elif not self._ended:  # bytes after the last boundary must be ignored (RFC 2046 5.1.1)
            try:
                self._parser.write(self._behind_preamble(data))
            except self._failure as error:
                raise SourceError(
                    f"the multipart body is malformed: {error}", "malformed"
                ) from None
        return self._handed_out()

    def close(self) -> list[Event]:
        """Return the remaining events at the end of the body.

        Raises:
            SourceError: the body ended before its last boundary (code ``truncated``).
        """
        if self._parser is None:
            self._events.append(End())
        elif self._preamble is not None and not self._may_begin(self._preamble):
            raise SourceError("the multipart body is malformed: it has no boundary", "malformed")
        elif not self._ended:
            raise SourceError("the multipart body broke off before its last boundary", "truncated")
        return self._handed_out()

    def _behind_preamble(self, data: bytes) -> bytes:
        """Return the bytes for the parser: those before the first boundary must be ignored.

        See RFC 2046 Section 5.1.1.
        """
        if self._preamble is None:
            return data
        self._preamble += data
        at = self._preamble.find(b"\r\n" + self._begin)
        if self._preamble.startswith(self._begin):
            at = 0
        if at >= 0:
            data, self._preamble = self._preamble[at:], None
            return data
        if len(self._preamble) > _MAX_PREAMBLE:
            raise self._failure(f"no boundary in the first {_MAX_PREAMBLE} bytes")
        return b""

    def _may_begin(self, data: bytes) -> bool:
        return any(one.startswith(data) for one in (self._begin, b"\r\n" + self._begin))

    def _handed_out(self) -> list[Event]:
        found = self._events
        self._events = []
        return found

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._field, self._value = b"", b""

    def _on_headers(self) -> None:
        kind, _ = media_type_of(self._headers.get("content-type", ""))
        self._events.append(Headers(kind, self._headers.get("content-location", "")))

    def _on_end(self) -> None:
        self._ended = True


def _library() -> Any:
    try:
        import python_multipart
        import python_multipart.exceptions
        import python_multipart.multipart
    except ImportError:
        raise UsageError("DICOM over HTTP needs the extra: pip install dicomseal[gate]") from None
    return python_multipart

"""Certificates as they occur in practice, read by asn1crypto: strict where it has an effect.

Names hold values that no standard allows (Latin-1 in a T61String, ``&`` in a PrintableString, a
structure in place of a text), and a chain does not depend on the spelling of a name as long as the
same bytes, or the same text, are in both places. So the attributes of names are read by their own
tags; a value that is not text is compared by its bytes. Dates, keys, algorithms and extensions are
read as RFC 5280 says, and an extension that cannot be read is remembered, see
`Certificate.unreadable`.

Nothing here is a parser: asn1crypto reads, with fewer expectations about names.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from asn1crypto import core, parser
from asn1crypto import x509 as asn1

# the exceptions of asn1crypto for bytes that it cannot parse
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError)

# RFC 4514 Section 3; other attributes are written as their numbers
_SHORT = {
    "2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
    "2.5.4.6": "C", "2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}  # fmt: skip
# tags of strings, and the encodings that are tried for them; Latin-1 accepts everything
_ENCODINGS = {
    12: ("utf-8", "latin-1"), 18: ("latin-1",), 19: ("ascii", "utf-8", "latin-1"),
    20: ("latin-1",), 21: ("latin-1",), 22: ("ascii", "utf-8", "latin-1"), 25: ("latin-1",),
    26: ("latin-1",), 27: ("latin-1",), 28: ("utf-32-be", "latin-1"), 30: ("utf-16-be", "latin-1"),
}  # fmt: skip
_SPECIAL = re.compile(r'([,+"\\<>;])')
# dates of a certificate: to the second, and in UTC (RFC 5280 Section 4.1.2.5)
_UTC_TIME, _GENERAL_TIME = re.compile(rb"\d{12}Z\Z"), re.compile(rb"\d{14}Z\Z")


class Value:
    """The value of an attribute in a name, by its own tag, whatever that is."""

    def __init__(self, found: Any) -> None:
        self._found = found

    @property
    def contents(self) -> bytes:
        """The bytes of its content."""
        return bytes(self._found.parsed.contents or b"")

    def dump(self) -> bytes:
        """Return its DER."""
        return bytes(self._found.dump())

    @property
    def text(self) -> str | None:
        """Its text; None if it is not text."""
        try:
            inner, contents = self._found.parsed, self.contents
            encodings = _ENCODINGS.get(inner.tag, ()) if inner.class_ == 0 else ()
        except UNREADABLE:
            return None
        for encoding in encodings:
            try:
                return contents.decode(encoding)
            except UnicodeDecodeError:
                continue
        return None

    @property
    def native(self) -> str:
        """Its text, or its bytes as RFC 4514 writes them."""
        text = self.text
        return f"#{self.dump().hex()}" if text is None else text


class Attribute(asn1.NameTypeAndValue):  # type: ignore[misc]
    """One attribute of a name."""

    _oid_pair = _oid_nums = None  # the type of the value does not depend on the attribute
    _oid_specs: ClassVar[dict[str, Any]] = {}
    _compared = ""

    def __getitem__(self, key: Any) -> Any:
        """Do as the base class, but accept a value of an unexpected type."""
        found = super().__getitem__(key)
        return Value(found) if isinstance(found, core.Any) else found

    @property
    def prepped_value(self) -> str:
        """The form for comparison (RFC 5280 Section 7.1); the bytes, if that cannot be prepared."""
        if not self._compared:
            text = self["value"].text
            self._compared = f"#{self['value'].dump().hex()}"
            if text is not None:
                # e.g. both directions of writing: it is then equal to the same bytes
                with contextlib.suppress(*UNREADABLE):
                    self._compared = self._ldap_string_prep(text)
        return self._compared

    @property
    def rfc4514(self) -> str:
        """The attribute as a report writes it."""
        number = self["type"].dotted
        text = self["value"].text
        if text is None:
            return f"{_SHORT.get(number, number)}={self['value'].native}"
        text = _SPECIAL.sub(r"\\\1", text).replace("\0", "\\00")
        if text[:1] in (" ", "#"):
            text = "\\" + text
        if text[-1:] == " " and len(text) > 1:
            text = text[:-1] + "\\ "
        return f"{_SHORT.get(number, number)}={text}"


class _Part(asn1.RelativeDistinguishedName):  # type: ignore[misc]
    _child_spec = Attribute


class _Parts(asn1.RDNSequence):  # type: ignore[misc]
    _child_spec = _Part

    def _make_value(self, value: Any) -> Any:
        """Accept a part of an ordinary name as well: the library extends names by such."""
        if isinstance(value, asn1.RelativeDistinguishedName) and not isinstance(value, _Part):
            value = _Part.load(value.dump())
        return super()._make_value(value)


class Name(asn1.Name):  # type: ignore[misc]
    """A distinguished name."""

    _alternatives = [("", _Parts)]  # noqa: RUF012

    @property
    def human_friendly(self) -> str:
        """As a report writes it (RFC 4514), the last part first."""
        parts = ["+".join(one.rfc4514 for one in part) for part in self.chosen]
        return ",".join(reversed(parts))


def with_names(fields: list[Any]) -> list[Any]:
    """Return the fields of a structure, with these names in place of the others."""
    return [(field[0], Name, *field[2:]) if field[1] is asn1.Name else field for field in fields]


class AsRead(core.Asn1Value):  # type: ignore[misc]
    """A structure whose bytes are those that were read, as they were signed.

    asn1crypto takes every length that ends with the byte 80 for an indefinite one (one in 256 of
    all) and encodes the structure again in DER, while an odd certificate is not in DER.
    """

    def dump(self, force: bool = False) -> bytes:
        header = self._header
        indefinite = header is None or len(header) == _HEADER_WITHOUT_LENGTH
        if force or indefinite or self._is_mutated():
            return bytes(super().dump(force=force))
        return bytes(core.Asn1Value.dump(self))


_HEADER_WITHOUT_LENGTH = 2  # a tag and 80, or a length below it


class _Tbs(AsRead, asn1.TbsCertificate):  # type: ignore[misc]
    _fields = with_names(asn1.TbsCertificate._fields)


class Certificate(AsRead, asn1.Certificate):  # type: ignore[misc]
    """A certificate that hides name constraints and alternative names from the library.

    The library knows no constraints on addresses and other names, and ends with an error of Python
    if there are some, or if a name is not ASCII. So they are left to `name_constraints`.
    """

    _fields = [("tbs_certificate", _Tbs), *asn1.Certificate._fields[1:]]  # noqa: RUF012
    _unreadable: tuple[str, ...] = ()

    @property
    def constraints(self) -> Any:
        """The Name Constraints, or None."""
        return super().name_constraints_value

    @property
    def name_constraints_value(self) -> None:
        """None: the library must not see them."""
        return None

    @property
    def alternatives(self) -> Any:
        """The Subject Alternative Names, or None."""
        return super().subject_alt_name_value

    @property
    def subject_alt_name_value(self) -> None:
        """None: the library must not see them."""
        return None

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The known extensions whose content cannot be read."""
        if not self._processed_extensions:
            self._set_extensions()
        return self._unreadable

    def _set_extensions(self) -> None:
        """Do as the base class, but remember an unreadable extension instead of raising."""
        self._critical_extensions = set()
        bad = []
        for extension in self["tbs_certificate"]["extensions"] or ():
            name = extension["extn_id"].native
            attribute = f"_{name}_value"
            if hasattr(self, attribute):
                try:
                    value = extension["extn_value"].parsed
                    encoded = extension["extn_value"].contents
                    if parser.peek(encoded) != len(encoded):
                        raise ValueError("bytes follow it")
                    _read(name, value)
                    setattr(self, attribute, value)
                except UNREADABLE:
                    bad.append(str(name))
            if extension["critical"].native:
                self._critical_extensions.add(name)
        self._unreadable = tuple(bad)
        self._processed_extensions = True


def _read(name: str, value: Any) -> None:
    """Read an extension as far as it has an effect; names stay as they are.

    Raises:
        ValueError and others of `UNREADABLE`: it has a wrong form.
    """
    if name in ("subject_alt_name", "issuer_alt_name"):
        for one in value:
            one.chosen  # noqa: B018
    elif name == "name_constraints":
        for subtrees in (value["permitted_subtrees"], value["excluded_subtrees"]):
            for one in () if isinstance(subtrees, core.Void) else subtrees:
                one["base"].chosen, one["minimum"].native, one["maximum"].native
    elif name in _DECIDING:
        value.native  # noqa: B018
    if name in _ELEMENTS:
        # if all elements are optional, asn1crypto ignores those that do not belong there
        allowed, rest = iter(_ELEMENTS[name]), bytes(value.contents or b"")
        while rest:
            one, rest = rest[: parser.peek(rest)], rest[parser.peek(rest) :]
            class_, _, tag, *_ = parser.parse(one)
            if (class_, tag) not in allowed:
                raise ValueError("an element of it is unknown, or in a wrong place")


_ELEMENTS = {  # classes and tags, in their order
    "basic_constraints": ((0, 1), (0, 2)),
    "policy_constraints": ((2, 0), (2, 1)),
    "name_constraints": ((2, 0), (2, 1)),
}
_DECIDING = frozenset(
    ("basic_constraints", "key_usage", "extended_key_usage", "policy_constraints",
     "inhibit_any_policy", "key_identifier")
)  # fmt: skip


class Read(NamedTuple):
    """The parts of a certificate that are needed besides its chain."""

    subject: str
    issuer: str
    serial: int
    public_key: bytes
    algorithm: str
    not_before: datetime
    not_after: datetime


def read(der: bytes) -> Read:
    """Read a certificate that `cryptography` refuses.

    Raises:
        ValueError and others of `UNREADABLE`: it is not a certificate, or a part of it that has an
            effect has a wrong form.
    """
    certificate = Certificate.load(der, strict=True)
    tbs = certificate["tbs_certificate"]
    tbs["version"].native, certificate["signature_value"].native
    first, last = (_moment_of(tbs["validity"][name]) for name in ("not_before", "not_after"))
    for extension in tbs["extensions"] or ():
        extension["extn_id"].dotted, extension["extn_value"].contents
    key = tbs["subject_public_key_info"]
    return Read(
        certificate.subject.human_friendly,
        certificate.issuer.human_friendly,
        certificate.serial_number,
        key.dump(),
        key.algorithm,
        first,
        last,
    )


def _moment_of(time: Any) -> datetime:
    return moment(time.chosen)


def moment(chosen: Any) -> datetime:
    """Return a date that is written as RFC 5280 requires.

    Raises:
        ValueError: it is written in another way.
    """
    form = _UTC_TIME if isinstance(chosen, core.UTCTime) else _GENERAL_TIME
    if not form.match(bytes(chosen.contents)):
        raise ValueError("a date in it is written as RFC 5280 does not allow")
    when: datetime = chosen.native
    return when


def certificates_of_pkcs7(der: bytes) -> Iterator[bytes]:
    """Yield the certificates in a PKCS#7, whatever names they have.

    Raises:
        ValueError and others of `UNREADABLE`: it is not a PKCS#7.
    """
    from asn1crypto import cms

    content = cms.ContentInfo.load(der, strict=True)
    if content["content_type"].native != "signed_data":
        raise ValueError("it holds no certificates")
    for one in content["content"]["certificates"] or ():
        if one.name == "certificate":
            yield one.chosen.untag().dump()

"""Signed objects that were changed afterwards, and signatures of writers with own ideas."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

from _tamper import index_of
from pki import EXPLICIT, member, part10

from dicomseal import sign_file, verify
from dicomseal.encoding._index_py import Index
from dicomseal.explanation.diagnosis.budget import Effort
from dicomseal.explanation.explanation import Explanation, explain
from dicomseal.explanation.subject import Subject
from dicomseal.signature.certificate import sign_mac
from dicomseal.signature.digital_signature import DigitalSignature
from dicomseal.signature.items import encode
from dicomseal.signature.mac_parameters import MacParameters
from dicomseal.standard import terms
from dicomseal.standard.mac_algorithms import new_hasher
from dicomseal.standard.tags import is_signable_tag
from dicomseal.verification.options import Options

MAC, SIGNATURES = terms.MAC_PARAMETERS_SEQUENCE, terms.DIGITAL_SIGNATURES_SEQUENCE
# one of everything that a diagnosis looks at
CT: list[Any] = [
    (0x00080005, "CS", b"ISO_IR 100"),
    (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
    (0x00080018, "UI", b"2.25.4711\0"),
    (0x00080060, "CS", b"CT"),
    (0x00081030, "LO", "Schädel nativ ".encode("latin-1")),
    (0x00100010, "PN", b"Doe^John"),
    (0x00100020, "LO", b"PID 0815"),
    (0x00100030, "DA", b"19700101"),
    (0x00200013, "IS", b"7 "),
    (0x00280002, "US", b"\1\0"),
    (0x00280004, "CS", b"MONOCHROME2 "),
    (0x00280010, "US", b"\4\0"),
    (0x00280011, "US", b"\4\0"),
    (0x00280100, "US", b"\x10\0"),
    (0x00280101, "US", b"\x10\0"),
    (0x00280102, "US", b"\x0f\0"),
    (0x00280103, "US", b"\0\0"),
    (0x00280106, "US", b"\1\0"),
    (0x00400275, "SQ", [[(0x00400007, "LO", b"inner "), (0x00400009, "SH", b"1 ")]]),
    (0x7FE00010, "OW", bytes(range(32))),
]


def changed(changes: dict[int, Any], base: Iterable[Any] = CT) -> list[Any]:
    """The elements with other ones: tag to value, (VR, value), or None for one that is removed."""
    found = {element[0]: element for element in base}
    for tag, value in changes.items():
        if value is None:
            del found[tag]
        elif isinstance(value, tuple):
            found[tag] = (tag, *value)
        else:
            found[tag] = (tag, found[tag][1], value)
    return [found[tag] for tag in sorted(found)]


def signed(elements: Iterable[Any] = CT, who: str = "rsa", **options: Any) -> bytes:
    """An object with these elements, signed."""
    out = io.BytesIO()
    sign_file(part10(encode(list(elements))), out, *member(who).pair, **options)
    return out.getvalue()


def moved(source: bytes, elements: Iterable[Any], syntax: str = EXPLICIT) -> bytes:
    """An object with these elements and the signature of another one."""
    index, _ = index_of(source)
    taken = []
    for tag in (MAC, SIGNATURES):
        record = index.record(index.find(0, tag))
        taken.append((tag, source[record.start : record.end]))
    return assembled(elements, dict(taken), syntax)


def assembled(elements: Iterable[Any], encoded: dict[int, bytes], syntax: str = EXPLICIT) -> bytes:
    """An object of elements, and of some that are encoded already."""
    pieces = [(element[0], encode([element])) for element in elements]
    pieces += list(encoded.items())
    return part10(b"".join(data for _, data in sorted(pieces)), syntax)


def written(
    who: str,
    stream: Callable[[bytes, bytes], bytes],
    elements: Iterable[Any] = CT,
    *,
    algorithm: str = "SHA256",
    said: str = "",
    mac_id: int | None = 1,
    syntax: str = EXPLICIT,
    into: Callable[[bytes, bytes], dict[int, bytes]] | None = None,
) -> bytes:
    """An object whose signature is over a stream of one's own.

    Args:
        who: the member of the PKI that signs.
        stream: makes it of the standard's stream of the data set, and of the item's.
        elements: of the object; all that can be are listed as signed.
        algorithm: the hash.
        said: what MAC Algorithm says instead.
        mac_id: the MAC ID Number in the signature; None: it has none.
        syntax: MAC Calculation Transfer Syntax UID.
        into: where the items go, encoded: the MAC Parameters and the signature.
    """
    elements = list(elements)
    data = bytearray()
    Index(encode(elements)).stream(data.extend)
    tags = tuple(element[0] for element in elements if is_signable_tag(element[0]))
    mac = MacParameters(1, syntax, said or algorithm, tags).item()
    signer = member(who)
    signature = DigitalSignature(
        1, "2.25.99", "20260101120000.000000+0000", terms.CERTIFICATE_TYPE_X509, signer.der, b"?"
    )
    item = [one for one in signature.item() if mac_id is not None or one[0] != terms.MAC_ID_NUMBER]
    own = encode([one for one in item if one[0] not in terms.NOT_IN_MAC])
    hasher = new_hasher(algorithm)
    hasher.update(stream(bytes(data), own))
    value = sign_mac(signer.key, hasher.digest(), algorithm)
    item = [
        (terms.SIGNATURE, "OB", value + b"\0" * (len(value) % 2)) if one[0] == terms.SIGNATURE
        else one
        for one in item
    ]  # fmt: skip
    pair = encode([(MAC, "SQ", [mac])]), encode([(SIGNATURES, "SQ", [item])])
    where = into(*pair) if into else dict(zip((MAC, SIGNATURES), pair, strict=True))
    return assembled(elements, where)


def explained(
    data: bytes, effort: Effort | None = None, with_values: bool = False, **options: Any
) -> Explanation:
    """The explanation, and that its verdict is that of a verification."""
    chosen = Options(integrity_only=True, **options)
    explanation = explain(Subject(data, chosen), effort or Effort(), with_values=with_values)
    assert explanation.report == verify(data, integrity_only=True, **options)
    return explanation

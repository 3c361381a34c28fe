"""Certificates that are odd in what decides nothing, of the kinds that hospitals have."""

from __future__ import annotations

import subprocess
from io import BytesIO
from typing import Any

import pki
from _chains import Member, tlv
from asn1crypto import core, pem
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from tsa import Tsa

from dicomseal import sign_file

DAY = pki.timedelta(1)
STAMP = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True


def part(number: str, tag: int, content: bytes) -> bytes:
    """One part of a name, with any value."""
    return tlv(0x31, tlv(0x30, core.ObjectIdentifier(number).dump() + tlv(tag, content)))


CN, EMAIL = "2.5.4.3", "1.2.840.113549.1.9.1"
UTF8, NUMERIC, PRINTABLE, T61, IA5, BITS, BMP = 0x0C, 0x12, 0x13, 0x14, 0x16, 0x03, 0x1E
# what stands in front of the common name, or is it; and how a report writes all of it
NAMES = {
    "Latin-1 in a T61String": (part(CN, T61, b"M\xfcller CT"), "CN=Müller CT"),
    "& in a PrintableString": (part(CN, PRINTABLE, b"Clinic & Co"), "CN=Clinic & Co"),
    "_ in a PrintableString": (part(CN, PRINTABLE, b"CT_1"), "CN=CT_1"),
    "* in a PrintableString": (part(CN, PRINTABLE, b"*.clinic"), "CN=*.clinic"),
    "@ in a PrintableString": (part(EMAIL, PRINTABLE, b"a@b.c"), "1.2.840.113549.1.9.1=a@b.c"),
    "Latin-1 in a PrintableString": (part(CN, PRINTABLE, b"M\xfcller"), "CN=Müller"),
    "Latin-1 in a UTF8String": (part(CN, UTF8, b"M\xfcller"), "CN=Müller"),
    "Latin-1 in a mail address": (part(EMAIL, IA5, b"m\xfcller@b.c"),
                                  "1.2.840.113549.1.9.1=müller@b.c"),
    "UTF-8 in a PrintableString": (part(CN, PRINTABLE, "Müller".encode()), "CN=Müller"),
    "a NumericString": (part("2.5.4.5", NUMERIC, b"4711 1"), "2.5.4.5=4711 1"),
    "an odd BMPString": (part(CN, BMP, b"C\0T"), "CN=C\\00T"),
    "a postal address": (part("2.5.4.16", 0x30, tlv(UTF8, b"Street 1") + tlv(UTF8, b"Town")),
                         "2.5.4.16=#30100c0853747265657420310c04546f776e"),
    "a unique identifier of bits": (part("2.5.4.45", BITS, b"\0\1\2"), "2.5.4.45=#000102"),
    "a unique identifier of text": (part("2.5.4.45", PRINTABLE, b"ABC01"), "2.5.4.45=ABC01"),
    "TPM attributes": (part("2.23.133.2.1", PRINTABLE, b"id:414D4400"), "2.23.133.2.1=id:414D4400"),
    "a number": (part("1.2.3.4", 2, b"\7"), "1.2.3.4=#020107"),
    "two directions of writing": (part(CN, UTF8, "\u05d0a\u05d0 b".encode()), "CN=\u05d0a\u05d0 b"),
    "special characters": (part(CN, PRINTABLE, b' a,b+"c\\d<e>;f '),
                           'CN=\\ a\\,b\\+\\"c\\\\d\\<e\\>\\;f\\ '),
    "an empty text": (part(CN, T61, b"") + part(CN, T61, b"\xe4"), "CN=ä,CN="),
    "a country of three letters": (part("2.5.4.6", PRINTABLE, b"DEU"), "C=DEU"),
}  # fmt: skip
# OpenSSL does not read these; integrity depends on them as little as on the others
BEYOND_OPENSSL = ("Latin-1 in a UTF8String", "an odd BMPString", "a number")


def name_of(data: bytes) -> Any:
    return asn1.Name.load(tlv(0x30, data))


def critical(tbs: Any) -> None:
    """Write `critical` though it is FALSE (in the own example of RFC 8410)."""
    tbs["extensions"] = asn1.Extensions.load(b"".join([b"", _each(tbs, _with_false)]))


def boolean(tbs: Any) -> None:
    """Write TRUE as 01."""
    tbs["extensions"] = asn1.Extensions.load(_each(tbs, _with_one))


def _each(tbs: Any, change: Any) -> bytes:
    return tlv(0x30, b"".join(change(one) for one in tbs["extensions"]))


def _with_false(extension: Any) -> bytes:
    flag = b"\x01\x01\xff" if extension["critical"].native else b"\x01\x01\x00"
    return tlv(0x30, extension["extn_id"].dump() + flag + extension["extn_value"].dump())


def _with_one(extension: Any) -> bytes:
    flag = b"\x01\x01\x01" if extension["critical"].native else b""
    value = extension["extn_value"].dump().replace(b"\x01\x01\xff", b"\x01\x01\x01")
    return tlv(0x30, extension["extn_id"].dump() + flag + value)


def null(tbs: Any) -> None:
    """NULL, where ECDSA has none (RFC 5758 Section 3.2)."""
    tbs["signature"]["parameters"] = core.Null()


def version_2(tbs: Any) -> None:
    tbs["version"] = 1


def no_ascii(tbs: Any) -> None:
    names = tlv(0x30, tlv(0x82, b"m\xfcller.clinic") + tlv(0x81, b"\xe4@b") + tlv(0x86, b"\xff:"))
    value = {"extn_id": "subject_alt_name", "extn_value": core.ParsableOctetString(names)}
    tbs["extensions"].append(asn1.Extension(value))


OTHERS = {
    "critical FALSE": critical,
    "TRUE as 01": boolean,
    "alternative names that are not ASCII": no_ascii,
    "version 2": version_2,
}


def named(tbs: Any, subject: bytes = b"", issuer: bytes = b"") -> None:
    for field, data in (("subject", subject), ("issuer", issuer)):
        if data:
            tbs[field] = name_of(data)


def armored(*ders: bytes) -> bytes:
    return b"".join(pem.armor("CERTIFICATE", der) for der in ders)


def says_openssl(tmp_path, anchor: bytes, leaf: bytes) -> bool:
    for path, der in (("root.pem", anchor), ("leaf.pem", leaf)):
        (tmp_path / path).write_bytes(armored(der))
    command = ["openssl", "verify", "-CAfile", tmp_path / "root.pem", tmp_path / "leaf.pem"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def signed_with(der: bytes, signer: Any) -> bytes:
    """An object by a key, with this certificate: no MAC covers it."""
    out = BytesIO()
    sign_file(BytesIO(pki.small()), out, signer, der)
    return out.getvalue()


def time(form: int, text: bytes) -> Any:
    return asn1.Time.load(tlv(form, text))


DATES = {
    "without seconds": (0x17, b"2001010000Z"),
    "with an offset": (0x17, b"200101000000+0100"),
    "with a fraction": (0x18, b"20200101000000.5Z"),
    "in local time": (0x18, b"20200101000000"),
}


def unlocked(member: Member) -> bytes:
    data: bytes = member.key.private_bytes(
        pki.serialization.Encoding.PEM,
        pki.serialization.PrivateFormat.PKCS8,
        pki.serialization.NoEncryption(),
    )
    return data


def odd_tsa(folder: Any, own: Member, *above: Member) -> Tsa:
    """An authority of timestamps with this certificate, and those that it sends along."""
    authority = Tsa(folder, "rsa")
    pki.secret(folder / "key.pem", unlocked(own))
    (folder / "cert.pem").write_bytes(armored(own.der))
    (folder / "chain.pem").write_bytes(armored(*(one.der for one in above)))
    return authority

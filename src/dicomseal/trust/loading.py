"""Load certificates, public keys, CRLs and OCSP responses from files and folders.

In: paths of files and folders.
Out: certificates and public keys, or DER; `TrustError` or a warning for a file that cannot be used.
PS3: none; RFC 7468, RFC 5652, RFC 7292.

A file may be PEM (with one or several certificates), DER, PKCS#7 or PKCS#12. A folder may also be
one that OpenSSL's ``c_rehash`` fills with links. A named file that cannot be used is an error, or a
warning if it is a certificate among others; it is never left out silently. Only a folder may hold
other things beside.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

from ..errors import LeftOutWarning, TrustError, UnusedSettingsWarning
from .formats import (
    AnyCertificate,
    AnySigner,
    Troubles,
    identity,
    read_certificates,
    read_crls,
    read_ocsps,
    read_signers,
)
from .outside import Unusable
from .trust_settings import ANCHOR, Wanted

Path = str | os.PathLike[str]
_T = TypeVar("_T", AnyCertificate, AnySigner, bytes)

_PIECE = 1 << 16
MAX_FILE = 1 << 28  # bytes of a file; the largest CRLs of public CAs are some tens of MB


class Refused(TrustError):  # noqa: N818
    """No certificate of a file can be used, though it has some, as they cannot be read."""


def load_certificates(
    path: Path, password: str | bytes | None = None, wanted: Wanted = ANCHOR
) -> list[AnyCertificate]:
    """Load the certificates in a file, or in the files of a folder; each once.

    They are those of `cryptography`; if it refuses one for a detail that has no effect, such as the
    spelling of a name, a `dicomseal.signature.certificate.Certificate`.

    From a PKCS#12 file that holds a private key, the certificate of that key is left out: a user
    who names such a file wants the authorities that are in it as well.

    Args:
        path: PEM, DER, PKCS#7, PKCS#12; or a folder of such files.
        password: of a PKCS#12 file.
        wanted: the intended use of the certificates, which the trust settings in a TRUSTED
            CERTIFICATE of OpenSSL may not allow.

    Raises:
        TrustError: it cannot be read, the password is wrong, there is no certificate in it, or
            none that can be parsed and may be used (`Refused`).

    Warns:
        LeftOutWarning: one of several cannot be parsed, or may not be used.
        UnusedSettingsWarning: trust settings have no effect on the intended use.
    """
    return _load(
        path,
        lambda data, troubles: read_certificates(data, password, False, troubles, wanted),
        "certificate",
    )


def load_signers(
    path: Path, password: str | bytes | None = None, wanted: Wanted = ANCHOR
) -> list[AnySigner]:
    """Load certificates or public keys of signers, as `cryptography` objects; each once.

    Arguments, errors and warnings are those of `load_certificates`.
    """
    return _load(
        path,
        lambda data, troubles: read_signers(data, password, troubles, wanted),
        "certificate or public key",
    )


def load_crls(path: Path) -> list[bytes]:
    """Load the DER of certificate revocation lists, PEM or DER, in a file or a folder.

    Raises:
        TrustError: it cannot be read, a CRL in it cannot be parsed, or it has none.
    """
    return _load(path, lambda data, _: read_crls(data), "certificate revocation list (CRL)")


def load_ocsps(path: Path) -> list[bytes]:
    """Load the DER of OCSP responses in a file or a folder.

    Raises:
        TrustError: as `load_crls`.
    """
    return _load(path, lambda data, _: read_ocsps(data), "OCSP response")


def _load(path: Path, read: Callable[[bytes, Troubles], list[_T]], what: str) -> list[_T]:
    name = os.fsdecode(path)
    found: dict[bytes, _T] = {}
    refused, notes = [], []
    try:
        for file, named in _files(path):
            where = name if named else os.fsdecode(file)
            some = Troubles()
            try:
                parsed = read(_read(file), some)
            except Unusable as error:
                raise TrustError(f"{where}: {error}") from None
            refused += [f"{where}: {one}" for one in some]
            notes += [f"{where}: {one}" for one in some.notes]
            for item in parsed:
                found.setdefault(item if isinstance(item, bytes) else identity(item), item)
    except (OSError, ValueError) as error:  # the latter for a NUL in the path
        raise TrustError(f"{name}: {getattr(error, 'strerror', None) or error}") from None
    if not found:
        raise Refused(refused[0]) if refused else TrustError(f"{name}: no {what} in it")
    for one in refused:
        warn_of(one)
    for one in notes:
        warnings.warn(one, UnusedSettingsWarning, stacklevel=3)
    return list(found.values())


def warn_of(trouble: object) -> None:
    """Warn that a certificate is left out."""
    warnings.warn(f"{trouble}; it is left out", LeftOutWarning, stacklevel=2)


def _files(path: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the files of a folder, or the named one; and whether it is the named one."""
    if not os.path.isdir(path):
        yield path, True
        return
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.is_file():
                yield entry.path, False


def _read(path: Path) -> bytes:
    with open(path, "rb") as file:
        data = _at_most(file, MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise Unusable(f"larger than {MAX_FILE >> 20} MiB")
    return data


def _at_most(file: BinaryIO, most: int) -> bytes:
    """Read so many bytes, or all: one call would take memory for as many as there may be."""
    data = bytearray()
    while len(data) < most and (piece := file.read(min(_PIECE, most - len(data)))):
        data += piece
    return bytes(data)

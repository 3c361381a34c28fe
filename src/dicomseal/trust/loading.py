"""Certificates, public keys, CRLs and OCSP responses from files and folders.

PEM (one or several in a file), DER, PKCS#7 and PKCS#12; folders, also those that OpenSSL's
``c_rehash`` fills with links. What is named and cannot be used is an error, or a warning if it is a
certificate among others; it is never left out quietly. Only a folder may hold other things beside.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

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

LARGEST = 1 << 28  # bytes of a file; the largest CRLs of public CAs are some tens of MB


class Refused(TrustError):  # noqa: N818
    """Nothing in it can be used, but there are certificates in it that cannot be read."""


def load_certificates(
    path: Path, password: str | bytes | None = None, wanted: Wanted = ANCHOR
) -> list[AnyCertificate]:
    """The certificates in a file, or in the files of a folder; each once.

    They are those of `cryptography`; where it refuses one for what decides nothing, such as the
    spelling of a name, a `dicomseal.signature.certificate.Certificate`.

    From a PKCS#12 file that holds a private key, the certificate of that key is left out: whoever
    names it wants the authorities that stand beside it.

    Args:
        path: PEM, DER, PKCS#7, PKCS#12; or a folder of such files.
        password: of a PKCS#12 file.
        wanted: what they are for, which the trust settings in a TRUSTED CERTIFICATE of OpenSSL
            may not allow.

    Raises:
        TrustError: it cannot be read, the password is wrong, there is no certificate in it, or
            none that can be parsed and may be used (`Refused`).

    Warns:
        LeftOutWarning: one of several cannot be parsed, or may not be used.
        UnusedSettingsWarning: trust settings decide nothing for what it is wanted for.
    """
    return _load(
        path,
        lambda data, troubles: read_certificates(data, password, False, troubles, wanted),
        "certificate",
    )


def load_signers(
    path: Path, password: str | bytes | None = None, wanted: Wanted = ANCHOR
) -> list[AnySigner]:
    """Certificates or public keys of signers, as `cryptography` objects; each once.

    Arguments, errors and warnings are those of `load_certificates`.
    """
    return _load(
        path,
        lambda data, troubles: read_signers(data, password, troubles, wanted),
        "certificate or public key",
    )


def load_crls(path: Path) -> list[bytes]:
    """The DER of certificate revocation lists, PEM or DER, in a file or a folder.

    Raises:
        TrustError: it cannot be read, a CRL in it cannot be parsed, or there is none in it.
    """
    return _load(path, lambda data, _: read_crls(data), "certificate revocation list (CRL)")


def load_ocsps(path: Path) -> list[bytes]:
    """The DER of OCSP responses, in a file or a folder.

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
            for made in parsed:
                found.setdefault(made if isinstance(made, bytes) else identity(made), made)
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
    """Say that a certificate is left out."""
    warnings.warn(f"{trouble}; it is left out", LeftOutWarning, stacklevel=2)


def _files(path: Path) -> Iterator[tuple[Path, bool]]:
    """The files of a folder, or the one that is named; and whether it is named."""
    if not os.path.isdir(path):
        yield path, True
        return
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.is_file():
                yield entry.path, False


def _read(path: Path) -> bytes:
    with open(path, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Unusable(f"larger than {LARGEST >> 20} MiB")
    return data

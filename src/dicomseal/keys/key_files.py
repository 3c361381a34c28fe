"""Private keys from files: PEM, DER, PKCS#8 and PKCS#12, with or without a password."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

from ..errors import KeyFileError
from ..signature import certificate
from ..trust.formats import trouble_of_pkcs12
from .secret_files import _shown, read_secret

Password: TypeAlias = "bytes | str | Callable[[], bytes | str | None] | None"  # noqa: S105


def load_key(
    path: str | os.PathLike[str], password: Password = None
) -> tuple[PrivateKeyTypes, x509.Certificate | None]:
    """Load the private key in a file (PEM, DER, PKCS#8 encrypted or not, PKCS#12).

    Returns:
        The key, and the certificate beside it if the file is PKCS#12.

    Raises:
        KeyFileError: it cannot be read, or the password is wrong or missing.

    Warns:
        KeyFileWarning: others than the file's owner may read or write it.
    """
    name = _shown(path)
    try:
        data = read_secret(path)
        trouble = ""
    except (OSError, ValueError) as error:  # the latter for a NUL in the path
        trouble = getattr(error, "strerror", None) or str(error)
    if trouble:
        raise KeyFileError(f"{name}: {trouble}")
    try:
        found = _load(data, None)
        if found is _Locked.LOCKED:
            given = password() if callable(password) else password
            if given is None:
                raise KeyFileError(f"{name}: the key is encrypted; give its password", "password")
            found = _load(data, _in_bytes(given))
            if found is _Locked.LOCKED or found is None:
                raise KeyFileError(f"{name}: the password is wrong", "password")
    except _Odd as error:
        raise KeyFileError(f"{name}: {error}") from None
    if found is None:
        raise KeyFileError(
            f"{name}: no private key in it (PEM, DER, PKCS#8 and PKCS#12 are understood)"
        )
    if isinstance(found[0], rsa.RSAPrivateKey) and _is_for_pss(data):
        raise KeyFileError(f"{name}: the key {certificate.FOR_PSS_ALONE}")
    return found


def _in_bytes(password: bytes | str) -> bytes | None:
    """Return the bytes of a password; None for a text that cannot be one, so not the right one."""
    if isinstance(password, bytes):
        return password
    try:
        return password.encode()
    except (AttributeError, UnicodeEncodeError):
        return None


class _Odd(Exception):  # noqa: N818
    """A file that holds a key, but one that cannot be used; never leaves the module."""


class _Locked(Enum):
    """The result of `_load` if the key is encrypted, and there is no password."""

    LOCKED = "locked"


def _load(
    data: bytes, password: bytes | None
) -> tuple[PrivateKeyTypes, x509.Certificate | None] | _Locked | None:
    """Return key and certificate; `_Locked`; None without a key or with a wrong password."""
    loaders: list[Callable[[bytes, bytes | None], Any]]
    if b"-----BEGIN" in data:
        loaders = [serialization.load_pem_private_key]
    else:
        loaders = [serialization.load_der_private_key, pkcs12.load_key_and_certificates]
    needs_password = False
    for loader in loaders:
        try:
            loaded = loader(data, password)
        except TypeError:
            needs_password = True
        except UnsupportedAlgorithm:
            return None
        except ValueError as error:
            # PKCS#12 has the same message for a wrong password and for none
            needs_password |= "password" in str(error).lower() and password is None
            trouble = trouble_of_pkcs12(data, error) if loader is not loaders[0] else ""
            if trouble:
                raise _Odd(trouble) from None
        else:
            if not isinstance(loaded, tuple):
                return loaded, None
            if loaded[0] is not None:
                return loaded[0], loaded[1]
    return _Locked.LOCKED if needs_password else None


def _is_for_pss(data: bytes) -> bool:
    """Return whether a PKCS#8 restricts its RSA key to RSASSA-PSS; `cryptography` does not tell.

    For an encrypted one this is not visible: the certificate decides.
    """
    from asn1crypto import keys, pem

    try:
        der = pem.unarmor(data)[2] if pem.detect(data) else data
        algorithm = keys.PrivateKeyInfo.load(der)["private_key_algorithm"]["algorithm"]
        return bool(algorithm.native == "rsassa_pss")
    except (ValueError, TypeError, KeyError):
        return False  # another form, which cannot have this restriction

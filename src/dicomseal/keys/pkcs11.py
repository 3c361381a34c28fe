"""Private keys that never leave their device: HSMs and smart cards by PKCS#11.

A key is named by a URI (RFC 7512), e.g. ``pkcs11:token=archive;object=signer``. python-pkcs11, the
extra ``dicomseal[pkcs11]``, is imported when a key is first used. A session belongs to one process:
it is opened at the first use in each, so a key may be made before a fork and used after it.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import random
import re
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

from ..errors import KeyFileError, KeyFileWarning, UsageError
from ..standard.mac_algorithms import DIGEST_INFO

if TYPE_CHECKING:
    from pkcs11 import Session, Token

SCHEME = "pkcs11:"
MODULE_VARIABLE = "DICOMSEAL_PKCS11_MODULE"

_TOKEN = {"token": "label", "manufacturer": "manufacturer_id", "model": "model"}
_SLOT = {"slot-description": "slot_description", "slot-manufacturer": "manufacturer_id"}
_PATH = {*_TOKEN, *_SLOT, "serial", "slot-id", "object", "type", "id"}
_QUERY = {"pin-source", "pin-value", "module-name", "module-path"}
_PAIR = re.compile(r"([a-z0-9-]+)=([^;&=]*)")


class Pkcs11Uri:
    """A PKCS#11 URI (RFC 7512) that names a private key.

    Attributes:
        path: the attributes that select token and key; ``id`` and ``serial`` are bytes, the rest
            text.
        query: how to get there: ``pin-source``, ``pin-value``, ``module-name``, ``module-path``.
    """

    def __init__(self, text: str) -> None:
        if not text.startswith(SCHEME):
            raise UsageError(f"a PKCS#11 URI begins with {SCHEME}")
        path, _, query = text.removeprefix(SCHEME).partition("?")
        self.path = dict(_pairs(path, ";", _PATH, "path"))
        self.query = dict(_pairs(query, "&", _QUERY, "query"))
        if self.path.pop("type", "private") != "private":
            raise UsageError("signing needs a private key: leave type out, or say type=private")
        if not {"object", "id"} & self.path.keys():
            raise UsageError("the PKCS#11 URI names no key: add object=LABEL or id=%01")
        if not str(self.path.get("slot-id", "0")).isdecimal():
            raise UsageError("slot-id is a number")
        if {"pin-source", "pin-value"} <= self.query.keys():
            raise UsageError("pin-source or pin-value, not both")

    def __str__(self) -> str:
        """Return the key's name without its PIN."""
        shown = (f"{name}={quote(value, safe='')}" for name, value in self.path.items())
        return SCHEME + ";".join(shown)

    @property
    def module(self) -> str:
        """The library to load.

        Raises:
            UsageError: none is named.
        """
        if "module-path" in self.query:
            return str(self.query["module-path"])
        if "module-name" in self.query:
            return f"lib{self.query['module-name']}.so"  # the loader's own folders are searched
        named = os.environ.get(MODULE_VARIABLE)
        if not named:
            raise UsageError(
                "which PKCS#11 library? Add ?module-path=/path/to/library.so to the URI, or set "
                f"{MODULE_VARIABLE}"
            )
        return named

    def pin(self) -> str | None:
        """Return the PIN that the URI itself has or points to, or None.

        Raises:
            KeyFileError: pin-source cannot be read.
        """
        if "pin-value" in self.query:
            warnings.warn(
                "the PIN is in the URI, where process lists and shell histories show it: "
                "use pin-source, or let it be asked for",
                KeyFileWarning,
                stacklevel=2,
            )
            return str(self.query["pin-value"])
        source = self.query.get("pin-source")
        if source is None:
            return None
        if str(source).startswith("|"):
            raise UsageError("pin-source names a file; commands are not run")
        name = str(source).removeprefix("file://").removeprefix("file:")
        from .secret_files import read_secret

        try:
            data = read_secret(name).removeprefix(codecs.BOM_UTF8)
            return data.partition(b"\n")[0].rstrip(b"\r").decode()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not a text in UTF-8"
            raise KeyFileError(f"pin-source: {name}: {why}", "password") from None


def _pairs(text: str, sign: str, known: set[str], where: str) -> Iterator[tuple[str, Any]]:
    seen = set()
    for piece in text.split(sign) if text else ():
        match = _PAIR.fullmatch(piece)
        if match is None:
            raise UsageError(f"not understood in the PKCS#11 URI: {piece.partition('=')[0]!r}")
        name, value = match.groups()
        if name in seen:
            raise UsageError(f"{name} occurs twice in the PKCS#11 URI")
        seen.add(name)
        if name not in known:
            if where == "query":
                continue  # RFC 7512 2.3 allows unknown attributes in the query
            # an attribute of the path selects the key: without it another key could be selected
            raise UsageError(f"the PKCS#11 URI's {name} is not known")
        raw = unquote_to_bytes(value)
        try:
            yield name, raw if name in ("id", "serial") else raw.decode()
        except ValueError:
            raise UsageError(f"{name} in the PKCS#11 URI is not UTF-8") from None


# SoftHSM 2.6 fails sometimes if two processes begin at once (its files are read half-written)
_PAUSES = (0.02, 0.1, 0.3)


class _NoTokenError(KeyFileError):
    """No token fits this description, or not yet."""


class _Login:
    """A session with a token, which is shared by all keys of this process on that token.

    It ends with the last of these keys, as a token allows few sessions. One of several sessions
    must not be closed: that logs out, and ends the use of every private key in the process.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        end = weakref.finalize(self, _close, session, os.getpid())
        end.atexit = False  # the library closes all sessions at the end of the process


_logins: weakref.WeakValueDictionary[tuple[str, int, int], _Login] = weakref.WeakValueDictionary()


def _close(session: Session, process: int) -> None:
    if process == os.getpid():
        from pkcs11 import PKCS11Error

        with contextlib.suppress(PKCS11Error):  # e.g. the token was pulled out
            session.close()


# the process that initialized each library: a child must not use a session of its parent
_initialized: dict[str, int] = {}


class Pkcs11Key:
    """A private key on a PKCS#11 token; a `DigestSigner`.

    Args:
        uri: its name, RFC 7512.
        pin: text, bytes, or a function that is called if a PIN is needed and the URI has none.

    Raises:
        UsageError: the URI does not name a private key.
    """

    def __init__(
        self, uri: str, pin: bytes | str | Callable[[], bytes | str | None] | None = None
    ) -> None:
        self.uri, self._text = Pkcs11Uri(uri), uri
        self._given = pin
        self._pin: str | None = None
        self._process = 0
        self._login: _Login | None = None
        self._key: Any = None  # of a class that the library makes by the key's capabilities
        self._refused = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle for other processes: the name and the PIN are sent, the session is not."""
        return Pkcs11Key, (self._text, self._given if self._pin is None else self._pin)

    def sign(self, digest: bytes, algorithm: str) -> bytes:
        """Return the signature value over a MAC, see `DigestSigner.sign`.

        Raises:
            KeyFileError: token or key do not exist, the PIN is wrong, or the token refuses.
        """
        with self._errors():
            from pkcs11 import KeyType, Mechanism
            from pkcs11.util.ec import encode_ecdsa_signature

            key = self._open()
            if key.key_type == KeyType.RSA:
                # PKCS#1 v1.5: the token pads, and the caller provides the DigestInfo
                info = DIGEST_INFO[algorithm] + digest
                return bytes(key.sign(info, mechanism=Mechanism.RSA_PKCS))
            if key.key_type == KeyType.EC:
                # r and s come as bare numbers; the object holds them in DER (RFC 3279)
                return bytes(encode_ecdsa_signature(key.sign(digest, mechanism=Mechanism.ECDSA)))
            raise KeyFileError(
                f"{self.uri}: a key of the type {key.key_type.name} cannot sign here"
            )

    def certificate(self) -> bytes | None:
        """Return the DER of the certificate with the same id on the token, or None.

        Raises:
            KeyFileError: as for `sign`.
        """
        with self._errors():
            from pkcs11 import Attribute, ObjectClass

            key = self._open()
            wanted = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.ID: key.id}
            for found in key.session.get_objects(wanted):
                return bytes(found[Attribute.VALUE])
            return None

    def close(self) -> None:
        """Drop the session, which ends with the token's last key; the next use opens one."""
        self._login = self._key = None

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            from pkcs11 import exceptions
        except ImportError:
            raise KeyFileError(
                "keys on PKCS#11 tokens need python-pkcs11: pip install dicomseal[pkcs11]",
                "not_installed",
            ) from None
        try:
            yield
        except (exceptions.PinIncorrect, exceptions.PinLenRange, exceptions.PinInvalid):
            # one attempt is enough: a token locks itself after a few wrong PINs
            self._refused = f"{self.uri}: the PIN is wrong"
            raise KeyFileError(self._refused, "password") from None
        except exceptions.PinLocked:
            raise KeyFileError(f"{self.uri}: the PIN is locked", "password") from None
        except exceptions.PKCS11Error as error:
            for place, login in list(_logins.items()):
                if login is self._login:  # the session may be broken: it must not be used again
                    del _logins[place]
            self.close()
            answer = str(error) or type(error).__name__
            raise KeyFileError(f"{self.uri}: the token says: {answer}") from None

    def _open(self) -> Any:
        if self._key is not None and self._process == os.getpid():
            return self._key
        if self._refused:
            raise KeyFileError(self._refused, "password")
        from pkcs11 import exceptions

        for pause in _PAUSES:
            self.close()
            try:
                return self._open_once()
            except (exceptions.GeneralError, _NoTokenError):
                name = self.uri.module
                if any((place[0], place[2]) == (name, os.getpid()) for place in _logins):
                    raise  # another attempt would end the sessions that are in use
                time.sleep(pause * (1 + random.random()))  # noqa: S311 - to part two processes
                _initialized[name] = 0
        return self._open_once()

    def _open_once(self) -> Any:
        token = self._token()
        place = self.uri.module, token.slot.slot_id, os.getpid()
        login = _logins.get(place)
        if login is None:
            login = _logins[place] = _Login(self._open_session(token))
        self._login, self._process = login, os.getpid()
        self._key = self._find(login.session)
        return self._key

    def _token(self) -> Token:
        import pkcs11

        name = self.uri.module
        try:
            library = pkcs11.lib(name)
        except RuntimeError as error:  # the base class of PKCS11Error
            raise KeyFileError(f"{name}: no PKCS#11 library: {error}") from None
        if _initialized.setdefault(name, os.getpid()) != os.getpid():
            with contextlib.suppress(pkcs11.PKCS11Error):  # of the parent, whose session is kept
                library.finalize()
            library.initialize()
            _initialized[name] = os.getpid()
        found = [token for token in library.get_tokens() if self._is_wanted(token)]
        # SoftHSM and others show a slot for a further token that is not initialized
        found = [token for token in found if token.flags & pkcs11.TokenFlag.TOKEN_INITIALIZED]
        if len(found) != 1:
            what = "no token" if not found else f"{len(found)} tokens"
            kind = KeyFileError if found else _NoTokenError
            raise kind(f"{self.uri}: {what} of this description in {name}", "not_found")
        return found[0]

    def _is_wanted(self, token: Token) -> bool:
        path = self.uri.path
        return (
            all(path.get(name) in (None, getattr(token, at)) for name, at in _TOKEN.items())
            and all(path.get(name) in (None, getattr(token.slot, at)) for name, at in _SLOT.items())
            and path.get("serial") in (None, token.serial)
            and path.get("slot-id") in (None, str(token.slot.slot_id))
        )

    def _open_session(self, token: Token) -> Session:
        import pkcs11

        pin: Any = None
        if token.flags & pkcs11.TokenFlag.PROTECTED_AUTHENTICATION_PATH:
            pin = pkcs11.PROTECTED_AUTH
        elif token.flags & pkcs11.TokenFlag.LOGIN_REQUIRED:
            pin = self._ask()
        try:
            return token.open(user_pin=pin)
        except pkcs11.UserAlreadyLoggedIn:  # by other code in this process; it holds for all
            return token.open()

    def _ask(self) -> str:
        if self._pin is None:
            given: Any = self.uri.pin()
            if given is None:
                given = self._given() if callable(self._given) else self._given
            if given is None:
                raise KeyFileError(f"{self.uri}: the token needs a PIN", "password")
            self._pin = given.decode() if isinstance(given, bytes) else str(given)
        return self._pin

    def _find(self, session: Session) -> Any:
        from pkcs11 import Attribute, ObjectClass

        wanted: dict[Any, Any] = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
        if "object" in self.uri.path:
            wanted[Attribute.LABEL] = self.uri.path["object"]
        if "id" in self.uri.path:
            wanted[Attribute.ID] = self.uri.path["id"]
        found = list(session.get_objects(wanted))
        if len(found) != 1:
            what = "no private key" if not found else f"{len(found)} private keys"
            raise KeyFileError(f"{self.uri}: {what} of this name on the token", "not_found")
        return found[0]

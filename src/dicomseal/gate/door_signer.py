"""Signing at the door: what came unsigned is signed before it is stored.

It is the first moment from which on an archive can tell a change. The signature says that the
object is the one that arrived here, and nothing about its maker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import DicomSealError
from ..files.reader import Reader
from ..keys.key_files import Password
from ..signing.bulk_signer import BulkSigner
from ..signing.request import SigningOptions
from .admission import Signed
from .store import Incoming, Store

if TYPE_CHECKING:
    from ..encoding.limits import Limits


class DoorSigner:
    """Signs with one key; any number of threads may ask.

    Args:
        key, certificate, password: as for `dicomseal.sign_file`.
        options: what the signatures are.
        limits: what a hostile object may cost.

    Raises:
        KeyFileError, CertificateError, SigningError, UsageError: as `dicomseal.sign_file`.
    """

    def __init__(
        self,
        key: Any,
        certificate: Any,
        password: Password,
        options: SigningOptions,
        limits: Limits | None = None,
    ) -> None:
        self._signer = BulkSigner(key, certificate, password, options)
        self._limits = limits
        self._signer.try_key()

    def sign(self, path: str, store: Store) -> Signed:
        """Sign the object in a finished file, into a new one of the store's incoming folder.

        Raises:
            DicomSealError: it cannot be signed.
        """
        part10 = Reader().open(path, self._limits, settled=True)
        target: Incoming = store.incoming()
        try:
            target.finish()
            uid, _ = self._signer.sign(part10, self._signer.index(part10), target.path, True)
        except BaseException:
            target.discard()
            raise
        return Signed(target.path, str(uid))

    def is_signed_copy(self, copy: str, path: str) -> bool:
        """Return whether a stored file is what signing this one gave before."""
        arrived = Reader().open(path, self._limits).index()
        try:
            stored = Reader().open(copy, self._limits).index()
        except DicomSealError:
            return False
        return self._signer.is_up_to_date_copy(stored, arrived)

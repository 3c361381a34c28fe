"""Sign many files with one key: the common parts are checked and prepared once.

In: signing options once, and then files.
Out: signed files, or existing signatures by the same key.
PS3: PS3.3 C.12.1.1.3, PS3.15 Annex C.
"""

from __future__ import annotations

import functools
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from ..editing.splice import Splice
from ..encoding import values
from ..encoding.backend import Index
from ..encoding.obstacles import offers
from ..errors import CertificateError
from ..files.part10 import Part10
from ..keys.key_files import Password
from ..signature import certificate, digital_signature, element_views, mac_parameters
from ..signature.certificate import Certificate, spki_der
from ..signature.digital_signature import DigitalSignature
from ..standard import terms
from ..standard.mac_algorithms import new_hasher
from .request import SignatureUID, SigningOptions, request_of
from .sign_file import sign_scope, signable_index
from .signature_builder import select_tags

if TYPE_CHECKING:
    from ..keys.signing_key import CertificateSource, KeySource


class Signed(NamedTuple):
    """A signed object that is not written yet.

    Attributes:
        splice: its edits, which write it.
        uid: Digital Signature UID; it says what the signature leaves out.
        when: Digital Signature DateTime.
    """

    splice: Splice
    uid: SignatureUID
    when: datetime


class BulkSigner:
    """Signs the main data set of files; arguments and errors are those of `sign_file`.

    Attributes:
        certificate: of the signer.
    """

    def __init__(
        self,
        key: KeySource,
        certificate: CertificateSource,
        password: Password,
        options: SigningOptions,
    ) -> None:
        self._request = request_of(key, certificate, password, options)
        self.certificate: Certificate = self._request.key.certificate
        self._public = spki_der(self.certificate.public_key)
        self._ours: dict[bytes, bool] = {}

    def try_key(self) -> None:
        """Make a signature that is thrown away, to check key, password and certificate.

        Raises:
            KeyFileError: they do not belong together.
            CertificateError: the certificate is not valid now.
        """
        self._check_dates(datetime.now(UTC))
        digest = new_hasher(self._request.algorithm).digest()
        self._request.key.sign(digest, self._request.algorithm)

    def _check_dates(self, moment: datetime) -> None:
        """Check the certificate's dates: nobody would trust the signatures otherwise.

        A later certificate of the same key would not help: an object with a signature by this key
        is not signed by it again.
        """
        trouble = self.certificate.not_valid_at(moment)
        if trouble:
            raise CertificateError(trouble)

    def index(self, part10: Part10) -> Index:
        """Return the index of an object that can be signed.

        Raises:
            SigningError: two readers may see two contents in it (code ``ambiguous``).
            MalformedError: it is not DICOM.
        """
        return signable_index(part10)

    def existing_signature(self, index: Index) -> tuple[DigitalSignature, int] | None:
        """Return the first signature of the main data set by this key, and its item; or None.

        Its form is checked, but it is not verified: the certificate has this key, there is a
        signature value, and there are MAC Parameters of its ID.
        """
        items = values.items_of(index, 0, terms.DIGITAL_SIGNATURES_SEQUENCE)
        macs = {mac_id for mac_id, _ in mac_parameters.read_ids(index, 0)} if items else ()
        for item in items:
            stored = digital_signature.read(index, item)
            if stored.signature and stored.mac_id in macs and self._is_ours(stored.certificate):
                return stored, item
        return None

    def _is_ours(self, der: bytes) -> bool:
        found = self._ours.get(der)
        if found is None:
            try:
                found = spki_der(certificate.parse(der).public_key) == self._public
            except CertificateError:
                found = False
            if len(self._ours) < 1024:  # a hostile archive may contain any number
                self._ours[der] = found
        return found

    def is_up_to_date_copy(self, copy: Index, original: Index) -> bool:
        """Return whether a copy has the signature by this key that the original would get now.

        It lists the same elements, and it verifies over their content in both.

        Raises:
            SigningError: the original cannot be signed as requested.
        """
        found = self.existing_signature(copy)
        if found is None:
            return False
        stored, item = found
        macs = [n for mac_id, n in mac_parameters.read_ids(copy, 0) if mac_id == stored.mac_id]
        mac = mac_parameters.read(copy, macs[0])
        elements = element_views.Elements(original, 0)
        offered = list(offers(original, 0, self._request.include_guessed))
        tags = select_tags(self._request, offered, elements, main=True)
        if len(macs) > 1 or copy.ambiguities or mac.algorithm != self._request.algorithm:
            return False
        if list(mac.data_elements_signed) != tags:
            return False
        digests = []
        for index in (original, copy):  # a damaged copy is to be made again
            hasher = new_hasher(mac.algorithm)
            index.stream(hasher.update, 0, tags)
            copy.stream(hasher.update, item, None, without=terms.NOT_IN_MAC)
            digests.append(hasher.digest())
        return digests[0] == digests[1] and certificate.verify_mac(
            self.certificate.public_key, digests[0], mac.algorithm, stored.signature
        )

    def sign(
        self, part10: Part10, index: Index, target: str, overwrite: bool
    ) -> tuple[SignatureUID, datetime]:
        """Sign an object and write it to a file, in one step.

        Args:
            part10: the object, from `part10.Reader.open` with ``settled``.
            index: its index.
            target: the path of the signed file; it may be the source.
            overwrite: replace another file that exists.

        Returns:
            Digital Signature UID and DateTime; the former says what the signature leaves out.

        Raises:
            SourceError: it cannot be written, the source has changed, or the target exists (code
                ``exists``).
            CertificateError: the certificate is not valid now.
            KeyFileError, TimestampError, SigningError: as `sign_file`.
        """
        signed = self.signed(part10, index)
        signed.splice.save(target, overwrite)
        return signed.uid, signed.when

    def signed(self, part10: Part10, index: Index) -> Signed:
        """Sign an object as `sign`; nothing is written yet.

        Raises:
            CertificateError, KeyFileError, TimestampError, SigningError: as `sign`.
        """
        when = datetime.now(_local_time())
        self._check_dates(when)
        splice = Splice(part10, index)
        return Signed(splice, sign_scope(part10, index, splice, 0, self._request, when), when)


def _local_time() -> timezone:
    """Return the offset of the local time from UTC, as it is now."""
    return _timezone(time.localtime().tm_gmtoff)


@functools.lru_cache(4)
def _timezone(seconds: int) -> timezone:
    return timezone(timedelta(seconds=seconds)) if seconds else UTC

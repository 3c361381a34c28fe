"""The exceptions of dicomseal: one root, and a code beside every sentence.

A verification never raises for a bad file, it reports. Everything else that can go wrong in a
public call (a key that does not fit, a file that is no DICOM, a tag that cannot be signed) ends in
a subclass of `DicomSealError`; no built-in exception leaves a public function.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "BackendError",
    "CertificateError",
    "DicomSealError",
    "EncodingError",
    "KeyFileError",
    "KeyFileWarning",
    "LedgerError",
    "LeftOutWarning",
    "MalformedError",
    "SigningError",
    "SourceError",
    "TimestampError",
    "TrustError",
    "UnusedSettingsWarning",
    "UsageError",
    "VerificationError",
]


class DicomSealError(Exception):
    """The root of every exception that dicomseal raises.

    Attributes:
        code: a short, stable, machine-readable name of what went wrong, e.g. ``"truncated"``.
            It is what stands in ``error.code`` of a JSON report.
    """

    code = "error"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    @property
    def remedy(self) -> str | None:
        """What to do: a sentence with a command, from the table of remedies."""
        from .remedies.table import sentence

        return sentence(self.code)


class UsageError(DicomSealError):
    """A call or a command line that makes no sense: an unknown tag, location or algorithm name."""

    code = "usage"


class BackendError(DicomSealError):
    """``DICOMSEAL_BACKEND`` names a backend that is not there."""

    code = "backend"


class SourceError(DicomSealError):
    """The bytes could not be had: no such file, no permission, an I/O error, a wrong type."""

    code = "unreadable"


class MalformedError(DicomSealError):
    """The bytes are not a DICOM data set (PS3.5, PS3.10), or are cut short.

    Attributes:
        offset: where in the data set's encoding reading stopped, in bytes, or None.
    """

    code = "malformed"

    def __init__(self, message: str, code: str | None = None, offset: int | None = None) -> None:
        super().__init__(message, code)
        self.offset = offset


class EncodingError(DicomSealError):
    """An element cannot be written in canonical form, e.g. a value too long for its VR."""

    code = "encoding"


class CertificateError(DicomSealError):
    """A certificate that cannot be read, or is not there."""

    code = "certificate"


class KeyFileError(DicomSealError):
    """A private key that cannot be read, or does not belong to the certificate."""

    code = "key"


class KeyFileWarning(UserWarning):
    """A file with a private key, a password or a PIN that others than its owner may read or write.

    Or a PIN that stands in a PKCS#11 URI.

    What was asked for is done all the same. The command says it on standard error.
    """


class LeftOutWarning(UserWarning):
    """A certificate among others that were named, which cannot be read and is left out.

    Whoever chains to it is not trusted. The command says it on standard error.
    """


class UnusedSettingsWarning(UserWarning):
    """Trust settings in a TRUSTED CERTIFICATE of OpenSSL that decide nothing where it was named.

    The command says it on standard error.
    """


class TrustError(DicomSealError):
    """Trust anchors that cannot be read, or a trust store with nothing in it."""

    code = "trust"


class SigningError(DicomSealError):
    """The object cannot be signed as asked; nothing was written."""

    code = "signing"


class TimestampError(DicomSealError):
    """A certified timestamp that could not be had, or is not one of this signature."""

    code = "timestamp"


class LedgerError(DicomSealError):
    """A ledger of an archive that cannot be read or written, is in use, or does not fit."""

    code = "ledger"


class VerificationError(DicomSealError):
    """What `ObjectReport.require` and `dcmread` raise for an object that they do not let through.

    Attributes:
        report: the `ObjectReport` that says why, or None.
        remedy: what to do, as the report says it.
    """

    code = "verification"

    def __init__(
        self,
        message: str,
        code: str | None = None,
        *,
        report: Any = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, code)
        self.report = report
        self._remedy = remedy

    @property
    def remedy(self) -> str | None:
        return self._remedy or super().remedy

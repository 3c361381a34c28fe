"""The exceptions of dicomseal: one root, and a code beside every sentence.

A verification never raises for a bad file: it reports. Everything else that can go wrong in a
public call (a key that does not fit, a file that is not a DICOM object, a tag that cannot be
signed) ends in a subclass of `DicomSealError`. No built-in exception leaves a public function.
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
            A JSON report has it in ``error.code``.
    """

    code = "error"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    @property
    def remedy(self) -> str | None:
        """What to do, as a sentence with a command, from the table of remedies."""
        from .remedies.table import sentence

        return sentence(self.code)


class UsageError(DicomSealError):
    """A call or a command line that makes no sense: an unknown tag, location or algorithm name."""

    code = "usage"


class BackendError(DicomSealError):
    """``DICOMSEAL_BACKEND`` names a backend that does not exist or is not built."""

    code = "backend"


class SourceError(DicomSealError):
    """The bytes cannot be read: no such file, no permission, an I/O error, a wrong type."""

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
    """An element cannot be written in canonical form, e.g. as its value is too long for its VR."""

    code = "encoding"


class CertificateError(DicomSealError):
    """A certificate is missing or cannot be read."""

    code = "certificate"


class KeyFileError(DicomSealError):
    """A private key cannot be read, or does not belong to the certificate."""

    code = "key"


class KeyFileWarning(UserWarning):
    """Others than its owner can read or write a file with a private key, a password or a PIN.

    It is also given for a PIN that is written in a PKCS#11 URI. The call continues. The command
    prints the warning on standard error.
    """


class LeftOutWarning(UserWarning):
    """One of several named certificates cannot be read and is left out.

    A signer whose chain needs that certificate is not trusted. The command prints the warning on
    standard error.
    """


class UnusedSettingsWarning(UserWarning):
    """Trust settings of an OpenSSL TRUSTED CERTIFICATE have no effect where it was named.

    The command prints the warning on standard error.
    """


class TrustError(DicomSealError):
    """Trust anchors cannot be read, or a trust store is empty."""

    code = "trust"


class SigningError(DicomSealError):
    """The object cannot be signed as requested. Nothing was written."""

    code = "signing"


class TimestampError(DicomSealError):
    """A certified timestamp cannot be obtained, or does not belong to this signature."""

    code = "timestamp"


class LedgerError(DicomSealError):
    """A ledger of an archive cannot be read or written, is in use, or does not fit the request."""

    code = "ledger"


class VerificationError(DicomSealError):
    """`ObjectReport.require` or `dcmread` refused an object, as its verdict is not ``passed``.

    Attributes:
        report: the `ObjectReport` with the reason, or None.
        remedy: what to do, as in the report.
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

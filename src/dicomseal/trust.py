"""Phase two of a verification: does the certificate chain to an anchor the caller trusts?

Path building and validation are pyhanko-certvalidator's (RFC 5280); it is imported when a
certificate is judged, not before. No anchor is ever taken from the object itself, and nothing is
fetched from the network.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .errors import TrustError
from .report import TRUSTED, UNTRUSTED, Reason

if TYPE_CHECKING:
    from .certificate import Certificate

_CACHE = 4096


class TrustStore:
    """Trust anchors, and intermediate certificates that help to reach them.

    Decisions are cached, per certificate and moment.

    Args:
        anchors: certificates that are trusted.
        intermediates: certificates that are not, but may stand in between.

    Raises:
        TrustError: there is no anchor: trusting nothing is never what was meant;
            or something is no `cryptography.x509.Certificate`.
    """

    def __init__(
        self,
        anchors: Iterable[x509.Certificate],
        intermediates: Iterable[x509.Certificate] = (),
    ) -> None:
        self.anchors = tuple(anchors)
        self.intermediates = tuple(intermediates)
        if not self.anchors:
            raise TrustError("the trust store has no anchor: name a file with a CA certificate")
        for one in (*self.anchors, *self.intermediates):
            if not isinstance(one, x509.Certificate):
                raise TrustError(
                    f"a {type(one).__name__} is no certificate; for files there is from_files"
                )
        self._decisions: dict[tuple[bytes, datetime | None], tuple[str, Reason | None]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """For worker processes: the certificates travel, the decisions do not."""
        return _from_der, (
            [c.public_bytes(Encoding.DER) for c in self.anchors],
            [c.public_bytes(Encoding.DER) for c in self.intermediates],
        )

    @classmethod
    def from_files(
        cls,
        *anchors: str | os.PathLike[str],
        intermediates: Sequence[str | os.PathLike[str]] = (),
    ) -> TrustStore:
        """From files of certificates, each PEM (one or several) or DER; or folders of such files.

        Raises:
            TrustError: a file cannot be read, or holds no certificate; a folder holds none.
        """
        return cls(
            [c for path in anchors for c in load_certificates(path)],
            [c for path in intermediates for c in load_certificates(path)],
        )

    def judge(
        self, certificate: Certificate, moment: datetime | None = None
    ) -> tuple[str, Reason | None]:
        """Whether a certificate is trusted at a moment.

        Args:
            certificate: the Certificate of Signer.
            moment: aware; None is now.

        Returns:
            ``trusted`` or ``untrusted``, and why not.
        """
        # for "now" an answer holds for a minute: long enough for a directory, short enough to tell
        key_moment = moment or datetime.now(UTC).replace(second=0, microsecond=0)
        key = (certificate.der, key_moment)
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._judge(certificate, moment or datetime.now(UTC))
            if len(self._decisions) >= _CACHE:
                self._decisions.clear()
            self._decisions[key] = decision
        return decision

    def _judge(self, certificate: Certificate, moment: datetime) -> tuple[str, Reason | None]:
        """In a thread of its own: the caller may be inside an event loop, as in a notebook."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(self._validate, certificate, moment).result()

    def _validate(self, certificate: Certificate, moment: datetime) -> tuple[str, Reason | None]:
        import asyncio

        from asn1crypto import x509 as asn1_x509
        from pyhanko_certvalidator import CertificateValidator, ValidationContext, errors

        def convert(some: x509.Certificate) -> Any:
            return asn1_x509.Certificate.load(some.public_bytes(Encoding.DER))

        when = moment.isoformat(timespec="seconds")
        name = certificate.signer.subject
        try:
            context = ValidationContext(
                trust_roots=[convert(c) for c in self.anchors],
                other_certs=[convert(c) for c in self.intermediates],
                moment=moment,
                allow_fetching=False,
            )
            validator = CertificateValidator(
                asn1_x509.Certificate.load(certificate.der), validation_context=context
            )
            asyncio.run(validator.async_validate_path())
        except errors.PathBuildingError:
            return UNTRUSTED, Reason(
                "NO_CERTIFICATE_CHAIN_FOUND",
                f"no chain from the certificate of {name}, issued by {certificate.signer.issuer}, "
                "to a trusted one",
            )
        except (errors.ExpiredError, errors.NotYetValidError):
            return UNTRUSTED, Reason(
                "OUT_OF_BOUNDS_NO_POE",
                f"a certificate in the chain of {name} is not valid at {when} "
                f"(its own: {certificate.signer.not_before} to {certificate.signer.not_after})",
            )
        except errors.RevokedError as error:
            return UNTRUSTED, Reason("REVOKED_NO_POE", f"{name}: {_first_sentence(error)}")
        except (errors.PathError, errors.ValidationError) as error:
            code = "CHAIN_CONSTRAINTS_FAILURE"
            if "algorithm" in str(error):
                code = "CRYPTO_CONSTRAINTS_FAILURE"
            return UNTRUSTED, Reason(code, f"the chain of {name}: {_first_sentence(error)}")
        except Exception as error:  # noqa: BLE001
            # whatever a hostile certificate brings out of a library: it is not trusted, and the
            # reason is told
            return UNTRUSTED, Reason(
                "CERTIFICATE_CHAIN_GENERAL_FAILURE", f"{name}: {_first_sentence(error)}"
            )
        return TRUSTED, None


def _from_der(anchors: list[bytes], intermediates: list[bytes]) -> TrustStore:
    load = x509.load_der_x509_certificate
    return TrustStore([load(der) for der in anchors], [load(der) for der in intermediates])


def _first_sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text.split(". ", 1)[0].rstrip(".") or type(error).__name__


def load_certificates(path: str | os.PathLike[str]) -> list[x509.Certificate]:
    """The certificates in a file (PEM, one or several, or DER), or in the files of a folder.

    Raises:
        TrustError: it cannot be read, or there is no certificate in it.
    """
    name = os.fsdecode(path)
    try:
        if os.path.isdir(path):
            found = []
            with os.scandir(path) as entries:
                for entry in sorted(entries, key=lambda e: e.name):
                    if entry.is_file():
                        with open(entry.path, "rb") as file:
                            found += _parse(file.read())
        else:
            with open(path, "rb") as file:
                found = _parse(file.read())
    except (OSError, ValueError) as error:  # the latter for a NUL in the path
        raise TrustError(f"{name}: {getattr(error, 'strerror', None) or error}") from None
    if not found:
        raise TrustError(f"{name}: no certificate in it (PEM and DER are understood)")
    return found


def _parse(data: bytes) -> list[x509.Certificate]:
    try:
        if b"-----BEGIN CERTIFICATE-----" in data:
            return x509.load_pem_x509_certificates(data)
        return [x509.load_der_x509_certificate(data)]
    except (ValueError, TypeError):
        return []

"""Sign and verify DICOM Digital Signatures (PS3.3 C.12.1.1.3, PS3.15 Annex C).

>>> import dicomseal
>>> report = dicomseal.verify("ct.dcm", trust=dicomseal.TrustStore.from_files("ca.pem"))
>>> report.verdict
'passed'
>>> dicomseal.sign_file("ct.dcm", "signed.dcm", "key.pem", "cert.pem")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import DicomSealError, VerificationError

if TYPE_CHECKING:
    from . import canonical, profiles, purposes, requirements
    from ._record import Limits
    from .remover import remove, remove_file
    from .report import ObjectReport, SignatureReport, TimestampReport
    from .signer import sign, sign_file, sign_items
    from .signing_policy import ALLOW_WEAK, SigningPolicy
    from .timestamp_protocol import TimestampAuthority
    from .trust import TrustStore
    from .verifier import verify

__version__ = "0.1.0"

__all__ = [
    "ALLOW_WEAK",
    "DicomSealError",
    "Limits",
    "ObjectReport",
    "SignatureReport",
    "SigningPolicy",
    "TimestampAuthority",
    "TimestampReport",
    "TrustStore",
    "VerificationError",
    "__version__",
    "canonical",
    "profiles",
    "purposes",
    "remove",
    "remove_file",
    "requirements",
    "sign",
    "sign_file",
    "sign_items",
    "verify",
]

# where each public name lives; imported at its first use, so that the command starts quickly
_HOMES = {
    "ALLOW_WEAK": "signing_policy",
    "Limits": "_record",
    "ObjectReport": "report",
    "SignatureReport": "report",
    "SigningPolicy": "signing_policy",
    "TimestampAuthority": "timestamp_protocol",
    "TimestampReport": "report",
    "TrustStore": "trust",
    "canonical": "canonical",
    "profiles": "profiles",
    "purposes": "purposes",
    "remove": "remover",
    "remove_file": "remover",
    "requirements": "requirements",
    "sign": "signer",
    "sign_file": "signer",
    "sign_items": "signer",
    "verify": "verifier",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{home}", __name__)
    value = module if name == home else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

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
    from .editing.remove import remove, remove_file
    from .encoding.limits import Limits
    from .report import ObjectReport, SignatureReport, TimestampReport
    from .signing.policy import ALLOW_WEAK, SigningPolicy
    from .signing.sign_dataset import sign, sign_items
    from .signing.sign_file import sign_file
    from .timestamps.authority import TimestampAuthority
    from .trust.store import TrustStore
    from .verification.many import verify_many
    from .verification.read_dataset import dcmread
    from .verification.verifier import verify

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
    "dcmread",
    "profiles",
    "purposes",
    "remove",
    "remove_file",
    "requirements",
    "sign",
    "sign_file",
    "sign_items",
    "verify",
    "verify_many",
]

# the module of each public name; it is imported at the first use, so that the command starts
# quickly
_HOMES = {
    "ALLOW_WEAK": "signing.policy",
    "Limits": "encoding.limits",
    "ObjectReport": "report",
    "SignatureReport": "report",
    "SigningPolicy": "signing.policy",
    "TimestampAuthority": "timestamps.authority",
    "TimestampReport": "report",
    "TrustStore": "trust.store",
    "canonical": "canonical",
    "dcmread": "verification.read_dataset",
    "profiles": "profiles",
    "purposes": "purposes",
    "remove": "editing.remove",
    "remove_file": "editing.remove",
    "requirements": "requirements",
    "sign": "signing.sign_dataset",
    "sign_file": "signing.sign_file",
    "sign_items": "signing.sign_dataset",
    "verify": "verification.verifier",
    "verify_many": "verification.many",
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

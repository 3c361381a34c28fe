"""What the rest of the package offers, so that an option says what it needs where that is absent.

Profiles, purposes, revocation lists and certified timestamps are rooms of their own. This is the
only module that looks whether they are there.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .. import signer, verifier
from ..trust import TrustStore
from .exits import Ended
from .job import Job
from .parser import usage_error

_PACKAGE = __package__.rpartition(".")[0]


def _there(name: str) -> bool:
    return find_spec(f"{_PACKAGE}.{name}") is not None


def module(name: str) -> Any:
    """A module of the package by its name."""
    return import_module(f"{_PACKAGE}.{name}")


def missing(what: str) -> Ended:
    """The end of a program that is asked for what is not there."""
    return usage_error(f"this option needs {what}, which this build does not have")


def _accepts(function: Any, name: str) -> bool:
    return name in inspect.signature(function).parameters


def has_crls() -> bool:
    """Whether revocation lists are looked at."""
    return _accepts(TrustStore.__init__, "crls")


def signing_options(job: Job) -> dict[str, Any]:
    """Profile, purpose and policy as `sign_file` takes them.

    Raises:
        Ended: one is asked for and not there.
    """
    wanted: dict[str, Any] = {}
    for name, value in (("profile", job.profile), ("purpose", job.purpose)):
        if _accepts(signer.sign_file, name):
            wanted[name] = value
        elif value not in ("none", None):
            raise missing(f"a {name}")
    if _accepts(signer.sign_file, "policy"):
        wanted["policy"] = module("signing_policy").ALLOW_WEAK
    return wanted


def trust_options(crls: list[bytes], check_crls: bool, stamps: list[Any]) -> dict[str, Any]:
    """What a `TrustStore` takes beside anchors and intermediates."""
    wanted: dict[str, Any] = {}
    if has_crls():
        wanted["crls"] = crls
    if _accepts(TrustStore.__init__, "tsa"):
        wanted["tsa"] = stamps
    if _accepts(TrustStore.__init__, "policy"):
        # OpenSSL looks at revocation only when told, and not at a signer's key usage
        policy = module("policy")
        wanted["policy"] = policy.Policy(
            name="dcmsign",
            weak=policy.ACCEPT,
            revocation=policy.REQUIRE if check_crls else policy.OFF,
            key_usages=frozenset(),
        )
    return wanted


def check_requirement(job: Job) -> None:
    """Whether the profile that must be there can be told.

    Raises:
        Ended: it cannot.
    """
    if job.require not in ("", "signature") and job.require not in verifier.REQUIREMENTS:
        raise missing("digital signature profiles")


def timestamps() -> Any:
    """The module of timestamp requests and responses.

    Raises:
        Ended: it is not there.
    """
    if not (_there("timestamper") and _there("timestamp_protocol")):
        raise missing("certified timestamps")
    return module("timestamp_protocol")


def purposes() -> dict[str, str]:
    """The codes of purposes and their meanings.

    Raises:
        Ended: they are not there.
    """
    if not _there("purposes"):
        raise missing("purposes")
    meanings: dict[str, str] = module("purposes").MEANINGS
    return meanings

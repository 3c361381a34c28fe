"""The options about trust, for every command that verifies."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import TrustError, UsageError
from ..policy import PRESETS, REVOCATION_CHOICES, WEAK_CHOICES
from .guard import warnings_said

if TYPE_CHECKING:
    from ..trust.store import TrustStore

_F = TypeVar("_F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--trust",
        metavar="FILE|DIR",
        multiple=True,
        help="Trust anchors: PEM, DER, PKCS#7, PKCS#12, or a folder of them. Repeatable. "
        "Without anchors or --trust-signer nothing is trusted.",
    ),
    click.option(
        "--intermediate",
        metavar="FILE|DIR",
        multiple=True,
        help="Certificates that may be between signer and anchor in a chain. Repeatable.",
    ),
    click.option(
        "--trust-signer",
        metavar="FILE|DIR",
        multiple=True,
        help="Certificates or public keys of signers that are trusted directly. Repeatable.",
    ),
    click.option(
        "--tsa-trust",
        metavar="FILE|DIR",
        multiple=True,
        help="Trust anchors of timestamp authorities, and of nothing else. Repeatable.",
    ),
    click.option(
        "--crl",
        metavar="FILE|DIR",
        multiple=True,
        help="Certificate revocation lists, PEM or DER. Repeatable.",
    ),
    click.option(
        "--ocsp",
        metavar="FILE|DIR",
        multiple=True,
        help="OCSP responses, DER. Repeatable.",
    ),
    click.option(
        "--revocation",
        type=click.Choice(REVOCATION_CHOICES),
        help="off; if-available: the available data must speak for a certificate; require: there "
        "must be data for each. Default: as the policy says (if-available).",
    ),
    click.option(
        "--fetch",
        is_flag=True,
        help="Fetch CRLs and OCSP responses over HTTP where certificates say so. Without it the "
        "network is never used.",
    ),
    click.option(
        "--fetch-cache",
        metavar="DIR",
        help="Keep what was fetched in this folder until its next update.",
    ),
    click.option(
        "--trust-password-env",
        metavar="NAME",
        help="Environment variable with the password of PKCS#12 files among these.",
    ),
    click.option(
        "--policy",
        metavar="NAME|FILE",
        default="default",
        show_default=True,
        help=f"Requirements for certificates: {', '.join(PRESETS)}, or a JSON file.",
    ),
    click.option(
        "--weak",
        type=click.Choice(WEAK_CHOICES),
        help="Algorithms and keys that are no longer strong. Default: as the policy says (warn).",
    ),
    click.option(
        "--at",
        metavar="TIME",
        help="The time of validation, ISO 8601 with an offset from UTC. Default: now.",
    ),
    click.option(
        "--accept-claimed-time",
        is_flag=True,
        help="Judge certificates at the time that the signature claims, which is not proven.",
    ),
)


def trust_options(function: _F) -> _F:
    """Put the options on a command; it gets them as keyword arguments, see `verification`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def verification(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `verification.verifier.Options` for these options of a command.

    Args:
        options: the keyword arguments of the command; those of this module are removed.

    Raises:
        UsageError: they make no sense, or a file is not of the right kind.
    """
    weak = options.pop("weak")
    return {
        "at": _moment(options.pop("at")),
        "accept_claimed_time": options.pop("accept_claimed_time"),
        "weak": weak,
        "trust": _store(options, weak),
    }


def _store(options: dict[str, Any], weak: str | None) -> TrustStore | None:
    anchors, signers = options.pop("trust"), options.pop("trust_signer")
    helpers = {
        "--intermediate": options.pop("intermediate"),
        "--tsa-trust": options.pop("tsa_trust"),
        "--crl": options.pop("crl"),
        "--ocsp": options.pop("ocsp"),
    }
    revocation, fetch = options.pop("revocation"), options.pop("fetch")
    folder = options.pop("fetch_cache")
    if folder and not fetch:
        raise UsageError("--fetch-cache goes with --fetch")
    policy, variable = options.pop("policy"), options.pop("trust_password_env")
    from .. import policy as policies

    chosen = policies.load(policy).but(weak=weak, revocation=revocation)
    if not anchors and not signers:
        for name, given in helpers.items():
            if given:
                raise UsageError(f"{name} helps to judge a signer; give --trust as well")
        return None
    from ..trust.store import TrustStore

    try:
        fetcher = None
        if fetch:
            from ..trust.fetching import Fetcher

            fetcher = Fetcher(folder=folder)
        with warnings_said():
            return TrustStore.from_files(
                *anchors,
                intermediates=helpers["--intermediate"],
                tsa=helpers["--tsa-trust"],
                signers=signers,
                crls=helpers["--crl"],
                ocsps=helpers["--ocsp"],
                policy=chosen,
                password=_password(variable),
                fetcher=fetcher,
            )
    except TrustError as error:
        raise UsageError(f"trust: {error}") from None


def _password(variable: str | None) -> str | None:
    if variable is None:
        return None
    value = os.environ.get(variable)
    if value is None:
        raise UsageError(f"--trust-password-env: there is no environment variable {variable}")
    return value


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--at: {text!r} is not an ISO 8601 time, e.g. 2026-11-22T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        raise UsageError(f"--at: {text!r} has no offset from UTC; append Z or e.g. +01:00")
    return moment

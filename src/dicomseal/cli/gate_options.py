"""The options of a gate: what it does with each verdict, how it listens, how it is monitored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..errors import UsageError
from ..gate.policy import ACCEPT, ACTIONS, QUARANTINE, REFUSE, Policy
from ..profiles import PROFILES
from ..verification.options import Options
from .numbers import FiniteRange
from .trust_options import verification
from .verify_options import demanded

_F = TypeVar("_F", bound=Callable[..., Any])

_POLICY = (
    click.option(
        "--on-failed",
        type=click.Choice(ACTIONS),
        default=REFUSE,
        show_default=True,
        help="What is done with an object that failed, or cannot be read.",
    ),
    click.option(
        "--on-indeterminate",
        type=click.Choice(ACTIONS),
        help="What is done with an object that could not be decided.  [default: refuse]",
    ),
    click.option(
        "--on-unsigned",
        type=click.Choice(ACTIONS),
        default=ACCEPT,
        show_default=True,
        help="What is done with an object without signatures; --require signature makes it fail.",
    ),
    click.option(
        "--quarantine",
        metavar="DIR",
        help="Folder for objects in quarantine, each with its report as JSON beside it.",
    ),
)
_NETWORK = (
    click.option(
        "--bind",
        metavar="ADDRESS",
        default="127.0.0.1",
        show_default=True,
        help="Address to listen on; another than this machine's own must be named.",
    ),
    click.option(
        "--stow-port",
        type=click.IntRange(0, 65535),
        metavar="N",
        help="Accept the Store transaction of DICOMweb (STOW-RS) on this port: POST /studies.",
    ),
    click.option(
        "--stow-upstream",
        metavar="URL",
        help="Pass what came so, and is accepted, on to this DICOMweb service before its sender is "
        "answered.",
    ),
    click.option(
        "--max-associations",
        type=click.IntRange(min=1),
        default=64,
        show_default=True,
        metavar="N",
        help="Associations at a time; more are rejected.",
    ),
    click.option(
        "--allow-aet",
        metavar="AET",
        multiple=True,
        help="Reject peers with another AE title. A title proves nothing; --tls-ca does. "
        "Repeatable.",
    ),
    click.option(
        "--only-called", is_flag=True, help="Reject peers that call another AE title than --aet."
    ),
    click.option(
        "--timeout",
        type=FiniteRange(min=0.1),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a peer may be silent, or may take for one PDU.",
    ),
    click.option(
        "--max-size",
        type=click.IntRange(min=1),
        default=65536,
        show_default=True,
        metavar="MEGABYTES",
        help="How large an object may be.",
    ),
    click.option("--tls-cert", metavar="FILE", help="Accept only TLS, with this certificate, PEM."),
    click.option("--tls-key", metavar="FILE", help="Its private key, PEM."),
    click.option(
        "--tls-ca",
        metavar="FILE",
        help="Accept only peers with a certificate of these authorities.",
    ),
)
_OPERATION = (
    click.option(
        "--ledger",
        metavar="FILE",
        help="Keep a row of each object, on disk before its sender is answered, for `dicomseal "
        "archive` report, audit and export.",
    ),
    click.option(
        "--metrics-port",
        type=click.IntRange(0, 65535),
        metavar="N",
        help="Serve /metrics (Prometheus) and /health on this port.",
    ),
    click.option(
        "--metrics-bind",
        metavar="ADDRESS",
        default="127.0.0.1",
        show_default=True,
        help="Address for these two.",
    ),
    click.option(
        "--sync/--no-sync",
        default=True,
        show_default=True,
        help="Flush every object to disk before its sender is answered. Without it, what was "
        "accepted survives the end of the gate, and not that of the machine.",
    ),
    click.option(
        "--stop-timeout",
        type=FiniteRange(min=0),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long the gate waits after SIGTERM for objects that are arriving.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        show_default=True,
        help="The log is on standard error, one JSON object a line; accepted objects are info.",
    ),
    click.option(
        "--log-patients", is_flag=True, help="Name Patient ID, study and series in the log as well."
    ),
)
_SIGNING = (
    click.option(
        "--sign",
        nargs=2,
        metavar="KEY CERT",
        help="Sign an accepted object that arrives without a signature, before it is stored.",
    ),
    click.option(
        "--profile",
        type=click.Choice(["none", *PROFILES]),
        default="none",
        show_default=True,
        help="Digital signature profile of PS3.15 Annex C for --sign.",
    ),
    click.option("--password-env", metavar="NAME", help="Environment variable with its password."),
    click.option("--password-file", metavar="FILE", help="File with its password."),
)


def _put(options: tuple[Callable[[Any], Any], ...]) -> Callable[[_F], _F]:
    def decorate(function: _F) -> _F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


policy_options = _put(_POLICY)
network_options = _put(_NETWORK)
operation_options = _put(_OPERATION)
signing_options = _put(_SIGNING)


def policy_of(options: dict[str, Any], digests: bool) -> Policy:
    """Return the policy that options of `policy_options`, trust and verification mean.

    Args:
        options: the keyword arguments of the command; those that are used are taken out, but for
            ``quarantine``.
        digests: whether a ledger is kept, which compares runs.

    Raises:
        UsageError: they make no sense.
    """
    verifying = Options(**verification(options), **demanded(options), digests=digests)
    undecided = options.pop("on_indeterminate")
    if verifying.trust is None and not verifying.integrity_only and undecided is None:
        raise UsageError(
            "without --trust or --trust-signer every signed object is indeterminate: give one of "
            "them, or --integrity-only, or say what is done with such with --on-indeterminate"
        )
    policy = Policy(
        options=verifying,
        on_failed=options.pop("on_failed"),
        on_indeterminate=undecided or REFUSE,
        on_unsigned=options.pop("on_unsigned"),
    )
    if policy.quarantines and not options["quarantine"]:
        raise UsageError(f"{QUARANTINE} needs a folder: --quarantine DIR")
    if options["quarantine"] and not policy.quarantines:
        raise UsageError("--quarantine: nothing goes there; give e.g. --on-failed quarantine")
    return policy

"""``dicomseal gate``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from ..errors import UsageError
from ..gate.policy import ACCEPT
from .gate_options import (
    network_options,
    operation_options,
    policy_of,
    policy_options,
    signing_options,
)
from .guard import secrets_at_hand
from .numbers import FiniteRange
from .trust_options import trust_options
from .verify_options import verify_options

_EXTRA = "the gate needs the extra: pip install dicomseal[gate]"
_EPILOG = """\b
Exit codes: 0 it was stopped (SIGTERM, Ctrl-C) and all on its way came to its end, 1 it was not so,
or it could not begin (a port, a folder, a key), 2 usage.

\b
Examples:
  dicomseal gate --port 11112 --aet GATE --store objects --trust ca.pem
  dicomseal gate --port 11112 --bind 0.0.0.0 --aet GATE --store objects --trust ca.pem \\
      --quarantine suspect --on-failed quarantine --forward pacs.example:104:PACS \\
      --ledger gate.db --metrics-port 9112 --jobs 2
"""


@click.command("gate", epilog=_EPILOG)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    required=True,
    metavar="N",
    help="Port for DICOM; 0 is any that is free, which the log names.",
)
@click.option("--aet", required=True, metavar="AET", help="AE title of this gate.")
@click.option("--store", required=True, metavar="DIR", help="Where accepted objects are stored.")
@policy_options
@click.option(
    "--forward",
    metavar="HOST:PORT:AET",
    help="Forward accepted objects to this node in the order of arrival, until it has them.",
)
@click.option(
    "--forward-once",
    type=FiniteRange(min=0),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Do not send an object on again that the next node took so recently, so that gates that "
    "forward to each other come to an end; 0: send it always.",
)
@network_options
@operation_options
@signing_options
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Receive with this number of processes, on one port.",
)
@verify_options
@trust_options
def command(port: int, aet: str, store: str, **options: Any) -> None:
    """Receive objects by C-STORE, verify each on arrival, and store, quarantine or refuse it.

    An object is stored bit for bit as it came, under Study, Series and SOP Instance UID, and is
    whole and on disk before its sender is told so. What passed is accepted; the policy says what is
    done with the rest.
    """
    given = {name: sorted(one) if isinstance(one, tuple) else one for name, one in options.items()}
    for secret in ("password_env", "password_file"):
        given.pop(secret)
    jobs, ledger = options.pop("jobs"), options.pop("ledger")
    policy = policy_of(options, digests=ledger is not None)
    try:
        from ..gate.forwarding import Node
        from ..gate.log import to_standard_error
        from ..gate.scp import Settings as Network
        from ..gate.scp import StorageSCP
        from ..gate.service import Service, Settings
    except ImportError as error:
        raise UsageError(f"{_EXTRA} ({error})") from None
    if not aet.strip() or len(aet) > 16 or not aet.isascii() or not aet.isprintable():
        raise UsageError(
            f"--aet: {aet!r} is not an AE title: 1 to 16 characters (PS3.5 Section 6.2)"
        )
    bind = options.pop("bind")
    network = Network(
        aet=aet,
        associations=options["max_associations"],
        timeout=options["timeout"],
        allowed=options["allow_aet"],
        only_called=options["only_called"],
        size=options["max_size"] << 20,
        tls=_tls(options),
    )
    metrics = options["metrics_port"]
    forward = options["forward"]
    with secrets_at_hand():
        settings = Settings(
            policy=policy,
            store=store,
            quarantine=options["quarantine"],
            fronts=(StorageSCP(network, bind, port), *_stow(options, network, bind)),
            aet=aet,
            jobs=jobs,
            connections=network.associations,
            forward=None if forward is None else _elsewhere(Node.parse(forward), bind, port),
            once=options["forward_once"],
            ledger=ledger,
            asked=given,
            monitor=None if metrics is None else (options["metrics_bind"], metrics),
            signer=_signer(options, policy.options.require, policy.on_unsigned),
            sync=options["sync"],
            patients=options["log_patients"],
            patience=options["stop_timeout"],
        )
        to_standard_error(options["log_level"])
        good = Service(settings).run()
    raise click.exceptions.Exit(0 if good else 1)


def _stow(options: dict[str, Any], network: Any, bind: str) -> tuple[Any, ...]:
    """Return the Store transaction of DICOMweb, if it is asked for."""
    port, url = options["stow_port"], options["stow_upstream"]
    if port is None:
        if url is not None:
            raise UsageError("--stow-upstream goes with --stow-port")
        return ()
    from ..gate.stow import StowFront, StowSettings
    from ..gate.upstream import Upstream

    settings = StowSettings(
        connections=network.associations,
        timeout=network.timeout,
        size=network.size,
        tls=network.tls,
        upstream=None if url is None else Upstream(url),
    )
    return (StowFront(settings, bind, port),)


def _elsewhere(node: Any, bind: str, port: int) -> Any:
    """Return the next node, which must be another one: a gate would send to itself without end."""
    if node.port == port and node.host in {bind, "localhost", "127.0.0.1", "::1"}:
        raise UsageError(f"--forward: {node.host}:{node.port} is this gate itself")
    return node


def _tls(options: dict[str, Any]) -> Any:
    certificate, key = options["tls_cert"], options["tls_key"]
    if certificate is None and key is None:
        if options["tls_ca"] is not None:
            raise UsageError("--tls-ca goes with --tls-cert and --tls-key")
        return None
    if certificate is None or key is None:
        raise UsageError("--tls-cert and --tls-key go together")
    from ..gate.scp import tls_context

    return tls_context(certificate, key, options["tls_ca"])


def _signer(
    options: dict[str, Any], require: frozenset[Any], on_unsigned: str
) -> Callable[[], Any] | None:
    """Return a function that makes the signer; each process calls it, for its own token session."""
    pair = options["sign"]
    if pair is None:
        if options["profile"] != "none":
            raise UsageError("--profile goes with --sign")
        return None
    if require:
        raise UsageError("--sign signs unsigned objects, and --require makes them fail")
    if on_unsigned != ACCEPT:
        raise UsageError(
            "--sign signs unsigned objects that are accepted: add --on-unsigned accept"
        )
    from ..gate.door_signer import DoorSigner
    from ..signing.request import SigningOptions
    from .sign_options import password_of

    key, certificate = pair
    password = functools.cache(password_of({**options, "key": key}))
    chosen = SigningOptions(profile=options["profile"])

    def make() -> DoorSigner:
        return DoorSigner(key, certificate or None, password, chosen)

    if not key.startswith("pkcs11:"):
        make()  # a wrong password or key is reported before anything is received
    return make

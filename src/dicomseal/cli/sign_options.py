"""The options about key, profile and timestamp, for every command that signs."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..encoding.obstacles import GUESSED
from ..errors import KeyFileError, UsageError
from ..keys.secret_files import read_secret
from ..profiles import PROFILES, find
from ..purposes import MEANINGS
from ..report import harmless
from ..signing.policy import ALLOW_WEAK, STRONG
from ..standard.mac_algorithms import MAC_ALGORITHMS, TIMESTAMP_ALGORITHMS
from .numbers import FiniteRange

if TYPE_CHECKING:
    from ..signing.request import SignatureUID

_MAX_NAMED = 10
_F = TypeVar("_F", bound=Callable[..., Any])
PASSWORDS = """The password of an encrypted key, or the PIN of a token, comes from --password-env,
--password-file, or a prompt. There is no option for the password itself: everyone on the machine
can read the arguments of a process."""


def _list_purposes(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        for code, meaning in MEANINGS.items():
            click.echo(f"{code:>2}  {meaning}")
        ctx.exit()


_OPTIONS = (
    click.option(
        "--key",
        required=True,
        metavar="FILE|URI",
        help="Private key: PEM, DER, PKCS#8 (encrypted or not), PKCS#12, or a pkcs11: URI.",
    ),
    click.option(
        "--cert",
        metavar="FILE",
        help="The signer's certificate, PEM or DER; PKCS#12 and tokens bring their own.",
    ),
    click.option(
        "--mac",
        type=click.Choice(list(MAC_ALGORITHMS), case_sensitive=False),
        default="SHA256",
        show_default=True,
        help="MAC Algorithm.",
    ),
    click.option(
        "--allow-weak",
        is_flag=True,
        help="Allow RIPEMD160, MD5, SHA1 or a short key.",
    ),
    click.option(
        "--profile",
        type=click.Choice(["none", *PROFILES]),
        default="none",
        show_default=True,
        help="Digital signature profile of PS3.15 Annex C that the signature must satisfy.",
    ),
    click.option(
        "--purpose",
        metavar="CODE|NAME",
        help="Purpose of the signature: 1 to 18, or its name (PS3.16 CID 7007).",
    ),
    click.option(
        "--list-purposes",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_list_purposes,
        help="Show the purposes and exit.",
    ),
    click.option(
        "--tag",
        "tags",
        metavar="TAG",
        multiple=True,
        help="Sign this element only, those that the profile demands, and those that say what "
        "signed elements mean: gggg,eeee or a keyword. Repeatable. Default: all.",
    ),
    click.option(
        "--include-guessed",
        is_flag=True,
        help="In implicit VR, also sign private elements, whose VR only a dictionary guesses. "
        "Such a signature may not verify elsewhere: other programs assume other VRs.",
    ),
    click.option(
        "--require-all-signed",
        is_flag=True,
        help="Refuse to sign rather than leave out an element whose tag can be signed.",
    ),
    click.option(
        "--password-env", metavar="NAME", help="Environment variable with the key's password."
    ),
    click.option("--password-file", metavar="FILE", help="File with the key's password."),
    click.option(
        "--tsa", metavar="URL", help="Timestamp authority: add a Certified Timestamp of it."
    ),
    click.option(
        "--tsa-mac",
        type=click.Choice(TIMESTAMP_ALGORITHMS, case_sensitive=False),
        default="SHA256",
        show_default=True,
        help="Hash of the timestamp's imprint.",
    ),
    click.option("--tsa-policy", metavar="OID", help="Policy that the authority shall follow."),
    click.option(
        "--tsa-timeout",
        type=FiniteRange(min=0, min_open=True),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="Time to wait for the authority.",
    ),
    click.option(
        "--tsa-auth",
        metavar="env:NAME|netrc",
        help="User and password for the authority: an environment variable that holds "
        "user:password, or the netrc file.",
    ),
)


def sign_options(command: _F) -> _F:
    """Declare the options; the command passes them to `signing_arguments`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def signing_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of `sign_file` for the options, except key and paths.

    Raises:
        UsageError: an option is wrong.
    """
    authority = None
    url, how = options["tsa"], options["tsa_auth"]
    if url is not None:
        from ..timestamps import credentials as tsa_credentials
        from ..timestamps.authority import TimestampAuthority

        credentials = tsa_credentials.find(how, url) if how else None
        authority = TimestampAuthority(
            url, options["tsa_mac"], options["tsa_policy"], options["tsa_timeout"], credentials
        )
    elif how is not None:
        raise UsageError("--tsa-auth goes with --tsa")
    return {
        "mac": options["mac"],
        "tags": options["tags"] or None,
        "profile": options["profile"],
        "purpose": options["purpose"],
        "policy": ALLOW_WEAK if options["allow_weak"] else STRONG,
        "tsa": authority,
        "include_guessed": options["include_guessed"],
        "require_all_signed": options["require_all_signed"],
    }


def password_of(options: dict[str, Any]) -> Callable[[], bytes]:
    """Return a function that returns the key's password: argument ``password`` of `sign_file`."""
    return lambda: _password(options["key"], options["password_env"], options["password_file"])


def caution(options: dict[str, Any]) -> None:
    """Print the caution of a profile for a user who chose the tags."""
    demands = find(options["profile"])
    if options["tags"] and demands and demands.caution:
        click.echo(f"dicomseal: note: {demands.caution}", err=True)


def note(options: dict[str, Any], uids: Iterable[SignatureUID], file: str = "") -> None:
    """Print what signatures leave out; with the file, if there are several.

    An element that a user left out without a profile was left out on purpose, so it is printed only
    if the object will not pass for it.
    """
    demands = find(options["profile"])
    where = f"{harmless(file)}: " if file else ""
    for uid in uids:
        if uid.telling:
            named = _some(uid.telling)
            click.echo(
                f"dicomseal: note: {where}{uid} does not sign {named}, which says what signed "
                "elements mean: the object will pass with --unsigned accept only",
                err=True,
            )
        if options["tags"] and not demands:
            continue
        for obstacle in uid.obstacles[:_MAX_NAMED]:
            click.echo(f"dicomseal: warning: {where}not signed: {obstacle}", err=True)
        if len(uid.obstacles) > _MAX_NAMED:
            more = len(uid.obstacles) - _MAX_NAMED
            click.echo(
                f"dicomseal: warning: {where}not signed: {more} more such elements", err=True
            )
        if any(obstacle.endswith(GUESSED) for obstacle in uid.obstacles):
            click.echo(
                "dicomseal: --include-guessed also signs elements with guessed VRs", err=True
            )
        explained = {obstacle.partition(": ")[0] for obstacle in uid.obstacles}
        rest = [name for name in uid.left_out if name not in {*uid.telling, *explained}]
        if rest:
            click.echo(f"dicomseal: note: {where}{uid} does not sign {_some(rest)}", err=True)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


def _password(key: str, variable: str | None, file: str | None) -> bytes:
    """Return the password. No message repeats an argument: it may be the password, by mistake."""
    if variable is not None:
        value = os.environ.get(variable)
        if value is None:
            raise UsageError("--password-env: there is no environment variable of that name")
        return os.fsencode(value)
    if file is not None:
        return _first_line(file)
    if not sys.stdin.isatty():
        raise KeyFileError(
            f"{key}: a password or PIN is needed; give --password-env or --password-file",
            "password",
        )
    answer: str = click.prompt(f"password of {key}", hide_input=True, err=True)
    return answer.encode(errors="surrogateescape")


def _first_line(file: str) -> bytes:
    try:
        data = read_secret(file).removeprefix(codecs.BOM_UTF8)  # editors of Windows write one
        data.decode()
        trouble = ""
    except UnicodeDecodeError:
        trouble = "not a text in UTF-8"
    except (OSError, ValueError) as error:
        trouble = getattr(error, "strerror", None) or str(error)
    if trouble:
        raise UsageError(f"--password-file: {trouble}")
    return data.partition(b"\n")[0].rstrip(b"\r")

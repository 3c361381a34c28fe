"""``--sign``, ``--sign-item``, ``--remove`` and ``--remove-all``: each returns the output."""

from __future__ import annotations

import getpass
import io
import sys
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from ..editing.remove import remove_file
from ..errors import DicomSealError
from ..keys.key_files import load_key
from ..profiles import Profile
from ..signature import dump
from ..signature.certificate import Certificate, parse
from ..signing.policy import ALLOW_WEAK
from ..signing.request import SigningOptions, request_of
from ..signing.sign_file import sign_requested
from ..standard.transfer_syntaxes import is_encapsulated
from ..trust.formats import der_of
from ..trust.loading import load_certificates
from ..trust.trust_settings import NOT_TRUSTED
from ..verification import verifier
from . import details, files, stamping, tagnames
from .details import moment
from .exits import Exit, ExitError
from .job import SIGN_ITEM, Job
from .log import Log

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from .verifying import is_encoded

_CAUTION = (
    "The Authorization RSA Digital Signature Profile wants every attribute signed whose value the\n"
    "technician or physician has verified, e.g. seen on the screen: name them with --tag."
)


class Keys(NamedTuple):
    """A private key, and the certificate that was named for it."""

    key: PrivateKeyTypes
    certificate: Certificate


def load_keys(job: Job, log: Log) -> Keys | None:
    """Load the private key and its certificate, if they are named, even if they are not used.

    Raises:
        ExitError: one cannot be read. A key that does not match is found when it signs.
    """
    if job.certificate is None or job.key is None:
        return None
    try:
        if not is_encoded(job.certificate, job.der):
            raise ExitError(
                Exit.CANNOT_READ_INPUT,
                f"file cannot be read: while loading certificate file '{job.certificate}'",
            )
        certificate = parse(der_of(load_certificates(job.certificate, wanted=NOT_TRUSTED)[0]))
    except DicomSealError as error:
        raise ExitError(Exit.CANNOT_READ_INPUT, str(error)) from None
    return Keys(_key(job, job.key, log), certificate)


def _key(job: Job, path: str, log: Log) -> PrivateKeyTypes:
    try:
        if not is_encoded(path, job.der):
            raise ExitError(
                Exit.CANNOT_READ_INPUT,
                f"file cannot be read: while loading private key file '{path}'",
            )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            key, _ = load_key(path, _ask if job.password is None else job.password)
        for warning in caught:
            log.info(str(warning.message))
    except DicomSealError as error:
        raise ExitError(Exit.CANNOT_READ_INPUT, str(error)) from None
    return key


def _ask() -> str | None:
    """Ask on the terminal, or on standard input if there is no terminal."""
    prompt = "Enter PEM pass phrase:"
    try:
        with open("/dev/tty", encoding="utf-8"):
            return getpass.getpass(prompt)
    except OSError:
        print(prompt, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().rstrip("\r\n") or None
    except EOFError:
        return None


def sign(job: Job, data: bytes, keys: Keys, log: Log) -> bytes:
    """Return the signed object in the encoding of the output: the written form is signed.

    Raises:
        ExitError: it cannot be signed, or not be written in this encoding.
    """
    item = job.operation == SIGN_ITEM
    where = f"item '{job.location}'" if item else "main dataset"
    log.info(f"create signature in {'sequence item' if item else 'main object'}.")
    if job.profile == "authorization":
        log.warn(_CAUTION)
    profile: str | Profile = job.profile
    if job.profile == "sr" and job.purpose is None:
        profile = details.SR_WITHOUT_PURPOSE
        log.warn(
            "signed without a purpose, as dcmsign does: PS3.15 C.4 wants one for every signature "
            "of this profile (--sig-purpose)"
        )
    _warn_of_dates(keys.certificate, log)
    data = files.converted(job, data)
    if job.legacy and _has_encapsulated(data):
        raise ExitError(
            Exit.CREATION_FAILED,
            "the format of dcmsign before 3.5.4 is not the standard's; nothing is signed in it",
            "error",
        )
    output = io.BytesIO()
    try:
        items = [tagnames.location(job.location)] if item else []
        signing_options = SigningOptions(
            mac=job.mac,
            tags=job.tags,
            profile=profile,
            purpose=job.purpose,
            policy=ALLOW_WEAK,
            meanings=False,  # dcmsign signs the elements that the profile demands, and no others
        )
        request = request_of(keys.key, keys.certificate, None, signing_options)
        (uid,) = sign_requested(request, data, output, items)
        for obstacle in uid.obstacles:
            log.warn(obstacle)
        # this also sets the kind of lengths of the new sequences
        signed = files.converted(job, output.getvalue())
        if job.stamp_query is not None:
            stamping.write_query(job, signed, uid, log)
    except DicomSealError as error:
        raise ExitError(
            Exit.CREATION_FAILED, f"{error} while creating signature in {where}", "error"
        ) from None
    if job.dump is not None:
        stream = bytearray()
        dump.raw(signed, stream.extend, uid)
        files.write_support(job.dump, bytes(stream), f"unable to write dump file '{job.dump}'")
    return signed


def _warn_of_dates(certificate: Certificate, log: Log) -> None:
    first, last = certificate.not_before, certificate.not_after
    now = datetime.now(UTC)
    if last < now:
        log.warn(f"Certificate has expired {moment(last)}, signature will be invalid.")
    if first > now:
        log.warn(f"Certificate is not yet valid, validity starts {moment(first)}.")


def _has_encapsulated(data: bytes) -> bool:
    verified = verifier.verify(data, integrity_only=True)
    return bool(is_encapsulated(verified.transfer_syntax))


def remove(job: Job, data: bytes, log: Log) -> bytes:
    """Return the object without the named signature, or without any.

    Raises:
        ExitError: there is no such signature, or it cannot be written.
    """
    everything = job.operation == "--remove-all"
    log.info(f"removing {'all signatures' if everything else 'signature from sequence item'}.")
    found = verifier.verify(data, integrity_only=True).signatures
    live = [one for one in found if one.integrity is not None]
    chosen = [one for one in live if everything or one.uid == job.remove]
    if not everything and not chosen:
        raise ExitError(
            Exit.UID_NOT_FOUND, f"signature with UID '{job.remove}' not found.", "error"
        )
    for number, one in enumerate(chosen, 1):
        log.warn(f"Signature {f'#{number} ' if everything else ''}UID={one.uid or '(unknown)'}")
        log.warn(f"  Location                    : {one.location or 'Main Dataset'}")
        if one.mac_id is None:  # it is unknown which MAC Parameters item to remove with it
            raise ExitError(
                Exit.REMOVAL_FAILED, "it has no MAC ID Number: while removing signature", "error"
            )
    if chosen:
        output = io.BytesIO()
        try:
            remove_file(data, output, None if everything else job.remove, orphans=True)
        except DicomSealError as error:
            raise ExitError(
                Exit.REMOVAL_FAILED, f"{error}: while removing signature", "error"
            ) from None
        data = output.getvalue()
    if everything:
        log.info(f"{len(chosen)} signatures found and removed from dataset.")
    return files.converted(job, data)

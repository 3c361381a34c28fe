"""``--verify``: the reports of `verification.verifier` in dcmsign's words and exit codes."""

from __future__ import annotations

import os
import re
import warnings
from datetime import UTC, datetime
from typing import NamedTuple

from .. import policy, report
from ..errors import TrustError
from ..files.part10 import Part10
from ..report import ObjectReport, ReasonCode, SignatureReport
from ..signature.certificate import Certificate
from ..trust.authorities import vouches
from ..trust.formats import AnyCertificate
from ..trust.loading import load_certificates, load_crls
from ..trust.store import TrustStore
from ..verification import missing, verifier
from ..verification.options import ACCEPT, Options
from ..verification.signature_timestamp import foreign
from . import details
from .exits import Exit, ExitError
from .job import Job
from .log import Log

_CERTIFICATE, _CRL = "", "r"  # kinds of files in a hashed directory
_ABSENT = "Certified timestamp : absent"
_PROFILES = {
    "creator": "Creator RSA Signature",
    "authorization": "Authorization RSA Signature",
    "sr": "SR RSA Signature",
}
_WANTED = {"sr": ("sr", "sr-verification")}
# reasons for which no object fails with dcmsign
_DCMSIGN_GUESSES = {ReasonCode.ENCODING_NOT_STATED}


def verify(job: Job, data: bytes, log: Log) -> Exit:
    """Verify every signature, print the results, and return the exit code."""
    log.info("verifying all signatures.")
    options = Options(
        trust=_trust(job, log),
        accept_legacy=job.legacy,
        weak=policy.ACCEPT,  # as dcmsign does; each of them is named in a warning
        unsigned=ACCEPT,  # dcmsign does not mention elements that no signature covers
    )
    verified = verifier.verify_with(data, options)
    if verified.error:
        message = f"{verified.error.message}: reading file: {job.source}"
        raise ExitError(Exit.CANNOT_READ_INPUT, message)
    stored: list[details.Stored | None] = [None] * len(verified.signatures)
    if job.require in _PROFILES or log.enabled("info"):
        stored = list(details.stored(Part10.from_bytes(data).index()))
    return _judge(job, verified, stored, log)


def _judge(job: Job, verified: ObjectReport, stored: list[details.Stored | None], log: Log) -> Exit:
    """Print the results for an object, and return the exit code."""
    both = zip(verified.signatures, stored, strict=True)
    live = [(one, found) for one, found in both if one.integrity is not None]
    broken = 0
    for number, (one, found) in enumerate(live, 1):
        broken += not _signature(job, number, one, found, log)
    stamps = foreign(verified.signatures)  # printed with their signatures, if they count
    reasons = [reason for reason in verified.reasons if reason not in stamps]
    for reason in reasons:
        log.warn(f"  {reason.message}")
    for message in verified.messages:
        # dcmsign does not look for MAC Parameters that no signature uses
        if not (live and message.startswith(missing.ORPHANS)):
            log.warn(f"  {message}")
    if not live:
        return _without_signatures(job, verified, log)
    log.info(f"{len(live)} signatures verified in dataset, {broken} corrupted.")
    if job.require in _PROFILES and not _is_met(job, live, log):
        log.error(
            f"No signature in this dataset fulfills the required {_PROFILES[job.require]} "
            "signature policy"
        )
        return Exit.VERIFICATION_POLICY
    failed = broken or any(reason.code not in _DCMSIGN_GUESSES for reason in reasons)
    return Exit.VERIFICATION_FAILED if failed else Exit.OK


def _without_signatures(job: Job, verified: ObjectReport, log: Log) -> Exit:
    if verified.verdict == report.INDETERMINATE and not verified.reasons:
        return Exit.VERIFICATION_FAILED  # a signature cannot be read
    if job.require:
        log.error("no signatures found although required by the signature verification policy.")
        return Exit.NO_SIGNATURES
    log.warn("no signatures found in dataset.")
    return Exit.OK


def _signature(
    job: Job, number: int, one: SignatureReport, found: details.Stored | None, log: Log
) -> bool:
    """Print the lines about a signature, and return whether it counts."""
    log.warn(f"Signature #{number} UID={one.uid or '(unknown)'}")
    if found and log.enabled("info"):
        details.say(one, found, log)
    trouble = _trouble(one)
    extended = not trouble and _expired(one)
    if extended:  # in dcmsign's view the certificate fails, and the timestamp makes up for it
        trouble = "signature is OK but certificate verification failed: certificate has expired"
    _outcome(log, "Signature Verification", trouble or "OK")
    counts = extended or not trouble
    # dcmsign looks at the timestamp also if the certificate has expired, as it may make up for that
    if counts or _too_late(one):
        counts = _timestamp(job, one, found, extended, log) and counts
    for weakness in one.weak:
        log.warn(f"  weak: {weakness}")
    return counts


def _timestamp(
    job: Job, one: SignatureReport, found: details.Stored | None, extended: bool, log: Log
) -> bool:
    """Print the lines about a signature's Certified Timestamp; return whether it may count.

    Args:
        job: the options.
        one: the report of the signature.
        found: the stored signature.
        extended: whether the signature only counts because of the timestamp.
        log: takes the lines.
    """
    if found and log.enabled("info"):
        details.say_timestamp(one, found, job.timestamps, log)
    trouble = _stamp_trouble(job, one)
    if trouble.startswith(_ABSENT):
        log.warn(f"  {trouble}")
    elif trouble:
        _outcome(log, "Timestamp Verification", trouble)
    elif one.timestamp and job.timestamps != "--ignore-ts":
        verdict = "OK, extends validity period of expired signature." if extended else "OK"
        _outcome(log, "Timestamp Verification", verdict)
    return not trouble


def _outcome(log: Log, name: str, outcome: str) -> None:
    """Print the result of a step, in line with the rows of ``--verbose`` if there are any."""
    log.warn(f"  {name:<{27 if log.enabled('info') else 22}} : {outcome}")


def _too_late(one: SignatureReport) -> bool:
    """Return whether the expired certificate alone makes it fail."""
    if one.integrity != report.INTACT or one.trust_reason is None or one.signer is None:
        return False
    late = datetime.fromisoformat(one.signer.not_after) < datetime.now(UTC)
    return late and one.trust_reason.code == ReasonCode.OUT_OF_BOUNDS_NO_POE and not _outside(one)


def _expired(one: SignatureReport) -> bool:
    """Return whether it only counts because a Certified Timestamp proves that it is older."""
    if one.judged_by != "timestamp" or one.signer is None:
        return False
    return datetime.fromisoformat(one.signer.not_after) < datetime.now(UTC)


def _is_met(job: Job, live: list[tuple[SignatureReport, details.Stored | None]], log: Log) -> bool:
    """Return whether one of the signatures satisfies the required profile.

    For ``+rs`` dcmsign checks neither the purpose nor that a verifier has signed.
    """
    if any(_satisfied(job, *both) for both in live):
        return True
    wanted = details.SR_WITHOUT_PURPOSE
    if job.require != wanted.name or not any(
        found and details.follows(wanted, one, found) for one, found in live
    ):
        return False
    log.warn(
        "accepted as dcmsign does, and not by PS3.15 C.4: there every signature has a purpose, and "
        "a report that is VERIFIED has one of the purpose 5 (Verification Signature); dicomseal "
        "verify --require sr keeps to it"
    )
    return True


def _satisfied(job: Job, one: SignatureReport, found: details.Stored | None) -> bool:
    satisfied = one.profiles
    if found and one.integrity == report.ALTERED:
        satisfied = details.profiles_of(one, found)  # as dcmsign: whether it verifies or not
    return any(name in satisfied for name in _WANTED.get(job.require, (job.require,)))


def _trouble(one: SignatureReport) -> str:
    """Return why a signature does not count; empty if it does."""
    if one.integrity != report.INTACT:
        why = one.integrity_reason.message if one.integrity_reason else "no reason"
        return f"signature verification failed: {why}"
    outside = _outside(one)
    if outside:
        return f"signature verification failed: {outside}"
    if one.trust != report.TRUSTED:
        why = one.trust_reason.message if one.trust_reason else "no certificate is trusted"
        return f"signature is OK but certificate verification failed: {why}"
    return ""


def _outside(one: SignatureReport) -> str:
    """Return a sentence for a signature from before or after its certificate's validity."""
    if one.signer is None:
        return ""
    when = datetime.fromisoformat(one.datetime) if one.datetime else None
    if when is None or when.tzinfo is None:
        return ""  # a time without an offset from UTC cannot be compared
    first, last = (
        datetime.fromisoformat(moment) for moment in (one.signer.not_before, one.signer.not_after)
    )
    if first <= when.replace(microsecond=0) <= last:
        return ""
    return f"certificate was not valid at signature creation, {one.datetime}"


def _stamp_trouble(job: Job, one: SignatureReport) -> str:
    """Return why its certified timestamp makes a signature fail; empty if it does not."""
    if job.timestamps == "--ignore-ts":
        return ""
    stamp = one.timestamp
    if stamp is None:
        if job.timestamps == "--require-ts":
            return f"{_ABSENT}, but required by timestamp policy"
        return ""
    if (stamp.integrity, stamp.trust) == (report.INTACT, report.TRUSTED):
        return ""
    why = stamp.reason.message if stamp.reason else "no authority is trusted"
    return f"timestamp signature verification failed: {why}"


# --- what is trusted -----------------------------------------------------------------------------


class _Named(NamedTuple):
    """The content of the files and hashed directories that a command line names.

    Attributes:
        certificates: those that may be trusted.
        intermediates: those that only lead to others.
        crls: certificate revocation lists, DER.
        check_crls: whether revocation is checked.
    """

    certificates: list[AnyCertificate]
    intermediates: list[AnyCertificate]
    crls: list[bytes]
    check_crls: bool


def _named(job: Job, log: Log) -> _Named:
    certificates = [c for name in job.anchors for c in _load(name, job.der, log)]
    intermediates = [c for name in job.intermediates for c in _load(name, job.der, log)]
    crls = [der for name in job.crls for der in _crls(name, job.der, log)]
    check_crls = job.check_crls or bool(crls)
    for folder in job.folders:
        for path in _in_folder(folder, _CERTIFICATE):
            certificates += _load(path, job.der, log, "info")
        if check_crls:
            for path in _in_folder(folder, _CRL):
                crls += _crls(path, job.der, log, "info")
    return _Named(certificates, intermediates, crls, check_crls)


def _trust(job: Job, log: Log) -> TrustStore | None:
    """Return a store with the trust of OpenSSL's: a chain ends in a self-signed certificate."""
    named = _named(job, log)
    anchors = [c for c in named.certificates if _signed_itself(c)]
    if not anchors:
        return None
    others = [*named.intermediates, *(c for c in named.certificates if not _signed_itself(c))]
    # OpenSSL trusts a certificate that is not an authority's too, but only itself
    signers = [c for c in anchors if not vouches(c)]
    anchors = [c for c in anchors if c not in signers]
    stamps = [*anchors, *signers] if job.timestamps != "--ignore-ts" else []
    # OpenSSL checks revocation only on request, and never the usage of a key
    rules = policy.Policy(
        name="dcmsign",
        weak=policy.ACCEPT,
        revocation=policy.REQUIRE if named.check_crls else policy.OFF,
        key_usages=policy.ANY,
        authority_usages=policy.ANY,
    )
    return TrustStore(anchors, others, signers=signers, crls=named.crls, tsa=stamps, policy=rules)


def _in_folder(folder: str, kind: str) -> list[str]:
    """Return the files of a hashed directory, as ``openssl rehash`` names them, up to a gap."""
    found = []
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    for name in names:
        if re.fullmatch(rf"[0-9a-f]{{8}}\.{kind}0", name):
            number = 0
            while f"{name[:-1]}{number}" in names:
                found.append(os.path.join(folder, f"{name[:-1]}{number}"))
                number += 1
    return found


def is_encoded(path: str, der: bool) -> bool:
    """Return whether a file is in the format of --pem-keys or --der-keys."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (OSError, ValueError):
        return False
    return data[:1] == b"\x30" if der else b"-----BEGIN" in data


def _signed_itself(one: AnyCertificate) -> bool:
    if isinstance(one, Certificate):
        return one.signer.issuer == one.signer.subject
    return one.issuer == one.subject


def _load(path: str, der: bool, log: Log, level: str = "warn") -> list[AnyCertificate]:
    if is_encoded(path, der):
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = load_certificates(path)
            for warning in caught:
                log.info(str(warning.message))
            return found
        except TrustError as error:
            log.info(str(error))
    log.write(level, f"unable to load certificate file '{path}', ignoring")
    return []


def _crls(path: str, der: bool, log: Log, level: str = "warn") -> list[bytes]:
    if is_encoded(path, der):
        try:
            return load_crls(path)[:1]
        except TrustError as error:
            log.info(str(error))
    log.write(level, f"unable to load CRL file '{path}', ignoring")
    return []

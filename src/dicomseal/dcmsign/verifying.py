"""``--verify``: the reports of `dicomseal.verifier` in dcmsign's words and exit codes."""

from __future__ import annotations

import os
import re
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .. import policy, report, verifier
from ..errors import TrustError
from ..report import ObjectReport, SignatureReport
from ..trust import TrustStore, load_certificates
from .exits import Ended, Exit
from .job import Job
from .log import Log

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_HASHED_CRL = re.compile(r"[0-9a-f]{8}\.r[0-9]+")
_UNCHECKED = "Certified Timestamp (0400,0310) was not checked"


def verify(job: Job, data: bytes, log: Log) -> Exit:
    """Verify every signature, say what was found, and return the exit code."""
    log.info("verifying all signatures.")
    fields = set(verifier.Options.__struct_fields__)
    wanted: dict[str, Any] = {"accept_legacy": job.legacy, "trust": _trust(job, log)}
    if "weak" in fields:
        wanted["weak"] = "accept"  # as dcmsign does; every one is named in a warning
    made = verifier.verify_with(data, verifier.Options(**wanted))
    if made.error:
        raise Ended(Exit.CANNOT_READ_INPUT, f"{made.error.message}: reading file: {job.source}")
    return _judge(job, made, log)


def _judge(job: Job, made: ObjectReport, log: Log) -> Exit:
    live = [one for one in made.signatures if one.integrity is not None]
    broken = 0
    for number, one in enumerate(live, 1):
        details(number, one, log)
        trouble = _trouble(one)
        stamp_trouble = "" if trouble else _stamp_trouble(job, one)
        broken += bool(trouble or stamp_trouble)
        column = "  Signature Verification :"
        if log.enabled("info"):
            column = "  Signature Verification      :"
        log.warn(f"{column} {trouble or 'OK'}")
        if stamp_trouble:
            log.warn(f"  {stamp_trouble}")
        elif not trouble and one.timestamp and job.timestamps != "--ignore-ts":
            log.warn("  Timestamp Verification : OK")
        for weakness in one.weak:
            log.warn(f"  weak: {weakness}")
    for reason in made.reasons:
        log.warn(f"  {reason.message}")
    for message in made.messages:
        log.warn(f"  {message}")
    if not live:
        if made.verdict == report.INDETERMINATE:
            return Exit.VERIFICATION_FAILED  # there is something that cannot be read
        if job.require:
            log.error("no signatures found although required by the signature verification policy.")
            return Exit.NO_SIGNATURES
        log.warn("no signatures found in dataset.")
        return Exit.OK
    log.info(f"{len(live)} signatures verified in dataset, {broken} corrupted.")
    if job.require not in ("", "signature") and not _satisfied(job, live):
        # of an altered signature nobody can say what profile it had
        if not any(one.integrity != report.INTACT for one in live):
            log.error(
                "No signature in this dataset fulfills the required signature policy "
                f"({job.require})"
            )
            return Exit.VERIFICATION_POLICY
        return Exit.VERIFICATION_FAILED
    return Exit.VERIFICATION_FAILED if broken or made.reasons else Exit.OK


def _satisfied(job: Job, live: list[SignatureReport]) -> bool:
    wanted = {"sr": ("sr", "sr-verification")}.get(job.require, (job.require,))
    return any(name in one.profiles for one in live for name in wanted)


def _trouble(one: SignatureReport) -> str:
    """Why a signature does not count; empty if it does."""
    if one.integrity != report.INTACT:
        why = one.integrity_reason.message if one.integrity_reason else "no reason"
        return f"signature verification failed: {why}"
    if one.trust != report.TRUSTED:
        why = one.trust_reason.message if one.trust_reason else "no certificate is trusted"
        return f"signature is OK but certificate verification failed: {why}"
    early = _outside(one)
    if early:
        return f"signature verification failed: {early}"
    return ""


def _outside(one: SignatureReport) -> str:
    """A signature from before or after its certificate's validity; the bounds are inside."""
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
    """Why its certified timestamp makes a signature fail; empty if it does not."""
    if job.timestamps == "--ignore-ts":
        return ""
    if any(_UNCHECKED in message for message in one.messages):
        return "Timestamp Verification : failed: this build cannot verify it"
    stamp: Any = one.timestamp
    if stamp is None:
        if job.timestamps == "--require-ts":
            return "Certified timestamp : absent, but required by timestamp policy"
        return ""
    if (stamp.integrity, stamp.trust) == (report.INTACT, report.TRUSTED):
        return ""
    why = stamp.reason.message if stamp.reason else "no authority is trusted"
    return f"Timestamp Verification : timestamp signature verification failed: {why}"


def details(number: int, one: SignatureReport, log: Log) -> None:
    """What is known of a signature; most of it with --verbose."""
    log.warn(f"Signature #{number} UID={one.uid or '(unknown)'}")
    rows = [
        ("Location", one.location or "Main Dataset"),
        ("MAC ID", "(unknown)" if one.mac_id is None else str(one.mac_id)),
        ("MAC algorithm", one.mac_algorithm or "(unknown)"),
        ("MAC calculation xfer syntax", one.mac_transfer_syntax or "(unknown)"),
        ("Data elements signed", f"{one.signed_elements} ({one.unsigned_elements} not)"),
        ("Signature date/time", one.datetime or "(unknown)"),
        ("Signature purpose", one.purpose or "(not specified)"),
    ]
    if one.signer:
        rows += [
            ("Certificate of signer", one.signer.subject),
            ("    Issued by", one.signer.issuer),
            ("    Serial no.", one.signer.serial),
            ("    Validity", f"{one.signer.not_before} to {one.signer.not_after}"),
            ("    Public key", one.signer.key),
        ]
    for name, value in rows:
        log.info(f"  {name:<27} : {value}")
    for message in one.messages:
        log.info(f"  {message}")


# --- what is trusted -----------------------------------------------------------------------------


def _trust(job: Job, log: Log) -> TrustStore | None:
    """Trust as OpenSSL's store has it: a chain ends in a certificate that signed itself."""
    given = [c for name in job.anchors for c in _load(name, job.der, log)]
    others = [c for name in job.intermediates for c in _load(name, job.der, log)]
    lists = [der for name in job.crls for der in _crls(name, job.der, log)]
    check_crls = job.check_crls or bool(lists)
    for folder in job.folders:
        for path in _in_folder(folder, _HASHED):
            given += _load(path, job.der, log)
        if check_crls:
            for path in _in_folder(folder, _HASHED_CRL):
                lists += _crls(path, job.der, log)
    anchors = [c for c in given if c.issuer == c.subject]
    others += [c for c in given if c.issuer != c.subject]
    if not anchors:
        return None
    stamps = anchors if job.timestamps != "--ignore-ts" else []
    # OpenSSL looks at revocation only when told, and not at a signer's key usage
    rules = policy.Policy(
        name="dcmsign",
        weak=policy.ACCEPT,
        revocation=policy.REQUIRE if check_crls else policy.OFF,
        key_usages=policy.ANY,
    )
    return TrustStore(anchors, others, crls=lists, tsa=stamps, policy=rules)


def _in_folder(folder: str, pattern: re.Pattern[str]) -> list[str]:
    """The files of a hashed directory, as ``openssl rehash`` names them."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if pattern.fullmatch(name)]


def is_encoded(path: str, der: bool) -> bool:
    """Whether a file is in the format that --pem-keys or --der-keys says."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (OSError, ValueError):
        return False
    return data[:1] == b"\x30" if der else b"-----BEGIN" in data


def _load(path: str, der: bool, log: Log) -> list[x509.Certificate]:
    if is_encoded(path, der):
        try:
            return load_certificates(path)
        except TrustError as error:
            log.info(str(error))
    log.warn(f"unable to load certificate file '{path}', ignoring")
    return []


def _crls(path: str, der: bool, log: Log) -> list[bytes]:
    if is_encoded(path, der):
        with open(path, "rb") as file:
            data = file.read()
        load = x509.load_der_x509_crl if der else x509.load_pem_x509_crl
        try:
            return [load(data).public_bytes(Encoding.DER)]
        except ValueError as error:
            log.info(str(error))
    log.warn(f"unable to load CRL file '{path}', ignoring")
    return []

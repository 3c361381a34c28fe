"""The reports of a verification: frozen data, ready for JSON.

The words are those of ETSI EN 319 102-1 where it has a word for the case.
"""

from __future__ import annotations

import builtins
from enum import StrEnum
from typing import ClassVar, NoReturn

import msgspec

from .errors import UsageError, VerificationError
from .escaping import escaped as escaped  # noqa: PLC0414 - a public name of this module
from .escaping import harmless as harmless  # noqa: PLC0414
from .escaping import unescaped as unescaped  # noqa: PLC0414

# integrity
INTACT, ALTERED, UNVERIFIABLE = "intact", "altered", "unverifiable"
# trust
TRUSTED, UNTRUSTED, NOT_CHECKED = "trusted", "untrusted", "not_checked"
# verdict on an object
PASSED, FAILED, INDETERMINATE = "passed", "failed", "indeterminate"
UNSIGNED, ERROR = "unsigned", "error"


class Answer:
    """A report that has no truth value: ``if report`` would be true for a forgery, too."""

    __slots__ = ()
    _write: ClassVar[str]

    def __bool__(self) -> NoReturn:
        raise UsageError(
            f"{type(self).__name__} is neither true nor false, whatever it says: write "
            f"{self._write}",
            "truth",
        )


class ReasonCode(StrEnum):
    """Every code that a reason can have; docs/reports.md says when each arises.

    Each is a sub-indication of ETSI EN 319 102-1, but for the two at the end, for which the
    standard has no word. A code is equal to its string, and JSON has that string.
    """

    FORMAT_FAILURE = "FORMAT_FAILURE"
    HASH_FAILURE = "HASH_FAILURE"
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"
    SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    CERTIFICATE_CHAIN_GENERAL_FAILURE = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    OUT_OF_BOUNDS_NO_POE = "OUT_OF_BOUNDS_NO_POE"
    REVOKED_NO_POE = "REVOKED_NO_POE"
    REVOKED_CA_NO_POE = "REVOKED_CA_NO_POE"
    TRY_LATER = "TRY_LATER"
    TIMESTAMP_ORDER_FAILURE = "TIMESTAMP_ORDER_FAILURE"
    NO_POE = "NO_POE"
    GENERIC = "GENERIC"  # of V1.1.1; later versions have CUSTOM in its place
    ENCODING_NOT_STATED = "ENCODING_NOT_STATED"
    UNSIGNED_CONTENT = "UNSIGNED_CONTENT"

    def __repr__(self) -> str:
        # older versions had plain strings here, and programs and doctests compare their
        # representation
        return repr(self.value)


class Reason(msgspec.Struct, frozen=True, gc=False):
    """A reason: a sub-indication of ETSI EN 319 102-1 where one fits, and a sentence for people."""

    code: ReasonCode
    message: str


class TimestampReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the Certified Timestamp of a signature (RFC 3161).

    Attributes:
        time: when it was made, ISO 8601 in UTC; None if it cannot be read.
        authority: distinguished name of the timestamp authority's certificate, RFC 4514; None if
            it is not known.
        policy: OID of the policy that the authority followed.
        serial: serial number of the timestamp, hexadecimal.
        imprint: the hash by which it names the signature, e.g. ``SHA256``.
        accuracy: by how many seconds the time may be wrong; None if it does not say.
        integrity: ``intact`` if it is of this very signature and was signed by the authority;
            ``altered``, ``unverifiable``; None if it was not checked.
        trust: whether the authority is ``trusted``; judged at the time of the timestamp.
        revocation: of the authority's chain, as in `SignatureReport`.
        reason: why it is not intact, or not trusted; or None.
        weak: what in the authority's chain is no longer strong.
    """

    time: str | None = None
    authority: str | None = None
    policy: str | None = None
    serial: str | None = None
    imprint: str | None = None
    accuracy: float | None = None
    integrity: str | None = None
    trust: str = NOT_CHECKED
    revocation: str = NOT_CHECKED
    reason: Reason | None = None
    weak: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether its time is proven: the timestamp is intact and its authority trusted."""
        return self.integrity == INTACT and self.trust == TRUSTED


class ProofReport(msgspec.Struct, frozen=True):
    """The ledger of an earlier run that proves that a signature existed.

    Attributes:
        ledger: path of the ledger, as it was given.
        run: number of the run in it.
        time: when the signature passed in it, ISO 8601 in UTC.
    """

    ledger: str
    run: int
    time: str


class Digests(msgspec.Struct, frozen=True, gc=False):
    """Digests of an intact signature and of its content, hexadecimal; for comparing runs.

    Attributes:
        signature: SHA-256 over MAC algorithm, MAC, certificate and signature value.
        content: of the elements it covers, with its MAC algorithm, the first 32 bytes at most.
        elements: of the list of these elements; contents are comparable only where these are equal.
    """

    signature: str
    content: str
    elements: str


class CertificateInfo(msgspec.Struct, frozen=True):
    """The certificate information of a Certificate of Signer.

    If only a bare public key is trusted, the report shows nothing of the certificate, as nobody has
    signed it: then every field is empty but ``sha256`` and ``key``.

    Attributes:
        subject, issuer: distinguished names, RFC 4514.
        serial: serial number, hexadecimal.
        sha256: fingerprint of the certificate's DER, hexadecimal; of a bare public key, of its
            SubjectPublicKeyInfo.
        key: kind and size of its public key, e.g. ``RSA 2048`` or ``ECDSA secp256r1``.
        not_before, not_after: validity, ISO 8601 in UTC, both bounds inclusive.
    """

    subject: str
    issuer: str
    serial: str
    sha256: str
    key: str
    not_before: str
    not_after: str


class SignatureReport(Answer, msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The report of one signature. It has no truth value: ``bool()`` of it raises.

    Attributes:
        location: the item it sits in, e.g. ``BeamSequence[0]``; empty for the main data set.
        uid: Digital Signature UID.
        mac_id: MAC ID Number; None if it is absent.
        datetime: Digital Signature DateTime, ISO 8601; as stored if it is not a date and time.
        mac_algorithm: MAC Algorithm, a defined term; empty if it is not known.
        mac_transfer_syntax: MAC Calculation Transfer Syntax UID; empty if it is not known.
        purpose: the Code Meaning of its purpose, or None.
        purpose_code: its Code Value if it is one of CID 7007, ``"1"`` to ``"18"``, or None.
        integrity: ``intact``, ``altered`` or ``unverifiable``; None for a signature that is
            history, inside Original Attributes Sequence (0400,0561), and is not verified.
        integrity_reason: why it is not intact, or None.
        trust: ``trusted``, ``untrusted`` or ``not_checked``.
        trust_reason: why it is not trusted, or None.
        judged_at: the time that counts, at which the certificate was judged, ISO 8601; None if it
            was not judged.
        judged_by: where that time came from: ``timestamp`` (a valid Certified Timestamp),
            ``validation`` (the time of validation), ``poe_ledger`` (the ledger of an earlier run
            proves it, see ``proof``), ``claimed`` (Digital Signature DateTime, where that is
            accepted); or None.
        proof: where that time was proven, if a ledger did; or None.
        revocation: ``good``: something says that no certificate in the chain was revoked;
            ``revoked``; ``unknown``: it could not be told; ``not_checked``: nothing was at hand,
            or it was not asked for.
        signer: the Certificate of Signer, or None if it cannot be read.
        timestamp: what is known of its Certified Timestamp, or None.
        profiles: the digital signature profiles of PS3.15 Annex C that it satisfies; none of an
            altered signature.
        weak: algorithms and keys in it that are no longer strong.
        messages: what else a person should know.
        signed_elements: how many elements of its data set or item it covers.
        unsigned_elements: how many it could have covered by their tags, and does not.
        remedy: what to do where it is not intact, or not trusted for a reason: a sentence with a
            command; it follows from the codes, and what is given is replaced. None otherwise.
        digests: for comparing it with other runs, of an intact one, if that was asked for.
    """

    _write = "`.integrity == 'intact'` and `.trust == 'trusted'`"

    location: str
    uid: str
    mac_id: int | None
    datetime: str
    mac_algorithm: str = ""
    mac_transfer_syntax: str = ""
    purpose: str | None = None
    purpose_code: str | None = None
    integrity: str | None
    integrity_reason: Reason | None = None
    trust: str = NOT_CHECKED
    trust_reason: Reason | None = None
    judged_at: str | None = None
    judged_by: str | None = None
    proof: ProofReport | None = None
    revocation: str = NOT_CHECKED
    signer: CertificateInfo | None = None
    timestamp: TimestampReport | None = None
    profiles: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    signed_elements: int = 0
    unsigned_elements: int = 0
    digests: Digests | None = None
    remedy: str | None = None

    def __post_init__(self) -> None:
        # of nearly every signature nothing is to be said, and then nothing is looked up
        if self.integrity_reason is not None or self.trust_reason is not None:
            reason = self.integrity_reason or self.trust_reason
            if reason is not None:
                msgspec.structs.force_setattr(self, "remedy", _remedy(reason.code))


class ErrorReport(msgspec.Struct, frozen=True):
    """Why an object could not be read: a stable code and a sentence."""

    code: str
    message: str


class UncoveredClass(msgspec.Struct, frozen=True):
    """The elements of one kind in the main data set that no passing signature covers.

    Attributes:
        name: the class in the table of `standard.meanings`, e.g. ``rescale``; or ``other``.
        effect: ``meaning`` if they say what signed elements mean; ``archive`` if archives are known
            to add them, and they change no meaning; ``other``.
        count: how many.
        elements: the first 1,000 of them, e.g. ``RescaleSlope (0028,1053)``.
    """

    name: str
    effect: str
    count: int
    elements: tuple[str, ...]


class ObjectReport(Answer, msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The report of one object. It has no truth value: ``bool()`` of it raises.

    Attributes:
        path: where it came from; empty for bytes and data sets.
        verdict: ``passed``, ``failed``, ``indeterminate``, ``unsigned`` or ``error``.
        error: why it could not be read, or None.
        reasons: why the verdict is not ``passed``, beyond what the signatures say themselves.
        messages: what else a person should know.
        bytes: size of the file.
        sop_class_uid, sop_instance_uid, transfer_syntax: of the object; empty if not known.
        modality: Modality (0008,0060); empty if it is absent.
        content_digest: SHA-256 over all elements of the main data set that can be signed,
            hexadecimal, if that was asked for; or None.
        covered_elements, uncovered_elements: how many elements of its main data set that could be
            signed by their tag a passing signature covers, and how many none does.
        uncovered_classes: the latter by what they are, if there is a signature over the main data
            set that is intact.
        uncovered: the latter, e.g. ``PatientName (0010,0010)``, if that was asked for.
        signatures: every signature in it, in the order of the bytes.
        remedy: what to do where the verdict is not ``passed``: a sentence with a command. It
            follows from the codes, and what is given is replaced. None if it passed.
    """

    _write = "`.passed`, or `.require()`, which raises unless it passed"

    path: str
    verdict: str
    error: ErrorReport | None = None
    reasons: tuple[Reason, ...] = ()
    messages: tuple[str, ...] = ()
    bytes: int = 0
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    transfer_syntax: str = ""
    modality: str = ""
    content_digest: str | None = None
    covered_elements: int = 0
    uncovered_elements: int = 0
    uncovered: tuple[str, ...] = ()
    uncovered_classes: tuple[UncoveredClass, ...] = ()
    signatures: tuple[SignatureReport, ...] = ()
    remedy: str | None = None

    def __post_init__(self) -> None:
        if self.verdict != PASSED:
            msgspec.structs.force_setattr(self, "remedy", _remedy(self._code()))

    def _code(self) -> str:
        """Return the code of what decided the verdict, for the table of remedies."""
        if self.error is not None:
            return self.error.code
        for reason in self.reasons:
            return reason.code
        for signature in self.signatures:
            if signature.integrity == ALTERED and signature.integrity_reason is not None:
                return signature.integrity_reason.code
        if self.verdict == UNSIGNED:
            return "UNSIGNED"
        for signature in self.signatures:
            stamp = signature.timestamp.reason if signature.timestamp is not None else None
            reason_ = signature.integrity_reason or signature.trust_reason or stamp
            if reason_ is not None:
                return reason_.code
        return "NOT_CHECKED"

    @property
    def passed(self) -> bool:
        """Whether the verdict is ``passed``."""
        return self.verdict == PASSED

    def require(self) -> ObjectReport:
        """Return the report itself if the verdict is ``passed``.

        Raises:
            VerificationError: the verdict is not ``passed``; its ``report`` is this one.
        """
        if not self.passed:
            raise VerificationError(
                f"{self.path or 'the object'}: {self.sentence()}", report=self, remedy=self.remedy
            )
        return self

    def sentence(self) -> str:
        """Return the verdict and the first reason for it, in one line."""
        if self.error:
            return f"{self.verdict}: {self.error.message}"
        why = [reason.message for reason in self.reasons]
        for signature in self.signatures:
            reason = signature.integrity_reason or signature.trust_reason
            if reason:
                why.append(reason.message)
        return f"{self.verdict}: {why[0]}" if why else self.verdict

    def to_json(self) -> builtins.bytes:
        """Return the report as one line of JSON, without a line end.

        Its path is written as by `escaped`.
        """
        report, path = self, escaped(self.path)
        if path != self.path:
            report = msgspec.structs.replace(self, path=path)
        try:
            return msgspec.json.encode(report)
        except UnicodeEncodeError:  # a message with a file name that is not UTF-8
            error = self.error and ErrorReport(self.error.code, _readable(self.error.message))
            return msgspec.json.encode(msgspec.structs.replace(report, error=error))


def _remedy(code: str) -> str | None:
    from .remedies.table import sentence  # for what did not pass alone

    return sentence(code)


def _readable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()

"""Verify every signature of an object: integrity, then trust, then a verdict.

It works on the index of the object's bytes; pydicom takes no part. A bad object is reported, never
raised.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from . import _record, certificate, digital_signature, mac_parameters, report, terms
from . import sequence_items as items
from .canonical import Index, is_dataset, new_hasher, read_all
from .dictionary import AMBIGUOUS
from .digital_signature import DigitalSignature
from .errors import CertificateError, DicomSealError, UsageError
from .mac_parameters import MacParameters
from .part10 import Part10, Reader
from .report import ErrorReport, ObjectReport, Reason, SignatureReport
from .tags import format_location, format_tag

if TYPE_CHECKING:
    from pydicom import Dataset
    from typing_extensions import Buffer

    from .trust import TrustStore

_readers = threading.local()


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification asks for; see `verify`."""

    trust: TrustStore | None = None
    at: datetime | None = None
    integrity_only: bool = False
    require: frozenset[str] = frozenset()
    accept_legacy: bool = False
    limits: _record.Limits = _record.Limits()


REQUIREMENTS = ("signature",)


def verify(
    source: str | os.PathLike[str] | Buffer | BinaryIO | Dataset,
    *,
    trust: TrustStore | None = None,
    at: datetime | None = None,
    integrity_only: bool = False,
    require: Iterable[str] = (),
    accept_legacy: bool = False,
    limits: _record.Limits | None = None,
) -> ObjectReport:
    """Verify all digital signatures of a DICOM object (PS3.3 C.12.1.1.3, PS3.15 Annex C).

    Args:
        source: a path, a file's content as bytes, a binary file, or a `pydicom.Dataset`.
        trust: the anchors that a signer's certificate must chain to. Without them trust is
            ``not_checked``, and the verdict at best ``indeterminate``.
        at: the moment at which certificates are judged, aware; None is now.
        integrity_only: skip trust; intact signatures are then enough to pass.
        require: what must be there: ``"signature"`` makes an unsigned object fail.
        accept_legacy: accept signatures over encapsulated Pixel Data that dcmsign made before
            3.5.4, which hashed the lengths of fragments too. A message always says so.
        limits: what a hostile object may cost.

    Returns:
        A report. Anything wrong with the object itself is in it, as a verdict.

    Raises:
        UsageError: ``require`` names something unknown, ``at`` has no UTC offset, or ``trust`` is
            no `TrustStore`.
    """
    require = frozenset([require] if isinstance(require, str) else require)
    unknown = require - frozenset(REQUIREMENTS)
    if unknown:
        raise UsageError(f"cannot require {', '.join(sorted(unknown))}: only a signature")
    if at is not None and not (isinstance(at, datetime) and at.tzinfo):
        raise UsageError("the moment of validation is a datetime with an offset from UTC")
    if trust is not None and not hasattr(trust, "judge"):
        raise UsageError("trust takes a TrustStore, e.g. TrustStore.from_files('ca.pem')")
    options = Options(
        trust=trust,
        at=at,
        integrity_only=integrity_only,
        require=require,
        accept_legacy=accept_legacy,
        limits=limits or _record.Limits(),
    )
    return verify_with(source, options)


def verify_with(
    source: str | os.PathLike[str] | Buffer | BinaryIO | Dataset, options: Options
) -> ObjectReport:
    """As `verify`, with options that serve for many objects."""
    path = source if isinstance(source, str) else ""
    if not path and isinstance(source, os.PathLike):
        path = os.fsdecode(source)
    size = 0
    try:
        part10 = _open(source, path, options)
        size = part10.size
        return _verify(part10, path, options)
    except DicomSealError as error:
        message = str(error).removeprefix(f"{path}: ")
        return ObjectReport(
            path=path, verdict=report.ERROR, error=ErrorReport(error.code, message), bytes=size
        )


def _open(source: Any, path: str, options: Options) -> Part10:
    if path or isinstance(source, str):
        reader = getattr(_readers, "reader", None)
        if reader is None:
            reader = _readers.reader = Reader()
        return reader.open(path, options.limits)
    if is_dataset(source):
        from .dataset import encode, is_implicit, transfer_syntax_of

        if is_implicit(source):
            return Part10.from_data_set(encode(source, True), terms.IMPLICIT_VR_LITTLE_ENDIAN)
        return Part10.from_data_set(encode(source), transfer_syntax_of(source))
    return Part10.from_bytes(read_all(source), options.limits)


def _verify(part10: Part10, path: str, options: Options) -> ObjectReport:
    index = part10.index()
    signatures = [
        made
        for scope in index.scopes
        for made in _Scope(part10, index, scope, options).signatures()
    ]
    part10.check()
    sop_class, sop_instance = index.values(0, (terms.SOP_CLASS_UID, terms.SOP_INSTANCE_UID))
    reasons = [_ambiguous(found) for found in itertools.islice(index.ambiguities, 3)]
    return ObjectReport(
        path=path,
        verdict=_verdict(signatures, reasons, options),
        reasons=tuple(reasons),
        bytes=part10.size,
        sop_class_uid=items.as_text(sop_class),
        sop_instance_uid=items.as_text(sop_instance),
        transfer_syntax=part10.transfer_syntax,
        signatures=tuple(signatures),
    )


def _ambiguous(found: _record.Ambiguity) -> Reason:
    what = "occurs twice" if found.kind == "duplicate" else "stands out of order"
    return Reason(
        "FORMAT_FAILURE",
        f"{format_tag(found.tag)} {what}: two readers may see two contents",
    )


def _verdict(signatures: list[SignatureReport], reasons: list[Reason], options: Options) -> str:
    live = [s for s in signatures if s.integrity is not None]
    if not live:
        if "signature" in options.require:
            reasons.insert(
                0, Reason("SIGNED_DATA_NOT_FOUND", "a signature is required, none is there")
            )
            return report.FAILED
        return report.UNSIGNED
    integrity = {s.integrity for s in live}
    if reasons or report.ALTERED in integrity:
        return report.FAILED
    if report.UNVERIFIABLE in integrity:
        return report.INDETERMINATE
    if options.integrity_only or {s.trust for s in live} == {report.TRUSTED}:
        return report.PASSED
    return report.INDETERMINATE


class _Broken(Exception):  # noqa: N818
    """Carries the outcome out of the steps of an integrity check; never leaves this module."""

    def __init__(self, integrity: str, code: str, message: str) -> None:
        super().__init__(message)
        self.integrity = integrity
        self.reason = Reason(code, message)


def _altered(code: str, message: str) -> _Broken:
    return _Broken(report.ALTERED, code, message)


def _unverifiable(code: str, message: str) -> _Broken:
    return _Broken(report.UNVERIFIABLE, code, message)


class _Scope:
    """One data set or item that holds signatures."""

    def __init__(self, part10: Part10, index: Index, scope: int, options: Options) -> None:
        self.part10, self.index, self.scope, self.options = part10, index, scope, options
        steps = locate(index, scope)
        self.location = format_location(steps) if steps else ""
        self.history = any(tag == terms.ORIGINAL_ATTRIBUTES_SEQUENCE for tag, _ in steps)
        self.macs: dict[int, int] = {}
        for mac_id, item in mac_parameters.read_ids(index, scope):
            if mac_id is not None:
                self.macs.setdefault(mac_id, item)

    def signatures(self) -> Iterator[SignatureReport]:
        """The reports on its signatures, in their order."""
        for item in items.items_of(self.index, self.scope, terms.DIGITAL_SIGNATURES_SEQUENCE):
            yield self._signature(item)

    def _signature(self, item: int) -> SignatureReport:
        stored = digital_signature.read(self.index, item)
        offset = items.text_of(self.index, self.scope, terms.TIMEZONE_OFFSET_FROM_UTC)
        when = digital_signature.parse_datetime(stored.datetime, offset)
        check = _Check(self, item, stored)
        integrity: str | None = report.INTACT
        reason = None
        if self.history:
            integrity = None
            check.messages.append(
                "part of Original Attributes Sequence (0400,0561): history, not verified"
            )
        else:
            try:
                check.run()
            except _Broken as broken:
                integrity, reason = broken.integrity, broken.reason
        trust, trust_reason = self._trust(check, integrity)
        if when is None:
            check.messages.append(f"Digital Signature DateTime {stored.datetime!r} is no time")
        elif when.tzinfo is None:
            check.messages.append("Digital Signature DateTime has no offset from UTC: ambiguous")
        if stored.timestamp:
            check.messages.append("its Certified Timestamp (0400,0310) was not checked")
        mac, signer = check.mac, check.certificate
        return SignatureReport(
            location=self.location,
            uid=stored.uid,
            mac_id=stored.mac_id,
            datetime=when.isoformat() if when else stored.datetime,
            mac_algorithm=mac.algorithm if mac else "",
            mac_transfer_syntax=mac.transfer_syntax if mac else "",
            purpose=stored.purpose[2] or stored.purpose[0] if stored.purpose else None,
            integrity=integrity,
            integrity_reason=reason,
            trust=trust,
            trust_reason=trust_reason,
            signer=signer.signer if signer else None,
            weak=check.weak(),
            messages=tuple(check.messages),
            signed_elements=check.coverage.signed,
            unsigned_elements=check.coverage.unsigned,
        )

    def _trust(self, check: _Check, integrity: str | None) -> tuple[str, Reason | None]:
        options = self.options
        if options.trust is None or options.integrity_only or integrity is None:
            return report.NOT_CHECKED, None
        if check.certificate is None:
            return report.UNTRUSTED, Reason(
                "NO_SIGNING_CERTIFICATE_FOUND", "there is no certificate to judge"
            )
        return options.trust.judge(check.certificate, options.at)


class _Check:
    """The steps of one integrity check; what it learns on the way stays for the report."""

    def __init__(self, scope: _Scope, item: int, stored: DigitalSignature) -> None:
        self.scope, self.item, self.stored = scope, item, stored
        self.mac: MacParameters | None = None
        self.certificate: certificate.Certificate | None = None
        self.coverage = _record.Coverage(0, 0, ())
        self.messages: list[str] = []
        self._trouble = ""  # not the exception: its traceback would hold this object in a cycle
        if stored.certificate:
            try:
                self.certificate = certificate.parse(stored.certificate)
                self.messages += self.certificate.notes
            except CertificateError as error:
                self._trouble = str(error)
        number = scope.macs.get(stored.mac_id) if stored.mac_id is not None else None
        if number is not None:
            self.mac = mac_parameters.read(scope.index, number)

    def weak(self) -> tuple[str, ...]:
        """What in this signature is no longer strong."""
        found = []
        if self.mac and self.mac.algorithm in terms.WEAK_MAC_ALGORITHMS:
            found.append(f"MAC {self.mac.algorithm}")
        if self.certificate and self.certificate.weak:
            found.append(self.certificate.weak)
        return tuple(found)

    def run(self) -> None:
        """Return if the signature is intact, raise `_Broken` with the reason if it is not."""
        mac = self._usable_mac_parameters()
        signer = self._usable_certificate()
        if not self.stored.signature.strip(b"\0"):
            raise _altered("FORMAT_FAILURE", "the Signature (0400,0120) is absent or empty")
        digest = self._mac(mac)
        if certificate.verify_mac(signer.public_key, digest, mac.algorithm, self.stored.signature):
            return
        if self._verifies_otherwise(mac, signer):
            return
        self._explain(mac, signer)

    def _usable_mac_parameters(self) -> MacParameters:
        mac, stored = self.mac, self.stored
        if stored.mac_id is None:
            raise _altered("FORMAT_FAILURE", "the signature has no MAC ID Number (0400,0005)")
        if mac is None:
            raise _altered(
                "FORMAT_FAILURE",
                f"no MAC Parameters item (4FFE,0001) has the signature's MAC ID {stored.mac_id}",
            )
        if not mac.algorithm or not mac.transfer_syntax:
            missing = "MAC Algorithm (0400,0015)"
            if mac.algorithm:
                missing = "MAC Calculation Transfer Syntax UID (0400,0010)"
            raise _altered("FORMAT_FAILURE", f"its MAC Parameters have no {missing}")
        if not mac.data_elements_signed:
            raise _altered("FORMAT_FAILURE", "Data Elements Signed (0400,0020) lists nothing")
        unsignable = mac.unsignable()
        if unsignable is not None:
            raise _altered(
                "FORMAT_FAILURE",
                f"Data Elements Signed lists {format_tag(unsignable)}, which can never be signed",
            )
        if mac.transfer_syntax in terms.NEVER_FOR_MAC:
            raise _altered(
                "FORMAT_FAILURE",
                f"its MAC Calculation Transfer Syntax {mac.transfer_syntax} is not explicit VR "
                "little endian",
            )
        if mac.algorithm not in terms.MAC_ALGORITHMS:
            raise _unverifiable(
                "CRYPTO_CONSTRAINTS_FAILURE", f"the MAC Algorithm {mac.algorithm!r} is not known"
            )
        return mac

    def _usable_certificate(self) -> certificate.Certificate:
        kind = self.stored.certificate_type
        if not self.stored.certificate:
            raise _altered(
                "NO_SIGNING_CERTIFICATE_FOUND", "Certificate of Signer (0400,0115) is absent"
            )
        if kind != terms.CERTIFICATE_TYPE_X509:
            raise _unverifiable(
                "NO_SIGNING_CERTIFICATE_FOUND", f"the Certificate Type {kind!r} is not known"
            )
        if self.certificate is None:
            raise _unverifiable("NO_SIGNING_CERTIFICATE_FOUND", self._trouble)
        if not certificate.is_supported(self.certificate.public_key):
            raise _unverifiable(
                "CRYPTO_CONSTRAINTS_FAILURE",
                f"a key of the kind {self.certificate.signer.key} is not known to sign DICOM",
            )
        return self.certificate

    def _mac(self, mac: MacParameters, legacy: bool = False) -> bytes:
        scope = self.scope
        try:
            hasher = new_hasher(mac.algorithm)
        except UsageError as error:
            raise _unverifiable("CRYPTO_CONSTRAINTS_FAILURE", str(error)) from None
        self.coverage = scope.index.stream(
            hasher.update, scope.scope, mac.data_elements_signed, legacy=legacy
        )
        if self.coverage.unknown:
            listed = ", ".join(format_tag(tag) for tag in self.coverage.unknown[:5])
            raise _unverifiable(
                "SIGNED_DATA_NOT_FOUND",
                f"the VR of {listed} is UN or was lost, so what was signed cannot be rebuilt",
            )
        scope.index.stream(hasher.update, self.item, None, without=terms.NOT_IN_MAC)
        return hasher.digest()

    def _verifies_otherwise(self, mac: MacParameters, signer: certificate.Certificate) -> bool:
        """Other forms the signed stream may have had: VRs lost in implicit VR, old dcmsign."""
        index = self.scope.index
        kinds = sorted(index.guessed)
        for vrs in itertools.product(*(AMBIGUOUS[kind] for kind in kinds)) if kinds else ():
            index.resolve(**dict(zip(kinds, vrs, strict=True)))
            if self._matches(mac, signer):
                index.resolve()
                self.messages.append(
                    f"implicit VR left {', '.join(vrs)} open: signed with these VRs"
                )
                return True
        if kinds:
            index.resolve()
        if self._matches(mac, signer, legacy=True):
            said = "made by dcmsign before 3.5.4, which hashed the lengths of fragments too"
            if not self.scope.options.accept_legacy:
                raise _altered(
                    "FORMAT_FAILURE",
                    f"{said}; that form is not the standard's and is accepted only when asked for",
                )
            self.messages.append(f"{said}: accepted as asked for")
            return True
        return False

    def _matches(
        self, mac: MacParameters, signer: certificate.Certificate, legacy: bool = False
    ) -> bool:
        digest = self._mac(mac, legacy)
        return certificate.verify_mac(
            signer.public_key, digest, mac.algorithm, self.stored.signature
        )

    def _explain(self, mac: MacParameters, signer: certificate.Certificate) -> None:
        here, there = self.scope.part10.transfer_syntax, mac.transfer_syntax
        one, other = terms.is_encapsulated(here), terms.is_encapsulated(there)
        if (one or other) and (one != other or here != there) and self._covers_pixel_data(mac):
            raise _unverifiable(
                "SIGNED_DATA_NOT_FOUND",
                f"the Pixel Data were signed in transfer syntax {there} and are now in {here}: "
                "to tell, they would have to be decoded",
            )
        if other is None:
            raise _unverifiable(
                "SIGNED_DATA_NOT_FOUND", f"the MAC Calculation Transfer Syntax {there} is not known"
            )
        if self.scope.part10.implicit and any(t >> 16 & 1 for t in mac.data_elements_signed):
            self.messages.append(
                "in implicit VR, private elements took their VRs from the dictionary: if they were "
                "signed with others, they only look altered"
            )
        signed = certificate.signed_digest(signer.public_key, mac.algorithm, self.stored.signature)
        if signed is not None:
            raise _altered(
                "HASH_FAILURE", "what was signed is not what is here: the content was changed"
            )
        raise _altered(
            "SIG_CRYPTO_FAILURE",
            "the Signature (0400,0120) was not made by this certificate's key over this content",
        )

    def _covers_pixel_data(self, mac: MacParameters) -> bool:
        index = self.scope.index
        return (
            terms.PIXEL_DATA in mac.data_elements_signed
            and index.find(self.scope.scope, terms.PIXEL_DATA) >= 0
        )


def locate(index: Index, scope: int) -> list[tuple[int, int]]:
    """The steps from the main data set to an item, as `format_location` takes them."""
    steps = []
    while scope:
        item = index.record(scope)
        sequence = index.record(item.parent)
        steps.append((sequence.tag, item.tag))
        scope = sequence.parent
    return steps[::-1]

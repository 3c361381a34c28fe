"""The object that is explained: read once, verified, and its signatures as they were read.

This is the only module of the room that knows how a verification works. It explains the report of
`verification.verifier` on the same bytes, and makes no decision of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from ..ambiguity import open_vrs
from ..encoding import values
from ..encoding.limits import ReadBudget
from ..encoding.record import UNKNOWN_VR
from ..errors import DicomSealError
from ..files.part10 import Part10
from ..files.reader import Reader
from ..files.source import read_all
from ..files.window import Window
from ..report import INTACT, ObjectReport, SignatureReport
from ..signature import digital_signature, other_forms, unpadded
from ..signature.certificate import kind_of, signed_digest, unpadded_signature
from ..signature.failure import Broken
from ..signature.integrity import LEGACY, UNPADDED, Check
from ..signature.scope import Scope
from ..standard import terms
from ..standard.mac_algorithms import MAC_ALGORITHMS, new_hasher
from ..standard.tags import is_signable_tag
from ..verification.verifier import verify_with

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..signature.certificate import Certificate
    from ..signature.digital_signature import DigitalSignature
    from ..signature.mac_parameters import MacParameters
    from ..verification.options import Options

Update = Callable[[Any], object]
STANDARD, OTHER_VRS = "standard", "other VRs"
"""Forms of the stream over which a signature is accepted, beside `LEGACY` and `UNPADDED`."""
_MAX_BITS = 4096  # for a key that checks each hash separately


class Explained:
    """One signature: its report, and the data that the report is based on.

    Attributes:
        report: the report on it.
        item: the record of its item.
        stored: the content of that item.
        mac, certificate: its MAC Parameters and Certificate of Signer; None if there is none.
        own: the bytes that its own item adds to the stream.
        computed: the MAC of the stream; empty if it could not be computed.
        signed: the MAC inside the Signature value; None if the key does not reveal it.
        form: the form of the stream that it covers; if it is not intact, that of the standard.
    """

    def __init__(self, subject: Subject, scope: Scope, item: int, report: SignatureReport) -> None:
        self.subject, self._scope, self.item, self.report = subject, scope, item, report
        index = scope.index
        self.stored: DigitalSignature = digital_signature.read(index, item, subject.options.limits)
        check = Check(scope, item, self.stored, subject.options.accept_legacy)
        self._material = check.material
        self.mac: MacParameters | None = check.mac
        self.certificate: Certificate | None = check.certificate
        self.material = check.material
        own = bytearray()
        index.stream(own.extend, item, None, without=terms.NOT_IN_MAC)
        self.own = bytes(own)
        self.vrs: dict[int, str] = {}
        self.form = STANDARD
        self.computed, self.signed = b"", None
        if report.integrity == INTACT:
            self._find_form(check)
        if self.mac is not None and self.is_computable:
            self.computed = self._digest()
        if self.mac is not None and self.certificate is not None:
            self.signed = self._signed()

    @property
    def index(self) -> Index:
        """The index of the object."""
        return self._scope.index

    @property
    def scope(self) -> int:
        """The record of the data set or item that it covers."""
        return self._scope.scope

    @property
    def key(self) -> str:
        """``RSA``, ``ECDSA`` or ``DSA``; empty for another kind, or if there is none."""
        return kind_of(self.certificate.public_key) if self.certificate else ""

    @property
    def is_computable(self) -> bool:
        """Whether there is a hash of this name, and the list of elements is allowed."""
        if self.mac is None or not self.mac.data_elements_signed:
            return False
        try:
            new_hasher(self.mac.algorithm)
        except (DicomSealError, KeyError, ValueError):
            return False
        return True

    @cached_property
    def signature_value(self) -> bytes:
        """The Signature value without padding."""
        stored = self.stored.signature
        if self.certificate is None or not self.key:
            return stored
        return unpadded_signature(self.certificate.public_key, stored)

    @cached_property
    def elements(self) -> list[int]:
        """The records of the elements in the stream, in its order."""
        if self.mac is None:
            return []
        listed = open_vrs.signed(self.index, self.scope, self.mac.data_elements_signed)
        if self.vrs:
            return listed
        return [n for n in listed if not self.index.record(n).flags & UNKNOWN_VR]

    @cached_property
    def lost(self) -> set[int]:
        """The listed tags of existing elements that are not in the stream, as their VR is UN."""
        listed = set() if self.mac is None else set(self.mac.data_elements_signed)
        streamed = {self.index.record(number).tag for number in self.elements}
        return {
            tag
            for tag in listed & self.index.present(self.scope) - streamed
            if is_signable_tag(tag)
        }

    @cached_property
    def signed_by_another(self) -> tuple[str, bytes] | None:
        """The name of the hash and the MAC in an RSA signature, if these were not recovered before.

        None if `signed` has the MAC, or if there is none. A signature may be by this key even if
        the MAC Parameters are absent or name another hash.
        """
        if self.signed is not None or self.key != "RSA" or self.certificate is None:
            return None
        key = self.certificate.public_key
        if key.key_size > _MAX_BITS:
            return None
        for name in MAC_ALGORITHMS:
            digest = signed_digest(key, name, self.stored.signature)
            if digest is not None:
                return name, digest
        return None

    def verifies(self, digest: bytes) -> bool:
        """Return whether this MAC was signed."""
        if self.signed is not None:
            return digest == self.signed
        if self.key == "RSA" or self.mac is None:
            return False
        return bool(self.material.verifies(digest, self.stored.signature))

    @property
    def effort(self) -> int:
        """About how many nanoseconds `verifies` takes."""
        return 0 if self.signed is not None else int(self.material.effort)

    def stream(self, update: Update) -> None:
        """Send the canonical stream of the data set or item, without the signature's own item."""
        index, mac = self.index, self.mac
        if mac is None:
            return
        with self.chosen_vrs():
            if self.form == LEGACY:
                index.stream(update, self.scope, mac.data_elements_signed, legacy=True)
            elif self.form == UNPADDED:
                words = unpadded.odd_words(index, self.elements)
                unpadded.stream(update, index, self.scope, self.elements, words)
            elif self.vrs:
                for number in self.elements:
                    stop = index.record(number).next
                    index.stream_between(update, number, stop, self.scope, self.scope)
            else:
                index.stream(update, self.scope, mac.data_elements_signed)

    @contextmanager
    def chosen_vrs(self) -> Iterator[None]:
        """Open a context in which the index has the signed VRs that implicit VR does not state."""
        index = self.index
        before = {number: index.record(number).vr for number in self.vrs}
        for number, vr in self.vrs.items():
            index.choose(number, vr)
        try:
            yield
        finally:
            for number, vr in before.items():
                index.choose(number, vr)

    def _find_form(self, check: Check) -> None:
        """Find the form in which the verification accepted an intact signature."""
        self._scope.vrs.clear()
        try:
            other_forms.verify(check)
        except Broken:  # this happens only if the file has changed, which `part10.check` reports
            return
        self.vrs = dict(self._scope.vrs)
        self.form = check.form or (OTHER_VRS if self.vrs else STANDARD)

    def _digest(self) -> bytes:
        assert self.mac is not None  # noqa: S101 - asked by those who know
        hasher = new_hasher(self.mac.algorithm)
        self.stream(hasher.update)
        hasher.update(self.own)
        return hasher.digest()

    def _signed(self) -> bytes | None:
        assert self.mac is not None and self.certificate is not None  # noqa: S101
        if self.material.trouble is not None:
            return None
        return signed_digest(self.certificate.public_key, self.mac.algorithm, self.stored.signature)


class Subject:
    """An object and the report on it.

    Args:
        source: a path, or a file's content as bytes.
        options: of the verification.
        uid: the one signature that is explained; None: all, up to ``most``.
        most: how many signatures are explained.

    Attributes:
        report: the report of `verify`. part10, index: the object; None if it cannot be read.
        signatures: those that are explained, in the order of the bytes.
        left_out: how many others there are.
    """

    def __init__(
        self, source: str | bytes, options: Options, uid: str | None = None, most: int = 64
    ) -> None:
        self.options = options
        self.part10: Part10 | None = None
        self.index: Index | None = None
        self.signatures: list[Explained] = []
        self.left_out = 0
        self._reader = Reader()  # its buffer holds what is read
        name = source if isinstance(source, str) else ""
        try:
            part10 = self._open(source)
        except DicomSealError:
            self.report = verify_with(source, options)
            return
        self.report = _named(verify_with(_bytes_of(part10), options), name)
        if self.report.error is not None:
            return
        self.part10, self.index = part10, part10.index()
        self._pair(uid, most)
        part10.check()

    def _open(self, source: str | bytes) -> Part10:
        options = self.options
        if isinstance(source, str):
            return self._reader.open(source, options.limits, named=options.transfer_syntax)
        return Part10.from_bytes(read_all(source), options.limits, options.transfer_syntax)

    def _pair(self, uid: str | None, most: int) -> None:
        """Pair each signature in the index with its report; both are in the same order."""
        index, part10 = self.index, self.part10
        assert index is not None and part10 is not None  # noqa: S101
        work = ReadBudget(part10.size, self.options.limits)
        reports = iter(self.report.signatures)
        for number in index.scopes:
            scope = None
            for item in values.items_of(index, number, terms.DIGITAL_SIGNATURES_SEQUENCE):
                report = next(reports, None)
                if report is None:
                    return
                if (uid is not None and report.uid != uid) or len(self.signatures) >= most:
                    self.left_out += 1
                    continue
                if scope is None:
                    scope = Scope(part10, index, number, work)
                self.signatures.append(Explained(self, scope, item, report))


def _bytes_of(part10: Part10) -> Any:
    """Return the object that was read, so that the verification uses the same bytes."""
    if isinstance(part10.source, Window):
        return part10.source
    if part10.deflated is not None:
        return part10.head + part10.deflated
    return part10.source


def _named(report: ObjectReport, path: str) -> ObjectReport:
    return msgspec.structs.replace(report, path=path) if path else report

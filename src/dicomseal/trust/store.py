"""Phase two of a verification: whether the certificate chains to an anchor that the caller trusts.

In: a certificate, the time that counts, and the other certificates of the signature.
Out: a `TrustDecision`.
PS3: PS3.15 Section C.1; RFC 5280 Section 6.

Path building and validation are pyhanko-certvalidator's, in `pool` and `certification_paths`. They
are imported when a certificate is judged, not before. No anchor is ever taken from the object
itself, and nothing is fetched from the network unless the store was given a fetcher.

A decision holds for a window of time, between the two moments at which anything that it depends on
changes. So it is made once per certificate and window, not once per file.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
import time
import warnings
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.utils import CryptographyDeprecationWarning
from msgspec.structs import replace

from .. import policy as policies
from ..encoding.limits import USUAL_CERTIFICATE
from ..errors import CertificateError, TrustError, UsageError
from ..policy import Policy
from ..report import UNTRUSTED, Reason, ReasonCode
from ..signature.certificate import Certificate, parse, spki_der
from .authorities import check_authority
from .decision import SIGNING, TIME_STAMPING, TrustDecision
from .formats import AnyCertificate, AnySigner, der_of, identity
from .loading import load_crls, load_ocsps
from .outside import check_revocation_data
from .remembered import Window

if TYPE_CHECKING:
    from .fetching import Fetcher
    from .pool import Pool
    from .revocation import Revocations

__all__ = ["SIGNING", "TIME_STAMPING", "TrustStore"]


_Key = bytes | tuple[bytes, str, bytes]  # a certificate; its purpose and what came with it
_MAX_DECISIONS = 4096
_MAX_WINDOWS = 64  # of one certificate
_SECOND = timedelta(seconds=1)
_EFFORT_OF_A_STEP = 20_000  # nanoseconds (see `TrustDecision.effort`)


class TrustStore:
    """Trust anchors, and the certificates and revocation data that help to judge by them.

    Args:
        anchors: certificates of authorities that are trusted.
        intermediates: certificates that are not trusted, but may be part of a chain.
        tsa: certificates of authorities that are trusted for timestamps, and for nothing else;
            anchors are not trusted for timestamps.
        signers: certificates (`cryptography.x509.Certificate`, or as `load_certificates` returns
            them) or public keys of signers that are trusted directly, without a chain.
        crls, ocsps: DER of certificate revocation lists and of OCSP responses.
        policy: the requirements for a certificate and its chain.
        fetcher: fetches CRLs and OCSP responses that are missing; None: the network is not used.

    Raises:
        TrustError: there is neither an anchor nor a signer, as a store that trusts nothing is
            never intended; or something is not a certificate, or an anchor denies that it is one
            of an authority.
    """

    def __init__(
        self,
        anchors: Iterable[AnyCertificate],
        intermediates: Iterable[AnyCertificate] = (),
        *,
        tsa: Iterable[AnyCertificate] = (),
        signers: Iterable[AnySigner] = (),
        crls: Iterable[bytes] = (),
        ocsps: Iterable[bytes] = (),
        policy: Policy = policies.DEFAULT,
        fetcher: Fetcher | None = None,
    ) -> None:
        self.anchors = tuple(anchors)
        self.intermediates = tuple(intermediates)
        self.tsa = tuple(tsa)
        self.signers = tuple(signers)
        self.crls, self.ocsps = tuple(crls), tuple(ocsps)
        self.policy, self.fetcher = policy, fetcher
        if not self.anchors and not self.signers:
            raise TrustError("the trust store has no anchor: name a file with a CA certificate")
        for one in (*self.anchors, *self.intermediates, *self.tsa):
            if not isinstance(one, AnyCertificate):
                raise TrustError(
                    f"a {type(one).__name__} is not a certificate; for files there is from_files"
                )
        check_revocation_data(self.crls, self.ocsps)
        for one in self.anchors:
            check_authority(one)
        self._direct = _identities(self.signers)
        self._revocations: Revocations | None = None
        self._pools: dict[str, Pool] = {}
        self._decisions: dict[_Key, list[Window]] = {}
        self._lock = threading.Lock()
        self._variants: list[TrustStore] = []

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle for worker processes: the certificates are sent, the decisions are not."""
        ders = ([der_of(c) for c in some] for some in (self.anchors, self.intermediates, self.tsa))
        signers = [(isinstance(one, AnyCertificate), identity(one)) for one in self.signers]
        rest = self.crls, self.ocsps, self.policy, self.fetcher
        return _from_der, (*ders, signers, *rest)

    @classmethod
    def from_files(
        cls,
        *anchors: str | os.PathLike[str],
        intermediates: Sequence[str | os.PathLike[str]] = (),
        tsa: Sequence[str | os.PathLike[str]] = (),
        signers: Sequence[str | os.PathLike[str]] = (),
        crls: Sequence[str | os.PathLike[str]] = (),
        ocsps: Sequence[str | os.PathLike[str]] = (),
        policy: Policy | str = policies.DEFAULT,
        password: str | bytes | None = None,
        fetcher: Fetcher | None = None,
    ) -> TrustStore:
        """Load a store from files: PEM, DER, PKCS#7, PKCS#12; or folders of such files.

        Args:
            anchors, intermediates, tsa: certificates.
            signers: certificates or public keys.
            crls: certificate revocation lists, PEM or DER.
            ocsps: OCSP responses, DER.
            policy: one, the name of a preset (``default``, ``strict``), or a JSON file.
            password: of PKCS#12 files.
            fetcher: as in `TrustStore`.

        Raises:
            TrustError: a file cannot be read or parsed, or holds none; a folder holds none; an
                anchor denies that it is one of an authority; or its trust settings (a TRUSTED
                CERTIFICATE of OpenSSL) do not trust it for this.
            UsageError: there is no such policy.

        Warns:
            LeftOutWarning: a certificate cannot be read or used, and others can.
            UnusedSettingsWarning: trust settings have no effect here.
        """
        from .store_files import read_files

        policy = policies.load(policy) if isinstance(policy, str) else policy
        if not isinstance(policy, Policy):
            raise UsageError(f"policy takes a Policy or the name of one, not {policy!r}")
        found = read_files(anchors, intermediates, tsa, signers, policy.authority_usages, password)
        return cls(
            found.anchors,
            found.intermediates,
            tsa=found.tsa,
            signers=found.signers,
            crls=[der for path in crls for der in load_crls(path)],
            ocsps=[der for path in ocsps for der in load_ocsps(path)],
            policy=policy,
            fetcher=fetcher,
        )

    def but(self, **changes: object) -> TrustStore:
        """Return the same store with another policy: see `Policy.but`; made once for each.

        Raises:
            UsageError: a field of the policy cannot have this value.
        """
        policy = self.policy.but(**changes)
        if policy == self.policy:
            return self
        for known in self._variants:
            if known.policy == policy:
                return known
        store = object.__new__(TrustStore)
        # the copy has the same lock, as CRLs and pools are shared
        store.__dict__.update(self.__dict__)
        store.policy, store._decisions = policy, {}
        self._variants.append(store)
        return store

    def judge(
        self,
        certificate: Certificate | AnyCertificate | bytes,
        moment: datetime | None = None,
        *,
        purpose: str = SIGNING,
        others: Sequence[bytes] = (),
    ) -> TrustDecision:
        """Decide whether a certificate is trusted at a moment, for a purpose.

        Args:
            certificate: of a signer, or of a timestamp authority; bytes are DER.
            moment: the time that counts, aware; None is now.
            purpose: `SIGNING`, or `TIME_STAMPING`: then it must chain to one of ``tsa``, and its
                Extended Key Usage be critical and timeStamping alone (RFC 3161 Section 2.3).
            others: DER certificates that may be part of a chain, e.g. those in a timestamp token;
                none of them becomes an anchor. Those that cannot be parsed are left out.

        Raises:
            CertificateError: ``certificate`` cannot be parsed.
        """
        if not isinstance(certificate, Certificate):
            certificate = parse(
                certificate if isinstance(certificate, bytes) else der_of(certificate)
            )
        # a certificate's dates are whole seconds, both inclusive (RFC 5280 Section 4.1.2.5)
        moment = (moment or datetime.now(UTC)).replace(microsecond=0)
        key: _Key = certificate.der
        if others or purpose != SIGNING:
            key = certificate.der, purpose, _digest(others)
        for window in self._decisions.get(key, ()):
            if window.holds(moment):
                return window.judgement
        with self._lock:
            window = self._decide(certificate, moment, purpose, others)
            if len(certificate.der) <= USUAL_CERTIFICATE:
                self._remember(key, window)
        return window.judgement

    def decided(self, certificate: Certificate, moment: datetime) -> TrustDecision | None:
        """Return an earlier decision of `judge` on a signer, if it holds at a moment; or None."""
        windows = self._decisions.get(certificate.der, ())
        for window in windows:  # called for every object, so no datetime is made for it
            if window.surely <= moment < window.last and window.expires == math.inf:
                return window.judgement
        moment = moment.replace(microsecond=0)  # as in `judge`
        for window in windows:
            if window.holds(moment):
                return window.judgement
        return None

    def renew_lock(self) -> None:
        """Give up a lock that is held by a thread that does not come back, see `watched`."""
        self._lock = threading.Lock()

    def _remember(self, key: _Key, window: Window) -> None:
        if len(self._decisions) >= _MAX_DECISIONS:
            self._decisions = {}
        known = self._decisions.get(key, [])
        self._decisions[key] = [window, *known[: _MAX_WINDOWS - 1]]

    def _decide(
        self, certificate: Certificate, moment: datetime, purpose: str, others: Sequence[bytes]
    ) -> Window:
        from ..signature.lenient_certificate import UNREADABLE
        from .certification_paths import sentence
        from .judge import Judge

        direct = purpose == SIGNING and self.is_direct(certificate)
        judge = Judge(
            certificate,
            moment,
            purpose,
            self.policy,
            lambda: self.revocations,
            direct=direct,
            by_key=purpose == SIGNING and not direct and self.has_key_of(certificate),
        )
        steps = 0
        try:
            pool = self._pool(purpose, others)
            pool.begin()
            try:
                judgement = judge.run(pool)
            finally:
                steps = pool.steps
        except Exception as error:  # noqa: BLE001
            # whatever exception a hostile certificate causes in a library: it is not trusted, with
            # the reason
            why = sentence(error)
            # it would be in the words of asn1crypto, or of Python
            if isinstance(error, UNREADABLE):
                why = "what its chain, or the CRLs and OCSP responses about it, say cannot be read"
            reason = Reason(
                ReasonCode.CERTIFICATE_CHAIN_GENERAL_FAILURE, f"{certificate.signer.subject}: {why}"
            )
            judgement = TrustDecision(trust=UNTRUSTED, reason=reason)
        judgement = replace(judgement, effort=_EFFORT_OF_A_STEP * steps)
        expires = math.inf
        if judge.trouble:
            from .fetching import RETRY

            expires = time.monotonic() + RETRY
        first, last = judge.bounds()
        surely = last if first == last else first + _SECOND
        return Window(first, last, judgement, surely, expires)

    def _pool(self, purpose: str, others: Sequence[bytes]) -> Pool:
        from .pool import Pool

        anchors = self.tsa if purpose == TIME_STAMPING else self.anchors
        if others:
            parsable = [der for der in others if _parses(der)]
            return Pool(map(der_of, anchors), [*map(der_of, self.intermediates), *parsable])
        pool = self._pools.get(purpose)
        if pool is None:
            pool = Pool(map(der_of, anchors), map(der_of, self.intermediates))
            self._pools[purpose] = pool
        return pool

    @property
    def revocations(self) -> Revocations:
        """CRLs and OCSP responses, parsed at the first use."""
        revocations = self._revocations
        if revocations is None:
            from .revocation import Revocations

            revocations = self._revocations = Revocations(self.crls, self.ocsps, self.fetcher)
        return revocations

    def is_direct(self, certificate: Certificate) -> bool:
        """Return whether this very certificate is trusted directly."""
        return hashlib.sha256(certificate.der).digest() in self._direct

    def has_key_of(self, certificate: Certificate) -> bool:
        """Return whether the public key in this certificate is trusted directly, as a bare key."""
        return bool(self._direct) and (
            hashlib.sha256(spki_der(certificate.public_key)).digest() in self._direct
        )


def _digest(some: Iterable[bytes]) -> bytes:
    hasher = hashlib.sha256()
    for der in some:
        hasher.update(len(der).to_bytes(8, "big") + der)
    return hasher.digest()


def _parses(der: bytes) -> bool:
    try:
        parse(der)
    except CertificateError:
        return False
    return True


def _identities(signers: Iterable[AnySigner]) -> frozenset[bytes]:
    try:
        return frozenset(hashlib.sha256(identity(one)).digest() for one in signers)
    except (AttributeError, TypeError):
        raise TrustError("signers are certificates or public keys of cryptography") from None


def _from_der(
    anchors: list[bytes],
    intermediates: list[bytes],
    tsa: list[bytes],
    signers: list[tuple[bool, bytes]],
    crls: tuple[bytes, ...],
    ocsps: tuple[bytes, ...],
    policy: Policy,
    fetcher: Fetcher | None,
) -> TrustStore:
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    def load(der: bytes) -> AnyCertificate:
        certificate = parse(der)
        # the kind of object that it was before it was pickled
        return certificate.x509 or certificate

    with warnings.catch_warnings():
        # shown when they were read
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return TrustStore(
            [load(der) for der in anchors],
            [load(der) for der in intermediates],
            tsa=[load(der) for der in tsa],
            signers=[load(der) if whole else load_der_public_key(der) for whole, der in signers],
            crls=crls,
            ocsps=ocsps,
            policy=policy,
            fetcher=fetcher,
        )

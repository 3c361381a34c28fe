"""The chain of a signer's certificate, drawn: each link with its dates, the broken one marked.

The module only draws what `trust` has decided. It builds a path again to get its links, with the
same library and within the same limits, but never decides whether the signer is trusted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from ..errors import CertificateError
from ..report import TRUSTED, CertificateInfo, Reason, ReasonCode
from ..signature.certificate import Certificate, parse
from .step import BROKEN, OK, UNKNOWN

if TYPE_CHECKING:
    from ..trust.store import TrustStore
    from .subject import Explained

_MAX_LINKS, _MAX_PATHS = 12, 4
SIGNER, AUTHORITY, ANCHOR, MISSING = "signer", "authority", "anchor", "missing"


class Link(msgspec.Struct, frozen=True):
    """One certificate of the chain.

    Attributes:
        role: ``signer``, ``authority``, ``anchor``, or ``missing`` for one that nobody named.
        subject, key, not_before, not_after: of the certificate; empty if it is missing.
        state: ``ok``, ``broken`` or ``unknown``.
        why: what is wrong with it; empty if nothing is.
        der: the certificate; empty if it is missing.
    """

    role: str
    subject: str
    key: str
    not_before: str
    not_after: str
    state: str
    why: str = ""
    der: bytes = b""


def chain_of(one: Explained, store: TrustStore | None) -> tuple[Link, ...]:
    """Return the links from the signer upwards; none if its certificate cannot be read.

    Args:
        one: the signature.
        store: the trust store of the caller; None: there is none, so only the signer is drawn.
    """
    signer, report = one.certificate, one.report
    if signer is None:
        return ()
    if report.signer is not None and not report.signer.subject:  # only its key is trusted
        return (_bare(report.signer, report.trust == TRUSTED),)
    moment = datetime.fromisoformat(report.judged_at) if report.judged_at else None
    if store is None or moment is None:
        return (
            _link(signer, SIGNER, moment, UNKNOWN),
            _missing(signer, "not looked for: nobody is named as trusted (--trust)"),
        )
    if store.is_direct(signer):
        return _marked([_link(signer, SIGNER, moment, OK, "trusted directly")], report.trust_reason)
    path = _path(store, signer, moment)
    links = [_link(signer, SIGNER, moment, OK)]
    for below, above in itertools.pairwise(path):
        role = ANCHOR if above is path[-1] and _is_anchor(store, above) else AUTHORITY
        links[-1] = _issued(links[-1], below, above)
        links.append(_link(above, role, moment, OK))
    if report.trust == TRUSTED:
        return tuple(links)
    if links[-1].role != ANCHOR:
        links.append(_missing(path[-1], "none of the certificates that you named has this name"))
    return _marked(links, report.trust_reason)


def _path(store: TrustStore, signer: Certificate, moment: datetime) -> list[Certificate]:
    """Return the certificates of the longest path that can be built; a valid one is preferred."""
    from pyhanko_certvalidator.errors import PathBuildingError, PathError, ValidationError

    from ..signature import lenient_certificate
    from ..trust.certification_paths import validate
    from ..trust.formats import der_of
    from ..trust.pool import Pool
    from ..trust.restrictions import Unacceptable

    pool = Pool(map(der_of, store.anchors), map(der_of, store.intermediates))
    leaf = lenient_certificate.Certificate.load(signer.der)
    first = None
    try:
        for number, path in enumerate(pool.paths(leaf, moment, store.policy)):
            certificates = [_parsed(one.dump()) for one in path.iter_certs(include_root=True)]
            whole = [one for one in reversed(certificates) if one is not None]
            first = first or whole
            try:
                validate(pool, path, moment, store.policy)
            except Unacceptable:
                if number + 1 >= _MAX_PATHS:
                    break
                continue
            return whole
    except (PathBuildingError, PathError, ValidationError, RecursionError):
        pass  # there is no path, or no further one; the report of the verification has the reason
    except lenient_certificate.UNREADABLE:
        pass
    return first or _by_names(store, signer)


def _by_names(store: TrustStore, signer: Certificate) -> list[Certificate]:
    """Return the certificates that the names lead to, if there is no path."""
    from ..trust.formats import der_of

    known = [_parsed(der_of(one)) for one in (*store.anchors, *store.intermediates)]
    found = [signer]
    while len(found) < _MAX_LINKS and found[-1].signer.issuer != found[-1].signer.subject:
        wanted = found[-1].signer.issuer
        above = next((c for c in known if c and c.signer.subject == wanted), None)
        if above is None or above in found:
            break
        found.append(above)
    return found


def _parsed(der: bytes) -> Certificate | None:
    try:
        return parse(der)
    except CertificateError:
        return None


def _is_anchor(store: TrustStore, certificate: Certificate) -> bool:
    from ..trust.formats import der_of

    return any(der_of(one) == certificate.der for one in store.anchors)


def _link(
    certificate: Certificate, role: str, moment: datetime | None, state: str, why: str = ""
) -> Link:
    if moment is not None and not certificate.not_before <= moment <= certificate.not_after:
        end = "not valid yet" if moment < certificate.not_before else "expired"
        state, why = BROKEN, f"{end} at the time that counts"
    signer = certificate.signer
    return Link(
        role, signer.subject, signer.key, signer.not_before, signer.not_after, state, why,
        certificate.der,
    )  # fmt: skip


def _issued(link: Link, below: Certificate, above: Certificate) -> Link:
    """Return the lower link, marked if the upper one's key did not sign it."""
    if below.x509 is None or above.x509 is None or link.state == BROKEN:
        return link
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        below.x509.verify_directly_issued_by(above.x509)
    except InvalidSignature:
        why = "not signed by the key of the issuer that it names"
        return msgspec.structs.replace(link, state=BROKEN, why=why)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return link  # such as RSASSA-PSS, which `trust` verifies in its own way
    return link


def _missing(below: Certificate, why: str) -> Link:
    return Link(MISSING, below.signer.issuer, "", "", "", UNKNOWN, why)


def _bare(signer: CertificateInfo, trusted: bool) -> Link:
    name = f"the public key with the SHA-256 {signer.sha256}"
    return Link(SIGNER, name, signer.key, "", "", OK if trusted else BROKEN, "trusted by its key")


def _marked(links: Iterable[Link], reason: Reason | None) -> tuple[Link, ...]:
    """Return the links with the first broken one marked, from above: it cannot vouch for others."""
    found = list(links)
    if reason is None or any(link.state == BROKEN for link in found):
        return tuple(found)
    at = 0
    if reason.code == ReasonCode.NO_CERTIFICATE_CHAIN_FOUND:
        at = len(found) - 1
    else:
        named = [
            n for n, link in enumerate(found) if link.subject and link.subject in reason.message
        ]
        if named and reason.code != ReasonCode.REVOKED_NO_POE:
            at = named[-1]
    state = UNKNOWN if reason.code == ReasonCode.TRY_LATER else BROKEN
    found[at] = msgspec.structs.replace(found[at], state=state, why=reason.message)
    return tuple(found)

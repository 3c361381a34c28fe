"""Whether a certificate was revoked: CRLs and OCSP responses, held against the time that counts.

In: a certificate of a valid path, CRLs and OCSP responses, and the time that counts.
Out: a `Finding`: good, revoked, unknown or nothing, with a sentence.
PS3: none; RFC 5280 Section 6.3 and RFC 6960.

Each source is authenticated by pyhanko-certvalidator at a moment inside its own window, so that
today's CRL can be used for the past. Its answer is then held against the time that counts:

- revoked until then: bad news, however old the CRL is (except for a hold that was lifted since);
- revoked later: no news;
- not revoked: good news, if it is not out of date, and if the certificate had not expired when it
  was issued, because authorities may drop expired certificates from their CRLs (RFC 5280
  Section 3.3), unless it says that it keeps them (ExpiredCertsOnCRL, X.509 Section 9.5.2.8).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from pyhanko_certvalidator import ValidationContext, errors
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.registry import CertificateRegistry
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl
from pyhanko_certvalidator.revinfo.validate_ocsp import verify_ocsp_response

from ..policy import REQUIRE
from ..signature.lenient_certificate import Certificate
from ..signature.lenient_messages import OCSPResponse
from .certification_paths import issuer_of, sentence
from .inquiry import Inquiry, authorities
from .pool import run
from .restrictions import Unacceptable, check_form, check_path, subject_of
from .revocation_data import Crl, Ocsp
from .statements import GOOD, NOTHING, REVOKED, UNKNOWN, Statement, Witness

if TYPE_CHECKING:
    from .fetching import Fetcher

# the library's warnings are not needed: the reasons say everything
logging.getLogger("pyhanko_certvalidator").addHandler(logging.NullHandler())

_NAMED_BY = ("sha1", "sha256")  # hashes of issuers in OCSP responses that the library can compare
# signers of revocation data whose own revocation is checked by revocation data, in turn
_MAX_DEPTH = 3


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the revocation of one certificate.

    Attributes:
        status: ``good``, ``revoked``, ``unknown`` (there are sources, but they cannot tell) or
            ``nothing`` (no source is about it).
        message: a sentence for people.
        weak: the parts of the evidence that are no longer strong.
    """

    status: str
    message: str = ""
    weak: tuple[str, ...] = ()


class Revocations:
    """All available CRLs and OCSP responses.

    Args:
        crls, ocsps: DER.
        fetcher: is used for more if these do not suffice; None: the network is not used.
    """

    def __init__(
        self, crls: Iterable[bytes], ocsps: Iterable[bytes], fetcher: Fetcher | None = None
    ) -> None:
        self._seen: set[bytes] = set()
        self._crls: list[Crl] = []
        self._ocsps: list[Ocsp] = []
        self._fetcher = fetcher
        self.add(crls, ocsps)

    def add(self, crls: Iterable[bytes], ocsps: Iterable[bytes]) -> bool:
        """Add CRLs and OCSP responses; return whether any is new."""
        before = len(self._seen)
        for der in crls:
            if der not in self._seen:
                self._seen.add(der)
                self._crls.append(Crl(der))
        for der in ocsps:
            if der not in self._seen:
                self._seen.add(der)
                response = OCSPResponse.load(der)
                self._ocsps += [Ocsp(one) for one in OCSPContainer.load_multi(response)]
        return len(self._seen) > before

    def check(self, cert: Certificate, path: ValidationPath, inquiry: Inquiry) -> Finding:
        """Find out whether a certificate of a valid path was revoked at the time that counts."""
        finding = self._check(cert, path, inquiry, ())
        if finding.status in (GOOD, REVOKED) or self._fetcher is None:
            return finding
        issuer = path.find_issuing_authority(cert).certificate
        fetched = self._fetcher.fetch(cert, issuer)
        inquiry.trouble += fetched.trouble
        if self.add(fetched.crls, fetched.ocsps):
            finding = self._check(cert, path, inquiry, ())
        return finding

    def _check(
        self, cert: Certificate, path: ValidationPath, inquiry: Inquiry, checking: tuple[bytes, ...]
    ) -> Finding:
        statements = [
            statement
            for source in self._sources(cert)
            if (statement := self._ask(source, cert, path, inquiry, checking)) is not None
        ]
        for one in statements:
            lifted = one.hold and any(
                s.status == GOOD and s.issued > one.issued for s in statements
            )
            if one.status == REVOKED and not lifted:
                return Finding(status=REVOKED, message=one.text)
        good = [one for one in statements if one.status == GOOD]
        if good:
            strong = [one for one in good if not one.weak]
            return Finding(status=GOOD, weak=() if strong else (good[0].weak,))
        if self._together(cert, path, inquiry, checking):
            return Finding(status=GOOD)
        unknown = [one for one in statements if one.status == UNKNOWN]
        if unknown:
            latest = max(unknown, key=lambda one: one.issued)
            return Finding(status=UNKNOWN, message=latest.text)
        return Finding(
            status=NOTHING,
            message=f"no CRL or OCSP response at hand is about the certificate of "
            f"{subject_of(cert)}, issued by {issuer_of(cert)}",
        )

    def _sources(self, cert: Certificate) -> Iterator[Crl | Ocsp]:
        yield from (one for one in self._ocsps if one.serial == cert.serial_number)
        yield from (one for one in self._crls if not one.is_delta and one.is_about(cert))

    def _ask(
        self,
        source: Crl | Ocsp,
        cert: Certificate,
        path: ValidationPath,
        inquiry: Inquiry,
        checking: tuple[bytes, ...],
    ) -> Statement | None:
        """Return the statement of one source on a certificate; None if it is not about it."""
        deltas = self._deltas_of(source)
        self._note_moments(source, deltas, inquiry)
        witness = Witness(source, cert, path, inquiry)
        if source.unusable:
            return witness.unknown(source.unusable)
        for delta in deltas:
            if delta.unusable:  # it may list the certificate: the CRL alone is not good news
                return witness.unknown(f"has a delta that {delta.unusable}")
        if isinstance(source, Ocsp) and source.named_by not in _NAMED_BY:
            return witness.unknown(
                f"names certificates by {source.named_by.upper()}: not understood"
            )
        newest = max([source.issued, *(one.issued for one in deltas)])
        moment = min(max(inquiry.moment, newest), source.until)
        try:
            context = self._authenticate(source, deltas, cert, path, inquiry, moment)
        except (errors.CRLNoMatchesError, errors.OCSPNoMatchesError):
            return None
        except errors.RevokedError as error:
            return witness.revoked(error)
        except (
            errors.CRLValidationIndeterminateError,
            errors.OCSPValidationIndeterminateError,
        ) as e:
            why = "; ".join(_plain(str(failure[0])) for failure in e.failures) or sentence(e)
            return witness.silent(why)
        except (errors.CRLValidationError, errors.OCSPValidationError) as error:
            return witness.silent(sentence(error))
        why = source.flaw or self._signer_trouble(source, context, path, inquiry, checking)
        return witness.unknown(why) if why else witness.not_revoked()

    def _deltas_of(self, source: Crl | Ocsp) -> list[Crl]:
        """Return the delta CRLs that may complete a CRL (RFC 5280 Section 5.2.4)."""
        if isinstance(source, Ocsp):
            return []
        return [one for one in self._crls if one.is_delta and one.issuer == source.issuer]

    def _note_moments(self, source: Crl | Ocsp, deltas: list[Crl], inquiry: Inquiry) -> None:
        """Note when an answer may change: the dates of sources and their signers' certificates."""
        for one in (source, *deltas):
            inquiry.moments |= {one.issued, one.until}
        for cert in self._signers(source, inquiry.pool.registry):
            validity = cert["tbs_certificate"]["validity"]
            inquiry.moments |= {validity["not_before"].native, validity["not_after"].native}

    def _authenticate(
        self,
        source: Crl | Ocsp,
        deltas: list[Crl],
        cert: Certificate,
        path: ValidationPath,
        inquiry: Inquiry,
        moment: datetime,
    ) -> ValidationContext:
        """Let the library verify one source; errors are the library's, also `RevokedError`."""
        if isinstance(source, Crl):
            some = [one.container(cert) for one in (source, *deltas)]
            context = inquiry.context(path, moment, crls=some)
            self._recall_signer(source, some[0], path, context)
            run(verify_crl(cert, path, context, use_deltas=bool(deltas)))
            signer = context.revinfo_manager.check_crl_issuer(source.asn1)
            if signer is not None and signer.sha256 in authorities(path):
                source.signer = signer.sha256
        else:
            context = inquiry.context(path, moment, ocsps=[source.asn1])
            run(verify_ocsp_response(cert, path, context))
        return context

    def _recall_signer(
        self, source: Crl, container: CRLContainer, path: ValidationPath, context: ValidationContext
    ) -> None:
        """Remember that an authority signed a CRL, so that it is not verified again.

        This holds only for an authority of the same path, which is validated anew.
        """
        signer = authorities(path).get(source.signer)
        if signer is not None:
            data = container.crl_data
            context.revinfo_manager.record_crl_issuer(data, signer)  # type: ignore[no-untyped-call]

    def _together(
        self, cert: Certificate, path: ValidationPath, inquiry: Inquiry, checking: tuple[bytes, ...]
    ) -> bool:
        """Return whether CRLs for some reasons each say together that it was not revoked."""
        some = [
            one for one in self._crls
            if one.is_partial and one.is_about(cert) and one.speaks_of(cert)
            and inquiry.moment <= one.until and not one.flaw and not one.unusable
            and inquiry.policy.accepts(inquiry.policy.grade_hash(one.hash))
        ]  # fmt: skip
        if len(some) < 2:
            return False
        moment = max(inquiry.moment, *(one.issued for one in some))
        context = inquiry.context(path, moment, crls=[one.container(cert) for one in some])
        try:
            run(verify_crl(cert, path, context, use_deltas=False))
        except errors.RevokedError:
            return False  # each alone has said that it was later; the others cannot be asked so
        except (errors.CRLValidationError, errors.CRLNoMatchesError):
            return False
        return not any(self._signer_trouble(one, context, path, inquiry, checking) for one in some)

    @staticmethod
    def _signers(source: Crl | Ocsp, registry: CertificateRegistry) -> Iterable[Certificate]:
        """Return the certificates that may have signed a source."""
        if isinstance(source, Crl):
            named: list[Certificate] = registry.retrieve_by_name(source.issuer)
            return named
        found: list[Certificate] = source.certificates
        return found

    def _signer_trouble(
        self,
        source: Crl | Ocsp,
        context: ValidationContext,
        path: ValidationPath,
        inquiry: Inquiry,
        checking: tuple[bytes, ...],
    ) -> str:
        """Return an objection to the signer of a source, if it is not the authority itself."""
        own = {cert.sha256 for cert in path.iter_certs(include_root=True)}
        for one in self._signers(source, context.certificate_registry):
            if one.sha256 in own or one.sha256 in checking:
                continue
            its_path = context.check_validation(one)  # type: ignore[no-untyped-call]
            if its_path is None or not its_path.pkix_len:
                continue
            try:
                check_form(its_path)
                check_path(its_path, inquiry.moment, inquiry.policy, inquiry.pool.comparisons)
            except Unacceptable as error:
                return f"does not count: {error}"
            if one.ocsp_no_check_value is not None:
                continue
            if len(checking) >= _MAX_DEPTH:
                if inquiry.policy.revocation == REQUIRE:
                    return "does not count: too many signers of revocation data vouch for another"
                continue
            finding = self._check(one, its_path, inquiry, (*checking, one.sha256))
            if finding.status == REVOKED:
                return f"does not count: its signer {finding.message}"
            if finding.status != GOOD and inquiry.policy.revocation == REQUIRE:
                return "does not count: whether its signer was revoked is not known"
        return ""


def _plain(text: str) -> str:
    """Return the library's message without an empty end."""
    text = " ".join(text.split()).rstrip(". ")
    if text == "Unable to determine CRL trust status":
        return "none of the certificates of that name may sign it and did"
    return text

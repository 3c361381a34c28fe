"""Requirements of a verification beyond "intact and trusted": small rules, to be combined.

A rule is applied to the report on one signature. A requirement is met if one signature of the main
data set meets its rule; for `AllOf`, one and the same signature meets all rules. Different
requirements may be met by different signatures.

>>> import dicomseal
>>> from dicomseal.requirements import AllOf, HasProfile, SignedBy
>>> made_here = AllOf([HasProfile("creator"), SignedBy(issuer="CN=Demo Hospital CA")])
>>> trust = dicomseal.TrustStore.from_files("ca.pem")
>>> dicomseal.verify("signed.dcm", trust=trust, require=made_here).verdict
'passed'

A rule without content is never met: `AllOf`, `AnyOf` and `SignedBy` without arguments fail. A rule
for any signature whatever has its own name: `AnySignature`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from . import profiles, purposes, report
from .errors import UsageError
from .report import SignatureReport

__all__ = [
    "NAMED",
    "AllOf",
    "AnyOf",
    "AnySignature",
    "HasProfile",
    "HasPurpose",
    "HasTimestamp",
    "NotWeak",
    "Rule",
    "SignedBy",
    "parse",
]


@runtime_checkable
class Rule(Protocol):
    """The interface of a rule: any object with this method can be one.

    >>> class Early:
    ...     def unmet(self, signature):
    ...         return "" if signature.datetime < "2000" else "was made in the last century"
    >>> report = dicomseal.verify("signed.dcm", integrity_only=True, require=Early())
    >>> report.reasons[0].message
    'a signature is required that was made in the last century: there is none'
    """

    def unmet(self, signature: SignatureReport) -> str:
        """Return why a signature misses the rule, to follow "none that"; empty if it meets it."""


class AnySignature(msgspec.Struct, frozen=True):
    """Any signature; neither the elements that it covers nor its signer are checked.

    >>> dicomseal.verify("ct.dcm", require=AnySignature()).verdict
    'failed'
    """

    def unmet(self, signature: SignatureReport) -> str:  # noqa: ARG002
        """Return an empty string, as every signature meets the rule."""
        return ""


class HasProfile(msgspec.Struct, frozen=True):
    """The signature satisfies a digital signature profile of PS3.15 Annex C.

    Attributes:
        name: ``base``, ``creator``, ``authorization``, ``sr`` or ``sr-verification``.

    >>> report = dicomseal.verify("signed.dcm", integrity_only=True, require=HasProfile("sr"))
    >>> report.reasons[0].message
    'a signature is required that satisfies the profile sr: there is none'
    """

    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in profiles.PROFILES:
            raise UsageError(
                f"{self.name!r} is not a profile of PS3.15 Annex C: {', '.join(profiles.PROFILES)}"
            )

    def unmet(self, signature: SignatureReport) -> str:
        """Check that the report names the profile."""
        return "" if self.name in signature.profiles else f"satisfies the profile {self.name}"


class HasPurpose(msgspec.Struct, frozen=True):
    """The signature has this purpose.

    Attributes:
        purpose: a code of CID 7007 or its name, as `purposes.parse` takes it.

    >>> review = HasPurpose("review")
    >>> dicomseal.verify("signed.dcm", integrity_only=True, require=review).verdict
    'passed'
    """

    purpose: str | int

    def __post_init__(self) -> None:
        purposes.parse(self.purpose)

    def unmet(self, signature: SignatureReport) -> str:
        """Check that the code of the purpose is the same."""
        code, _, meaning = purposes.parse(self.purpose)
        return "" if signature.purpose_code == code else f"has the purpose {code}, {meaning}"


class SignedBy(msgspec.Struct, frozen=True, kw_only=True):
    """The signature's certificate is this one, or has these names; all that are given must fit.

    A name is only as good as the authority that wrote it: with ``subject`` or ``issuer`` the
    certificate must be trusted. A fingerprint needs no authority.

    Attributes:
        subject, issuer: distinguished names, RFC 4514, as reports show them.
        sha256: fingerprint of the certificate's DER, hexadecimal.

    >>> scanner = SignedBy(subject="CN=Demo CT Scanner")
    >>> dicomseal.verify("signed.dcm", trust=trust, require=scanner).verdict
    'passed'
    >>> dicomseal.verify("signed.dcm", integrity_only=True, require=scanner).verdict
    'failed'
    """

    subject: str | None = None
    issuer: str | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not isinstance(getattr(self, name), str | None):
                raise UsageError(f"SignedBy takes text for {name}")

    def unmet(self, signature: SignatureReport) -> str:
        """Check that every given field fits."""
        expected = {
            name: value for name in self.__struct_fields__ if (value := getattr(self, name))
        }
        if not expected:
            return "is by a signer that SignedBy names: it names none"
        names = ", ".join(f"{name} {value}" for name, value in expected.items())
        if any(
            getattr(signature.signer, name, "").lower() != value.lower()
            if name == "sha256"
            else getattr(signature.signer, name, None) != value
            for name, value in expected.items()
        ):
            return f"has a certificate with {names}"
        if expected.keys() != {"sha256"} and signature.trust != report.TRUSTED:
            return f"has a trusted certificate with {names}"
        return ""


class NotWeak(msgspec.Struct, frozen=True):
    """Neither the MAC Algorithm nor the key of the signature is called weak in the report.

    >>> dicomseal.verify("old.dcm", integrity_only=True).verdict
    'passed'
    >>> dicomseal.verify("old.dcm", integrity_only=True, require=NotWeak()).verdict
    'failed'
    """

    def unmet(self, signature: SignatureReport) -> str:
        """Check that nothing is weak."""
        return f"is free of weak algorithms ({', '.join(signature.weak)})" if signature.weak else ""


class HasTimestamp(msgspec.Struct, frozen=True):
    """The signature has a Certified Timestamp that counts: intact, and from a trusted authority.

    >>> AllOf([HasProfile("authorization"), HasTimestamp()]).unmet(
    ...     dicomseal.verify("signed.dcm").signatures[0]
    ... )
    'has a certified timestamp that counts'
    """

    def unmet(self, signature: SignatureReport) -> str:
        """Check that the timestamp counts."""
        counts = signature.timestamp is not None and signature.timestamp.counts
        return "" if counts else "has a certified timestamp that counts"


class _Combined(msgspec.Struct, frozen=True):
    """A combination of several rules about one signature."""

    rules: Iterable[Rule | str] = ()

    def __post_init__(self) -> None:
        try:
            rules = tuple(parse(rule) for rule in self.rules)
        except TypeError:
            raise UsageError(
                f"{type(self).__name__} takes a list of rules, not {self.rules!r}"
            ) from None
        msgspec.structs.force_setattr(self, "rules", rules)

    def _whys(self, signature: SignatureReport) -> list[str]:
        """Return the sentence of each rule; without rules, one that says that nothing is met."""
        whys = [parse(rule).unmet(signature) for rule in self.rules]
        return whys or [f"meets {type(self).__name__}, which names no rule"]


class AllOf(_Combined, frozen=True):
    """All of these rules are met by one signature. Without rules it is never met.

    Attributes:
        rules: the rules, or their names.

    >>> both = AllOf(["creator", HasPurpose(13), NotWeak()])
    >>> dicomseal.verify("signed.dcm", integrity_only=True, require=both).verdict
    'passed'
    >>> dicomseal.verify("signed.dcm", integrity_only=True, require=AllOf([])).verdict
    'failed'
    """

    def unmet(self, signature: SignatureReport) -> str:
        """Return the sentence of the first rule that the signature does not meet."""
        return next(filter(None, self._whys(signature)), "")


class AnyOf(_Combined, frozen=True):
    """One of these rules is met by one signature. Without rules it is never met.

    Attributes:
        rules: the rules, or their names.

    >>> one = AnyOf([HasPurpose("verification"), HasPurpose("review")])
    >>> dicomseal.verify("signed.dcm", integrity_only=True, require=one).verdict
    'passed'
    >>> dicomseal.verify("signed.dcm", integrity_only=True, require=AnyOf([])).verdict
    'failed'
    """

    def unmet(self, signature: SignatureReport) -> str:
        """Return the sentences of all rules if the signature meets none of them."""
        whys = self._whys(signature)
        return " or ".join(whys) if all(whys) else ""


NAMED: dict[str, Rule] = {
    "signature": AnySignature(),
    "creator": HasProfile("creator"),
    "authorization": HasProfile("authorization"),
    "sr": HasProfile("sr"),
    "timestamp": HasTimestamp(),
}
"""The rules that have names on the command line."""


def parse(rule: str | Rule) -> Rule:
    """Return the rule of a name, or the rule itself.

    >>> parse("creator")
    HasProfile(name='creator')

    Raises:
        UsageError: the argument is neither.
    """
    if isinstance(rule, str) and rule in NAMED:
        return NAMED[rule]
    if isinstance(rule, Rule) and not isinstance(rule, type):
        return rule
    raise UsageError(f"cannot require {rule!r}: only {', '.join(NAMED)}, or a rule")


def unmet(rule: Rule, signatures: Sequence[SignatureReport]) -> tuple[str, bool]:
    """Return why no signature meets a rule, and whether that is undecided.

    Args:
        rule: the rule.
        signatures: those of an object, history left out.

    Returns:
        A sentence, empty if one signature meets the rule. It is undecided if an unverifiable
        signature meets the rule, or may do so.
    """
    main = [signature for signature in signatures if signature.location == ""]
    whys = []
    for signature in main:
        why = rule.unmet(signature)
        if not why and (signature.integrity == report.INTACT or isinstance(rule, AnySignature)):
            return "", False
        whys.append(why or "is intact and meets the requirement")
    if not main:
        what = "only items of it are signed" if signatures else "it is unsigned"
        return f"a signature is required, and {what}", False
    undecided = any(signature.integrity == report.UNVERIFIABLE for signature in main)
    return f"a signature is required that {whys[0]}: there is none", undecided


REQUIREMENTS = tuple(NAMED)
"""What `verify` takes by name; `dicomseal.requirements` has the rules."""

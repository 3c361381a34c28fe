"""The digital signature profiles of PS3.15 Annex C, and their demands, as data.

`Profile.unmet` is used in two places: before a signature is made, so that it keeps the promise of
its profile, and for every signature that is verified, so that the report can name the profiles that
it satisfies.

docs/profiles.md names the edition that the lists follow; ``data/modules.txt`` lists the attributes
of each module. A list names tags: an element that is present and has a listed tag must be signed,
whichever module it belongs to.

Profiles are combined with ``&``, and made stricter with `Profile.extended`:

>>> import dicomseal
>>> from dicomseal import profiles
>>> ours = (profiles.CREATOR & profiles.AUTHORIZATION).extended("ours", required=["PatientID"])
>>> (uid,) = dicomseal.sign_file("ct.dcm", "out.dcm", "key.pem", "cert.pem", profile=ours)
>>> dicomseal.verify("out.dcm").signatures[0].profiles
('base', 'creator', 'authorization')
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Protocol

import msgspec

from . import purposes
from .errors import UsageError
from .standard import mac_algorithms, terms
from .standard.modules import module_tags as module_tags  # noqa: PLC0414 - a public name
from .standard.tags import describe, parse_tags


class Elements(Protocol):
    """The interface of a data set or item, as far as a profile needs it."""

    def present(self) -> Collection[int]:
        """Return the tags of its elements."""

    def has(self, tag: int) -> bool:
        """Return whether the element exists; quicker than `present`."""

    def holds(self, tags: Collection[int]) -> bool:
        """Return whether all of these elements exist."""

    def text(self, tag: int) -> str:
        """Return the value of a text element; empty if the element is absent."""

    def texts(self, sequence: int, tag: int) -> Collection[str]:
        """Return the values of a text element in the items of a sequence, at any depth; each once.

        An item without the element contributes an empty value.
        """


class Facts(msgspec.Struct, frozen=True):
    """The properties of a signature that a profile looks at.

    Attributes:
        scope: the data set or item that it signs.
        main: whether that is the main data set.
        signed: Data Elements Signed (0400,0020).
        complete: whether it signs every element of the scope that can be signed by its tag.
        key: kind of the key: ``RSA``, ``ECDSA`` or ``DSA``.
        mac: MAC Algorithm (0400,0015).
        certificate_type: Certificate Type (0400,0110).
        timestamp_type: Certified Timestamp Type (0400,0305); empty if there is no timestamp.
        purpose: code of its purpose in CID 7007, or None.
    """

    scope: Elements
    main: bool
    signed: Collection[int]
    complete: bool
    key: str
    mac: str
    certificate_type: str = terms.CERTIFICATE_TYPE_X509
    timestamp_type: str = ""
    purpose: str | None = None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The demands of a digital signature profile.

    Attributes:
        name: how it is called in reports and on the command line.
        section: where the standard defines it.
        macs: the MAC Algorithms it allows.
        keys: the kinds of key it allows.
        main: whether it is one for the main data set only.
        required: tags that must be there and be signed.
        modules: modules whose attributes must be signed if they are present.
        attributes: tags that must be signed if they are present.
        private: whether, in raw data, private elements must be signed.
        beyond: modules whose attributes are signed with the others though nothing demands it.
        report: whether the object must be a Structured Report or Key Object Selection, and the
            MACs in its Referenced SOP Instance MAC Sequences (0400,0403) of the six algorithms.
        verified: whether its Verification Flag must be VERIFIED.
        purpose: the one purpose it must have, a code of CID 7007; ``"*"`` for any; None: no matter.
        caution: what a signer should know; empty if there is nothing.

    >>> signed = Profile(name="identity", keys=frozenset(("RSA", "ECDSA"))).extended(
    ...     "identity", required=["PatientID"], if_present=["PatientSex"]
    ... )
    >>> len(dicomseal.sign_file("ct.dcm", "out.dcm", "key.pem", "cert.pem", profile=signed))
    1
    """

    name: str
    section: str = ""
    macs: frozenset[str] = frozenset(mac_algorithms.MAC_ALGORITHMS)
    keys: frozenset[str] = frozenset(("RSA",))
    main: bool = False
    required: frozenset[int] = frozenset()
    modules: frozenset[str] = frozenset()
    attributes: frozenset[int] = frozenset()
    private: bool = False
    beyond: frozenset[str] = frozenset()
    report: bool = False
    verified: bool = False
    purpose: str | None = None
    caution: str = ""

    def unmet(self, facts: Facts) -> Iterator[str]:
        """Yield a sentence for each demand of the profile that a signature does not meet."""
        yield from self.excluded(facts)
        if self.main and not facts.main:
            yield "it is a profile for the main data set, not for an item"
        if self.purpose == "*" and facts.purpose is None:
            yield "it has no purpose of CID 7007"
        elif self.purpose not in (None, "*", facts.purpose):
            yield f"its purpose is not {self.purpose}, {purposes.MEANINGS[self.purpose or '']}"
        if self.report:
            yield from _no_report(facts.scope)
        if self.verified and not is_verified(facts.scope):
            yield "its Verification Flag (0040,A493) is not VERIFIED"
        for tag in sorted(self.required):
            if not facts.scope.has(tag):
                yield f"{describe(tag)} is missing"
        if not facts.complete and (self.required or self.attributes or self.modules):
            for tag in sorted(self.demanded(facts.scope.present()).difference(facts.signed)):
                yield f"{describe(tag)} is present and not signed"

    def excluded(self, facts: Facts) -> Iterator[str]:
        """Yield the part of `unmet` that does not depend on which elements are signed."""
        if facts.key not in self.keys:
            yield f"the key is {facts.key or 'of an unknown kind'}, not {_either(self.keys)}"
        if facts.mac not in self.macs:
            yield f"the MAC Algorithm is {facts.mac or 'absent'}, not {_either(self.macs)}"
        if facts.certificate_type != terms.CERTIFICATE_TYPE_X509:
            yield f"the Certificate Type is not {terms.CERTIFICATE_TYPE_X509}"
        if facts.timestamp_type not in ("", terms.CMS_TSP):
            yield f"the Certified Timestamp Type is not {terms.CMS_TSP}"

    def demanded(self, present: Collection[int]) -> set[int]:
        """Return those of the present tags that must be signed."""
        found = _united(self.required, self.attributes, self.modules).intersection(present)
        if self.private and terms.CREATOR_VERSION_UID in present:
            # the Raw Data Module is present: the raw data are in private elements (PS3.3 C.19.1)
            found |= {tag for tag in present if tag >> 16 & 1}
        return set(found)

    def chosen(self, present: Collection[int]) -> set[int]:
        """Return the demanded tags, and those that are signed with them by custom."""
        return self.demanded(present) | module_tags(self.beyond).intersection(present)

    def extended(
        self,
        name: str,
        *,
        required: Iterable[str | int] = (),
        if_present: Iterable[str | int] = (),
        macs: Iterable[str] | None = None,
        keys: Iterable[str] | None = None,
    ) -> Profile:
        """Return a profile with more attributes, or with fewer MAC Algorithms or kinds of key.

        >>> CREATOR.extended("ours", macs=["SHA512"]).macs
        frozenset({'SHA512'})
        """
        return msgspec.structs.replace(
            self,
            name=name,
            required=self.required.union(parse_tags(required)),
            attributes=self.attributes.union(parse_tags(if_present)),
            macs=self.macs if macs is None else self.macs.intersection(macs),
            keys=self.keys if keys is None else self.keys.intersection(keys),
        )

    def __and__(self, other: Profile) -> Profile:
        """Return a profile that demands what both demand, of one signature.

        >>> (SR & CREATOR).name
        'sr&creator'
        """
        named = {self.purpose, other.purpose} - {None, "*"}
        if len(named) > 1:
            raise UsageError(f"{self.name} and {other.name} demand different purposes")
        return Profile(
            name=f"{self.name}&{other.name}",
            section=f"{self.section}, {other.section}",
            macs=self.macs & other.macs,
            keys=self.keys & other.keys,
            main=self.main or other.main,
            required=self.required | other.required,
            modules=self.modules | other.modules,
            attributes=self.attributes | other.attributes,
            private=self.private or other.private,
            beyond=self.beyond | other.beyond,
            report=self.report or other.report,
            verified=self.verified or other.verified,
            purpose=named.pop() if named else self.purpose or other.purpose,
            caution=" ".join(dict.fromkeys(filter(None, (self.caution, other.caution)))),
        )


def _no_report(scope: Elements) -> Iterator[str]:
    """Check PS3.15 C.4: the requirements for the object itself, apart from what is signed of it."""
    if not is_report(scope):
        yield "the object is neither a Structured Report nor a Key Object Selection"
        return
    macs = scope.texts(terms.REFERENCED_SOP_INSTANCE_MAC_SEQUENCE, terms.MAC_ALGORITHM)
    for mac in sorted(set(macs) - mac_algorithms.MAC_ALGORITHMS.keys()):
        yield (
            f"in a Referenced SOP Instance MAC Sequence (0400,0403) the MAC Algorithm is "
            f"{mac or 'absent'}, not {_either(mac_algorithms.MAC_ALGORITHMS)}"
        )


def _either(names: Collection[str]) -> str:
    return " or ".join(sorted(names)) or "one of the profile, which allows none"


@lru_cache(maxsize=64)
def _united(
    required: frozenset[int], attributes: frozenset[int], modules: frozenset[str]
) -> frozenset[int]:
    return required | attributes | module_tags(modules)


def is_report(scope: Elements) -> bool:
    """Return whether the scope has the root content item of a report, a container (PS3.3 C.17.3).

    An encapsulated document may have such an item too, and is not a report.
    """
    return (
        scope.text(terms.VALUE_TYPE) == "CONTAINER"
        and scope.has(terms.CONCEPT_NAME_CODE_SEQUENCE)
        and scope.has(terms.CONTENT_SEQUENCE)
        and not scope.has(terms.ENCAPSULATED_DOCUMENT)
    )


def is_verified(scope: Elements) -> bool:
    """Return whether the Verification Flag (0040,A493) is VERIFIED."""
    return scope.text(terms.VERIFICATION_FLAG) == "VERIFIED"


_STUDY_AND_SERIES = frozenset((terms.STUDY_INSTANCE_UID, terms.SERIES_INSTANCE_UID))
_UIDS = _STUDY_AND_SERIES | {terms.SOP_CLASS_UID, terms.SOP_INSTANCE_UID}
# items 5 to 30 of PS3.15 C.2, in its order
_CONTENT = (
    "overlay-plane", "curve", "graphic-annotation",
    "general-image", "image-pixel",
    "sr-document-general", "sr-document-content",
    "waveform", "waveform-annotation",
    "multi-frame-functional-groups",
    "enhanced-mr-image",
    "mr-spectroscopy",
    "raw-data",
    "enhanced-ct-image",
    "enhanced-xa-xrf-image",
    "segmentation-image",
    "encapsulated-document",
    "x-ray-3d-image",
    "enhanced-pet-image",
    "enhanced-us-image",
    "surface-segmentation",
    "surface-mesh",
    "structured-display", "structured-display-annotation", "structured-display-image-box",
    "implant-template",
    "implant-assembly-template",
    "implant-template-group",
    "point-cloud",
    "enhanced-mammography-image",
    "tractography-results",
    "volumetric-graphic-annotation",
    "microscopy-bulk-simple-annotations",
)  # fmt: skip
# Attributes that some of these modules had until 2020. They are still signed, so that a reader of
# an older edition, such as dcmsign, finds what it looks for; but they are not demanded.
_BEYOND = frozenset(("formerly",))

BASE = Profile(name="base", section="PS3.15 C.1")
CREATOR = Profile(
    name="creator",
    section="PS3.15 C.2",
    main=True,
    required=_UIDS,
    modules=frozenset(("general-equipment", *_CONTENT)),
    attributes=frozenset((terms.INSTANCE_CREATION_DATE, terms.INSTANCE_CREATION_TIME)),
    private=True,
    beyond=_BEYOND,
)
AUTHORIZATION = Profile(
    name="authorization",
    section="PS3.15 C.3",
    main=True,
    required=_UIDS,
    modules=frozenset(_CONTENT) - {"tractography-results", "microscopy-bulk-simple-annotations"},
    private=True,
    beyond=_BEYOND,
    caution="C.3 also wants signed whatever the person who approves has verified, e.g. seen on the "
    "screen: name those elements with --tag, or sign everything",
)
SR = Profile(
    name="sr",
    section="PS3.15 C.4",
    main=True,
    required=_STUDY_AND_SERIES | {terms.SOP_CLASS_UID},
    modules=frozenset(("general-equipment", "sr-document-content")),
    attributes=frozenset(
        (
            terms.CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
            terms.PERTINENT_OTHER_EVIDENCE_SEQUENCE,
            terms.PREDECESSOR_DOCUMENTS_SEQUENCE,
            terms.OBSERVATION_DATETIME,
        )
    ),
    report=True,
    purpose="*",
)
SR_VERIFICATION = Profile(
    name="sr-verification",
    section="PS3.15 C.4",
    main=True,
    required=SR.required
    | {
        terms.SOP_INSTANCE_UID,
        terms.VERIFICATION_FLAG,
        terms.VERIFYING_OBSERVER_SEQUENCE,
    },
    modules=SR.modules,
    # it is usually inside the items of Verifying Observer Sequence, and is signed with it
    attributes=SR.attributes | {terms.VERIFICATION_DATETIME},
    report=True,
    verified=True,
    purpose=purposes.VERIFICATION,
)
PROFILES = {
    profile.name: profile for profile in (BASE, CREATOR, AUTHORIZATION, SR, SR_VERIFICATION)
}
"""The profiles of Annex C by name."""


def find(profile: str | Profile | None) -> Profile | None:
    """Return the profile of a name, or the profile itself; None for ``"none"`` and None.

    Raises:
        UsageError: no profile has this name.
    """
    if profile is None or isinstance(profile, Profile):
        return profile
    if profile == "none":
        return None
    found = PROFILES.get(profile) if isinstance(profile, str) else None
    if found is None:
        raise UsageError(
            f"{profile!r} is not a digital signature profile; known are none, {', '.join(PROFILES)}"
        )
    return found


def satisfied(facts: Facts) -> tuple[str, ...]:
    """Return the names of the profiles of Annex C that a signature satisfies."""
    if any(BASE.excluded(facts)):  # the other profiles include these demands, and BASE has no more
        return ()
    if not facts.main:
        return (BASE.name,)
    # most signatures are complete and have no purpose; then only the UIDs are left to check
    if facts.purpose is None and facts.complete:
        return _SATISFIED_BY_MOST if facts.scope.holds(_UIDS) else (BASE.name,)
    return tuple(name for name, profile in PROFILES.items() if not any(profile.unmet(facts)))


_SATISFIED_BY_MOST = (BASE.name, CREATOR.name, AUTHORIZATION.name)

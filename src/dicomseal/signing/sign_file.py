"""Sign a file: the signature is inserted, and every other byte stays.

In: a file, a key, and signing options.
Out: the signed file, and the Digital Signature UIDs.
PS3: PS3.3 C.12.1.1.3, PS3.15 Annex C.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

from ..ambiguity import parser_differentials
from ..editing import reencode
from ..editing.convert import convert
from ..editing.splice import Splice
from ..encoding.backend import Index
from ..encoding.obstacles import Offer, offers
from ..encoding.values import items_of, number_of
from ..errors import SigningError, UsageError
from ..files.part10 import Part10
from ..files.source import open_source
from ..keys.key_files import Password
from ..profiles import Profile
from ..signature import element_views, items, mac_parameters
from ..signature.locations import find_item
from ..signature.mac_parameters import MacParameters
from ..signature.signed_values import Scope, Values
from ..standard import terms, transfer_syntaxes
from ..standard.tags import format_tag
from .policy import SigningPolicy
from .request import SignatureUID, SigningOptions, SigningRequest, parse_locations, request_of
from .signature_builder import build, listed_tags, select_tags

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ..keys.signing_key import CertificateSource, KeySource
    from ..timestamps.authority import TimestampAuthority


def sign_file(
    source: str | os.PathLike[str] | Buffer | BinaryIO,
    target: str | os.PathLike[str] | BinaryIO,
    key: KeySource,
    certificate: CertificateSource = None,
    *,
    mac: str = "SHA256",
    tags: Iterable[str | int] | None = None,
    items: str | Sequence[str] = (),
    uid: str | None = None,
    when: datetime | None = None,
    password: Password = None,
    share_mac: bool = False,
    transfer_syntax: str | None = None,
    profile: str | Profile | None = None,
    purpose: str | int | None = None,
    policy: SigningPolicy | None = None,
    tsa: str | TimestampAuthority | None = None,
    include_guessed: bool = False,
    require_all_signed: bool = False,
) -> list[SignatureUID]:
    """Sign a file; every byte that is not part of the signature is kept.

    Args:
        source: the file to sign: a path, its content as bytes, or a binary file.
        target: the path of the signed file; it may be the source. The file is written beside the
            target and renamed, so that a crash leaves the old file or the new one. It may also be
            a binary file.
        key: a `cryptography` private key, a path (PEM, DER, PKCS#8, PKCS#12), or an object with
            ``sign(digest, algorithm) -> bytes``.
        certificate: a `cryptography` certificate, its DER, or a path; may be left out for PKCS#12.
        mac: MAC Algorithm, a defined term of (0400,0015).
        tags: the elements to sign, as ``gggg,eeee``, keywords or ints; None means all that can be.
        items: locations such as ``BeamSequence[0]``: sign those items instead of the main data
            set; ``""`` is the main data set itself. Items count from 0, or with negative numbers
            from the end.
        uid: Digital Signature UID; None makes a new one. Only for a single signature.
        when: Digital Signature DateTime, aware; None is now.
        password: of an encrypted key file: text, bytes, or a function that is called if needed.
        share_mac: use an existing MAC Parameters item, if one has the same algorithm, transfer
            syntax and elements; else, and by default, a new one is made.
        transfer_syntax: write the file in it: ``implicit``, ``explicit``, ``big-endian``,
            ``deflated``, or one of their UIDs. None keeps the file's. Refused if an existing
            signature would break, or anything would be lost.
        profile: digital signature profile of PS3.15 Annex C that the signature must satisfy:
            ``"base"``, ``"creator"``, ``"authorization"``, ``"sr"``, ``"sr-verification"``, or a
            `profiles.Profile`. With ``tags``, the elements that the profile demands are signed as
            well, and those that say what signed elements mean (`standard.meanings`).
        purpose: a code of PS3.16 CID 7007, 1 to 18, or its name; None is none, or the one that the
            profile demands.
        policy: which MAC Algorithms and keys are good enough; None is `signing_policy.STRONG`.
        tsa: a timestamp authority, by its address or as `TimestampAuthority`: every signature
            gets a Certified Timestamp from it.
        include_guessed: in implicit VR, also sign private elements. Their VR is not in the object,
            only guessed from a dictionary: a reader that guesses otherwise, or knows none, cannot
            verify the signature, and a conversion to explicit VR may break it.
        require_all_signed: raise a `SigningError` (code ``unsigned``) rather than leave out an
            element whose tag can be signed.

    Returns:
        The Digital Signature UIDs, one for the main data set or each item. Each is a `str` with
        ``left_out``, the names of the elements that it does not cover; ``telling``, those of them
        that say what signed ones mean; and ``obstacles``, sentences why elements could not be
        signed.

    Raises:
        DicomSealError: nothing was written. `SourceError` and `MalformedError` for the file,
            `KeyFileError` and `CertificateError` for key and certificate, `UsageError` for an
            argument, `SigningError` for an object that cannot be signed as requested, or for a
            weak MAC Algorithm or key (code ``weak``), `TimestampError` if the authority does not
            return a timestamp.
    """
    options = SigningOptions(
        mac=mac, tags=tags, uid=uid, when=when, share_mac=share_mac, profile=profile,
        purpose=purpose, policy=policy, tsa=tsa, include_guessed=include_guessed,
        require_all_signed=require_all_signed,
    )  # fmt: skip
    request = request_of(key, certificate, password, options)
    return sign_requested(request, source, target, items, transfer_syntax)


def sign_requested(
    request: SigningRequest,
    source: str | os.PathLike[str] | Buffer | BinaryIO,
    target: str | os.PathLike[str] | BinaryIO,
    items: str | Sequence[str] = (),
    transfer_syntax: str | None = None,
    overwrite: bool = True,
) -> list[SignatureUID]:
    """Do the same as `sign_file`, for callers that look at the request first.

    Without ``overwrite`` an existing target is a `SourceError` with the code ``exists``.
    """
    locations = parse_locations(items, request.uid)
    syntax = None if transfer_syntax is None else _syntax(transfer_syntax)
    part10 = open_source(source, settled=True)
    if syntax is not None and syntax != part10.transfer_syntax:
        origin = part10.origin
        part10 = Part10.from_bytes(convert(part10, signable_index(part10), syntax))
        part10.origin = origin  # the file that is replaced must still be the one that was read
    splice, uids = _sign_part10(part10, locations, request)
    splice.save(target, overwrite)
    return uids


def _syntax(name: str) -> str:
    try:
        return reencode.resolve(name)
    except SigningError as error:
        raise UsageError(str(error)) from None


def _sign_part10(
    part10: Part10, locations: list[str], request: SigningRequest
) -> tuple[Splice, list[SignatureUID]]:
    """Return the edits that sign the main data set or items, and the Digital Signature UIDs."""
    index = signable_index(part10)
    splice = Splice(part10, index)
    uids = []
    seen = set()
    for location in locations:
        scope = find_item(index, location)
        if scope in seen:
            raise UsageError(f"{location} is named twice among the items to sign")
        seen.add(scope)
        uids.append(sign_scope(part10, index, splice, scope, request, request.when))
    return splice, uids


def signable_index(part10: Part10) -> Index:
    index = part10.index()
    doubts = parser_differentials.doubts(part10, index)
    if doubts:
        raise SigningError(
            f"{doubts[0]}, and a signature cannot say which; repair the object first",
            "ambiguous",
        )
    return index


def sign_scope(
    part10: Part10,
    index: Index,
    splice: Splice,
    scope: int,
    request: SigningRequest,
    when: datetime,
) -> SignatureUID:
    """Sign the main data set or an item: add the edits that insert the signature.

    Args:
        part10, index: the object.
        splice: its edits.
        scope: the record of the main data set or item.
        request: what the signature is to be.
        when: Digital Signature DateTime, aware.

    Returns:
        The Digital Signature UID.

    Raises:
        SigningError, KeyFileError, TimestampError: as `sign_file`.
    """
    offered: list[Offer] = []
    tags: Sequence[int] = ()
    if request.profile is None and request.tags is None:
        tags = listed_tags(index.all_signable(scope, request.include_guessed) or b"")
    if not tags:  # nearly every object has tags here, and then nothing is left out
        offered = list(offers(index, scope, request.include_guessed))
        tags = select_tags(request, offered, element_views.Elements(index, scope), main=scope == 0)
    sequences = {
        tag: index.find(scope, tag)
        for tag in (terms.MAC_PARAMETERS_SEQUENCE, terms.DIGITAL_SIGNATURES_SEQUENCE)
    }
    present = _mac_ids(index, scope, request) if max(sequences.values()) >= 0 else {}
    mac, signature = build(
        request,
        tags,
        transfer_syntaxes.mac_transfer_syntax(part10.transfer_syntax),
        present,
        lambda update: index.stream(update, scope, tags),
        when,
    )
    how = part10.implicit, part10.big_endian
    for tag, sequence in sequences.items():
        if tag == terms.DIGITAL_SIGNATURES_SEQUENCE:
            data = signature.encoded(*how)
        elif mac.mac_id not in present:
            data = mac.encoded(*how)
        else:
            continue  # it is shared
        if sequence < 0:
            splice.insert_element(scope, tag, items.encode([(tag, "SQ", data)], *how))
        elif index.record(sequence).vr != "SQ":
            raise SigningError(f"{format_tag(tag)} exists and is not a sequence")
        else:
            splice.append_item(sequence, data)
    return SignatureUID(
        signature.uid, offered, tags, lambda: Values(index, [Scope(scope, frozenset(tags))])
    )


def _mac_ids(
    index: Index, scope: int, request: SigningRequest
) -> dict[int | None, MacParameters | None]:
    """Return the MAC ID Numbers in use, with the parameters that may be shared."""
    present: dict[int | None, MacParameters | None] = {}
    for mac_id, item in mac_parameters.read_ids(index, scope):
        # if two items have one ID, it is open which one a signature uses: neither is shared
        share = request.share_mac and mac_id not in present
        present[mac_id] = mac_parameters.read(index, item) if share else None
    for item in items_of(index, scope, terms.DIGITAL_SIGNATURES_SEQUENCE):
        present.setdefault(number_of(index, item, terms.MAC_ID_NUMBER), None)
    return present

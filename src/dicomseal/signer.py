"""Sign objects (PS3.3 C.12.1.1.3, PS3.15 Annex C).

On a file the signature is spliced in and every other byte stays; on a `pydicom.Dataset` the same
MAC is computed over the same stream, and the data set gets the two sequences.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import msgspec

from . import _record as r
from . import digital_signature, mac_parameters, profiles, purposes, reencode, terms
from . import sequence_items as items
from .canonical import Index, new_hasher, require_dataset
from .certificate import kind_of
from .conversion import convert
from .digital_signature import DigitalSignature
from .errors import SigningError, UsageError
from .keys import Password, SigningKey
from .mac_parameters import MacParameters
from .part10 import Part10
from .places import find_item, walk_to
from .profiles import Elements, Facts, Profile
from .reader import open_source
from .signing_policy import STRONG, SigningPolicy, check_profile, purpose_for
from .splice import Splice
from .tags import describe, format_tag, is_signable_tag, parse_tags

if TYPE_CHECKING:
    from pydicom import Dataset
    from typing_extensions import Buffer

    from .timestamp_protocol import TimestampAuthority

MOST_MAC_IDS = 1 << 16
_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")


class _Request(NamedTuple):
    """What every signature of one call has in common."""

    key: SigningKey
    algorithm: str
    tags: list[int] | None
    uid: str | None
    when: datetime
    share_mac: bool
    profile: Profile | None
    purpose: purposes.Code | None
    tsa: TimestampAuthority | None


def _request(
    key: Any,
    certificate: Any,
    mac: str,
    tags: Any,
    uid: Any,
    when: Any,
    password: Password,
    profile: Any = None,
    purpose: Any = None,
    policy: Any = None,
    share_mac: bool = False,
    tsa: Any = None,
) -> _Request:
    new_hasher(mac)
    profile = profiles.find(profile)
    code = purpose_for(profile, purpose)
    policy = STRONG if policy is None else policy
    if not isinstance(policy, SigningPolicy):
        raise UsageError(f"policy takes a SigningPolicy, not {policy!r}")
    when = datetime.now(UTC).astimezone() if when is None else when
    if not isinstance(when, datetime) or when.tzinfo is None:
        raise UsageError("the time of the signature needs an offset from UTC")
    if uid is not None and not (isinstance(uid, str) and len(uid) <= 64 and _UID.fullmatch(uid)):
        raise UsageError(f"{uid!r} is no UID (PS3.5 Section 9.1)")
    wanted = None if tags is None else parse_tags(tags)
    for tag in wanted or ():
        if not is_signable_tag(tag):
            raise UsageError(f"{format_tag(tag)} can never be signed (PS3.3 C.12.1.1.3.1.1)")
    if wanted == []:
        raise UsageError("the list of tags to sign is empty")
    signing_key = SigningKey(key, certificate, password)
    policy.check(mac, signing_key.certificate.public_key)
    authority = None
    if tsa is not None:
        from .timestamp_protocol import authority_of

        authority = authority_of(tsa)
    return _Request(signing_key, mac, wanted, uid, when, share_mac, profile, code, authority)


def sign_file(
    source: str | os.PathLike[str] | Buffer | BinaryIO,
    target: str | os.PathLike[str] | BinaryIO,
    key: Any,
    certificate: Any = None,
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
) -> list[str]:
    """Sign a file; every byte that is not part of the signature is kept.

    Args:
        source: the file to sign: a path, its content as bytes, or a binary file.
        target: where the signed file goes; it may be the source. It is written beside the target
            and renamed, so that a crash leaves the old file or the new one. Or a binary file.
        key: a `cryptography` private key, a path (PEM, DER, PKCS#8, PKCS#12), or an object with
            ``sign(digest, algorithm) -> bytes``.
        certificate: a `cryptography` certificate, its DER, or a path; may be left out for PKCS#12.
        mac: MAC Algorithm, a defined term of (0400,0015).
        tags: which elements to sign, as ``gggg,eeee``, keywords or ints; None is all that can be.
        items: locations such as ``BeamSequence[0]``: sign those items instead of the main data
            set; ``""`` is the main data set itself. Items count from 0, or with negative numbers
            from the end.
        uid: Digital Signature UID; None makes a new one. Only for a single signature.
        when: Digital Signature DateTime, aware; None is now.
        password: of an encrypted key file: text, bytes, or a function that is called if needed.
        share_mac: use a MAC Parameters item that is there, if one has the same algorithm, transfer
            syntax and elements; else, and by default, a new one is made.
        transfer_syntax: write the file in it: ``implicit``, ``explicit``, ``big-endian``,
            ``deflated``, or one of their UIDs. None keeps the file's. Refused if a signature that
            is there would break, or anything would be lost.
        profile: digital signature profile of PS3.15 Annex C that the signature must satisfy:
            ``"base"``, ``"creator"``, ``"authorization"``, ``"sr"``, ``"sr-verification"``, or a
            `profiles.Profile`. With ``tags``, what the profile demands is signed as well.
        purpose: a code of PS3.16 CID 7007, 1 to 18, or its name; None is none, or the one that the
            profile demands.
        policy: which MAC Algorithms and keys are good enough; None is `signing_policy.STRONG`.
        tsa: a timestamp authority, by its address or as `TimestampAuthority`: every signature
            gets a Certified Timestamp from it.

    Returns:
        The Digital Signature UIDs, one for the main data set or each item.

    Raises:
        DicomSealError: nothing was written. `SourceError` and `MalformedError` for the file,
            `KeyFileError` and `CertificateError` for key and certificate, `UsageError` for an
            argument, `SigningError` for what cannot be signed as asked, or with so weak a MAC
            Algorithm or key (code ``weak``), `TimestampError` if the authority gives no timestamp.
    """
    request = _request(
        key, certificate, mac, tags, uid, when, password, profile, purpose, policy, share_mac, tsa
    )
    locations = _locations(items, uid)
    syntax = None if transfer_syntax is None else _syntax(transfer_syntax)
    part10 = open_source(source, settled=True)
    if syntax is not None and syntax != part10.transfer_syntax:
        origin = part10.origin
        part10 = Part10.from_bytes(convert(part10, _index(part10), syntax))
        part10.origin = origin  # what is replaced must still be what was read
    splice, made = _sign_part10(part10, locations, request)
    splice.save(target)
    return made


def _locations(items: str | Sequence[str], uid: str | None) -> list[str]:
    try:
        locations = [items] if isinstance(items, str) else list(items)
    except TypeError:
        raise UsageError(f"items takes locations such as BeamSequence[0], not {items!r}") from None
    if uid is not None and len(locations) > 1:
        raise UsageError("one Digital Signature UID cannot serve for several signatures")
    return locations or [""]


def _syntax(name: str) -> str:
    try:
        return reencode.resolve(name)
    except SigningError as error:
        raise UsageError(str(error)) from None


def _sign_part10(
    part10: Part10, locations: list[str], request: _Request
) -> tuple[Splice, list[str]]:
    """The edits that sign the main data set or items, and the Digital Signature UIDs."""
    index = _index(part10)
    splice = Splice(part10, index)
    made = []
    seen = set()
    for location in locations:
        scope = find_item(index, location)
        if scope in seen:
            raise UsageError(f"{location} is an item that is to be signed already")
        seen.add(scope)
        made.append(_sign_scope(part10, index, splice, scope, request))
    return splice, made


def _index(part10: Part10) -> Index:
    index = part10.index()
    doubts = part10.doubts(index)
    if doubts:
        raise SigningError(
            f"{doubts[0]}, and a signature cannot say which; repair the object first",
            "ambiguous",
        )
    return index


def _sign_scope(part10: Part10, index: Index, splice: Splice, scope: int, request: _Request) -> str:
    tags = _selected(
        request, list(_offers(index, scope)), items.Elements(index, scope), main=scope == 0
    )
    present: dict[int | None, MacParameters | None] = {}
    for mac_id, item in mac_parameters.read_ids(index, scope):
        # of two with one ID nobody can say which a signature goes with: neither is shared
        share = request.share_mac and mac_id not in present
        present[mac_id] = mac_parameters.read(index, item) if share else None
    for item in items.items_of(index, scope, terms.DIGITAL_SIGNATURES_SEQUENCE):
        present.setdefault(items.number_of(index, item, terms.MAC_ID_NUMBER), None)
    mac, signature = _make(
        request,
        tags,
        terms.mac_transfer_syntax(part10.transfer_syntax),
        present,
        lambda update: index.stream(update, scope, tags),
    )
    shared = mac.mac_id in present
    for tag, made in (
        *(() if shared else ((terms.MAC_PARAMETERS_SEQUENCE, mac.item()),)),
        (terms.DIGITAL_SIGNATURES_SEQUENCE, signature.item()),
    ):
        sequence = index.find(scope, tag)
        if sequence < 0:
            data = items.encode([(tag, "SQ", [made])], part10.implicit, part10.big_endian)
            splice.insert_element(scope, tag, data)
        elif index.record(sequence).vr != "SQ":
            raise SigningError(f"{format_tag(tag)} is there and is no sequence")
        else:
            data = items.encode_item(made, part10.implicit, part10.big_endian)
            splice.append_item(sequence, data)
    return signature.uid


def _offers(index: Index, scope: int) -> Iterator[tuple[int, bool]]:
    """The tags of a scope, and whether each can be signed."""
    for child in index.children(scope):
        record = index.record(child)
        if is_signable_tag(record.tag):
            yield record.tag, not record.flags & r.UNKNOWN_VR


def _choose(offered: Iterable[tuple[int, bool]], wanted: list[int] | None) -> Iterator[int]:
    """Those to sign, in the order of the data set."""
    missing = set(wanted or ())
    found = False
    for tag, signable in offered:
        if wanted is not None and tag not in missing:
            continue
        missing.discard(tag)
        if signable:
            found = True
            yield tag
        elif wanted is not None:
            raise SigningError(
                f"{describe(tag)} cannot be signed: its VR, or one inside it, is UN or not known"
            )
    if missing:
        raise SigningError(
            f"{', '.join(describe(tag) for tag in sorted(missing))} is to be signed and not there"
        )
    if not found:
        raise SigningError("there is no element that can be signed")


def _selected(
    request: _Request, offered: list[tuple[int, bool]], elements: Elements, main: bool
) -> list[int]:
    """What to sign: what was asked for, and what the profile demands."""
    if request.profile is None:
        return list(_choose(offered, request.tags))
    wanted = request.tags
    if wanted is not None:
        wanted = sorted(request.profile.chosen({tag for tag, _ in offered}).union(wanted))
    tags = list(_choose(offered, wanted))
    facts = Facts(
        elements,
        main,
        frozenset(tags),
        len(tags) == len(offered),
        kind_of(request.key.certificate.public_key),
        request.algorithm,
        purpose=purposes.code_of(request.purpose),
    )
    check_profile(request.profile, facts)
    return tags


def _make(
    request: _Request,
    tags: list[int],
    transfer_syntax: str,
    present: Mapping[int | None, MacParameters | None],
    stream: Callable[[Callable[[Any], object]], object],
) -> tuple[MacParameters, DigitalSignature]:
    """Hash the scope and the signature's own item, and sign the MAC.

    Args:
        present: the MAC ID Numbers that are taken, with the parameters that may be shared.
    """
    wanted = MacParameters(None, transfer_syntax, request.algorithm, tuple(tags))
    mac_id = next(
        (
            n
            for n, there in present.items()
            if n is not None and there and msgspec.structs.replace(there, mac_id=None) == wanted
        ),
        None,
    )
    if mac_id is None:
        mac_id = next((n for n in range(MOST_MAC_IDS) if n not in present), None)
    if mac_id is None:
        raise SigningError("all 65536 MAC ID Numbers are taken here")
    mac = msgspec.structs.replace(wanted, mac_id=mac_id)
    signature = DigitalSignature(
        mac_id,
        request.uid or f"2.25.{uuid.uuid4().int}",
        digital_signature.format_datetime(request.when),
        terms.CERTIFICATE_TYPE_X509,
        request.key.certificate.der,
        purpose=request.purpose,
    )
    hasher = new_hasher(request.algorithm)
    stream(hasher.update)
    own = Index(items.encode(signature.item()))
    own.stream(hasher.update, 0, None, without=terms.NOT_IN_MAC)
    value = request.key.sign(hasher.digest(), request.algorithm)
    signature = msgspec.structs.replace(signature, signature=value)
    if request.tsa is not None:
        signature = msgspec.structs.replace(
            signature, timestamp_type=terms.CMS_TSP, timestamp=request.tsa.stamp(value)
        )
    return mac, signature


def sign(
    dataset: Dataset,
    key: Any,
    certificate: Any = None,
    *,
    mac: str = "SHA256",
    tags: Iterable[str | int] | None = None,
    item: str = "",
    uid: str | None = None,
    when: datetime | None = None,
    password: Password = None,
    share_mac: bool = False,
    profile: str | Profile | None = None,
    purpose: str | int | None = None,
    policy: SigningPolicy | None = None,
    tsa: str | TimestampAuthority | None = None,
) -> str:
    """Sign a `pydicom.Dataset` in place.

    The RSA signature is the same as the one `sign_file` makes of the file, given the same uid and
    time. If it raises, the data set is as it was.

    Args:
        dataset: it gets a MAC Parameters and a Digital Signatures Sequence, or one more item in
            them.
        item: the location of an item to sign instead of the main data set.
        key, certificate, mac, tags, uid, when, password, profile, purpose, policy, share_mac, tsa:
            as for `sign_file`.

    Returns:
        The Digital Signature UID.

    Raises:
        DicomSealError: as for `sign_file`; `EncodingError` if pydicom cannot write a value.
    """
    require_dataset(dataset, "sign")
    request = _request(
        key, certificate, mac, tags, uid, when, password, profile, purpose, policy, share_mac, tsa
    )
    uid, commit = _prepare(dataset, item, request)
    commit()
    return uid


def sign_items(
    dataset: Dataset,
    key: Any,
    certificate: Any = None,
    *,
    items: Sequence[str],
    mac: str = "SHA256",
    tags: Iterable[str | int] | None = None,
    when: datetime | None = None,
    password: Password = None,
    profile: str | Profile | None = None,
    purpose: str | int | None = None,
    policy: SigningPolicy | None = None,
    share_mac: bool = False,
    tsa: str | TimestampAuthority | None = None,
) -> list[str]:
    """Sign several items of a `pydicom.Dataset` in place, all of them or none.

    Args:
        items: locations such as ``BeamSequence[0]``; ``""`` is the main data set.
        dataset, key, certificate, mac, tags, when, password, profile, purpose, policy, share_mac,
            tsa: as for `sign`.

    Returns:
        The Digital Signature UIDs, in the order of ``items``.

    Raises:
        DicomSealError: as for `sign`; the data set is as it was.
    """
    require_dataset(dataset, "sign")
    request = _request(
        key, certificate, mac, tags, None, when, password, profile, purpose, policy, share_mac, tsa
    )
    prepared = []
    seen = set()
    for location in _locations(items, None):
        scope = id(walk_to(dataset, location)[0])
        if scope in seen:
            raise UsageError(f"{location} is an item that is to be signed already")
        seen.add(scope)
        prepared.append(_prepare(dataset, location, request))
    for _, commit in prepared:
        commit()
    return [uid for uid, _ in prepared]


def _prepare(dataset: Dataset, location: str, request: _Request) -> tuple[str, Callable[[], None]]:
    """The Digital Signature UID, and what puts the signature into the data set."""
    from .dataset import DatasetElements, signable_tags, stream_dataset, transfer_syntax_of

    scope, ancestors = walk_to(dataset, location)
    chosen = _selected(
        request,
        list(signable_tags(scope, ancestors)),
        DatasetElements(scope),
        main=scope is dataset,
    )
    present: dict[int | None, MacParameters | None] = {}
    for there in scope.get("MACParametersSequence") or ():
        read = mac_parameters.from_dataset(there)
        present[read.mac_id] = read if request.share_mac and read.mac_id not in present else None
    for there in scope.get("DigitalSignaturesSequence") or ():
        present.setdefault(there.get("MACIDNumber"), None)
    made, signature = _make(
        request,
        chosen,
        transfer_syntax_of(dataset),
        present,
        lambda update: stream_dataset(update, scope, chosen, ancestors=ancestors),
    )

    def commit() -> None:
        for name, elements in (
            *(() if made.mac_id in present else (("MACParametersSequence", made.item()),)),
            ("DigitalSignaturesSequence", signature.item()),
        ):
            setattr(scope, name, [*(scope.get(name) or ()), items.to_dataset(elements)])

    return signature.uid, commit

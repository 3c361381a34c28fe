"""Sign a `pydicom.Dataset` in place; the bytes that will be written are signed.

In: a `pydicom.Dataset`, a key, and signing options.
Out: the same data set with one more signature, and its Digital Signature UID.
PS3: PS3.3 C.12.1.1.3, PS3.15 Annex C.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from ..encoding.backend import Index
from ..encoding.obstacles import offers
from ..errors import UsageError
from ..files.part10 import Part10
from ..files.source import require_dataset
from ..keys.key_files import Password
from ..profiles import Profile
from ..signature import element_views, mac_parameters, signed_values
from ..signature.items import to_dataset
from ..signature.locations import find_item, walk_to
from ..signature.mac_parameters import MacParameters
from ..signature.signed_values import Values
from .policy import SigningPolicy
from .request import SignatureUID, SigningOptions, SigningRequest, parse_locations, request_of
from .sign_file import signable_index
from .signature_builder import build, select_tags

if TYPE_CHECKING:
    from pydicom import Dataset

    from ..keys.signing_key import CertificateSource, KeySource
    from ..timestamps.authority import TimestampAuthority


def sign(
    dataset: Dataset,
    key: KeySource,
    certificate: CertificateSource = None,
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
    include_guessed: bool = False,
    require_all_signed: bool = False,
) -> SignatureUID:
    """Sign a `pydicom.Dataset` in place.

    The signature covers the data set as it will be written in the encoding that its File Meta
    Information states: the VRs in memory count only if that encoding states VRs. An RSA signature
    is the same as the one `sign_file` makes of the file, given the same uid and time. If the call
    raises, the data set is as it was.

    Args:
        dataset: it gets a MAC Parameters and a Digital Signatures Sequence, or one more item in
            these.
        item: the location of an item to sign instead of the main data set.
        key, certificate, mac, tags, uid, when, password, profile, purpose, policy, share_mac, tsa,
            include_guessed, require_all_signed: as for `sign_file`.

    Returns:
        The Digital Signature UID, with ``left_out`` and ``telling`` as of `sign_file`.

    Raises:
        DicomSealError: as for `sign_file`; `EncodingError` if pydicom cannot write a value.
    """
    require_dataset(dataset, "sign")
    options = SigningOptions(
        mac=mac, tags=tags, uid=uid, when=when, share_mac=share_mac, profile=profile,
        purpose=purpose, policy=policy, tsa=tsa, include_guessed=include_guessed,
        require_all_signed=require_all_signed,
    )  # fmt: skip
    request = request_of(key, certificate, password, options)
    (uid,) = _sign_scopes(dataset, [_Scope(item, walk_to(dataset, item))], request)
    return uid


def sign_items(
    dataset: Dataset,
    key: KeySource,
    certificate: CertificateSource = None,
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
    include_guessed: bool = False,
    require_all_signed: bool = False,
) -> list[SignatureUID]:
    """Sign several items of a `pydicom.Dataset` in place, all of them or none.

    Args:
        items: locations such as ``BeamSequence[0]``; ``""`` is the main data set.
        dataset, key, certificate, mac, tags, when, password, profile, purpose, policy, share_mac,
            tsa, include_guessed, require_all_signed: as for `sign`.

    Returns:
        The Digital Signature UIDs, in the order of ``items``.

    Raises:
        DicomSealError: as for `sign`; the data set is as it was.
    """
    require_dataset(dataset, "sign")
    options = SigningOptions(
        mac=mac, tags=tags, when=when, share_mac=share_mac, profile=profile,
        purpose=purpose, policy=policy, tsa=tsa, include_guessed=include_guessed,
        require_all_signed=require_all_signed,
    )  # fmt: skip
    request = request_of(key, certificate, password, options)
    scopes = []
    seen = set()
    for location in parse_locations(items, None):
        scope = _Scope(location, walk_to(dataset, location))
        if id(scope.dataset) in seen:
            raise UsageError(f"{location} is named twice among the items to sign")
        seen.add(id(scope.dataset))
        scopes.append(scope)
    return _sign_scopes(dataset, scopes, request)


class _Scope(NamedTuple):
    """A data set or an item that is to be signed.

    Attributes:
        location: of the item; empty for the main data set.
        dataset: the scope itself.
    """

    location: str
    dataset: Dataset


def _sign_scopes(
    dataset: Dataset, scopes: Sequence[_Scope], request: SigningRequest
) -> list[SignatureUID]:
    """Sign all scopes, or leave the data set as it was; it is encoded once for all of them."""
    from ..encoding.dataset_encoding import transfer_syntax_of
    from ..encoding.from_pydicom import as_written

    index = signable_index(Part10.from_data_set(*as_written(dataset), little_endian=True))
    syntax = transfer_syntax_of(dataset)
    signed = [
        _signature(scope, index, syntax, request, main=scope.dataset is dataset) for scope in scopes
    ]
    for scope, (_, additions) in zip(scopes, signed, strict=True):
        for name, item in additions:
            setattr(scope.dataset, name, [*(scope.dataset.get(name) or ()), item])
    return [uid for uid, _ in signed]


def _signature(
    scope: _Scope, index: Index, transfer_syntax: str, request: SigningRequest, main: bool
) -> tuple[SignatureUID, list[tuple[str, Dataset]]]:
    """Return the Digital Signature UID, and the items for the sequences of the scope.

    Args:
        scope: the data set or item.
        index: the index of the data set as a reader will find it once it is written.
        transfer_syntax: for MAC Calculation Transfer Syntax UID.
        request: what the signature is to be.
        main: whether the scope is the main data set.
    """
    number = find_item(index, scope.location)
    offered = list(offers(index, number, request.include_guessed))
    tags = select_tags(request, offered, element_views.Elements(index, number), main)
    present = _mac_ids(scope.dataset, request)
    mac, signature = build(
        request,
        tags,
        transfer_syntax,
        present,
        lambda update: index.stream(update, number, tags),
        request.when,
    )
    additions = [("DigitalSignaturesSequence", to_dataset(signature.item()))]
    if mac.mac_id not in present:
        additions.insert(0, ("MACParametersSequence", to_dataset(mac.item())))
    uid = SignatureUID(signature.uid, offered, tags, lambda: _values(index, number, tags))
    return uid, additions


def _values(index: Index, scope: int, tags: Iterable[int]) -> Values:
    return Values(index, [signed_values.Scope(scope, frozenset(tags))])


def _mac_ids(scope: Dataset, request: SigningRequest) -> dict[int | None, MacParameters | None]:
    """Return the MAC ID Numbers in use, with the parameters that may be shared."""
    present: dict[int | None, MacParameters | None] = {}
    for item in scope.get("MACParametersSequence") or ():
        mac = mac_parameters.from_dataset(item)
        present[mac.mac_id] = mac if request.share_mac and mac.mac_id not in present else None
    for item in scope.get("DigitalSignaturesSequence") or ():
        present.setdefault(item.get("MACIDNumber"), None)
    return present

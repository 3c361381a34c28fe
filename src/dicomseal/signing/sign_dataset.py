"""Sign a `pydicom.Dataset` in place: what it will be once it is written is what is signed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..files.source import require_dataset
from ..keys.key_files import Password
from ..profiles import Profile
from ..signature import items, mac_parameters
from ..signature.locations import walk_to
from ..signature.mac_parameters import MacParameters
from .policy import SigningPolicy
from .request import SignatureUID, SigningRequest, parse_locations, request_of
from .sign_file import _content
from .signature_builder import make_items, select_tags

if TYPE_CHECKING:
    from pydicom import Dataset

    from ..timestamps.authority import TimestampAuthority


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
    include_guessed: bool = False,
    require_all_signed: bool = False,
) -> SignatureUID:
    """Sign a `pydicom.Dataset` in place.

    It is over what the data set will be when it is written in the encoding that its File Meta
    Information states: the VRs in memory count only if that encoding states VRs. The RSA signature
    is the same as the one `sign_file` makes of the file, given the same uid and time. If it raises,
    the data set is as it was.

    Args:
        dataset: it gets a MAC Parameters and a Digital Signatures Sequence, or one more item in
            them.
        item: the location of an item to sign instead of the main data set.
        key, certificate, mac, tags, uid, when, password, profile, purpose, policy, share_mac, tsa,
            include_guessed, require_all_signed: as for `sign_file`.

    Returns:
        The Digital Signature UID, with ``left_out`` and ``telling`` as of `sign_file`.

    Raises:
        DicomSealError: as for `sign_file`; `EncodingError` if pydicom cannot write a value.
    """
    require_dataset(dataset, "sign")
    request = request_of(
        key, certificate, mac, tags, uid, when, password, profile, purpose, policy, share_mac, tsa,
        include_guessed, require_all_signed,
    )  # fmt: skip
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
    request = request_of(
        key, certificate, mac, tags, None, when, password, profile, purpose, policy, share_mac, tsa,
        include_guessed, require_all_signed,
    )  # fmt: skip
    prepared = []
    seen = set()
    for location in parse_locations(items, None):
        scope = id(walk_to(dataset, location)[0])
        if scope in seen:
            raise UsageError(f"{location} is an item that is to be signed already")
        seen.add(scope)
        prepared.append(_prepare(dataset, location, request))
    for _, commit in prepared:
        commit()
    return [uid for uid, _ in prepared]


def _prepare(
    dataset: Dataset, location: str, request: SigningRequest
) -> tuple[SignatureUID, Callable[[], None]]:
    """The Digital Signature UID, and what puts the signature into the data set."""
    from ..encoding.from_pydicom import transfer_syntax_of

    scope, _ = walk_to(dataset, location)
    offered, elements, stream, values = _content(dataset, location, request)
    chosen = select_tags(request, offered, elements, main=scope is dataset)
    present: dict[int | None, MacParameters | None] = {}
    for there in scope.get("MACParametersSequence") or ():
        read = mac_parameters.from_dataset(there)
        present[read.mac_id] = read if request.share_mac and read.mac_id not in present else None
    for there in scope.get("DigitalSignaturesSequence") or ():
        present.setdefault(there.get("MACIDNumber"), None)
    made, signature = make_items(
        request,
        chosen,
        transfer_syntax_of(dataset),
        present,
        lambda update: stream(update, chosen),
    )

    def commit() -> None:
        for name, elements in (
            *(() if made.mac_id in present else (("MACParametersSequence", made.item()),)),
            ("DigitalSignaturesSequence", signature.item()),
        ):
            setattr(scope, name, [*(scope.get(name) or ()), items.to_dataset(elements)])

    return SignatureUID(signature.uid, offered, chosen, lambda: values(chosen)), commit

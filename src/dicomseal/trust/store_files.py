"""Whom a trust store trusts, from files.

In: paths of files and folders, as PEM, DER, PKCS#7 or PKCS#12.
Out: certificates and public keys; or the errors and warnings why some of them cannot be had.
PS3: PS3.15 Section C.1 leaves to the user whom to trust.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .authorities import load_authorities
from .formats import AnyCertificate, AnySigner
from .loading import Refused, load_certificates, load_signers, warn_of
from .restrictions import TIME_STAMPING_PURPOSES
from .trust_settings import Wanted

_Paths = Sequence[str | os.PathLike[str]]


class Read(NamedTuple):
    """What files hold; the fields are those of `TrustStore`."""

    anchors: list[AnyCertificate]
    intermediates: list[AnyCertificate]
    tsa: list[AnyCertificate]
    signers: list[AnySigner]


def read_files(
    anchors: _Paths,
    intermediates: _Paths,
    tsa: _Paths,
    signers: _Paths,
    usages: frozenset[str],
    password: str | bytes | None,
) -> Read:
    """Read all files; one that cannot be used is a warning, if others can.

    Args:
        anchors, intermediates, tsa, signers, password: as of `TrustStore.from_files`.
        usages: what the trust settings of an authority may trust it for.

    Raises:
        TrustError: as of `TrustStore.from_files`.
    """
    refused: list[Refused] = []

    def some(load: Callable[..., list[Any]], paths: _Paths, wanted: Wanted) -> list[Any]:
        found = []
        for path in paths:
            try:
                found += load(path, password, wanted)
            except Refused as error:
                refused.append(error)
        return found

    signing = Wanted.of(usages)
    authorities = some(load_authorities, anchors, signing)
    directly = some(load_signers, signers, signing)
    between = some(load_certificates, intermediates, signing._replace(anchor=False))
    stamps = some(load_certificates, tsa, Wanted(TIME_STAMPING_PURPOSES))
    if refused and not authorities and not directly:
        raise refused[0]
    for error in refused:
        warn_of(error)
    return Read(authorities, between, stamps, directly)

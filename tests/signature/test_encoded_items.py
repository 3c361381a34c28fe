"""The short way to the bytes of a new signature's item writes what the long way writes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import msgspec
import pytest

from dicomseal.encoding.backend import Index
from dicomseal.signature import items
from dicomseal.signature.digital_signature import DigitalSignature, format_datetime
from dicomseal.signature.mac_parameters import MacParameters
from dicomseal.standard import terms

SIGNATURE = DigitalSignature(
    0, "2.25.99", "20260102030405.000006+0100", "X509_1993_SIG", b"certificate", b"value"
)
CHANGES = [
    {}, {"mac_id": 259}, {"uid": "2.25.999"}, {"datetime": "2026"}, {"certificate": b"even"},
    {"signature": b"even"}, {"signature": b""}, {"certificate": b""},
    {"purpose": ("1", "DCM", "Author's Signature")},
    {"timestamp_type": "CMS_TSP", "timestamp": b"token"},
]  # fmt: skip


@pytest.mark.parametrize("changes", CHANGES, ids=str)
@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("big_endian", [False, True])
def test_a_signature(changes, implicit, big_endian):
    signature = msgspec.structs.replace(SIGNATURE, **changes)
    assert signature.encoded(implicit, big_endian) == items.encode_item(
        signature.item(), implicit, big_endian
    )


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_what_is_protected_of_it(changes):
    signature = msgspec.structs.replace(SIGNATURE, **changes)
    stream = []
    Index(items.encode(signature.item())).stream(
        lambda data: stream.append(bytes(data)), 0, None, without=terms.NOT_IN_MAC
    )
    assert signature.own() == b"".join(stream)


@pytest.mark.parametrize("count", [1, 3, 5000])
def test_mac_parameters(count):
    parameters = MacParameters(
        1, "1.2.840.10008.1.2.1", "SHA256", tuple(range(0x00100010, 0x00100010 + count))
    )
    for how in ((False, False), (True, False), (False, True)):
        for _ in range(2):
            assert parameters.encoded(*how) == items.encode_item(parameters.item(), *how)


@pytest.mark.parametrize("minutes", [0, 60, -570, 845])
@pytest.mark.parametrize("micro", [0, 7, 999999])
@pytest.mark.parametrize("year", [999, 1000, 2026, 9999])
def test_a_datetime(year, micro, minutes):
    when = datetime(year, 2, 3, 4, 5, 6, micro, timezone(timedelta(minutes=minutes)))
    assert format_datetime(when) == when.strftime("%Y%m%d%H%M%S.%f%z")[:26]

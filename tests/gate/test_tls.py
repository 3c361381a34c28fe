"""C-STORE over TLS: what one record holds is served, however many PDUs that is or parts of them."""

from __future__ import annotations

import ssl
import time

import _gate
import pki
import pytest
from _gate import elements, file_of, uid
from _gate_process import posix_only, until
from _raw_scu import RELEASE, VERIFICATION, Peer, data_set, echo, pdu, store

from dicomseal.gate.admission import Admission
from dicomseal.gate.scp import Settings, StorageSCP, tls_context
from dicomseal.gate.store import Store

pytestmark = posix_only
TIMEOUT = 10.0  # seconds; what comes in one record is served in a fraction of it
RECORD = 16384  # bytes that a record can have


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    key, certificate = pki.member("rsa").write(tmp_path_factory.mktemp("tls"))
    return tls_context(str(certificate), str(key), None)


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def peer(request, tmp_path, context):
    """Gives connections to a Storage SCP, on which a write of up to 16 KB is one record."""
    scp = StorageSCP(Settings(aet="GATE", associations=4, timeout=TIMEOUT, tls=context))
    scp.start(Admission(_gate.policy(), Store(tmp_path / "store", sync=False)))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.minimum_version = client.maximum_version = request.param
    yield lambda sop_class=_gate.CT: Peer(scp.port, sop_class, tls=client)
    scp.stop(1.0)
    until(lambda: scp.associations == 0)


@pytest.fixture(autouse=True)
def in_time():
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < TIMEOUT, "something waited until the connection was given up"


def test_a_whole_request_in_a_record(peer):
    pdus = store(data_set(file_of("good", 1, 6000)), uid(1), size=500)
    assert len(pdus) > 12
    assert len(b"".join(pdus)) < RECORD
    with peer() as one:
        for _ in range(3):
            one.socket.sendall(b"".join(pdus))
            assert one.answer().Status == 0
        one.release()


def test_a_hundred_pdus_in_a_record(peer):
    """Each with a few bytes; the last of them alone is worth an answer."""
    command, *_ = store(b"", uid(1))
    data = data_set(file_of("good", 1))
    pieces = [pdu(0, data[n : n + 16]) for n in range(0, len(data) - 16, 16)]
    pieces.append(pdu(2, data[16 * len(pieces) :]))
    with peer() as one:
        one.socket.sendall(command + b"".join(pieces))
        assert one.answer().Status == 0
        one.release()


def test_a_request_and_the_release_in_a_record(peer):
    """The answer to both comes, in their order."""
    with peer() as one:
        one.socket.sendall(b"".join(store(pki.encode(elements(1)), uid(1))) + RELEASE)
        assert one.answer().Status == 0
        assert one.read()[0] == 6  # A-RELEASE-RP
    with peer(VERIFICATION) as one:
        one.socket.sendall(b"".join(echo()) + RELEASE)
        assert one.answer().Status == 0
        assert one.read()[0] == 6


@pytest.mark.parametrize("cut", [1, 5, 6, 11, 12, 100])
def test_records_that_end_anywhere_in_a_pdu(peer, cut):
    data = data_set(file_of("good", 1, 100_000))
    with peer() as one:
        sent = b"".join(store(data, uid(1), size=RECORD - 7))
        one.socket.sendall(sent[:cut])
        for start in range(cut, len(sent), RECORD):
            one.socket.sendall(sent[start : start + RECORD])
        assert one.answer().Status == 0
        one.release()


def test_records_without_a_pause(peer):
    """An object of megabytes: what the kernel has and what is decrypted already take turns."""
    data = data_set(file_of("good", 1, 3 << 20))
    with peer() as one:
        one.socket.sendall(b"".join(store(data, uid(1), size=30_000)))
        assert one.answer().Status == 0
        one.release()


def test_whoever_does_not_wait_for_answers_is_given_up(peer):
    """What is decrypted already counts as sent (PS3.7 Annex D.3.3.3)."""
    with peer() as one:
        one.socket.sendall(b"".join(store(pki.encode(elements(1)), uid(1))) * 10)
        kinds = [one.read()[0]]
        while kinds[-1] != 7:  # A-ABORT
            kinds.append(one.read()[0])
    assert len(kinds) <= 4

"""The handler in somebody else's pynetdicom application."""

from __future__ import annotations

import doctest
import errno
import os

import pki
import pytest
from _gate import CT, KINDS, file_of, policy, uid
from _raw_scu import Peer, data_set, store
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt

from dicomseal.errors import SourceError, UsageError
from dicomseal.gate import handler, handlers
from dicomseal.gate.handlers import failed
from dicomseal.gate.quarantine import Quarantine
from dicomseal.gate.store import Store


@pytest.fixture(params=[False, True], ids=["in memory", "in a file"])
def serve(request, monkeypatch, tmp_path):
    """An application of pynetdicom alone, with one handler."""
    monkeypatch.setattr(_config, "STORE_RECV_CHUNKED_DATASET", request.param)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    servers = []

    def inner(chosen):
        ae = AE("APP")
        ae.supported_contexts = AllStoragePresentationContexts
        server = ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, chosen)]
        )
        servers.append(server)
        return server.server_address[1]

    yield inner
    for server in servers:
        server.shutdown()
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".dcm")]


def send(port, kind, number=1, instance=None, context=CT):
    with Peer(port, context) as peer:
        peer.send(store(data_set(file_of(kind, number)), instance or uid(number)))
        answer = peer.answer()
        peer.release()
    return answer


def test_each_kind(serve):
    port = serve(handler(policy()))
    assert [send(port, kind).Status for kind in KINDS] == [0, 0xA900, 0xC000, 0, 0xC000]
    answer = send(port, "altered")
    assert answer.OffendingElement == 0xFFFAFFFA
    assert answer.ErrorComment.startswith("HASH_FAILURE: ")
    assert send(port, "good", 1, uid(2)).OffendingElement == 0x00080018
    assert send(port, "good", context="1.2.840.10008.5.1.4.1.1.4").OffendingElement == 0x00080016


def test_stored_and_handed_on(serve, tmp_path):
    seen = []

    def accepted(event, decision):
        seen.append((decision.verdict, event.request.AffectedSOPInstanceUID))
        return 0xB000

    kept, quarantine = Store(tmp_path / "store"), Quarantine(tmp_path / "quarantine")
    chosen = policy(on_failed="quarantine")
    port = serve(handler(chosen, store=kept, quarantine=quarantine, accepted=accepted))
    assert send(port, "good").Status == 0xB000
    assert send(port, "altered").Status == 0
    assert send(port, "untrusted").Status == 0xC000
    assert seen == [("passed", uid(1))]
    found = [
        os.path.join(folder, name)
        for folder, _, names in os.walk(tmp_path / "store")
        for name in names
        if name.endswith(".dcm")
    ]
    (path,) = found
    with open(path, "rb") as file:
        assert data_set(file.read()) == data_set(file_of("good"))
    assert len(os.listdir(tmp_path / "quarantine")) == 2


def test_without_a_quarantine_nothing_of_it_is_accepted(serve):
    port = serve(handler(policy(on_failed="quarantine")))
    assert send(port, "altered").Status == 0xC000


def test_arguments_that_are_something_else_are_told_at_once(tmp_path):
    """And not at the first object, whose sender can do nothing about it."""
    chosen = policy(on_failed="quarantine")
    kept, quarantine = Store(tmp_path / "store"), Quarantine(tmp_path / "quarantine")
    for wrong, said in (
        ({"policy": None}, "Policy"), ({"policy": "refuse"}, "Policy"),
        ({"policy": chosen, "store": str(tmp_path)}, "Store"),
        ({"policy": chosen, "store": kept, "quarantine": "q"}, "Quarantine"),
        ({"policy": chosen, "quarantine": quarantine}, "goes with a store"),
        ({"policy": policy(), "accepted": 5}, "accepted"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            handler(**wrong)
    with pytest.raises(SourceError, match="quarantine"):
        handler(chosen, store=kept)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
    ],
    ids=repr,
)
def test_what_this_machine_lacks_is_not_the_objects_fault(error):
    """Its sender may try again (A7xx)."""
    assert failed(error).status == 0xA700
    assert failed(OSError(errno.EIO, "Input/output error")).status == 0x0110


@pytest.mark.parametrize("error", [ValueError("x"), MemoryError(), RecursionError()])
def test_whatever_goes_wrong_is_a_refusal(serve, monkeypatch, error):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(handlers, "judge", broken)
    called = []
    port = serve(handler(policy(), accepted=lambda *_: called.append(1) or 0))
    answer = send(port, "good")
    assert answer.Status == 0x0110
    assert called == []


def test_the_example():
    assert doctest.testmod(handlers).failed == 0
    assert doctest.testmod(handlers).attempted


def test_a_transfer_syntax_is_the_negotiated_one(serve):
    """The bytes say explicit VR, the association said so as well: nothing is guessed."""
    seen = []
    port = serve(handler(policy(), accepted=lambda _, decision: seen.append(decision) or 0))
    assert send(port, "good").Status == 0
    assert seen[0].identity.transfer_syntax == pki.EXPLICIT
    assert seen[0].identity.sop_class == CT

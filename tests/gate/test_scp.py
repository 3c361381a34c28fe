"""Real clients at the gate: what they send, what they are told, and what is stored."""

from __future__ import annotations

import json
import socket
import struct
import time
from types import SimpleNamespace

import _gate
import pki
import pytest
from _gate import CT, file_of, part10, uid
from _gate_process import client, gate, posix_only, send, until
from _raw_scu import Peer, store
from pynetdicom import AE, build_context

from dicomseal.gate.receiving import file_meta

pytestmark = posix_only


def data_set(data):
    """A file without preamble and File Meta Information."""
    start = 132 + 12 + int.from_bytes(data[140:144], "little")
    return data[start:]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return _gate.one_of_each(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def running(files, tmp_path_factory):
    with gate(
        tmp_path_factory.mktemp("gate") / "store", "--trust", files / "ca.pem", "--no-sync",
        "--metrics-port", 0,
    ) as started:  # fmt: skip
        yield started


def test_echo(running):
    assert client("echoscu", "-aec", "GATE", "127.0.0.1", running.port).returncode == 0


@pytest.mark.parametrize("program", ["storescu", "dcmsend"])
def test_a_good_object_is_stored_bit_for_bit(running, files, program):
    assert send(running.port, files / "good.dcm", name=program) == 0
    stored = running.files()[uid(0)]
    assert data_set(stored) == data_set(file_of("good", 0))
    assert running.objects()[-1]["action"] == "accept"


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("altered", 0xA9, "HASH_FAILURE: "),
        ("untrusted", 0xC0, "NO_CERTIFICATE_CHAIN_FOUND: "),
    ],
)
def test_a_refusal_comes_with_words(running, files, kind, code, said):
    """storescu ends with the first byte of the status, and shows the rest of the response."""
    found = client(
        "storescu", "-d", "-aec", "GATE", "127.0.0.1", running.port, files / f"{kind}.dcm"
    )
    assert found.returncode == code
    text = found.stdout + found.stderr
    assert "(0000,0901) AT (fffa,fffa)" in text
    assert f"(0000,0902) LO [{said}" in text
    number = list(_gate.KINDS).index(kind)
    assert uid(number) not in running.files()
    assert running.waiting("incoming") == []


def test_an_unsigned_object_is_as_the_policy_says(running, files):
    assert send(running.port, files / "unsigned.dcm") == 0
    assert running.objects()[-1]["verdict"] == "unsigned"


def associated(port, contexts, **options):
    ae = AE("SCU")
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 20
    return ae.associate("127.0.0.1", port, contexts, "GATE", **options)


def test_sop_class_extended_negotiation(running):
    """PS3.4 Section B.3.1: level 2, digital signature level 3, no coercion."""
    from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

    asked = []
    for name in (CT, "1.2.840.10008.1.1"):
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid = name
        item.service_class_application_information = b"\x02\x00\x03\x00\x00\x00"
        asked.append(item)
    contexts = [build_context(CT), build_context("1.2.840.10008.1.1")]
    assoc = associated(running.port, contexts, ext_neg=asked)
    assert assoc.is_established
    assert assoc.acceptor.sop_class_extended == {CT: b"\x02\x00\x03\x00\x00\x00"}
    assoc.release()


def test_every_storage_class_and_transfer_syntax_and_explicit_vr_first(running):
    implicit, explicit, big, jpeg = pki.IMPLICIT, pki.EXPLICIT, pki.BIG, pki.JPEG
    asked = {
        CT: ([implicit, big, explicit], explicit),
        "1.2.840.10008.5.1.4.1.1.2.1": ([implicit, big], big),  # explicit VR all the same
        "1.2.840.10008.5.1.4.1.1.4": ([implicit], implicit),
        "1.2.840.10008.5.1.4.1.1.7": ([jpeg], jpeg),
        "1.2.840.10008.5.1.4.1.1.9.1.1": (["1.2.840.10008.1.2.4.203"], "1.2.840.10008.1.2.4.203"),
        "1.2.840.10008.5.1.4.1.1.88.11": ([explicit, jpeg], explicit),
        "1.2.840.10008.5.1.4.1.1.66.99": ([explicit], explicit),  # not of today's standard
        "1.3.12.2.1107.5.9.1": ([explicit], explicit),  # private
        "1.2.840.10008.5.1.4.1.2.1.1": ([explicit], None),  # a query is no storage
    }
    assoc = associated(
        running.port, [build_context(*(name, one)) for name, (one, _) in asked.items()]
    )
    taken = {cx.abstract_syntax: cx.transfer_syntax[0] for cx in assoc.accepted_contexts}
    assoc.release()
    assert taken == {name: syntax for name, (_, syntax) in asked.items() if syntax}


@pytest.mark.parametrize("announced", ["instance", "class"])
def test_another_object_than_was_announced(running, tmp_path, announced):
    """The command set says one thing, the data set another."""
    from pynetdicom import _config

    path = tmp_path / "a.dcm"
    names = (CT, uid(77)) if announced == "instance" else ("1.2.840.10008.5.1.4.1.1.4", uid(0))
    path.write_bytes(part10(data_set(file_of("good", 0)), *names))
    before, _config.STORE_SEND_CHUNKED_DATASET = _config.STORE_SEND_CHUNKED_DATASET, True
    try:
        assoc = associated(running.port, [build_context(names[0], pki.EXPLICIT)])
        status = assoc.send_c_store(path)
        assoc.release()
    finally:
        _config.STORE_SEND_CHUNKED_DATASET = before
    assert status.Status == 0xA900
    assert status.OffendingElement == (0x00080018 if announced == "instance" else 0x00080016)
    assert "announced" in status.ErrorComment


def test_a_class_that_was_not_negotiated(running):
    """Command set and data set agree; the association was made for another SOP Class."""
    with Peer(running.port, "1.2.840.10008.5.1.4.1.1.4") as peer:
        peer.send(store(data_set(file_of("good", 501)), uid(501)))
        answer = peer.answer()
        peer.release()
    assert (answer.Status, answer.OffendingElement) == (0xA900, 0x00080016)
    assert uid(501) not in running.files()


def test_a_uid_that_is_none_is_no_name_and_the_log_stays_one(running):
    """Every line of the log is JSON, whatever libraries say of what a sender chose."""
    evil = "../../../../../../../../a.dcm"
    pdus = [
        pdu.replace(uid(1).encode(), evil.encode())
        for pdu in store(pki.encode(_gate.elements(1)), uid(1))
    ]
    assert len(evil) == len(uid(1))
    with Peer(running.port) as peer:
        assert peer.status(pdus) == 0
        peer.release()
    assert running.objects()[-1]["sop_instance_uid"] == evil
    (path,) = (one for one in running.paths() if one.name.startswith("x"))
    assert data_set(path.read_bytes()).count(evil.encode()) == 1
    assert running.other == []


def test_private_classes_are_stored_too(running, tmp_path):
    from pynetdicom import _config

    private = "1.3.12.2.1107.5.9.1"
    data = pki.encode(_gate.elements(500, sop_class=private))
    path = tmp_path / "a.dcm"
    path.write_bytes(part10(data, private, uid(500)))
    before, _config.STORE_SEND_CHUNKED_DATASET = _config.STORE_SEND_CHUNKED_DATASET, True
    try:
        assoc = associated(running.port, [build_context(private, pki.EXPLICIT)])
        assert assoc.send_c_store(path).Status == 0
        assoc.release()
    finally:
        _config.STORE_SEND_CHUNKED_DATASET = before
    assert data_set(running.files()[uid(500)]) == data


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01" + bytes(200),
        b"\x01\x00" + struct.pack(">L", 0xFFFFFFFF) + bytes(100),  # a PDU of 4 GB
        b"\x04\x00" + struct.pack(">L", 1 << 30),  # data before there is an association
        b"\x01\x00" + struct.pack(">L", 68) + bytes(68),
        b"\x01\x00" + struct.pack(">L", 200) + b"\0\1" + b"\xff" * 198,
        b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00",
        b"\xff" * 1000,
        b"",
    ],
    ids=["http", "tls", "4 GB", "data", "no version", "items", "release", "unknown", "nothing"],
)
def test_garbage_ends_its_own_connection_only(running, garbage):
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as peer:
        peer.sendall(garbage)
        peer.shutdown(socket.SHUT_WR)
        while True:
            try:
                if not peer.recv(4096):
                    break
            except ConnectionError:
                break
    assert running.process.poll() is None
    assert client("echoscu", "127.0.0.1", running.port).returncode == 0
    until(lambda: json.loads(running.get("health")[1])["connections"] == 0)
    assert running.waiting("incoming") == []


@pytest.mark.parametrize("kind", ["data without a command", "an endless command", "no waiting"])
def test_what_no_scu_sends(running, kind):
    """What goes into memory is bounded, and so is what waits."""
    pdus = store(pki.encode(_gate.elements(900)), uid(900))
    head = b"\x04\0" + struct.pack(">L", 4 + 2 + 60_000) + struct.pack(">LB", 2 + 60_000, 1)
    sent = 0
    with Peer(running.port) as peer, pytest.raises(OSError):
        while sent < 64 << 20:
            if kind == "no waiting":
                peer.send(pdus)
                sent += sum(map(len, pdus))
            else:
                control = b"\0" if kind == "data without a command" else b"\1"
                peer.socket.sendall(head + control + bytes(60_000))
                sent += 60_000
    assert sent < 32 << 20
    until(lambda: json.loads(running.get("health")[1])["connections"] == 0)
    assert running.waiting("incoming") == []
    assert client("echoscu", "127.0.0.1", running.port).returncode == 0


def test_only_whom_it_knows_and_only_so_many(files, tmp_path):
    with gate(
        tmp_path / "store", "--trust", files / "ca.pem", "--allow-aet", "KNOWN", "--allow-aet",
        "SCU", "--only-called", "--max-associations", 2,
    ) as running:  # fmt: skip
        echo = ("echoscu", "-aec", "GATE", "127.0.0.1", running.port)
        assert client(*echo, "-aet", "KNOWN").returncode == 0
        assert client(*echo, "-aet", "OTHER").returncode != 0
        assert client(
            "echoscu", "-aet", "KNOWN", "-aec", "ELSE", "127.0.0.1", running.port
        ).returncode
        held = []

        def hold():  # an association that has ended counts until the gate has seen that
            one = associated(running.port, [build_context("1.2.840.10008.1.1")])
            held.extend([one] if one.is_established else [])
            return one.is_established

        until(hold)
        until(hold)
        third = client("echoscu", "-v", "-aet", "KNOWN", "-aec", "GATE", "127.0.0.1", running.port)
        assert third.returncode != 0
        assert "Local Limit Exceeded" in third.stdout + third.stderr
        for one in held:
            one.release()
        until(lambda: client(*echo, "-aet", "KNOWN").returncode == 0)


def test_a_peer_that_stalls_is_given_up(files, tmp_path):
    with gate(
        tmp_path / "store", "--trust", files / "ca.pem", "--timeout", 1, "--metrics-port", 0
    ) as running:
        begun = time.monotonic()
        peers = []
        for sent in (b"", b"\x01\x00", b"\x01\x00" + struct.pack(">L", 500) + bytes(100)):
            peer = socket.create_connection(("127.0.0.1", running.port), timeout=20)
            peer.sendall(sent)
            peers.append(peer)
        # one that goes on sending, a byte at a time, without ever coming to an end
        slow = socket.create_connection(("127.0.0.1", running.port), timeout=20)
        slow.sendall(b"\x01\x00" + struct.pack(">L", 500))
        gone = False
        while not gone and time.monotonic() < begun + 20:
            try:
                slow.sendall(b"\0")
                time.sleep(0.1)
            except ConnectionError:
                gone = True
        assert gone
        held = associated(
            running.port, [build_context("1.2.840.10008.1.1")]
        )  # established, and idle
        for peer in peers:
            try:
                while peer.recv(4096):
                    pass
            except ConnectionError:
                pass
            peer.close()
        slow.close()
        until(lambda: json.loads(running.get("health")[1])["connections"] == 0)
        assert time.monotonic() - begun < 15
        held.abort()


def association(*contexts):
    """A request for an association, of presentation contexts as they are given."""

    def item(kind, data):
        return struct.pack(">BxH", kind, len(data)) + data

    content = b"\0\1\0\0" + b"GATE".ljust(16) + b"RAW".ljust(16) + bytes(32)
    content += item(0x10, b"1.2.840.10008.3.1.1.1")
    for number, syntaxes in enumerate(contexts):
        names = b"".join(item(0x40, syntax.encode()) for syntax in syntaxes)
        head = bytes([2 * number + 1, 0, 0, 0]) + item(0x30, CT.encode())
        content += item(0x20, head + names)
    content += item(0x50, item(0x51, bytes(4)) + item(0x52, b"1.2.3"))
    return struct.pack(">BxL", 1, len(content)) + content


def answered(running, request):
    """The type of the PDU that comes back; None if the connection is closed without one."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as peer:
        try:
            peer.sendall(request)
            return (peer.recv(1) or b"\0")[0] or None
        except ConnectionError:
            return None


def test_a_request_for_an_association_is_bounded(running):
    """128 contexts may have 30 transfer syntaxes each; nobody has more to propose."""
    syntaxes = [f"1.2.840.10008.1.2.4.{n}" for n in range(100, 130)]
    assert answered(running, association(*[syntaxes] * 128)) == 2
    request = association(*[syntaxes * 2] * 128)
    assert len(request) > 1 << 17
    assert answered(running, request) is None
    assert client("echoscu", "127.0.0.1", running.port).returncode == 0


def test_of_thousands_of_transfer_syntaxes_some_are_looked_at(running, monkeypatch):
    """pynetdicom looks for each in the list of all; what has an explicit VR comes first."""
    from dicomseal.gate import scp

    built = []
    monkeypatch.setattr(scp, "build_context", lambda name, some: built.append((name, some)))
    proposed = [pki.IMPLICIT, pki.BIG, *(f"1.2.{n}" for n in range(5000))] * 2
    context = SimpleNamespace(abstract_syntax=CT, transfer_syntax=proposed)
    primitive = SimpleNamespace(presentation_context_definition_list=[context])
    assoc = SimpleNamespace(acceptor=SimpleNamespace(), requestor=SimpleNamespace())
    assoc.requestor.primitive = primitive
    scp._propose(SimpleNamespace(assoc=assoc))
    assert built == [(CT, [f"1.2.{n}" for n in range(256)])]
    assert answered(running, association([*proposed[2:5002]])) == 2


def test_the_meta_information_is_as_ps3_10_has_it():
    """Our reader doubts all that is not."""
    from dicomseal.files.file_meta import read

    for sop_class, instance, syntax in ((CT, uid(1), pki.EXPLICIT), (CT, "1.2.34", pki.JPEG)):
        meta = read(file_meta(sop_class, instance, syntax))
        assert (meta.doubt, meta.transfer_syntax) == ("", syntax)
        assert meta.sop_instance.rstrip(b"\0").decode() == instance

"""Command sets of C-STORE beside pynetdicom's own, and requests in unusual pieces."""

from __future__ import annotations

import io
import struct

import pki
import pytest
from _gate import CT, elements, file_of, uid
from _gate_process import gate, posix_only, until
from _raw_scu import Peer, data_set, store
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode

from dicomseal.errors import MalformedError
from dicomseal.gate.commands import Answer, StoreCommand, pdus


def element(number, value):
    return struct.pack("<HHL", 0, number, len(value)) + value


WHOLE = {
    0x0002: b"1.2\0",
    0x0100: b"\1\0",
    0x0110: b"\7\1",
    0x0700: b"\0\0",
    0x0800: b"\2\0",
    0x1000: b"1.2.3\0",
}


def command(**changed):
    """A request to store; an element whose value is None is left out."""
    found = WHOLE | {int(name[1:], 16): value for name, value in changed.items()}
    return b"".join(element(n, value) for n, value in sorted(found.items()) if value is not None)


def test_a_request_is_read_as_it_came():
    assert StoreCommand.read(command()) == StoreCommand(0x107, b"1.2\0", b"1.2.3\0")
    assert StoreCommand.read(command(x1000=b"", x0002=b"")) == StoreCommand(0x107, b"", b"")
    assert StoreCommand.read(command(x0100=b"\x30\0")) is None  # C-ECHO


def test_a_uid_that_came_without_its_padding_goes_back_with_it():
    """Values have even lengths (PS3.5 Section 6.2)."""
    bare = StoreCommand(1, b"1.2", b"1.2.3").response(Answer(0))
    assert bare == StoreCommand(1, b"1.2\0", b"1.2.3\0").response(Answer(0))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        command()[:-1],
        command()[:-9],
        command() + b"\0\0\0",
        command() + element(0x0110, b"\1\0"),
        b"\x08\0\x18\0\2\0\0\0ab" + command(),
        command(x0100=None),
        command(x0110=None),
        command(x0110=b"\1\0\0\0"),
        command(x0002=None),
        command(x1000=None),
        command(x0800=b"\1\1"),
        command(x1000=b"1." * 33),
    ],
    ids=[
        "nothing", "short value", "short element", "more", "twice", "another group", "no field",
        "no ID", "long ID", "no class", "no instance", "no data set",
        "long UID",
    ],
)  # fmt: skip
def test_what_is_none(data):
    with pytest.raises(MalformedError):
        StoreCommand.read(data)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(0),
        Answer(0xA900, "HASH_FAILURE: it was altered", (0xFFFAFFFA,)),
        Answer(0xC000, "odd", (0x00080018, 0x00080016)),
    ],
)
@pytest.mark.parametrize("longest", [0, 16384, 50, 7])
def test_a_response_is_the_one_that_pynetdicom_encodes(answer, longest):
    """But that pynetdicom pads UIDs itself."""
    response = StoreCommand(0x107, b"1.2\0", b"1.2.3\0").response(answer)
    theirs = C_STORE()
    theirs.MessageID = theirs.MessageIDBeingRespondedTo = 0x107
    theirs.AffectedSOPClassUID, theirs.AffectedSOPInstanceUID = "1.2", "1.2.3"
    theirs.Status = answer.status
    if answer.comment:
        theirs.ErrorComment = answer.comment
        theirs.OffendingElement = list(answer.offending)
    message = C_STORE_RSP()
    message.primitive_to_message(theirs)
    values = decode(io.BytesIO(response), True, True)
    assert values == decode(
        io.BytesIO(b"".join(one.presentation_data_value_list[0][1][1:]
                            for one in message.encode_msg(3, 16384))), True, True
    )  # fmt: skip
    assert values[0x00000000].value == len(response) - 12
    sent, whole = list(pdus(3, response, longest)), b""
    for number, pdu in enumerate(sent):
        kind, length, item, context, control = struct.unpack_from(">BxLLBB", pdu)
        assert (kind, length, item, context) == (4, len(pdu) - 6, len(pdu) - 10, 3)
        assert not longest or length <= longest
        assert control == (3 if number == len(sent) - 1 else 1)
        whole += pdu[12:]
    assert whole == response


# --- at the gate ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    if posix_only.args[0]:
        pytest.skip("the gate needs a POSIX system")
    folder = tmp_path_factory.mktemp("gate")
    with gate(folder / "store", "--integrity-only", "--no-sync", "--metrics-port", 0) as started:
        yield started


def item(control, data, context=1):
    return struct.pack(">LBB", len(data) + 2, context, control) + data


def pdu(*items):
    content = b"".join(items)
    return b"\4\0" + struct.pack(">L", len(content)) + content


def request_of(number, **changed):
    """The command set for a CT slice."""
    name = uid(number).encode()
    given = {"x0002": CT.encode() + b"\0" * (len(CT) % 2), "x1000": name + b"\0" * (len(name) % 2)}
    return command(**(given | changed))


def pieces_of(number, data):
    """The same request in PDUs of several kinds, each of which the standard allows."""
    head = request_of(number)
    half = len(data) // 2
    yield [pdu(item(3, head)), pdu(item(2, data))]
    yield [pdu(item(3, head), item(2, data))]
    yield [pdu(item(1, head[:9]), item(3, head[9:]), item(0, data[:half]), item(2, data[half:]))]
    yield [pdu(item(1, head[:1])), pdu(item(3, head[1:])), pdu(item(0, data)), pdu(item(2, b""))]
    yield [pdu(), pdu(item(3, head)), pdu(), *(pdu(item(0, data[n : n + 1])) for n in range(9)),
           pdu(item(0, b""), item(0, data[9:half])), pdu(item(2, data[half:]))]  # fmt: skip
    yield [pdu(item(0xFF, head)), pdu(item(0xFE, data))]  # only two bits count


@pytest.mark.parametrize("kind", range(6))
def test_requests_in_any_pieces(running, kind):
    data = pki.encode(elements(kind, 30_000))
    with Peer(running.port) as peer:
        sent = list(pieces_of(kind, data))[kind]
        assert peer.status(sent) == 0
        peer.socket.sendall(b"".join(sent)[:5])  # and again, cut anywhere
        peer.socket.sendall(b"".join(sent)[5:-3])
        peer.socket.sendall(b"".join(sent)[-3:])
        assert peer.answer().Status == 0
        peer.release()
    assert data_set(running.files()[uid(kind)]) == data


def test_whoever_does_not_wait_for_answers_is_given_up(running):
    """More than one request at a time was never negotiated (PS3.7 Annex D.3.3.3)."""
    data = pki.encode(elements(40, 1000))
    with Peer(running.port) as peer:
        peer.socket.sendall(b"".join(store(data, uid(40))) * 10)
        kinds = [peer.read()[0]]
        while kinds[-1] != 7:  # A-ABORT
            kinds.append(peer.read()[0])
    assert len(kinds) <= 4
    with Peer(running.port) as peer:  # and who waits may send as many
        for _ in range(10):
            assert peer.status(store(data, uid(40))) == 0
        peer.release()


BROKEN = {
    "an item that is longer than its PDU": lambda head, data: [
        pdu(item(3, head)), pdu(struct.pack(">LBB", len(data) + 3, 1, 2) + data)],
    "an item without a header": lambda head, data: [pdu(item(3, head)), pdu(b"\0\0\0\1\1")],
    "an item that is too short": lambda head, data: [
        pdu(item(3, head)), pdu(struct.pack(">LBB", 1, 1, 2))],
    "another context": lambda head, data: [pdu(item(3, head, 3)), pdu(item(2, data, 3))],
    "two contexts": lambda head, data: [pdu(item(3, head)), pdu(item(2, data, 3))],
    "a command set within a data set": lambda head, data: [
        pdu(item(3, head)), pdu(item(0, data), item(3, head), item(2, data))],
    "a data set within a command set": lambda head, data: [
        pdu(item(1, head)), pdu(item(2, data))],
    "no command set": lambda head, data: [pdu(item(2, data))],
    "a command set that is none": lambda head, data: [pdu(item(3, b"GET / HTTP/1.1"))],
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_not_a_request_ends_the_association(running, kind):
    data = pki.encode(elements(50, 30_000))
    with Peer(running.port) as peer:
        peer.send(BROKEN[kind](request_of(50), data))
        assert peer.read()[0] == 7  # A-ABORT
    until(lambda: running.waiting("incoming") == [])
    assert uid(50) not in running.files()
    assert uid(50) not in {line["sop_instance_uid"] for line in running.objects()}
    with Peer(running.port) as peer:
        assert peer.status(store(data_set(file_of("good", 60)), uid(60))) == 0
        peer.release()

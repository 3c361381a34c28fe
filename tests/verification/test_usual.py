"""The usual way says what the full way says; and what is not usual takes the full way.

Beside this, `_usual` compares the two wherever a test verifies anything.
"""

from __future__ import annotations

import os
import struct
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import _usual
import msgspec
import pki
import pytest
from _apart import MACS, SIGNATURES, Signed, sequence
from _tamper import index_of

from dicomseal import ALLOW_WEAK, TrustStore, sign_file, verify
from dicomseal.encoding.backend import Index
from dicomseal.encoding.limits import Limits
from dicomseal.errors import TrustError
from dicomseal.files.part10 import Part10
from dicomseal.files.reader import Reader
from dicomseal.signature import certificate
from dicomseal.signature.items import encode
from dicomseal.standard import terms
from dicomseal.verification import usual, verifier
from dicomseal.verification.options import Demands, Options
from dicomseal.verification.verifier import verify_groups, verify_with

JPEG = "1.2.840.10008.1.2.4.50"
AT = datetime.now(UTC)
STORE = TrustStore([pki.member("root").certificate])
OPTIONS = {
    "integrity": Options(integrity_only=True, at=AT),
    "trust": Options(trust=STORE, at=AT),
    "stranger": Options(trust=TrustStore([pki.member("other root").certificate]), at=AT),
    "no trust": Options(at=AT),
    "expired": Options(trust=STORE, at=AT + timedelta(days=36500)),
    "digests": Options(trust=STORE, at=AT, digests=True, content_digest=True),
    "weak": Options(integrity_only=True, at=AT, weak="reject"),
    "profile": Options(integrity_only=True, at=AT, require=frozenset(("creator",))),
    "timestamp": Options(integrity_only=True, at=AT, require=frozenset(("timestamp",))),
    "demands": Options(integrity_only=True, at=AT, demands=Demands((0x00100010,), True, True)),
    "no signature": Options(integrity_only=True, at=AT, limits=Limits(signatures=0)),
}


@pytest.fixture
def make(tmp_path):
    """Sign a small object; the bytes of the signed file."""

    def inner(who="rsa", form="explicit", data=None, **options):
        source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
        source.write_bytes(pki.small(form) if data is None else data)
        sign_file(source, target, *pki.member(who).pair, policy=ALLOW_WEAK, **options)
        return target.read_bytes()

    return inner


def gathered(data, **options):
    part10 = Part10.from_bytes(data)
    return usual.gather(part10, part10.index(), Options(**options))


def in_full(monkeypatch, data, options):
    with monkeypatch.context() as patch:
        patch.setattr(usual, "gather", lambda *_: None)
        return verify_with(data, options)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("mac", ["SHA256", "SHA1", "RIPEMD160"])
@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
def test_options(make, monkeypatch, backend, form, mac, name):
    data = make(form=form, mac=mac)
    options = OPTIONS[name]
    assert verify_with(data, options) == in_full(monkeypatch, data, options)


@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
def test_every_byte(make, monkeypatch, who):
    """Whichever byte is changed, of content, signature, parameters or lengths."""
    data = make(who)
    seen = set()
    for position in range(128, len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        one = verify_with(bytes(changed), OPTIONS["trust"])
        assert one == in_full(monkeypatch, bytes(changed), OPTIONS["trust"]), position
        seen.add(one.verdict)
    assert seen == {"passed", "failed", "error", "indeterminate"}


@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
def test_it_is_taken(make, backend, form):
    before = _usual.compared
    assert gathered(make(form=form)) is not None
    assert verify(make(form=form), integrity_only=True).verdict == "passed"
    assert _usual.compared > before


def unusual(make):
    """Objects that take the full way, by why."""
    plain = make()
    index, _ = index_of(plain)
    _, item = index.sole_signature()
    when = index.record(index.find(item, terms.DIGITAL_SIGNATURE_DATETIME))
    naive = plain[: when.end - 5] + b"     " + plain[when.end :]
    yield "unsigned", pki.small()
    yield "two signatures", make("ec", data=plain)
    yield "an item too", make("ec", data=plain, items=["BeamSequence[0]"])
    yield "an item alone", make(items=["BeamSequence[0]"])
    yield "a purpose", make(purpose=5)
    yield "not all signed", make(tags=["PatientName", "SOPInstanceUID"])
    yield "zeros behind", plain + b"\0" * 4
    yield "no offset from UTC", naive


def test_it_is_not_taken(make, monkeypatch):
    for why, data in unusual(make):
        assert gathered(data) is None, why
        for options in OPTIONS.values():
            assert verify_with(data, options) == in_full(monkeypatch, data, options), why


def test_demands_take_the_full_way(make):
    data = make()
    for name in ("demands", "no signature", "digests"):
        options = msgspec.structs.asdict(OPTIONS[name])
        assert gathered(data, **options) is None


def resigned(tmp_path, changed, who="rsa"):
    """A signed object whose items were changed and then signed anew, as no program of ours does.

    ``changed`` is called with the elements of the MAC Parameters and of the signature.
    """
    signed = Signed(tmp_path, _written(tmp_path, pki.small()))
    items = [_elements(signed.content(tag)) for tag in (MACS, SIGNATURES)]
    changed(*items)
    parameters, signature = items
    value = next(one for one in signature if one[0] == terms.SIGNATURE)
    place = signature.index(value)
    for again in (False, True):
        data = signed.rebuilt(
            t4ffe0001=sequence(MACS, encode(parameters)),
            tfffafffa=sequence(SIGNATURES, encode(signature)),
        )
        if again:
            return data
        index = Part10.from_bytes(data).index()
        hasher = sha256()
        tags = [tag for tag, *_ in pki.SMALL]
        index.stream(hasher.update, 0, tags)
        (item,) = index.children(index.find(0, SIGNATURES))
        index.stream(hasher.update, item, None, without=terms.NOT_IN_MAC)
        made = certificate.sign_mac(pki.member(who).key, hasher.digest(), "SHA256")
        signature[place] = (terms.SIGNATURE, "OB", made)
    raise AssertionError


def _written(tmp_path, data):
    path = tmp_path / "plain.dcm"
    path.write_bytes(data)
    return path


def _elements(content):
    """Elements as `encode` takes them."""
    index = Index(content)
    return [(index.record(n).tag, index.record(n).vr, index.value(n)) for n in index.children(0)]


def _mac_id(value):
    def changed(*items):
        for item in items:
            assert item[0][0] == terms.MAC_ID_NUMBER
            item[0] = (terms.MAC_ID_NUMBER, "US", value)

    return changed


def _timestamp_type(_, signature):
    signature.append((terms.CERTIFIED_TIMESTAMP_TYPE, "CS", b"FOO "))


ODD = {
    "as it was": lambda *_: None,
    "MAC ID empty": _mac_id(b""),
    "MAC ID of 4 bytes": _mac_id(b"\1\0\0\0"),
    "type of no timestamp": _timestamp_type,
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("odd", ODD)
def test_odd_and_validly_signed(tmp_path, monkeypatch, backend, odd, name):
    data = resigned(tmp_path, ODD[odd])
    made = verify_with(data, OPTIONS[name])
    assert made == in_full(monkeypatch, data, OPTIONS[name])
    if name == "integrity":
        good = odd in ("as it was", "type of no timestamp")
        assert made.verdict == ("passed" if good else "failed")
        assert bool(made.signatures[0].profiles) == (odd == "as it was")


def test_an_error_in_a_conclusion(make, tmp_path, monkeypatch):
    """It is a report, as everywhere, and the other files have theirs."""

    class Store(TrustStore):
        def judge(self, *_):
            raise TrustError("it is gone")

    path = _written(tmp_path, make())
    options = Options(trust=Store([pki.member("root").certificate]))
    expected = verify_with(os.fspath(path), options)
    assert (expected.verdict, expected.error.message) == ("error", "it is gone")
    assert list(verify_groups([os.fspath(path)] * 2, options)) == [expected] * 2


def test_what_is_malformed_is_told_by_the_full_way(tmp_path, monkeypatch):
    """A value that is too long, in MAC Parameters that are not even those of the signature."""

    def changed(parameters, _):
        parameters[0] = (terms.MAC_ID_NUMBER, "US", b"\5\0")
        place = [tag for tag, *_ in parameters].index(terms.MAC_CALCULATION_TRANSFER_SYNTAX_UID)
        parameters[place] = (parameters[place][0], "UT", bytes((1 << 20) + 2))

    data = resigned(tmp_path, changed)
    made = verify_with(data, OPTIONS["trust"])
    assert made == in_full(monkeypatch, data, OPTIONS["trust"])
    assert made.verdict == "failed"


def test_a_forged_value_costs_no_search_through_fragments(make, monkeypatch):
    def encapsulated(size):
        end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
        fragments = b"".join(
            struct.pack("<HHL", 0xFFFE, 0xE000, len(one)) + one for one in (b"", end[:4] * size)
        )
        head = struct.pack("<HH2s2xL", 0x7FE0, 0x10, b"OB", 0xFFFFFFFF)
        return pki.part10(encode(pki.SMALL[:-1]) + head + fragments + end, JPEG)

    data = make(data=encapsulated(1000))
    value = verify_with(data, OPTIONS["digests"])
    assert value.verdict == "passed"
    index, _ = index_of(data)
    _, item = index.sole_signature()
    record = index.record(index.find(item, terms.SIGNATURE))
    forged = data[: record.value] + b"\1" * 256 + data[record.end :]
    searched = []
    for module in ("verification.usual", "signature.scope"):
        monkeypatch.setattr(f"dicomseal.{module}.hidden", lambda *_: searched.append(1) or ())
    made = verify_with(forged, OPTIONS["trust"])
    assert (made.verdict, searched) == ("failed", [])


def test_groups(make, tmp_path, monkeypatch):
    """Many files of all kinds: the same reports in the same order, each file read once."""
    files = [make(), *(data for _, data in unusual(make)), make("ec"), b"", b"no DICOM", make()]
    altered = bytearray(make())
    altered[altered.index(b"Doe^")] ^= 1
    files += [bytes(altered), make("dsa")]
    paths, spoilt = [], []
    for number, data in enumerate(files * 3):
        path = tmp_path / f"{number:03}.dcm"
        path.write_bytes(data)
        if data is files[-2]:
            spoilt.append(os.fspath(path))
        paths.append(os.fspath(path))
    paths.insert(5, os.fspath(tmp_path / "nowhere.dcm"))
    assert len(paths) > verifier._GROUP
    opened = []
    whole = Reader.open
    monkeypatch.setattr(
        Reader, "open", lambda r, p, o, **n: opened.append(p) or whole(r, p, o, **n)
    )
    made = list(verify_groups(paths, OPTIONS["trust"]))
    twice = [path for path in paths if opened.count(path) == 2]
    assert [one.path for one in made] == paths
    assert set(opened) == set(paths)
    # only what looked usual and did not verify is looked at again
    assert twice == spoilt
    assert {one.verdict for one in made if one.path in twice} == {"failed"}
    assert made == [verify_with(path, OPTIONS["trust"]) for path in paths]


def test_a_file_that_changes_between(make, tmp_path, monkeypatch):
    """What is judged is what was read; a file that is looked at again is as it is then."""
    path = tmp_path / "one.dcm"
    path.write_bytes(make())
    gather = usual.gather

    def late(*arguments):
        made = gather(*arguments)
        path.write_bytes(pki.small())
        return made

    monkeypatch.setattr(usual, "gather", late)
    (made,) = verify_groups([os.fspath(path)], OPTIONS["trust"])
    assert made.verdict == "passed"
    (made,) = verify_groups([os.fspath(path)], OPTIONS["trust"])
    assert made.verdict == "unsigned"

"""What is said of a signature, whatever the options, the encoding, and whatever is odd about it.

And what that costs: an object that is as nearly all are pays for nothing that it does not have.
"""

from __future__ import annotations

import os
import struct
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pki
import pydicom
import pytest
from _apart import MACS, SIGNATURES, Signed, sequence
from _tamper import index_of
from tsa import Raw

from dicomseal import ALLOW_WEAK, TrustStore, profiles, sign_file
from dicomseal.encoding import _index_py
from dicomseal.encoding import backend as dispatch
from dicomseal.encoding.backend import Index
from dicomseal.encoding.limits import Limits
from dicomseal.errors import TrustError
from dicomseal.files.part10 import Part10
from dicomseal.files.reader import Reader
from dicomseal.signature import certificate, mac_parameters, material, scope
from dicomseal.signature.items import encode
from dicomseal.standard import terms
from dicomseal.verification import signature_report, time_limit, verifier
from dicomseal.verification.options import Demands, Options
from dicomseal.verification.verifier import verify_with

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


# what is said of an object that is signed in full, by option; a weak MAC is said beside it
VERDICTS = {
    "integrity": "passed",
    "trust": "passed",
    "stranger": "indeterminate",
    "no trust": "indeterminate",
    "expired": "indeterminate",
    "digests": "passed",
    "weak": "passed",
    "profile": "failed",
    "timestamp": "failed",
    "demands": "passed",
    "no signature": "error",
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("mac", ["SHA256", "SHA1", "RIPEMD160"])
@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
def test_options(make, backend, form, mac, name):
    data = make(form=form, mac=mac)
    report = verify_with(data, OPTIONS[name])
    expected = VERDICTS[name]
    if name == "weak" and mac != "SHA256":
        expected = "indeterminate"
    assert report.verdict == expected, report.sentence()
    if name == "no signature":
        assert report.error.code == "limit"
        return
    (signature,) = report.signatures
    assert (signature.integrity, signature.mac_algorithm) == ("intact", mac)
    assert signature.weak == (() if mac == "SHA256" else (f"MAC {mac}",))
    assert (signature.signed_elements, signature.unsigned_elements) == (len(pki.SMALL), 0)
    assert signature.profiles == ("base",)  # the object lacks UIDs that others demand
    assert (signature.digests is not None) == (name == "digests")


@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
def test_every_byte(make, monkeypatch, who):
    """Whichever byte is changed, of content, signature, parameters or lengths: a report."""
    data = make(who)
    content = verify_with(data, OPTIONS["digests"]).content_digest
    seen = set()
    for position in range(128, len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        report = verify_with(bytes(changed), OPTIONS["digests"])
        seen.add(report.verdict)
        if report.verdict == "passed":
            assert report.content_digest == content, position
        if position % 11 == 0:
            with monkeypatch.context() as patch:
                patch.setattr(dispatch, "Index", _index_py.Index)
                assert verify_with(bytes(changed), OPTIONS["digests"]) == report, position
    assert seen == {"passed", "failed", "error", "indeterminate"}


def unusual(make):
    """Objects that are not as nearly all are, by why, and what is said of them with trust."""
    plain = make()
    index, _ = index_of(plain)
    item = index.sole_signature().item
    when = index.record(index.find(item, terms.DIGITAL_SIGNATURE_DATETIME))
    naive = plain[: when.end - 5] + b"     " + plain[when.end :]
    yield "unsigned", "unsigned", pki.small()
    yield "two signatures", "passed", make("ec", data=plain)
    yield "an item too", "passed", make("ec", data=plain, items=["BeamSequence[0]"])
    yield "an item alone", "indeterminate", make(items=["BeamSequence[0]"])
    yield "a purpose", "passed", make(purpose=5)
    yield "not all signed", "passed", make(tags=["PatientName", "SOPInstanceUID"])
    yield "zeros behind", "passed", plain + b"\0" * 4
    yield "no offset from UTC", "failed", naive


def test_what_is_not_as_usual(make, backend):
    for why, verdict, data in unusual(make):
        report = verify_with(data, OPTIONS["trust"])
        assert report.verdict == verdict, (why, report.sentence())
        for options in OPTIONS.values():
            verify_with(data, options).to_json()


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
        mac_value = certificate.sign_mac(pki.member(who).key, hasher.digest(), "SHA256")
        signature[place] = (terms.SIGNATURE, "OB", mac_value)
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
def test_odd_and_validly_signed(tmp_path, backend, odd, name):
    report = verify_with(resigned(tmp_path, ODD[odd]), OPTIONS[name])
    good = odd in ("as it was", "type of no timestamp")
    if name == "no signature":
        assert report.error.code == "limit"
    elif not good:
        assert (report.verdict, report.signatures[0].integrity) == ("failed", "altered")
    elif name != "profile":
        assert report.verdict == VERDICTS[name]
    if name == "integrity":
        assert bool(report.signatures[0].profiles) == (odd == "as it was")


def test_an_error_of_the_trust_store(make, tmp_path):
    """It is a report, as everywhere, and the other files have theirs."""

    class Store(TrustStore):
        def judge(self, *_):
            raise TrustError("it is gone")

    path = _written(tmp_path, make())
    options = Options(trust=Store([pki.member("root").certificate]))
    expected = verify_with(os.fspath(path), options)
    assert (expected.verdict, expected.error.message) == ("error", "it is gone")
    assert verify_with(os.fspath(path), options) == expected


def test_mac_parameters_of_no_signature_are_not_read(tmp_path):
    """A value that is too long, in MAC Parameters that are not even those of the signature."""

    def changed(parameters, _):
        parameters[0] = (terms.MAC_ID_NUMBER, "US", b"\5\0")
        place = [tag for tag, *_ in parameters].index(terms.MAC_CALCULATION_TRANSFER_SYNTAX_UID)
        parameters[place] = (parameters[place][0], "UT", bytes((1 << 20) + 2))

    data = resigned(tmp_path, changed)
    report = verify_with(data, OPTIONS["trust"])
    assert report.verdict == "failed"
    assert "no MAC Parameters item" in report.signatures[0].integrity_reason.message


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
    item = index.sole_signature().item
    record = index.record(index.find(item, terms.SIGNATURE))
    forged = data[: record.value] + b"\1" * 256 + data[record.end :]
    searched = []
    monkeypatch.setattr(
        "dicomseal.ambiguity.hidden_elements.hidden", lambda *_: searched.append(1) or ()
    )
    assert verify_with(data, OPTIONS["trust"]).verdict == "passed"
    assert searched == [1]
    searched.clear()
    report = verify_with(forged, OPTIONS["trust"])
    assert (report.verdict, searched) == ("failed", [])


def counted(monkeypatch, holder, name):
    """The calls of a function from now on."""
    calls = []
    whole = getattr(holder, name)

    def count(*arguments, **options):
        calls.append(arguments)
        return whole(*arguments, **options)

    monkeypatch.setattr(holder, name, count)
    return calls


def test_each_file_is_read_once(make, tmp_path, monkeypatch):
    """Of all kinds, one that is altered too; and the same report comes from its bytes."""
    altered = bytearray(make())
    altered[altered.index(b"Doe^")] ^= 1
    odd = [data for _, _, data in unusual(make)]
    files = [make(), *odd, make("ec"), b"", b"no DICOM", bytes(altered), make("dsa")]
    opened = counted(monkeypatch, Reader, "open")
    for number, data in enumerate(files):
        path = os.fspath(tmp_path / f"{number:03}.dcm")
        with open(path, "wb") as file:
            file.write(data)
        report = verify_with(path, OPTIONS["trust"])
        assert report.path == path
        if data:
            again = verify_with(data, OPTIONS["trust"])
            assert (report.verdict, report.signatures) == (again.verdict, again.signatures)
    assert len(opened) == len(files)
    assert verify_with(os.fspath(tmp_path / "nowhere.dcm"), OPTIONS["trust"]).verdict == "error"


def test_a_file_that_changes_after_it_was_read(make, tmp_path, monkeypatch):
    """What is judged is what was read; a file that is looked at again is as it is then."""
    path = tmp_path / "one.dcm"
    path.write_bytes(make())
    whole = signature_report.by_scope

    def late(*arguments):
        result = whole(*arguments)
        path.write_bytes(pki.small())
        return result

    monkeypatch.setattr(signature_report, "by_scope", late)
    assert verify_with(os.fspath(path), OPTIONS["trust"]).verdict == "passed"
    assert verify_with(os.fspath(path), OPTIONS["trust"]).verdict == "unsigned"


# --- what it costs --------------------------------------------------------------------------------


MOST = ("base", "creator", "authorization")


@pytest.fixture
def image(test_files):
    """The bytes of an unsigned MR image."""
    with open(os.path.join(test_files, "MR_small.dcm"), "rb") as file:
        return file.read()


def test_what_follows_from_the_material_alone_is_found_once(make, image, monkeypatch):
    monkeypatch.setattr(material, "_known", {})
    satisfied = counted(monkeypatch, profiles, "satisfied")
    hashers = counted(monkeypatch, material, "new_hasher")
    first, second = make(data=image), make(data=image)
    assert first != second
    for data in (first, second, first):
        report = verify_with(data, OPTIONS["integrity"])
        assert report.signatures[0].profiles == MOST
    assert len(satisfied) == 1
    assert hashers == [("SHA256",)]


def test_profiles_are_not_those_of_another_signature(make, image, tmp_path, monkeypatch):
    """With the same material, one may have a purpose, and an element may be added or be gone."""
    monkeypatch.setattr(material, "_known", {})
    satisfied = counted(monkeypatch, profiles, "satisfied")
    plain = make(data=image)
    signed = Signed(tmp_path, _written(tmp_path, image))
    report = tmp_path / "report.dcm"
    report.write_bytes(plain)
    added = pydicom.dcmread(report)
    added.ContentCreatorName = "Somebody"
    added.save_as(report)
    purpose = make(data=image, purpose=1)
    found = [
        verify_with(data, OPTIONS["integrity"]).signatures[0]
        for data in (plain, report.read_bytes(), purpose, signed.data)
    ]
    assert [one.integrity for one in found] == ["intact"] * 4
    assert [one.profiles == MOST for one in found] == [True, False, True, True]
    assert found[1].unsigned_elements == 1
    assert len(satisfied) == 3  # the first, what was added to it, and the purpose


def test_only_the_mac_parameters_that_are_named_are_read(make, monkeypatch):
    data = make("ec", data=make())
    index, _ = index_of(data)
    named = counted(monkeypatch, scope, "material_for")
    assert verify_with(data, OPTIONS["trust"]).verdict == "passed"
    assert len(named) == len(mac_parameters.read_ids(index, 0))
    named.clear()
    assert verify_with(make(), OPTIONS["trust"]).verdict == "passed"
    assert len(named) == 1


def test_the_clock_runs_where_more_is_to_be_done(make, monkeypatch):
    """Not for what verifies as it stands; the other forms of what is altered may take long."""
    plain, two, unsigned = make(), make("ec", data=make()), pki.small()
    altered = bytearray(plain)
    altered[altered.index(b"Doe^")] ^= 1
    verify_with(plain, OPTIONS["trust"])  # the decision on its signer is known from now on
    verify_with(two, OPTIONS["trust"])
    timed = counted(monkeypatch, time_limit, "within")
    stamped = make(tsa=Raw(lambda _: b"0\3\2\1\1\0"))
    broken = bytearray(stamped)
    broken[broken.index(b"Doe^")] ^= 1
    some = (plain, 0), (bytes(altered), 1), (two, 1), (unsigned, 1), (stamped, 1)
    for data, count in some:
        timed.clear()
        verify_with(data, OPTIONS["trust"])
        assert len(timed) == count
    timed.clear()
    report = verify_with(bytes(broken), OPTIONS["trust"])
    assert (report.verdict, report.signatures[0].timestamp.integrity) == ("failed", "altered")
    of_the_object, *others = [arguments[2].__name__ for arguments in timed]
    assert of_the_object == "_verify", "one clock for the search and for the timestamp"
    assert others, "what is inside has no time of its own"


LARGE = [*pki.SMALL[:-1], (0x7FE00010, "OW", bytes((1 << 20) + 2))]


def _fragments():
    """Encapsulated Pixel Data of which every few bytes may be followed by an element."""
    step = struct.pack("<HHHH2sH", 0xFFFE, 0xE0DD, 0x7FE1, 0x1001, b"LO", 0)
    fragment = step * 6000 + b"junk"
    head = struct.pack("<HH2s2xL", 0x7FE0, 0x10, b"OB", 0xFFFFFFFF)
    items = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(one)) + one for one in (b"", fragment))
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    return pki.part10(encode(pki.SMALL[:-1]) + head + items + end, JPEG)


LONG = {
    "large": lambda: pki.small(elements=LARGE),
    "deflated": lambda: pki.part10(pki.body_of("deflated"), pki.LABELS["deflated"]),
}


@pytest.mark.parametrize("kind", LONG)
def test_the_clock_runs_for_whatever_may_take_long_to_look_at(make, monkeypatch, kind):
    """Its sole signature is intact; what follows takes its time all the same."""
    data = make(data=LONG[kind]())
    assert verify_with(data, OPTIONS["trust"]).verdict == "passed"
    monkeypatch.setattr(verifier.coverage, "measure", lambda *_: time.sleep(20))
    report = verify_with(data, Options(integrity_only=True, limits=Limits(seconds=1)))
    assert (report.verdict, report.error.code) == ("error", "limit")
    assert report.error.message.startswith("it was not verified within 1 seconds")


def test_the_clock_runs_for_the_search_in_fragments(make, monkeypatch):
    """It goes from step to step, also in a small object; most fragments need no search."""
    data = make(data=_fragments())
    assert verify_with(data, OPTIONS["trust"]).verdict == "passed"
    monkeypatch.setattr(
        "dicomseal.ambiguity.hidden_elements.hidden", lambda *_: time.sleep(20) or ()
    )
    report = verify_with(data, Options(integrity_only=True, limits=Limits(seconds=1)))
    assert (report.verdict, report.error.code) == ("error", "limit")
    assert report.error.message.startswith("it was not verified within 1 seconds")

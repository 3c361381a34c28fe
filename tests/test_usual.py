"""The usual way says what the full way says; and what is not usual takes the full way.

Beside this, `_usual` compares the two wherever a test verifies anything.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import _usual
import msgspec
import pki
import pytest
from _tamper import index_of

from dicomseal import ALLOW_WEAK, TrustStore, sign_file, terms, usual, verifier, verify
from dicomseal._record import Limits
from dicomseal.coverage import Demands
from dicomseal.part10 import Part10
from dicomseal.reader import Reader
from dicomseal.verifier import Options, verify_groups, verify_with

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
    assert seen == {"passed", "failed", "error", "indeterminate", "unsigned"}


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
    monkeypatch.setattr(Reader, "open", lambda r, p, o: opened.append(p) or whole(r, p, o))
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

"""`archive sign`: a worker reads some files, then signs all of them, then writes all of them."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pki
import pytest

from dicomseal import sign_file, verify
from dicomseal.archive.find.ahead import Reading
from dicomseal.archive.find.found import Found
from dicomseal.archive.run import batch_signer
from dicomseal.editing.remove import remove_file
from dicomseal.errors import SigningError
from dicomseal.signature.certificate import sign_mac
from dicomseal.signing.request import SigningOptions

NAMES = ("item.dcm", "unsigned.dcm", "a/foreign.dcm")


@pytest.fixture
def folder(archive_to_sign):
    return archive_to_sign / "archive"


@pytest.fixture
def worker(folder, monkeypatch):
    """Return a worker for a key; its ``steps`` are what it did, and with how many files."""

    def start(key=None, tsa=None, timeout=120):
        signer = pki.member("rsa")
        config = batch_signer.WorkerConfig(
            key=str(folder.parent / "rsa.key.pem") if key is None else key,
            certificate=signer.der, password=None, signing_options=SigningOptions(tsa=tsa),
            roots=(str(folder),), target=None, overwrite=False, countersign_broken=False,
            workers_lock="w", run="r", session="s", reading=Reading(ahead=0, timeout=timeout),
        )  # fmt: skip
        worker = batch_signer.Worker(config)
        worker.steps = []
        for step in ("_signed", "_stage"):
            inner = getattr(worker, step)

            def noted(*arguments, step=step, inner=inner):
                worker.steps.append(step)
                return inner(*arguments)

            monkeypatch.setattr(worker, step, noted)
        return worker

    return start


def sign_all(worker, folder, names=NAMES):
    rows = {}
    worker.sign_all([Found(str(folder / name), (folder / name).stat().st_size) for name in names],
                    rows)  # fmt: skip
    return [(rows[number].verdict, rows[number].reason) for number in range(len(names))]


ONE_BY_ONE = ["_signed", "_stage"] * 3


def test_each_has_its_own_content(folder, worker, tmp_path):
    before = [(folder / name).read_bytes() for name in NAMES]
    signing = worker()
    assert sign_all(signing, folder) == [("signed", "")] * 3
    assert signing.steps == ["_signed"] * 3 + ["_stage"] * 3
    for name, content in zip(NAMES, before, strict=True):
        assert verify(folder / name, integrity_only=True).verdict == "passed"
        uid = verify(folder / name).signatures[-1].uid
        remove_file(folder / name, tmp_path / "plain.dcm", uid=uid)
        assert (tmp_path / "plain.dcm").read_bytes() == content


def test_no_more_of_them_than_may_be_in_memory(folder, worker, monkeypatch):
    monkeypatch.setattr(batch_signer, "_TOGETHER_BYTES", 1)
    signing = worker()
    assert sign_all(signing, folder) == [("signed", "")] * 3
    assert signing.steps == ONE_BY_ONE


def test_no_more_of_them_than_there_are_buffers(folder, worker, monkeypatch):
    monkeypatch.setattr(batch_signer, "_TOGETHER", 2)
    signing = worker()
    assert sign_all(signing, folder) == [("signed", "")] * 3
    assert signing.steps == ["_signed", "_signed", "_stage", "_stage", "_signed", "_stage"]


def test_what_a_slow_key_has_signed_does_not_wait(folder, worker):
    token = SimpleNamespace(sign=lambda *mac: sign_mac(pki.key("rsa"), *mac))
    signing = worker(token)
    assert sign_all(signing, folder) == [("signed", "")] * 3
    assert signing.steps == ONE_BY_ONE


def test_one_that_cannot_be_signed_leaves_the_others(folder, worker, monkeypatch):
    signing = worker()
    inner = signing._signer.signed

    def refusing(part10, index):
        if part10.origin.path.endswith("unsigned.dcm"):
            raise SigningError("there is no element that can be signed")
        return inner(part10, index)

    monkeypatch.setattr(signing._signer, "signed", refusing)
    rows = sign_all(signing, folder, (*NAMES, "notes.txt"))
    assert [verdict for verdict, _ in rows] == ["signed", "refused", "signed", "not_dicom"]
    assert not verify(folder / "unsigned.dcm").signatures


def test_a_file_that_changes_while_others_are_signed(folder, worker, monkeypatch):
    """Its bytes were read before; it is read again, and nothing that was written is lost."""
    signing = worker()
    inner = signing._signer.signed
    changed = []

    def changing(part10, index):
        if not changed:  # the first is being signed, the second was read
            path = folder / "unsigned.dcm"
            changed.append(path.read_bytes().replace(b"Doe^John", b"Doe^Jane"))
            path.write_bytes(changed[0])
        return inner(part10, index)

    monkeypatch.setattr(signing._signer, "signed", changing)
    assert sign_all(signing, folder) == [("signed", "")] * 3
    assert b"Doe^Jane" in (folder / "unsigned.dcm").read_bytes()
    assert verify(folder / "unsigned.dcm", integrity_only=True).verdict == "passed"


def test_a_folder_that_hangs(folder, worker, monkeypatch):
    """A dead server hangs where a folder is looked through, too: an error of each file in it."""
    signing = worker(timeout=0.2)
    inner = signing._sweeper.sweep
    answers = threading.Event()

    def hanging(path):
        if path.endswith("a"):
            answers.wait(60)
        inner(path)

    monkeypatch.setattr(signing._targets, "_entered", hanging)
    before = (folder / "a/foreign.dcm").read_bytes()
    begun = time.monotonic()
    try:
        rows = sign_all(signing, folder, ("item.dcm", "a/foreign.dcm", "a/own.dcm", "unsigned.dcm"))
    finally:
        answers.set()
    assert time.monotonic() < begun + 30
    assert rows == [("signed", ""), ("error", "hung"), ("error", "hung"), ("signed", "")]
    assert (folder / "a/foreign.dcm").read_bytes() == before


def test_already_signed_ones_are_not_among_them(folder, worker):
    sign_file(folder / "item.dcm", folder / "item.dcm", *pki.member("rsa").pair)
    signing = worker()
    assert sign_all(signing, folder)[0] == ("already_signed", "")
    assert signing.steps == ["_signed"] * 2 + ["_stage"] * 2

"""Files of every kind, signed and changed, from three SCUs."""

from __future__ import annotations

import os
import re

import pki
import pytest
from _gate import trust_file
from _gate_process import client, gate, posix_only
from _raw_scu import data_set
from pydicom import dcmread
from pynetdicom import AE, _config, build_context

from dicomseal import sign_file

pytestmark = posix_only

# of pydicom's test files; each with DCMTK's option to propose its transfer syntax first
FILES = {
    "CT_small.dcm": "-xe",
    "MR_small_implicit.dcm": "-xi",
    "SC_rgb_jpeg_dcmtk.dcm": "-xy",  # JPEG Baseline
    "MR_small_jpeg_ls_lossless.dcm": "-xt",
    "MR_small_jp2klossless.dcm": "-xv",
    "MR_small_RLE.dcm": "-xr",
    "waveform_ecg.dcm": "-xe",
    "test-SR.dcm": "-xe",
    "image_dfl.dcm": "-xd",  # deflated
}


@pytest.fixture(scope="module")
def signed(tmp_path_factory, test_files):
    folder = tmp_path_factory.mktemp("signed")
    trust_file(folder)
    for name in FILES:
        sign_file(os.path.join(test_files, name), folder / name, *pki.member("rsa").pair)
    return folder


@pytest.fixture
def running(signed, tmp_path):
    with gate(
        tmp_path / "store", "--trust", signed / "ca.pem", "--require", "signature", "--no-sync"
    ) as started:
        yield started


def test_pynetdicom_sends_every_bit(signed, running, monkeypatch):
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    ae = AE("SCU")
    metas = {name: dcmread(signed / name, specific_tags=[]).file_meta for name in FILES}
    contexts = {(one.MediaStorageSOPClassUID, one.TransferSyntaxUID) for one in metas.values()}
    assoc = ae.associate(
        "127.0.0.1", running.port, [build_context(*one) for one in sorted(contexts)], "GATE"
    )
    assert [assoc.send_c_store(signed / name).get("Status") for name in FILES] == [0] * len(FILES)
    assoc.release()
    assert {line["verdict"] for line in running.objects()} == {"passed"}
    # three of them have one SOP Instance UID: each is there all the same
    stored = {data_set(file) for file in running.files().values()}
    assert stored == {data_set((signed / name).read_bytes()) for name in FILES}


def test_storescu(signed, running):
    target = ("-aec", "GATE", "127.0.0.1", running.port)
    for name, syntax in FILES.items():
        found = client("storescu", syntax, *target, signed / name)
        assert found.returncode == 0, (name, found.stderr, running.objects()[-1:])
    assert [line["verdict"] for line in running.objects()] == ["passed"] * len(FILES)


def test_dcmsend(signed, running):
    paths = [signed / name for name in FILES]
    assert (
        client("dcmsend", "--decompress-never", "127.0.0.1", running.port, *paths).returncode == 0
    )
    assert [line["verdict"] for line in running.objects()] == ["passed"] * len(FILES)


def test_each_one_changed(signed, running, tmp_path, monkeypatch):
    """One digit of the Study Instance UID, whatever the encoding."""
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    changed = []
    for name in FILES:
        data = (signed / name).read_bytes()
        meta = dcmread(signed / name, specific_tags=[]).file_meta
        if meta.TransferSyntaxUID.is_deflated:
            continue
        found = re.search(rb"\x20\0\x0d\0(?:UI.\0|.\0\0\0)[0-9.]+", data, re.DOTALL)
        assert found, name
        at = found.end() - 1
        digit = b"1" if data[at : at + 1] != b"1" else b"2"
        (tmp_path / name).write_bytes(data[:at] + digit + data[at + 1 :])
        changed.append((tmp_path / name, meta))
    assert len(changed) >= len(FILES) - 1
    ae = AE("SCU")
    contexts = {(one.MediaStorageSOPClassUID, one.TransferSyntaxUID) for _, one in changed}
    assoc = ae.associate(
        "127.0.0.1", running.port, [build_context(*one) for one in sorted(contexts)], "GATE"
    )
    answers = [assoc.send_c_store(path).get("Status") for path, _ in changed]
    assoc.release()
    assert answers == [0xA900] * len(changed)
    assert {line["reason"] for line in running.objects()} == {"HASH_FAILURE"}
    assert running.files() == {}


def test_a_file_whose_meta_information_names_another(running, test_files, monkeypatch):
    """pydicom's rtplan.dcm is one; pynetdicom announces what the meta information says."""
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    path = os.path.join(test_files, "rtplan.dcm")
    meta = dcmread(path, specific_tags=[]).file_meta
    context = build_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    assoc = AE("SCU").associate("127.0.0.1", running.port, [context], "GATE")
    answer = assoc.send_c_store(path)
    assoc.release()
    assert (answer.Status, answer.OffendingElement) == (0xA900, 0x00080018)

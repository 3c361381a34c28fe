"""docs/workflow.md: what it says of each way to write an object anew, with real programs."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage

import dicomseal
from dicomseal.cli.demo import make_pki

TEXT = (Path(__file__).parents[2] / "docs" / "workflow.md").read_text("utf-8")
TAG = b"\x10\x00\x20\x00LO"  # Patient ID


def said(beginning: str) -> str:
    """What the table says of a step that begins so."""
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| {beginning}")]
    return row


@pytest.fixture
def pair(tmp_path):
    return make_pki(str(tmp_path))


def signed(folder: Path, pair, padding: bytes = b"", name: str = "CT_small.dcm") -> Path:
    """A signed CT; with superfluous padding behind Patient ID, if that is asked for."""
    data = Path(get_testdata_file(name)).read_bytes()
    if padding:
        at = data.index(TAG) + len(TAG)
        size = int.from_bytes(data[at : at + 2], "little")
        value = data[at + 2 : at + 2 + size] + padding
        data = data[:at] + len(value).to_bytes(2, "little") + value + data[at + 2 + size :]
    target = folder / "signed.dcm"
    dicomseal.sign_file(data, target, *pair[:2])
    return target


def answer(path, pair) -> tuple[str, str | None]:
    report = dicomseal.verify(path, trust=dicomseal.TrustStore.from_files(pair[2]))
    (signature,) = report.signatures
    reason = signature.integrity_reason or (report.reasons[0] if report.reasons else None)
    return signature.integrity, reason and str(reason.code)


def tool(name: str, *arguments) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    subprocess.run([name, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("options", [["+te"], ["+tb"], ["+te", "-e"], ["+te", "+e"], ["+td"]])
def test_encodings(tmp_path, pair, options):
    tool("dcmconv", *options, signed(tmp_path, pair), tmp_path / "other.dcm")
    assert answer(tmp_path / "other.dcm", pair) == ("intact", None)
    assert "`intact`" in said("explicit and undefined lengths, little and big endian")


def test_implicit_vr(tmp_path, pair):
    tool("dcmconv", "+ti", signed(tmp_path, pair, name="MR_small.dcm"), tmp_path / "known.dcm")
    tool("dcmconv", "+ti", signed(tmp_path, pair, name="waveform_ecg.dcm"), tmp_path / "lost.dcm")
    assert answer(tmp_path / "known.dcm", pair)[0] == "intact"
    assert answer(tmp_path / "lost.dcm", pair) == ("unverifiable", "SIGNED_DATA_NOT_FOUND")
    assert "`SIGNED_DATA_NOT_FOUND`" in said("explicit to implicit VR, private elements")


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("the archive coerces Patient ID", lambda one: setattr(one, "PatientID", "X-1")),
        ("text is recoded", lambda one: setattr(one, "SpecificCharacterSet", "ISO_IR 144")),
        ("the object is de-identified", lambda one: one.remove_private_tags()),
        ("an element is added that says what", lambda one: setattr(one, "WindowCenter", "9")),
        ("an element is added that says nothing", lambda one: setattr(one, "RetrieveAETitle", "A")),
    ],
)
def test_changes_by_a_program(tmp_path, pair, step, change):
    name = "MR_small.dcm" if "added" in step or "coerces" in step else "CT_small.dcm"
    dataset = pydicom.dcmread(get_testdata_file(name))
    if "added" in step:
        dataset.pop("WindowCenter", None)
    dicomseal.sign(dataset, *pair[:2])
    change(dataset)
    dataset.save_as(tmp_path / "changed.dcm")
    integrity, code = answer(tmp_path / "changed.dcm", pair)
    row = said(step)
    if "de-identified" in step:
        assert integrity == "altered"
    else:
        assert f"`{code or integrity}`" in row, (integrity, code)


def test_compression(tmp_path, pair):
    source = tmp_path / "signed.dcm"
    dicomseal.sign_file(get_testdata_file("SC_rgb_small_odd_jpeg.dcm"), source, *pair[:2])
    tool("dcmdjpeg", source, tmp_path / "native.dcm")
    assert answer(tmp_path / "native.dcm", pair) == ("unverifiable", "SIGNED_DATA_NOT_FOUND")
    tool("dcmcrle", signed(tmp_path, pair), tmp_path / "rle.dcm")
    assert answer(tmp_path / "rle.dcm", pair) == ("unverifiable", "SIGNED_DATA_NOT_FOUND")
    assert "`SIGNED_DATA_NOT_FOUND`" in said("Pixel Data are compressed")


# --- DCMTK's network programs --------------------------------------------------------------------


class Receiver:
    """`storescp`, and what it stores."""

    def __init__(self, folder: Path, *options: str) -> None:
        if shutil.which("storescp") is None:
            pytest.skip("storescp is not installed")
        self.folder = folder
        folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = ["storescp", *options, "--output-directory", folder, str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def __enter__(self) -> Receiver:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError(self._process.stderr.read())

    def __exit__(self, *_) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._process.stderr.close()

    def stored(self) -> Path:
        (path,) = self.folder.iterdir()
        return path


def send_as_it_is(path: Path, port: int) -> None:
    """The bytes of a file, by a sender that does not touch them."""
    entity = AE()
    entity.add_requested_context(CTImageStorage, pydicom.uid.ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port)
    assert association.is_established
    assert association.send_c_store(path).Status == 0
    association.release()


@pytest.mark.parametrize(
    ("sender", "options", "padding", "expected"),
    [
        ("pynetdicom", ["--bit-preserving"], b"    ", "intact"),
        ("pynetdicom", [], b"    ", "altered"),
        ("storescu", ["--bit-preserving"], b"    ", "altered"),
        ("storescu", [], b"", "intact"),
        ("storescu", ["--bit-preserving"], b"", "intact"),
    ],
)
def test_superfluous_padding(tmp_path, pair, sender, options, padding, expected):
    """What storescp's option is good for, and what it is not."""
    source = signed(tmp_path, pair, padding)
    assert answer(source, pair)[0] == "intact"
    with Receiver(tmp_path / "incoming", *options) as receiver:
        if sender == "storescu":
            tool("storescu", "127.0.0.1", str(receiver.port), source)
        else:
            send_as_it_is(source, receiver.port)
    integrity, code = answer(receiver.stored(), pair)
    assert integrity == expected
    if expected == "altered":
        assert f"`{code}`" in said("superfluous padding of text is trimmed")


def test_the_commands_of_the_page():
    """DCMTK knows the options that the page names."""
    if shutil.which("storescp") is None:
        pytest.skip("storescp is not installed")
    named = re.findall(r"\b(storesc[pu]) ((?:--[\w-]+ ?)+)", TEXT)
    assert len(named) == 3
    for program, options in named:
        known = subprocess.run([program, "--help"], capture_output=True, text=True).stdout
        for option in options.split():
            assert option in known, (program, option)

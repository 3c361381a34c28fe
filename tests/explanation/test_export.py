"""What `--export` writes, checked by the real openssl, which knows nothing of DICOM."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from _altered import CT, changed, moved, signed
from _dcmtk import MACS
from pki import member

from dicomseal import ALLOW_WEAK, sign_file

DATA = Path(__file__).parents[1] / "data" / "dcmsign"


@pytest.fixture
def openssl():
    found = shutil.which("openssl")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("there is no openssl")
        pytest.skip("there is no openssl")
    return found


def check(folder, script="verify.sh"):
    """What a script says, started from elsewhere, with the files where they are."""
    done = subprocess.run(
        ["sh", folder / script], capture_output=True, text=True, cwd="/", timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def exported(run, tmp_path, data, *options):
    (tmp_path / "it.dcm").write_bytes(data)
    member("root").write(tmp_path)
    folder = tmp_path / "evidence"
    code, out, err = run(
        "explain", tmp_path / "it.dcm", "--trust", tmp_path / "root.cert.pem", "--export", folder,
        *options,
    )  # fmt: skip
    assert err == ""
    return code, folder, out


@pytest.mark.parametrize("mac", sorted(MACS))
@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
def test_openssl_agrees(openssl, run, tmp_path, who, mac):
    data = signed(CT, who, mac=mac, policy=ALLOW_WEAK)
    code, folder, out = exported(run, tmp_path, data, "--weak", "accept")
    assert code == 0
    code, said = check(folder)
    assert (code, "Verified OK" in said, "certificate.pem: OK" in said) == (0, True, True), said
    computed = (folder / "mac.bin").read_bytes().hex()
    assert computed in said.replace("\n", "")
    assert computed in "".join(out.split())
    # with RSA the MAC comes out of the signature, by openssl's own hands
    assert (computed.upper() in said) == (who == "rsa")


@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
@pytest.mark.parametrize("name", ["stream.bin", "signature.bin"])
def test_a_changed_bit_is_seen(openssl, run, tmp_path, who, name):
    _, folder, _ = exported(run, tmp_path, signed(CT, who))
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    code, said = check(folder)
    assert code != 0
    assert "Verified OK" not in said


@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
def test_openssl_rejects_what_was_altered(openssl, run, tmp_path, who):
    data = moved(signed(CT, who), changed({0x00100010: b"Doe^Jane"}))
    code, folder, _ = exported(run, tmp_path, data)
    assert code == 1
    code, said = check(folder)
    assert (code, "Verified OK" in said) == (1, False)


def test_every_form_of_a_file(openssl, run, tmp_path, signed_forms):
    """Implicit VR, big endian, deflated: the stream is the one that was signed."""
    for number, data in enumerate(signed_forms.values()):
        where = tmp_path / str(number)
        where.mkdir()
        _, folder, _ = exported(run, where, data)
        assert check(folder)[0] == 0


@pytest.mark.parametrize(
    "file", ["ob-implicit.dcm", "rtplan-item.dcm", "jpeg.dcm", "rtplan-deflated.dcm"]
)
def test_files_of_dcmsign(openssl, run, tmp_path, file):
    _, folder, _ = exported(run, tmp_path, (DATA / file).read_bytes())
    assert check(folder)[0] == 0


def test_the_old_form_is_exported_as_it_was_accepted(openssl, run, tmp_path):
    data = (DATA / "jpeg-legacy.dcm").read_bytes()
    _, folder, _ = exported(run, tmp_path, data, "--accept-legacy-format")
    assert check(folder)[0] == 0
    assert (folder / "stream.bin").read_bytes() == (DATA / "jpeg-legacy.stream").read_bytes()


def test_several_signatures(openssl, run, tmp_path):
    twice = io.BytesIO()
    sign_file(signed(CT), twice, *member("ec").pair)
    _, folder, _ = exported(run, tmp_path, twice.getvalue())
    assert sorted(os.listdir(folder)) == ["1", "2", "verify.sh"]
    code, said = check(folder)
    assert (code, said.count("Verified OK")) == (0, 2)
    (folder / "2" / "stream.bin").write_bytes(b"other")
    code, said = check(folder)
    assert (code, said.count("Verified OK")) == (1, 1)


def test_only_the_owner_can_read_it(run, tmp_path):
    _, folder, _ = exported(run, tmp_path, signed(CT))
    for path in (folder, *folder.iterdir()):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_nothing_is_replaced(run, tmp_path):
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "stream.bin").write_bytes(b"mine")
    (tmp_path / "it.dcm").write_bytes(signed(CT))
    code, _, err = run("explain", tmp_path / "it.dcm", "--export", tmp_path / "evidence")
    assert (code, "is not empty" in err) == (2, True)
    assert os.listdir(tmp_path / "evidence") == ["stream.bin"]


def test_a_hostile_uid_does_not_come_into_the_script(openssl, run, tmp_path):
    """It would be a command of the shell; so it is named in a comment only if it is a UID."""
    data = signed(CT, uid="2.25.123456789")
    assert data.count(b"2.25.123456789") == 1
    data = data.replace(b"2.25.123456789", b"1\n$(touch XY);")
    _, folder, _ = exported(run, tmp_path, data)
    assert "touch" not in (folder / "verify.sh").read_text()
    assert "Signature (no UID)" in (folder / "verify.sh").read_text()

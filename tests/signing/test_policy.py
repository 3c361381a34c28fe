"""What new signatures may be made with; old ones verify all the same."""

from __future__ import annotations

import pki
import pydicom
import pytest

from dicomseal import ALLOW_WEAK, SigningPolicy, sign, sign_file, verify
from dicomseal.errors import SigningError, UsageError
from dicomseal.signing.policy import STRONG
from dicomseal.standard import mac_algorithms

PAIR = pki.member("rsa").pair


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.dcm"
    path.write_bytes(pki.small())
    return path


@pytest.mark.parametrize("mac", sorted(mac_algorithms.WEAK_MAC_ALGORITHMS))
def test_weak_macs(source, tmp_path, mac):
    target = tmp_path / "out.dcm"
    dataset = pydicom.dcmread(source)
    for call in (lambda **o: sign_file(source, target, *PAIR, mac=mac, **o),
                 lambda **o: sign(dataset, *PAIR, mac=mac, **o)):  # fmt: skip
        with pytest.raises(SigningError, match=f"{mac} is too weak .* --allow-weak") as caught:
            call()
        assert caught.value.code == "weak"
        assert not target.exists()
        assert "DigitalSignaturesSequence" not in dataset
    sign_file(source, target, *PAIR, mac=mac, policy=ALLOW_WEAK)
    sign(dataset, *PAIR, mac=mac, policy=ALLOW_WEAK)
    for signed_object in (target, dataset):
        (signature,) = verify(signed_object, integrity_only=True).signatures
        assert (signature.integrity, signature.weak) == ("intact", (f"MAC {mac}",))


def test_weak_keys(source, tmp_path):
    pair = pki.member("weak").pair
    with pytest.raises(SigningError, match=r"RSA 1024, is too weak .* 2048 bits.* --allow-weak"):
        sign_file(source, tmp_path / "out.dcm", *pair)
    sign_file(source, tmp_path / "out.dcm", *pair, policy=ALLOW_WEAK)
    (signature,) = verify(tmp_path / "out.dcm", integrity_only=True).signatures
    assert (signature.integrity, signature.weak) == ("intact", ("key RSA 1024",))


@pytest.mark.parametrize("who", ["rsa", "ec", "dsa", "weak"])
@pytest.mark.parametrize("mac", mac_algorithms.MAC_ALGORITHMS)
def test_refused_is_what_reports_call_weak(source, tmp_path, who, mac):
    pair = pki.member(who).pair
    sign_file(source, tmp_path / "out.dcm", *pair, mac=mac, policy=ALLOW_WEAK)
    (signature,) = verify(tmp_path / "out.dcm", integrity_only=True).signatures
    if signature.weak:
        with pytest.raises(SigningError):
            sign_file(source, tmp_path / "out.dcm", *pair, mac=mac)
    else:
        sign_file(source, tmp_path / "out.dcm", *pair, mac=mac)


def test_local_rules(source, tmp_path):
    target = tmp_path / "out.dcm"
    local = SigningPolicy(macs=["SHA512"], rsa_bits=2048)
    sign_file(source, target, *PAIR, mac="SHA512", policy=local)
    with pytest.raises(SigningError, match=r"SHA256 is not one the policy allows: take SHA512$"):
        sign_file(source, target, *PAIR, policy=local)
    with pytest.raises(SigningError, match="allows no ECDSA secp256r1 key"):
        sign_file(source, target, *pki.member("ec").pair, mac="SHA512", policy=local)
    with pytest.raises(SigningError, match="RSA 2048, is too weak"):
        sign_file(source, target, *PAIR, policy=SigningPolicy(macs="SHA256", rsa_bits=3072))


@pytest.mark.parametrize("empty", [SigningPolicy(), SigningPolicy(macs=["SHA256"]),
                                   SigningPolicy(rsa_bits=2048)])  # fmt: skip
def test_an_empty_policy_allows_nothing(source, tmp_path, empty):
    with pytest.raises(SigningError, match="allow"):
        sign_file(source, tmp_path / "out.dcm", *PAIR, policy=empty)


def test_what_makes_no_sense(source, tmp_path):
    with pytest.raises(UsageError, match="not a MAC Algorithm: SHA3, sha256"):
        SigningPolicy(macs=["SHA3", "sha256"])
    for wrong in ("strong", 5, SigningPolicy, True):
        with pytest.raises(UsageError, match="takes a SigningPolicy"):
            sign_file(source, tmp_path / "out.dcm", *PAIR, policy=wrong)
    assert STRONG.macs == {"SHA256", "SHA384", "SHA512"}

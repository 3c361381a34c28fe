"""What is wrong with a Certified Timestamp: it is said, and the signature stays what it is."""

from __future__ import annotations

import pki
import pytest
import tsa
from _stamped import ANCHOR, broken, only, store
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from dicomseal import TrustStore, verify
from dicomseal.errors import TimestampError
from dicomseal.timestamps import token as certified_timestamp
from dicomseal.timestamps.protocol import accept
from dicomseal.timestamps.token_verification import verify_token


def test_wrong_root(authority, stamped):
    report = verify(stamped(authority("other root").token), trust=store(), require="timestamp")
    broken(report, "intact", "untrusted", "NO_CERTIFICATE_CHAIN_FOUND", "Test other root TSA")
    assert report.verdict == "indeterminate"


def test_the_anchors_of_signers_are_not_those_of_authorities(authority, stamped):
    path = stamped(authority().token)
    both = (*ANCHOR, tsa.certificate("tsa root"))
    report = verify(path, trust=store("other tsa root", anchors=both))
    broken(report, "intact", "untrusted", "NO_CERTIFICATE_CHAIN_FOUND", "trusted for timestamps")


def test_nobody_trusted_for_timestamps(authority, stamped):
    path = stamped(authority().token)
    report = verify(path, trust=TrustStore(ANCHOR), require="timestamp")
    stamp = only(report).timestamp
    assert (stamp.integrity, stamp.trust, stamp.reason) == ("intact", "not_checked", None)
    assert report.verdict == "indeterminate"
    assert only(report).messages == (
        "its Certified Timestamp does not count: nobody is trusted for timestamps",
    )
    assert verify(path, trust=TrustStore(ANCHOR)).verdict == "passed"


def test_an_intermediate_comes_with_the_token_or_from_the_store(authority, stamped):
    path = stamped(authority("below").token)
    assert only(verify(path, trust=store())).timestamp.counts
    path = stamped(authority("below", chain=False).token)
    report = verify(path, trust=store())
    broken(report, "intact", "untrusted", "NO_CERTIFICATE_CHAIN_FOUND", "Test below TSA")
    report = verify(path, trust=store(intermediates=["tsa intermediate"]))
    assert only(report).timestamp.counts


def test_a_root_in_the_token_is_no_anchor(authority, stamped):
    """`openssl ts` puts the root beside the certificate; that makes it no more trusted."""
    token = authority("other root").token(b"")
    inside = certified_timestamp.read(token).certificates
    assert tsa.der("other tsa root") in inside
    report = verify(stamped(authority("other root").token), trust=store())
    broken(report, "intact", "untrusted", "NO_CERTIFICATE_CHAIN_FOUND", "no chain")


def test_expired(authority, stamped):
    report = verify(stamped(authority("expired").token), trust=store())
    broken(report, "intact", "untrusted", "OUT_OF_BOUNDS_NO_POE", "")


def test_wrong_imprint(authority, stamped):
    report = verify(
        stamped(lambda value: authority().token(value + b"more")), trust=store(),
        require="timestamp",
    )  # fmt: skip
    broken(report, "altered", "not_checked", "HASH_FAILURE", "not of this signature")
    assert [reason.code for reason in report.reasons] == ["HASH_FAILURE", "NO_POE"]


def test_a_token_transplanted_from_another_signature(authority, stamped):
    tokens = []

    def first_one(value):
        tokens.append(authority().token(value))
        return tokens[0]

    assert only(verify(stamped(first_one), trust=store())).timestamp.counts
    report = verify(stamped(first_one), trust=store())
    broken(report, "altered", "not_checked", "HASH_FAILURE", "imprint is of other data")


def test_missing_certificate(authority, stamped):
    path = stamped(lambda value: authority().token(value, "-sha256"))
    report = verify(path, trust=store())
    broken(report, "unverifiable", "not_checked", "NO_SIGNING_CERTIFICATE_FOUND", "not in it")
    # given by hand it serves, and must still chain to an anchor
    assert only(verify(path, trust=store(intermediates=["rsa"]))).timestamp.counts
    report = verify(path, trust=store("other tsa root", intermediates=["rsa"]))
    broken(report, "intact", "untrusted", "NO_CERTIFICATE_CHAIN_FOUND", "Test rsa TSA")


@pytest.mark.parametrize("algorithm", ["md5", "sha1"])
def test_weak_imprint(authority, stamped, algorithm):
    path = stamped(lambda value: authority().token(value, f"-{algorithm}", "-cert"))
    report = verify(path, trust=store())
    broken(report, "intact", "untrusted", "CRYPTO_CONSTRAINTS_FAILURE", algorithm.upper())
    # even where weak things are accepted: nothing is proven by it
    report = verify(path, trust=store(), weak="accept")
    broken(report, "intact", "untrusted", "CRYPTO_CONSTRAINTS_FAILURE", algorithm.upper())


def test_a_weak_hash_that_is_also_wrong(authority, stamped):
    path = stamped(lambda value: authority().token(value + b"x", "-md5", "-cert"))
    broken(verify(path, trust=store()), "altered", "not_checked", "HASH_FAILURE", "imprint")


@pytest.mark.parametrize("name", ["no usage", "not critical", "two usages"])
def test_no_certificate_of_an_authority(stamped, name):
    path = stamped(lambda value: careless_token(name, value))
    report = verify(path, trust=store())
    broken(report, "intact", "untrusted", "CHAIN_CONSTRAINTS_FAILURE", "timestamp")


@pytest.mark.parametrize("name", ["no usage", "not critical", "two usages"])
def test_none_is_taken_from_such_an_authority(name):
    with pytest.raises(TimestampError, match=r"not taken: the certificate of CN=Test .* TSA"):
        accept(careless_token(name, b"value"), b"value")


def careless_token(name, value, change=lambda token: token):
    """A token by pyHanko's stamper for tests, which looks at nothing."""
    import asyncio
    import hashlib

    from asn1crypto import keys
    from asn1crypto import x509 as asn1
    from cryptography.hazmat.primitives import serialization as form
    from pyhanko.sign.timestamps import DummyTimeStamper

    pkcs8 = tsa.key(name).private_bytes(
        form.Encoding.DER, form.PrivateFormat.PKCS8, form.NoEncryption()
    )
    stamper = DummyTimeStamper(
        asn1.Certificate.load(tsa.der(name)), keys.PrivateKeyInfo.load(pkcs8)
    )
    token = asyncio.run(stamper.async_timestamp(hashlib.sha256(value).digest(), "sha256"))
    return token.dump()


@pytest.mark.parametrize("at", ["info", "signature", "certificate"])
def test_a_damaged_token(authority, stamped, at):
    def damage(value):
        token = authority().token(value)
        signed = cms.ContentInfo.load(token)["content"]
        place = {
            # one second of the time; a byte of the signature; a byte of the certificate's own
            "info": signed["encap_content_info"]["content"].parsed["gen_time"].contents[-3:],
            "signature": signed["signer_infos"][0]["signature"].contents[-9:],
            "certificate": tsa.der("rsa")[-9:],
        }[at]
        assert token.count(place) >= 1
        changed = bytes([place[0] ^ 1]) + place[1:]
        return changed.join(token.rsplit(place, 1))

    report = verify(stamped(damage), trust=store())
    stamp = only(report).timestamp
    assert stamp.integrity != "intact"
    assert stamp.reason.code in ("SIG_CRYPTO_FAILURE", "FORMAT_FAILURE",
                                 "NO_SIGNING_CERTIFICATE_FOUND")  # fmt: skip
    assert only(report).judged_by == "validation"
    assert report.verdict == ("failed" if stamp.integrity == "altered" else "passed")
    assert at == "certificate" or stamp.integrity == "altered"


@pytest.mark.parametrize(
    "token",
    [
        b"\x30\x00", b"\x30\x03\x02\x01\x00", b"no ASN.1 at all", b"\x30\x82\xff\xff\x00\x00",
        cms.ContentInfo({"content_type": "data", "content": b"x"}).dump(),
        cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData({
            "version": "v1", "digest_algorithms": [], "signer_infos": [],
            "encap_content_info": {"content_type": "data", "content": b"x"},
        })}).dump(),
    ],
)  # fmt: skip
def test_no_token(stamped, token):
    report = verify(stamped(lambda _: token), trust=store())
    broken(report, "altered", "not_checked", "FORMAT_FAILURE", "broken")


def test_every_cut_and_every_flipped_byte_of_a_token_is_reported(authority):
    """No token makes a verification raise, and none of these is taken."""
    value = bytes(range(256))
    token = authority("ec").token(value)
    assert verify_token(token, value).integrity == "intact"
    for length in range(0, len(token), 97):
        found = verify_token(token[:length], value)
        assert (found.integrity, found.reason.code) == ("altered", "FORMAT_FAILURE")
    # the certificates are not signed by the token; the authority's is bound by its hash
    start = token.index(tsa.der("ec"))
    for place in range(0, len(token), 13):
        flipped = bytearray(token)
        flipped[place] ^= 0xFF
        found = verify_token(bytes(flipped), value)
        if not start <= place < start + len(tsa.der("ec")) + len(tsa.der("tsa root")):
            assert found.integrity != "intact" or found.weak or place < 40, place


def test_unknown_type(authority, stamped):
    path = stamped(authority().token)
    with open(path, "r+b") as file:
        data = file.read().replace(b"CMS_TSP ", b"CMS_TSX ")
        file.seek(0)
        file.write(data)
    broken(verify(path, trust=store()), "unverifiable", "not_checked", "FORMAT_FAILURE", "CMS_TSX")


def test_two_certificates_of_one_name_and_number(authority, stamped):
    """The certificate that is judged must be the one that verified the token."""
    mine = rsa.generate_private_key(65537, 2048)
    real = tsa.certificate("rsa")
    twin = (
        x509.CertificateBuilder()
        .subject_name(real.subject)
        .issuer_name(real.issuer)
        .public_key(mine.public_key())
        .serial_number(real.serial_number)
        .not_valid_before(real.not_valid_before_utc)
        .not_valid_after(real.not_valid_after_utc)
        .sign(mine, real.signature_hash_algorithm)
    )
    from asn1crypto import x509 as asn1

    def both(first):
        def make(value):
            token = cms.ContentInfo.load(authority().token(value))
            ders = [tsa.der("rsa"), pki.Member("", None, twin).der][:: -1 if first else 1]
            token["content"]["certificates"] = [asn1.Certificate.load(der) for der in ders]
            return token.dump()

        return make

    for first in (False, True):
        stamp = only(verify(stamped(both(first)), trust=store())).timestamp
        assert not stamp.counts
        assert stamp.integrity == "altered"


def test_a_token_that_does_not_name_its_certificate(authority, stamped):
    """Without the ESS attribute (RFC 3161 2.4.1) nothing binds the certificate to the token."""

    def without(value):
        token = cms.ContentInfo.load(authority().token(value))
        info = token["content"]["signer_infos"][0]
        kept = [one for one in info["signed_attrs"] if "signing_cert" not in one["type"].native]
        assert len(kept) == len(info["signed_attrs"]) - 1
        info["signed_attrs"] = kept
        return token.dump()

    report = verify(stamped(without), trust=store())
    broken(report, "altered", "not_checked", "FORMAT_FAILURE", "which certificate signed it")

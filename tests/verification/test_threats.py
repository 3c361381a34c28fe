"""What an attacker can do to an object, and what is answered: the tests that SECURITY.md names.

Some of them end with ``passed``: they show what a signature cannot say.
"""

from __future__ import annotations

import copy
import hashlib
import io
import struct
from datetime import UTC, datetime, timedelta

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from dicomseal import ALLOW_WEAK, TrustStore, remove_file, sign_file, verify
from dicomseal.report import Reason
from dicomseal.signature import certificate
from dicomseal.signature.items import encode
from dicomseal.standard import mac_algorithms

MAC, SIGNATURE = "MACParametersSequence", "DigitalSignaturesSequence"
HASH, CRYPTO = "HASH_FAILURE", "SIG_CRYPTO_FAILURE"
NOBODY = [
    (0x00080018, "UI", b"2.25.99\0"),
    (0x00100010, "PN", b"Roe^Jane"),
    (0x00100020, "LO", b"9876"),
    (0x300A00B0, "SQ", [[(0x300A00C0, "IS", b"1 ")], [(0x300A00C0, "IS", b"2 ")]]),
]


@pytest.fixture
def sign(tmp_path):
    """Sign an object; the bytes of the signed file."""

    def inner(data=None, who="rsa", *, pair=None, **how):
        source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
        source.write_bytes(data or pki.small())
        sign_file(source, target, *(pair or pki.member(who).pair), policy=ALLOW_WEAK, **how)
        return target.read_bytes()

    return inner


@pytest.fixture(scope="module")
def root():
    return TrustStore([pki.member("root").certificate])


def edited(data, edit):
    """A file after something was done to its data set."""
    dataset = dcmread(io.BytesIO(data))
    edit(dataset)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def answer(report):
    """Verdict; integrity and its code, trust and its code, of the only signature."""
    (made,) = report.signatures
    codes = [
        reason.code if reason else None for reason in (made.integrity_reason, made.trust_reason)
    ]
    return report.verdict, made.integrity, codes[0], made.trust, codes[1]


GOOD = ("passed", "intact", None, "trusted", None)


def issue(subject, key, issuer="root", issuer_key=None):
    """A certificate for a key that may be somebody else's."""
    issuer_key = issuer_key or pki.key(issuer)
    builder = x509.CertificateBuilder(
        pki._name(issuer), pki._name(subject), key.public_key(), x509.random_serial_number(),
        pki.NOW - timedelta(days=1), pki.NOW + timedelta(days=1),
    )  # fmt: skip
    return builder.sign(issuer_key, hashes.SHA256())


# --- elements that no signature covers -----------------------------------------------------------


def test_unsigned_elements_may_change(sign, root):
    """Nothing but the count says so."""
    data = sign(tags=["PatientName"])
    assert answer(verify(data, trust=root)) == GOOD
    before = verify(data).signatures[0]

    def edit(d):
        d.PatientID = "FORGED"
        d.PatientComments = "added"
        del d.PixelData

    report = verify(edited(data, edit), trust=root)
    assert answer(report) == GOOD
    assert (before.signed_elements, before.unsigned_elements) == (1, 5)
    assert (report.signatures[0].signed_elements, report.signatures[0].unsigned_elements) == (1, 5)


def test_elements_added_to_a_fully_signed_object_are_counted(sign, root):
    data = sign()
    assert verify(data).signatures[0].unsigned_elements == 0
    report = verify(edited(data, lambda d: setattr(d, "PatientComments", "added")), trust=root)
    assert (answer(report), report.signatures[0].unsigned_elements) == (GOOD, 1)


def test_preamble_and_meta_information_are_not_signed(sign, root):
    data = sign()
    preamble = b"#!/bin/sh\n".ljust(128, b"#") + data[128:]
    assert answer(verify(preamble, trust=root)) == GOOD
    meta = encode([(0x00020016, "AE", b"FORGED")])
    start, length = data.index(b"\x08\x00\x16\x00UI"), data.index(b"\x02\0\0\0UL\4\0") + 8
    size = struct.pack("<L", int.from_bytes(data[length : length + 4], "little") + len(meta))
    longer = data[:length] + size + data[length + 4 : start] + meta + data[start:]
    assert answer(verify(longer, trust=root)) == GOOD
    assert verify(data[:start] + meta + data[start:], trust=root).verdict == "indeterminate"


# --- signatures removed --------------------------------------------------------------------------


def test_stripped_signatures_leave_an_unsigned_object(sign, root):
    def strip(d):
        delattr(d, MAC)
        delattr(d, SIGNATURE)
        d.PatientName = "Forged"

    stripped = edited(sign(), strip)
    assert verify(stripped, trust=root).verdict == "unsigned"
    report = verify(stripped, trust=root, require=["signature"])
    assert (report.verdict, report.reasons[0].code) == ("failed", "SIGNED_DATA_NOT_FOUND")


def test_an_emptied_sequence_is_an_unsigned_object(sign):
    """Unless MAC Parameters are left: of what they belong to nothing is known."""
    data = edited(sign(), lambda d: setattr(d, SIGNATURE, []))
    assert verify(data).verdict == "indeterminate"
    assert verify(data, require=["signature"]).verdict == "failed"
    data = edited(data, lambda d: delattr(d, MAC))
    assert verify(data).verdict == "unsigned"
    assert verify(data, require=["signature"]).verdict == "failed"


def test_one_of_two_signatures_stripped_leaves_no_trace(sign, root):
    data = sign(sign(tags=["PatientName"]), "rsa two")
    assert [s.integrity for s in verify(data, trust=root).signatures] == ["intact"] * 2
    report = verify(edited(data, lambda d: getattr(d, SIGNATURE).pop()), trust=root)
    assert answer(report) == GOOD
    assert report.signatures[0].unsigned_elements == 5  # all that is left to see


def test_signatures_moved_into_history_do_not_count(sign, root):
    """Original Attributes Sequence holds a former state: nothing in it is verified."""

    def edit(d):
        past = Dataset()
        setattr(past, MAC, getattr(d, MAC))
        setattr(past, SIGNATURE, getattr(d, SIGNATURE))
        delattr(d, MAC)
        delattr(d, SIGNATURE)
        former = Dataset()
        former.ModifiedAttributesSequence = Sequence([past])
        d.OriginalAttributesSequence = Sequence([former])
        d.PatientName = "Forged"

    data = edited(sign(), edit)
    assert verify(data, trust=root).verdict == "unsigned"
    assert verify(data, trust=root, require=["signature"]).verdict == "failed"


# --- signatures replayed and moved ---------------------------------------------------------------


def test_a_whole_object_replayed(sign, root, tmp_path):
    """An old object in the place of a new one: what it says of itself is all there is."""
    old = sign(when=datetime(2020, 1, 1, tzinfo=UTC))
    place = tmp_path / "todays-examination.dcm"
    place.write_bytes(old)
    report = verify(place, trust=root)
    assert answer(report) == GOOD
    assert report.sop_instance_uid == "2.25.1234"
    assert report.signatures[0].datetime.startswith("2020-01-01")


def transplant(signed, target):
    """The signatures of one object, in another."""
    source = dcmread(io.BytesIO(signed))

    def edit(d):
        setattr(d, MAC, copy.deepcopy(getattr(source, MAC)))
        setattr(d, SIGNATURE, copy.deepcopy(getattr(source, SIGNATURE)))

    return edited(target, edit)


def test_a_signature_transplanted_to_another_object(sign, root):
    report = verify(transplant(sign(), pki.small(elements=NOBODY)), trust=root)
    assert answer(report) == ("failed", "altered", HASH, "trusted", None)


def test_a_signature_over_little_fits_every_object_with_that_little(sign, root):
    """Over the name alone it says nothing of the object; the SOP Instance UID ties it to one."""
    target = [(0x00080018, "UI", b"2.25.99\0"), (0x00100010, "PN", b"Doe^John")]
    target += [(0x00104000, "LT", b"forged")]
    narrow = transplant(sign(tags=["PatientName"]), pki.small(elements=target))
    report = verify(narrow, trust=root)
    assert answer(report) == GOOD
    assert (report.signatures[0].signed_elements, report.signatures[0].unsigned_elements) == (1, 2)
    tied = transplant(sign(tags=["PatientName", "SOPInstanceUID"]), pki.small(elements=target))
    assert answer(verify(tied, trust=root))[:3] == ("failed", "altered", HASH)


def test_the_signature_of_an_item_in_another_item(sign, root):
    data = sign(items="BeamSequence[0]")

    def edit(d):
        for name in (MAC, SIGNATURE):
            setattr(d.BeamSequence[1], name, d.BeamSequence[0][name].value)
            delattr(d.BeamSequence[0], name)

    report = verify(edited(data, edit), trust=root)
    assert answer(report)[:3] == ("failed", "altered", HASH)
    assert report.signatures[0].location == "BeamSequence[1]"


def test_a_signed_item_in_another_object(sign, root):
    """An item's signature knows neither its object nor its place in the sequence."""
    item = dcmread(io.BytesIO(sign(items="BeamSequence[0]"))).BeamSequence[0]
    data = edited(pki.small(elements=NOBODY), lambda d: d.BeamSequence.append(item))
    report = verify(data, trust=root)
    assert answer(report) == ("indeterminate", *GOOD[1:])
    assert report.signatures[0].location == "BeamSequence[2]"
    said = "only items are signed: no signature protects the main data set"
    assert report.reasons == (Reason("UNSIGNED_CONTENT", said),)
    accepted = verify(data, trust=root, unsigned="accept")
    assert (answer(accepted), accepted.messages) == (GOOD, (said,))
    assert verify(data, trust=root, require=["signature"]).verdict == "failed"


# --- MAC Parameters, which no MAC protects -------------------------------------------------------


@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
@pytest.mark.parametrize("signed", ["SHA256", "SHA1", "RIPEMD160"])
@pytest.mark.parametrize("other", mac_algorithms.MAC_ALGORITHMS)
def test_another_mac_algorithm_named(sign, root, who, signed, other):
    data = sign(who=who, mac=signed)
    report = verify(
        edited(data, lambda d: setattr(getattr(d, MAC)[0], "MACAlgorithm", other)), trust=root
    )
    expected = GOOD if other == signed else ("failed", "altered", CRYPTO, "trusted", None)
    assert answer(report) == expected


def test_a_list_extended_by_absent_elements_covers_nothing_more(sign, root):
    data = sign(tags=["PatientName"])

    def extend(d):
        mac = getattr(d, MAC)[0]
        mac.DataElementsSigned = [mac.DataElementsSigned, 0x00104000]

    longer = edited(data, extend)
    report = verify(longer, trust=root)
    assert (answer(report), report.signatures[0].signed_elements) == (GOOD, 1)
    added = edited(longer, lambda d: setattr(d, "PatientComments", "forged"))
    assert answer(verify(added, trust=root))[:3] == ("failed", "altered", HASH)


def test_mac_parameters_taken_away(sign, root):
    report = verify(edited(sign(), lambda d: delattr(d, MAC)), trust=root)
    assert answer(report)[:3] == ("failed", "altered", "FORMAT_FAILURE")


# --- weak algorithms -----------------------------------------------------------------------------


@pytest.mark.parametrize("mac", ["MD5", "SHA1", "RIPEMD160"])
def test_a_weak_mac_passes_and_is_named(sign, root, mac):
    report = verify(sign(mac=mac), trust=root)
    assert answer(report) == GOOD
    assert report.signatures[0].weak == (f"MAC {mac}",)


@pytest.mark.parametrize(("name", "last"), [("SHA1", b"\x05"), ("MD5", b"\x04")])
def test_a_certificate_that_was_signed_with_a_weak_hash(sign, root, name, last):
    """Forged certificates have been made by collisions of both."""
    rsa_oid = bytes.fromhex("2a864886f70d0101")
    der = pki.member("rsa").der.replace(rsa_oid + b"\x0b", rsa_oid + last)
    body = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    digest = hashlib.new(name, body).digest()
    der = der[:-256] + certificate.sign_mac(pki.key("root"), digest, name)
    data = edited(sign(), lambda d: setattr(getattr(d, SIGNATURE)[0], "CertificateOfSigner", der))
    assert answer(verify(data, trust=root)) == (
        "indeterminate", "intact", None, "untrusted", "CRYPTO_CONSTRAINTS_FAILURE",
    )  # fmt: skip


def test_an_rsa_signature_forged_for_the_exponent_3(sign, root):
    """A cube whose first bytes look right: a lax reader ignores what follows the digest."""
    key = rsa.generate_private_key(3, 2048)
    pair = key, issue("exponent 3", key)
    data = sign(pair=pair)
    assert answer(verify(data, trust=root)) == GOOD
    digest = hashlib.sha256(b"any MAC will do").digest()
    start = b"\0\1" + b"\xff" * 8 + b"\0" + mac_algorithms.DIGEST_INFO["SHA256"] + digest
    target = int.from_bytes(start.ljust(256, b"\0"), "big")
    low, high = 0, 1 << 700
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < target else (low, middle)
    assert (low**3).to_bytes(256, "big").startswith(start)
    forged = low.to_bytes(256, "big")
    assert not certificate.verify_mac(key.public_key(), digest, "SHA256", forged)
    report = verify(edited(data, lambda d: setattr(getattr(d, SIGNATURE)[0], "Signature", forged)))
    assert answer(report)[:3] == ("failed", "altered", CRYPTO)


# --- keys and certificates -----------------------------------------------------------------------


def test_the_attackers_own_certificate(sign, root):
    """Made up by the attacker, with the names of the real ones."""
    own = rsa.generate_private_key(65537, 2048)
    real = pki.member("rsa").certificate
    made_up = issue("rsa", own, "root", own)
    assert (made_up.subject, made_up.issuer) == (real.subject, real.issuer)
    forged = sign(pki.small(elements=NOBODY), pair=(own, made_up))
    assert answer(verify(forged, trust=root)) == (
        "indeterminate", "intact", None, "untrusted", "CERTIFICATE_CHAIN_GENERAL_FAILURE",
    )  # fmt: skip
    assert answer(verify(forged)) == ("indeterminate", "intact", None, "not_checked", None)
    assert verify(forged, integrity_only=True).verdict == "passed"


def test_a_self_signed_certificate(sign, root):
    own = rsa.generate_private_key(65537, 2048)
    forged = sign(pair=(own, issue("nobody", own, "nobody", own)))
    *said, code = answer(verify(forged, trust=root))
    assert said == ["indeterminate", "intact", None, "untrusted"]
    assert code == "NO_CERTIFICATE_CHAIN_FOUND"


def test_another_trusted_signer_signs_the_forgery(sign, root, tmp_path):
    """Whoever has a key under the anchor can; the report names who did."""
    path = tmp_path / "signed.dcm"
    path.write_bytes(sign())
    remove_file(path, path)
    plain = path.read_bytes().replace(b"Doe^John", b"Roe^Jane")
    report = verify(sign(plain, "rsa two"), trust=root)
    assert answer(report) == GOOD
    assert report.signatures[0].signer.subject == "CN=Test rsa two"


def test_another_certificate_for_the_same_key(sign, root):
    """Certificate of Signer is in no MAC: the name in it is as good as the authority behind it."""
    key = pki.key("rsa")

    def exchanged(certificate):
        der = certificate.public_bytes(serialization.Encoding.DER)
        return edited(
            sign(), lambda d: setattr(getattr(d, SIGNATURE)[0], "CertificateOfSigner", der)
        )

    report = verify(exchanged(issue("somebody else", key)), trust=root)
    assert answer(report) == GOOD
    assert report.signatures[0].signer.subject == "CN=Test somebody else"
    own = rsa.generate_private_key(65537, 2048)
    report = verify(exchanged(issue("somebody else", key, "nobody", own)), trust=root)
    assert answer(report)[1:4] == ("intact", None, "untrusted")


def test_a_signature_that_does_not_fit_makes_an_object_fail(sign, root):
    """Anyone who can write can do that: it hinders, and forges nothing."""
    stranger = transplant(sign(), pki.small(elements=NOBODY))
    report = verify(sign(stranger, "rsa two"), trust=root)
    assert report.verdict == "failed"
    assert [s.integrity for s in report.signatures] == ["altered", "intact"]


# --- claims --------------------------------------------------------------------------------------


def test_the_time_is_the_signers_claim(sign, root):
    """An expired key can still sign, and say it was then; only the caller chooses the moment."""
    then = datetime.now(UTC) - timedelta(days=15)
    report = verify(sign(who="expired", when=then), trust=root)
    assert answer(report) == ("indeterminate", "intact", None, "untrusted", "OUT_OF_BOUNDS_NO_POE")
    assert report.signatures[0].datetime == then.isoformat()
    assert answer(verify(sign(who="expired", when=then), trust=root, at=then)) == GOOD


def test_the_time_cannot_be_changed_by_others(sign, root):
    def edit(d):
        getattr(d, SIGNATURE)[0].DigitalSignatureDateTime = "20200101000000.000000+0000"

    assert answer(verify(edited(sign(), edit), trust=root))[:3] == ("failed", "altered", HASH)


def test_a_purpose_added_by_others(sign, root):
    def edit(d):
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator = "5", "ASTM-sigpurpose"
        code.CodeMeaning = "Verification Signature"
        getattr(d, SIGNATURE)[0].DigitalSignaturePurposeCodeSequence = Sequence([code])

    report = verify(edited(sign(), edit), trust=root)
    assert answer(report)[:3] == ("failed", "altered", HASH)


def test_a_timestamp_is_outside_the_mac(sign, root):
    """Anyone can add or remove one; what is in it must speak for itself, and no token does not."""

    def edit(d):
        made = getattr(d, SIGNATURE)[0]
        made.CertifiedTimestampType, made.CertifiedTimestamp = "CMS_TSP", b"0\2\5\0"

    report = verify(edited(sign(), edit), trust=root)
    assert answer(report) == ("failed", *GOOD[1:])
    assert [reason.code for reason in report.reasons] == ["FORMAT_FAILURE"]


# --- bytes that decoders read otherwise ----------------------------------------------------------


def test_fragments_may_be_merged(sign, root):
    """The lengths of fragments are not hashed, so two can be made one with the same bytes."""

    def pixels(*fragments):
        out = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
        for one in fragments:
            out += b"\xfe\xff\x00\xe0" + struct.pack("<L", len(one)) + one
        return out + b"\xfe\xff\xdd\xe0\0\0\0\0"

    name = encode([(0x00100010, "PN", b"Doe^John")])
    two = pixels(b"", b"\1\2\3\4", b"\5\6\7\x08")
    one = pixels(b"", b"\1\2\3\4" + b"\xfe\xff\x00\xe0" + b"\5\6\7\x08")
    data = sign(pki.part10(name + two, pki.JPEG))
    assert data.count(two) == 1
    assert answer(verify(data.replace(two, one), trust=root)) == GOOD
    other = two.replace(b"\5\6", b"\6\6")
    assert answer(verify(data.replace(two, other), trust=root))[:3] == ("failed", "altered", HASH)

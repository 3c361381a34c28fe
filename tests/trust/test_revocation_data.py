"""CRLs, OCSP responses and timestamps by authorities whose certificates are odd.

And who is revoked for a reason that nobody knows.
"""

from __future__ import annotations

import pki
import pytest
import trust_pki
from _chains import Member, make, tlv
from _odd import (
    BEYOND_OPENSSL,
    DAY,
    NAMES,
    STAMP,
    armored,
    name_of,
    named,
    odd_tsa,
    unlocked,
)
from asn1crypto import core, pem
from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import parser as asn1_parser
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from tsa import openssl

from dicomseal import TrustStore
from dicomseal.errors import TrustError
from dicomseal.signature import certificate
from dicomseal.timestamps import token_report
from dicomseal.trust import loading
from dicomseal.trust.decision import TIME_STAMPING


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("kind", NAMES)
def test_the_name_of_who_signs_a_crl(tmp_path, kind, listed):
    data, _ = NAMES[kind]
    anchor = make("root", change=lambda tbs: named(tbs, data, data))
    leaf = make("leaf", anchor, ca=False, change=lambda tbs: named(tbs, issuer=data))
    der = crl_by(anchor, data, leaf if listed else None)
    for name, content in (("crl.der", der), ("crl.pem", pem.armor("X509 CRL", der))):
        (tmp_path / name).write_bytes(content)
        (found,) = loading.load_crls(tmp_path / name)
        assert found == der
        store = TrustStore([certificate.parse(anchor.der)], crls=[found])
        decision = store.judge(leaf.der)
        assert decision.revocation == ("revoked" if listed else "good")


def crl_by(
    issuer: Member, data: bytes, listed: Member | None, reason: bytes = b"\1", damaged: bool = False
) -> bytes:
    """A CRL whose issuer's name is made of any bytes, and any reason code."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.name)
    builder = builder.last_update(pki.NOW - pki.timedelta(0.5))
    builder = builder.next_update(pki.NOW + pki.timedelta(2))
    if listed is not None:
        number = asn1.Certificate.load(listed.der).serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(number)
        entry = entry.revocation_date(pki.NOW - pki.timedelta(1))
        entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), False)
        invalid = x509.InvalidityDate(pki.NOW - pki.timedelta(3))
        builder = builder.add_revoked_certificate(entry.add_extension(invalid, False).build())
    plain = builder.sign(issuer.key, hashes.SHA256()).public_bytes(pki.serialization.Encoding.DER)
    revocations = asn1_crl.CertificateList.load(plain)
    tbs = revocations["tbs_cert_list"]
    if data:
        tbs["issuer"] = name_of(data)
    signed = tbs.dump().replace(b"\x0a\x01\x01", b"\x0a\x01" + reason)
    value = issuer.key.sign(signed, ec.ECDSA(hashes.SHA256()))
    if damaged:
        signed = signed.replace(b"\x0a\x01" + reason, b"\x0a\x01\x01")
    algorithm = revocations["signature_algorithm"].dump()
    return tlv(0x30, signed + algorithm + core.BitString.load(tlv(3, b"\0" + value)).dump())


# --- revocation ----------------------------------------------------------------------------------


def resigned(issuer: Member, der: bytes, old: bytes, new: bytes) -> bytes:
    """A CRL by the same authority with other bytes in it, of any length."""
    revocations = asn1_crl.CertificateList.load(der)
    signed = replaced(revocations["tbs_cert_list"].dump(), old, new)
    value = issuer.key.sign(signed, ec.ECDSA(hashes.SHA256()))
    algorithm = revocations["signature_algorithm"].dump()
    return tlv(0x30, signed + algorithm + core.BitString.load(tlv(3, b"\0" + value)).dump())


def replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    """With the lengths of all that is around it."""
    if data == old:
        return new
    header, content, _ = parsed(data)
    if not header & 0x20:
        return data
    inside = b""
    while content:
        _, _, size = parsed(content)
        inside, content = inside + replaced(content[:size], old, new), content[size:]
    return tlv(header, inside)


def parsed(data: bytes) -> tuple[int, bytes, int]:
    _, _, _, head, content, tail = asn1_parser.parse(data[: asn1_parser.peek(data)])
    return head[0], content, len(head) + len(content) + len(tail)


REASON, INVALIDITY, NUMBER = (
    core.ObjectIdentifier(number).dump() for number in ("2.5.29.21", "2.5.29.24", "2.5.29.20")
)
UNREADABLE = {
    "two bytes": (REASON, b"\x0a\x02\x00\xff"),
    "negative": (REASON, b"\x0a\x01\xff"),
    "an integer": (REASON, b"\x02\x01\x01"),
    "no content": (REASON, b"\x0a\x00"),
    "no value": (REASON, b""),
    "no DER": (REASON, b"\xff\xff"),
    "no date": (INVALIDITY, b"\x18\x03abc"),
    "no type": (INVALIDITY, b"\x01"),
    "no number": (NUMBER, b"\x01"),
}


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_decides_nothing_in_a_crl_need_not_be_readable(kind, listed):
    """Who is listed is revoked (RFC 5280 Section 5.3), and the others are not."""
    anchor = make("root")
    leaf, other = (make(name, anchor, ca=False) for name in ("leaf", "other"))
    oid, value = UNREADABLE[kind]
    plain = crl_by(anchor, b"", leaf if listed else other)
    revocations = asn1_crl.CertificateList.load(plain)["tbs_cert_list"]
    if oid == NUMBER:
        extensions = tlv(0xA0, tlv(0x30, tlv(0x30, oid + tlv(4, value))))
        entries = revocations["revoked_certificates"].dump()
        # the extensions of a CRL stand behind its entries, and no others are in this one
        der = resigned(anchor, plain, entries, entries + extensions)
    else:
        (entry,) = revocations["revoked_certificates"]
        old = next(
            one.dump() for one in entry["crl_entry_extensions"] if one["extn_id"].dump() == oid
        )
        der = resigned(anchor, plain, old, tlv(0x30, oid + tlv(4, value)))
    assert der != plain
    store = TrustStore([certificate.parse(anchor.der)], crls=[der])
    judged = store.judge(leaf.der)
    assert judged.revocation == ("revoked" if listed else "good"), judged
    assert judged.trust == ("untrusted" if listed else "trusted")


@pytest.mark.parametrize("reason", [1, 7, 11, 99, 127])
@pytest.mark.parametrize("odd", [False, True])
def test_who_is_listed_for_a_reason_that_nobody_knows_is_revoked(reason, odd):
    data = NAMES["Latin-1 in a T61String"][0] if odd else b""
    anchor = make("root", change=lambda tbs: named(tbs, data, data))
    leaf = make("leaf", anchor, ca=False, change=lambda tbs: named(tbs, issuer=data))
    der = crl_by(anchor, data, leaf, bytes([reason]))
    store = TrustStore([certificate.parse(anchor.der)], crls=[der])
    decision = store.judge(leaf.der)
    assert (decision.revocation, decision.reason.code) == ("revoked", "REVOKED_NO_POE")
    assert "CN=leaf was revoked at " in decision.reason.message
    # its invalidity date counts as well: three days ago
    before = store.judge(leaf.der, pki.NOW - pki.timedelta(2))
    assert (before.revocation, "not to be relied on since" in before.reason.message) == (
        "revoked", True)  # fmt: skip
    # and nobody else may change it
    forged = crl_by(anchor, data, leaf, bytes([reason]), damaged=True)
    if reason != 1:
        decision = TrustStore([certificate.parse(anchor.der)], crls=[forged]).judge(leaf.der)
        assert (decision.revocation, decision.reason.code) == ("unknown", "TRY_LATER")


def test_a_timestamp_authority_listed_for_a_reason_that_nobody_knows_loses_all_timestamps():
    """RFC 3161 Section 4: only some known reasons spare what was stamped before."""
    root = make("tsa root")
    leaf = make("tsa", root, STAMP, ca=False)
    for reason, trust in ((1, "untrusted"), (4, "trusted"), (99, "untrusted")):
        der = crl_by(root, b"", leaf, bytes([reason]))
        store = TrustStore([make("root").certificate], tsa=[root.certificate], crls=[der])
        before = pki.NOW - pki.timedelta(5)
        assert store.judge(leaf.der, before, purpose=TIME_STAMPING).trust == trust


def test_an_odd_crl_of_two_signature_algorithms_is_none(tmp_path):
    """RFC 5280 Section 5.1.1.2; cryptography refuses those that it reads."""
    data, _ = NAMES["& in a PrintableString"]
    anchor = make("root", change=lambda tbs: named(tbs, data, data))
    der = crl_by(anchor, data, None)
    inner = asn1_crl.CertificateList.load(der)["tbs_cert_list"]["signature"].dump()
    other = inner[:-1] + bytes([inner[-1] + 1])  # over another hash
    for bad in (der.replace(inner, other, 1), inner.join(der.rsplit(inner, 1)) + b"\0"):
        path = tmp_path / "crl.der"
        path.write_bytes(bad)
        with pytest.raises(TrustError, match="the CRL cannot be parsed"):
            loading.load_crls(path)


# --- timestamps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NAMES)
def test_the_name_of_a_timestamp_authority(kind):
    data, _ = NAMES[kind]
    root = make("tsa root", change=lambda tbs: named(tbs, data, data))
    leaf = make("tsa", root, STAMP, ca=False, change=lambda tbs: named(tbs, data + data, data))
    store = TrustStore([make("root").certificate], tsa=[certificate.parse(root.der)])
    assert store.judge(leaf.der, purpose=TIME_STAMPING).trust == "trusted"
    assert store.judge(leaf.der, purpose=TIME_STAMPING, others=[root.der]).trust == "trusted"


@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind not in BEYOND_OPENSSL])
@pytest.mark.parametrize("whole", [False, True])
def test_a_token_of_an_odd_timestamp_authority(tmp_path, kind, whole):
    """With its certificate in the token, and with that of its authority as well."""
    data, text = NAMES[kind]
    root = make("tsa root", change=lambda tbs: named(tbs, data, data))
    leaf = make("tsa", root, STAMP, ca=False, change=lambda tbs: named(tbs, data + data, data))
    authority = odd_tsa(tmp_path, leaf, *([root] if whole else []))
    signature = b"the signature"
    token = authority.token(signature)
    store = TrustStore([make("root").certificate], tsa=[certificate.parse(root.der)])
    report = token_report.check(token, "CMS_TSP", signature, store, pki.NOW + DAY)
    assert (report.integrity, report.trust, report.reason) == ("intact", "trusted", None)
    assert report.authority == f"{text},{text}"
    other = token_report.check(token, "CMS_TSP", b"another", store, pki.NOW + DAY)
    assert (other.integrity, other.reason.code) == ("altered", "HASH_FAILURE")


@pytest.mark.parametrize("kind", ["Latin-1 in a T61String", "a unique identifier of bits"])
def test_a_token_without_the_certificate_of_an_odd_authority(tmp_path, kind):
    data, _ = NAMES[kind]
    own = make("tsa", None, STAMP, ca=False, change=lambda tbs: named(tbs, data, data))
    authority = odd_tsa(tmp_path, own)
    token = authority.token(b"the signature", "-sha256")  # it does not ask for a certificate
    store = TrustStore([make("root").certificate], tsa=[certificate.parse(own.der)])
    report = token_report.check(token, "CMS_TSP", b"the signature", store, pki.NOW + DAY)
    assert (report.integrity, report.trust, report.reason) == ("intact", "trusted", None)


# --- OCSP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind not in BEYOND_OPENSSL])
def test_an_odd_ocsp_responder(tmp_path, kind, listed):
    data, _ = NAMES[kind]
    root = make("root", change=lambda tbs: named(tbs, data, data))
    leaf = make("leaf", root, ca=False, change=lambda tbs: named(tbs, issuer=data))
    helper = make(
        "responder", root, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),
        (x509.OCSPNoCheck(), False), ca=False,
        change=lambda tbs: named(tbs, data + data, data),
    )  # fmt: skip
    number = f"{asn1.Certificate.load(leaf.der).serial_number:X}"
    when = (pki.NOW - DAY / 2).strftime("%y%m%d%H%M%SZ")
    state = f"R\t491231235959Z\t{when},keyCompromise" if listed else "V\t491231235959Z\t"
    (tmp_path / "index").write_text(
        f"{state}\t{number if len(number) % 2 == 0 else '0' + number}\tunknown\t/CN=leaf\n"
    )
    (tmp_path / "index.attr").write_text("unique_subject = no\n")
    for name, der in (("root", root.der), ("leaf", leaf.der), ("helper", helper.der)):
        (tmp_path / f"{name}.pem").write_bytes(armored(der))
    pki.secret(tmp_path / "key.pem", unlocked(helper))
    openssl(
        "ocsp", "-index", f"{tmp_path}/index", "-CA", f"{tmp_path}/root.pem", "-issuer",
        f"{tmp_path}/root.pem", "-cert", f"{tmp_path}/leaf.pem", "-rsigner",
        f"{tmp_path}/helper.pem", "-rkey", f"{tmp_path}/key.pem", "-ndays", "3", "-noverify",
        "-respout", f"{tmp_path}/answer.der",
    )  # fmt: skip
    (answer,) = loading.load_ocsps(tmp_path / "answer.der")
    trust_store = TrustStore([certificate.parse(root.der)], ocsps=[answer]).judge(leaf.der)
    assert trust_store.revocation == ("revoked" if listed else "good"), trust_store


@pytest.mark.parametrize("reason", [1, 7, 99])
def test_who_an_ocsp_response_calls_revoked_for_a_reason_that_nobody_knows_is(reason):
    plain = trust_pki.ocsp("leaf", "revoked", reason=x509.ReasonFlags.key_compromise)
    response = asn1_ocsp.OCSPResponse.load(plain)
    basic = response["response_bytes"]["response"].parsed
    signed = basic["tbs_response_data"].dump().replace(b"\x0a\x01\x01", bytes([10, 1, reason]))
    value = trust_pki.key("ca").sign(signed, ec.ECDSA(hashes.SHA256()))
    parts = signed + basic["signature_algorithm"].dump() + tlv(3, b"\0" + value)
    kind = response["response_bytes"]["response_type"].dump()
    whole = tlv(0x30, b"\x0a\x01\0" + tlv(0xA0, tlv(0x30, kind + tlv(4, tlv(0x30, parts)))))
    store = TrustStore(trust_pki.certs("root"), trust_pki.certs("ca"), ocsps=[whole])
    answer = store.judge(trust_pki.cert("leaf"))
    assert (answer.revocation, answer.reason.code) == ("revoked", "REVOKED_NO_POE")

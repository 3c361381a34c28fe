"""Certificates that break X.509: in objects, in files, in chains; each is told in a sentence."""

from __future__ import annotations

import pickle
import warnings

import pki as signers
import pydicom
import pytest
import trust_pki as pki
from asn1crypto import core
from asn1crypto import x509 as asn1

from dicomseal import TrustStore, sign_file, verify
from dicomseal.errors import TrustError
from dicomseal.signature import certificate
from dicomseal.trust import loading

STORE = TrustStore(pki.certs("root"), pki.certs("ca"))


def serial(number):
    def change(cert):
        cert["tbs_certificate"]["serial_number"] = number

    return change


def with_parameters(cert):
    """NULL, where ECDSA has none (RFC 5758 Section 3.2)."""
    for algorithm in (cert["tbs_certificate"]["signature"], cert["signature_algorithm"]):
        algorithm["parameters"] = core.Null()


def strange_algorithm(cert):
    for algorithm in (cert["tbs_certificate"]["signature"], cert["signature_algorithm"]):
        algorithm["algorithm"] = "1.2.3.4.5"


def version_2(cert):
    cert["tbs_certificate"]["version"] = 1


def backwards(cert):
    end = core.UTCTime(pki.at(-200))
    cert["tbs_certificate"]["validity"]["not_after"] = asn1.Time({"utc_time": end})


def twice(cert):
    extensions = cert["tbs_certificate"]["extensions"]
    extensions.append(extensions[0])


def fraction(cert):
    """Of a second, in a date of its validity; RFC 5280 allows none."""
    begin = core.GeneralizedTime(contents=b"20200101000000.5Z")
    cert["tbs_certificate"]["validity"]["not_before"] = asn1.Time({"general_time": begin})


LEAF = pki.der("leaf")
ODD = {
    "NULL parameters": (pki.changed("leaf", with_parameters),
                        "not DER of its kind (extra data, at tbs_cert/signature_alg)"),
    "version 2": (pki.changed("leaf", version_2), "1 is not a valid X509 version"),
}  # fmt: skip
UNPARSABLE = {
    "a fraction of a second": (pki.changed("leaf", fraction), "not DER of its kind (invalid value"),
    "something behind it": (LEAF + b"\0\0\0", "not DER of its kind (extra data)"),
    "a damaged byte": (LEAF[:50] + b"\xff" + LEAF[51:], "not DER of its kind ("),
}  # fmt: skip


@pytest.mark.parametrize(("der", "said"), UNPARSABLE.values(), ids=UNPARSABLE)
def test_unparsable(tmp_path, der, said):
    path = tmp_path / "bad.cer"
    path.write_bytes(der)
    for load in (loading.load_certificates, loading.load_signers):
        with pytest.raises(TrustError) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}: the certificate cannot be parsed: ")
        assert said in str(caught.value)


def judged(tmp_path, der):
    """The report on an object with this certificate."""
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(signers.small())
    sign_file(source, target, pki.key("leaf"), pki.cert("leaf"))
    dataset = pydicom.dcmread(target)
    dataset.DigitalSignaturesSequence[0].CertificateOfSigner = der + b"\0" * (len(der) % 2)
    dataset.save_as(target)
    return verify(target, trust=STORE)


def test_unparsable_in_an_object(tmp_path):
    """A reader that knows more could still decide."""
    der, said = UNPARSABLE["a fraction of a second"]
    report = judged(tmp_path, der)
    (signature,) = report.signatures
    assert (report.verdict, signature.integrity) == ("indeterminate", "unverifiable")
    assert signature.integrity_reason.code == "NO_SIGNING_CERTIFICATE_FOUND"
    assert said in signature.integrity_reason.message
    assert (signature.trust, signature.trust_reason.code) == (
        "untrusted", "NO_SIGNING_CERTIFICATE_FOUND",
    )  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_in_an_object(tmp_path, name):
    """What is odd in it decides nothing, and is told."""
    der, said = ODD[name]
    report = judged(tmp_path, der)
    (signature,) = report.signatures
    assert (report.verdict, signature.integrity) == ("passed", "intact")
    assert signature.messages[0].startswith("the certificate is odd: ")
    assert said in signature.messages[0]


@pytest.mark.parametrize("number", [0, -1])
def test_serial_numbers_that_are_not_positive(number):
    """Accepted as long as the parser does (PKITS 4.4.14), and told."""
    der = pki.changed("leaf", serial(number))
    assert STORE.judge(der).trust == "trusted"
    (note,) = certificate.parse(der).notes
    assert note.startswith("the certificate is odd: Parsed a serial number which wasn't positive")
    assert "cryptography" not in note


def test_a_store_with_such_a_number_travels_and_changes_without_a_word(tmp_path):
    path = tmp_path / "odd.cer"
    path.write_bytes(pki.changed("ca", serial(-1)))
    trust_store = TrustStore.from_files(path, intermediates=[path], tsa=[path], signers=[path])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for other in (pickle.loads(pickle.dumps(trust_store)), trust_store.but(weak="reject")):
            assert other.judge(pki.cert("leaf")).trust == "trusted"


def test_valid_for_no_time_at_all():
    der = pki.changed("leaf", backwards)
    for days in (-201, -150, 0):
        answer = STORE.judge(der, pki.at(days))
        assert (answer.trust, answer.reason.code) == ("untrusted", "OUT_OF_BOUNDS_NO_POE")


def test_an_extension_that_is_there_twice():
    """Which of the two counts is up to the reader: so neither does."""
    der = pki.changed("leaf", twice)
    for store in (STORE, TrustStore([], signers=[pki.x509.load_der_x509_certificate(der)])):
        answer = store.judge(der)
        assert (answer.trust, answer.reason.code) == ("untrusted", "CHAIN_CONSTRAINTS_FAILURE")
        assert "CN=leaf has the extension 2.5.29.19 twice" in answer.reason.message
    ca = pki.changed("ca", twice)
    answer = TrustStore(pki.certs("root")).judge(pki.cert("leaf"), others=[ca])
    assert (answer.trust, answer.reason.code) == ("untrusted", "CHAIN_CONSTRAINTS_FAILURE")
    assert "CN=ca has the extension 2.5.29.19 twice" in answer.reason.message


def test_an_algorithm_that_nobody_knows():
    der = pki.changed("leaf", strange_algorithm)
    for store in (STORE, STORE.but(weak="accept")):
        answer = store.judge(der)
        assert (answer.trust, answer.reason.code) == ("untrusted", "CRYPTO_CONSTRAINTS_FAILURE")
        assert "the algorithm 1.2.3.4.5, which signs the cert" in answer.reason.message

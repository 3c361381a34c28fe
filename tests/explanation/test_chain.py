"""The chain, drawn: each link with its state, and the one that breaks it."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
import trust_pki
from _altered import CT
from pki import NOW, member, part10

from dicomseal import TrustStore, sign_file
from dicomseal.explanation.diagnosis.budget import Effort
from dicomseal.explanation.explanation import explain
from dicomseal.explanation.subject import Subject
from dicomseal.explanation.text import render
from dicomseal.signature.items import encode
from dicomseal.verification.options import Options


def signed(key, certificate):
    out = io.BytesIO()
    sign_file(part10(encode(CT)), out, key, certificate)
    return out.getvalue()


def links(data, store, **options):
    explanation = explain(Subject(data, Options(trust=store, **options)), Effort())
    (one,) = explanation.signatures
    lines = list(render(explanation))
    assert sum("here it breaks" in line for line in lines) <= 1
    shown = [(link.role, link.subject.removeprefix("CN="), link.state) for link in one.links]
    return shown, one, lines


def store(*anchors, **more):
    return TrustStore([member(name).certificate for name in anchors], **more)


def test_a_chain_of_three():
    between = [member("intermediate").certificate]
    found, one, _ = links(signed(*member("below").pair), store("root", intermediates=between))
    assert found == [
        ("signer", "Test below", "ok"), ("authority", "Test intermediate", "ok"),
        ("anchor", "Test root", "ok"),
    ]  # fmt: skip
    assert one.report.trust == "trusted"
    assert one.links[0].not_after and one.links[0].key == "RSA 2048"


def test_an_authority_that_nobody_named():
    found, one, lines = links(signed(*member("below").pair), store("root"))
    assert found == [("signer", "Test below", "ok"), ("missing", "Test intermediate", "broken")]
    assert one.report.trust_reason.code == "NO_CERTIFICATE_CHAIN_FOUND"
    assert any("missing: CN=Test intermediate  [BROKEN]  <- here it breaks" in x for x in lines)


def test_an_anchor_that_is_another():
    found, *_ = links(signed(*member("rsa").pair), store("other root"))
    assert found == [("signer", "Test rsa", "ok"), ("missing", "Test root", "broken")]


def test_a_chain_that_ends_half_way():
    """What was named is drawn, as far as it leads."""
    between = [member("intermediate").certificate]
    found, *_ = links(signed(*member("below").pair), store("other root", intermediates=between))
    assert found == [
        ("signer", "Test below", "ok"), ("authority", "Test intermediate", "ok"),
        ("missing", "Test root", "broken"),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "why"), [("expired", "expired"), ("future", "not valid yet")])
def test_a_signer_out_of_its_dates(name, why):
    found, one, _ = links(signed(*member(name).pair), store("root"))
    assert found[0] == ("signer", f"Test {name}", "broken")
    assert why in one.links[0].why
    assert found[-1] == ("anchor", "Test root", "ok")


def test_the_dates_are_those_of_the_time_that_counts():
    data = signed(*member("expired").pair)
    found, one, _ = links(data, store("root"), at=NOW - timedelta(days=15))
    assert {state for _, _, state in found} == {"ok"}
    assert one.report.trust == "trusted"


def test_an_authority_that_has_expired():
    anchors = [member("root").certificate]
    trust_store = TrustStore(anchors, intermediates=[member("intermediate").certificate])
    found, *_ = links(signed(*member("below").pair), trust_store, at=NOW + timedelta(days=5000))
    assert found[0][2] == "broken"
    assert found[-1][2] == "broken"  # and the anchor itself


@pytest.mark.parametrize(
    ("revoked", "issuer", "code"),
    [("leaf", "ca", "REVOKED_NO_POE"), ("ca", "root", "REVOKED_CA_NO_POE")],
)
def test_a_certificate_that_was_revoked(revoked, issuer, code):
    """The signer's, or that of an authority: the link that was revoked is the one marked."""
    key, certificate = trust_pki.key("leaf"), trust_pki.cert("leaf")
    trust_store = TrustStore(
        trust_pki.certs("root"), intermediates=trust_pki.certs("ca"),
        crls=[trust_pki.crl(issuer, trust_pki.Entry(revoked))],
    )  # fmt: skip
    found, one, lines = links(signed(key, certificate), trust_store)
    assert one.report.trust_reason.code == code
    broken = [link for link in one.links if link.state == "broken"]
    assert [link.subject for link in broken] == [trust_pki.cert(revoked).subject.rfc4514_string()]
    assert "revoked" in broken[0].why
    assert len(found) == 3
    assert any("here it breaks" in line for line in lines)


@pytest.mark.parametrize(
    ("leaf", "between", "broken", "why"),
    [
        ("forged", "ca", "forged", "not signed by the key of the issuer"),
        ("below forged ca", "forged ca", "forged ca", "not signed by the key of the issuer"),
        ("below expired ca", "expired ca", "expired ca", "expired at the time that counts"),
        ("below future ca", "future ca", "future ca", "not valid yet"),
    ],
)
def test_the_link_that_breaks_the_chain(leaf, between, broken, why):
    trust_store = TrustStore(trust_pki.certs("root"), intermediates=trust_pki.certs(between))
    _, one, _ = links(signed(trust_pki.key(leaf), trust_pki.cert(leaf)), trust_store)
    assert one.report.trust == "untrusted"
    marked = [link for link in one.links if link.state == "broken"]
    name = trust_pki.cert(broken).subject.rfc4514_string()
    assert [link.subject for link in marked] == [name]
    assert why in marked[0].why


def test_without_anyone_who_is_trusted():
    found, one, _ = links(signed(*member("rsa").pair), None)
    assert found == [("signer", "Test rsa", "unknown"), ("missing", "Test root", "unknown")]
    assert "--trust" in one.links[1].why


def test_a_signer_that_is_trusted_directly():
    trust_store = TrustStore([], signers=[member("rsa").certificate])
    found, one, _ = links(signed(*member("rsa").pair), trust_store)
    assert found == [("signer", "Test rsa", "ok")]
    assert one.links[0].why == "trusted directly"


def test_a_key_that_is_trusted_directly():
    """Of the certificate nothing is told, as nobody has signed it."""
    trust_store = TrustStore([], signers=[member("rsa").key.public_key()])
    _, one, lines = links(signed(*member("rsa").pair), trust_store)
    assert one.links[0].subject.startswith("the public key with the SHA-256")
    assert not any("Test rsa" in line for line in lines if "signer:" in line)

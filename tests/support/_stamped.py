"""Objects with a Certified Timestamp, and what is asked of the report on them."""

from __future__ import annotations

from datetime import timedelta

import pki
import pytest
import tsa
from asn1crypto import cms, tsp
from tsa import Raw, Tsa

from dicomseal import TrustStore, sign_file, verify

ANCHOR = (pki.member("root").certificate,)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """An authority by its name in the table; made once."""
    table = {}

    def inner(name="rsa", chain=True):
        if (name, chain) not in table:
            table[name, chain] = Tsa(tmp_path_factory.mktemp("tsa"), name, chain)
        return table[name, chain]

    return inner


def store(*roots, anchors=ANCHOR, intermediates=()):
    roots = roots or ("tsa root",)
    return TrustStore(
        anchors,
        [tsa.certificate(name) for name in intermediates],
        tsa=[tsa.certificate(name) for name in roots],
    )


@pytest.fixture
def stamped(tmp_path):
    """The path of a small object, signed, with whatever token is made of its signature."""

    def inner(make, who="rsa", **options):
        source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
        source.write_bytes(pki.small())
        sign_file(source, target, *pki.member(who).pair, tsa=Raw(make), **options)
        return str(target)

    return inner


assert cms.ContentType._map[tsp.ContentType("tst_info").dotted]  # tsp has to be there early


def only(report):
    (signature,) = report.signatures
    return signature


def expired(path, **options):
    """A verification long after the signer's certificate expired."""
    return verify(path, at=pki.NOW + timedelta(days=20), trust=store(), **options)


def broken(report, integrity, trust, code, words):
    """The timestamp does not count, and the report says why, twice: in it and in a message."""
    signature = only(report)
    stamp = signature.timestamp
    assert (stamp.integrity, stamp.trust, stamp.reason.code) == (integrity, trust, code)
    assert words in stamp.reason.message
    assert f"its Certified Timestamp does not count: {stamp.reason.message}" in signature.messages
    assert not stamp.counts
    # it says nothing of the signature itself
    assert (signature.integrity, signature.judged_by) == ("intact", "validation")
    # and fails the object only if it is provably not its own
    said = f"the Certified Timestamp of signature {signature.uid} is not its own: "
    found = [(one.code, one.message) for one in report.reasons if one.message.startswith(said)]
    assert found == ([(code, said + stamp.reason.message)] if integrity == "altered" else [])
    assert (report.verdict == "failed") is (integrity == "altered")

"""Certified timestamps: dcmsign and dicomseal share the two steps by file, in both directions.

`openssl ts` is the authority. The queries, responses and UID files of each are read by the other,
and each verifies what the other has made.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import tsa
from _dcmtk import ROOT, Dcmtk
from _interop_pki import Pki
from cryptography.hazmat.primitives.serialization import Encoding

from dicomseal import TrustStore, sign_file, verify
from dicomseal.errors import TimestampError
from dicomseal.report import TimestampReport
from dicomseal.timestamps.protocol import TimestampRequest
from dicomseal.timestamps.request_files import encode_uid, insert_file, query_file, read_uid

pytestmark = pytest.mark.peer

SOURCE = ROOT / "CT_small.dcm"
HASHES = {"SHA256": "+tm2", "SHA384": "+tm3", "SHA512": "+tm5"}


class Files:
    """The files of the two steps, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.signed, self.stamped = folder / "signed.dcm", folder / "stamped.dcm"
        self.query, self.response = folder / "query.tsq", folder / "response.tsr"
        self.uid = folder / "uid.dcm"

    def answer(self, authority: tsa.Tsa) -> None:
        self.response.write_bytes(authority.reply(self.query.read_bytes()))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tsa.Tsa:
    return tsa.Tsa(tmp_path_factory.mktemp("tsa"))


def dcmsign_says(dcmtk: Dcmtk, path: Path, folder: Path) -> str:
    """What dcmsign says of an object, with both roots in its one store."""
    root = folder / "tsa-root.pem"
    root.write_bytes(tsa.certificate("tsa root").public_bytes(Encoding.PEM))
    done = dcmtk.run(dcmtk._dcmsign, "+cf", dcmtk.ca, "+cf", root, "+tr", path)
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


def stamp_of(pki: Pki, path: Path) -> TimestampReport:
    (anchor,) = pki.trust.anchors
    store = TrustStore([anchor], tsa=[tsa.certificate("tsa root")])
    report = verify(path, trust=store, require="timestamp")
    (signature,) = report.signatures
    assert signature.integrity == "intact"
    assert report.verdict == "passed", report
    assert signature.timestamp is not None
    return signature.timestamp


@pytest.mark.parametrize("kind", ["rsa", "ec", "dsa"])
@pytest.mark.parametrize("algorithm", HASHES)
def test_its_query_our_insertion(
    dcmtk: Dcmtk, pki: Pki, authority: tsa.Tsa, files: Files, tmp_path: Path, kind: str,
    algorithm: str,
) -> None:  # fmt: skip
    pair = pki.pair(kind)
    done = dcmtk.run(
        dcmtk._dcmsign, "+s", pair.key, pair.certificate, "+m2",
        "+ts", files.query, files.uid, HASHES[algorithm], "+tp", tsa.OTHER_POLICY,
        SOURCE, files.signed,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    request = TimestampRequest.parse(files.query.read_bytes())
    assert request.nonce is not None
    assert (request.algorithm, request.policy, request.certificate) == (
        algorithm.lower(), tsa.OTHER_POLICY, True,
    )  # fmt: skip
    files.answer(authority)
    uid = read_uid(files.uid)
    inserted_uid = insert_file(
        files.signed, files.stamped, files.response.read_bytes(), uid,
        request=files.query.read_bytes(),
    )  # fmt: skip
    assert inserted_uid == uid
    assert stamp_of(pki, files.stamped).counts
    said = dcmsign_says(dcmtk, files.stamped, tmp_path)
    assert "Timestamp Verification : OK" in said, said
    assert "Signature Verification : OK" in said, said


@pytest.mark.parametrize("kind", ["rsa", "ec", "dsa"])
@pytest.mark.parametrize("algorithm", HASHES)
def test_our_query_its_insertion(
    dcmtk: Dcmtk, pki: Pki, authority: tsa.Tsa, files: Files, tmp_path: Path, kind: str,
    algorithm: str,
) -> None:  # fmt: skip
    pair = pki.pair(kind)
    sign_file(SOURCE, files.signed, pair.key, pair.certificate)
    uid, request = query_file(files.signed, algorithm=algorithm, policy=tsa.OTHER_POLICY)
    files.query.write_bytes(request)
    files.uid.write_bytes(encode_uid(uid))
    files.answer(authority)
    done = dcmtk.run(
        dcmtk._dcmsign, "+t", files.query, files.response, files.uid, files.signed, files.stamped
    )
    assert done.returncode == 0, done.stderr
    stamp = stamp_of(pki, files.stamped)
    assert (stamp.imprint, stamp.policy) == (algorithm, tsa.OTHER_POLICY)
    said = dcmsign_says(dcmtk, files.stamped, tmp_path)
    assert "Timestamp Verification : OK" in said, said


def test_its_two_steps_are_verified_here(
    dcmtk: Dcmtk, pki: Pki, authority: tsa.Tsa, files: Files
) -> None:
    pair = pki.pair("rsa")
    dcmtk.run(
        dcmtk._dcmsign, "+s", pair.key, pair.certificate, "+m2", "+ts", files.query, files.uid,
        SOURCE, files.signed,
    )  # fmt: skip
    files.answer(authority)
    done = dcmtk.run(
        dcmtk._dcmsign, "+t", files.query, files.response, files.uid, files.signed, files.stamped
    )
    assert done.returncode == 0, done.stderr
    assert stamp_of(pki, files.stamped).counts


def test_ours_over_http_is_verified_there(
    dcmtk: Dcmtk, pki: Pki, authority: tsa.Tsa, files: Files, tmp_path: Path
) -> None:
    pair = pki.pair("ec")
    with tsa.serving(authority) as url:
        sign_file(SOURCE, files.stamped, pair.key, pair.certificate, tsa=url)
    said = dcmsign_says(dcmtk, files.stamped, tmp_path)
    assert "Timestamp Verification : OK" in said, said


def test_a_timestamp_without_certificate(
    dcmtk: Dcmtk, pki: Pki, authority: tsa.Tsa, files: Files
) -> None:
    """dcmsign -tc asks for none; such a response is taken if its request says so."""
    pair = pki.pair("rsa")
    dcmtk.run(
        dcmtk._dcmsign, "+s", pair.key, pair.certificate, "+m2", "+ts", files.query, files.uid,
        "-tc", SOURCE, files.signed,
    )  # fmt: skip
    files.answer(authority)
    response, request = files.response.read_bytes(), files.query.read_bytes()
    with pytest.raises(TimestampError, match="certificate of its authority"):
        insert_file(files.signed, files.stamped, response)
    insert_file(files.signed, files.stamped, response, request=request)
    (anchor,) = pki.trust.anchors
    roots = [tsa.certificate("tsa root")]
    (signature,) = verify(files.stamped, trust=TrustStore([anchor], tsa=roots)).signatures
    assert signature.timestamp is not None
    assert signature.timestamp.integrity == "unverifiable"
    with_it = TrustStore([anchor], [tsa.certificate("rsa")], tsa=roots)
    (signature,) = verify(files.stamped, trust=with_it).signatures
    assert signature.timestamp is not None
    assert signature.timestamp.counts


@pytest.mark.parametrize("option", ["+tms", "+tmm", "+tmr"])
def test_its_weak_imprints_are_not_taken(
    dcmtk: Dcmtk, pki: Pki, tmp_path: Path, files: Files, option: str
) -> None:
    pair = pki.pair("rsa")
    dcmtk.run(
        dcmtk._dcmsign, "+s", pair.key, pair.certificate, "+m2", "+ts", files.query, files.uid,
        option, SOURCE, files.signed,
    )  # fmt: skip
    lax = tsa.Tsa(tmp_path / "lax")
    lax.config.write_text(lax.config.read_text().replace("md5, sha1", "md5, sha1, rmd160"))
    files.answer(lax)
    name = {"+tms": "SHA1", "+tmm": "MD5", "+tmr": "RIPEMD160"}[option]
    with pytest.raises(TimestampError, match=f"hashed with {name}, which no longer proves"):
        insert_file(files.signed, files.stamped, files.response.read_bytes())
    done = dcmtk.run(
        dcmtk._dcmsign, "+t", files.query, files.response, files.uid, files.signed, files.stamped
    )
    assert done.returncode == 0, done.stderr
    (anchor,) = pki.trust.anchors
    store = TrustStore([anchor], tsa=[tsa.certificate("tsa root")])
    (signature,) = verify(files.stamped, trust=store).signatures
    assert signature.timestamp is not None
    assert (signature.timestamp.integrity, signature.timestamp.trust) == ("intact", "untrusted")
    assert signature.timestamp.reason is not None
    assert signature.timestamp.reason.code == "CRYPTO_CONSTRAINTS_FAILURE"

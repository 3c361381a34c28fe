"""The table of agreement: what it counts, and under which cause (docs/agreement.md)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from _dcmtk import ROOT, find

PROJECT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(PROJECT))
try:
    from differential import agreement, agreement_tables, both, dcmtk
finally:
    sys.path.pop(0)

pytestmark = pytest.mark.peer

CORRUPTED = "signature is invalid (document corrupted)"


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Judge a file of pydicom's, or one at a path."""
    for program in dcmtk.PROGRAMS:
        find(program)
    both_stores = both.Both(tmp_path_factory.mktemp("agreement"))
    return lambda file: both_stores.judge(ROOT / file)


def not_accepted(judged: both.Judged) -> dict[tuple[str, str], agreement_tables.Key]:
    return {
        (v.signer, v.form): agreement_tables.key(v)
        for v in judged.verifications
        if not (v.ours.accepts and v.theirs.accepts)
    }


@pytest.mark.parametrize(
    ("file", "ways"), [("MR_small.dcm", both.NATIVE), ("MR_small_RLE.dcm", both.COMPRESSED)]
)
def test_both_sign_and_accept_all_forms(judge: Any, file: str, ways: Any) -> None:
    judged = judge(file)
    assert judged.accepted and judged.agreed
    expected = [(signer, form) for signer in both.SIGNERS for form in (both.AS_SIGNED, *ways)]
    assert [(v.signer, v.form) for v in judged.verifications] == expected
    assert agreement_tables.line(judged) == f"accepted   0 of 10  {file}"


def test_the_vr_that_implicit_vr_lost(judge: Any) -> None:
    judged = judge("liver_1frame.dcm")
    key = agreement_tables.Key(("VR OB as OW",), agreement_tables.ACCEPTS, CORRUPTED)
    assert not_accepted(judged) == {(signer, "implicit VR"): key for signer in both.SIGNERS}
    assert not judged.agreed
    (row,) = agreement_tables.causes([judged]).values()
    assert (row.verifications, dict(row.elements)) == (2, {"(7FE0,0010)": 2})
    assert row.signers == set(both.SIGNERS)


def test_padding_that_dcmtk_takes_away(judge: Any) -> None:
    """Both reject what dcmconv changed; only dcmsign rejects what it reads otherwise."""
    found = not_accepted(judge("SC_rgb_gdcm_KY.dcm"))
    changed = "failed, HASH_FAILURE: the signed content is not the present one"
    assert {signer for signer, _ in found} == {both.OURS}
    for (_, form), key in found.items():
        assert key.kinds == ("padding of values",)
        assert key.theirs == CORRUPTED
        assert key.ours == (agreement_tables.ACCEPTS if form == both.AS_SIGNED else changed)
    assert len(found) == 5


def test_private_elements_whose_vr_was_lost(judge: Any) -> None:
    judged = judge("waveform_ecg.dcm")
    found = not_accepted(judged)
    lost = [v for v in judged.verifications if v.form == "implicit VR"]
    assert all(v.ours.kinds == v.theirs.kinds == ("no longer hashed",) for v in lost)
    assert all(set(v.ours.elements) <= set(v.theirs.elements) for v in lost)
    assert set(found) == {(signer, "implicit VR") for signer in both.SIGNERS}
    for key in found.values():
        assert key.kinds == ("no longer hashed",)
        assert key.ours.startswith("indeterminate, SIGNED_DATA_NOT_FOUND: the VR of ELEMENT")
        assert key.theirs == "signature contains attribute that is not signable"


def test_the_block_of_dcmsign(judge: Any, long_report: Path) -> None:
    """What it leaves out of its own signatures we reject, and it rejects ours."""
    judged = judge(long_report)
    found = not_accepted(judged)
    assert len(found) == len(judged.verifications) == 10
    for (signer, _), key in found.items():
        assert key.kinds == (both.BLOCK,)
        assert (key.ours == agreement_tables.ACCEPTS) is (signer == both.OURS)
        assert (key.theirs == agreement_tables.ACCEPTS) is (signer == both.THEIRS)


def test_what_one_does_not_sign_is_no_agreement(judge: Any) -> None:
    judged = judge("nested_priv_SQ.dcm")
    assert set(judged.unsigned) == {both.OURS}
    assert judged.unsigned[both.OURS].startswith("ELEMENT can never be signed")
    assert not judged.agreed
    neither = judge("rtplan_truncated.dcm")
    assert set(neither.unsigned) == set(both.SIGNERS) and neither.verifications == []
    assert neither.agreed and not neither.accepted


def test_a_disagreement_is_counted(judge: Any, pki: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither program is believed beforehand: each that rejects good files is seen to do so."""
    words = "signature is invalid (document corrupted)"
    with monkeypatch.context() as patch:
        patch.setattr(dcmtk.Dcmtk, "verify", lambda *_: dcmtk.Answer(False, words))
        judged = judge("MR_small.dcm")
    assert not judged.agreed and len(not_accepted(judged)) == 10
    (key,) = agreement_tables.causes([judged])
    assert key == agreement_tables.Key((), agreement_tables.ACCEPTS, words)
    real = both.verify

    def strange(*arguments: Any, **options: Any) -> Any:
        return real(*arguments, **options | {"trust": pki.trust})

    with monkeypatch.context() as patch:
        patch.setattr(both, "verify", strange)
        judged = judge("MR_small.dcm")
    (key,) = agreement_tables.causes([judged])
    assert not judged.agreed
    assert key.ours.startswith("indeterminate, NO_CERTIFICATE_CHAIN_FOUND")
    assert (key.kinds, key.theirs) == ((), agreement_tables.ACCEPTS)


def test_an_element_that_dcmconv_would_change(judge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cause is found in the streams: another value is one, whoever changed it."""
    real = dcmtk.Dcmtk.convert

    def changing(self: Any, source: Path, target: Path, *options: str) -> Any:
        answer = real(self, source, target, *options)
        target.write_bytes(target.read_bytes().replace(b"CompressedSamples", b"CompressedSampleS"))
        return answer

    monkeypatch.setattr(dcmtk.Dcmtk, "convert", changing)
    judged = judge("MR_small.dcm")
    assert judged.agreed and not judged.accepted
    for (_, form), key in not_accepted(judged).items():
        assert form in ("implicit VR", "explicit VR", "big endian")
        assert key.kinds == ("value",)
    (row,) = agreement_tables.causes([judged]).values()
    assert (row.verifications, set(row.elements)) == (6, {"(0010,0010)"})


def test_the_command(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for program in dcmtk.PROGRAMS:
        find(program)
    document = work / "a.md"
    document.write_text(
        f"Before.\n{agreement_tables.BEGIN}\nof last time\n{agreement_tables.END}\nAfter.\n"
    )
    files = [str(ROOT / f) for f in ("CT_small.dcm", "rtplan_truncated.dcm", "CT_small.dcm")]
    assert agreement.main([*files, "--no-pydicom", "--write", str(document)]) == 0
    text = document.read_text()
    assert (
        text.startswith("Before.\n") and text.endswith("\nAfter.\n") and "of last time" not in text
    )
    assert "| named | 2 | 1 | 1 | 0 |" in text
    assert "| as signed | dicomseal | 1 | 0 | 0 | 0 |" in text
    assert "accepted   0 of 10  CT_small.dcm" in capsys.readouterr().err
    assert agreement.main([files[1], "--no-pydicom"]) == 0
    assert "| named | 1 | 0 | 1 | 0 |" in capsys.readouterr().out
    with pytest.raises(ValueError, match="does not have the marks"):
        agreement_tables.write(ROOT / "README.txt", "x")

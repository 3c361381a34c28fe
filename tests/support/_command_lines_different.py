"""Deliberate differences: dcmsign's exit code, ours, and the row of the table in the docs."""

from __future__ import annotations

DIFFERENT = {
    "{S} -tf empty.txt in.dcm out.dcm": (0, 85, "an empty list of tags"),
    "+cf ca.pem duplicate.dcm": (0, 101, "a second, forged Patient's Name"),
    "+cf ca.pem duplicate-unsigned-element.dcm": (0, 101, "twice that no signature covers"),
    "{S} duplicate-unsigned.dcm out.dcm": (0, 85, "sign an object with a tag twice"),
    "{S} +ti private.dcm out.dcm": (0, 0, "private elements of unknown VR"),
    "{S} deflated.dcm out.dcm": (0, 0, "MAC Calculation Transfer Syntax"),
    "{S} +te deflated.dcm out.dcm": (0, 0, "MAC Calculation Transfer Syntax"),
    "{S} +ti private-signed.dcm out.dcm": (0, 40, "a conversion that breaks a signature"),
    "-lc logger.cfg signed.dcm": (101, 101, "`--log-config`"),
    "{S} -fo jpg.dcm out.dcm": (0, 85, "signing in the old format"),
    "+cf ca.pem -fo jpg-signed.dcm": (101, 0, "`-fo` and a signature in the new format"),
    "+cf ca.pem west.dcm": (101, 0, "Digital Signature DateTime"),
    "+cf ca.pem first-second.dcm": (101, 0, "the second of notBefore"),
    "{S} un-sequence.dcm out.dcm": (0, 85, "UN of undefined length"),
    "{S} dicomdir out.dcm": (0, 85, "nothing in it that can be signed"),
    "+cf ca.pem signatures-un.dcm": (0, 101, "a Digital Signatures Sequence that became UN"),
    "+rg signatures-un.dcm": (100, 101, "a Digital Signatures Sequence that became UN"),
    "+cf ca.pem weak-stamped.dcm": (0, 101, "a certified timestamp with a weak imprint"),
    "+t weak.tsq weak.tsr weak.uid weak-stamp-me.dcm out.dcm": (
        0,
        87,
        "a certified timestamp with a weak imprint",
    ),
    "{S} +pv +sp 1 sr-verified.dcm out.dcm": (0, 85, "`+pv` with another purpose"),
    "+cf ca.pem +cr revoked.pem +cr crl.pem signed.dcm": (0, 101, "two revocation lists"),
    "+cf ca.pem +cr later.pem stamped.dcm": (101, 0, "revoked after the time"),
    "+cd hashed-wrong signed.dcm": (101, 0, "under another hash"),
    "{I} BeamSequence[4294967296] plan.dcm out.dcm": (0, 85, "an item number beyond"),
    "{S} -t AcquisitionComments in.dcm out.dcm": (1, 85, "a retired attribute"),
    "{S} odd.dcm out.dcm": (0, 0, "signing OW of an odd length"),
    "+cf ca.pem odd-curve.dcm": (0, 101, "OW of an odd length that is not"),
    "+cf ca.pem p521-odd.dcm": (101, 0, "by a P-521 key"),
    "{S} private-implicit.dcm out.dcm": (0, 0, "signing implicit VR: private elements"),
    "ge.dcm": (0, 20, "GE's private transfer syntax"),
}

# rows that take more than a command line, and the tests of them
ELSEWHERE = {
    "what the 16 KiB block leaves out": "test_dcmsign_defect.py::"
    "test_dcmsign_rejects_a_signature_over_the_whole",
    "removing from an object with such a sequence": "test_same_beside_the_lines.py::"
    "test_dcmsign_never_ends",
    "what `--verbose` prints": "test_same_beside_the_lines.py::test_what_is_said_otherwise",
}

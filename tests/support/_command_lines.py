"""The command lines on which dcmsign and dicomseal-dcmsign are compared, as data.

Both run in a folder of their own with the same files in it (see `_kitchen`). A line after which the
two differ has a reason, and stands in ``docs/dcmsign.md``. ``{S}`` and ``{I}`` are short for
signing with the usual key; what stands behind ``<`` comes on standard input.
"""

from __future__ import annotations

import _command_lines_signing as signing

SIGN = "+s key.pem cert.pem"
ITEM = "+si key.pem cert.pem"

# --- the same exit code, the same verdicts, the same object, the same messages -------------------

COMMAND_LINE = """
(nothing)
--help
-h
--version
-q in.dcm
-v -q in.dcm
-d signed.dcm
-ll error signed.dcm
-ll info signed.dcm
--arguments signed.dcm
@command.txt
@quoted.txt
@
{S} -tf nothing in.dcm out.dcm
{S} -tf bad-tags.txt in.dcm out.dcm
{S} -tf open-tags.txt in.dcm out.dcm
{S} -tf unknown-tags.txt in.dcm out.dcm
{S} +d nothing/dump in.dcm out.dcm
-h extra a b c
--version --help
@glued.txt
@lone.txt
@inner.txt
@single.txt
@apostrophe.txt
@unclosed.txt
@blank.txt
@nested.txt
--arguments @glued.txt
--arguments @inner.txt
--arguments -q signed.dcm
"""

STREAMS = """
{S} in.dcm -
+ra - - < signed.dcm
+cf ca.pem - < signed.dcm
+cf ca.pem +fo - < raw-signed.dcm
+cf ca.pem -f - < raw-signed.dcm
{S} - - < in.dcm
{S} - out.dcm < in.dcm
{I} BeamSequence[0] - - < plan.dcm
{S} +tb - - < in.dcm
{S} - - < tags.txt
- < signed.dcm
+r 1.2 - - < signed.dcm
-v +ra two.dcm -
"""

READING = """
nothing.dcm
""
.
tags.txt
cut.dcm
+fo raw.dcm
+fo signed.dcm
+f signed.dcm
+f raw-signed.dcm
-f signed.dcm
-f raw-signed.dcm
-f -te raw-signed.dcm
-f -ti raw-signed.dcm
-f -tb raw-signed.dcm
-f -t= raw-signed.dcm
-td signed.dcm
+cf ca.pem raw-signed.dcm
+cf ca.pem -f raw-signed.dcm
+cf ca.pem -f -te raw-signed.dcm
+cf ca.pem -td signed.dcm
+cf ca.pem -td mislabelled.dcm
+cf ca.pem -uc signed.dcm
+cf ca.pem became-un.dcm
+cf ca.pem +uc became-un.dcm
+cf ca.pem +uc -uc became-un.dcm
-te -f raw.dcm
+cf ca.pem -tb -te -f raw-signed.dcm
-td raw-signed.dcm
+cf ca.pem -td raw-signed.dcm
+cf ca.pem -f -td raw-signed.dcm
+cf ca.pem -td big.dcm
-td jpg-signed.dcm
+cf ca.pem explicit-as-implicit.dcm
+cf ca.pem implicit-as-explicit.dcm
+cf ca.pem little-as-big.dcm
+cf ca.pem big-as-little.dcm
+cf ca.pem explicit-as-deflated.dcm
+cf ca.pem deflated-as-explicit.dcm
+cf ca.pem large-explicit-as-implicit.dcm
"""

VERIFYING = """
in.dcm
+rv in.dcm
+rg in.dcm
+rg +rv in.dcm
+rv +rg in.dcm
+tr in.dcm
+tv in.dcm
-tv in.dcm
signed.dcm
+rg signed.dcm
+cf ca.pem signed.dcm
--add-cert-file ca.pem --verify signed.dcm
+cf ca.pem +rg signed.dcm
+cf ca.pem +tv signed.dcm
+cf ca.pem -tv signed.dcm
+cf ca.pem +tr signed.dcm
+cf ca.pem +tr -tv signed.dcm
-v +cf ca.pem signed.dcm
-q +cf ca.pem signed.dcm
+cf nothing signed.dcm
+cf "" signed.dcm
+cf nothing +cf ca.pem signed.dcm
+cf ca.der signed.dcm
-der +cf ca.der signed.dcm
-der +cf ca.pem signed.dcm
-pem -der +cf ca.der signed.dcm
-der -pem +cf ca.der signed.dcm
+cf cert.pem signed.dcm
+uf ca.pem signed.dcm
+cf other-ca.pem signed.dcm
+cf other-ca.pem +cf ca.pem signed.dcm
+cf ca.pem below.dcm
+cf ca.pem +uf intermediate.pem below.dcm
+cf intermediate.pem below.dcm
+cf ca.pem +cf intermediate.pem below.dcm
+uf intermediate.pem below.dcm
+cf both.pem below.dcm
+cd hashed signed.dcm
+cd hashed below.dcm
+cd hashed +uf intermediate.pem below.dcm
+cd unhashed signed.dcm
+cd nothing signed.dcm
+cf ca.pem expired.dcm
+cf ca.pem early.dcm
+cf ca.pem altered.dcm
altered.dcm
+cf ca.pem broken.dcm
+cf ca.pem two.dcm
+cf ca.pem +rg two.dcm
+cf ca.pem half.dcm
+cf ca.pem item.dcm
+cf ca.pem +rg item.dcm
+cf ca.pem ec.dcm
+cf ca.pem dsa.dcm
+cf ca.pem p521-even.dcm
+cf ca.pem odd-signed.dcm
+cf ca.pem odd-implicit-signed.dcm
+cf ca.pem odd-big-signed.dcm
+cf ca.pem odd-altered.dcm
+cf ca.pem jpg-signed.dcm
+cf ca.pem -fn jpg-signed.dcm
+cf ca.pem jpg-old.dcm
+cf ca.pem -fo jpg-old.dcm
+cf ca.pem -fo -fn jpg-old.dcm
+cf ca.pem -fo signed.dcm
+cr nothing +cf ca.pem signed.dcm
+cr ca.pem +cf ca.pem signed.dcm
+cf ca.pem -t PatientName signed.dcm
+cf ca.pem -tf tags.txt signed.dcm
+cf ca.pem +te -e signed.dcm
@verify.txt
+cf ca.pem +rg altered.dcm
+cf ca.pem padded.dcm
+cf ca.pem no-mac-id.dcm
+uf both.pem +cf ca.pem below.dcm
-der +uf ca.der +cf ca.der signed.dcm
+cf key.pem signed.dcm
+cf ca.pem no-algorithm.dcm
+cf ca.pem +uc signatures-un.dcm
+cf ca.pem history.dcm
+rg history.dcm
+cf ca.pem +tr expired.dcm
"""

MESSAGES = """
-v +cf ca.pem no-mac-id.dcm
-v +cf ca.pem item.dcm
-v +cf ca.pem ec.dcm
-v +cf ca.pem dsa.dcm
-v +cf ca.pem two.dcm
-v +cf ca.pem stamped.dcm
-v -tv +cf ca.pem stamped.dcm
-v +tr +cf ca.pem signed.dcm
-v +cf ca.pem altered.dcm
-v subset.dcm
-v +rc subset.dcm
-v no-mac-id.dcm
-v no-algorithm.dcm
-v +cf ca.pem brief-stamped.dcm
"""

PROFILES = """
+lp
{S} +pb in.dcm out.dcm
{S} +pb +m2 in.dcm out.dcm
{S} +pc in.dcm out.dcm
{S} +pc -t PatientName in.dcm out.dcm
{S} +pa in.dcm out.dcm
{S} +pr in.dcm out.dcm
{S} +pv in.dcm out.dcm
{S} +pr +sp 1 sr.dcm out.dcm
{S} +pv +sp 5 sr.dcm out.dcm
{S} +pr sr.dcm out.dcm
{S} +pr sr-verified.dcm out.dcm
{S} +pr sr-unverified.dcm out.dcm
{S} +pr -t PatientName sr-unverified.dcm out.dcm
{S} +pc -pf in.dcm out.dcm
{S} -pf +pc in.dcm out.dcm
+s ec.key ec.crt +pb in.dcm out.dcm
+s dsa.key dsa.crt +pb +m2 in.dcm out.dcm
{S} +sp 1 in.dcm out.dcm
{S} +sp 5 in.dcm out.dcm
{S} +sp 18 in.dcm out.dcm
{S} +sp 5x in.dcm out.dcm
{S} +sp 3 -sp in.dcm out.dcm
{S} -sp +sp 3 in.dcm out.dcm
{S} --sig-purpose 7 +d dump -t PatientName in.dcm out.dcm
{I} BeamSequence[0] +pb plan.dcm out.dcm
{I} BeamSequence[0] +sp 5 plan.dcm out.dcm
+cf ca.pem +rc signed.dcm
+cf ca.pem +ru signed.dcm
+cf ca.pem +rs signed.dcm
+cf ca.pem +rc subset.dcm
+rc signed.dcm
+rc in.dcm
+ru in.dcm
+rs in.dcm
+rc altered.dcm
+cf ca.pem +rc altered.dcm
+cf ca.pem +rc broken.dcm
+cf ca.pem +rs altered.dcm
+rc subset.dcm
+cf ca.pem +rs sr.dcm
+cf ca.pem +rs verified-srv.dcm
+cf ca.pem +rs unverified-sr.dcm
+cf ca.pem +rs verified-all.dcm
+cf ca.pem +rs verified-sr.dcm
+cf ca.pem +rs unverified-all.dcm
+cf ca.pem +rs unverified-part.dcm
+cf ca.pem +ru verified-all.dcm
+cf ca.pem +rc verified-srv.dcm
+cf ca.pem +rc creator.dcm
+cf ca.pem +ru creator.dcm
+cf ca.pem +rc authorized.dcm
+cf ca.pem +ru authorized.dcm
+cf ca.pem +rc two.dcm
+cf ca.pem +rc item.dcm
+cf ca.pem +rg +rc creator.dcm
+rc ec.dcm
+rc jpg-signed.dcm
{S} +pr +sp 1 sr-unverified.dcm out.dcm
{S} +pv +sp 5 sr-unverified.dcm out.dcm
{S} +pr +sp 1 in.dcm out.dcm
{S} +pb +mm in.dcm out.dcm
{S} +pc +m5 jpg.dcm out.dcm
"""

REVOCATION = """
+cf ca.pem +cl signed.dcm
+cf ca.pem +cr crl.pem signed.dcm
+cf ca.pem +cr crl.pem +cl signed.dcm
+cf ca.pem +cr revoked.pem signed.dcm
+cf ca.pem +cr old-crl.pem signed.dcm
-der +cf ca.der +cr crl.der signed.dcm
+cd hashed +cl signed.dcm
+cd hashed-crl signed.dcm
+cd hashed-crl +cl signed.dcm
+cd hashed-revoked +cl signed.dcm
+cd hashed-revoked signed.dcm
+cd hashed-gap signed.dcm
+cd hashed-der signed.dcm
-der +cd hashed-der signed.dcm
+cd hashed-second signed.dcm
+cd hashed +cr crl.pem signed.dcm
+cd hashed +cr revoked.pem signed.dcm
+cd nothing +cd hashed signed.dcm
+cf ca.pem +uf intermediate.pem +cr crl.pem below.dcm
+cf ca.pem +uf intermediate.pem +cl below.dcm
+cf ca.pem +uf intermediate.pem +cr crl.pem signed.dcm
+cf ca.pem +cr crl.pem +cr revoked.pem signed.dcm
+cf ca.pem +cr nothing signed.dcm
+cf ca.pem +cr crl.pem in.dcm
+cl in.dcm
"""

# --- command lines that make no sense ------------------------------------------------------------

WRONG = """
-q
in.dcm out.dcm another.dcm
+zz in.dcm
--ver in.dcm
--version +zz
-ll foo signed.dcm
-ll warn -v signed.dcm
-lc nothing signed.dcm
-lc tags.txt signed.dcm
-lc tags.txt -q signed.dcm
-ll
@nothing.txt
+s key.pem
{S}
{S} in.dcm
{I}
{I} BeamSequence[0] in.dcm
+r 1.2.3 signed.dcm
+ra signed.dcm
+t q.tsq r.tsr u.uid signed.dcm
--verify signed.dcm out.dcm
signed.dcm out.dcm
-te in.dcm
-tb in.dcm
-ti in.dcm
-tb -ti in.dcm
+mm in.dcm
+m2 in.dcm
+pb in.dcm
+pc in.dcm
+pw secret in.dcm
-pw in.dcm
+ps in.dcm
-sp in.dcm
+sp 5 in.dcm
-ts in.dcm
+ts q u in.dcm
+d dump in.dcm
+tm2 in.dcm
-tn {S} in.dcm out.dcm
+tp 1.2 {S} in.dcm out.dcm
+tm2 {S} in.dcm out.dcm
{S} +ts q u -ts +tm5 in.dcm out.dcm
{S} +cf ca.pem in.dcm out.dcm
{S} +cd . in.dcm out.dcm
{S} +rg in.dcm out.dcm
{S} +tr in.dcm out.dcm
{S} +cl in.dcm out.dcm
+ra +rv signed.dcm out.dcm
+ra +m2 signed.dcm out.dcm
+ra +d dump signed.dcm out.dcm
{S} +sp 0 in.dcm out.dcm
{S} +sp 19 in.dcm out.dcm
{S} +sp x in.dcm out.dcm
{S} +sp -1 in.dcm out.dcm
{S} -t Nonsense in.dcm out.dcm
{S} -t (0010,0010) in.dcm out.dcm
{I} BeamSequence[0] +pc plan.dcm out.dcm
{I} BeamSequence[0] +pr plan.dcm out.dcm
{I} BeamSequence[0] +pv plan.dcm out.dcm
{I} BeamSequence[0] +pa plan.dcm out.dcm
-t Nonsense +d dump in.dcm
{S} -t "0010 ,0010" in.dcm out.dcm
{S} -t patientname in.dcm out.dcm
{S} -t "" in.dcm out.dcm
{S} -t "Patient's Name" in.dcm out.dcm
{S} -t "Unknown Tag & Data" in.dcm out.dcm
{S} -t SIEMENSMEDHeader in.dcm out.dcm
+lp +zz
--help +zz
+cf
@swallowed.txt
@comment.txt
--arguments
-te +f in.dcm
-f +fo -te raw.dcm
+sp -1 {S} in.dcm out.dcm
+sp 0 {S} in.dcm out.dcm
"""

# --- deliberate differences: dcmsign's exit code, ours, and the row of the table in the docs -----

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
    "removing from an object with such a sequence": "test_same_command_lines.py::"
    "test_dcmsign_never_ends",
    "what `--verbose` prints": "test_same_command_lines.py::test_what_is_said_otherwise",
}


def lines(text: str) -> list[str]:
    """The command lines of a block; ``(nothing)`` is none at all."""
    return [full(line) for line in text.splitlines() if line]


def full(line: str) -> str:
    """With what ``{S}`` and ``{I}`` are short for."""
    return line.replace("{S}", SIGN).replace("{I}", ITEM)


SAME = lines(
    COMMAND_LINE + STREAMS + READING + VERIFYING + MESSAGES + PROFILES + REVOCATION + signing.ALL
)
USAGE = lines(WRONG)

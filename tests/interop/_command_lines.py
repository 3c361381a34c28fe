"""The command lines on which dcmsign and dicomseal-dcmsign are compared, as data.

Both run in a folder of their own with the same files in it (see `test_same_command_lines`). A line
after which the two differ has a reason, and stands in ``docs/dcmsign.md``.
"""

from __future__ import annotations

SIGN = "+s key.pem cert.pem"
ITEM = "+si key.pem cert.pem"

# --- the same exit code, the same verdicts, the same object --------------------------------------

COMMAND_LINE = """
(nothing)
--help
-h
--version
-q
-q in.dcm
in.dcm out.dcm another.dcm
+zz in.dcm
--ver in.dcm
--version +zz
-v -q in.dcm
-d signed.dcm
-ll foo signed.dcm
-ll error signed.dcm
-ll warn -v signed.dcm
-ll info signed.dcm
-lc nothing signed.dcm
-lc tags.txt signed.dcm
-lc tags.txt -q signed.dcm
-ll
--arguments signed.dcm
@command.txt
@quoted.txt
@nothing.txt
@
+s key.pem
+s key.pem cert.pem
+s key.pem cert.pem in.dcm
+si key.pem cert.pem
+si key.pem cert.pem BeamSequence[0] in.dcm
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
-tn +s key.pem cert.pem in.dcm out.dcm
+tp 1.2 +s key.pem cert.pem in.dcm out.dcm
+tm2 +s key.pem cert.pem in.dcm out.dcm
+s key.pem cert.pem +ts q u -ts +tm5 in.dcm out.dcm
+s key.pem cert.pem +cf ca.pem in.dcm out.dcm
+s key.pem cert.pem +cd . in.dcm out.dcm
+s key.pem cert.pem +rg in.dcm out.dcm
+s key.pem cert.pem +tr in.dcm out.dcm
+s key.pem cert.pem +cl in.dcm out.dcm
+ra +rv signed.dcm out.dcm
+ra +m2 signed.dcm out.dcm
+ra +d dump signed.dcm out.dcm
+s key.pem cert.pem +sp 0 in.dcm out.dcm
+s key.pem cert.pem +sp 19 in.dcm out.dcm
+s key.pem cert.pem +sp x in.dcm out.dcm
+s key.pem cert.pem +sp -1 in.dcm out.dcm
+s key.pem cert.pem -t Nonsense in.dcm out.dcm
+s key.pem cert.pem -t (0010,0010) in.dcm out.dcm
+s key.pem cert.pem -tf nothing in.dcm out.dcm
+s key.pem cert.pem -tf bad-tags.txt in.dcm out.dcm
+s key.pem cert.pem -tf open-tags.txt in.dcm out.dcm
+s key.pem cert.pem -tf unknown-tags.txt in.dcm out.dcm
+s key.pem cert.pem +d nothing/dump in.dcm out.dcm
+si key.pem cert.pem BeamSequence[0] +pc plan.dcm out.dcm
+si key.pem cert.pem BeamSequence[0] +pr plan.dcm out.dcm
+si key.pem cert.pem BeamSequence[0] +pv plan.dcm out.dcm
+si key.pem cert.pem BeamSequence[0] +pa plan.dcm out.dcm
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
"""

SIGNING = """
{S} in.dcm out.dcm
in.dcm {S} out.dcm
in.dcm out.dcm {S}
--sign key.pem cert.pem in.dcm out.dcm
{S} +mr in.dcm out.dcm
{S} +ms in.dcm out.dcm
{S} +mm in.dcm out.dcm
{S} +m2 in.dcm out.dcm
{S} +m3 in.dcm out.dcm
{S} +m5 in.dcm out.dcm
{S} +m5 +mr in.dcm out.dcm
{S} +mr +m5 in.dcm out.dcm
{S} -pf in.dcm out.dcm
{S} -fn in.dcm out.dcm
{S} -fo in.dcm out.dcm
{S} -sp in.dcm out.dcm
{S} -ts in.dcm out.dcm
{S} -v in.dcm out.dcm
{S} -t PatientName in.dcm out.dcm
{S} -t 0010,0010 -t PatientID in.dcm out.dcm
{S} -t PatientID -t 0010,0010 -t Modality in.dcm out.dcm
{S} -t 10,10 in.dcm out.dcm
{S} -t 0010,0010junk in.dcm out.dcm
{S} -t 0010,0010 -t PatientName in.dcm out.dcm
{S} -t PixelData in.dcm out.dcm
{S} -t 0010,9998 in.dcm out.dcm
{S} -t 0010,9998 -t PatientName in.dcm out.dcm
{S} -t 0008,0000 in.dcm out.dcm
{S} -t FFFA,FFFA in.dcm out.dcm
{S} -tf tags.txt in.dcm out.dcm
{S} -tf tags.txt -t Modality in.dcm out.dcm
-der +s key.der cert.der in.dcm out.dcm
-der +s key8.der cert.der in.dcm out.dcm
-der +s key.pem cert.der in.dcm out.dcm
-der +s key.der cert.pem in.dcm out.dcm
+s key.der cert.pem in.dcm out.dcm
+s key.pem cert.der in.dcm out.dcm
+s nothing cert.pem in.dcm out.dcm
+s key.pem nothing in.dcm out.dcm
+s cert.pem key.pem in.dcm out.dcm
+s other.pem cert.pem in.dcm out.dcm
+s encrypted.pem cert.pem +pw secret in.dcm out.dcm
+s encrypted.pem cert.pem +pw wrong in.dcm out.dcm
+s encrypted.pem cert.pem -pw in.dcm out.dcm
+s encrypted.pem cert.pem +pw secret -pw in.dcm out.dcm
+s encrypted.pem cert.pem -pw +pw secret in.dcm out.dcm
+s key.pem cert.pem +pw secret in.dcm out.dcm
+s ec.key ec.crt +m2 in.dcm out.dcm
+s dsa.key dsa.crt +m2 in.dcm out.dcm
+s weak.key weak.crt in.dcm out.dcm
{S} implicit.dcm out.dcm
{S} big.dcm out.dcm
{S} jpg.dcm out.dcm
{S} sr.dcm out.dcm
{S} plan.dcm out.dcm
{S} undefined.dcm out.dcm
{S} signed.dcm out.dcm
{S} signed.dcm signed.dcm
{S} raw.dcm out.dcm
{S} -f raw.dcm out.dcm
{S} -f -te raw.dcm out.dcm
{S} in.dcm nothing/out.dcm
{S} in.dcm hashed
{S} nothing.dcm out.dcm
{S} tags.txt out.dcm
{S} +d dump in.dcm out.dcm
{S} +d dump jpg.dcm out.dcm
{S} +d dump -t PatientName -t Modality in.dcm out.dcm
{S} --verify in.dcm
--verify {S} in.dcm out.dcm
{S} +ra signed.dcm out.dcm
+ra {S} signed.dcm out.dcm
+s key.pem nothing +ra signed.dcm out.dcm
@sign.txt
"""

ITEMS = """
{I} BeamSequence[0] plan.dcm out.dcm
{I} "(300a,00b0)[0]" plan.dcm out.dcm
{I} "(300A,00B0)[0].(300a,0111)[1]" plan.dcm out.dcm
{I} BeamSequence[0].ControlPointSequence[0] plan.dcm out.dcm
{I} ContentSequence[1] sr.dcm out.dcm
{I} BeamSequence[0] +m2 -t BeamNumber plan.dcm out.dcm
{I} BeamSequence[0] +d dump -t BeamNumber -t BeamName plan.dcm out.dcm
{I} BeamSequence[0] -e plan.dcm out.dcm
{I} BeamSequence[9] plan.dcm out.dcm
{I} Nonsense[0] plan.dcm out.dcm
{I} PatientName[0] plan.dcm out.dcm
{I} ContentSequence[0] plan.dcm out.dcm
{I} BeamSequence plan.dcm out.dcm
{I} BeamSequence[-1] plan.dcm out.dcm
{I} BeamSequence[0]. plan.dcm out.dcm
{I} BeamSequence[] plan.dcm out.dcm
{I} "" plan.dcm out.dcm
{I} 300a,00b0[0] plan.dcm out.dcm
{I} "BeamSequence [0]" plan.dcm out.dcm
{I} " BeamSequence[0]" plan.dcm out.dcm
{S} {I} BeamSequence[0] plan.dcm out.dcm
"""

WRITING = """
{S} +t= in.dcm out.dcm
{S} +te in.dcm out.dcm
{S} +tb in.dcm out.dcm
{S} +ti in.dcm out.dcm
{S} +te implicit.dcm out.dcm
{S} +te big.dcm out.dcm
{S} +tb big.dcm out.dcm
{S} +ti big.dcm out.dcm
{S} +te sr.dcm out.dcm
{S} +ti sr.dcm out.dcm
{S} +tb sr.dcm out.dcm
{S} +te plan.dcm out.dcm
{S} +tb plan.dcm out.dcm
{S} +te jpg.dcm out.dcm
{S} +tb jpg.dcm out.dcm
{S} +ti jpg.dcm out.dcm
{S} +te -e plan.dcm out.dcm
{S} +e undefined.dcm out.dcm
{S} -e undefined.dcm out.dcm
{S} -e plan.dcm out.dcm
{S} -e +e plan.dcm out.dcm
{S} -e sr.dcm out.dcm
{S} -e jpg.dcm out.dcm
{S} +te +tb in.dcm out.dcm
{S} +tb +te big.dcm out.dcm
"""

REMOVING = """
+ra signed.dcm out.dcm
--remove-all signed.dcm out.dcm
+ra two.dcm out.dcm
+ra item.dcm out.dcm
+ra in.dcm out.dcm
+ra jpg-signed.dcm out.dcm
+ra -e signed.dcm out.dcm
+ra +tb signed.dcm out.dcm
+ra altered.dcm out.dcm
+ra +ti private-signed.dcm out.dcm
+ra deflated.dcm out.dcm
+ra nothing.dcm out.dcm
+ra raw-signed.dcm out.dcm
+r 1.2.3 signed.dcm out.dcm
+r "" signed.dcm out.dcm
+r 1.2.3 in.dcm out.dcm
+r {uid} signed.dcm out.dcm
--remove {uid} signed.dcm out.dcm
+r {uid} two.dcm out.dcm
+r {item uid} two.dcm out.dcm
+r {uid} +ti signed.dcm out.dcm
+r {uid} -v signed.dcm out.dcm
"""

# --- what a build without these rooms refuses ----------------------------------------------------

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
"""

REVOCATION = """
+cf ca.pem +cl signed.dcm
+cf ca.pem +cr crl.pem signed.dcm
+cf ca.pem +cr crl.pem +cl signed.dcm
+cf ca.pem +cr revoked.pem signed.dcm
+cf ca.pem +cr old-crl.pem signed.dcm
-der +cf ca.der +cr crl.der signed.dcm
+cd hashed +cl signed.dcm
"""

TIMESTAMPS = """
{S} +ts q u in.dcm out.dcm
{S} +ts q u +tm3 in.dcm out.dcm
{S} +ts q u +tm5 in.dcm out.dcm
{S} +ts q u +tmr in.dcm out.dcm
{S} +ts q u +tms in.dcm out.dcm
{S} +ts q u +tmm in.dcm out.dcm
{S} +ts q u -tn -tc +tp 1.2.3 in.dcm out.dcm
{S} +ts q u +tp 1.2.3 -tp in.dcm out.dcm
{S} +ts q u +tp nonsense in.dcm out.dcm
{S} +ts nothing/q u in.dcm out.dcm
{S} +ts q nothing/u in.dcm out.dcm
{S} -ts +ts q u in.dcm out.dcm
+t nothing r.tsr u.uid signed.dcm out.dcm
+t q.tsq nothing u.uid signed.dcm out.dcm
+t q.tsq q.tsq u.uid signed.dcm out.dcm
+t q.tsq r.tsr nothing stamp-me.dcm out.dcm
+t q.tsq r.tsr u.uid stamp-me.dcm out.dcm
+t q.tsq r.tsr u.uid signed.dcm out.dcm
+t q.tsq r.tsr other.uid signed.dcm out.dcm
+t other.tsq r.tsr u.uid stamp-me.dcm out.dcm
+cf ca.pem +tv stamped.dcm
+cf ca.pem +tr stamped.dcm
+cf ca.pem -tv stamped.dcm
stamped.dcm
"""

# --- deliberate differences: dcmsign's exit code, ours, and the row of the table in the docs -----

DIFFERENT = {
    "{S} -tf empty.txt in.dcm out.dcm": (0, 85, "an empty list of tags"),
    "+cf ca.pem duplicate.dcm": (0, 101, "a second, forged Patient's Name"),
    "+cf ca.pem duplicate-unsigned-element.dcm": (0, 101, "two readers see two contents"),
    "{S} duplicate-unsigned.dcm out.dcm": (0, 85, "sign an object with a tag twice"),
    "{S} +ti private.dcm out.dcm": (0, 0, "private elements of unknown VR"),
    "{S} deflated.dcm out.dcm": (0, 0, "MAC Calculation Transfer Syntax"),
    "{S} +te deflated.dcm out.dcm": (0, 0, "MAC Calculation Transfer Syntax"),
    "{S} +ti private-signed.dcm out.dcm": (0, 40, "a conversion that breaks a signature"),
    "-lc logger.cfg signed.dcm": (101, 101, "`--log-config`"),
    "{S} +pr sr.dcm out.dcm": (0, 85, "an SR profile without a purpose"),
    "{S} -fo jpg.dcm out.dcm": (0, 85, "signing in the old format"),
    "+cf ca.pem -fo jpg-signed.dcm": (101, 0, "`-fo` and a signature in the new format"),
    "+cf ca.pem west.dcm": (101, 0, "Digital Signature DateTime"),
    "+cf ca.pem first-second.dcm": (101, 0, "the second of notBefore"),
    "{S} un-sequence.dcm out.dcm": (0, 85, "UN of undefined length"),
    "{S} dicomdir out.dcm": (0, 85, "nothing in it that can be signed"),
}


def lines(text: str) -> list[str]:
    """The command lines of a block; ``(nothing)`` is none at all."""
    return [line.replace("{S}", SIGN).replace("{I}", ITEM) for line in text.strip().splitlines()]

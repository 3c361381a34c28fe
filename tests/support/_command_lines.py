"""The command lines on which dcmsign and dicomseal-dcmsign are compared, as data.

Both run in a folder of their own with the same files in it (see `_kitchen`). A line after which the
two differ has a reason, and stands in ``docs/dcmsign.md``. ``{S}`` and ``{I}`` are short for
signing with the usual key; what stands behind ``<`` comes on standard input.
"""

from __future__ import annotations

import _command_lines_signing as signing
from _command_lines_wrong import WRONG

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

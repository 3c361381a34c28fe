"""Command lines that make no sense to dcmsign or to dicomseal-dcmsign (see `_command_lines`)."""

from __future__ import annotations

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

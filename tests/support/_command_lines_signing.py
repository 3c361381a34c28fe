"""The command lines that write, as in `_command_lines`: sign, remove, stamp; tags, encodings."""

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
{S} +pw secret in.dcm out.dcm
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
+s key.pem "" in.dcm out.dcm
+s "" cert.pem in.dcm out.dcm
{S} group.dcm out.dcm
{S} padded.dcm out.dcm
{S} padded-plan.dcm out.dcm
{S} +d "" in.dcm out.dcm
{S} +d a +d dump in.dcm out.dcm
{S} in.dcm ""
-q {S} in.dcm nothing/out.dcm
-fo {S} in.dcm out.dcm
{S} {S} in.dcm out.dcm
+s nothing nothing {S} in.dcm out.dcm
{S} history.dcm out.dcm
+s expired.key expired.crt in.dcm out.dcm
+s weak.key weak.crt +m2 in.dcm out.dcm
+s cert.pem cert.pem in.dcm out.dcm
-der +s key8.der cert.der +pw x in.dcm out.dcm
{S} -td implicit.dcm out.dcm
{S} -uc became-un.dcm out.dcm
{S} +uc became-un.dcm out.dcm
{S} -ll debug in.dcm out.dcm
{S} -ll trace in.dcm out.dcm
{S} -ll fatal in.dcm nothing/out.dcm
{S} deflated.dcm nothing/out.dcm
"""

TAGS = """
-tf nothing +ts q u in.dcm
-tf nothing +d dump in.dcm
-tf nothing +tm2 in.dcm
-t Nonsense -tf nothing {S} in.dcm out.dcm
{S} -t 0x0010,0x0010 in.dcm out.dcm
{S} -t OverlayData in.dcm out.dcm
{S} -t "0010, 0010" in.dcm out.dcm
{S} -t " 0010,0010" in.dcm out.dcm
{S} -t -10,10 in.dcm out.dcm
{S} -t 10010,10010 in.dcm out.dcm
{S} -t 0000100010,10 in.dcm out.dcm
{S} -tf nul-tags.txt in.dcm out.dcm
{S} -tf dot-tags.txt in.dcm out.dcm
{S} -tf index-tags.txt in.dcm out.dcm
{S} -tf hex-tags.txt in.dcm out.dcm
{S} -tf comma-tags.txt in.dcm out.dcm
{S} -tf glued-tags.txt in.dcm out.dcm
{S} -tf comment-tags.txt in.dcm out.dcm
{S} -tf crlf-tags.txt in.dcm out.dcm
{S} -tf bom-tags.txt in.dcm out.dcm
{S} -tf repeating-tags.txt in.dcm out.dcm
{S} -tf twice-tags.txt in.dcm out.dcm
{S} -tf nil-tags.txt in.dcm out.dcm
{S} -tf closed-tags.txt in.dcm out.dcm
{S} -tf "" in.dcm out.dcm
{S} -tf bad-tags.txt -tf tags.txt in.dcm out.dcm
{S} -tf tags.txt -tf bad-tags.txt in.dcm out.dcm
{S} -t PatientName -tf empty.txt in.dcm out.dcm
{S} +pa -t PatientName in.dcm out.dcm
{S} +pc -t 0010,9998 in.dcm out.dcm
{S} -t RETIRED_AcquisitionComments in.dcm out.dcm
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
{I} "BeamSequence[0] " plan.dcm out.dcm
{I} "BeamSequence[0] .ControlPointSequence[0]" plan.dcm out.dcm
{I} "BeamSequence[0]. ControlPointSequence[0]" plan.dcm out.dcm
{I} "BeamSequence[0].ControlPointSequence [0]" plan.dcm out.dcm
{I} "BeamSequence[ 0]" plan.dcm out.dcm
{I} "(0x300a,0x00b0)[0]" plan.dcm out.dcm
{I} "(300a, 00b0)[0]" plan.dcm out.dcm
{I} "(300a ,00b0)[0]" plan.dcm out.dcm
{I} "(300a,00b0junk)[0]" plan.dcm out.dcm
{I} "BeamSequence[00]" plan.dcm out.dcm
{I} "BeamSequence[99999999999999999999999]" plan.dcm out.dcm
{I} "Beam_Sequence[0]" plan.dcm out.dcm
{I} "[0]" plan.dcm out.dcm
{I} "." plan.dcm out.dcm
{I} "ReferencedStructureSetSequence[0]" plan.dcm out.dcm
{I} BeamSequence[0] group-plan.dcm out.dcm
{I} BeamSequence[0] +ts q u plan.dcm out.dcm
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
{S} -e group-plan.dcm out.dcm
{S} +ti group.dcm out.dcm
{S} +tb group.dcm out.dcm
{S} +te group-implicit.dcm out.dcm
{S} +tb padded-plan.dcm out.dcm
{S} +t= +tb +t= in.dcm out.dcm
{S} +te +e undefined.dcm out.dcm
{S} +tb -e undefined.dcm out.dcm
{S} +ti -e undefined.dcm out.dcm
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
+ra +s "" "" in.dcm out.dcm
+s "" "" +ra in.dcm out.dcm
+ra group.dcm out.dcm
+ra padded.dcm out.dcm
+ra in.dcm ""
+r {uid} +uc signed.dcm out.dcm
+ra no-mac-id.dcm out.dcm
+r {uid} no-mac-id.dcm out.dcm
+ra no-algorithm.dcm out.dcm
+ra history.dcm out.dcm
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
{S} +ts "" u in.dcm out.dcm
{S} +ts q "" in.dcm out.dcm
+cf ca.pem +cr crl.pem stamped.dcm
+cf ca.pem +cr revoked.pem stamped.dcm
+cf ca.pem +cr old-crl.pem stamped.dcm
+cf ca.pem +cl stamped.dcm
+cf ca.pem brief.dcm
+cf ca.pem brief-stamped.dcm
+cf ca.pem -tv brief-stamped.dcm
+cf ca.pem +tr brief-stamped.dcm
+cf ca.pem +tr brief.dcm
+cf ca.pem +cr crl.pem brief-stamped.dcm
+cf ca.pem strange.dcm
+cf ca.pem +cf other-ca.pem strange.dcm
+cf ca.pem -tv strange.dcm
+cf ca.pem -tv weak-stamped.dcm
+cf ca.pem long-stamped.dcm
+cf ca.pem stamp-altered.dcm
+cf ca.pem -tv stamp-altered.dcm
+cf ca.pem +tr stamp-altered.dcm
+t q.tsq stranger.tsr u.uid stamp-me.dcm out.dcm
+t bare.tsq bare.tsr bare.uid bare-stamp-me.dcm out.dcm
+t policy.tsq policy.tsr policy.uid policy-stamp-me.dcm out.dcm
+t long.tsq long.tsr long.uid long-stamp-me.dcm out.dcm
+t q.tsq r.tsr other.uid other-stamp-me.dcm out.dcm
+t q.tsq r.tsr u.uid stamped.dcm out.dcm
+t q.tsq r.tsr u.uid in.dcm out.dcm
+t q.tsq r.tsr in.dcm stamp-me.dcm out.dcm
+t r.tsr r.tsr u.uid stamp-me.dcm out.dcm
+t "" r.tsr u.uid stamp-me.dcm out.dcm
+t q.tsq "" u.uid stamp-me.dcm out.dcm
+t q.tsq r.tsr "" stamp-me.dcm out.dcm
+t q.tsq r.tsr u.uid +tb stamp-me.dcm out.dcm
+t q.tsq r.tsr u.uid -e stamp-me.dcm out.dcm
+t q.tsq r.tsr u.uid stamp-me.dcm nothing/out.dcm
+t nothing nothing nothing nothing.dcm out.dcm
+s ec.key ec.crt +m2 +ts q u in.dcm out.dcm
+s dsa.key dsa.crt +m2 +ts q u in.dcm out.dcm
"""

ALL = SIGNING + TAGS + ITEMS + WRITING + REMOVING + TIMESTAMPS

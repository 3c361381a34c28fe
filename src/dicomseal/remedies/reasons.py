"""The remedies for the codes of reasons, of ETSI EN 319 102-1 but for two, and for two states."""

from __future__ import annotations

from .remedy import Remedy

_EXPLAIN = "dicomseal explain FILE"
_EXPLAIN_CHAIN = "dicomseal explain --trust ca.pem FILE"
_SIGN = "dicomseal sign FILE OUT --key key.pem --cert cert.pem"
_VERIFY = "dicomseal verify --trust ca.pem"

REASONS = {
    "HASH_FAILURE": Remedy(
        "altered",
        "the signature was made by this key, but over other content: something in the object was "
        "changed. The message has the hash that was signed and the hash of the present content",
        (
            (
                "find the original and compare it, element by element",
                "dicomseal explain FILE --against COPY",
            ),
        ),
    ),
    "SIG_CRYPTO_FAILURE": Remedy(
        "altered",
        "the signature value was not made by this key over this content; with RSA this means that "
        "the value or the certificate was exchanged or damaged",
        (
            ("see what the value and the certificate are", _EXPLAIN),
            ("compare with the original", "dicomseal explain FILE --against COPY"),
        ),
    ),
    "FORMAT_FAILURE": Remedy(
        "altered",
        "the signature is broken in itself: no MAC Parameters for its ID, an empty list, an empty "
        "value, a tag that can never be signed, a MAC transfer syntax that is not explicit VR "
        "little endian; or the pre-3.5.4 form of dcmsign; a list that matches nothing, or an "
        "element that has no place in the signature's item; on an object: two readers may read it "
        "in two ways, for example because a tag occurs twice or out of order",
        (
            ("see what is broken, and ask the vendor of the signer", _EXPLAIN),
            (
                "accept the old form of dcmsign, if it is that",
                f"{_VERIFY} --accept-legacy-format FILE",
            ),
        ),
    ),
    "NO_SIGNING_CERTIFICATE_FOUND": Remedy(
        "altered, unverifiable, untrusted",
        "there is no certificate (altered), or one that cannot be parsed or is of an unknown type "
        "(unverifiable)",
        (
            ("see what stands in its place, and ask the vendor of the signer", _EXPLAIN),
            ("sign it again with a certificate", _SIGN),
        ),
    ),
    "CRYPTO_CONSTRAINTS_FAILURE": Remedy(
        "altered, unverifiable, untrusted",
        "a key for RSASSA-PSS alone, which makes no signature of DICOM (altered); a MAC algorithm "
        "or kind of key that is not known; in the signature or its chain, an algorithm or key "
        "that is too weak for the policy",
        (
            ("sign anew with a stronger one", f"{_SIGN} --mac SHA256"),
            (
                "for old objects, if you know where they were kept, only warn",
                f"{_VERIFY} --weak warn FILE",
            ),
        ),
    ),
    "SIGNED_DATA_NOT_FOUND": Remedy(
        "unverifiable",
        "what was signed cannot be rebuilt: its VR is UN or was lost; implicit VR does not state "
        "the VRs of more elements than could be tried; a value is too long for its VR in explicit "
        "VR; or the pixel data were signed in another compression; on an object: a required "
        "signature is absent, or no signature has the required profile or is of the required "
        "kind; or it has no signature, and a part of it is missing, as `messages` say",
        (("see what is missing, and find a copy that was not converted", _EXPLAIN),),
        "verification.md#vrs-that-are-not-there",
    ),
    "SIG_CONSTRAINTS_FAILURE": Remedy(
        "on an object",
        "`--require-signed` or `--require-all-signed` is not met: no passing signature of the "
        "main data set covers an element",
        (
            (
                "list what no signature covers, and have the signer cover it",
                f"{_VERIFY} --list-uncovered FILE",
            ),
        ),
        "unsigned.md",
    ),
    "ENCODING_NOT_STATED": Remedy(
        "on an object",
        "readers may take another encoding: the File Meta Information is not exactly as PS3.10 "
        "requires (group length, VRs, order), names no known transfer syntax, or is absent. This "
        "code is not one of the standard",
        (
            ("write the file anew with its encoding stated (DCMTK)", "dcmconv FILE OUT"),
            (
                "name the encoding of a bare data set",
                f"{_VERIFY} --transfer-syntax 1.2.840.10008.1.2.1 FILE",
            ),
        ),
    ),
    "UNSIGNED_CONTENT": Remedy(
        "on an object",
        "an element that no passing signature covers says what a signed one means, or only items "
        "are signed; with `--unsigned reject`, any element that is not covered. This code is not "
        "one of the standard",
        (
            ("compare with the original", "dicomseal explain FILE --against COPY"),
            (
                "accept what was added, if you know who added it",
                f"{_VERIFY} --unsigned accept FILE",
            ),
        ),
        "unsigned.md",
    ),
    "NO_CERTIFICATE_CHAIN_FOUND": Remedy(
        "untrusted",
        "nothing leads from the signer to one of your anchors: the wrong anchor, or an "
        "intermediate certificate is missing",
        (
            (
                "name the certificates between the signer and your anchor",
                f"{_VERIFY} --intermediate sub-ca.pem FILE",
            ),
            (
                "name the signer, only if you really trust it",
                "dicomseal verify --trust-signer cert.pem FILE",
            ),
        ),
        "trust.md",
    ),
    "CERTIFICATE_CHAIN_GENERAL_FAILURE": Remedy(
        "untrusted",
        "a certificate in the chain was not signed by the issuer it names, cannot be read, or "
        "there are too many certificates that might be in the chain",
        (
            (
                "look at the certificates, as a forged one looks like this",
                _EXPLAIN_CHAIN,
            ),
        ),
        "trust.md",
    ),
    "CHAIN_CONSTRAINTS_FAILURE": Remedy(
        "untrusted",
        "the chain breaks a rule, possibly one of its anchor: path length, name constraints, "
        "policies, extended key usage, an unknown critical extension, two signature algorithms in "
        "one certificate, an issuer that is not a CA, a certificate that is not for signatures",
        (
            ("see which rule it breaks, and ask the authority", _EXPLAIN_CHAIN),
            (
                "accept other usages of keys, where your rules allow them",
                f"{_VERIFY} --policy policy.json FILE",
            ),
        ),
        "trust.md",
    ),
    "OUT_OF_BOUNDS_NO_POE": Remedy(
        "untrusted",
        "a certificate in the chain is not valid at the time that counts. The usual cause: it has "
        "expired since, and there is no proof (POE) that the signature existed before",
        (
            (
                "judge an old one at a time when you know that it existed",
                f"{_VERIFY} --at 2026-01-31T12:00:00Z FILE",
            ),
            (
                "take the signer's own time, if its clock is trusted",
                f"{_VERIFY} --accept-claimed-time FILE",
            ),
            ("have new signatures timestamped", f"{_SIGN} --tsa http://tsa.example/"),
        ),
        "timestamps.md",
    ),
    "REVOKED_NO_POE": Remedy(
        "untrusted",
        "the signer's certificate was revoked at the time that counts, or is not to be relied on "
        "since then",
        (
            (
                "see when and why, and ask the authority; what was signed before needs a timestamp",
                "dicomseal explain --trust ca.pem --crl ca.crl FILE",
            ),
        ),
        "trust.md",
    ),
    "REVOKED_CA_NO_POE": Remedy(
        "untrusted",
        "the same of an authority in the chain",
        (
            (
                "see when and why; it concerns all that this authority has issued",
                "dicomseal explain --trust ca.pem --crl ca.crl FILE",
            ),
        ),
        "trust.md",
    ),
    "TRY_LATER": Remedy(
        "untrusted",
        "whether a certificate was revoked is not known: a CRL or OCSP response is required and "
        "missing, out of date, not authentic, or cannot speak of this certificate",
        (
            ("bring a newer CRL or OCSP response", f"{_VERIFY} --crl ca.crl FILE"),
            ("or have it fetched", f"{_VERIFY} --fetch FILE"),
        ),
        "trust.md",
    ),
    "TIMESTAMP_ORDER_FAILURE": Remedy(
        "untrusted",
        "of a timestamp: it is from after the time of validation",
        (
            (
                "look at the clocks, and name the time of validation",
                f"{_VERIFY} --tsa-trust tsa.pem --at 2026-01-31T12:00:00Z FILE",
            ),
        ),
        "timestamps.md",
    ),
    "NO_POE": Remedy(
        "on an object",
        "a certified timestamp is required, and there is none of a signature over the main data "
        "set",
        (
            ("ask an authority for one", "dicomseal timestamp query FILE --out request.tsq"),
            ("and put its answer in", "dicomseal timestamp insert FILE OUT --response answer.tsr"),
        ),
        "timestamps.md",
    ),
    "GENERIC": Remedy(
        "not checked",
        "of a timestamp: it could not be checked, because pyHanko is not installed",
        (("install it", "pip install dicomseal[timestamp]"),),
    ),
}  # fmt: skip

STATES = {
    "NOT_CHECKED": Remedy(
        "not checked",
        "nobody was named as trusted, so a forger's own key would do as well",
        (
            (
                "name whom you trust, by a certificate that you did not take from the object",
                f"{_VERIFY} FILE",
            ),
            ("or the signer alone", "dicomseal verify --trust-signer cert.pem FILE"),
            ("or ask for integrity alone", "dicomseal verify --integrity-only FILE"),
        ),
        "trust.md",
    ),
    "UNSIGNED": Remedy(
        "on an object",
        "there is no signature in it",
        (
            ("sign it", _SIGN),
            ("fail objects without one", f"{_VERIFY} --require signature FILE"),
        ),
    ),
}

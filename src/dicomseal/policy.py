"""The requirements for certificates: keys, hash algorithms, usages, revocation. Data only.

An algorithm or key is *strong*, *weak* (accepted with a warning unless ``weak`` says otherwise) or
*broken* (accepted only by ``weak="accept"``). The sizes are those of NIST SP 800-131A Rev. 2 and
ETSI TS 119 312. Certificates over MD5 have been forged by collisions, and SHA-1 is not better, so
in a chain both are broken rather than weak; a policy file can say ``"weak_hashes": ["sha1"]``.

>>> from dicomseal import TrustStore, verify
>>> from dicomseal.policy import ANY, DEFAULT, REJECT
>>> strict = DEFAULT.but(name="ours", weak=REJECT)
>>> report = verify("old.dcm", trust=TrustStore.from_files("ca.pem", policy=strict))
>>> report.verdict, report.signatures[0].trust_reason.code
('indeterminate', 'CRYPTO_CONSTRAINTS_FAILURE')
"""

from __future__ import annotations

import os

import msgspec

from .errors import UsageError

STRONG, WEAK, BROKEN = "strong", "weak", "broken"
ACCEPT, WARN, REJECT = "accept", "warn", "reject"
OFF, IF_AVAILABLE, REQUIRE = "off", "if-available", "require"
CHECK, IGNORE = "check", "ignore"

ANY = frozenset(("any",))
"""In place of names: this property is not checked. An empty set of names accepts nothing.

>>> from dicomseal import TrustStore
>>> old = DEFAULT.but(name="old devices", key_usages=ANY)
>>> verify("signed.dcm", trust=TrustStore.from_files("ca.pem", policy=old)).verdict
'passed'
>>> none = DEFAULT.but(name="nobody", signer_keys={})
>>> verify("signed.dcm", trust=TrustStore.from_files("ca.pem", policy=none)).verdict
'indeterminate'
"""

WEAK_CHOICES = (ACCEPT, WARN, REJECT)
REVOCATION_CHOICES = (OFF, IF_AVAILABLE, REQUIRE)
ANCHOR_CHOICES = (CHECK, IGNORE)

# RFC 9336 document signing; hospital CAs issue e-mail and client authentication
_FOR_DOCUMENTS = ("any_extended_key_usage", "1.3.6.1.5.5.7.3.36", "email_protection", "client_auth")
SIGNING_PURPOSES = frozenset(
    _FOR_DOCUMENTS
    + ("code_signing", "microsoft_document_signing", "adobe_authentic_documents_trust")
)
"""Purposes in Extended Key Usage for signatures that are relied upon later."""

_HASHES = frozenset(
    ("sha224", "sha256", "sha384", "sha512", "sha512_224", "sha512_256")
    + ("sha3_224", "sha3_256", "sha3_384", "sha3_512", "shake256")
)
# kind: smallest size in bits that is strong, smallest that is merely weak
_SIGNER_KEYS = {"RSA": (2048, 1024), "ECDSA": (224, 160), "DSA": (2048, 1024)}
_CA_KEYS = {**_SIGNER_KEYS, "Ed25519": (0, 0), "Ed448": (0, 0)}


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The requirements for a certificate and its chain.

    Attributes:
        name: what reports call it.
        weak: ``accept`` (even what is broken), ``warn`` or ``reject`` what is weak.
        revocation: ``off``; ``if-available``: what is at hand must speak for the certificate;
            ``require``: something must be at hand for each certificate below the anchor.
        hashes: hash algorithms in certificates, CRLs and OCSP responses that are strong.
        weak_hashes: those that are weak; all others are broken.
        signer_keys, ca_keys: kind of key to the least size that is strong and the least that is
            weak, in bits; smaller ones are broken, kinds not named are not accepted at all.
        key_usages: a signer's Key Usage must have one of these, if the extension is there.
        key_usage_required: whether a signer's certificate must have the extension.
        extended_key_usages: if a signer's certificate has Extended Key Usage, one of these must
            be in it. Names as in `asn1crypto`, or dotted numbers.
        authority_usages: what the Extended Key Usages of the authorities in a chain, the anchor's
            too, leave in common must hold one of these.
        anchor_validity: ``check`` that an anchor, too, is valid at the time that counts, or
            ``ignore`` its dates.
        anchor_dates: the older name: true is ``check``, false is ``ignore``.
        longest_chain: most authorities between a signer and the anchor, those left out that
            certify themselves; None: as many as path lengths allow.
        certificate_policies: dotted numbers; one of them must be valid for the whole chain
            (RFC 5280 Section 6.1.1 c and e).

    `ANY` means that a property is not checked. In these four fields it is a set with ``"any"`` in
    it. The default has it in ``extended_key_usages`` and ``certificate_policies``. An empty set
    accepts nothing.

    >>> strict = Policy(name="ours", weak=REJECT, signer_keys={"RSA": (3072, 2048)})
    >>> strict.grade_key("RSA", 2048), strict.accepts(strict.grade_key("RSA", 2048))
    ('weak', False)
    """

    name: str = "default"
    weak: str = WARN
    revocation: str = IF_AVAILABLE
    hashes: frozenset[str] = _HASHES
    weak_hashes: frozenset[str] = frozenset()
    signer_keys: dict[str, tuple[int, int]] = msgspec.field(default_factory=_SIGNER_KEYS.copy)
    ca_keys: dict[str, tuple[int, int]] = msgspec.field(default_factory=_CA_KEYS.copy)
    key_usages: frozenset[str] = frozenset({"digital_signature", "non_repudiation"})
    key_usage_required: bool = False
    extended_key_usages: frozenset[str] = ANY
    authority_usages: frozenset[str] = SIGNING_PURPOSES
    anchor_validity: str = CHECK
    anchor_dates: bool | None = None
    longest_chain: int | None = None
    certificate_policies: frozenset[str] = ANY

    def __post_init__(self) -> None:
        if self.anchor_dates is not None:
            choice = CHECK if self.anchor_dates else IGNORE
            msgspec.structs.force_setattr(self, "anchor_validity", choice)
            msgspec.structs.force_setattr(self, "anchor_dates", None)
        if self.anchor_validity not in ANCHOR_CHOICES:
            raise ValueError(
                f"anchor_validity is one of {', '.join(ANCHOR_CHOICES)}, "
                f"not {self.anchor_validity!r}"
            )
        if self.weak not in WEAK_CHOICES:
            raise ValueError(f"weak is one of {', '.join(WEAK_CHOICES)}, not {self.weak!r}")
        if self.revocation not in REVOCATION_CHOICES:
            raise ValueError(
                f"revocation is one of {', '.join(REVOCATION_CHOICES)}, not {self.revocation!r}"
            )

    def grade_hash(self, name: str) -> str:
        """Grade a hash algorithm, named as in `asn1crypto`: ``strong``, ``weak`` or ``broken``."""
        if name in self.hashes:
            return STRONG
        return WEAK if name in self.weak_hashes else BROKEN

    def grade_key(self, kind: str, size: int, ca: bool = False) -> str:
        """Grade a key in the same way; return an empty string for a kind that is not accepted.

        Args:
            kind: e.g. ``RSA``, as in `Policy.signer_keys`.
            size: in bits.
            ca: whether it is a CA's.
        """
        least = (self.ca_keys if ca else self.signer_keys).get(kind)
        if least is None:
            return ""
        return STRONG if size >= least[0] else WEAK if size >= least[1] else BROKEN

    def accepts(self, grade: str) -> bool:
        """Return whether something of this grade is accepted in a chain."""
        worst = {ACCEPT: (STRONG, WEAK, BROKEN), WARN: (STRONG, WEAK), REJECT: (STRONG,)}
        return grade in worst[self.weak]

    def but(self, **changes: object) -> Policy:
        """Return the same policy with some fields changed; None leaves a field as it is.

        Raises:
            UsageError: a field cannot have this value.
        """
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        fields |= {name: value for name, value in changes.items() if value is not None}
        try:
            return Policy(**fields)
        except (TypeError, ValueError) as error:
            raise UsageError(f"policy: {error}") from None


DEFAULT = Policy()
STRICT = Policy(
    name="strict",
    weak=REJECT,
    revocation=REQUIRE,
    signer_keys={"RSA": (2048, 2048), "ECDSA": (256, 256)},
    ca_keys={"RSA": (2048, 2048), "ECDSA": (256, 256), "Ed25519": (0, 0), "Ed448": (0, 0)},
    key_usage_required=True,
    extended_key_usages=frozenset(_FOR_DOCUMENTS),
    authority_usages=frozenset(_FOR_DOCUMENTS),
)
PRESETS = {policy.name: policy for policy in (DEFAULT, STRICT)}


def load(name: str | os.PathLike[str]) -> Policy:
    """Load a preset by name, or a JSON file with some fields; the others are as in ``default``.

    >>> load("strict").revocation
    'require'

    Raises:
        UsageError: neither a preset nor a file has this name, or the file is not a policy.
    """
    text = os.fspath(name)
    if text in PRESETS:
        return PRESETS[text]
    try:
        with open(text, "rb") as file:
            return msgspec.json.decode(file.read(), type=Policy)
    except FileNotFoundError:
        known = " or ".join(PRESETS)
        raise UsageError(f"{text}: neither a file nor a policy's name ({known})") from None
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{text}: no policy: {why}") from None

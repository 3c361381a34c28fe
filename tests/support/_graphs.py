"""Certificates of a stranger, in graphs that make whoever looks for a path look for ever."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@lru_cache
def key(number: int) -> ec.EllipticCurvePrivateKey:
    del number
    return ec.generate_private_key(ec.SECP256R1())


def certificate(subject, public, issuer, private, *extensions) -> bytes:
    """DER; an extension here is critical."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(public.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(1000))
        .not_valid_after(NOW + timedelta(1000))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@lru_cache
def namesakes(count: int, issuer: str = "X") -> tuple[bytes, ...]:
    """Certificates of one name and its issuer's, each of which may have issued each other."""
    some = random.Random(count)
    keys = [key(number) for number in range(8)]
    return tuple(
        certificate(issuer, some.choice(keys), issuer, some.choice(keys)) for _ in range(count)
    )


def token(value: bytes, others: tuple[bytes, ...], issuer: str = "X") -> bytes:
    """An intact timestamp of a signature, by an authority that such certificates may have issued.

    Args:
        value: the Signature value.
        others: certificates that it brings beside its authority's.
        issuer: by whom that is, it says.
    """
    own = key(100)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    leaf = certificate("T", own, issuer, key(0), usage)
    content = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3",
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha256"},
                "hashed_message": hashlib.sha256(value).digest(),
            },
            "serial_number": 1,
            "gen_time": NOW - timedelta(1),
        }
    ).dump()
    named = tsp.SigningCertificateV2({"certs": [{"cert_hash": hashlib.sha256(leaf).digest()}]})
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["tst_info"]},
            {"type": "message_digest", "values": [hashlib.sha256(content).digest()]},
            {"type": "signing_certificate_v2", "values": [named]},
        ]
    )
    loaded = asn1.Certificate.load(leaf)
    signer = {
        "version": "v1",
        "sid": cms.SignerIdentifier(
            {
                "issuer_and_serial_number": {
                    "issuer": loaded.issuer,
                    "serial_number": loaded.serial_number,
                }
            }
        ),
        "digest_algorithm": {"algorithm": "sha256"},
        "signed_attrs": attributes,
        "signature_algorithm": {"algorithm": "sha256_ecdsa"},
        "signature": own.sign(attributes.dump(), ec.ECDSA(hashes.SHA256())),
    }
    return cms.ContentInfo(
        {
            "content_type": "signed_data",
            "content": {
                "version": "v3",
                "digest_algorithms": [{"algorithm": "sha256"}],
                "encap_content_info": {
                    "content_type": "tst_info",
                    "content": core.ParsableOctetString(content),
                },
                "certificates": [asn1.Certificate.load(der) for der in (leaf, *others)],
                "signer_infos": [signer],
            },
        }
    ).dump()

"""The command lines by which a person checks a signature without this program, with OpenSSL."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .subject import Explained

STREAM, MAC, VALUE, CERTIFICATE, KEY = (
    "stream.bin", "mac.bin", "signature.bin", "certificate.pem", "key.pem",
)  # fmt: skip
_HASHES = {
    "RIPEMD160": "-ripemd160", "MD5": "-md5", "SHA1": "-sha1", "SHA256": "-sha256",
    "SHA384": "-sha384", "SHA512": "-sha512",
}  # fmt: skip
# OpenSSL 3 keeps RIPEMD-160 where it must be asked for
_PROVIDERS = {"RIPEMD160": " -provider legacy -provider default"}


def commands(one: Explained) -> tuple[str, ...]:
    """The lines of a shell, over the files that ``--export`` writes; none if nothing can be."""
    algorithm = one.mac.algorithm if one.mac else ""
    if algorithm not in _HASHES or not one.key or not one.computed:
        return ()
    dgst = f"openssl dgst{_PROVIDERS.get(algorithm, '')} {_HASHES[algorithm]}"
    lines = [
        f"openssl x509 -in {CERTIFICATE} -noout -pubkey > {KEY}",
        f"{dgst} {STREAM}",
        f"{dgst} -verify {KEY} -signature {VALUE} {STREAM}",
    ]
    if one.key == "RSA":
        lines.insert(
            2,
            f"openssl pkeyutl -verifyrecover -pubin -inkey {KEY} -in {VALUE} | openssl asn1parse "
            "-inform DER",
        )
    return tuple(lines)

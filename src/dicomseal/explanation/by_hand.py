"""The command lines by which a person can check a signature with OpenSSL, without this program."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .chain import ANCHOR, AUTHORITY

if TYPE_CHECKING:
    from .chain import Link
    from .subject import Explained

STREAM, MAC, VALUE, CERTIFICATE, KEY = (
    "stream.bin", "mac.bin", "signature.bin", "certificate.pem", "key.pem",
)  # fmt: skip
AUTHORITIES, TRUSTED = "authorities.pem", "anchor.pem"
_HASHES = {
    "RIPEMD160": "-ripemd160", "MD5": "-md5", "SHA1": "-sha1", "SHA256": "-sha256",
    "SHA384": "-sha384", "SHA512": "-sha512",
}  # fmt: skip
# in OpenSSL 3, RIPEMD-160 is only available on request
_PROVIDERS = {"RIPEMD160": " -provider legacy -provider default"}


def commands(one: Explained) -> tuple[str, ...]:
    """Return shell commands for the files that ``--export`` writes; none if nothing can be checked.

    The last one prints the answer: ``Verified OK`` or ``Verification failure``.
    """
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


def chain_command(one: Explained, links: tuple[Link, ...]) -> str:
    """Return the line for the chain, at the time that counts.

    Empty if it does not reach an anchor.
    """
    if not any(link.role == ANCHOR for link in links) or not one.report.judged_at:
        return ""
    when = int(datetime.fromisoformat(one.report.judged_at).timestamp())
    between = f" -untrusted {AUTHORITIES}" if any(x.role == AUTHORITY for x in links) else ""
    return f"openssl verify -partial_chain -attime {when} -CAfile {TRUSTED}{between} {CERTIFICATE}"

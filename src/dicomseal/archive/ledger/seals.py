"""Seals: signatures over the head of the chain, at the beginning of a run and after each batch.

The end of a run is signed once. A run that was killed has no end, and anyone who can write to the
ledger can append rows after the last signed end; a run that is resumed would sign them as its own.
So the key signs after every batch, which costs a millisecond for up to 1,024 files (with a token
perhaps fifty), and nothing is verified twice after a crash. The alternative, to verify everything
of an unfinished run again, needs no such signatures, but loses hours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from ...signature import certificate
from ...signature.certificate import Certificate
from . import hash_chain
from .ledger import Ledger, Run

_KINDS = frozenset({"RSA", "DSA", "ECDSA"})


def holds(whose: Certificate, data: bytes, signature: bytes) -> bool:
    """Return whether a signature in a ledger, with SHA-256, is by the owner of a certificate."""
    if certificate.kind_of(whose.public_key) not in _KINDS:
        return False
    digest = hashlib.sha256(data).digest()
    return certificate.verify_mac(whose.public_key, digest, "SHA256", signature)


def seals(ledger: Ledger, run: Run) -> list[tuple[int, bytes | None, bytes]]:
    """Return of a run's beginning (0) and batches: the number, the seal, and the data under it."""
    found = [(0, run.seal, run.head), *((one.number, one.seal, one.head)
             for one in ledger.batches(run.number))]  # fmt: skip
    return [(number, seal, hash_chain.to_be_sealed(run.number, number, head))
            for number, seal, head in found]  # fmt: skip


def certificate_of(sign: Callable[[bytes], tuple[bytes, bytes]], run: Run) -> Certificate:
    """Return the certificate of the key that signs a run."""
    _, der = sign(b"dicomseal archive resumes a run\n" + str(run.number).encode())
    return certificate.parse(der)


def sealed_until(ledger: Ledger, run: Run, whose: Certificate) -> int:
    """Return the last batch of an unfinished run that its key has sealed; 0: beginning, -1: none.

    A seal covers everything before it. Whether the rows are the sealed ones is decided by `audit`,
    which reads them all.
    """
    found = seals(ledger, run)
    _, seal, data = found[0]
    if seal is None or not holds(whose, data, seal):
        return -1
    for number, seal, data in reversed(found[1:]):
        if seal is not None and holds(whose, data, seal):
            return number
    return 0

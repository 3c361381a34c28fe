"""The limits that a caller sets for an object, and the budget that its signatures spend.

Every number here bounds the work that a hostile file can cause. Exceeding one is an error with the
code ``limit``, never a wrong answer.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import MalformedError, UsageError


class Limits(NamedTuple):
    """The limits for a hostile file. Exceeding one is a `MalformedError` with code ``limit``.

    Attributes:
        depth: how many sequences may be nested in one another.
        value: bytes of a value that is read as such: a UID, a certificate, a signature. Data
            Elements Signed may have 16 times as many.
        records: elements, items and fragments; the index takes 32 bytes for each.
        inflated: bytes of a deflated data set.
        certificate: bytes of a Certificate of Signer, or of a Certified Timestamp.
        signature: bytes of a Signature value.
        signatures: how many an object may have.
        passes: how many times over its own size an object's signatures may make it be read, all
            together; for a small object it is at least `MIN_READ_BUDGET` bytes. Signatures over
            the same elements share a pass. Two other limits follow from it: how much the
            signatures may take to compute (see `ReadBudget.effort`), and how many bytes may be
            hashed to find the VRs that implicit VR does not state (at most `MAX_SEARCHES` times
            the size, and at least `MIN_SEARCH`).
        seconds: how long the verification of an object's signatures may take, and one second
            more for every `BYTES_OF_A_SECOND` of it.
    """

    depth: int = 2048
    value: int = 1 << 20
    records: int = 10_000_000
    inflated: int = 1 << 30
    certificate: int = 1 << 16
    signature: int = 1 << 14
    signatures: int = 1 << 16
    passes: int = 64
    seconds: int = 120

    @classmethod
    def checked(cls, limits: Limits | None) -> Limits:
        """Return the limits of a caller, or the default ones for None.

        Raises:
            UsageError: the argument is not a `Limits`, or a limit is not a number from 0 on.
        """
        if limits is None:
            return _DEFAULT
        if not isinstance(limits, cls):
            raise UsageError(f"limits takes dicomseal.Limits(...), not {limits!r}")
        for name, value in zip(limits._fields, limits, strict=True):
            if type(value) is not int or not 0 <= value <= _MOST:
                raise UsageError(f"the limit {name} is {value!r}; it takes a number from 0 on")
        return limits


_MOST = 1 << 60
_DEFAULT = Limits()

MIN_READ_BUDGET = 1 << 30
BYTES_OF_A_SECOND = 1 << 22
MIN_EFFORT = 1 << 32
USUAL_CERTIFICATE = 8192  # bytes; a longer certificate is not kept for the next object
MAX_CERTIFICATES = 64 << 20
_EFFORT_OF_A_CERTIFICATE, _EFFORT_OF_ITS_BYTE = 200_000, 1_000
MIN_SEARCH = 1 << 29
MAX_SEARCHES = 32  # passes over an object


class ReadBudget:
    """The work that the signatures of one object may cause, and have caused so far.

    Args:
        size: bytes of the object.
        limits: see `Limits.passes` and `Limits.signatures`.
    """

    # what was spent; how much there is to spend is asked when something is
    _signatures = _read = _effort = _searched = _certificates = 0
    _verified = False
    _first: bytes | None = None  # of the certificates
    _others: set[bytes] | None = None

    def __init__(self, size: int, limits: Limits) -> None:
        self._size, self._limits = size, limits

    def _most(self, least: int, passes: int) -> int:
        """Return how much there is to spend, for an object of this size."""
        return max(passes * self._size, least) if passes > 0 else 0

    def signature(self) -> None:
        """Count one signature; a `MalformedError` with code ``limit`` if it is one too many."""
        self._signatures += 1
        if self._signatures > self._limits.signatures:
            raise MalformedError(
                f"the object has more than {self._limits.signatures} signatures", "limit"
            )

    def search(self) -> int:
        """Return how many bytes the next search for VRs may hash: half of what is left for them."""
        passes = min(self._limits.passes, MAX_SEARCHES)
        return max(self._most(MIN_SEARCH, passes) - self._searched, 0) // 2

    def searched(self, length: int) -> None:
        """Count the bytes that a search hashed."""
        self._searched += length

    def read(self, length: int) -> None:
        """Count bytes before they are read for a signature; errors as for `signature`."""
        self._read += length
        if self._read > self._most(MIN_READ_BUDGET, self._limits.passes):
            raise MalformedError(
                f"to verify its signatures, the object would have to be read more than "
                f"{self._limits.passes} times over",
                "limit",
            )

    def effort(self, cost: int) -> None:
        """Count a computation before it is done; errors as for `signature`.

        An object may take as many nanoseconds as it may read bytes (see `Limits.passes`), and at
        least `MIN_EFFORT`. They are not measured: the cost is estimated from sizes, for an ordinary
        machine, so that an object gets the same answer everywhere.
        """
        self._effort += cost
        if self._effort > self._most(MIN_EFFORT, self._limits.passes):
            raise MalformedError(
                "to verify its signatures would take too much computing: keys, certificates and "
                "timestamps that are very large, or very many",
                "limit",
            )

    def verification(self, cost: int) -> None:
        """Count the verification of a Signature value; the first one of an object is free."""
        if self._verified:
            self.effort(cost)
        self._verified = True

    def certificate(self, der: bytes) -> bool:
        """Count a Certificate of Signer that did not occur yet; the first one of an object is free.

        Returns:
            Whether it was counted; then the work to judge it is counted as well.
        """
        if self._first is None:
            self._first = der
        if der == self._first:
            return False
        if self._others is None:
            self._others = set()
        if der in self._others:
            return False
        if len(der) <= USUAL_CERTIFICATE:
            self._others.add(der)
        self._certificates += len(der)
        if self._certificates > MAX_CERTIFICATES:
            raise MalformedError(
                f"the certificates of its signatures have more than {MAX_CERTIFICATES} bytes",
                "limit",
            )
        self.effort(_EFFORT_OF_A_CERTIFICATE + _EFFORT_OF_ITS_BYTE * len(der))
        return True

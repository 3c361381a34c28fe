"""The entries that a walk leaves out by itself."""

from __future__ import annotations

import msgspec

from ...report import escaped

TEMPORARY, LINK_TO_FOLDER, OF_THE_LEDGER = "temporary", "link_to_folder", "ledger"
PASSED_OVER = {
    TEMPORARY: "temporary files of dicomseal",
    LINK_TO_FOLDER: "links to folders",
    OF_THE_LEDGER: "files of the ledger",
}
_MAX_NAMED = 10
_REMOVED = "  (those that an interrupted run of this ledger left were removed meanwhile)"


class PassedOver(msgspec.Struct, kw_only=True):
    """The entries that a walk left out by itself; one of them may be an object.

    Attributes:
        counts: how many of each kind of `PASSED_OVER`.
        first: paths of the first few, for people.
    """

    counts: dict[str, int] = msgspec.field(default_factory=dict)
    first: list[str] = msgspec.field(default_factory=list)

    def add(self, kind: str, path: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if len(self.first) < _MAX_NAMED:
            self.first.append(escaped(path))

    def lines(self, signs: bool = False) -> list[str]:
        """Return lines about it for people.

        Args:
            signs: they are about a run that signs, which removes what earlier ones had begun.
        """
        if not self.counts:
            return []
        parts = [
            f"{what} ({self.counts[kind]:,})"
            for kind, what in PASSED_OVER.items()
            if kind in self.counts
        ]
        more = sum(self.counts.values()) - len(self.first)
        return [
            f"passed over, not {'signed' if signs else 'verified'}: {', '.join(parts)}",
            *(f"  {path}" for path in self.first),
            *([f"  and {more:,} more"] if more > 0 else []),
            *([_REMOVED] if signs and TEMPORARY in self.counts else []),
        ]

"""The archive for programs: a run, its ledger, and what it found.

In: roots, options.
Out: a ledger, its rows, and a summary of them.
PS3: PS3.3 C.12.1.1.3, PS3.15 Annex C.

The command is ``dicomseal archive``; what it does is in the folders beside this module.
"""

from __future__ import annotations

from .ledger.ledger import Ledger, Run
from .ledger.rows import Row, SignatureRow
from .reports.summary import Summary, summarize
from .run.progress import Outcome, Progress, Totals
from .run.verify_archive import verify_archive

__all__ = [
    "Ledger",
    "Outcome",
    "Progress",
    "Row",
    "Run",
    "SignatureRow",
    "Summary",
    "Totals",
    "summarize",
    "verify_archive",
]

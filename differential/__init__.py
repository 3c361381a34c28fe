"""What passes here, do the real readers show it as it was signed? ``python -m differential``.

The rooms: `tree` takes a data set apart and puts it together, `originals` makes signed objects in
all encodings, `places` and `faces` put a second data set into one of them, the modules
``builders_*`` say how; `readers` and `dumps` ask pydicom, GDCM, SimpleITK and dcmdump, `oracle`
compares what they show, `run` counts. `good` asks what good objects are judged to be, `agreement`
whether dcmsign says the same of real files: `packages` and `dcmtk` bring both, `both` asks about
one file, `streams` finds what differs, `agreement_tables` counts. Nothing here is part of the
installed package; docs/differential.md and docs/agreement.md have the results.
"""

from __future__ import annotations

from fuzz import CACHE as FUZZ_CACHE
from fuzz import ROOT

CACHE = FUZZ_CACHE / "differential"  # originals and what the readers show of them
FINDS = ROOT / "differential" / "finds"  # mutants that pass and show other content

__all__ = ["CACHE", "FINDS", "ROOT"]

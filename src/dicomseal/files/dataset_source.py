"""The file that a `pydicom.Dataset` was read from: it tells whether all of it was read.

In: a data set in memory.
Out: the name and the tags of its file, as far as it can still be asked.
PS3: PS3.10 Section 7.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cached_property
from typing import Any

from ..errors import DicomSealError

# attributes that a data set gets, and its copies, for what it cannot tell by its elements
IN_PART, REMOVED = "_dicomseal_in_part", "_dicomseal_removed"


class DatasetSource:
    """A data set in memory and the file that it was read from, which is read only if it is asked.

    Args:
        dataset: a `pydicom.Dataset`.

    Attributes:
        dataset: the same.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    @property
    def name(self) -> str:
        """What the file is called; empty if the data set does not say."""
        return self._file[0]

    @property
    def tags(self) -> set[int] | None:
        """The tags of the file's main data set; None if the file is not known, or is another."""
        return self._file[1]

    @property
    def is_part(self) -> bool:
        """Whether `dicomseal.dcmread` was told to keep some of the file's elements only."""
        return IN_PART in vars(self.dataset)

    @property
    def were_removed(self) -> bool:
        """Whether `dicomseal.remove` took the last signatures of the main data set out."""
        return REMOVED in vars(self.dataset)

    @property
    def was_signed(self) -> bool:
        """Whether `dicomseal.dcmread` found signatures in the main data set."""
        seal = vars(self.dataset).get("seal")
        return any(not one.location for one in getattr(seal, "signatures", ()))

    def may_have_held(self, tags: Collection[int]) -> bool:
        """Return whether any of some tags that the data set lacks may have been in its file.

        A data set that was not read from anything is all that there is.
        """
        if self.tags is not None:
            return not self.tags.isdisjoint(tags)
        return bool(self.name) or getattr(self.dataset, "_read_implicit", None) is not None

    @cached_property
    def _file(self) -> tuple[str, set[int] | None]:
        from .source import open_source

        path: Any = getattr(self.dataset, "filename", None)
        buffer: Any = getattr(self.dataset, "buffer", None)
        name = ""
        try:
            if path:
                name = os.fsdecode(path)
                if os.stat(name).st_mtime == self.dataset.timestamp:
                    return name, open_source(name).index().present(0)
            if hasattr(buffer, "getvalue"):
                name = name or "the buffer"
                if not getattr(buffer, "closed", False):
                    return name, open_source(buffer.getvalue()).index().present(0)
        except (DicomSealError, OSError, TypeError, ValueError):
            pass  # the file is gone, or has changed: nothing is known
        return name, None

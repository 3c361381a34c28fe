"""Choose the twin: the compiled index and encoder, or the pure ones that are the specification.

Both have the same interface and make the same records and bytes. Nothing else in the package
decides which is used. ``BACKEND`` names the one in use; the environment variable
``DICOMSEAL_BACKEND=python`` (or ``cython``) forces one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..errors import BackendError

if TYPE_CHECKING:
    from ._encoder_py import Encoder
    from ._index_py import Index, as_text, first_repeated, first_unsignable, tags_of

__all__ = [
    "BACKEND",
    "Encoder",
    "Index",
    "as_text",
    "dataset_twin",
    "first_repeated",
    "first_unsignable",
    "tags_of",
]

# setup.py writes this file in a build for which the compiled modules were declined
_PURE_BUILD = os.path.join(os.path.dirname(os.path.dirname(__file__)), "_pure_build")


def _choose() -> str:
    wanted = os.environ.get("DICOMSEAL_BACKEND", "")
    if wanted not in ("", "python", "cython"):
        raise BackendError(f"DICOMSEAL_BACKEND is {wanted!r}; it takes python or cython")
    if wanted == "python":
        return wanted
    try:
        from . import _encoder_c, _index_c  # noqa: F401
    except ImportError as error:
        if os.path.exists(_PURE_BUILD) and not wanted:
            return "python"
        raise BackendError(
            f"the compiled backend of dicomseal cannot be imported ({error}); build it with "
            "a C compiler, or set DICOMSEAL_BACKEND=python to use the slow, pure one"
        ) from error
    return "cython"


BACKEND = _choose()
if not TYPE_CHECKING:
    if BACKEND == "cython":
        from ._encoder_c import Encoder
        from ._index_c import Index, as_text, first_repeated, first_unsignable, tags_of
    else:
        from ._encoder_py import Encoder
        from ._index_py import Index, as_text, first_repeated, first_unsignable, tags_of


def dataset_twin() -> tuple[Any, Any]:
    """Return the walks over a `pydicom.Dataset`, ``canonical`` and ``as_in_a_file``.

    Imports pydicom.
    """
    if BACKEND == "cython":
        from . import _dataset_c

        return _dataset_c.canonical, _dataset_c.as_in_a_file
    from . import _dataset_py

    return _dataset_py.canonical, _dataset_py.as_in_a_file

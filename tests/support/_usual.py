"""While the tests run: what the usual way says of an object, the full way must say as well."""

from __future__ import annotations

from typing import Any

import msgspec

from dicomseal.files.reader import Reader
from dicomseal.verification import usual, verifier

compared = 0
watching = True
_gather, _conclude, _open = usual.gather, usual.conclude, Reader.open
_last: tuple[Any, Any, Any] = (None, None, None)


def watch() -> None:
    """Compare from now on, in this process, wherever the object read last is judged."""
    usual.gather, usual.conclude = _gathered, _concluded
    Reader.open = _opened  # type: ignore[method-assign]


def _opened(reader: Any, *arguments: Any, **options: Any) -> Any:
    global _last
    _last = None, None, None  # its buffer takes the next file
    return _open(reader, *arguments, **options)


def _gathered(part10: Any, index: Any, options: Any) -> Any:
    global _last
    made = _gather(part10, index, options)
    _last = made, part10, index
    return made


def _concluded(gathered: Any, path: str, options: Any) -> Any:
    global compared
    made = _conclude(gathered, path, options)
    last, part10, index = _last
    if (
        watching and made is not None and gathered is last
    ):  # else its bytes are no longer in the buffer
        full = verifier._verify(part10, index, path, options)
        assert _timeless(made, options) == _timeless(full, options)
        compared += 1
    return made


def _timeless(made: Any, options: Any) -> Any:
    """A report; without the time it was made at, where that is what certificates are judged at."""
    if options.at is None:
        signatures = tuple(
            msgspec.structs.replace(one, judged_at=None) if one.judged_by == "validation" else one
            for one in made.signatures
        )
        made = msgspec.structs.replace(made, signatures=signatures)
    return made

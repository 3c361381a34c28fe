"""The objects at addresses of DICOMweb servers, verified as they arrive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

import msgspec

from .. import report
from ..dicomweb.address import Address
from ..dicomweb.retrieve import retrieve
from ..errors import SourceError
from ..report import ErrorReport, ObjectReport
from ..verification.options import Options
from ..verification.verifier import verify_with

IN_MEMORY = 64 << 20  # bytes of an object; for larger ones see `dicomseal.dicomweb.spool`


def reports(addresses: Iterable[Address], options: Options) -> Iterator[ObjectReport]:
    """Yield the reports on the objects there, in the order in which they arrive.

    An object that could not be retrieved has a report too, after those on the objects before it.
    """
    for address in addresses:
        try:
            with closing(retrieve(address, IN_MEMORY, options.limits)) as answer:
                for one in answer:
                    if isinstance(one.source, SourceError):
                        yield _error(one.name, one.source)
                    else:
                        found = verify_with(one.source, options)
                        yield msgspec.structs.replace(found, path=one.name)
        except SourceError as error:
            yield _error(address.name, error)


def _error(path: str, error: SourceError) -> ObjectReport:
    return ObjectReport(path=path, verdict=report.ERROR, error=ErrorReport(error.code, str(error)))

"""Fetching ahead: what is verified next is on its way while the one before it is verified."""

from __future__ import annotations

import collections
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from .root import Fetched

AHEAD = 8  # objects that a worker fetches at once


def fetched_ahead(
    fetch: Callable[[str], Fetched], urls: Iterable[str]
) -> Generator[Fetched, None, None]:
    """Yield the objects, in their order.

    Raises:
        LostError: as ``fetch`` does.
    """
    waiting = iter(urls)
    pending: collections.deque[Future[Fetched]] = collections.deque()
    pool = ThreadPoolExecutor(AHEAD)
    try:
        while True:
            while len(pending) < AHEAD and (url := next(waiting, None)) is not None:
                pending.append(pool.submit(fetch, url))
            if not pending:
                return
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

"""One bounded loop over any `concurrent.futures.Executor`: batches in, results out as they come.

At most ``window`` batches are in progress, so neither ten million files nor a slow ledger cost
memory. A batch whose task fails (its worker was killed, it ran out of memory) is halved until the
item is found that fails alone; the rest of the batch is done as usual.
"""

from __future__ import annotations

import collections
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future
from concurrent.futures import wait as wait_for
from typing import Any, Generic, TypeVar

from ..errors import ExecutorLostError, LostError

_LONG = 2.0  # seconds

T = TypeVar("T")
R = TypeVar("R")


class Last(bytes):
    """A result after which the executor should be replaced: one of its workers is worn out."""


def seconds_of(error: BaseException) -> float:
    """Return how long a task of one item had run when its worker ended; 0 if not known."""
    found: float = getattr(error, "dicomseal_seconds", 0.0)
    return found


class Loop(Generic[T, R]):
    """A bounded loop over an executor.

    Args:
        executor: makes an executor; called again when one is broken (a worker process died). Or an
            executor of the caller's own, which is neither shut down nor replaced.
        function: the work of a worker on a batch; it returns one result.
        failed: the result for a batch of one item that made its task fail.
        window: how many batches are in progress at most.
    """

    def __init__(
        self,
        executor: Executor | Callable[[], Executor],
        function: Callable[[list[T]], R],
        failed: Callable[[T, BaseException], R],
        window: int,
    ) -> None:
        self._function, self._failed, self._window = function, failed, window
        self._make, self._lent = executor, isinstance(executor, Executor)
        self._executor: Executor | None = None
        self._stopped = False
        self._suspects: collections.deque[list[T]] = collections.deque()

    def stop(self) -> None:
        """Take no more batches; `run` ends when those in progress are done."""
        self._stopped = True

    def run(self, batches: Iterable[list[T]]) -> Iterator[tuple[list[T], R]]:
        """Yield each batch, or the parts of a split one, with its result, in order of completion.

        Raises:
            ExecutorLostError: the executor no longer works.
            LostError: a worker raised it: no batch can be done.
        """
        waiting = iter(batches)
        pending: dict[Future[R], list[T]] = {}
        try:
            while True:
                self._fill(pending, waiting)
                if not pending and not self._suspects:
                    return
                if pending:
                    yield from self._done(pending)
                if self._suspects:
                    yield from self._one_by_one(pending)
        finally:
            for future in pending:
                future.cancel()
            # also if it ends in an error: at the end of the process the batches in progress are
            # waited for anyway, and a pool that is shut down then may print a traceback
            self._close(wait=True)

    def _fill(self, pending: dict[Future[R], list[T]], waiting: Iterator[list[T]]) -> None:
        """Submit batches until the window is full."""
        while not self._stopped and len(pending) < self._window:
            batch = next(waiting, None)
            if batch is None:
                return
            # a worker that dies between two results breaks the pool at this point
            if not self._submit(batch, pending):
                self._suspects.append(batch)
                return
            if any(future.done() for future in pending):
                return  # finding files may be slow: results are yielded before the next batch

    def _done(self, pending: dict[Future[R], list[T]]) -> Iterator[tuple[list[T], R]]:
        """Wait until some of the batches in progress are done, and yield them."""
        done, _ = wait_for(pending, return_when=FIRST_COMPLETED)
        for future in [one for one in pending if one in done]:  # in the order of the files
            batch = pending.pop(future)
            error = _error_of(future)
            if error is None:
                result = future.result()
                if isinstance(result, Last) and _pool_of(future) is self._executor:
                    self._close(wait=False)  # what is in progress there is done all the same
                yield batch, result
            elif isinstance(error, BrokenExecutor):
                self._suspects.append(batch)
            else:  # this batch and no other
                yield from self._blame(batch, error)

    def _one_by_one(self, pending: dict[Future[R], list[T]]) -> Iterator[tuple[list[T], R]]:
        """Find the batch in progress that killed its worker, by doing each of them alone."""
        for future, batch in pending.items():
            wait_for([future])
            error = _error_of(future)
            if error is None:
                yield batch, future.result()
            else:
                self._suspects.append(batch)
        pending.clear()
        while self._suspects:
            yield from self._alone(self._suspects.popleft())

    def _submit(self, batch: list[T], pending: dict[Future[R], list[T]]) -> bool:
        if self._executor is None:
            executor = self._make
            self._executor = executor if isinstance(executor, Executor) else executor()
        try:
            future = self._executor.submit(self._function, batch)
            future.dicomseal_executor = self._executor  # type: ignore[attr-defined]
            pending[future] = batch
        except BrokenExecutor:
            return False
        except RuntimeError as error:  # it was shut down by the caller
            raise ExecutorLostError(f"the executor takes no more work: {error}") from None
        return True

    def _alone(self, batch: list[T]) -> Iterator[tuple[list[T], R]]:
        """Do a batch that may have killed its worker, with no other in progress."""
        pending: dict[Future[R], list[T]] = {}
        if self._executor is None or not self._submit(batch, pending):
            self._close(wait=False)
            if not self._submit(batch, pending):
                raise ExecutorLostError(
                    "the executor is broken, and is not ours to replace"
                    if self._lent
                    else "the executor is broken as soon as it is made"
                )
        (future,) = pending
        begun = time.monotonic()
        error = _error_of(future)
        if error is None:
            result = future.result()
            if isinstance(result, Last):
                self._close(wait=False)
            yield batch, result
            return
        if isinstance(error, BrokenExecutor):
            self._close(wait=False)
            error.dicomseal_seconds = time.monotonic() - begun  # type: ignore[attr-defined]
        yield from self._blame(batch, error)

    def _blame(self, batch: list[T], error: BaseException) -> Iterator[tuple[list[T], R]]:
        if isinstance(error, LostError):
            raise error
        if len(batch) == 1:
            yield batch, self._failed(batch[0], error)
            return
        # an item that took long would take as long again in every half that it is in
        size = 1 if seconds_of(error) > _LONG else max((len(batch) + 1) // 2, 1)
        for start in range(0, len(batch), size):
            yield from self._alone(batch[start : start + size])

    def _close(self, wait: bool) -> None:
        if self._executor is not None and not self._lent:
            with contextlib.suppress(BrokenExecutor):
                self._executor.shutdown(wait=wait)  # waiting batches were cancelled, or are broken
        self._executor = None


def _error_of(future: Future[Any]) -> BaseException | None:
    """Return the error of a task; raise if the executor dropped it."""
    try:
        return future.exception()
    except CancelledError as error:
        raise ExecutorLostError("the executor dropped a task: has its scheduler gone?") from error


def _pool_of(future: Future[R]) -> object:
    """Return the executor that has done it, which may have been replaced meanwhile."""
    return getattr(future, "dicomseal_executor", None)

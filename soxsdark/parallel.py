"""Work on several threads, results in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Pool(Generic[Item]):
    """Objects that are used again; to get fresh memory takes as long as to fill it."""

    def __init__(self, make: Callable[[], Item]) -> None:
        self._make = make
        self._free: deque[Item] = deque()

    def take(self) -> Item:
        """One that nobody holds, of whatever content."""
        try:
            return self._free.pop()
        except IndexError:
            return self._make()

    def give(self, item: Item) -> None:
        """Give one back; it must not be used any more."""
        self._free.append(item)

    @contextmanager
    def lent(self) -> Iterator[Item]:
        """One for the time of a block of code."""
        item = self.take()
        try:
            yield item
        finally:
            self.give(item)


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """Yield ``function(item)`` for each item in order, `threads` of them at a time.

    Items are taken as they are needed, so that a long or costly series is never held. What
    `function` raises comes out where its result would; what has not begun then is dropped.
    """
    if threads <= 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads)
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def at_once(functions: Sequence[Callable[[], Any]], threads: int) -> list[Any]:
    """What each function gives, `threads` of them at a time."""
    return list(in_order(lambda function: function(), functions, threads))

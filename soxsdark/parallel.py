"""Work on several threads, results in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")


class Pool:
    """Arrays of one kind that are used again; to get fresh memory takes as long as to fill it."""

    def __init__(self, size: int, dtype: type) -> None:
        self._size, self._dtype = size, dtype
        self._free: deque[np.ndarray] = deque()

    def take(self) -> np.ndarray:
        """An array that nobody holds, of whatever content."""
        try:
            return self._free.pop()
        except IndexError:
            return np.empty(self._size, self._dtype)

    def give(self, array: np.ndarray) -> None:
        """Give one back; it must not be used any more."""
        self._free.append(array)

    @contextmanager
    def lent(self) -> Iterator[np.ndarray]:
        """An array for the time of a block of code."""
        array = self.take()
        try:
            yield array
        finally:
            self.give(array)


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
    pool, pending = ThreadPoolExecutor(threads), deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)

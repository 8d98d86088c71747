"""Sets reduced side by side in processes of this machine.

A worker is a pool of one process: the death of a process breaks its whole pool without saying what
it was at, and so names its set.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import resource_tracker

from soxsdark.chatter import hush
from soxsdark.errors import ExitCode
from soxsdark.parallel import processors
from soxsdark.reduce_sets import Job, SetResult, lost, reduce_one
from soxsdark.termination import Termination

ATTEMPTS = 2
"""How often a set may lose its worker."""
GRACE = 10.0
"""Seconds in which a worker whose parent has died may clear up."""


class LocalWorkers:
    """Workers in processes of this machine, started when they are needed.

    Parameters
    ----------
    count : int
        Sets at a time. Threads and memory of the settings are divided among them.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._context = multiprocessing.get_context("spawn")
        # a thread waits for each worker; what it starts takes over that SIGINT is blocked, which
        # a terminal sends to all: the parent alone decides. The tracker is started first, since
        # the thread that starts it has SIGINT unblocked afterwards
        resource_tracker.ensure_running()
        self._threads = ThreadPoolExecutor(count, initializer=_block_interrupts)
        self._own = threading.local()
        self._lock = threading.Lock()
        self._alive: dict[int, ProcessPoolExecutor] = {}
        self._stopping = False

    @classmethod
    @contextmanager
    def running(cls, count: int) -> "Iterator[LocalWorkers]":
        """Give workers that end with the block: at once, if it is left by an exception."""
        workers = cls(count)
        try:
            yield workers
        except BaseException:  # Ctrl-C and SIGTERM above all
            workers._terminate()
            raise
        finally:
            workers._close()

    @property
    def slots(self) -> int:
        """Sets to be handed over: none has to wait for its next."""
        return 2 * self._count

    def submit(self, job: Job) -> "Future[SetResult]":
        """Reduce a set as soon as a worker is free."""
        return self._threads.submit(self._run, self._share(job))

    def _share(self, job: Job) -> Job:
        values = job.settings.for_arm(job.dark_set.arm).values
        share = {
            "threads": max(1, (values.threads or processors()) // self._count),
            "memory-limit": max(1.0, values.memory_limit / self._count),
        }
        settings = job.settings.with_values(share, f"--workers {self._count}")
        return replace(job, settings=settings)

    def _run(self, job: Job) -> SetResult:
        for _ in range(ATTEMPTS):
            try:
                return self._worker().submit(_work, job).result()
            except BrokenProcessPool:
                self._bury()
                if self._stopping:
                    break
        return lost(job, f"its worker died, {ATTEMPTS} times in a row: out of memory, or killed")

    def _worker(self) -> ProcessPoolExecutor:
        """The worker of this thread."""
        if getattr(self._own, "pool", None) is None:
            pool = ProcessPoolExecutor(1, mp_context=self._context, initializer=_begin)
            self._own.pool, self._own.pid = pool, None
            pid = self._own.pid = pool.submit(os.getpid).result()
            with self._lock:
                self._alive[pid] = pool
                if self._stopping:
                    _stop(pid)
        return self._own.pool

    def _bury(self) -> None:
        """Forget the worker of this thread, which has died, perhaps before its pid was known."""
        pool, self._own.pool = self._own.pool, None
        with self._lock:
            self._alive.pop(self._own.pid, None)
        pool.shutdown()

    def _terminate(self) -> None:
        with self._lock:
            self._stopping = True
            for pid in self._alive:
                _stop(pid)

    def _close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        for pool in self._alive.values():
            pool.shutdown()


def _block_interrupts() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _stop(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def _work(job: Job) -> SetResult:
    """In a worker: reduce a set. Told to stop, it clears up and ends its process."""
    stop = Termination()
    signal.signal(signal.SIGTERM, stop)
    try:
        return reduce_one(job, lambda *_: stop.check())
    except SystemExit:
        os._exit(ExitCode.TERMINATED)


def _begin() -> None:
    """In a worker, first of all: see to it that it ends when the parent ends, however that ends."""
    hush()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(ExitCode.TERMINATED)

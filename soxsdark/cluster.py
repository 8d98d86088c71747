"""Sets reduced by the workers of a Dask cluster, which see the same folders as this machine."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from soxsdark.errors import ExitCode, InputError, UsageError
from soxsdark.reduce_sets import Job, SetResult, lost, reduce_one
from soxsdark.version import __version__

CONNECT = 30.0
"""Seconds in which the scheduler must answer."""
LOOK = 1.0
"""Seconds between two looks at whether the work was called off."""
FAREWELL = 60.0
"""Seconds that sets under way have to stop, when the work is called off."""
AHEAD = 2
"""Sets a thread of the cluster that are handed over, so that none has to wait for its next."""


class ClusterWorkers:
    """The workers of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any, address: str) -> None:
        from distributed import Event

        self._client, self._address, self._threads = client, address, 0
        self._executor = client.get_executor(pure=False)
        self._off = Event(f"soxsdark-{uuid.uuid4().hex}", client=client)
        self._pending: set[Future[Any]] = set()

    @classmethod
    @contextmanager
    def running(cls, address: str) -> "Iterator[ClusterWorkers]":
        """Give the workers of the cluster of a scheduler.

        Left by an exception, the block waits until the sets under way have stopped.

        Raises
        ------
        UsageError
            The package distributed is not installed.
        InputError
            No scheduler answers.
        """
        try:
            from distributed import Client
        except ImportError as error:
            raise UsageError(
                "--scheduler needs the package distributed: pip install 'soxsdark[cluster]'"
            ) from error
        with _answering(address):
            # what a client and its connections have to say is said here, in one line
            for name in ("distributed", "distributed.client"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
            # a client that fails to connect is slow to end, and talkative
            asyncio.run(_probe(address))
            client = Client(address, timeout=CONNECT, set_as_default=False)
        with client:
            workers = cls(client, address)
            try:
                yield workers
            except BaseException:  # Ctrl-C and SIGTERM above all
                workers._call_off()
                raise

    @property
    def slots(self) -> int:
        """Sets to be under way; the workers of a cluster come and go."""
        if self._client.status == "closed":
            raise self._gone()
        with suppress(OSError):  # while it connects again the number is as before
            self._threads = sum(self._client.nthreads().values())
        return AHEAD * max(1, self._threads)

    def submit(self, job: Job) -> "Future[SetResult]":
        """Reduce a set on whichever worker is free; unless the settings say else, in one thread."""
        from distributed.client import ClosedClientError

        if job.settings.for_arm(job.dark_set.arm).values.threads is None:
            job = replace(job, settings=job.settings.with_values({"threads": 1}, "--scheduler"))
        try:
            future = self._executor.submit(_work, job, __version__, self._off.name)
        except ClosedClientError as error:
            raise self._gone() from error
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    def _gone(self) -> InputError:
        return InputError(
            f"{self._address}: the Dask scheduler is gone; the next run does what is missing"
        )

    def _call_off(self) -> None:
        if self._client.status != "running":  # nobody is there to be told
            return
        self._off.set()
        wait(set(self._pending), timeout=FAREWELL)
        self._executor.shutdown(wait=False)


@contextmanager
def _answering(address: str) -> Iterator[None]:
    """Say of what goes wrong that no scheduler answers."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or f"nothing within {CONNECT:g} s"
        raise InputError(
            f"{address}: no Dask scheduler answers ({reason}); start one, or correct the address"
        ) from error


async def _probe(address: str) -> None:
    """Ask who is there; ValueError or OSError if it is no scheduler."""
    from distributed import rpc
    from distributed.security import Security

    tls = Security().get_connection_args("client")
    if address.startswith("tls://") and tls["ssl_context"] is None:
        raise ValueError("tls needs certificates: see distributed.comm.tls in docs/cluster.md")
    async with rpc(address, timeout=CONNECT, connection_args=tls) as there:
        who = await asyncio.wait_for(there.identity(), CONNECT + 2)
    if who["type"] != "Scheduler":
        raise ValueError(f"a {who['type'].lower()} does")


def _work(job: Job, version: str, off: str) -> SetResult:
    """On a worker: reduce a set, unless the work was called off."""
    if version != __version__:
        reason = f"a worker has soxsdark {__version__}, expected {version} as where it was started"
        return lost(job, reason, ExitCode.WRONG_SETTINGS)
    check = _checker(off)
    try:
        check()
        return reduce_one(job, check)
    except SystemExit:
        return lost(job, "called off")


def _checker(off: str) -> Callable[..., None]:
    """Return what raises SystemExit at a step of the work, once it was called off."""
    from distributed import Event

    event, next_look = Event(off), 0.0

    def check(*_: object) -> None:
        nonlocal next_look
        if time.monotonic() >= next_look:
            if event.is_set():
                raise SystemExit(ExitCode.TERMINATED)
            next_look = time.monotonic() + LOOK

    return check

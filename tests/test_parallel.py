"""Work on several threads: results in order, little held, errors where they belong."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from soxsdark.parallel import Pool, in_order


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
def test_results_come_in_order(threads):
    def slow_first(number):
        time.sleep(0.02 if number == 0 else 0)
        return number**2

    assert list(in_order(slow_first, range(20), threads)) == [n**2 for n in range(20)]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_few_items_are_taken_ahead(threads):
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    for number in in_order(lambda n: n, items(), threads):
        assert len(taken) <= number + threads + 1


def test_work_is_done_side_by_side():
    meeting = threading.Barrier(3, timeout=10)
    assert list(in_order(lambda n: meeting.wait() >= 0, range(3), 3)) == [True] * 3


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_comes_where_its_result_would(threads):
    def fail(number):
        if number == 3:
            raise ValueError("three")
        return number

    results, seen = in_order(fail, range(100), threads), []
    with pytest.raises(ValueError, match="three"):
        seen.extend(iter(lambda: next(results), None))
    assert seen == [0, 1, 2]


def test_nothing_goes_on_after_an_interruption():
    begun = []
    results = in_order(lambda n: begun.append(n), iter(range(10**9)), 2)
    next(results)
    results.close()
    count = len(begun)
    time.sleep(0.05)
    assert len(begun) == count <= 4


def test_a_pool_lends_its_arrays_again():
    pool = Pool(lambda: np.empty((3, 4), np.float32))
    first, second = pool.take(), pool.take()
    assert first is not second
    assert (first.shape, first.dtype) == ((3, 4), np.float32)
    pool.give(first)
    assert pool.take() is first
    with pool.lent() as third:
        assert third is not second
    assert pool.take() is third


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_processors_are_those_that_this_process_may_use():
    code = (
        "import os; from soxsdark.parallel import processors; "
        "own = os.sched_getaffinity(0); assert processors() == len(own); "
        "os.sched_setaffinity(0, {min(own)}); assert processors() == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

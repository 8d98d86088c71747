"""How rows and frames are divided so that a run stays within its memory."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soxsdark.memory import BASE, MIB, plan, row_blocks
from soxsdark.recipe import mdark
from soxsdark.simulator import Scene, simulate

NIR = {"shape": (2048, 2048), "frame_bytes": 4 * 2048**2 + 5760}
STEADY = settings(derandomize=True, deadline=None, database=None)


@STEADY
@given(
    shape=st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
    frames=st.integers(2, 2000),
    limit=st.integers(1, 4000).map(lambda m: m * MIB),
    threads=st.integers(1, 64),
    item=st.sampled_from([2, 4, 8]),
    compiled=st.booleans(),
)
def test_a_plan_can_always_be_kept(shape, frames, limit, threads, item, compiled):
    size = item * shape[0] * shape[1]
    options = {"frame_bytes": size, "compiled": compiled}
    held = plan(shape, frames, limit=limit, threads=threads, **options)
    assert 1 <= held.rows <= shape[0]
    assert 1 <= held.threads <= threads
    assert 1 <= held.frame_threads <= threads
    assert held.least > BASE
    # more memory never makes blocks or threads fewer
    more = plan(shape, frames, limit=2 * limit, threads=threads, **options)
    assert more.threads >= held.threads
    assert more.frame_threads >= held.frame_threads
    assert more.rows * more.threads >= held.rows * held.threads or more.rows >= held.rows
    assert more.least == held.least


@STEADY
@given(st.integers(0, 5000), st.integers(1, 6000))
def test_row_blocks_cover_every_row_once(rows, step):
    blocks = row_blocks(rows, step)
    assert [r for b in blocks for r in range(b.start, b.stop)] == list(range(rows))
    assert all(b.stop - b.start <= step for b in blocks)


def test_deep_stacks_get_fewer_rows_and_no_more_memory():
    held = [plan(frames=n, limit=384 * MIB, threads=2, **NIR) for n in (5, 25, 100, 400)]
    assert [h.threads for h in held] == [2, 2, 2, 2]
    assert [h.frame_threads for h in held] == [2, 2, 2, 2]
    samples = [n * h.rows * 2048 for n, h in zip((5, 25, 100, 400), held, strict=True)]
    assert max(samples) <= 3_000_000
    assert held[1].rows > held[2].rows > held[3].rows


def test_a_small_limit_costs_threads_and_rows():
    wide, narrow = (plan(frames=25, limit=m * MIB, threads=4, **NIR) for m in (2000, 200))
    assert narrow.frame_threads < wide.frame_threads
    assert narrow.rows < wide.rows
    assert narrow.least < 200 * MIB


def test_too_small_a_limit_is_told_and_the_run_goes_on(tmp_path):
    made = simulate(tmp_path / "n", Scene(shape=(96, 128)))
    result = mdark(made.sof, output=tmp_path / "o", overrides=["memory-limit=1"])
    remark = next(r for r in result.record["remarks"] if "memory-limit" in r)
    assert remark.startswith("frames of ")
    assert remark.endswith(", memory-limit is 1")
    assert remark in result.log.read_text()


def test_images_that_only_some_settings_ask_for_are_counted(tmp_path):
    made = simulate(tmp_path / "n", Scene(shape=(512, 1024), frames=3))
    least = {}
    for number, asked in enumerate(
        [(), ("noise-clipping-lower-sigma=4",), ("frame-clipping-flags=true",)]
    ):
        overrides = ["memory-limit=1", *asked]
        record = mdark(made.sof, output=tmp_path / f"{number}", overrides=overrides).record
        remark = next(r for r in record["remarks"] if "memory-limit" in r)
        least[number] = int(remark.partition(" need ")[2].partition(" MiB")[0])
    # 4 bytes a pixel: one image of floats, or two of 16 bits
    assert least == {0: least[0], 1: least[0] + 2, 2: least[0] + 2}


STATUS = Path("/proc/self/status")
PEAK = """
import re, sys
from pathlib import Path
from soxsdark.cli import main
main(["mdark", sys.argv[1], "-o", sys.argv[2], "-q", "-x", "--set", "threads=2"])
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak(sof, output) -> float:
    """Peak memory of a whole run in MiB; its own, not that of the process it was forked from."""
    command = [sys.executable, "-c", PEAK, str(sof), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


@pytest.mark.skipif(not STATUS.exists(), reason="this system does not tell the peak of a process")
@pytest.mark.slow
def test_peak_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    peaks = []
    for frames in (10, 40):
        made = simulate(tmp_path / f"n{frames}", Scene(frames=frames, shape=(1500, 2048)))
        peaks.append(peak(made.sof, tmp_path / "o"))
    assert max(peaks) < 384
    assert peaks[1] < 1.1 * peaks[0]

"""How many rows, and how many frames, may be held at a time, so that a run stays within its limit.

Only the sizes of images and blocks can be chosen; the rest is measured and rounded up.
"""

from dataclasses import dataclass

MIB = 1 << 20
BASE = 85 * MIB
"""Interpreter, libraries, headers, settings, and the samples that metrics are made of."""
IMAGE_BYTES = 26
"""For each pixel: 17 bytes of images of the stack, and what is held while flags are found."""
CALIBRATION_BYTES = 10
"""For each pixel: a master, its errors and flags (of a bias: its mask, alone and joined)."""
RESULT_BYTES = 160
"""For each pixel of a block: its results, its noise and background, one raw frame's rows."""
SAMPLE_BYTES = 4
NUMPY_SAMPLE_BYTES = 88
"""Sorted copies, masks and double-precision steps of the uncompiled path."""
MOST_SAMPLES, MOST_PIXELS = 3_000_000, 130_000
"""Larger blocks are not faster."""
FEWEST_SAMPLES, FEWEST_PIXELS = 400_000, 32_000
"""Smaller blocks save nothing worth their time."""


@dataclass(frozen=True)
class Plan:
    """What is held at a time."""

    rows: int
    """Rows of a block in pass 2."""
    threads: int
    """Threads in pass 2."""
    frame_threads: int
    """Threads in pass 1, which holds whole frames."""
    least: int
    """Bytes that the run needs in any case; above the limit if that is too small."""


def plan(
    shape: tuple[int, int],
    frames: int,
    *,
    limit: int,
    threads: int,
    frame_bytes: int,
    compiled: bool = True,
    calibrated: int = 0,
    further: int = 0,
) -> Plan:
    """Divide `limit` bytes of memory.

    Parameters
    ----------
    shape : (rows, columns)
        Of the science pixels.
    frames : int
    limit : int
        Bytes for the whole process.
    threads : int
        How many there may be.
    frame_bytes : int
        Of one raw file, uncompressed, and of the work on its pixels.
    compiled : bool
        Whether the compiled kernel is at work.
    calibrated : int
        How many of master bias and previous master are held.
    further : int
        Bytes for each pixel of images that are held beside those of `IMAGE_BYTES`.
    """
    rows, columns = shape
    sample = SAMPLE_BYTES if compiled else NUMPY_SAMPLE_BYTES
    row = columns * (frames * sample + RESULT_BYTES)
    fewest = min(rows, rows_at_most(columns, frames, FEWEST_SAMPLES, FEWEST_PIXELS))
    base = BASE + CALIBRATION_BYTES * rows * columns * calibrated
    images = base + (IMAGE_BYTES + further) * rows * columns
    least = max(images + fewest * row, base + _first_pass(1, shape, frame_bytes))
    blocks = max(1, min(threads, (limit - images) // (fewest * row)))
    fitting = (limit - images) // (blocks * row)
    largest = rows_at_most(columns, frames, MOST_SAMPLES, MOST_PIXELS)
    possible = [
        n for n in range(1, threads + 1) if base + _first_pass(n, shape, frame_bytes) <= limit
    ]
    return Plan(
        rows=max(fewest, min(fitting, largest, rows)),
        threads=blocks,
        frame_threads=max(possible, default=1),
        least=least,
    )


def rows_at_most(columns: int, frames: int, samples: int, pixels: int) -> int:
    """Rows that hold at most so many samples and pixels, and at least one."""
    return max(1, min(samples // (columns * frames), pixels // columns))


def _first_pass(threads: int, shape: tuple[int, int], frame_bytes: int) -> int:
    """Bytes of pass 1: files that are read, and frames in electrons that wait for each other."""
    waiting = threads + threads // 2 + 3
    return threads * frame_bytes + waiting * 4 * shape[0] * shape[1]


def row_blocks(rows: int, step: int) -> list[slice]:
    """Divide rows into blocks of `step`, the last one with what is left."""
    return [slice(top, min(top + step, rows)) for top in range(0, rows, step)]

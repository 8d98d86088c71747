"""How many rows, and how many frames, may be held at a time, so that a run stays within its limit.

Only the sizes of images and blocks can be chosen; the rest is measured and rounded up.
"""

from dataclasses import dataclass

MIB = 1 << 20
BASE = 112 * MIB
"""Interpreter, libraries, headers and settings."""
IMAGE_BYTES = 33
"""For each pixel: 17 bytes of images of the stack, and what is held while flags are found."""
RESULT_BYTES = 160
"""For each pixel of a block: its results, its noise and background, one raw frame's rows."""
SAMPLE_BYTES = 4
NUMPY_SAMPLE_BYTES = 48
"""Sorted copies, masks and double-precision steps of the uncompiled path."""
MOST_SAMPLES = 3_000_000
"""Larger blocks are not faster."""
FRAME_COPIES = 3
"""Of a frame in pass 1, for each thread: as stored, as numbers, and waiting for its neighbour."""


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
        Of the pixels of one raw frame in memory.
    compiled : bool
        Whether the compiled kernel is at work.
    """
    rows, columns = shape
    images = IMAGE_BYTES * rows * columns
    sample = SAMPLE_BYTES if compiled else NUMPY_SAMPLE_BYTES
    row = columns * (frames * sample + RESULT_BYTES)
    one_frame = FRAME_COPIES * frame_bytes
    free = limit - BASE - images
    threads = min(threads, max(1, free // row))
    fitting = free // (threads * row)
    largest = MOST_SAMPLES // (columns * frames)
    # the images of the stack are not there yet in pass 1, a minimum of all frames is
    free_first = limit - BASE - 4 * rows * columns
    return Plan(
        rows=max(1, min(fitting, largest, rows)),
        threads=threads,
        frame_threads=max(1, min(threads, free_first // one_frame)),
        least=BASE + max(images + row, 4 * rows * columns + one_frame),
    )


def row_blocks(rows: int, step: int) -> list[slice]:
    """Divide rows into blocks of `step`, the last one with what is left."""
    return [slice(top, min(top + step, rows)) for top in range(0, rows, step)]

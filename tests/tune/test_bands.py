"""More frames than memory: bands of rows say what all pixels say."""

import numpy as np
import pytest

from soxsdark import mdark, memory
from soxsdark.cli import main
from soxsdark.flags import Flag
from soxsdark.inputs import find_files, open_inputs
from soxsdark.reduction import plan_of
from soxsdark.settings import Settings
from soxsdark.tune import tune
from soxsdark.tune_frames import HEIGHT, spread_bands
from soxsdark.tune_workbench import REFERENCE_BYTES, STACK_BYTES
from tests.tune.benches import bench_of, lines_of


@pytest.mark.parametrize(("rows", "taken"), [(96, 40), (2048, 500), (33, 9), (7, 1), (100, 99)])
def test_bands_are_spread_evenly(rows, taken):
    bands = spread_bands(rows, taken)
    height = {band.stop - band.start for band in bands}
    assert len(height) == 1
    assert bands[0].start >= 0
    assert bands[-1].stop <= rows
    assert all(a.stop <= b.start for a, b in zip(bands, bands[1:], strict=False))
    assert sum(height) * len(bands) <= max(taken, HEIGHT)
    middle = np.mean([row for band in bands for row in range(band.start, band.stop)])
    assert middle == pytest.approx((rows - 1) / 2, abs=1)


@pytest.fixture
def little(tall_set, monkeypatch) -> str:
    """A memory-limit in which half of the frames' pixels can be held."""
    monkeypatch.setattr(memory, "BASE", 0)
    opened = open_inputs(find_files(tall_set.sof), Settings.read(None))
    pixels = 1024 * 256
    held = 12 * pixels * 4 // 2 + REFERENCE_BYTES * pixels
    return f"memory-limit={(plan_of(opened).least + held) / memory.MIB}"


@pytest.mark.parametrize(("share", "keeps"), [(0.9, False), (1.1, True)])
def test_stacks_are_kept_where_there_is_room(tall_set, monkeypatch, share, keeps):
    monkeypatch.setattr(memory, "BASE", 0)
    opened = open_inputs(find_files(tall_set.sof), Settings.read(None))
    bytes_a_pixel = 12 * 4 + REFERENCE_BYTES + share * STACK_BYTES
    needed = plan_of(opened).least + bytes_a_pixel * 1024 * 256
    bench = bench_of(tall_set.sof, [f"memory-limit={needed / memory.MIB}"])
    assert (bench.held.whole, bench.keep_stack) == (True, keeps)


def test_bands_say_what_all_pixels_say(tall_set, tmp_path, little):
    found = tune(tall_set.sof, ["hot-pixel-sigma=4,5"], output=tmp_path, overrides=[little])
    whole = tune(tall_set.sof, ["hot-pixel-sigma=4,5"], output=tmp_path / "w")
    share = found.share_seen
    assert share == pytest.approx(0.5, abs=0.02)
    assert whole.share_seen == 1
    for part, full in zip(found.lines, whole.lines, strict=True):
        assert float(part["share-seen"]) == share
        assert float(part["level"]) == pytest.approx(float(full["level"]), abs=0.1)
        assert part["master-ron-pred"] == full["master-ron-pred"]
        for name in ("hot-pixels", "noisy-pixels", "flagged-pixels", "rejected-samples"):
            count, expected = int(part[name]), share * int(full[name])
            assert abs(count - expected) < 4 * np.sqrt(expected), name
        assert float(part["hot-found"]) > 0.99
        assert float(part["error-ratio"]) == pytest.approx(float(full["error-ratio"]), rel=0.05)


def test_pixels_of_a_band_are_those_of_a_full_run(tall_set, tmp_path, little):
    bench = bench_of(tall_set.sof, [little])
    seen = bench.seen
    reduced = bench.reduce(Settings.read(None, ["stacked-clipping-sigma=3"]))
    full = mdark(tall_set.sof, output=tmp_path, overrides=["stacked-clipping-sigma=3"]).reduced
    for name in ("flux", "ncom"):
        found, expected = (getattr(r.master, name) for r in (reduced, full))
        np.testing.assert_array_equal(found[seen], expected[seen])
    assert set(reduced.master.qual[~seen]) == {int(Flag.EMPTY)}
    # at the edges of the bands the background has fewer pixels
    assert np.mean(reduced.master.qual[seen] == full.master.qual[seen]) > 0.999


def test_bands_are_said_everywhere(tall_set, tmp_path, little, capsys):
    command = ["tune", str(tall_set.sof), "--sweep", "hot-pixel-sigma=4,5", "-o", str(tmp_path)]
    assert main([*command, "--set", little]) == 0
    share = 100 * float(lines_of(tmp_path / "tune.csv")[0]["share-seen"])
    said = f"{share:.3g} % of the pixels, in bands of rows spread evenly"
    assert capsys.readouterr().out.startswith(said)
    assert said in (tmp_path / "tune.html").read_text()

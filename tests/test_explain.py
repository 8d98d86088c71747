"""The story of a pixel: it ends as the products do, and each part of it is true."""

import math
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mbias, mdark
from soxsdark.cli import main
from soxsdark.errors import UsageError
from soxsdark.explain import AVERAGED, EXCLUDED, NO_VALUE, REJECTED, explain
from soxsdark.explain_text import explanation_text
from soxsdark.flags import Flag
from soxsdark.simulator import Scene, read_truth, simulate
from tests.amplifiers.taps import exposures, profile, save

SIDE = {"shape": (192, 160), "seed": 11, "overscan": False}
PIXELS = 60
"""Of each kind that are looked at."""
KINDS = (0, *(int(flag) for flag in Flag))


def some_pixels(result, seed: int = 3) -> list[tuple[int, int]]:
    """x and y of pixels of every kind there is, and of those that lost samples."""
    rng = np.random.default_rng(seed)
    flags = fits.getdata(result.master, "QUAL")
    masks = [flags & kind != 0 if kind else flags == 0 for kind in KINDS]
    masks.append(fits.getdata(result.mask, "NREJ") > 0)
    chosen = [rng.permutation(np.argwhere(mask))[:PIXELS] for mask in masks]
    return [(int(x) + 1, int(y) + 1) for y, x in np.concatenate(chosen)]


def check(result) -> set[int]:
    """Compare stories with the files; return the flags that were met."""
    with fits.open(result.master) as master, fits.open(result.mask) as mask:
        flux, flags, errs, used = (np.array(hdu.data) for hdu in master[:4])
        noise, rejected = (np.array(mask[name].data) for name in ("NOISE", "NREJ"))
    met = set()
    for x, y in some_pixels(result):
        told, at = explain(result.reduced, x, y), (y - 1, x - 1)
        fates = [sample.fate for sample in told.samples]
        assert (told.place.row, told.place.column) == at
        assert int(told.flags) == flags[at], (x, y)
        assert fates.count(AVERAGED) == told.average.used[0] == used[at]
        assert fates.count(REJECTED) == rejected[at]
        if used[at]:
            kept = [s.electrons for s in told.samples if s.fate == AVERAGED]
            assert told.average.mean[0] == pytest.approx(np.mean(kept), rel=1e-5, abs=1e-3)
            assert told.product.flux == flux[at]
            assert told.product.errs == errs[at]
        if len(kept := [s for s in told.samples if s.fate in (AVERAGED, REJECTED)]) > 1:
            assert np.float32(told.noise.scatter) == noise[at]
            ratios = [test.value / test.limit for test in told.noise.tests]
            assert told.noise.noisy == (told.noise.unclipped or min(ratios) > 1)
        check_rounds(told, kept)
        met.add(int(flags[at]))
    return met


def check_rounds(told, valid) -> None:
    """Every round again, by hand, on the values as they are."""
    values = np.sort([sample.electrons for sample in valid])
    rounds = told.own_rounds or told.rounds
    if not rounds:
        assert not any(sample.fate == REJECTED for sample in told.samples)
        return
    left = values
    for found in rounds:
        assert found.centre == pytest.approx(np.median(left), abs=1e-6)
        assert found.upper - found.centre == pytest.approx(told.k * found.deviation)
        assert found.centre - found.lower == pytest.approx(told.k * found.deviation)
        left = left[(left >= found.lower) & (left <= found.upper)]
        assert found.left == len(left)
    last = rounds[-1]
    inside = values[(values >= last.lower) & (values <= last.upper)]
    kept = inside if len(inside) > 1 else values
    averaged = [sample.electrons for sample in told.samples if sample.fate == AVERAGED]
    assert sorted(averaged) == list(kept)


@pytest.fixture(scope="module")
def plain_set(tmp_path_factory):
    """Frames with hits, noisy, hot, saturated and listed pixels."""
    folder = tmp_path_factory.mktemp("plain")
    made = simulate(
        folder / "raw",
        Scene(**SIDE, hot_fraction=0.01, noisy_fraction=0.02, cosmic_ray_rate=2e-6,
              list_bad_pixel_map=True, saturation=3000.0),
    )  # fmt: skip
    with fits.open(made.frames[1], mode="update", memmap=False) as hdus:
        hdus[0].data = hdus[0].data.astype(np.float32)
        hdus[0].data[3:5, 7] = np.nan
    for path in made.frames:
        with fits.open(path, mode="update", memmap=False) as hdus:
            hdus[0].data = hdus[0].data.astype(np.float32)
            hdus[0].data[9, 9] = np.nan
            for key in ("CHECKSUM", "DATASUM"):
                hdus[0].header.remove(key, ignore_missing=True)
    return made


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("stacked-clipping-deviation=mad", "stacked-clipping-sigma=3"),
        ("stacked-clipping-deviation=std", "stacked-clipping-sigma=1.5"),
        ("frame-clipping-flags=true", "hot-pixel-rate=0.5"),
        ("frame-clipping-excludes-samples=true", "noise-clipping-lower-sigma=1.5"),
        ("stacked-clipping-iterations=0", "noise-clipping-upper-sigma=2", "background-box=0"),
    ],
)
def test_the_story_ends_as_the_products_do(plain_set, tmp_path, overrides):
    result = mdark(plain_set.sof, output=tmp_path, overrides=["saturation=3000", *overrides])
    met = check(result)
    wanted = {Flag.INPUT, Flag.HOT, Flag.NOISY, Flag.EMPTY, Flag.SATURATED}
    if "excludes" in str(overrides):
        # without the samples that stand out in their frames nothing is hot or noisy
        wanted = {Flag.INPUT, Flag.COLD, Flag.EMPTY}
    for flag in wanted:
        assert any(flags & flag for flags in met), flag


@pytest.mark.parametrize("rotation", [0, 90])
def test_with_several_amplifiers_and_overscan(tmp_path, rotation):
    raws = [np.rot90(raw, k=-rotation // 90) for raw in exposures(lines=2.0 if not rotation else 0)]
    taps = {"shape": list(raws[0].shape), "rotation": rotation} if rotation else {}
    result = mdark(
        save(tmp_path / "raw", raws), output=tmp_path, instrument=str(profile(tmp_path, **taps)),
        overrides=[] if rotation else ["subtract-overscan=median"],
    )  # fmt: skip
    check(result)
    for x, y in ((5, 9), (200, 9), (5, 200), (200, 200)):
        told = explain(result.reduced, x, y)
        raw = raws[0][told.place.raw_row, told.place.raw_column]
        assert told.samples[0].adu == raw
        gain = result.reduced.inputs.darks[0].about.amplifiers[told.place.amplifier].gain.value
        expected = (raw - told.samples[0].level) * gain
        assert told.samples[0].electrons == pytest.approx(expected, abs=1e-3)
    names = {explain(result.reduced, *at).place.amplifier_name for at in ((5, 9), (200, 200))}
    assert len(names) == 2


def test_with_a_master_bias(tmp_path):
    bias = simulate(tmp_path / "b", Scene(arm="VIS", exptime=0.0, frames=5, **SIDE))
    dark = simulate(tmp_path / "d", Scene(arm="VIS", frames=5, hot_fraction=0.02, **SIDE))
    made = mbias(bias.sof, output=tmp_path / "o")
    check(mdark(dark.sof, output=tmp_path / "o", master_bias=made.master))


def test_the_samples_are_those_of_the_sky(small_set, tmp_path):
    result, truth = mdark(small_set.sof, output=tmp_path), read_truth(small_set.truth)
    for hit in truth.cosmics[truth.cosmics["electrons"] > 1000][:20]:
        told = explain(result.reduced, int(hit["x"]) + 1, int(hit["y"]) + 1)
        sample = told.samples[hit["frame"]]
        assert sample.electrons > 900
        assert sample.fate == REJECTED
        assert sample.adu > sample.limits[1]


def test_a_sample_left_out_by_its_frame_is_said_so(small_set, tmp_path):
    result = mdark(
        small_set.sof, output=tmp_path, overrides=["frame-clipping-excludes-samples=true"]
    )
    y, x = np.argwhere(result.reduced.master.qual & int(Flag.EMPTY))[0]
    told = explain(result.reduced, int(x) + 1, int(y) + 1)
    assert {sample.fate for sample in told.samples} == {EXCLUDED}
    assert math.isnan(told.samples[0].electrons)
    assert "left out, clipped in its frame" in explanation_text(told)


@pytest.mark.parametrize("place", [(0, 1), (1, 0), (129, 1), (1, 97)])
def test_pixels_that_are_not_there(small_set, tmp_path, place):
    result = mdark(small_set.sof, output=tmp_path)
    with pytest.raises(UsageError, match="128 columns and 96 rows, counted from 1"):
        explain(result.reduced, *place)


# What a person sees


def test_explain_on_the_screen(small_set, tmp_path, capsys):
    result = mdark(small_set.sof, output=tmp_path / "o")
    y, x = np.argwhere(result.reduced.master.qual == Flag.HOT)[0] + 1
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["explain", str(small_set.sof), str(x), str(y)]) == 0
    shown = capsys.readouterr().out
    assert f"pixel x {x}, y {y} of the products, counted from 1 as FITS does" in shown
    assert f"in arrays [{y - 1}, {x - 1}], counted from 0" in shown
    assert "flags 256: hot" in shown
    reason = next(line for line in shown.splitlines() if "256" in line and "excess" in line)
    assert " yes " in reason
    assert " > 5 x " in reason
    assert shown.count("NIR_dark_00") == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_explain_of_a_noisy_pixel_that_was_hit(small_set, tmp_path, capsys):
    result = mdark(small_set.sof, output=tmp_path)
    noisy = (result.reduced.master.qual & int(Flag.NOISY)) > 0
    y, x = np.argwhere(noisy)[0] + 1
    told = explain(result.reduced, int(x), int(y))
    text = explanation_text(told)
    assert "this pixel is noisy: what counts is its own clipping" in text
    assert f"{told.noise.tests[0].value:.2f} > {told.noise.tests[0].limit:.2f}" in text
    rejected = replace(told.samples[0], fate=REJECTED, electrons=told.own_rounds[0].upper + 1)
    again = replace(told, samples=(rejected, *told.samples[1:]))
    limit = f"{told.own_rounds[0].upper:.2f}"
    assert f"rejected in round 1: above {limit} e- (as a noisy pixel)" in explanation_text(again)


def test_no_value_is_said(plain_set, tmp_path):
    result = mdark(plain_set.sof, output=tmp_path)
    told = explain(result.reduced, 10, 10)
    assert {sample.fate for sample in told.samples} == {NO_VALUE}
    assert told.rounds == ()
    assert "fewer than two samples" in explanation_text(told)


def test_explain_plots_on_request(small_set, tmp_path, capsys):
    out = tmp_path / "plots"
    command = ["explain", str(small_set.sof), "20", "30", "-o", str(out)]
    assert main(command) == 0
    plot = out / "pixel_20_30.png"
    assert capsys.readouterr().out.splitlines()[-1] == str(plot)
    content = plot.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert main(command) == 5
    assert "pixel_20_30.png: exists already" in capsys.readouterr().err
    assert main([*command, "-x"]) == 0
    assert [path.name for path in out.iterdir()] == ["pixel_20_30.png"]

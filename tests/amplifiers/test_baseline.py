"""Overscan and reference pixels."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.amplifiers import Section
from soxsdark.baseline import baseline_of
from soxsdark.errors import InputError
from soxsdark.instruments import Detector, science_sections
from tests.amplifiers.taps import OVERSCAN, TAPS, exposures, profile, save, written


def test_overscan_takes_the_wandering_of_the_lines_away(tmp_path):
    raws = exposures(seed=8, lines=30.0)
    paths = save(tmp_path / "raw", raws)
    mine = str(profile(tmp_path))
    plain = mdark(paths, output=tmp_path / "plain", instrument=mine)
    for how in ("mean", "median"):
        asked = [f"subtract-overscan={how}"]
        taken = mdark(paths, output=tmp_path / how, instrument=mine, overrides=asked)
        rons = taken.reduced.survey.noise.models
        for tap, model, before in zip(TAPS, rons, plain.reduced.survey.noise.models, strict=True):
            # ten overscan pixels a line add a tenth of the variance (a median pi / 2 of that)
            added = 1 + (np.pi / 2 if how == "median" else 1) / OVERSCAN
            expected = np.sqrt(tap.ron**2 * added + 5 + tap.gain**2 / 12)
            assert model.sigma == pytest.approx(expected, rel=0.05)
            assert before.sigma > 1.5 * model.sigma
        flux = fits.getdata(taken.master)
        for tap in TAPS:
            assert np.median(flux[tap.place]) == pytest.approx(5.0, abs=0.5)


def test_overscan_against_numpy(tmp_path):
    raws = exposures(seed=9, lines=3.0)
    taken = mdark(
        save(tmp_path / "raw", raws),
        output=tmp_path,
        instrument=str(profile(tmp_path)),
        overrides=["subtract-overscan=mean", "stacked-clipping-iterations=0"],
    )
    flux = fits.getdata(taken.master)
    errors = fits.getdata(taken.master, "ERRS")
    for tap in TAPS:
        lines = [raw[tap.data] - raw[tap.strip].mean(axis=1, keepdims=True) for raw in raws]
        # levels are means of what is left of each frame: their own scatter is in both
        np.testing.assert_allclose(flux[tap.place], np.mean(lines, axis=0) * tap.gain, atol=2e-3)
        assert np.median(errors[tap.place]) > 0


SECTION = Section(
    raw=(slice(0, 40), slice(0, 50)), place=(slice(0, 40), slice(0, 50)),
    overscan=(slice(0, 40), slice(50, 58)),
)  # fmt: skip
ACROSS = replace(SECTION, overscan=(slice(40, 48), slice(0, 50)))


@pytest.mark.parametrize("section", [SECTION, ACROSS])
def test_baseline_of_the_overscan(section):
    image = np.random.default_rng(1).normal(100, 5, (48, 58)).astype(np.float32)
    strip = image[section.overscan]
    axis = 1 if section is SECTION else 0
    for how, function in (("mean", np.mean), ("median", np.median)):
        expected = function(strip.astype(float), axis=axis, keepdims=True)
        found = baseline_of(image, section, how, "none", 3)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    lines = np.median(strip.astype(float), axis=axis)
    at = np.arange(lines.size)
    expected = np.polyval(np.polyfit(at, lines, 2), at)
    found = baseline_of(image, section, "polynomial", "none", 2)
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-6)
    assert found.shape == ((40, 1) if section is SECTION else (1, 50))


def test_baseline_leaves_out_what_is_not_finite():
    image = np.full((48, 58), 7.0)
    image[3, 50:55] = np.nan
    image[4, 50:] = np.inf
    found = baseline_of(image, SECTION, "median", "none", 1)
    assert np.isnan(found[4, 0])
    assert np.delete(found, 4).tolist() == [7.0] * 39
    filled = baseline_of(image, SECTION, "polynomial", "none", 1)
    np.testing.assert_allclose(filled, 7.0)


def test_reference_pixels_are_those_around_the_amplifier():
    detector = Detector.model_validate(
        {
            "shape": (16, 24),
            "reference-pixels": 4,
            "amplifiers": [
                {"name": "l", "rows": (4, 12), "columns": (4, 10)},
                {"name": "m", "rows": (4, 12), "columns": (10, 14)},
                {"name": "r", "rows": (4, 12), "columns": (14, 20)},
            ],
        }
    )
    sections, trimmed, _ = science_sections((16, 24), detector, (1, 1), True)
    assert trimmed
    image = np.zeros((16, 24))
    for number, section in enumerate(sections, start=1):
        for window in section.reference:
            assert (image[window] == 0).all()
            image[window] = number
    expected = np.zeros((16, 24))
    expected[:, :10], expected[:, 10:14], expected[:, 14:] = 1, 2, 3
    expected[4:12, 4:20] = 0
    assert np.array_equal(image, expected)
    values = np.random.default_rng(2).normal(0, 1, image.shape)
    found = baseline_of(values, sections[1], "none", "median", 0)
    assert found == np.median(values[image == 2])


def test_reference_pixels_take_the_drift_away(tmp_path):
    rng = np.random.default_rng(4)
    drifts, raws = [0, 40, -25, 10, 5], []
    for drift in drifts:
        raws.append(np.rint(rng.normal(500 + drift, 8, (200, 200))).astype(np.int32))
    detector = {
        "shape": [200, 200], "rows": [4, 196], "columns": [4, 196], "gain": 1.0,
        "reference-pixels": 4,
    }  # fmt: skip
    mine = written(tmp_path, "hawaii", detector)
    result = mdark(
        save(tmp_path / "raw", raws),
        output=tmp_path,
        instrument=str(mine),
        overrides=["subtract-reference-pixels=median"],
    )
    # medians of 3136 reference pixels: 8 * 1.25 / 56 = 0.18 e- each
    assert result.metrics["LEVEL DRIFT"] < 0.6
    assert result.metrics["MDARK MEDIAN"] == pytest.approx(0, abs=0.6)


def test_overscan_that_is_not_there_is_a_remark(raws, tmp_path):
    mine = written(tmp_path, "bare", {"gain": 1.0, "ron": 4.0})
    paths = save(tmp_path / "raw", [raw[TAPS[0].data] for raw in raws])
    result = mdark(
        paths, output=tmp_path, instrument=str(mine), overrides=["subtract-overscan=median"]
    )
    assert (
        "no overscan known in profile bare, or cut off: not subtracted" in result.record["remarks"]
    )


def test_no_finite_overscan_is_refused(raws, tmp_path):
    raws = [raw.astype(np.float32) for raw in raws]
    raws[1][TAPS[3].strip] = np.nan
    with pytest.raises(InputError, match=r"dark1.fits: no finite pixel .* of amplifier d;"):
        mdark(
            save(tmp_path / "raw", raws),
            output=tmp_path,
            instrument=str(profile(tmp_path)),
            overrides=["subtract-overscan=mean"],
        )

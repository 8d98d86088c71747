"""Bad-pixel maps and saturation: which samples stay out, and which pixels are flagged."""

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.flags import Flag
from soxsdark.simulator import PixelClass, Scene, read_truth, simulate
from tests.recipe.running import QUIET, refused, run, science, sha256

# Bad-pixel maps


def test_listed_pixels_are_flagged_and_stay_out_of_the_level(tmp_path):
    files = simulate(tmp_path / "n", Scene(**QUIET))
    bad = np.zeros((96, 128), "u1")
    bad[:30] = 1  # a third of the frame, and bright
    for path in files.frames:
        with fits.open(path, mode="update", memmap=False) as hdus:
            hdus[0].data[:30] += 40
            hdus[0].add_checksum()
    fits.writeto(tmp_path / "m.fits", bad)
    result = run(files, tmp_path / "o", bad_pixel_map=tmp_path / "m.fits")
    qual = science(result.master_dark, "QUAL")
    np.testing.assert_array_equal(qual & Flag.INPUT != 0, bad.astype(bool))
    levels = np.array([f["level"] for f in result.record["frames"]])
    # 300 s of 0.01 e-/s lie on the level; 0.35 e- is four errors of a level with 8000 pixels
    np.testing.assert_allclose(levels, read_truth(files.truth).levels_e + 3, atol=0.35)
    assert result.record["bad-pixel-map"]["sha256"] == sha256(tmp_path / "m.fits")
    # they are averaged and classified like the others
    np.testing.assert_array_equal(science(result.master_dark, "NCOM")[:30] >= 4, True)
    assert np.median(science(result.master_dark)[:30]) == pytest.approx(40 * 2.3 + 3, abs=4)


def test_map_of_the_sof(tmp_path):
    scene = Scene(**QUIET | {"bad_pixel_fraction": 0.01, "list_bad_pixel_map": True})
    files = simulate(tmp_path / "n", scene)
    result = run(files, tmp_path / "o")
    listed = read_truth(files.truth).classes & PixelClass.LISTED != 0
    assert listed.sum() > 5
    np.testing.assert_array_equal(science(result.mask) & Flag.INPUT != 0, listed)
    assert result.record["bad-pixel-map"]["tag"] == "BP_MAP_NIR"


@pytest.fixture(scope="module")
def full_set(tmp_path_factory):
    """Three whole VIS frames, with pre- and overscan."""
    scene = Scene(arm="VIS", frames=3, seed=3, cosmic_ray_rate=0.0)
    return simulate(tmp_path_factory.mktemp("full") / "vis", scene)


@pytest.mark.parametrize("shape", [(4096, 808), (4096, 908)])
def test_map_of_science_or_raw_shape(full_set, tmp_path, shape):
    bad = np.zeros(shape, "i2")
    column = 100 if shape[1] == 808 else 150
    bad[7, column] = 3
    fits.writeto(tmp_path / "m.fits", bad)
    result = run(full_set, tmp_path / "o", bad_pixel_map=tmp_path / "m.fits")
    flagged = science(result.mask) & Flag.INPUT != 0
    assert flagged.shape == (4096, 808)
    np.testing.assert_array_equal(np.argwhere(flagged), [[7, 100]])


def test_whole_frame_is_trimmed_to_the_science_pixels(full_set, tmp_path):
    trimmed = run(full_set, tmp_path / "t")
    whole = run(full_set, tmp_path / "w", overrides=["trim=false"])
    assert trimmed.record["trimmed"] is True
    assert whole.record["trimmed"] is False
    assert science(whole.master_dark).shape == (4096, 908)
    assert science(trimmed.master_dark).shape == (4096, 808)


def test_map_of_a_wrong_shape(night, tmp_path):
    fits.writeto(tmp_path / "m.fits", np.zeros((96, 127), "u1"))
    refused(
        night.sof, tmp_path / "o", r"m\.fits: .*96x127 .*96x128", bad_pixel_map=tmp_path / "m.fits"
    )


def test_mask_serves_as_bad_pixel_map(night, tmp_path):
    mask = run(night, tmp_path / "o").mask
    again = run(night, tmp_path / "p", bad_pixel_map=mask)
    flagged = science(again.mask) & Flag.INPUT != 0
    np.testing.assert_array_equal(flagged, science(mask) != 0)
    assert flagged.sum() > 100


# Saturation


def test_saturated_samples(tmp_path):
    files = simulate(tmp_path / "n", Scene(**QUIET))
    places = {"cosmic": (10, 10), "pixel": (20, 20), "below": (30, 30)}
    for number, path in enumerate(files.frames):
        with fits.open(path, mode="update", memmap=False) as hdus:
            data = hdus[0].data
            data[places["pixel"]] = 50000
            data[places["below"]] = 40000 + number
            if number == 1:
                data[places["cosmic"]] = 50000
            hdus[0].add_checksum()
    result = run(files, tmp_path / "o", overrides=["saturation=45000"])
    qual = science(result.mask)
    assert qual[places["pixel"]] & Flag.SATURATED
    assert qual[places["cosmic"]] == 0
    assert science(result.mask, "NREJ")[places["cosmic"]] == 1
    assert qual[places["below"]] == Flag.HOT
    assert np.count_nonzero(qual & Flag.SATURATED) == 1
    assert [f["saturated"] for f in result.record["frames"]] == [1, 2, 1, 1, 1]
    # without a limit nothing is tested, and the record says so
    free = run(files, tmp_path / "p")
    assert np.count_nonzero(science(free.mask) & Flag.SATURATED) == 0
    assert free.record["saturation"] == {"value": None, "source": "unknown"}

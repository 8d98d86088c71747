"""Raw frames of the ESIS cameras: four taps, no image type, no gain, milliseconds."""

import gzip
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.errors import InputError
from soxsdark.flags import Flag

DARKS = ("dark_current/ESIS1_01772", "led/ESIS1_04860", "led/ESIS1_04861")
LED = ("led/ESIS1_04803", "led/ESIS1_04804")
FE55 = tuple(f"fe55/ESIS3_{number}" for number in ("05400", "05408", "05416", "05424"))
PEDESTALS = (3558, 3790, 3648, 3438)
TAPS = [
    (rows, columns)
    for rows in (slice(0, 512), slice(512, 1024))
    for columns in (slice(0, 1024), slice(1024, 2048))
]
EVENT = 100
"""ADU above its tap from which on a pixel was hit by an X-ray, 25 sigma."""


def files(folder: Path, names) -> list[Path]:
    return [folder / f"{name}.fit.gz" for name in names]


@pytest.fixture(scope="session")
def profile(tmp_path_factory) -> str:
    """The profile that the documentation shows."""
    docs = Path(__file__).parent.parent / "docs" / "instruments.md"
    (example,) = re.findall(r"```yaml\n(name: esis\n.*?)```", docs.read_text("utf-8"), re.DOTALL)
    path = tmp_path_factory.mktemp("esis") / "esis.yaml"
    path.write_text(example)
    return str(path)


@pytest.fixture(scope="module")
def dark(real_data, profile, tmp_path_factory):
    """The master of the three darks of 2 s."""
    folder = tmp_path_factory.mktemp("darks")
    return mdark(files(real_data, DARKS), output=folder, instrument=profile)


def planes(result) -> tuple[np.ndarray, ...]:
    with fits.open(result.master) as hdus:
        return tuple(hdus[name].data.copy() for name in ("FLUX", "ERRS", "QUAL"))


def science(path: Path) -> np.ndarray:
    """The science pixels of a raw frame, cut by hand, less the median of each tap."""
    raw = fits.getdata(path).astype(float)
    image = np.hstack([raw[8:1032, 50:1074], raw[8:1032, 1078:2102]])
    for tap in TAPS:
        image[tap] -= np.median(image[tap])
    return image


def test_setup_is_read_from_the_camera_s_own_keywords(dark):
    assert dark.record["setup"]["exposure time"] == pytest.approx(1.999)
    assert dark.record["setup"]["instrument"] == "ESIS1"
    header = fits.getheader(dark.master)
    assert header["EXPTIME"] == pytest.approx(1.999)
    assert header["DATE-OBS"] == "2017-07-12T16:38:19.971"
    assert header["MJD-OBS"] == pytest.approx(57946.6932867, abs=1e-6)
    (remark,) = (r for r in dark.record["remarks"] if "image type" in r)
    assert remark == (
        "image type (no keyword in the profile) is missing: taken as a dark because the user "
        "says so"
    )


def test_taps_are_flat_to_their_noise(dark):
    flux, errs, qual = planes(dark)
    assert flux.shape == (1024, 2048)
    for tap, pedestal in zip(TAPS, PEDESTALS, strict=True):
        good = qual[tap] == 0
        values, error = flux[tap], float(np.median(errs[tap]))
        assert np.median(values) == pytest.approx(pedestal, abs=5)
        # 5 % below 1: the noise of the two frames with the LED off is anticorrelated by 0.09
        assert 0.93 < values[good].std() / error < 1.02
        blocks = values.reshape(8, 64, 16, 64).mean(axis=(1, 3)) - np.mean(values)
        assert np.abs(blocks).max() < error / 3
        for axis in (0, 1):
            profile = np.median(values, axis=axis)
            assert np.std(profile) < error / 5


def test_overscan_brings_all_taps_to_one_level(real_data, profile, tmp_path):
    result = mdark(
        files(real_data, DARKS), output=tmp_path, instrument=profile,
        overrides=("subtract-overscan=median",),
    )  # fmt: skip
    flux, errs, _ = planes(result)
    levels = [float(np.median(flux[tap])) for tap in TAPS]
    # the pedestals are 350 ADU apart
    assert np.ptp(levels) < np.median(errs)
    assert np.abs(levels).max() < np.median(errs)


def bad_near_borders(bad: np.ndarray) -> tuple[int, float]:
    """Bad pixels within 2 pixels of a border between taps, and how many are to be expected."""
    near = np.zeros(bad.shape, bool)
    near[510:514] = near[:, 1022:1026] = True
    return int(bad[near].sum()), float(bad[~near].mean() * near.sum())


def test_no_border_is_flagged(dark):
    found, expected = bad_near_borders(planes(dark)[2] != 0)
    assert found <= expected + 4 * np.sqrt(expected) + 1


def test_few_pixels_are_flagged(dark):
    _, _, qual = planes(dark)
    # cosmic rays in three frames an hour apart, and next to no hot pixel in 2 s
    assert np.mean(qual != 0) < 1e-4


def test_hot_pixels_are_found_within_each_tap(real_data, profile, tmp_path):
    """Charge is put into 200 pixels of each tap, also beside the borders, in all frames alike."""
    rng = np.random.default_rng(4)
    hot = np.zeros((1024, 2048), bool)
    for tap in TAPS:
        hot[tap].flat[rng.choice(512 * 1024, 200, replace=False)] = True
    hot[511:513, 100] = hot[300, 1023:1025] = True
    charge = np.where(hot, 40, 0).astype(np.uint16)
    for path in files(real_data, DARKS):
        with fits.open(path) as hdus:
            raw, header = hdus[0].data, hdus[0].header
            raw[8:1032, 50:1074] += charge[:, :1024]
            raw[8:1032, 1078:2102] += charge[:, 1024:]
            fits.PrimaryHDU(raw, header).writeto(tmp_path / path.name.removesuffix(".gz"))
    result = mdark(tmp_path, output=tmp_path / "o", instrument=profile)
    flux, errs, qual = planes(result)
    for tap in TAPS:
        found = (qual[tap] & Flag.HOT) != 0
        assert np.mean(found[hot[tap]]) > 0.99
        assert np.count_nonzero(found & ~hot[tap]) <= 3
        excess = flux[tap][hot[tap]] - np.median(flux[tap])
        assert excess.mean() == pytest.approx(40, abs=4 * 2.4 / np.sqrt(200))
    found, expected = bad_near_borders((qual != 0) & ~hot)
    assert found <= expected + 4 * np.sqrt(expected) + 1


@pytest.mark.parametrize("number", [1, 2])
def test_frames_with_the_led_on_are_refused_by_name(real_data, profile, tmp_path, number):
    frames = files(real_data, DARKS + LED[:number])
    with pytest.raises(InputError, match=r"too bright: its level of amplifier 1") as error:
        mdark(frames, output=tmp_path, instrument=profile)
    assert all(Path(name).name in str(error.value) for name in LED[:number])
    assert error.value.exit_code == 4


def test_two_cameras_are_no_set(real_data, profile, tmp_path):
    frames = files(real_data, (*DARKS, FE55[0]))
    with pytest.raises(InputError, match=r"not of one setup: instrument, exposure time differ"):
        mdark(frames, output=tmp_path, instrument=profile)


def test_a_frame_packed_or_not_gives_the_same(real_data, profile, tmp_path, dark):
    for path in files(real_data, DARKS):
        with gzip.open(path) as packed, (tmp_path / path.stem).open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    result = mdark(
        [tmp_path / path.stem for path in files(real_data, DARKS)],
        output=tmp_path / "o", instrument=profile,
    )  # fmt: skip
    for one, other in zip(planes(result), planes(dark), strict=True):
        np.testing.assert_array_equal(one, other)


def test_x_rays_are_gone_from_the_master_and_counted(real_data, profile, tmp_path):
    result = mdark(files(real_data, FE55), output=tmp_path, instrument=profile)
    flux, errs, qual = planes(result)
    rejected = fits.getdata(result.mask, "NREJ")
    frames = np.array([science(path) for path in files(real_data, FE55)])
    hits = (frames > EVENT).sum(axis=0)
    for tap in TAPS:
        flux[tap] -= np.median(flux[tap])
    once = hits == 1
    assert once.sum() > 25_000
    assert np.mean(rejected[once] >= 1) > 0.995
    # not one in 300 has as much left as an event leaves in the mean of four
    assert np.mean(flux[once] > EVENT / 4) < 1 / 300
    clean = once & (qual == 0)
    assert np.mean(clean[once]) > 0.9
    pulls = (flux / errs)[clean]
    assert pulls.std() == pytest.approx(1, abs=0.03)
    assert pulls.mean() == pytest.approx(0, abs=0.05)
    # what is hit twice cannot be told from a pixel that is noisy: it is flagged
    assert np.all(qual[hits > 1] & Flag.NOISY)
    assert rejected.sum() > hits.sum()
    assert result.metrics["CLIPPED FRAC"] == pytest.approx(rejected.sum() / frames.size, rel=1e-6)

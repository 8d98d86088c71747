"""The simulator: every option's effect, measured in the files against the truth or the scene."""

import hashlib
import math
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.cosmic_rays import rasterise
from soxsdark.errors import InputError, ProductError, UsageError
from soxsdark.simulated_truth import Truth
from soxsdark.simulator import PixelClass, Scene, SimulatedSet, read_truth, simulate
from soxsdark.sky import digitise

CLEAN = {
    "shape": (128, 160),
    "hot_fraction": 0.0,
    "noisy_fraction": 0.0,
    "telegraph_fraction": 0.0,
    "bad_pixel_fraction": 0.0,
    "cosmic_ray_rate": 0.0,
}


def make(folder: Path, **options: object) -> tuple[np.ndarray, Truth, SimulatedSet]:
    """Simulate; give the frames in e- (float64, N × rows × columns), the truth, the files."""
    scene = Scene(**options)
    files = simulate(folder, scene)
    frames = np.stack([fits.getdata(path) for path in files.frames]).astype(float)
    return frames * scene.gain, read_truth(files.truth), files


def residuals(frames: np.ndarray, truth: Truth) -> np.ndarray:
    """Samples less level and expected signal, e-."""
    return frames - truth.levels_e[:, None, None] - truth.expected


def scatter_of_half_differences(frames: np.ndarray) -> float:
    return np.std(frames[0] - frames[1], ddof=1) / math.sqrt(2)


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


# Determinism


def test_same_seed_gives_same_bytes_and_another_seed_other_pixels(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        simulate(tmp_path / name, Scene(shape=(64, 64), seed=seed))
    first, second, other = (digests(tmp_path / name) for name in "abc")
    assert len(first) == 8
    assert first == second
    assert all(first[name] != other[name] for name in first if name != "darks.sof")


def test_frame_does_not_depend_on_how_many_follow(tmp_path):
    few, _, _ = make(tmp_path / "few", shape=(64, 64), frames=2)
    many, _, _ = make(tmp_path / "many", shape=(64, 64), frames=4)
    np.testing.assert_array_equal(few, many[:2])


def test_module_imports_without_numpy():
    check = "import sys, soxsdark.simulator; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


# Noise


@pytest.mark.parametrize("arm", ["NIR", "VIS", "UVB"])
def test_noise_is_that_of_read_shot_and_quantisation(tmp_path, arm):
    frames, truth, _ = make(tmp_path, arm=arm, frames=2, **CLEAN | {"shape": (256, 256)})
    ron, gain, charge = {
        "NIR": (7.3, 2.3, 3.0),
        "VIS": (3.8, 1.0, 3.6),
        "UVB": (2.6, 1.61, 1.08),
    }[arm]
    model = math.sqrt(ron**2 + charge + gain**2 / 12)
    assert scatter_of_half_differences(frames) == pytest.approx(model, rel=0.01)
    assert np.median(truth.noise) == pytest.approx(model, rel=1e-3)


def test_samples_scatter_around_the_truth_by_their_noise(tmp_path):
    options = {"shape": (256, 256), "frames": 4, "cosmic_ray_rate": 0.0, "ron_spread": 0.2}
    frames, truth, _ = make(tmp_path, **options)
    kept = (truth.classes & PixelClass.TELEGRAPH) == 0
    pulls = (residuals(frames, truth) / truth.noise)[:, kept]
    assert pulls.std() == pytest.approx(1, abs=0.01)
    assert pulls.mean() == pytest.approx(0, abs=4 / math.sqrt(pulls.size))


def test_dark_charge_and_its_shot_noise_give_the_gain(tmp_path):
    frames, truth, _ = make(
        tmp_path, dark=20.0, dark_spread=0.0, ron=0.0, gain=2.0, frames=2, **CLEAN
    )
    adu = frames / 2.0
    mean = (adu - truth.levels_e[:, None, None] / 2.0).mean()
    variance = scatter_of_half_differences(adu) ** 2 - 1 / 12
    assert mean * 2.0 == pytest.approx(20.0 * 300, rel=1e-3)
    assert mean / variance == pytest.approx(2.0, rel=0.04)


def test_header_gain_changes_the_headers_alone(tmp_path):
    right, _, _ = make(tmp_path / "right", **CLEAN)
    wrong, truth, files = make(tmp_path / "wrong", header_gain=3.0, **CLEAN)
    header = fits.getheader(files.frames[0])
    np.testing.assert_array_equal(right, wrong)
    assert header["ESO DET OUT1 CONAD"] == 3.0
    assert header["ESO DET OUT1 GAIN"] == pytest.approx(1 / 3, abs=1e-6)
    assert truth.gain == 2.3


def test_averaging_reads_divides_the_variance_and_not_the_charge(tmp_path):
    options = {"dark": 1.0, "dark_spread": 0.0, "dtype": "float32", "frames": 2}
    single, _, _ = make(tmp_path / "1", **options, **CLEAN)
    average, truth, files = make(tmp_path / "4", ndit=4, **options, **CLEAN)
    model = math.sqrt(7.3**2 + 300)
    assert scatter_of_half_differences(single) == pytest.approx(model, rel=0.02)
    assert scatter_of_half_differences(average) == pytest.approx(model / 2, rel=0.02)
    assert truth.noise[0, 0] == pytest.approx(model / 2, rel=1e-5)
    assert residuals(average, truth).mean() == pytest.approx(0, abs=0.2)
    assert truth.expected.mean() == pytest.approx(300, rel=1e-5)
    header = fits.getheader(files.frames[0])
    assert (header["EXPTIME"], header["ESO DET SEQ1 DIT"], header["ESO DET NDIT"]) == (300, 300, 4)


def test_spread_of_read_noise_from_pixel_to_pixel(tmp_path):
    even, even_truth, _ = make(tmp_path / "even", dark=0.0, frames=2, **CLEAN)
    spread, truth, _ = make(tmp_path / "spread", dark=0.0, ron_spread=0.2, frames=30, **CLEAN)
    assert np.ptp(even_truth.noise) == 0
    assert truth.noise.std() / truth.noise.mean() == pytest.approx(0.2, rel=0.05)
    measured = spread.std(axis=0, ddof=1)
    assert np.corrcoef(measured.ravel(), truth.noise.ravel())[0, 1] > 0.75


# Levels


def test_level_drifts_around_the_pedestal(tmp_path):
    small = CLEAN | {"shape": (16, 16)}
    frames, truth, files = make(tmp_path, arm="VIS", frames=200, drift=5.0, dark=0.0, **small)
    levels = fits.getdata(files.truth, "LEVELS")
    assert truth.levels_e.mean() == pytest.approx(1000, abs=4 * 5 / math.sqrt(200))
    assert truth.levels_e.std() == pytest.approx(5, rel=0.2)
    measured = frames.mean(axis=(1, 2))
    assert np.abs(measured - levels["electrons"]).max() < 5 * 3.81 / 16


def test_arm_without_pedestal_has_signed_pixels_unless_they_are_unsigned(tmp_path):
    signed, truth, _ = make(tmp_path / "signed", drift=0.0, **CLEAN)
    lifted, _, _ = make(tmp_path / "lifted", drift=0.0, dtype="uint16", **CLEAN)
    assert signed.min() < 0
    assert truth.levels_e == pytest.approx(-0.4 * 2.3)
    assert lifted.mean() == pytest.approx(1000 * 2.3 + 3, abs=0.3)


# Pixels that are not ordinary


def test_fractions_and_classes(tmp_path):
    _, truth, files = make(tmp_path, shape=(200, 200), bad_pixel_fraction=0.005)
    kinds = truth.classes & ~np.int16(PixelClass.LISTED)
    assert np.bincount(kinds.ravel()).tolist() == [39740, 160, 80, 0, 20]
    listed = fits.getdata(files.bad_pixel_map)
    np.testing.assert_array_equal(listed == 1, truth.classes & PixelClass.LISTED != 0)
    assert listed.sum() == 200
    assert np.count_nonzero(kinds[listed == 1] == 0) == 20
    assert not np.any(kinds[listed == 1] == PixelClass.TELEGRAPH)


def test_hot_rates_follow_their_power_law_and_time(tmp_path):
    options = CLEAN | {"hot_fraction": 0.25, "shape": (200, 200), "dark": 0.0, "frames": 1}
    _, short, _ = make(tmp_path / "100", exptime=100.0, **options)
    frames, long, _ = make(tmp_path / "300", exptime=300.0, **options)
    hot = long.classes == PixelClass.HOT
    np.testing.assert_allclose(long.expected, 3 * short.expected, rtol=1e-6)
    rates = long.expected[hot] / 300
    assert rates.min() == pytest.approx(0.2, rel=0.01)
    assert rates.max() < 500
    assert np.median(rates) == pytest.approx(0.4, rel=0.03)
    assert np.mean(rates > 2) == pytest.approx(0.1, abs=0.01)
    assert np.all(long.expected[~hot] == 0)
    assert residuals(frames, long)[0][hot].mean() == pytest.approx(0, abs=1.0)


def test_faintest_hot_pixel_is_far_above_the_noise_of_five_frames():
    for arm in ("NIR", "VIS", "UVB"):
        scene = Scene(arm=arm)
        charge = scene.hot_rate_min * scene.exptime
        variance = scene.ron**2 + scene.dark * scene.exptime + scene.gain**2 / 12
        assert charge / math.sqrt(variance / 5) > 17.5, arm


def test_noisy_pixels_have_their_own_factor_in_all_frames(tmp_path):
    options = CLEAN | {"noisy_fraction": 0.1, "shape": (64, 64)}
    frames, truth, _ = make(tmp_path, frames=60, dark=0.0, **options)
    noisy = truth.classes == PixelClass.NOISY
    ordinary = math.sqrt(7.3**2 + 2.3**2 / 12)
    factors = truth.noise[noisy] / ordinary
    assert 3.9 < factors.min() < 4.3
    assert 9.7 < factors.max() < 10
    assert factors.mean() == pytest.approx(7, abs=0.3)
    measured = residuals(frames, truth).std(axis=0)
    assert np.median(measured[noisy] / truth.noise[noisy]) == pytest.approx(1, abs=0.03)
    for half in (frames[:30], frames[30:]):
        assert np.all(half.std(axis=0)[noisy] > 2 * ordinary)
    assert measured[~noisy].mean() == pytest.approx(ordinary, rel=0.02)


def test_telegraph_pixels_switch_between_two_levels(tmp_path):
    options = CLEAN | {"telegraph_fraction": 0.05, "shape": (64, 64)}
    frames, truth, _ = make(tmp_path, frames=80, ron=0.5, dtype="float32", **options)
    switching = truth.classes == PixelClass.TELEGRAPH
    samples = residuals(frames, truth)[:, switching]
    assert np.mean(samples > 0) == pytest.approx(0.5, abs=0.02)
    upper = np.array([s[s > 0].mean() for s in samples.T])
    lower = np.array([s[s < 0].mean() for s in samples.T])
    step = upper - lower
    base = math.sqrt(0.25 + 3)
    assert 4 * base < step.min() < 8 * base
    assert 27 * base < step.max() < 31 * base
    assert np.abs(samples.mean(axis=1)).max() < 6 * step.mean() / math.sqrt(switching.sum())
    assert samples.std(axis=0) == pytest.approx(truth.noise[switching], rel=0.2)


# Cosmic rays


def test_cosmic_rays_add_exactly_their_table(tmp_path):
    options = CLEAN | {"frames": 3, "dtype": "float32", "saturation": math.inf}
    without, _, _ = make(tmp_path / "without", **options)
    hit, truth, _ = make(tmp_path / "with", **options | {"cosmic_ray_rate": 1e-5})
    added = np.zeros_like(hit)
    table = truth.cosmics
    added[table["frame"], table["y"], table["x"]] = table["electrons"]
    np.testing.assert_allclose(hit - without, added, atol=0.01)
    assert len(np.unique(table[["frame", "y", "x"]])) == len(table) > 100
    np.testing.assert_array_equal(truth.hits, np.count_nonzero(added, axis=0))


def test_number_and_charge_of_cosmic_rays(tmp_path):
    options = CLEAN | {"shape": (512, 512), "frames": 4, "cosmic_ray_rate": 2e-6}
    _, truth, _ = make(tmp_path, **options)
    events = 2e-6 * 300 * 512 * 512 * 4
    # Isotropic flux through a layer one pixel thick: a mean track of pi/2 pixels on the
    # detector, which crosses (4/pi)(pi/2) = 2 borders: three pixels, less what is cut off.
    pixels = len(truth.cosmics)
    assert pixels / events == pytest.approx(3, rel=0.1)
    charge = truth.cosmics["electrons"]
    # The mean path of an isotropic flux is twice the thickness, times the lognormal's mean.
    assert charge.sum() / events == pytest.approx(2 * 18 * 100 * math.exp(0.35**2 / 2), rel=0.1)
    assert 500 < np.median(charge) < 2500
    assert charge.min() >= 1


def test_cosmic_rays_of_an_average_are_diluted(tmp_path):
    options = CLEAN | {"shape": (256, 256), "frames": 2, "cosmic_ray_rate": 5e-6}
    _, single, _ = make(tmp_path / "1", **options)
    _, average, _ = make(tmp_path / "4", ndit=4, **options)
    assert len(average.cosmics) / len(single.cosmics) == pytest.approx(4, rel=0.25)
    medians = [np.median(truth.cosmics["electrons"]) for truth in (single, average)]
    assert medians[0] / medians[1] == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize(
    ("start", "step", "expected"),
    [
        ((0.5, 0.5), (0.0, 3.0), {(0, 0): 1 / 6, (0, 1): 1 / 3, (0, 2): 1 / 3, (0, 3): 1 / 6}),
        ((2.5, 1.25), (-2.0, 0.0), {(2, 1): 0.25, (1, 1): 0.5, (0, 1): 0.25}),
        ((0.5, 0.25), (1.0, 1.0), {(0, 0): 0.5, (1, 0): 0.25, (1, 1): 0.25}),
        ((0.25, 0.25), (-0.5, 0.0), {(0, 0): 0.5, (-1, 0): 0.5}),
        ((4.5, 4.5), (0.0, 0.0), {(4, 4): 1.0}),
    ],
)
def test_lines_are_cut_at_pixel_borders(start, step, expected):
    line, pixel, share = rasterise(np.array([start]), np.array([step]))
    assert set(line) == {0}
    found = {tuple(p): s for p, s in zip(pixel.tolist(), share, strict=True) if s > 1e-12}
    assert found == pytest.approx(expected)


def test_rasterised_lines_agree_with_fine_sampling():
    rng = np.random.default_rng(8)
    start, step = rng.uniform(0, 20, (20, 2)), rng.uniform(-6, 6, (20, 2))
    line, pixel, share = rasterise(start, step)
    along = (np.arange(20000) + 0.5) / 20000
    for i in range(20):
        image = np.zeros((40, 40))
        mine = line == i
        np.add.at(image, tuple(pixel[mine].T + 10), share[mine])
        sampled = np.floor(start[i] + along[:, None] * step[i]).astype(int) + 10
        reference = np.zeros((40, 40))
        np.add.at(reference, tuple(sampled.T), 1 / along.size)
        np.testing.assert_allclose(image, reference, atol=2e-4)


# Files' pixels


@pytest.mark.parametrize(
    ("dtype", "bitpix", "low", "high"),
    [("uint16", 16, 0, 65535), ("int16", 16, -32768, 32767), ("int32", 32, -40000, 70000)],
)
def test_values_beyond_the_dtype_or_saturation_are_clipped_never_wrapped(dtype, bitpix, low, high):
    values = np.array([[-40000.0, -0.6, 0.4, 1.5, 2.5, 70000.0]], np.float32)
    digital = digitise(values.copy(), dtype, math.inf)
    middle = [0 if dtype == "uint16" else -1, 0, 2, 2]
    assert digital.dtype == dtype
    assert digital.tolist() == [[low, *middle, high]]
    assert digitise(values.copy(), dtype, 1000.0)[0, -1] == 1000
    assert abs(np.dtype(dtype).itemsize * 8) == bitpix


def test_largest_int32_is_not_passed():
    digital = digitise(np.array([1e12, -1e12], np.float32), "int32", math.inf)
    assert digital.tolist() == [2147483520, -2147483648]


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "float32"])
def test_saturated_files(tmp_path, dtype):
    options = CLEAN | {"hot_fraction": 0.05}
    limits = {"hot_rate_min": 1e3, "hot_rate_max": 1e4, "saturation": 20000.0, "drift": 0.0}
    frames, truth, files = make(tmp_path, dtype=dtype, **limits, **options)
    hot = truth.classes == PixelClass.HOT
    assert np.all(frames[:, hot] == pytest.approx(20000 * 2.3))
    assert frames[:, ~hot].max() < 1200 * 2.3
    header = fits.getheader(files.frames[0])
    bitpix = {"uint16": 16, "int16": 16, "int32": 32, "float32": -32}
    assert header["BITPIX"] == bitpix[dtype]
    assert header.get("BZERO") == (32768 if dtype == "uint16" else None)
    assert truth.saturation == 20000


def test_float_frames_are_not_rounded(tmp_path):
    frames, truth, _ = make(tmp_path, dtype="float32", dark=0.0, **CLEAN)
    adu = frames / 2.3
    assert np.mean(adu == np.rint(adu)) < 0.01
    assert truth.noise[0, 0] == pytest.approx(7.3, rel=1e-6)


# Light


def test_glow_sits_in_one_corner(tmp_path):
    frames, truth, _ = make(tmp_path, glow=400.0, dark=0.0, frames=9, **CLEAN)
    assert truth.expected[0, 0] == pytest.approx(400, rel=1e-6)
    assert truth.expected[0, 16] == pytest.approx(400 * math.exp(-0.5), rel=1e-6)
    assert truth.expected[64:].max() < 1
    corner = residuals(frames, truth)[:, :16, :16]
    assert abs(corner.mean()) < 4 * truth.noise.max() / math.sqrt(corner.size)
    far = CLEAN | {"shape": (1600, 1600), "frames": 1}
    _, wide, _ = make(tmp_path / "wide", glow=400.0, dark=0.0, **far)
    assert wide.expected[150, 0] == pytest.approx(400 * math.exp(-0.5), rel=1e-6)


def test_gradient_rises_along_the_columns(tmp_path):
    frames, truth, _ = make(tmp_path, gradient=100.0, dark=0.0, frames=4, **CLEAN)
    profile = (frames - truth.levels_e[:, None, None]).mean(axis=(0, 1))
    slope, start = np.polyfit(np.arange(160) / 159, profile, 1)
    assert slope == pytest.approx(100, abs=1)
    assert start == pytest.approx(0, abs=1)


def test_light_leaks_into_one_frame_only(tmp_path):
    tight, _, _ = make(tmp_path / "dark", **CLEAN)
    leaky, truth, _ = make(tmp_path / "leaky", light_leak=500.0, **CLEAN)
    others = [0, 1, 3, 4]
    np.testing.assert_array_equal(leaky[others], tight[others])
    excess = (leaky - tight)[2]
    assert excess[60:68, 76:84].mean() == pytest.approx(500, abs=20)
    assert excess[0, 0] < 100
    assert truth.expected.max() < 5


# Geometry, headers, lists


@pytest.mark.parametrize(
    ("arm", "raw", "science"),
    [
        ("NIR", (2048, 2048), (slice(4, 2044), slice(4, 2044))),
        ("VIS", (4096, 908), (slice(0, 4096), slice(50, 858))),
    ],
)
def test_whole_detector_has_dark_free_borders(tmp_path, arm, raw, science):
    options = {"arm": arm, "frames": 1, "drift": 0.0, "glow": 50.0, "dark": 0.2}
    frames, truth, files = make(tmp_path / "raw", **options)
    assert frames.shape == (1, *raw)
    inside = np.zeros(raw, bool)
    inside[science] = True
    assert frames[0][science].shape == truth.expected.shape
    assert fits.getdata(files.bad_pixel_map).shape == truth.expected.shape
    border = frames[0][~inside] - truth.levels_e[0]
    ron = {"NIR": 7.3, "VIS": 3.8}[arm]
    assert border.mean() == pytest.approx(0, abs=5 * ron / math.sqrt(border.size))
    assert border.std() == pytest.approx(ron, rel=0.02)
    good = (truth.classes == 0) & (truth.hits == 0)
    off = residuals(frames[:, science[0], science[1]], truth)[0][good]
    assert abs(off.mean()) < 5 * truth.noise[good].max() / math.sqrt(off.size)


def test_cut_outs_have_no_overscan(tmp_path):
    cut, _, _ = make(tmp_path / "cut", arm="VIS", shape=(40, 50), frames=1)
    assert cut.shape == (1, 40, 50)
    assert Scene(arm="VIS", overscan=False).raw_shape == (4096, 808)
    assert Scene(arm="UVB").raw_shape == (3000, 2144)
    assert Scene(arm="UVB").science_shape == (3000, 2048)


@pytest.mark.parametrize("arm", ["NIR", "VIS", "UVB"])
def test_headers_are_those_of_the_instrument(tmp_path, arm):
    files = simulate(tmp_path, Scene(arm=arm, shape=(32, 32)))
    headers = [fits.getheader(path) for path in files.frames]
    header = headers[0]
    common = {
        "INSTRUME": "XSHOOTER" if arm == "UVB" else "SOXS",
        "ESO DPR CATG": "CALIB",
        "ESO DPR TYPE": "DARK",
        "ESO DPR TECH": "IMAGE",
        "ESO SEQ ARM": arm,
        "EXPTIME": 300.0 if arm == "NIR" else 3600.0,
        "ESO DET OUT1 CONAD": {"NIR": 2.3, "VIS": 1.0, "UVB": 1.61}[arm],
        "ESO DET OUT1 RON": {"NIR": 7.3, "VIS": 3.8, "UVB": 2.6}[arm],
    }
    own = {
        "NIR": {"ESO DET NDIT": 1, "ESO DET SEQ1 DIT": 300.0},
        "VIS": {"ESO DET BINX": 1, "ESO DET BINY": 1},
        "UVB": {"ESO DET WIN1 BINX": 1, "ESO DET WIN1 BINY": 1},
    }[arm]
    for key, value in (common | own).items():
        assert header[key] == value, key
    assert header["ESO DET OUT1 CONAD"] * header["ESO DET OUT1 GAIN"] == pytest.approx(1, abs=1e-5)
    assert type(header["ESO DET READ CURID"]) is int
    temperature = {"NIR": "TEMP217", "VIS": "TEMP104", "UVB": "TEMP53"}[arm]
    assert 30 < header[f"ESO INS {temperature} VAL"] < 160
    starts = [datetime.fromisoformat(h["DATE-OBS"]) for h in headers]
    for start, h in zip(starts, headers, strict=True):
        assert (start - datetime(1858, 11, 17)) / timedelta(days=1) == pytest.approx(
            h["MJD-OBS"], abs=1e-7
        )
        assert h["ARCFILE"].endswith(h["DATE-OBS"] + ".fits")
        assert h.comments["EXPTIME"].startswith("[s]")
    gaps = np.diff([h["MJD-OBS"] for h in headers]) * 86400
    assert np.all((gaps > header["EXPTIME"] + 1) & (gaps < header["EXPTIME"] + 100))


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "float32"])
def test_checksums_are_right(tmp_path, dtype):
    files = simulate(tmp_path, Scene(shape=(32, 32), dtype=dtype))
    for path in (*files.frames, files.bad_pixel_map, files.truth):
        with fits.open(path, checksum=True) as hdus:  # a wrong sum is a warning, so an error
            for hdu in hdus:
                assert hdu.verify_checksum() == hdu.verify_datasum() == 1


def test_bad_pixel_map_header(tmp_path):
    files = simulate(tmp_path, Scene(arm="VIS", shape=(32, 32)))
    header = fits.getheader(files.bad_pixel_map)
    assert header["INSTRUME"] == "SOXS"
    assert header["ESO SEQ ARM"] == "VIS"
    assert header["ESO PRO CATG"] == "BP_MAP_VIS"
    assert header["BITPIX"] == 8


@pytest.mark.parametrize("listed", [False, True])
def test_set_of_files_lists_the_frames(tmp_path, listed):
    files = simulate(tmp_path, Scene(shape=(32, 32), frames=3, list_bad_pixel_map=listed))
    lines = files.sof.read_text().splitlines()
    frames = [f"NIR_dark_{n:03d}.fits DARK_NIR" for n in (1, 2, 3)]
    assert lines == frames + ["bpm.fits BP_MAP_NIR"] * listed
    assert all((tmp_path / line.split()[0]).is_file() for line in lines)
    assert [path.name for path in files.frames] == [line.split()[0] for line in frames]


def test_truth_records_the_scene(tmp_path):
    files = simulate(tmp_path, Scene(shape=(32, 40), seed=77, cosmic_ray_rate=3e-7))
    header = fits.getheader(files.truth)
    assert header["EXTNAME"] == "EXPECTED"
    assert header["SIM SEED"] == 77
    assert header["SIM COSMIC_RAY_RATE"] == 3e-7
    assert header["SIM SHAPE"] == "32 40"
    assert header["SIM PEDESTAL"] == -0.4


def test_truth_reader_refuses_other_files(tmp_path):
    files = simulate(tmp_path, Scene(shape=(32, 32), frames=1))
    with pytest.raises(InputError, match=r"NIR_dark_001\.fits: not a readable truth file"):
        read_truth(files.frames[0])
    with pytest.raises(InputError, match=r"none\.fits: not a readable truth file"):
        read_truth(tmp_path / "none.fits")


# Writing


def test_progress_counts_frames(tmp_path):
    seen = []
    simulate(tmp_path, Scene(shape=(16, 16), frames=3), progress=lambda *a: seen.append(a))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("name", ["darks.sof", "NIR_dark_002.fits", "bpm.fits", "truth.fits"])
def test_existing_file_is_not_touched(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ProductError, match=f"{name}: exists already"):
        simulate(tmp_path, Scene(shape=(16, 16)))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_overwriting_gives_the_new_set_alone(tmp_path):
    simulate(tmp_path / "a", Scene(shape=(16, 16), frames=3))
    simulate(tmp_path / "a", Scene(shape=(16, 16), frames=4, seed=2), overwrite=True)
    simulate(tmp_path / "b", Scene(shape=(16, 16), frames=4, seed=2))
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    with pytest.raises(ProductError, match=r"NIR_dark_003\.fits: a frame of a longer set"):
        simulate(tmp_path / "a", Scene(shape=(16, 16), frames=2), overwrite=True)


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProductError, match=r"file/deep: cannot write"):
        simulate(tmp_path / "file" / "deep", Scene(shape=(16, 16)))


# Scenes that make no sense


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arm": "IR"}, r"arm: got 'IR', expected one of NIR, VIS, UVB"),
        ({"dtype": "int8"}, r"dtype: got 'int8', expected one of uint16"),
        ({"frames": 0}, r"frames: got 0, expected at least 1"),
        ({"exptime": -1.0}, r"exptime: got -1.0, expected at least 0"),
        ({"exptime": math.inf}, r"exptime: got inf"),
        ({"ron": math.nan}, r"ron: got nan, expected at least 0"),
        ({"hot_fraction": 1.5}, r"hot_fraction: got 1.5, expected 0 to 1"),
        ({"hot_fraction": 0.6, "noisy_fraction": 0.6}, r"their sum exceeds 1"),
        ({"hot_rate_min": 9.0, "hot_rate_max": 8.0}, r"hot_rate_max: got 8, .*hot_rate_min, 9"),
        ({"shape": (4, 100)}, r"shape: got \(4, 100\), expected at least 8"),
        ({"arm": "VIS", "ndit": 2}, r"ndit: got 2, expected 1 in the VIS arm"),
        ({"date_obs": "yesterday"}, r"date_obs: .*'yesterday'.*expected 2025"),
    ],
)
def test_scene_refuses(options, message):
    with pytest.raises(UsageError, match=message):
        Scene(**options)

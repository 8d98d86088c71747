"""Detectors of several amplifiers: as good as each amplifier by itself; overscan, reference."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from soxsdark import mbias, mdark
from soxsdark.amplifiers import Section, cut, join_rows, science_shape
from soxsdark.baseline import baseline_of
from soxsdark.errors import InputError, SettingsError
from soxsdark.flags import Flag
from soxsdark.instruments import Detector, load_profile, science_sections
from soxsdark.subtract import subtract_dark

SIDE, GAP, OVERSCAN = 128, 6, 10
FRAMES = 6
LIMIT = 20000
HALVES = ((0, SIDE), (SIDE + GAP, 2 * SIDE + GAP))
"""Rows and columns of the taps in the raw image: a gap between them, overscan at both sides."""


@dataclass(frozen=True)
class Tap:
    name: str
    rows: tuple[int, int]
    columns: tuple[int, int]
    overscan: tuple[int, int]
    pedestal: float
    gain: float
    ron: float

    @property
    def data(self):
        return slice(*self.rows), slice(*self.columns)

    @property
    def strip(self):
        return slice(*self.rows), slice(*self.overscan)

    @property
    def place(self):
        row, column = (HALVES.index(span) for span in (self.rows, self.inner))
        return slice(row * SIDE, (row + 1) * SIDE), slice(column * SIDE, (column + 1) * SIDE)

    @property
    def inner(self):
        return tuple(edge - OVERSCAN for edge in self.columns)


def span(at: int) -> tuple[int, int]:
    return tuple(edge + OVERSCAN for edge in HALVES[at])


LEFT, RIGHT = (0, OVERSCAN), (2 * SIDE + GAP + OVERSCAN, 2 * SIDE + GAP + 2 * OVERSCAN)
TAPS = (
    Tap("a", HALVES[0], span(0), LEFT, 3558.0, 1.0, 4.0),
    Tap("b", HALVES[0], span(1), RIGHT, 3790.0, 2.0, 9.0),
    Tap("c", HALVES[1], span(0), LEFT, 3200.0, 1.5, 5.0),
    Tap("d", HALVES[1], span(1), RIGHT, 3438.0, 0.7, 12.0),
)
RAW = (2 * SIDE + GAP, 2 * SIDE + GAP + 2 * OVERSCAN)
SIZE = (2 * SIDE, 2 * SIDE)


def profile(folder: Path, **changes) -> Path:
    detector = {
        "shape": list(RAW),
        "saturation": LIMIT,
        "pedestal": True,
        "amplifiers": [
            {
                "name": tap.name,
                "rows": list(tap.rows),
                "columns": list(tap.columns),
                "overscan-rows": list(tap.rows),
                "overscan-columns": list(tap.overscan),
                "gain": tap.gain,
                "ron": tap.ron,
            }
            for tap in TAPS
        ],
    } | changes
    return written(folder, "taps", detector)


def written(folder: Path, name: str, detector: dict) -> Path:
    content = {
        "name": name,
        "keywords": {"exposure-time": ["EXPTIME"], "image-type": ["IMAGETYP"]},
        "dark-types": ["DARK*"],
        "setup": ["exposure time", "shape"],
        "arms": {"*": detector},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def exposures(seed: int = 5, lines: float = 0.0, frames: int = FRAMES) -> list[np.ndarray]:
    """Raws of four taps; with `lines` the pedestal of each row wanders by so many ADU."""
    rng = np.random.default_rng(seed)
    hot = [rng.choice(SIDE**2, 60, replace=False) for _ in TAPS]
    charge = [rng.uniform(200, 3000, 60) for _ in TAPS]
    result = []
    for _ in range(frames):
        raw = np.zeros(RAW)
        for tap, places, mean in zip(TAPS, hot, charge, strict=True):
            wander = lines * rng.standard_normal((SIDE, 1))
            pedestal = tap.pedestal + rng.normal(0, 3) + wander
            electrons = rng.poisson(5.0, (SIDE, SIDE)).astype(float)
            electrons.flat[places] += rng.poisson(mean)
            electrons.flat[rng.choice(SIDE**2, 3)] += 600
            electrons += rng.normal(0, tap.ron, electrons.shape)
            raw[tap.data] = electrons / tap.gain + pedestal
            blank = rng.normal(0, tap.ron, (SIDE, OVERSCAN))
            raw[tap.strip] = blank / tap.gain + pedestal
        result.append(np.clip(np.rint(raw), 0, LIMIT).astype(np.uint16))
    return result


def save(folder: Path, images, kind: str = "DARK", seconds: float = 60.0) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = []
    for number, image in enumerate(images):
        hdu = fits.PrimaryHDU(image)
        hdu.header["IMAGETYP"], hdu.header["EXPTIME"] = kind, seconds
        paths.append(folder / f"{kind.lower()}{number}.fits")
        hdu.writeto(paths[-1])
    return paths


def images(result) -> dict[str, np.ndarray]:
    found = {}
    for path in (result.master, result.mask):
        with fits.open(path) as hdus:
            found |= {f"{path.name} {hdu.name}": np.array(hdu.data) for hdu in hdus}
    return found


@pytest.fixture(scope="module")
def raws():
    return exposures()


@pytest.fixture(scope="module")
def whole(raws, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    paths = save(folder / "raw", raws)
    return mdark(paths, output=folder, instrument=str(profile(folder)))


@pytest.fixture(scope="module")
def single(raws, tmp_path_factory):
    """Each tap as a detector of its own."""
    results = []
    for tap in TAPS:
        folder = tmp_path_factory.mktemp(tap.name)
        detector = {"gain": tap.gain, "ron": tap.ron, "saturation": LIMIT, "pedestal": True}
        paths = save(folder / "raw", [raw[tap.data] for raw in raws])
        mine = written(folder, tap.name, detector)
        results.append(mdark(paths, output=folder, instrument=str(mine)))
    return results


def test_taps_are_pushed_together(whole):
    assert fits.getdata(whole.master).shape == SIZE
    assert whole.record["trimmed"]


def test_each_tap_is_as_if_it_were_alone(whole, single):
    # the scale of the noise image is the detector's, so a pixel at its limit may differ in that
    together = fits.getdata(whole.mask)
    noisy = int(Flag.NOISY)
    for tap, own in zip(TAPS, single, strict=True):
        alone = fits.getdata(own.mask)
        both = (together[tap.place] & noisy) == (alone & noisy)
        assert both.mean() > 0.9995
        for name in ("FLUX", "ERRS", "NCOM", "QUAL"):
            found = fits.getdata(whole.master, name)[tap.place][both]
            np.testing.assert_array_equal(found, fits.getdata(own.master, name)[both], name)
        for name in ("NOISE", "NREJ"):
            found = fits.getdata(whole.mask, name)[tap.place][both]
            np.testing.assert_array_equal(found, fits.getdata(own.mask, name)[both], name)


OWN = (
    "MDARK MEDIAN", "RAW RON", "MASTER RON", "MASTER RON PRED", "FPN", "COLSTRUCT", "ROWSTRUCT",
    "FRAME STRUCT", "LEVEL DRIFT", "GAIN SLOPE",
)  # fmt: skip


def test_metrics_of_each_tap_are_those_it_has_alone(whole, single):
    assert (whole.qa_flag, [m.concern for m in whole.reduced.judged.concerns]) == ("GOOD", [])
    for number, own in enumerate(single, start=1):
        for name in OWN:
            found, alone = whole.reduced.judged[f"{name} {number}"], own.reduced.judged[name]
            assert (found.value, found.error) == (alone.value, alone.error), name
            assert found.warning == alone.warning, name
    header = fits.getheader(whole.master)
    assert header["ESO QC RAW RON 4"] == whole.metrics["RAW RON 4"]
    # the pattern of the whole is the mean square of what each has
    squares = [own.metrics["FPN"] ** 2 for own in single]
    assert whole.metrics["FPN"] == pytest.approx(np.sqrt(np.mean(squares)), abs=1e-4)


def test_a_tap_with_another_noise_is_named(raws, tmp_path):
    wrong = [{"name": tap.name, "ron": tap.ron * (2 if tap.name == "c" else 1)} for tap in TAPS]
    content = yaml.safe_load(profile(tmp_path).read_text())
    for amplifier, change in zip(content["arms"]["*"]["amplifiers"], wrong, strict=True):
        amplifier |= change
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(content))
    paths = save(tmp_path / "raw", raws)
    result = mdark(
        paths,
        output=tmp_path / "o",
        instrument=str(tmp_path / "wrong.yaml"),
        overrides=["qc-acceptable-ranges={raw-ron: [0, 30], raw-ron-2: [0, 5]}"],
    )
    said = {m.name: m.concern for m in result.reduced.judged.concerns}
    assert set(said) == {"RAW RON 2", "RAW RON 3"}
    assert "0 to 5 is acceptable" in said["RAW RON 2"]
    assert "the RON of 10 e- (profile taps)" in said["RAW RON 3"]
    assert result.qa_flag == "BAD"
    assert result.reduced.judged["RAW RON 4"].acceptable == (0, 30)


def test_levels_and_read_noise_of_each_tap(whole, single):
    frames = whole.reduced.survey.frames
    for number, own in enumerate(single):
        for found, expected in zip(frames, own.reduced.survey.frames, strict=True):
            assert found.levels[number].level == expected.levels[0].level
            assert found.rons[number] == expected.rons[0]


def test_hot_pixels_are_found_and_borders_are_clean(whole):
    flags = fits.getdata(whole.master, "QUAL")
    hot = (flags & int(Flag.HOT)) != 0
    for tap in TAPS:
        # 60 are put into each, and some lie too near one another or to a cosmic ray
        assert 55 <= hot[tap.place].sum() <= 62
    border = np.zeros(SIZE, bool)
    border[SIDE - 2 : SIDE + 2] = border[:, SIDE - 2 : SIDE + 2] = True
    # 0.4 % of all pixels are hot: about four of these thousand
    assert hot[border].sum() <= 12


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_blocks_of_rows_change_nothing(raws, whole, tmp_path, monkeypatch, rows):
    monkeypatch.setattr("soxsdark.memory.rows_at_most", lambda *_: rows)
    monkeypatch.setattr("soxsdark.flags.BAND", SIZE[1] * rows)
    again = mdark(
        save(tmp_path / "raw", raws),
        output=tmp_path,
        instrument=str(profile(tmp_path)),
        overrides=["threads=3"],
    )
    for (name, found), expected in zip(images(again).items(), images(whole).values(), strict=True):
        np.testing.assert_array_equal(found, expected, name)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_turned_frames_give_turned_products(raws, whole, tmp_path, rotation):
    turned = [np.rot90(raw, k=-rotation // 90) for raw in raws]
    mine = profile(tmp_path, shape=list(turned[0].shape), rotation=rotation)
    paths = save(tmp_path / "raw", turned)
    result = mdark(paths, output=tmp_path, instrument=str(mine))
    # the blocks of the noise model are cut from the other side, so noise differs in a digit
    found, expected = (fits.getdata(r.master) for r in (result, whole))
    assert np.mean(np.abs(found - expected) < 0.5) > 0.995
    quality = fits.getdata(result.master, "QUAL") == fits.getdata(whole.master, "QUAL")
    assert quality.mean() > 0.999


def test_frames_that_are_trimmed_already(raws, whole, tmp_path):
    science = [np.block([[r[t.data] for t in TAPS[i : i + 2]] for i in (0, 2)]) for r in raws]
    result = mdark(
        save(tmp_path / "raw", science), output=tmp_path, instrument=str(profile(tmp_path))
    )
    assert not result.record["trimmed"]
    for (name, found), expected in zip(images(result).items(), images(whole).values(), strict=True):
        np.testing.assert_array_equal(found, expected, name)


def test_saturated_samples_are_found_in_every_tap(raws, tmp_path):
    raws = [raw.copy() for raw in raws]
    for raw in raws:
        for tap in TAPS:
            raw[tap.rows[0] + 7, tap.columns[0] + 9] = LIMIT
            raw[tap.rows[0] + 8, tap.columns[0] + 9] = LIMIT - 1
    for how in ("none", "median"):
        out = tmp_path / how
        result = mdark(
            save(tmp_path / f"raw-{how}", raws),
            output=out,
            instrument=str(profile(tmp_path)),
            overrides=[f"subtract-overscan={how}"],
        )
        saturated = (fits.getdata(result.master, "QUAL") & int(Flag.SATURATED)) != 0
        at = {(tap.place[0].start + 7, tap.place[1].start + 9) for tap in TAPS}
        assert set(zip(*np.nonzero(saturated), strict=True)) == at


def test_a_frame_far_off_in_one_tap_is_refused_by_name(raws, tmp_path):
    raws = [raw.copy() for raw in raws]
    raws[3][TAPS[2].data] += 100
    with pytest.raises(InputError, match=r"dark3.fits: too bright: its level of amplifier c of"):
        mdark(save(tmp_path / "raw", raws), output=tmp_path, instrument=str(profile(tmp_path)))


def test_a_dead_tap_is_refused_by_name(raws, tmp_path):
    raws = [raw.copy() for raw in raws]
    for raw in raws:
        raw[TAPS[1].data] = 7
    with pytest.raises(InputError, match="no scatter at all, every pixel of amplifier b"):
        mdark(save(tmp_path / "raw", raws), output=tmp_path, instrument=str(profile(tmp_path)))


def test_wrong_gain_of_one_tap_alone(raws, tmp_path):
    """With the gains unknown the slope stands for them; with known ones the noise model holds."""
    amplifiers = yaml.safe_load(profile(tmp_path).read_text())["arms"]["*"]["amplifiers"]
    for amplifier in amplifiers:
        del amplifier["gain"]
    result = mdark(
        save(tmp_path / "raw", raws),
        output=tmp_path,
        instrument=str(profile(tmp_path, amplifiers=amplifiers)),
    )
    assert "gain unknown: 1 e-/ADU assumed; set gain in the settings" in result.record["warnings"]
    # about 60 pixels of each tap are bright: too few for a slope, so 1 it is
    assert result.record["noise-model"]["slope-used"] > 0


# Overscan and reference pixels


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


# Master bias, subtraction


def test_master_bias_and_subtraction_amplifier_by_amplifier(tmp_path):
    mine = str(profile(tmp_path))
    rng = np.random.default_rng(12)
    empty = []
    for _ in range(9):
        raw = np.zeros(RAW)
        for tap in TAPS:
            raw[tap.data] = rng.normal(tap.pedestal, tap.ron / tap.gain, (SIDE, SIDE))
        empty.append(np.rint(raw).astype(np.uint16))
    zeros = save(tmp_path / "b", empty, "BIAS", 0.0)
    bias = mbias(zeros, output=tmp_path / "o", instrument=mine)
    dark = mdark(
        save(tmp_path / "d", exposures()), output=tmp_path / "o", instrument=mine,
        master_bias=bias.master,
    )  # fmt: skip
    flux, errs = (fits.getdata(dark.master, name) for name in ("FLUX", "ERRS"))
    for tap in TAPS:
        good = fits.getdata(dark.master, "QUAL")[tap.place] == 0
        # levels of six darks drift by 3 ADU each
        assert np.median(flux[tap.place][good]) == pytest.approx(5, abs=4 * 3 * tap.gain / 6**0.5)
        pulls = (flux[tap.place][good] - np.mean(flux[tap.place][good])) / errs[tap.place][good]
        assert np.std(pulls) == pytest.approx(1, abs=0.03)
    frame = save(tmp_path / "s", exposures(seed=77, frames=1))[0]
    plain = mdark(sorted((tmp_path / "d").glob("*.fits")), output=tmp_path / "p", instrument=mine)
    for master, calibration in ((plain.master, None), (dark.master, bias.master)):
        left = subtract_dark(frame, master, instrument=mine, master_bias=calibration)
        for tap in TAPS:
            good = ~left.mask[tap.place]
            # what remains is the drift of one level
            middle = np.median(left.data[tap.place][good])
            assert abs(middle) < 5 * 3 * tap.gain * (1 + 1 / 6) ** 0.5
            errors = left.uncertainty.array[tap.place][good]
            scatter = (left.data[tap.place][good] - middle) / errors
            assert 0.9 < 1.4826 * np.median(np.abs(scatter)) < 1.1


def test_bias_and_frames_of_another_baseline_are_refused(raws, tmp_path):
    mine, asked = str(profile(tmp_path)), ["subtract-overscan=median"]
    rng = np.random.default_rng(3)
    empty = [np.rint(rng.normal(3500, 5, RAW)).astype(np.uint16) for _ in range(4)]
    zeros = save(tmp_path / "b", empty, "BIAS", 0.0)
    bias = mbias(zeros, output=tmp_path / "o", instrument=mine, overrides=asked)
    assert fits.getheader(bias.master)["ESO PRO BASELINE"] == "overscan median"
    darks = save(tmp_path / "raw", raws)
    with pytest.raises(InputError, match="overscan median subtracted from its raws, expected nei"):
        mdark(darks, output=tmp_path / "p", instrument=mine, master_bias=bias.master)
    for how in ("mean", "polynomial"):
        own = [f"subtract-overscan={how}"]
        out = tmp_path / how
        dark = mdark(darks, output=out, instrument=mine, master_bias=bias.master, overrides=own)
        left = subtract_dark(darks[0], dark.master, master_bias=bias.master)
        assert abs(np.median(left.data[~left.mask])) < 1
    trimmed = save(tmp_path / "t", [raws[0][: 2 * SIDE, : 2 * SIDE]])[0]
    with pytest.raises(InputError, match="overscan polynomial subtracted .* expected neither"):
        subtract_dark(trimmed, dark.master, master_bias=bias.master)


# Geometry


def test_record_names_the_amplifiers(whole):
    record = json.loads(whole.record_file.read_text())
    assert [amplifier["name"] for amplifier in record["amplifiers"]] == list("abcd")
    for amplifier, tap in zip(record["amplifiers"], TAPS, strict=True):
        assert amplifier["gain"] == {"value": tap.gain, "source": "profile taps"}
        assert amplifier["rows"] == [tap.place[0].start, tap.place[0].stop]
        assert amplifier["columns"] == [tap.place[1].start, tap.place[1].stop]
    for frame in record["frames"]:
        assert len(frame["levels"]) == len(frame["rons"]) == 4


@st.composite
def mosaics(draw):
    spans = []
    for _ in range(2):
        edges, at = [], 0
        for _ in range(draw(st.integers(1, 3))):
            start = at + draw(st.integers(0, 4))
            at = start + draw(st.integers(1, 6))
            edges.append((start, at))
        spans.append((edges, at + draw(st.integers(0, 3))))
    (down, height), (across, width) = spans
    return down, across, (height, width)


@given(mosaics(), st.sampled_from([0, 90, 180, 270]))
def test_sections_are_the_mosaic_that_numpy_makes(mosaic, rotation):
    down, across, turned = mosaic
    image = np.arange(turned[0] * turned[1]).reshape(turned)
    raw = np.rot90(image, k=-rotation // 90)
    amplifiers = [{"name": f"{r}{c}", "rows": r, "columns": c} for r in down for c in across]
    detector = Detector.model_validate(
        {"shape": raw.shape, "rotation": rotation, "amplifiers": amplifiers}
    )
    sections, _, _ = science_sections(raw.shape, detector, (1, 1), True)
    expected = np.block([[image[slice(*r), slice(*c)] for c in across] for r in down])
    science = cut(raw, sections)
    assert np.array_equal(np.rot90(science, k=rotation // 90), expected)
    assert science.shape == science_shape(sections)
    parts = [(s.place, lambda a, b, s=s: science[s.place][a:b]) for s in sections]
    rows = join_rows(parts, 0, len(science))
    assert np.array_equal(rows, science)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": [0, 10], "columns": [0, 10]}, "leave these out"),
        ({"shape": None}, "need the shape"),
        ({"shape": [100, 100]}, "expected start < stop <= 100, the shape"),
        ({"reference-pixels": 4}, "overscan or reference pixels, not both"),
    ],
)
def test_profiles_that_make_no_sense(tmp_path, change, message):
    with pytest.raises(SettingsError, match=message):
        load_profile(profile(tmp_path, **change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("b", {"name": "a"}), "two amplifiers have the same name"),
        (("b", {"rows": [0, 100], "overscan-rows": [0, 100]}), "overlap"),
        (("b", {"columns": [10, 138]}), "gap, or two have the same pixels"),
        (("b", {"overscan-rows": [3, 9]}), "either the rows or the columns"),
        (("b", {"overscan-rows": None}), "go together"),
    ],
)
def test_amplifiers_that_make_no_sense(tmp_path, change, message):
    amplifiers = yaml.safe_load(profile(tmp_path).read_text())["arms"]["*"]["amplifiers"]
    name, values = change
    for amplifier in amplifiers:
        if amplifier["name"] == name:
            amplifier.update(values)
    with pytest.raises(SettingsError, match=message):
        load_profile(profile(tmp_path, amplifiers=amplifiers))

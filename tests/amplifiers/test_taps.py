"""Detectors of several amplifiers: as good as each amplifier by itself."""

import numpy as np
import pytest
import yaml
from astropy.io import fits

from soxsdark import mdark
from soxsdark.errors import InputError
from soxsdark.flags import Flag
from tests.amplifiers.taps import LIMIT, SIDE, TAPS, profile, save, written

SIZE = (2 * SIDE, 2 * SIDE)


def images(result) -> dict[str, np.ndarray]:
    found = {}
    for path in (result.master, result.mask):
        with fits.open(path) as hdus:
            found |= {f"{path.name} {hdu.name}": np.array(hdu.data) for hdu in hdus}
    return found


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

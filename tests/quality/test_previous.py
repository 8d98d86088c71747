"""The master before: compared, or refused."""

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.cli import main
from soxsdark.errors import InputError
from soxsdark.simulator import Scene, simulate
from tests.quality.sets import CLEAN, SIDE, add


@pytest.fixture(scope="module")
def two_nights(tmp_path_factory):
    """Two sets of one detector: 15 hot pixels came, 25 went, the level is 12 e- higher."""
    folder = tmp_path_factory.mktemp("nights")
    first = simulate(folder / "a", Scene(seed=11, drift=0.0, **CLEAN, **SIDE))
    # frames 6 to 10 of the same sky
    more = simulate(folder / "more", Scene(seed=11, drift=0.0, frames=10, **CLEAN, **SIDE))
    rng = np.random.default_rng(1)
    # few enough that nobody measures their shot noise, which they lack
    places = rng.choice(256 * 256, 75, replace=False)
    hot = np.zeros((2, 256 * 256))
    hot[0, places[:60]] = hot[1, places[:35]] = hot[1, places[60:]] = 500
    hot[1] += 12
    for files, frames, image in ((first, slice(0, 5), hot[0]), (more, slice(5, 10), hot[1])):
        add(files, image.reshape(256, 256), frames)
    old = mdark(first.sof, output=folder / "old")
    return folder, old, list(more.frames[5:])


def test_the_previous_master_is_compared(two_nights, tmp_path, capsys):
    folder, old, frames = two_nights
    result = mdark(frames, output=tmp_path / "o", previous=old.master)
    assert result.qa_flag == "GOOD"
    assert result.metrics["PREV HOT NEW"] == pytest.approx(15, abs=2)
    assert result.metrics["PREV HOT GONE"] == pytest.approx(25, abs=2)
    # all that moved, but for cosmic rays that nobody threw out
    assert result.metrics["PREV MOVED FRAC"] * 256**2 == pytest.approx(40, abs=3)
    level = np.rint(12 / 2.3) * 2.3
    assert result.metrics["PREV LEVEL DIFF"] == pytest.approx(level, abs=0.3)
    assert result.record["previous-master"]["path"] == old.master.absolute()
    assert fits.getheader(result.master)["ESO QC PREV HOT NEW"] == result.metrics["PREV HOT NEW"]
    arguments = ["mdark", *map(str, frames), "-o", str(tmp_path / "c"), "--previous"]
    assert main([*arguments, str(old.master)]) == 0
    assert "PREV LEVEL DIFF" in capsys.readouterr().out


def test_the_same_set_again_has_not_moved(two_nights, tmp_path):
    folder, old, _ = two_nights
    again = mdark(folder / "a" / "darks.sof", output=tmp_path / "o", previous=old.master)
    for name in ("PREV MOVED FRAC", "PREV HOT NEW", "PREV HOT GONE", "PREV LEVEL DIFF"):
        assert again.metrics[name] == 0


def test_a_drift_of_one_amplifier_moves_no_pixel(tmp_path):
    """Half of the detector lies 30 ADU of 1.6 e- higher than before."""
    scene = {"arm": "MEGARA", "shape": (128, 160), "drift": 0.0, "cosmic_ray_rate": 0.0, **CLEAN}
    before = simulate(tmp_path / "a", Scene(seed=1, **scene))
    after = simulate(tmp_path / "b", Scene(seed=2, **scene))
    for path in after.frames:
        with fits.open(path, mode="update", memmap=False) as hdus:
            hdus[0].data[64 + 50 :] += np.uint16(30)
            hdus[0].add_checksum()
    old = mdark(before.sof, output=tmp_path / "o", instrument=before.profile)
    new = mdark(after.sof, output=tmp_path / "n", instrument=before.profile, previous=old.master)
    assert new.metrics["PREV MOVED FRAC"] < 1e-3
    assert new.metrics["PREV LEVEL DIFF"] == pytest.approx(30 * 1.6 / 2, abs=0.1)


def test_a_previous_master_in_adu_has_the_gain_of_each_amplifier(tmp_path):
    """The same set again: 1.73 and 1.6 e-/ADU."""
    made = simulate(tmp_path / "a", Scene(arm="MEGARA", shape=(128, 160), **CLEAN))
    options = {"instrument": made.profile}
    old = mdark(made.sof, output=tmp_path / "o", **options).master
    with fits.open(old, mode="update", memmap=False) as hdus:
        for name in ("FLUX", "ERRS"):
            hdus[name].data /= np.repeat([1.73, 1.6], 64)[:, None].astype("f4")
        hdus[0].header["BUNIT"] = "adu"
        for hdu in hdus:
            hdu.add_checksum()
    new = mdark(made.sof, output=tmp_path / "n", previous=old, **options)
    assert new.metrics["PREV MOVED FRAC"] == 0
    assert new.metrics["PREV LEVEL DIFF"] == pytest.approx(0, abs=1e-3)


def test_a_range_on_the_previous_counts_only_if_there_is_one(two_nights, tmp_path):
    _, old, frames = two_nights
    settings = ["qc-acceptable-ranges={prev-hot-new: [0, 5]}"]
    without = mdark(frames, output=tmp_path / "a", overrides=settings)
    assert (without.qa_flag, "PREV HOT NEW" in without.metrics) == ("GOOD", False)
    assert without.record["previous-master"] is None
    given = mdark(frames, output=tmp_path / "b", overrides=settings, previous=old.master)
    assert given.qa_flag == "BAD"


def test_a_previous_master_may_be_replaced(night, tmp_path):
    first = mdark(night.sof, output=tmp_path)
    second = mdark(night.sof, output=tmp_path, previous=first.master, overwrite=True)
    assert second.metrics["PREV MOVED FRAC"] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"exptime": 10.0}, r"exposure time is 300 s, expected 10 s"),
        ({"shape": (96, 120)}, r"has 96x128"),
        ({"header_gain": 4.0}, r"another setup than .*gain 4 \(the dark: 2\.3\)"),
    ],
)
def test_a_previous_master_of_another_setup_is_refused(night, tmp_path, options, said):
    old = mdark(night.sof, output=tmp_path / "old").master
    files = simulate(tmp_path / "n", Scene(**{"shape": (96, 128), "seed": 7, **options}))
    with pytest.raises(InputError, match=said):
        mdark(files.sof, output=tmp_path / "o", previous=old)


def test_a_previous_master_that_is_none(night, tmp_path):
    result = mdark(night.sof, output=tmp_path / "old")
    with pytest.raises(InputError, match="BP_MAP_NIR', expected a master dark"):
        mdark(night.sof, output=tmp_path / "o", previous=result.mask)
    with pytest.raises(InputError, match="none.fits: no such file, expected a master dark"):
        mdark(night.sof, output=tmp_path / "p", previous=tmp_path / "none.fits")

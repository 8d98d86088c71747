"""Master biases and subtraction, amplifier by amplifier."""

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mbias, mdark
from soxsdark.errors import InputError
from soxsdark.subtract import subtract_dark
from tests.amplifiers.taps import RAW, SIDE, TAPS, exposures, profile, save


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

"""`soxsdark simulate`."""

import pytest
from astropy.io import fits


def test_simulate_then_reduce(command, tmp_path):
    arguments = ("simulate", tmp_path / "n", "--shape", "64x80", "--frames", 4, "--seed", 9)
    code, out, err = command(*arguments, "--exptime", 100, "--arm", "VIS", "--list-bad-pixel-map")
    assert (code, err) == (0, "")
    assert out.split() == [str(tmp_path / "n" / n) for n in ("darks.sof", "bpm.fits", "truth.fits")]
    header = fits.getheader(tmp_path / "n" / "VIS_dark_004.fits")
    assert (header["EXPTIME"], header["NAXIS1"], header["NAXIS2"]) == (100.0, 80, 64)
    assert command("mdark", tmp_path / "n" / "darks.sof", "-o", tmp_path, "-q") == (0, "", "")
    code, _, err = command(*arguments)
    assert code == 5
    assert "exists already" in err


def test_simulate_has_an_option_for_everything(command):
    _, out, _ = command("simulate", "--help")
    for option in ("arm", "frames", "exptime", "seed", "shape", "glow", "light-leak", "dtype"):
        assert f"--{option} " in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--shape", "64"], "64"), (["--frames", "0"], "frames"), (["--arm", "XIR"], "XIR")],
)
def test_wrong_scene(command, tmp_path, arguments, said):
    code, out, err = command("simulate", tmp_path / "n", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert not (tmp_path / "n").exists()

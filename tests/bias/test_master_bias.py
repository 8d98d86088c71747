"""Master biases: what they are, and what they are made of."""

import json
import shutil

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mbias, mdark
from soxsdark.cli import main
from soxsdark.errors import InputError
from tests.bias.pairs import COLUMNS, RON, image

# The master bias


def test_products_of_a_bias(pair):
    names = sorted(p.name for p in pair.master.products)
    assert names == ["biases_MBIAS.fits", "biases_MBIAS.json", "biases_MBIAS.log"]
    with fits.open(pair.master.master, checksum=True) as hdus:
        assert [h.name for h in hdus] == ["FLUX", "QUAL", "ERRS", "NCOM"]
        header = hdus[0].header
    assert header["ESO PRO CATG"] == "MASTER_BIAS_VIS"
    assert header["ESO PRO REC1 ID"] == "mbias"
    assert header["ESO PRO REC1 RAW1 CATG"] == "BIAS_VIS"
    assert header["ESO PRO PEDESTAL"] is True
    assert header["EXPTIME"] == 0
    record = json.loads(pair.master.record_file.read_text())
    assert (record["recipe"], record["qa-flag"], len(record["products"])) == ("mbias", "GOOD", 1)


def test_bias_is_the_pattern_and_its_level(pair):
    truth = pair.bias_truth
    good = truth.hits == 0
    off = image(pair.master.master) - COLUMNS - truth.levels_e.mean()
    pull = (off / image(pair.master.master, "ERRS"))[good]
    # a pattern has no shot noise: with it the spread would be 0.75; 65000 pulls tell it to 0.3 %
    assert pull.std() == pytest.approx(1, abs=0.012)
    assert abs(pull.mean()) < 0.05
    assert pair.master.metrics["RAW RON"] == pytest.approx(RON, rel=0.01)
    assert pair.master.metrics["MBIAS MEDIAN"] == pytest.approx(1000, abs=12)
    assert not {"GAIN SLOPE", "DARK CURRENT", "MDARK MEDIAN"} & pair.master.metrics.keys()


def test_hot_pixel_rate_means_nothing_in_a_bias(pair, tmp_path):
    again = mbias(pair.bias.sof, output=tmp_path, overrides=["hot-pixel-rate=0.1"])
    assert again.metrics["HOTPIX NUM"] == pair.master.metrics["HOTPIX NUM"] == 0


def test_dark_type_without_exposure_is_a_bias(pair, tmp_path, edit):
    shutil.copytree(pair.bias.sof.parent, tmp_path / "b")
    frames = sorted((tmp_path / "b").glob("VIS*.fits"))
    for path in frames:
        edit(path, ESO_DPR_TYPE="DARK")
    assert mbias(frames, output=tmp_path / "o").metrics["NFRAMES"] == 10
    edit(frames[2], EXPTIME=10.0)
    with pytest.raises(InputError, match=r"bias_003\.fits: ESO DPR TYPE is 'DARK', expected a bia"):
        mbias(frames, output=tmp_path / "p")


def test_wrong_kind_is_refused(pair, tmp_path):
    with pytest.raises(InputError, match=r"VIS_dark_001\.fits: tagged DARK_VIS, mbias takes bias"):
        mbias(pair.dark.sof, output=tmp_path)
    with pytest.raises(InputError, match=r"bias_001\.fits: tagged BIAS_VIS, mdark takes dark"):
        mdark(pair.bias.sof, output=tmp_path)
    with pytest.raises(InputError, match=r"VIS_dark_001\.fits: ESO DPR TYPE is 'DARK'"):
        mbias(list(pair.dark.frames), output=tmp_path)


def test_bias_of_a_bias_is_refused(pair, tmp_path):
    sof = tmp_path / "b.sof"
    frames = "".join(f"{path} BIAS_VIS\n" for path in pair.bias.frames)
    sof.write_text(frames + f"{pair.master.master} MASTER_BIAS_VIS\n")
    with pytest.raises(InputError, match="mbias subtracts no master bias"):
        mbias(sof, output=tmp_path)


# The command line


def test_commands(pair, tmp_path, capsys):
    out = str(tmp_path / "o")
    assert main(["mbias", str(pair.bias.sof), "-o", out]) == 0
    assert "biases_MBIAS.fits" in capsys.readouterr().out
    bias = f"{out}/biases_MBIAS.fits"
    assert main(["mdark", str(pair.dark.sof), "-o", out, "-q", "--master-bias", bias]) == 0
    assert capsys.readouterr() == ("", "")
    np.testing.assert_array_equal(image(f"{out}/darks_MDARK.fits"), image(pair.result.master))

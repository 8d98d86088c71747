"""Frames, darks, biases and calls that do not fit together."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData

from soxsdark import mdark, subtract_dark
from soxsdark.errors import InputError, UsageError
from soxsdark.subtract import subtract_files
from tests.subtract.frames import SHAPE, changed


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"ESO__DET__OUT1__CONAD": 1.1}, r"gain 1\.1 \(the dark: 2\.3\)"),
        ({"ESO__DET__BINX": 2, "ESO__DET__BINY": 2}, r"binning 2x2 \(the dark: 1x1\)"),
        ({"ESO__DET__READ__CURNAME": "Double"}, r"readout name Double \(the dark: NonDest\)"),
        ({"ESO__DET__READ__CURID": 3}, r"readout id 3 \(the dark: 1\)"),
        ({"ESO__SEQ__ARM": "VIS"}, r"arm VIS \(the dark: NIR\)"),
        ({"INSTRUME": "ESPRESSO"}, r"instrument ESPRESSO \(the dark: SOXS\)"),
    ],
)
def test_another_setup_is_refused(nir, tmp_path, cards, said):
    frame = changed(nir["frame"], tmp_path, **cards)
    with pytest.raises(InputError, match=f"another setup than darks_MDARK.fits: .*{said}") as error:
        subtract_dark(frame, nir["master"])
    assert str(frame) in str(error.value)


def test_another_window_is_refused(nir):
    frame = CCDData(np.ones((20, 30)), unit="adu", meta=fits.getheader(nir["frame"]))
    with pytest.raises(InputError, match="20x30 science pixels .*has 150x140"):
        subtract_dark(frame, nir["master"])


def test_dark_that_never_scales(nir):
    with pytest.raises(
        InputError, match="100 s, darks_MDARK.fits has 300 s, .*dark-scaling: never"
    ):
        subtract_dark(nir["short"], nir["master"])
    with pytest.raises(InputError, match=r"in profile soxs, arm NIR\); take a dark of 100 s"):
        subtract_dark(nir["short"], nir["master"], scale="always")


def test_dark_with_pedestal_is_not_scaled(vis):
    said = r"900 s, .* has 3600 s and still contains the bias pedestal .*--master-bias"
    for scale in ("auto", "always"):
        with pytest.raises(InputError, match=said):
            subtract_dark(vis["short"].frames[10], vis["with"], scale=scale)


def test_dark_that_does_not_say_is_not_scaled(vis, tmp_path):
    dark = changed(vis["with"], tmp_path, ESO__PRO__PEDESTAL=None)
    with pytest.raises(InputError, match="does not say that it is free of the bias pedestal"):
        subtract_dark(vis["short"].frames[10], dark)


def test_scale_never(vis):
    options = {"master_bias": vis["bias"], "scale": "never"}
    with pytest.raises(InputError, match="scaling is switched off; take a dark of 900 s"):
        subtract_dark(vis["short"].frames[10], vis["free"], **options)
    assert subtract_dark(vis["equal"].frames[10], vis["free"], **options).shape == SHAPE


def test_tolerance_of_the_exposure_times(vis, tmp_path):
    tolerant = ["exposure-time-tolerance=10"]
    options = {"output": tmp_path, "overrides": tolerant, "master_bias": vis["bias"]}
    dark = mdark(vis["darks"].sof, **options).master_dark
    frame = changed(vis["equal"].frames[10], tmp_path, EXPTIME=3609.0)
    for scale, factor in (("auto", 1.0), ("never", 1.0), ("always", 3609 / 3600)):
        found = subtract_dark(frame, dark, scale=scale, master_bias=vis["bias"])
        assert found.meta["ESO QC DSUB FACTOR"] == pytest.approx(factor, rel=1e-12)


def test_bias_is_needed_where_the_dark_has_none(vis):
    said = r"still contains the bias pedestal, .* does not \(bias\.fits was subtracted from it\)"
    with pytest.raises(InputError, match=said):
        subtract_dark(vis["equal"].frames[10], vis["free"])


def test_bias_is_refused_where_the_readout_removes_it(nir, vis):
    with pytest.raises(InputError, match="the readout removes the pedestal .*leave --master-bias"):
        subtract_dark(nir["frame"], nir["master"], master_bias=vis["bias"])


def test_reduced_frames_and_other_products_are_refused(nir):
    with pytest.raises(InputError, match=r"MASTER_DARK_NIR.*a raw frame is expected"):
        subtract_dark(nir["master"], nir["master"])
    mask = nir["master"].with_name("darks_BPM.fits")
    with pytest.raises(InputError, match="ESO PRO CATG is 'BP_MAP_NIR', expected a master dark"):
        subtract_dark(nir["frame"], mask)


def test_damaged_and_missing_darks(nir, tmp_path):
    content = bytearray(nir["master"].read_bytes())
    content[len(content) // 3] ^= 1
    (tmp_path / "d.fits").write_bytes(content)
    with pytest.raises(InputError, match=r"d\.fits: HDU 0: DATASUM does not fit"):
        subtract_dark(nir["frame"], tmp_path / "d.fits")
    (tmp_path / "short.fits").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"short\.fits"):
        subtract_dark(nir["frame"], tmp_path / "short.fits")
    with pytest.raises(InputError, match=r"none\.fits"):
        subtract_dark(nir["frame"], tmp_path / "none.fits")


def test_wrong_usage(nir):
    with pytest.raises(UsageError, match="scale is 'maybe', expected one of auto, always, never"):
        subtract_dark(nir["frame"], nir["master"], scale="maybe")
    with pytest.raises(UsageError, match="no frame given"):
        subtract_files([], nir["master"])

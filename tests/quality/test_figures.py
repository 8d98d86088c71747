"""The metrics against the simulated truth."""

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.simulator import Scene, read_truth, simulate
from tests.quality.sets import ARMS, CLEAN, add, made


def test_noise_of_the_master_is_that_of_the_truth(tmp_path):
    for number, options in enumerate(ARMS):
        result = made(tmp_path / str(number), seed=31, **CLEAN, **options)
        truth = read_truth(tmp_path / str(number) / "raw" / "truth.fits")
        frames = options["frames"]
        expected = np.median(truth.noise) / np.sqrt(frames)
        found = result.reduced.judged["MASTER RON"]
        assert found.value == pytest.approx(expected, abs=4 * found.error)
        assert found.error < 0.01 * found.value
        assert result.metrics["MASTER RON PRED"] == pytest.approx(expected, rel=0.01)


def test_patterns_are_measured_each_by_its_metric(tmp_path):
    rng = np.random.default_rng(2)
    shape = (512, 512)
    patterns = {
        "FPN": 7 * rng.normal(size=shape),
        "COLSTRUCT": np.tile(7 * rng.normal(size=512), (512, 1)),
        "ROWSTRUCT": np.tile(7 * rng.normal(size=512), (512, 1)).T,
    }
    for name, pattern in patterns.items():
        files = simulate(tmp_path / name, Scene(shape=shape, seed=8, **CLEAN))
        add(files, pattern)
        result = mdark(files.sof, output=tmp_path / "out" / name)
        steps = np.rint(pattern / 2.3) * 2.3
        found = result.reduced.judged[name]
        assert found.value == pytest.approx(np.std(steps), abs=4 * found.error + 0.02)
        others = set(patterns) - {name, "FPN"}
        for other in others:
            assert result.metrics[other] < 0.5
        # every pattern is part of the spatial scatter, none of the noise
        assert result.metrics["FPN"] == pytest.approx(np.std(steps), rel=0.03)
        assert result.metrics["MASTER RON"] == pytest.approx(3.36, rel=0.01)
        assert result.qa_flag == "GOOD"


@pytest.mark.parametrize("arm", ["UVB", "XSH-NIR"])
def test_columns_are_those_of_the_product(tmp_path, arm):
    files = simulate(tmp_path / "n", Scene(arm=arm, shape=(300, 250), **CLEAN))
    column = np.rint(9 * np.random.default_rng(2).normal(size=250)).astype(int)
    for path in files.frames:
        with fits.open(path, mode="update", memmap=False) as hdus:
            turned = np.rot90(hdus[0].data, k={"UVB": 2, "XSH-NIR": 1}[arm])
            turned += column.astype(turned.dtype)
            hdus[0].add_checksum()
    result = mdark(files.sof, output=tmp_path / "o")
    gain = result.record["gain"]["value"]
    assert result.metrics["COLSTRUCT"] == pytest.approx(np.std(column) * gain, rel=0.1)
    assert result.metrics["ROWSTRUCT"] < 1

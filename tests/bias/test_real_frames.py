"""Real darks and biases."""

import numpy as np
import pytest

from soxsdark import mbias, mdark
from tests.bias.pairs import image


def test_stl1001(shared_data, tmp_path):
    biases, darks = (
        sorted((shared_data / "stl1001").glob(name)) for name in ("bias*.FIT", "dark_10*.FIT")
    )
    halves = []
    for half in (0, 1):
        out = tmp_path / str(half)
        bias = mbias(biases[half::2], output=out, instrument="generic")
        assert (bias.qa_flag, bias.metrics["NFRAMES"]) == ("GOOD", 5)
        halves.append(
            mdark(darks[half::2], output=out, instrument="generic", master_bias=bias.master)
        )
    raw, zero = (np.median([image(p) for p in files], axis=0) for files in (darks, biases))
    # the level of five bias frames is known to about 1 e-, their median to half an ADU
    for result in halves:
        truth = 2.06 * np.median(raw - zero)
        assert result.metrics["MDARK MEDIAN"] == pytest.approx(truth, abs=3)
        assert result.metrics["DARK CURRENT"] == pytest.approx(truth / 30, abs=0.1)
    flux, errors, flags = (
        [image(r.master, name) for r in halves] for name in ("FLUX", "ERRS", "QUAL")
    )
    good = (flags[0] == 0) & (flags[1] == 0)
    pull = ((flux[0] - flux[1]) / np.hypot(*errors))[good]
    # 1 million pulls of independent halves, the temperature of the camera steady to 0.2 degrees
    assert pull.std() == pytest.approx(1, abs=0.03)

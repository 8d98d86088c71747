"""Scenes that make no sense."""

import math

import pytest

from soxsdark.errors import UsageError
from soxsdark.simulator import Scene


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arm": "IR"}, r"arm: got 'IR', expected one of NIR, VIS, UVB"),
        ({"dtype": "int8"}, r"dtype: got 'int8', expected one of uint16"),
        ({"frames": 0}, r"frames: got 0, expected at least 1"),
        ({"exptime": -1.0}, r"exptime: got -1.0, expected 0 to 1e\+06"),
        ({"exptime": math.inf}, r"exptime: got inf"),
        ({"ron": math.nan}, r"ron: got nan, expected 0 to 1e\+09"),
        ({"dark": 1e30}, r"dark: got 1e\+30, expected 0 to 1e\+06"),
        ({"cosmic_ray_rate": 1e30}, r"cosmic_ray_rate: got 1e\+30, expected 0 to 1$"),
        ({"hot_fraction": 1.5}, r"hot_fraction: got 1.5, expected 0 to 1"),
        ({"hot_fraction": 0.6, "noisy_fraction": 0.6}, r"their sum is 1\.2005, expected at most 1"),
        ({"hot_rate_min": 9.0, "hot_rate_max": 8.0}, r"hot_rate_max: got 8, .*hot_rate_min, 9"),
        ({"shape": (4, 100)}, r"shape: got \(4, 100\), expected at least 8"),
        ({"arm": "VIS", "ndit": 2}, r"ndit: got 2, expected 1 in the VIS arm"),
        ({"date_obs": "yesterday"}, r"date_obs: .*'yesterday'.*expected 2025"),
        ({"date_obs": "9999-12-31T23:59:00"}, r"date_obs: .*out of range"),
    ],
)
def test_scene_refuses(options, message):
    with pytest.raises(UsageError, match=message):
        Scene(**options)

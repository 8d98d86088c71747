"""A sweep that is done, its table, and a set that does not fit into memory."""

import pytest

from soxsdark.cli import main
from soxsdark.simulator import Scene, simulate
from soxsdark.tune import tune
from tests.tune.benches import SWEEP


@pytest.fixture(scope="session")
def tall_set(tmp_path_factory):
    scene = {"shape": (1024, 256), "frames": 12, "overscan": False, "glow": 40.0}
    return simulate(tmp_path_factory.mktemp("tall") / "raw", Scene(seed=21, **scene))


@pytest.fixture(scope="session")
def tuned(small_set, tmp_path_factory):
    return tune(small_set.sof, SWEEP, output=tmp_path_factory.mktemp("tuned"))


@pytest.fixture
def printed(small_set, tuned, capsys):
    def run(*more) -> str:
        folder = str(tuned.csv.parent)
        sweeps = [word for sweep in SWEEP for word in ("--sweep", sweep)]
        assert main(["tune", str(small_set.sof), *sweeps, "-o", folder, *more]) == 0
        return capsys.readouterr().out

    return run

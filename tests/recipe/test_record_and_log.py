"""What the record and the log say of a run, and what its caller is told."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from soxsdark import mdark
from soxsdark.errors import SettingsError, UsageError
from soxsdark.settings import Settings
from soxsdark.settings_model import schemas
from tests.products import names
from tests.recipe.running import levels, run, science, sha256

# The record and the log


def test_record(night, tmp_path):
    command = ["soxsdark", "mdark", "darks.sof"]
    settings = tmp_path / "s.yaml"
    settings.write_text("soxs-mdark:\n  background-box: 32\n  nir:\n    hot-pixel-sigma: 6\n")
    result = mdark(
        night.sof,
        settings,
        output=tmp_path / "o",
        command=command,
        overrides=["cold-pixel-sigma=7"],
    )
    record = json.loads(result.record_file.read_text())
    assert record["succeeded"] is True
    assert record["command"] == command
    assert [f["path"] for f in record["frames"]] == [str(p) for p in night.frames]
    assert [f["sha256"] for f in record["frames"]] == [sha256(p) for p in night.frames]
    assert {f["tag"] for f in record["frames"]} == {"DARK_NIR"}
    for product in record["products"]:
        path = tmp_path / "o" / product["name"]
        assert product["sha256"] == sha256(path)
        assert product["size"] == path.stat().st_size
        assert record["run-id"].encode() in path.read_bytes()
    assert [p["name"] for p in record["products"]] == ["darks_MDARK.fits", "darks_BPM.fits"]
    assert set(record["settings"]) == set(schemas())
    origins = {k: v["origin"] for k, v in record["settings"].items() if v["origin"] != "default"}
    assert origins == {
        "background-box": "s.yaml:2", "hot-pixel-sigma": "s.yaml:4 (nir)",
        "cold-pixel-sigma": "--set",
    }  # fmt: skip
    values = {k: record["settings"][k]["value"] for k in origins}
    assert values == {"background-box": 32, "hot-pixel-sigma": 6, "cold-pixel-sigma": 7}
    assert {k: v["value"] for k, v in record["metrics"].items()} == result.metrics
    assert record["qa-flag"] == "GOOD"
    assert record["gain"] == {"value": 2.3, "source": "header ESO DET OUT1 CONAD"}
    assert record["started"].endswith("+00:00")


def test_metrics_are_those_of_the_products(night, tmp_path):
    result = run(night, tmp_path / "o")
    flags, flux = science(result.mask), science(result.master_dark)
    counts = {"HOTPIX": 256, "COLDPIX": 512, "NOISYPIX": 16384, "BADPIX": -1}
    for name, bit in counts.items():
        number = np.count_nonzero(flags & bit)
        assert result.metrics[f"{name} NUM"] == number
        assert result.metrics[f"{name} FRAC"] == pytest.approx(number / flags.size, rel=1e-3)
    assert result.metrics["NFRAMES"] == 5
    assert result.metrics["MDARK MEDIAN"] == pytest.approx(np.median(flux), rel=1e-6)
    assert result.metrics["MDARK MEAN"] == pytest.approx(flux.mean(dtype=float), rel=1e-6)
    rejected = science(result.mask, "NREJ")
    assert result.metrics["CLIPPED FRAC"] == pytest.approx(
        rejected.sum() / flags.size / 5, rel=1e-3
    )
    assert rejected.sum() == sum(f["rejected"] for f in result.record["frames"])
    assert result.metrics["LEVEL DRIFT"] == pytest.approx(np.std(levels(result), ddof=1), rel=1e-3)
    # read noise of the scene, from 49000 differences: known to 0.4 %
    assert result.metrics["RAW RON"] == pytest.approx(7.3, rel=0.05)


def test_log_lines(night, tmp_path):
    script = (
        "import sys; from soxsdark import mdark; r = mdark(sys.argv[1], output=sys.argv[2]);"
        "print(r.record['started'])"
    )
    # a zone far from UTC: the log must not follow it
    done = subprocess.run(
        [sys.executable, "-c", script, str(night.sof), str(tmp_path / "o")],
        env={"TZ": "Pacific/Auckland", "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    text = (tmp_path / "o" / "darks.log").read_text()
    lines = text.splitlines()
    assert "\x1b" not in text
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [A-Z]+ \S", line) for line in lines)
    assert lines[0][:13] == done.stdout[:13].replace(" ", "T")
    assert sum("frame NIR_dark_00" in line for line in lines) == 5


def test_log_keeps_out_escape_codes_of_headers(night, tmp_path, edit):
    for path in night.frames:
        path.rename(path.with_name(path.name.replace("NIR", "N\x1b[31mR")))
    paths = sorted(night.sof.parent.glob("N*dark*"))
    result = mdark(paths, output=tmp_path / "o")
    assert "\x1b" not in result.log.read_text()


# What the caller is told


def test_settings_objects(night, tmp_path):
    settings = Settings.read(None, ["hot-pixel-sigma=9"])
    result = mdark(night.sof, settings, output=tmp_path / "o")
    assert result.record["settings"]["hot-pixel-sigma"] == {"value": 9.0, "origin": "--set"}
    with pytest.raises((SettingsError, UsageError), match="overrides"):
        mdark(night.sof, settings, output=tmp_path / "p", overrides=["hot-pixel-sigma=9"])


def test_progress_counts_up(night, tmp_path):
    calls = []
    run(night, tmp_path / "o", progress=lambda *step: calls.append(step))
    frames = [c[1:] for c in calls if c[0] == "frames"]
    assert frames == [(i, 5) for i in range(1, 6)]
    assert calls[-1][1] == calls[-1][2]


def test_bug_leaves_a_traceback_in_the_log_alone(night, tmp_path):
    def broken(*step):
        raise RuntimeError("out of cheese")

    with pytest.raises(RuntimeError, match="out of cheese"):
        run(night, tmp_path / "o", progress=broken)
    assert names(tmp_path / "o") == ["darks_FAILED.json", "darks_FAILED.log"]
    assert "Traceback" in (tmp_path / "o" / "darks_FAILED.log").read_text()
    record = json.loads((tmp_path / "o" / "darks_FAILED.json").read_text())
    assert record["error"]["exit-code"] == 70

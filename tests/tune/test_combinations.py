"""Each combination is a full run, bit for bit, and its line says what the masks say."""

import json

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.flags import Flag
from soxsdark.settings import Settings
from soxsdark.simulator import read_truth
from soxsdark.tune import NO_MATTER, tune
from soxsdark.tune_sweep import STAGES
from tests.amplifiers.taps import exposures, profile, save
from tests.tune.benches import NOISE, SWEEP, bench_of


def images_of(reduced) -> dict[str, np.ndarray]:
    return {**vars(reduced.master), **vars(reduced.mask)}


CHANGED = {
    "gain": 2.0, "ron": 5.0, "saturation": 200.0, "subtract-overscan": "median",
    "subtract-reference-pixels": "median", "frame-clipping-sigma": 2.0,
    "clipping-iteration-count": 1, "frame-clipping-deviation": "std",
    "frame-clipping-excludes-samples": True, "frame-clipping-flags": True,
    "stacked-clipping-sigma": 3.0, "stacked-clipping-iterations": 0,
    "stacked-clipping-deviation": "mad", "noise-clipping-lower-sigma": 2.0,
    "noise-clipping-upper-sigma": 3.0, "noise-clipping-iterations": 1, "background-box": 16,
    "hot-pixel-sigma": 4.0, "cold-pixel-sigma": 2.0, "hot-pixel-rate": 0.1,
}  # fmt: skip


def test_every_setting_that_can_be_swept_is_tried_here():
    assert CHANGED.keys() | {"clipping-lower-sigma", "clipping-upper-sigma"} == STAGES.keys()


def test_what_changes_no_pixel_is_known():
    verdict = {"maximum_temperature_spread", "qc_acceptable_ranges"}
    assert verdict | {"threads", "memory_limit", "set_gap", "night_start"} == NO_MATTER


@pytest.mark.parametrize("keep_stack", [False, True])
def test_a_combination_is_a_full_run_bit_for_bit(small_set, tmp_path, keep_stack):
    bench = bench_of(small_set.sof, keep_stack=keep_stack)
    assert bench.held.whole
    # one after another on one bench, so that what a stage leaves behind would show
    for number, (key, value) in enumerate(CHANGED.items()):
        text = f"{key}={json.dumps(value)}"
        reduced = bench.reduce(Settings.read(None, [text]))
        full = mdark(small_set.sof, output=tmp_path / str(number), overrides=[text])
        expected = images_of(full.reduced)
        for name, found in images_of(reduced).items():
            np.testing.assert_array_equal(found, expected[name], f"{text}: {name}")
        assert reduced.judged.metrics == full.reduced.judged.metrics, text


def test_with_several_amplifiers_and_a_rotation(tmp_path):
    raws = [np.rot90(raw, k=-1) for raw in exposures()]
    paths = save(tmp_path / "raw", raws)
    mine = profile(tmp_path, shape=list(raws[0].shape), rotation=90)
    own = [f"instrument={json.dumps(str(mine))}"]
    bench = bench_of(paths, own)
    for text in ("stacked-clipping-sigma=3", "frame-clipping-sigma=2", "hot-pixel-sigma=3"):
        reduced = bench.reduce(Settings.read(None, [*own, text]))
        full = mdark(paths, output=tmp_path / text, overrides=[*own, text])
        for name, found in images_of(reduced).items():
            np.testing.assert_array_equal(found, images_of(full.reduced)[name], f"{text}: {name}")


def test_frames_are_read_once(small_set, tmp_path, monkeypatch):
    from soxsdark.frame import Frame

    read, loads = [], Frame.load
    monkeypatch.setattr(Frame, "load", lambda s, *a: read.append(s.path) or loads(s, *a))
    monkeypatch.setattr(Frame, "read_rows", lambda *a: pytest.fail("rows are read again"))
    found = tune(small_set.sof, ["frame-clipping-sigma=2,3", SWEEP[0]], output=tmp_path)
    assert len(found.lines) == 4
    assert sorted(read) == sorted(small_set.frames)


def test_numbers_of_a_line(night, tmp_path):
    found = tune(night.sof, [NOISE, *SWEEP], output=tmp_path / "t")
    current, truth = mdark(night.sof, output=tmp_path / "0"), read_truth(night.truth)
    before, flux = current.reduced.master.qual, current.reduced.master.flux
    line = found.lines[-1]
    assert (line["stacked-clipping-sigma"], line["hot-pixel-sigma"]) == ("5.0", "6.0")
    full = mdark(
        night.sof, output=tmp_path / "1",
        overrides=["stacked-clipping-sigma=5", "hot-pixel-sigma=6", "noise-clipping-upper-sigma=8"],
    )  # fmt: skip
    master, metrics = full.reduced.master, full.metrics
    for column, metric in (
        ("hot-pixels", "HOTPIX NUM"), ("cold-pixels", "COLDPIX NUM"), ("level", "MDARK MEDIAN"),
        ("noisy-pixels", "NOISYPIX NUM"), ("flagged-pixels", "BADPIX NUM"),
        ("master-ron-pred", "MASTER RON PRED"),
    ):  # fmt: skip
        assert float(line[column]) == metrics[metric], column
    assert line["master-ron"] == str(metrics.get("MASTER RON") or "")
    assert int(line["rejected-samples"]) == full.reduced.mask.rejected.sum()
    assert int(line["new-flags"]) == ((master.qual != 0) & (before == 0)).sum()
    assert int(line["lost-flags"]) == ((master.qual == 0) & (before != 0)).sum() > 0
    change = (master.flux - flux)[before == 0].astype(float)
    assert float(line["rms-change"]) == pytest.approx(np.sqrt(np.mean(change**2)))
    kinds = truth.classes & 7
    assert float(line["hot-found"]) == np.mean(master.qual[kinds == 1] & Flag.HOT > 0)
    assert float(line["noisy-found"]) == np.mean(master.qual[kinds == 2] & Flag.NOISY > 0)
    wrong = master.qual & (Flag.HOT | Flag.COLD | Flag.NOISY)
    assert int(line["false-flags"]) == (wrong[kinds == 0] != 0).sum()
    good = (kinds == 0) & (master.qual == 0)
    error = (master.flux - truth.expected)[good]
    ratio = (error - np.mean(error, dtype=float)) / master.errs[good]
    assert float(line["error-ratio"]) == pytest.approx(np.sqrt(np.mean(ratio**2)), rel=1e-5)
    assert found.current["flagged-pixels"] == str(current.metrics["BADPIX NUM"])


def test_without_truth_there_are_no_columns_for_it(night, tmp_path):
    night.truth.unlink()
    found = tune(night.sof, SWEEP[:1], output=tmp_path / "t")
    assert not {"hot-found", "error-ratio"} & found.current.keys()
    # a file of that name that is no truth
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(night.truth)
    assert "hot-found" not in tune(night.sof, SWEEP[:1], output=tmp_path / "u").current

"""A sweep of real frames."""

from soxsdark import mdark
from soxsdark.tune import tune


def test_real_frames_from_three_to_five_sigma(shared_data, tmp_path):
    paths = sorted((shared_data / "st7").glob("DarkBefore-*D300s_.fit"))
    found = tune(paths, ["stacked-clipping-sigma=3:5:1"], output=tmp_path)
    rejected = [int(line["rejected-samples"]) for line in found.lines]
    assert rejected == sorted(rejected, reverse=True)
    for line in found.lines:
        text = f"stacked-clipping-sigma={line['stacked-clipping-sigma']}"
        full = mdark(paths, output=tmp_path / text, overrides=[text])
        assert int(line["flagged-pixels"]) == full.metrics["BADPIX NUM"]
        assert float(line["level"]) == full.metrics["MDARK MEDIAN"]

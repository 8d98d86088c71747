"""The chosen values go into a settings file, and all else in it stays."""

import json
import re
from dataclasses import replace

import pytest

from soxsdark.cli import main
from soxsdark.errors import SettingsError
from soxsdark.settings import Settings
from soxsdark.tune import tune
from soxsdark.tune_apply import apply, chosen_row
from tests.amplifiers.taps import exposures, profile, save
from tests.tune.benches import SWEEP

MINE = """\
# settings of the night
soxs-mdark:
    # why four
    stacked-clipping-sigma: 4   # checked
    clipping-lower-sigma: 3
    clipping-upper-sigma: 3
    vis:
        hot-pixel-sigma: 6

    # the end of ours
other: [1, 2]
"""


def applied(tuned, tmp_path, text, row=1):
    source = None
    if text is not None:
        source = tmp_path / "mine.yaml"
        source.write_text(text)
    used = replace(tuned, settings=source)
    copy = apply(used, row, output=tmp_path / "o", overwrite=True)
    return copy, copy.read_text()


def test_values_go_under_the_arm_and_all_else_stays(small_set, tmp_path):
    tuned = tune(small_set.sof, SWEEP, output=tmp_path / "t", overrides=["cold_pixel_sigma=7"])
    copy, text = applied(tuned, tmp_path, MINE, row=2)
    assert copy.name == "mine_tuned.yaml"
    new = [line for line in text.splitlines() if line not in MINE.splitlines()]
    assert new == [
        "    nir:",
        "        # row 2 of tune.csv, a sweep of stacked-clipping-sigma, hot-pixel-sigma on darks",
        "        cold-pixel-sigma: 7",
        "        stacked-clipping-sigma: 3",
        "        hot-pixel-sigma: 5",
    ]
    assert [line for line in text.splitlines() if line not in new] == MINE.splitlines()
    read = Settings.read(copy)
    assert read.for_arm("NIR").values.stacked_clipping_sigma == 3
    assert read.for_arm("VIS").values.stacked_clipping_sigma == 4
    assert read.for_arm("VIS").values.hot_pixel_sigma == 6


def test_values_of_an_arm_are_replaced_where_they_stand(tuned, tmp_path):
    text = "soxs-mdark:\n    NIR:\n        hot_pixel_sigma: 9   # why\n    vis: {}\n"
    copy, new = applied(tuned, tmp_path, text, row=6)
    assert new == (
        "soxs-mdark:\n    NIR:\n"
        "        # row 6 of tune.csv, a sweep of stacked-clipping-sigma, hot-pixel-sigma on darks\n"
        "        hot_pixel_sigma: 6   # why\n"
        "        # row 6 of tune.csv, a sweep of stacked-clipping-sigma, hot-pixel-sigma on darks\n"
        "        stacked-clipping-sigma: 5\n    vis: {}\n"
    )
    assert Settings.read(copy).for_arm("nir").values.hot_pixel_sigma == 6


def test_the_documented_defaults_are_copied_where_no_file_was_given(tuned, tmp_path):
    copy, _ = applied(tuned, tmp_path, None, row=6)
    assert copy.name == "settings_tuned.yaml"
    values = Settings.read(copy).for_arm("nir").values
    assert (values.stacked_clipping_sigma, values.hot_pixel_sigma) == (5, 6)
    assert Settings.read(copy).for_arm("vis").values == Settings.read(None).for_arm("vis").values


def test_frames_without_an_arm_and_the_other_form_of_a_limit(tmp_path):
    paths = save(tmp_path / "raw", exposures())
    own = [f"instrument={json.dumps(str(profile(tmp_path)))}"]
    sweep = ["frame-clipping-sigma=2,4"]
    found = tune(paths, sweep, output=tmp_path / "t", overrides=own)
    copy, text = applied(found, tmp_path, MINE, row=2)
    assert "    # clipping-lower-sigma: 3\n    # clipping-upper-sigma: 3\n" in text
    assert Settings.read(copy).for_arm(None).values.frame_clipping_sigma == 4
    assert Settings.read(copy).for_arm(None).values.clipping_lower_sigma is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("other: 1\n", "has no section 'soxs-mdark'"),
        ("soxs-mdark: {nir: {}}\n", "mine.yaml:1: write one key a line"),
        ("soxs-mdark:\n    nir: {hot-pixel-sigma: 4}\n", "mine.yaml:2: write one key a line"),
    ],
)
def test_files_that_cannot_be_changed_in_place(tuned, tmp_path, text, says):
    with pytest.raises(SettingsError, match=re.escape(says)):
        applied(tuned, tmp_path, text)


def test_a_file_without_a_last_line_end(tuned, tmp_path):
    copy, text = applied(tuned, tmp_path, "soxs-mdark:\n    hot-pixel-sigma: 4")
    assert text.startswith("soxs-mdark:\n    hot-pixel-sigma: 4\n    nir:\n")
    assert Settings.read(copy).for_arm("nir").values.hot_pixel_sigma == 4


def test_the_row_is_chosen_by_number_or_by_a_column(tuned):
    rejected = [int(line["rejected-samples"]) for line in tuned.lines]
    assert chosen_row(tuned, "4") == 4
    assert chosen_row(tuned, "max:rejected-samples") == rejected.index(max(rejected)) + 1
    assert chosen_row(tuned, "min:rejected-samples") == rejected.index(min(rejected)) + 1


def test_apply_on_the_command_line(printed, tuned, capsys, small_set):
    copy = tuned.csv.with_name("settings_tuned.yaml")
    assert printed("--apply", "2").splitlines()[-1] == str(copy)
    assert Settings.read(copy).for_arm("NIR").values.stacked_clipping_sigma == 3
    sweeps = [word for sweep in SWEEP for word in ("--sweep", sweep)]
    command = ["tune", str(small_set.sof), *sweeps, "-o", str(tuned.csv.parent), "--apply", "2"]
    assert main(command) == 5
    assert "settings_tuned.yaml: exists already" in capsys.readouterr().err

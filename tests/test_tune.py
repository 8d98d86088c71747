"""soxsdark tune: combinations equal full runs, files go on, pages and settings say what is true."""

import csv
import io
import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark, memory
from soxsdark.cli import main
from soxsdark.errors import LockedError, ProductError, SettingsError, UsageError
from soxsdark.flags import Flag
from soxsdark.inputs import find_files, open_inputs
from soxsdark.reduction import plan_of
from soxsdark.settings import Settings
from soxsdark.simulator import Scene, read_truth, simulate
from soxsdark.tune import NO_MATTER, tune
from soxsdark.tune_apply import apply, chosen_row
from soxsdark.tune_curves import knee, panel_of
from soxsdark.tune_file import open_tune_file
from soxsdark.tune_frames import HEIGHT, spread_bands
from soxsdark.tune_sweep import STAGES, Sweep, combinations
from soxsdark.tune_workbench import REFERENCE_BYTES, STACK_BYTES, Workbench

from . import chromium
from .test_amplifiers import exposures, profile, save

SWEEP = ("stacked-clipping-sigma=3,5", "hot-pixel-sigma=4:6:1")
NOISE = "noise-clipping-upper-sigma=2,8"


def lines_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def bench_of(inputs, overrides=(), keep_stack=True) -> Workbench:
    files = find_files(inputs)
    opened = open_inputs(files, Settings.read(None, overrides))
    return Workbench.of(files, opened, {}, keep_stack=keep_stack)


def images_of(reduced) -> dict[str, np.ndarray]:
    return {**vars(reduced.master), **vars(reduced.mask)}


# What is swept


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("hot-pixel-sigma=2.5:6:0.5", (2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0)),
        ("hot-pixel-sigma=0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("hot_pixel_sigma=6:4:-1", (6.0, 5.0, 4.0)),
        ("hot-pixel-sigma=5:5:1", (5.0,)),
        ("hot-pixel-sigma=3, 4.5,5", (3, 4.5, 5)),
        ("noise-clipping-lower-sigma=null,3", (None, 3)),
        ("stacked-clipping-deviation=noise-model,mad", ("noise-model", "mad")),
        ("frame-clipping-iterations=1:3:1", (1.0, 2.0, 3.0)),
    ],
)
def test_sweeps_as_they_are_typed(text, values):
    assert Sweep.parse(text).values == values


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("hot-pixel-sigma", UsageError, "expected KEY=START:STOP:STEP or KEY=VALUE"),
        ("hot-pixel-sigma=", UsageError, "expected KEY=START:STOP:STEP or KEY=VALUE"),
        ("hot-pixel-sigma=3:5", UsageError, "three numbers, STEP not 0"),
        ("hot-pixel-sigma=3:5:0", UsageError, "three numbers, STEP not 0"),
        ("hot-pixel-sigma=3:5:nan", UsageError, "three numbers, STEP not 0"),
        ("hot-pixel-sigma=3:5:x", UsageError, "three numbers, STEP not 0"),
        ("hot-pixel-sigma=3:5:0.3", UsageError, "in 6.66667 steps, expected a whole number"),
        ("hot-pixel-sigma=3:5:-1", UsageError, "in -2 steps"),
        ("hot-pixel-sigma=0:1e9:1", UsageError, "below 100000"),
        ("hot-pixel-sima=3,4", SettingsError, "did you mean 'hot-pixel-sigma'"),
        ("threads=1,2", SettingsError, "threads cannot be swept: it changes no pixel"),
        ("trim=true,false", SettingsError, "trim cannot be swept"),
    ],
)
def test_sweeps_that_make_no_sense(text, error, says):
    with pytest.raises(error, match=re.escape(says)):
        Sweep.parse(text)


def test_keys_that_cost_most_vary_slowest_and_each_combination_comes_once():
    sweeps = [Sweep.parse(t) for t in ("hot-pixel-sigma=4,5,4.0", "stacked-clipping-sigma=3,4")]
    found = [tuple(c.swept.values()) for c in combinations(sweeps, None)]
    assert found == [(3, 4), (3, 5), (4, 4), (4, 5)]
    assert list(combinations(sweeps, None)[0].swept) == [
        "stacked-clipping-sigma", "hot-pixel-sigma",
    ]  # fmt: skip


def test_random_combinations_are_of_the_grid_and_repeat():
    sweeps = [Sweep.parse(f"{key}=1:50:1") for key in ("hot-pixel-sigma", "cold-pixel-sigma")]

    def drawn(**more):
        return [tuple(c.swept.values()) for c in combinations(sweeps, None, **more)]

    first = drawn(number=20, seed=1)
    assert first == drawn(number=20, seed=1) != drawn(number=20, seed=2)
    assert len(set(first)) == 20
    assert {value for pair in first for value in pair} <= {float(i) for i in range(1, 51)}
    assert len(drawn(number=5000)) == 2500


def test_wrong_values_are_named_with_their_combination(tmp_path):
    sweeps = [Sweep.parse("hot-pixel-sigma=5,-1")]
    with pytest.raises(SettingsError, match=r"--sweep hot-pixel-sigma=-1: .*greater than 0"):
        combinations(sweeps, None)
    with pytest.raises(UsageError, match="given twice"):
        combinations([*sweeps, *sweeps], None)


def test_a_swept_key_wins_over_set_and_over_the_arm(tmp_path):
    mine = tmp_path / "s.yaml"
    mine.write_text("soxs-mdark:\n    nir:\n        hot-pixel-sigma: 9\n")
    sweeps = [Sweep.parse("hot-pixel-sigma=4,5")]
    found = combinations(sweeps, mine, ["hot-pixel-sigma=8", "cold-pixel-sigma=7"], arm="NIR")
    values = [c.settings.for_arm("NIR").values for c in found]
    assert [v.hot_pixel_sigma for v in values] == [4, 5]
    assert {v.cold_pixel_sigma for v in values} == {7}


# A combination is a run

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


# More frames than memory


@pytest.mark.parametrize(("rows", "taken"), [(96, 40), (2048, 500), (33, 9), (7, 1), (100, 99)])
def test_bands_are_spread_evenly(rows, taken):
    bands = spread_bands(rows, taken)
    height = {band.stop - band.start for band in bands}
    assert len(height) == 1
    assert bands[0].start >= 0
    assert bands[-1].stop <= rows
    assert all(a.stop <= b.start for a, b in zip(bands, bands[1:], strict=False))
    assert sum(height) * len(bands) <= max(taken, HEIGHT)
    middle = np.mean([row for band in bands for row in range(band.start, band.stop)])
    assert middle == pytest.approx((rows - 1) / 2, abs=1)


@pytest.fixture(scope="module")
def tall_set(tmp_path_factory):
    scene = {"shape": (1024, 256), "frames": 12, "overscan": False, "glow": 40.0}
    return simulate(tmp_path_factory.mktemp("tall") / "raw", Scene(seed=21, **scene))


@pytest.fixture
def little(tall_set, monkeypatch) -> str:
    """A memory-limit in which half of the frames' pixels can be held."""
    monkeypatch.setattr(memory, "BASE", 0)
    opened = open_inputs(find_files(tall_set.sof), Settings.read(None))
    pixels = 1024 * 256
    held = 12 * pixels * 4 // 2 + REFERENCE_BYTES * pixels
    return f"memory-limit={(plan_of(opened).least + held) / memory.MIB}"


@pytest.mark.parametrize(("share", "keeps"), [(0.9, False), (1.1, True)])
def test_stacks_are_kept_where_there_is_room(tall_set, tmp_path, monkeypatch, share, keeps):
    monkeypatch.setattr(memory, "BASE", 0)
    opened = open_inputs(find_files(tall_set.sof), Settings.read(None))
    bytes_a_pixel = 12 * 4 + REFERENCE_BYTES + share * STACK_BYTES
    needed = plan_of(opened).least + bytes_a_pixel * 1024 * 256
    bench = bench_of(tall_set.sof, [f"memory-limit={needed / memory.MIB}"])
    assert (bench.held.whole, bench.keep_stack) == (True, keeps)


def test_bands_say_what_all_pixels_say(tall_set, tmp_path, little):
    found = tune(tall_set.sof, ["hot-pixel-sigma=4,5"], output=tmp_path, overrides=[little])
    whole = tune(tall_set.sof, ["hot-pixel-sigma=4,5"], output=tmp_path / "w")
    share = found.share_seen
    assert share == pytest.approx(0.5, abs=0.02)
    assert whole.share_seen == 1
    for part, full in zip(found.lines, whole.lines, strict=True):
        assert float(part["share-seen"]) == share
        assert float(part["level"]) == pytest.approx(float(full["level"]), abs=0.1)
        assert part["master-ron-pred"] == full["master-ron-pred"]
        for name in ("hot-pixels", "noisy-pixels", "flagged-pixels", "rejected-samples"):
            count, expected = int(part[name]), share * int(full[name])
            assert abs(count - expected) < 4 * np.sqrt(expected), name
        assert float(part["hot-found"]) > 0.99
        assert float(part["error-ratio"]) == pytest.approx(float(full["error-ratio"]), rel=0.05)


def test_pixels_of_a_band_are_those_of_a_full_run(tall_set, tmp_path, little):
    bench = bench_of(tall_set.sof, [little])
    seen = bench.seen
    reduced = bench.reduce(Settings.read(None, ["stacked-clipping-sigma=3"]))
    full = mdark(tall_set.sof, output=tmp_path, overrides=["stacked-clipping-sigma=3"]).reduced
    for name in ("flux", "ncom"):
        found, expected = (getattr(r.master, name) for r in (reduced, full))
        np.testing.assert_array_equal(found[seen], expected[seen])
    assert set(reduced.master.qual[~seen]) == {int(Flag.EMPTY)}
    # at the edges of the bands the background has fewer pixels
    assert np.mean(reduced.master.qual[seen] == full.master.qual[seen]) > 0.999


def test_bands_are_said_everywhere(tall_set, tmp_path, little, capsys):
    command = ["tune", str(tall_set.sof), "--sweep", "hot-pixel-sigma=4,5", "-o", str(tmp_path)]
    assert main([*command, "--set", little]) == 0
    share = 100 * float(lines_of(tmp_path / "tune.csv")[0]["share-seen"])
    said = f"{share:.3g} % of the pixels, in bands of rows spread evenly"
    assert capsys.readouterr().out.startswith(said)
    assert said in (tmp_path / "tune.html").read_text()


# The file


def test_a_second_call_goes_on(small_set, tmp_path):
    first = tune(small_set.sof, SWEEP, output=tmp_path)
    content = first.csv.read_bytes()
    assert (first.new, len(first.lines)) == (6, 6)
    again = tune(small_set.sof, SWEEP, output=tmp_path)
    assert again.new == 0
    assert again.csv.read_bytes() == content
    # two lines are gone, and of the next one half
    lines = content.splitlines(keepends=True)
    first.csv.write_bytes(b"".join(lines[:4]) + lines[4][:17])
    third = tune(small_set.sof, SWEEP, output=tmp_path)
    assert third.new == 3

    def told(lines):
        return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]

    assert told(third.lines) == told(first.lines) == told(lines_of(third.csv))
    assert [line["row"] for line in third.lines] == [str(i) for i in range(1, 7)]
    # more values of the same keys come behind
    more = tune(small_set.sof, (SWEEP[0], "hot-pixel-sigma=3:6:1"), output=tmp_path)
    assert (more.new, len(more.lines)) == (2, 8)
    assert told(more.lines[:6]) == told(first.lines)


@pytest.mark.parametrize("cut", [0, 5])
def test_a_file_that_has_only_begun_is_begun_again(small_set, tmp_path, cut):
    first = tune(small_set.sof, SWEEP[:1], output=tmp_path)
    first.csv.write_bytes(first.csv.read_bytes()[:cut])
    assert tune(small_set.sof, SWEEP[:1], output=tmp_path).new == 2


def test_files_of_other_sweeps_are_not_touched(night, tmp_path):
    first = tune(night.sof, SWEEP, output=tmp_path / "t")
    before = {path: path.read_bytes() for path in (first.csv, first.page)}

    def refused(*arguments, **more):
        with pytest.raises(ProductError, match=r"tune.csv: is of other frames.*-x.*-o"):
            tune(*arguments, output=tmp_path / "t", **more)
        assert {path: path.read_bytes() for path in before} == before

    refused(night.sof, SWEEP[:1])
    refused(night.sof, SWEEP, overrides=["cold-pixel-sigma=6"])
    refused(list(night.frames[:4]), SWEEP)
    first.csv.write_bytes(before[first.csv][:-1])
    before[first.csv] = first.csv.read_bytes()
    refused(night.sof, SWEEP[:1])
    assert tune(night.sof, SWEEP[:1], output=tmp_path / "t", overwrite=True).new == 2


def test_other_pixels_are_other_frames(night, tmp_path, edit):
    tune(night.sof, SWEEP[:1], output=tmp_path / "t")
    edit(night.frames[2], lambda pixels: pixels[::-1].copy())
    with pytest.raises(ProductError, match="of other frames"):
        tune(night.sof, SWEEP[:1], output=tmp_path / "t")


def test_a_page_alone_is_not_replaced(small_set, tmp_path):
    (tmp_path / "tune.html").write_text("mine")
    with pytest.raises(ProductError, match="tune.html: exists already"):
        tune(small_set.sof, SWEEP[:1], output=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tune.html"]
    assert (tmp_path / "tune.html").read_text() == "mine"


def test_two_runs_do_not_write_one_file(small_set, tmp_path):
    with (
        open_tune_file(tmp_path / "tune.csv", ["a"]),
        pytest.raises(LockedError, match="another run is writing it"),
    ):
        tune(small_set.sof, SWEEP[:1], output=tmp_path)


def test_an_interrupt_keeps_what_is_done(tall_set, tmp_path):
    sweep = "stacked-clipping-sigma=3:6:0.01"
    command = [sys.executable, "-m", "soxsdark", "tune", tall_set.sof, "--sweep", sweep]
    process = subprocess.Popen(
        [*map(str, command), "-o", str(tmp_path)], stderr=subprocess.PIPE, text=True
    )
    path, limit = tmp_path / "tune.csv", time.monotonic() + 60
    while time.monotonic() < limit:
        if path.exists() and path.read_bytes().count(b"\n") > 3:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "the same command goes on from there" in said
    done = lines_of(path)
    assert 3 <= len(done) < 301
    assert path.read_bytes().endswith(b"\n")
    assert not (tmp_path / "tune.html").exists()
    # the rest is not worth the time: the same file with fewer values
    values = ",".join(line["stacked-clipping-sigma"] for line in done)
    again = tune(tall_set.sof, [f"stacked-clipping-sigma={values},6"], output=tmp_path)
    assert again.new == 1
    assert list(again.lines[:-1]) == done


# What a person sees


@pytest.fixture(scope="module")
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


def test_table_on_the_screen(tuned, printed):
    shown = printed().splitlines()
    assert shown[-2:] == [str(tuned.csv), str(tuned.page)]
    rows = [line.split() for line in shown if re.match(r" *(current|\d+) ", line)]
    assert [row[0] for row in rows] == ["current", *"123456"]
    assert rows[0][1:3] == ["4", "5"]
    assert rows[6][1:3] == ["5", "6"]
    assert rows[6][3] == tuned.lines[5]["hot-pixels"]
    same = next(line for line in shown if line.startswith("the same in all rows: "))
    assert f"level {float(tuned.current['level']):.4g}" in same


def test_other_formats(tuned, printed):
    assert list(csv.DictReader(io.StringIO(printed("--format", "csv")))) == list(tuned.lines)
    found = json.loads(printed("--format", "json"))
    assert found["current"]["flagged-pixels"] == int(tuned.current["flagged-pixels"])
    assert [row["id"] for row in found["rows"]] == [line["id"] for line in tuned.lines]
    assert found["rows"][0]["stacked-clipping-sigma"] == 3
    assert found["rows"][0]["rms-change"] == float(tuned.lines[0]["rms-change"])
    table = printed("--format", "markdown").splitlines()
    assert table[0].startswith("|     row |")
    assert len([line for line in table if line.startswith("|")]) == 9


def test_pixel_with_and_without_a_sweep(small_set, printed, capsys):
    story = "pixel x 20, y 30 of the products"
    assert story in printed("--pixel", "20,30")
    assert main(["tune", str(small_set.sof), "--pixel", "20,30"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(story)
    assert main(["explain", str(small_set.sof), "20", "30"]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ([], "give --sweep, or --pixel"),
        (["--pixel", "1,2", "--apply", "1"], "give --sweep, or --pixel"),
        (["--pixel", "1.5,2"], "is not X,Y, two whole numbers"),
        (["--sweep", SWEEP[0], "--compare", "0,9"], "no row 9: there are 1 to 2"),
        (["--sweep", SWEEP[0], "--apply", "3"], "no row 3"),
        (["--sweep", SWEEP[0], "--apply", "best"], "expected a row from 1 to 2, or min:COLUMN"),
        (["--sweep", SWEEP[0], "--apply", "min:nothing"], "a column of numbers: row, stacked"),
    ],
)
def test_wrong_usage(small_set, tmp_path, capsys, more, says):
    assert main(["tune", str(small_set.sof), *more, "-o", str(tmp_path)]) == 2
    assert says in capsys.readouterr().err


def test_the_page_says_what_the_masks_say(small_set, tmp_path):
    found = tune(small_set.sof, [NOISE, SWEEP[0]], output=tmp_path, compare=(1, 4))
    page = found.page.read_text()
    low, high = (
        mdark(small_set.sof, output=tmp_path / str(i), overrides=list(overrides)).reduced
        for i, overrides in enumerate(
            (
                ("stacked-clipping-sigma=3", "noise-clipping-upper-sigma=2"),
                ("stacked-clipping-sigma=5", "noise-clipping-upper-sigma=8"),
            )
        )
    )
    first, second = (reduced.master.qual for reduced in (low, high))
    noisy = [(flags & int(Flag.NOISY)) != 0 for flags in (first, second)]
    counts = [m.sum() for m in (*noisy, noisy[0] & ~noisy[1], noisy[1] & ~noisy[0])]
    row = re.search(r'<th scope="row">noisy</th>(.*?)</tr>', page).group(1)
    assert re.findall(r'"n">(\d+)<', row)[:4] == [str(count) for count in counts]
    assert "row 1: noise-clipping-upper-sigma 2, stacked-clipping-sigma 3" in page
    only = (first != 0) & (second == 0)
    x, y = map(int, re.search(r"soxsdark explain SOF (\d+) (\d+)", page).groups())
    assert only[y - 1, x - 1]
    for key in found.keys:
        assert f'id="curves-{key}"' in page
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(links) == 4
    assert all(link.startswith("data:") for link in links)
    assert "<script" not in page


def test_the_page_escapes_names(night, tmp_path):
    sof = night.sof.rename(night.sof.with_name("a<b>&.sof"))
    page = tune(sof, SWEEP[:1], output=tmp_path / "t").page.read_text()
    assert "a&lt;b&gt;&amp;" in page
    assert "<b>&" not in page


@pytest.mark.skipif(chromium.PATH is None, reason="no Chromium to open the page in")
@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (600, "dark")])
def test_the_page_in_a_browser(tuned, tmp_path, width, scheme):
    with chromium.browser(tmp_path / "profile") as browser:
        browser.open(tuned.page, width, scheme)
        pictures = browser.value("[...document.images].map(i => [i.alt, i.naturalWidth])")
        wide = browser.value("document.documentElement.scrollWidth")
        assert browser.complaints == []
    assert len(pictures) == 3
    assert all(alt and size > 100 for alt, size in pictures)
    assert wide == width


# The knee


def test_knee_of_curves_that_have_one():
    x = np.arange(11.0)
    corner = np.where(x < 3, 9 - 3 * x, 0.0)
    assert knee(x, corner) == 3
    assert knee(x, -7 - 5 * corner) == 3
    # of exp(-x/2) the chord's slope is met at x = -2 log(2 (1 - exp(-5)) / 10)
    fine = np.linspace(0, 10, 1001)
    assert knee(fine, np.exp(-fine / 2)) == pytest.approx(
        -2 * np.log((1 - np.exp(-5)) / 5), abs=0.01
    )


@pytest.mark.parametrize(
    "y", [np.arange(9.0), np.ones(9), 1e4 + np.array([0, 9, 9, 9, 9, 9, 9, 9, 9.0])]
)
def test_curves_without_a_knee(y):
    assert knee(np.arange(9.0), y) is None
    assert knee(np.arange(3.0), y[:3]) is None


def test_curves_of_a_sweep(tuned):
    panel = panel_of(tuned, "hot-pixel-sigma", "hot-pixels")
    assert [curve.held for curve in panel.curves] == [f"stacked-clipping-sigma {k}" for k in (3, 5)]
    counts = np.array([int(line["hot-pixels"]) for line in tuned.lines]).reshape(2, 3)
    for curve, expected in zip(panel.curves, counts, strict=True):
        assert list(curve.x) == [4, 5, 6]
        assert list(curve.y) == list(expected)
    assert list(panel.mean.y) == list(counts.mean(axis=0))
    assert panel.current == (5.0, float(tuned.current["hot-pixels"]))


def test_curves_against_words(small_set, tmp_path):
    found = tune(small_set.sof, ["noise-clipping-lower-sigma=null,3"], output=tmp_path)
    panel = panel_of(found, "noise-clipping-lower-sigma", "cold-pixels")
    assert panel.ticks == {0: "-", 1: "3"}
    assert panel.knee is None
    assert list(panel.mean.y) == [float(line["cold-pixels"]) for line in found.lines]


# The chosen values

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


# Real frames


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

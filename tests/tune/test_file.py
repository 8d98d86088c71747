"""The file of a sweep: it goes on where it was left, and is never another's."""

import signal
import subprocess
import sys
import time

import pytest

from soxsdark.errors import LockedError, ProductError, UsageError
from soxsdark.tune import tune
from soxsdark.tune_file import open_tune_file
from tests.tune.benches import SWEEP, lines_of


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


def test_rows_that_cannot_be_are_told_before_anything_is_tried(small_set, tmp_path):
    with pytest.raises(UsageError, match=r"no row 3: there are 1 to 2, and 0 \(current\)"):
        tune(small_set.sof, SWEEP[:1], output=tmp_path / "t", compare=(1, 3))
    assert not (tmp_path / "t").exists()


def test_two_runs_do_not_write_one_file(small_set, tmp_path):
    with (
        open_tune_file(tmp_path / "tune.csv", ["a"]),
        pytest.raises(LockedError, match="another run is writing it"),
    ):
        tune(small_set.sof, SWEEP[:1], output=tmp_path)


def test_an_interrupt_keeps_what_is_done(tall_set, tmp_path):
    sweep = "stacked-clipping-sigma=3:6:0.01"
    command = [sys.executable, "-m", "soxsdark", "tune", tall_set.sof, "--sweep", sweep]
    # a background job of a shell without job control has SIGINT ignored; a person's has not
    process = subprocess.Popen(
        [*map(str, command), "-o", str(tmp_path)], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
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

"""Frames that come late, move a set to another night, or go."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from astropy.io import fits

from soxsdark.simulator import simulate
from tests.night.sets import ENDS, NIR, SETS, UVB, VIS, damage, rows, states


def add(folder: Path, start: str, number: int = 3) -> Path:
    """Add one frame of the detector `nir` to an archive; it took `number` before."""
    scene = replace(SETS["nir"], frames=number + 1, date_obs=start)
    made = simulate(folder.parent.parent / f"made {start}", scene)
    target = folder / f"{start[-8:].replace(':', '')}.fits"
    shutil.copy(made.frames[-1], target)
    dated = fits.getheader(made.frames[0])
    with fits.open(target, mode="update") as hdus:
        hdus[0].header.update({key: dated[key] for key in ("DATE-OBS", "MJD-OBS")})
        hdus[0].add_checksum()
    return target


def same_block(path: Path, like: Path) -> None:
    """Put a frame into the observation block of another."""
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["HIERARCH ESO OBS ID"] = fits.getheader(like)["ESO OBS ID"]
        hdus[0].add_checksum()


def test_a_late_frame_joins_its_set(run, raw, tmp_path):
    run()
    late = add(raw / "nir", "2026-01-11T09:20:00")
    same_block(late, raw / "nir" / "NIR_dark_001.fits")
    code, out, _ = run()
    assert (code, rows(out)[NIR]) == (0, ["done", "GOOD"])
    assert "4 frames, 3 before" in out
    record = json.loads((tmp_path / "p" / "2026-01-10" / f"{NIR}.json").read_text())
    assert [Path(f["path"]) for f in record["frames"]][-1] == late
    assert states(tmp_path / "p") == {NIR: "done", VIS: "done"}


def test_an_earlier_frame_supersedes_its_set(run, raw, tmp_path):
    run()
    early = add(raw / "nir", "2026-01-11T08:50:00")
    same_block(early, raw / "nir" / "NIR_dark_001.fits")
    code, out, _ = run()
    new = NIR.replace("T0900", "T0850")
    assert (code, rows(out)[new]) == (0, ["done", "GOOD"])
    assert f"1 superseded: {NIR}" in out
    folder = tmp_path / "p" / "2026-01-10"
    assert sorted(os.listdir(folder / "superseded")) == [f"{NIR}{end}" for end in ENDS]
    assert not list(folder.glob(f"{NIR}*"))
    assert states(tmp_path / "p") == {new: "done", VIS: "done"}
    assert NIR not in (folder / "index.html").read_text()
    # and that was it
    assert "superseded" not in run()[1]


def test_nothing_is_superseded_before_its_successor_is_there(run, raw, tmp_path):
    run()
    early = add(raw / "nir", "2026-01-11T08:50:00")
    same_block(early, raw / "nir" / "NIR_dark_001.fits")
    damage(early)
    code, _, err = run("-q")
    assert code == 4
    assert "DATASUM" in err
    new = NIR.replace("T0900", "T0850")
    assert states(tmp_path / "p") == {new: "failed", NIR: "done", VIS: "done"}
    damage(early)  # a second time puts it right
    assert run("-q") == (0, "", "")
    assert states(tmp_path / "p") == {new: "done", VIS: "done"}
    assert not list((tmp_path / "p" / "2026-01-10").glob("*FAILED*"))


def test_products_outlive_their_raws(run, raw, tmp_path):
    run()
    shutil.rmtree(raw / "nir")
    assert rows(run()[1]).keys() == {VIS, UVB}
    assert states(tmp_path / "p") == {NIR: "done", VIS: "done"}
    assert (tmp_path / "p" / "2026-01-10" / f"{NIR}_MDARK.fits").exists()


def test_a_template_that_turns_out_to_begin_before_noon(run, raw, tmp_path):
    def frame(minute: int, number: int) -> None:
        path = add(raw / "nir", f"2026-01-11T16:{minute}:00", number)
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["HIERARCH ESO TPL START"] = "2026-01-11T16:30:00"
            hdus[0].add_checksum()
        same_block(path, raw / "nir" / "NIR_dark_001.fits")

    for number, minute in enumerate((50, 55, 59)):
        frame(minute, number)
    run("-q")
    before = "20260111T165000_NIR_1X1_DARK_300.0S"
    assert before in states(tmp_path / "p", "2026-01-11")
    frame(40, 3)
    assert f"1 superseded: {before}" in run()[1]
    assert before not in states(tmp_path / "p", "2026-01-11")
    assert "20260111T164000_NIR_1X1_DARK_300.0S" in states(tmp_path / "p")


@pytest.mark.parametrize("hour", [3, 4])
def test_nights_that_begin_at_another_hour(run, tmp_path, hour):
    run("-q", "--set", f"night-start={7 - hour}")
    run("-q", "--set", f"night-start={hour}")
    # the first exposure is at three o'clock
    there = [p.parent.name for p in (tmp_path / "p").glob(f"2026*/{UVB}_MDARK.fits")]
    assert there == ["2026-01-11" if hour > 3 else "2026-01-12"]
    assert len(list((tmp_path / "p").glob(f"*/superseded/{UVB}_MDARK.fits"))) == 1

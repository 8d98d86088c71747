"""What makes a set due: settings, program, profile, products, records and frames."""

import json
import os
import shutil

import pytest
from astropy.io import fits

from soxsdark import hashes, reduce_sets, set_state
from tests.interpreter import SOURCE
from tests.night.sets import NIR, UVB, VIS, damage, rows


def test_settings_that_count(run, tmp_path):
    run()
    assert "unchanged" in run("--set", "threads=1", "--set", "memory-limit=200")[1]
    code, out, _ = run("--set", "hot-pixel-sigma=6")
    assert (code, rows(out)[NIR]) == (0, ["done", "GOOD"])
    assert "hot-pixel-sigma changed" in out
    (tmp_path / "s.yaml").write_text(
        "soxs-mdark:\n  hot-pixel-sigma: 6\n  vis:\n    cold-pixel-sigma: 7\n"
    )
    code, out, _ = run("-s", tmp_path / "s.yaml")
    assert {name: state for name, (state, _) in rows(out).items()} == {
        NIR: "unchanged", VIS: "done", UVB: "unchanged",
    }  # fmt: skip


def test_program_version_and_profile_count(run, tmp_path, monkeypatch):
    profile = tmp_path / "mine.yaml"
    text = (SOURCE / "soxsdark" / "instruments" / "soxs.yaml").read_text()
    profile.write_text(text)
    shutil.rmtree(tmp_path / "raw" / "xsh")
    run("--instrument", profile)
    assert rows(run("--instrument", profile)[1])[NIR][0] == "unchanged"
    profile.write_text(text.replace("ron: 7.3", "ron: 7.4"))
    code, out, _ = run("--instrument", profile)
    assert "instrument profile changed" in out
    monkeypatch.setattr(set_state, "__version__", "0.0.1")
    assert "other version of the program" in run("--instrument", profile)[1]


@pytest.mark.parametrize("what", ["_MDARK.fits", "_BPM.fits"])
def test_damaged_products_are_made_anew(run, tmp_path, what):
    run()
    file = tmp_path / "p" / "2026-01-10" / f"{NIR}{what}"
    whole = fits.getdata(file)
    damage(file)
    code, out, _ = run()
    assert (code, rows(out)[NIR], rows(out)[VIS]) == (0, ["done", "GOOD"], ["unchanged", "GOOD"])
    assert f"{NIR}{what} damaged or missing" in out
    assert (fits.getdata(file) == whole).all()
    file.unlink()
    assert rows(run()[1])[NIR][0] == "done"


@pytest.mark.parametrize("text", ["", "[]", '{"sets": [{"name": "../x", "state": 1}]}'])
def test_an_odd_record_of_a_night_does_not_matter(run, tmp_path, text):
    run()
    record = tmp_path / "p" / "2026-01-10" / "night.json"
    whole = record.read_text()
    record.write_text(text)
    assert run("-q") == (0, "", "")
    assert record.read_text() == whole


@pytest.mark.parametrize("text", ["", "{", "[]", '{"succeeded": true}', "null", "[" * 100000])
def test_a_record_that_cannot_be_trusted(run, tmp_path, text):
    run()
    record = tmp_path / "p" / "2026-01-10" / f"{NIR}.json"
    record.write_text(text)
    code, out, _ = run()
    assert (code, rows(out)[NIR][0]) == (0, "done")
    assert "record damaged" in out
    assert json.loads(record.read_text())["succeeded"]


def test_content_counts_not_names(run, raw):
    run()
    (raw / "nir").rename(raw / "moved")
    for path in (raw / "moved").glob("NIR_dark*"):
        path.rename(path.with_name(f"x{path.name}"))
    code, out, _ = run()
    assert (code, rows(out)[NIR]) == (0, ["unchanged", "GOOD"])


def test_a_frame_that_was_replaced_is_noticed(run, raw, monkeypatch):
    monkeypatch.setattr(hashes, "TOO_NEW", 0)
    run()
    run()
    frame = raw / "nir" / "NIR_dark_002.fits"
    status = frame.stat()
    with fits.open(frame, mode="update") as hdus:
        hdus[0].data[0, 0] += 1
        hdus[0].add_checksum()
    # same name, size and time of change: its inode tells
    os.utime(frame, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert frame.stat().st_size == status.st_size
    code, out, _ = run()
    assert (code, rows(out)[NIR]) == (0, ["done", "GOOD"])
    assert "frames changed" in out


def test_frames_that_are_moved_away_once_they_are_reduced(run, raw, monkeypatch):
    monkeypatch.setattr(hashes, "TOO_NEW", 0)
    reduce = reduce_sets.mdark

    def and_move(*arguments, **options):
        result = reduce(*arguments, **options)
        for dark in result.reduced.inputs.darks:
            dark.frame.path.rename(raw.parent / dark.name)
        return result

    monkeypatch.setattr(reduce_sets, "mdark", and_move)
    code, out, err = run()
    assert (code, err) == (0, "")
    assert rows(out) == dict.fromkeys((NIR, VIS, UVB), ["done", "GOOD"])


def test_sums_of_new_files_are_not_kept(run, tmp_path):
    run()
    kept = tmp_path / "p" / "2026-01-10" / hashes.NAME
    # the frames were written a moment ago: they could change again within the same tick
    assert json.loads(kept.read_text()) == {}

"""Which night is reduced: the one asked for, or the last that has ended."""

import re
from datetime import UTC, date, datetime

import pytest
from astropy.io import fits

from soxsdark import night
from tests.night.sets import NIR, UVB, VIS, rows


@pytest.mark.parametrize(
    ("night_name", "sets"), [("2026-01-10", {NIR, VIS}), ("2026-01-11", {UVB})]
)
def test_one_night(run, tmp_path, night_name, sets):
    code, out, _ = run("--night", night_name)
    assert (code, rows(out).keys()) == (0, sets)
    assert [p.name for p in (tmp_path / "p").iterdir() if p.is_dir()] == [night_name]


@pytest.mark.parametrize(
    ("now", "sets"),
    [
        ("2026-01-11T17:30:00", {NIR, VIS}),
        ("2026-01-12T16:30:00", {NIR, VIS}),
        # X-shooter and SOXS: noon on Paranal comes 80 seconds before that on La Silla
        ("2026-01-12T16:42:00", {NIR, VIS, UVB}),
        ("2026-01-12T17:30:00", {UVB}),
    ],
)
def test_the_last_night_that_has_ended(run, monkeypatch, now, sets):
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    monkeypatch.setattr(night, "utc_now", lambda: moment)
    code, out, _ = run("--night", "last")
    assert (code, rows(out).keys()) == (0, sets)


def test_a_night_without_darks(run, tmp_path, monkeypatch):
    code, out, err = run("--night", "2026-02-01", "-q")
    assert (code, out) == (4, "")
    assert re.fullmatch(r"soxsdark: \S+raw: no raw darks of the night 2026-02-01 .*\n", err)
    assert run("--night", "2026-02-01", "-q", "--allow-empty") == (0, "", "")
    monkeypatch.setattr(night, "utc_now", lambda: datetime(2026, 2, 2, 20, tzinfo=UTC))
    assert "of the night 2026-02-01" in run("--night", "last")[2]


def test_frames_without_date(run, raw, tmp_path):
    for path in (raw / "nir").glob("NIR_dark*"):
        with fits.open(path, mode="update") as hdus:
            del hdus[0].header["MJD-OBS"], hdus[0].header["DATE-OBS"]
            hdus[0].add_checksum()
    code, _, err = run("--night", "2026-01-10", "-q")
    assert code == 4
    assert re.search(r"NIR_dark_001\.fits: no date in the header.*3 such darks", err)
    assert run("-q") == (0, "", "")
    assert (tmp_path / "p" / "undated" / "undated_NIR_1X1_DARK_300.0S_MDARK.fits").exists()


def test_dates_of_the_options_are_dates():
    from soxsdark.commands.night import _night

    assert _night(None, None, "2026-01-10") == date(2026, 1, 10)

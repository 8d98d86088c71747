"""Nights from noon to noon."""

from datetime import UTC, date, datetime, timedelta

import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from soxsdark.instruments import load_profile
from soxsdark.nights import Boundary, mjd_of, moment_of

LA_SILLA, PARANAL = -70.73, -70.40


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("longitude", "night_start", "when", "night"),
    [
        # noon at La Silla is at 16:42:55 UTC
        (LA_SILLA, None, "2026-01-10T16:42:54", "2026-01-09"),
        (LA_SILLA, None, "2026-01-10T16:42:56", "2026-01-10"),
        (LA_SILLA, None, "2026-01-11T09:00:00", "2026-01-10"),
        (PARANAL, None, "2026-01-10T16:41:35", "2026-01-09"),
        (PARANAL, None, "2026-01-10T16:41:37", "2026-01-10"),
        (None, None, "2026-01-10T11:59:59", "2026-01-09"),
        (None, None, "2026-01-10T12:00:01", "2026-01-10"),
        # noon in Sydney is at 1:55 UTC, on Hawaii at 22:22 UTC
        (151.2, None, "2026-01-10T02:00:00", "2026-01-10"),
        (-155.5, None, "2026-01-11T08:00:00", "2026-01-10"),
        (289.27, None, "2026-01-10T16:42:56", "2026-01-10"),
        (LA_SILLA, 0.0, "2026-01-10T00:00:01", "2026-01-10"),
        (LA_SILLA, 21.5, "2026-01-10T21:29:59", "2026-01-09"),
        # leap day, new year
        (LA_SILLA, None, "2028-03-01T05:00:00", "2028-02-29"),
        (LA_SILLA, None, "2026-01-01T05:00:00", "2025-12-31"),
    ],
)
def test_night_of_a_moment(longitude, night_start, when, night):
    boundary = Boundary.at(longitude, night_start)
    assert boundary.night_of(Time(when).mjd) == date.fromisoformat(night)


def test_last_night_is_one_that_has_ended():
    boundary = Boundary.at(LA_SILLA)
    assert boundary.last_ended(moment("2026-01-11T17:30:00")) == date(2026, 1, 10)
    assert boundary.last_ended(moment("2026-01-11T16:30:00")) == date(2026, 1, 9)


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),
    st.floats(-180, 360) | st.none(),
)
def test_every_moment_is_in_its_night(when, longitude):
    when = when.replace(tzinfo=UTC)
    boundary = Boundary.at(longitude)
    night = boundary.night_of(mjd_of(when))
    slack = timedelta(milliseconds=1)
    noon = datetime(night.year, night.month, night.day, tzinfo=UTC)
    noon += timedelta(hours=boundary.hour)
    assert noon - slack <= when < noon + timedelta(days=1) + slack
    # and noon it is, at the site
    east = (longitude or 0) / 15
    assert (boundary.hour + east - 12) % 24 == pytest.approx(0, abs=1e-9) or (
        boundary.hour + east - 12
    ) % 24 == pytest.approx(24, abs=1e-9)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2028, 1, 1)))
def test_dates_are_those_of_astropy(when):
    when = when.replace(tzinfo=UTC)
    # days of UTC, whatever their leap seconds
    assert mjd_of(when) == pytest.approx(Time(when).mjd, abs=2e-5)
    assert abs(moment_of(mjd_of(when)) - when) <= timedelta(seconds=0.51)


def test_sites_of_the_profiles():
    longitudes = {name: load_profile(name).longitude for name in ("soxs", "xsh", "generic")}
    assert longitudes == {"soxs": LA_SILLA, "xsh": PARANAL, "generic": None}

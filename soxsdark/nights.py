"""Nights: from noon to noon at the site, named by the date of their evening."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeGuard

UNDATED = "undated"
"""Name of the folder of sets without a date."""
RECORD = "night.json"
"""What a night's folder says of its sets."""
HOURS_A_DAY = 24
DEGREES_AN_HOUR = 15
MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
FIRST_MJD, LAST_MJD = -678_000, 2_973_000
"""Within the years that a date can have, 1 to 9999, with a margin of months."""


@dataclass(frozen=True)
class Boundary:
    """When one night ends and the next begins."""

    hour: float
    """Of the day, UTC; a little below 0 or above 24 far from Greenwich."""

    @classmethod
    def at(cls, longitude: float | None, night_start: float | None = None) -> "Boundary":
        """Noon in local solar time, unless the settings say when.

        Parameters
        ----------
        longitude : float or None
            Degrees east; None is Greenwich.
        night_start : float or None
            Hour of the day, UTC, instead.
        """
        if night_start is not None:
            return cls(night_start)
        east = math.remainder(longitude or 0.0, 360)
        return cls(HOURS_A_DAY / 2 - east / DEGREES_AN_HOUR)

    def night_of(self, mjd: float) -> date:
        """Date of the evening of the night that a moment belongs to."""
        evening = math.floor(mjd - self.hour / HOURS_A_DAY)
        return (MJD_ZERO + timedelta(days=evening)).date()

    def last_ended(self, now: datetime) -> date:
        """Date of the evening of the latest night that has ended."""
        return self.night_of(mjd_of(now)) - timedelta(days=1)

    def start(self, night: date) -> datetime:
        """Return the moment at which a night begins."""
        midnight = datetime(night.year, night.month, night.day, tzinfo=UTC)
        return midnight + timedelta(hours=self.hour)


def moment_in(text: str) -> datetime:
    """Return the moment of an ISO date and time, which is UTC unless it names another zone.

    Raises
    ------
    ValueError
        The text is none.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def mjd_of(moment: datetime) -> float:
    """Modified Julian date of a moment that knows its zone."""
    return (moment - MJD_ZERO) / timedelta(days=1)


def moment_of(mjd: float) -> datetime:
    """Return the moment of a modified Julian date, UTC, to the nearest second."""
    return MJD_ZERO + timedelta(seconds=round(mjd * 86400))


def is_datable(mjd: float | None) -> TypeGuard[float]:
    """Whether a modified Julian date is known and is one of the calendar's."""
    return mjd is not None and FIRST_MJD < mjd < LAST_MJD


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)

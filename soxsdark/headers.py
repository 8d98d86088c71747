"""The primary header of a product, after ESO's data interface.

What is kept of the first raw frame, and what is written about how the product was made.
"""

import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from astropy.io import fits

from soxsdark.header_axes import leave_out_axes, place_axes
from soxsdark.nights import MJD_ZERO, mjd_of
from soxsdark.verdicts import Metric

DATA_DICTIONARY = "PRO-1.16"
_CARD = fits.Card.length
_MULTIPLE = ("COMMENT", "HISTORY", "")

# What describes the raw file, or the pixels of the raw image, and is wrong in a product.
_NEVER_KEPT = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|INHERIT|END|BLOCKED"
    r"|EXTNAME|EXTVER|EXTLEVEL|LONGSTRN|CONTINUE|CHECKSUM|DATASUM|DATAMD5"
    r"|(O_)?BZERO|(O_)?BSCALE|BLANK|BUNIT"
    r"|TFIELDS|THEAP|T(TYPE|FORM|UNIT|DIM|SCAL|ZERO|NULL|DISP)\d+|FZ[A-Z]+"
    r"|Z(IMAGE|TABLE|BITPIX|NAXIS\d*|TILE\d+|CMPTYPE|NAME\d+|VAL\d+|MASKCMP|SIMPLE|EXTEND|BLOCKED"
    r"|TENSION|PCOUNT|GCOUNT|HECKSUM|DATASUM|QUANTIZ|DITHER0|BLANK|SCALE|ZERO|THEAP)"
    r"|DATA(MIN|MAX|MEAN|MED)|CBLACK|CWHITE|SATURATE|PEDESTAL"
    r"|ESO (DPR|PRO|QC) .*|ARCFILE|ORIGFILE|PIPEFILE"
    r"|DATE|DATE-(OBS|BEG|END|AVG)|TIME-(OBS|END)|MJD-(OBS|BEG|END|AVG)|EXPTIME|TEXPTIME"
)
_NOT_KEPT_ONCE_TRIMMED = re.compile(
    r"(DATA|BIAS|TRIM|CCD|DET|AMP|ORIG)SEC|ESO DET OUT\d+ (PRSC|OVSC)[XY]"
)
_FITS_BOILERPLATE = re.compile(r"FITS \(Flexible Image Transport System\)|and Astrophysics', vol")


@dataclass(frozen=True)
class ProductFacts:
    """What the header of a product says about its run.

    Times are in s, dates UTC in ISO form, `window` the rows and columns of the raw image that were
    kept (zero-based, half-open; None: parts with gaps between), `rotation` the degrees by which
    they were turned, `products` the file name of each category, `calibrations` the (name, tag,
    DATAMD5 or None) of each, `raws` the (name, tag) of each raw frame in their order.
    `instrument` and `arm` are written where the raw frame does not say them. `pedestal` says
    whether the pixels still hold the bias pedestal; None is unknown. `baseline` is what was
    subtracted of every raw frame.
    """

    version: str
    run_id: str
    products: Mapping[str, str]
    raws: Sequence[tuple[str, str | None]]
    exposure_time: float
    total_exposure: float
    instrument: str | None = None
    arm: str | None = None
    recipe_id: str = "mdark"
    calibrations: Sequence[tuple[str, str, str | None]] = ()
    parameters: Sequence[tuple[str, object]] = ()
    metrics: Sequence[Metric] = ()
    first_date_obs: str | None = None
    first_mjd: float | None = None
    last_mjd: float | None = None
    ndit: int = 1
    window: tuple[slice, slice] | None = (slice(0, None), slice(0, None))
    trimmed: bool = False
    rotation: int = 0
    qa_flag: str | None = None
    pedestal: bool | None = None
    baseline: str | None = None

    @property
    def nframes(self) -> int:
        """How many raw frames were combined."""
        return len(self.raws)


def product_header(
    raw: fits.Header, facts: ProductFacts, category: str, *, now: datetime | None = None
) -> fits.Header:
    """Return the primary header of a product, without what the FITS writer adds by itself.

    Parameters
    ----------
    raw
        Header of the first raw frame; cards that cannot be read are left out (see `kept_header`).
    facts
        What is to be said of the run.
    category
        ``MASTER_DARK`` or ``BP_MAP``; the arm, if any, is appended, and it is the key of
        `ProductFacts.products`.
    now
        Time of writing; the clock's by default.
    """
    changed = facts.trimmed or facts.rotation != 0
    header, _ = kept_header(raw, trimmed=changed)
    if changed:
        if facts.window is None:
            leave_out_axes(header)
        else:
            place_axes(header, facts.window, facts.rotation)
    _put(header, "INSTRUME", facts.instrument, "Instrument", keep=True)
    _put(header, "ESO SEQ ARM", facts.arm, "Arm of the spectrograph", keep=True)
    _put_times(header, facts, now or datetime.now(UTC))
    _put(header, "PIPEFILE", facts.products.get(category), "Name of this product")
    _put(header, "DATAMD5", "", "MD5 of the data of all HDUs")
    _put_classification(header, raw, facts, category)
    _put_processing(header, facts)
    for metric in facts.metrics:
        unit = f"[{metric.unit}] " if metric.unit else ""
        error = "" if metric.error is None else f"+-{metric.error:.2g} "
        comment = f"{unit}{error}{metric.comment}"
        _put(header, f"ESO QC {metric.name}", metric.value, comment)
    announce_long_strings(header)
    return header


def kept_header(raw: fits.Header, *, trimmed: bool) -> tuple[fits.Header, tuple[str, ...]]:
    """Return what a product keeps of a raw header, and a remark for each card that is broken.

    Left out are keys without a value, the keys of the file's structure, scaling and compression,
    of raw files alone (``ESO DPR``, ARCFILE, ORIGFILE), of the raw pixels' statistics and dates,
    and, if `trimmed` (or turned), the image sections. Of a duplicated key the first card counts.
    """
    header, remarks = fits.Header(), []
    for number, card in enumerate(raw.cards, start=1):
        try:
            intact = _intact(card)
        except (fits.VerifyError, ValueError, fits.verify.VerifyWarning):
            remarks.append(f"card {number} of the first header cannot be read, left out")
            continue
        if not _is_kept(intact, trimmed):
            continue
        if intact.keyword not in _MULTIPLE and intact.keyword in header:
            remarks.append(f"key {intact.keyword} stands twice in the first header, first one kept")
            continue
        header.append(intact, end=True)
    return header, tuple(remarks)


def announce_long_strings(header: fits.Header) -> None:
    """Add LONGSTRN where a card goes on in CONTINUE, as that convention asks."""
    if "LONGSTRN" not in header and any(len(card.image) > _CARD for card in header.cards):
        header.insert(0, make_card("LONGSTRN", "OGIP 1.0", "Long strings go on in CONTINUE"))


def make_card(keyword: str, value: object, comment: str = "") -> fits.Card:
    """Return a card whose comment is cut to what fits; its beginning, the unit, survives longest.

    Characters that FITS does not know become ``?``, a value that is None is undefined.
    """
    if keyword in _MULTIPLE:
        return fits.Card(keyword, _ascii(str(value)))
    # Astropy fills the value up to 20 characters after a keyword of up to 8.
    filled = 30 if len(keyword) <= 8 else 0
    if len(keyword) > 8 or not re.fullmatch(r"[A-Z0-9_-]*", keyword):
        keyword = f"HIERARCH {keyword}"
        filled += 10 if filled else 0
    if isinstance(value, str):
        value = _ascii(value)
    comment = _ascii(comment)
    if _fits_surely(keyword, value, comment):
        return fits.Card(keyword, value, comment)
    length = len(fits.Card(keyword, value).image.rstrip())
    room = _CARD - max(length, filled) if length <= _CARD else 60
    return fits.Card(keyword, value, _cut(comment, room - len(" / ")))


def _fits_surely(keyword: str, value: object, comment: str) -> bool:
    """Whether a card is so short that it need not be made to see that its comment fits."""
    text = str(value)
    quoted = len(text) + text.count("'") + len("''")
    return len(keyword.ljust(8)) + len(" = ") + max(25, quoted) + len(" / " + comment) <= _CARD


def _cut(comment: str, room: int) -> str:
    if len(comment) <= room:
        return comment
    head = comment[: max(room, 0) + 1]
    # A unit is whole or absent: half of one would be another.
    if head.startswith("[") and "]" not in head[: max(room, 0)]:
        return ""
    return head.rpartition(" ")[0] or ("" if head.startswith("[") else head[: max(room, 0)])


def _ascii(text: str) -> str:
    return re.sub(r"[^ -~]", "?", text)


def _intact(card: fits.Card) -> fits.Card:
    with warnings.catch_warnings():
        warnings.simplefilter("error", fits.verify.VerifyWarning)
        keyword, value, comment = card.keyword, card.value, card.comment
        if not keyword.isascii() or card.field_specifier:
            raise ValueError("no keyword that FITS knows")
        return make_card(keyword.upper(), value, comment)


def _is_kept(card: fits.Card, trimmed: bool) -> bool:
    if card.keyword in _MULTIPLE:
        return bool(card.value) and not _FITS_BOILERPLATE.search(str(card.value))
    if isinstance(card.value, fits.card.Undefined) or _NEVER_KEPT.fullmatch(card.keyword):
        return False
    return not (trimmed and _NOT_KEPT_ONCE_TRIMMED.fullmatch(card.keyword))


def _put_times(header: fits.Header, facts: ProductFacts, now: datetime) -> None:
    date = now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    _put(header, "DATE", date, "UTC when this file was made")
    # FITS knows no Z behind a time, which is UTC anyway
    first, mjd = (facts.first_date_obs or "").removesuffix("Z"), facts.first_mjd
    _put(header, "DATE-OBS", first or _date_of(mjd), "Start of the first exposure")
    _put(header, "MJD-OBS", _mjd_of(first) if mjd is None else mjd, "[d] Same, as MJD")
    _put(header, "DATE-END", _date_of(facts.last_mjd), "End of the last exposure")
    _put(header, "MJD-END", facts.last_mjd, "[d] Same, as MJD")
    _put(header, "EXPTIME", facts.exposure_time, "[s] Exposure time of one frame (one DIT)")
    _put(header, "TEXPTIME", facts.total_exposure, "[s] Exposure time of all frames together")
    if facts.ndit != 1:
        _put(header, "ESO DET NDIT", facts.ndit, "DITs averaged in each frame", keep=True)


def _date_of(mjd: float | None) -> str | None:
    if mjd is None or not 0 <= mjd < 1e6:
        return None
    moment = MJD_ZERO + timedelta(days=mjd)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def _mjd_of(date: str | None) -> float | None:
    """Return the MJD of an ISO date with a time; a date alone says no time."""
    try:
        time = datetime.fromisoformat(date or "")
    except ValueError:
        return None
    if "T" not in str(date):
        return None
    return round(mjd_of(time.replace(tzinfo=UTC)), 8)


def _put_classification(
    header: fits.Header, raw: fits.Header, facts: ProductFacts, category: str
) -> None:
    catg = f"{category}_{facts.arm}" if facts.arm else category
    for name, value, comment in (
        ("CATG", catg, "Category of this product"),
        ("TYPE", "REDUCED", "Type of this product"),
        ("TECH", _technique(raw), "Technique of the observation"),
        ("SCIENCE", False, "Is this a science product?"),
        ("DATANCOM", facts.nframes, "Raw frames combined"),
        ("DID", DATA_DICTIONARY, "Data dictionary of the PRO keys"),
        ("RUNID", facts.run_id, "Run that made this file and its record"),
        ("PEDESTAL", facts.pedestal, "Is the bias pedestal in the pixels?"),
        ("BASELINE", facts.baseline, "Subtracted of every raw frame"),
        ("QA FLAG", facts.qa_flag, "Verdict on quality"),
    ):
        _put(header, f"ESO PRO {name}", value, comment)


def _put_processing(header: fits.Header, facts: ProductFacts) -> None:
    rec = "ESO PRO REC1"
    _put(header, f"{rec} ID", facts.recipe_id, "Recipe")
    _put(header, f"{rec} PIPE ID", f"soxsdark/{facts.version}", "Pipeline and its version")
    _put(header, f"{rec} DRS ID", f"soxsdark-{facts.version}", "Data reduction system")
    for i, (name, tag) in enumerate(facts.raws, start=1):
        _put(header, f"{rec} RAW{i} NAME", name, "Raw frame")
        _put(header, f"{rec} RAW{i} CATG", tag, "Its tag")
    for i, (name, tag, md5) in enumerate(facts.calibrations, start=1):
        _put(header, f"{rec} CAL{i} NAME", name, "Calibration")
        _put(header, f"{rec} CAL{i} CATG", tag, "Its tag")
        _put(header, f"{rec} CAL{i} DATAMD5", md5, "MD5")
    for i, (key, value) in enumerate(facts.parameters, start=1):
        _put(header, f"{rec} PARAM{i} NAME", key, "Setting")
        _put(header, f"{rec} PARAM{i} VALUE", _as_text(value), "Its value")


def _technique(raw: fits.Header) -> str:
    try:
        value = raw.get("ESO DPR TECH")
    except (fits.VerifyError, ValueError):
        value = None
    return value if isinstance(value, str) and value.strip() else "IMAGE"


def _as_text(value: object) -> str:
    """Write a setting's value as YAML would."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_as_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "[" + ", ".join(map(_as_text, value)) + "]"
    return str(value)


def _put(
    header: fits.Header, keyword: str, value: object, comment: str, *, keep: bool = False
) -> None:
    """Append a card, unless there is nothing to say: no value, or none that FITS can write."""
    if hasattr(value, "item"):
        value = value.item()
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return
    if keyword in header:
        if keep:
            return
        del header[keyword]
    header.append(make_card(keyword, value, comment), end=True)

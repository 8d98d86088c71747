"""Bad frames, one row a case: exit code, one line, what is left, and inputs as they were."""

import gzip
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from tests.hostile import (
    FRAME,
    Case,
    card,
    cards,
    check_refused,
    content,
    edit,
    every,
    pixels,
    said,
    snapshot,
)  # fmt: skip


def rewritten(make):
    """Write another HDU list in the place of the frame; `make` gets its pixels and header."""

    def change(folder: Path) -> None:
        with fits.open(folder / FRAME, memmap=False) as hdus:
            data, header = hdus[0].data, hdus[0].header
        header.remove("CHECKSUM")
        header.remove("DATASUM")
        fits.HDUList(make(data, header)).writeto(folder / FRAME, overwrite=True)

    return change


def replaced(make):
    """Take the frame away, and let `make` put something else under its name."""

    def change(folder: Path) -> None:
        (folder / FRAME).unlink()
        make(folder / FRAME)

    return change


def table(data, header):
    column = fits.Column("x", "E", array=np.zeros(9))
    return [fits.PrimaryHDU(header=header), fits.BinTableHDU.from_columns([column])]


def flipped(at: int):
    """Flip one bit."""

    def change(whole: bytes) -> bytes:
        return whole[:at] + bytes([whole[at] ^ 4]) + whole[at:][1:]

    return content(change)


def twin(folder: Path) -> None:
    shutil.copy(folder / FRAME, folder / "twin.fits")
    with (folder / "darks.sof").open("a") as stream:
        stream.write("twin.fits DARK_NIR\n")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def untagged(folder: Path) -> None:
    (folder / "darks.sof").write_text("".join(f"{p.name}\n" for p in sorted(folder.glob("NIR*"))))


def windowed(folder: Path) -> None:
    for path in folder.glob("NIR*.fits"):
        edit(path, ESO_DET_WIN1_STRX=1, ESO_DET_WIN1_STRY=1)


def noisy(value: float):
    """A frame whose every pixel has the value, but for a scatter of one."""
    return pixels(lambda p: (value + np.arange(p.size).reshape(p.shape) % 2).astype(p.dtype))


def nan(share: float):
    def change(data: np.ndarray) -> np.ndarray:
        data = data.astype("f4")
        data.ravel()[: round(share * data.size)] = np.nan
        return data

    return pixels(change)


def of_headers(*rows: tuple) -> list[Case]:
    return [Case(name, harm, rf"{{f}}: {said}") for name, harm, said in rows]


FILES = [
    Case("missing", lambda f: (f / FRAME).unlink(), "darks.sof line 2: {f}: no such file"),
    Case("0 bytes", content(lambda c: b""), "{f}: empty file .0 bytes.; copy it again"),
    Case(
        "cut in the header",
        content(lambda c: c[:1000]),
        "{f}: cannot be read as FITS .Empty",
    ),
    Case("cut after the header", content(lambda c: c[:2880]), "{f}: .*(cut short|END)"),
    Case("cut in the data", content(lambda c: c[: len(c) // 2]), "{f}: cut short: HDU 0"),
    Case("text", content(lambda c: b"hello\n" * 999), "{f}: cannot be read as FITS .*leave it out"),
    Case("zeros", content(lambda c: bytes(len(c))), "{f}: cannot be read as FITS"),
    Case("noise", content(lambda c: os.urandom(9000)), "{f}: cannot be read as FITS"),
    Case("SIMPLE and no more", content(lambda c: b"SIMPLE  ="), "{f}: "),
    Case("header without an end", content(lambda c: c.replace(b"END   ", b"XND   ")), "{f}: "),
    Case("cut gzip", content(lambda c: gzip.compress(c)[:5000]), "{f}: cut short or damaged"),
    Case("folder", replaced(Path.mkdir), "{f}: is a folder, expected a regular file"),
    Case("pipe", replaced(os.mkfifo), "{f}: is a pipe, socket or device"),
    Case("device", replaced(lambda p: p.symlink_to("/dev/zero")), "{f}: is a pipe, socket or dev"),
    Case("link to itself", replaced(loop), "line 2: {f}: .*(no such file|symbolic links)"),
    Case("link to nothing", replaced(lambda p: p.symlink_to("gone.fits")), "{f}: no such file"),
    Case("same content twice", twin, "twin.fits: the same pixels as {f}; leave one"),
    Case("table", rewritten(table), "{f}: no 2-D image in it .*; leave it out"),
    Case(
        "cube", rewritten(lambda d, h: [fits.PrimaryHDU(np.stack([d, d]), h)]), "{f}: no 2-D image"
    ),
    Case("line", rewritten(lambda d, h: [fits.PrimaryHDU(d[0], h)]), "{f}: no 2-D image in it"),
    Case("no pixels", rewritten(lambda d, h: [fits.PrimaryHDU(None, h)]), "{f}: no 2-D image"),
    Case(
        "two images",
        rewritten(lambda d, h: [fits.PrimaryHDU(d, h), fits.ImageHDU(d)]),
        "{f}: several HDUs hold a 2-D image: .*data-extension",
    ),
    Case(
        "image elsewhere than asked",
        rewritten(lambda d, h: [fits.PrimaryHDU(d, h), table(d, None)[1]]),
        "NIR_dark_001.fits: data-extension 1 is not there; choose one of 0",
        arguments=("darks.sof", "--set", "data-extension=1"),
    ),
    Case("damaged data", flipped(-5000), "{f}: HDU 0: DATASUM is \\d+, the data sum to .*copy"),
    Case("damaged header", flipped(80 * 7 + 12), "{f}: HDU 0: CHECKSUM does not fit"),
    Case("damaged padding", flipped(-1), "{f}: HDU 0: DATASUM"),
]

PIXELS = [
    Case("all NaN", nan(1), "{f}: 100 % of its pixels are NaN"),
    Case("half NaN", nan(0.5), "{f}: 50 % of its pixels are NaN"),
    Case("infinite", pixels(lambda p: np.full(p.shape, np.inf, "f4")), "{f}: 100 %"),
    Case("one value", pixels(lambda p: np.full_like(p, 17)), "{f}: no scatter .*17 ADU"),
    Case("zero", pixels(np.zeros_like), "{f}: no scatter"),
    Case("saturated", pixels(lambda p: np.full_like(p, 65535)), "{f}: no scatter"),
    Case("nearly saturated", noisy(65000), "{f}: too bright: its level"),
    Case("too bright", pixels(lambda p: p + 3000), "{f}: too bright: its level"),
    Case("too dark", pixels(lambda p: p - 3000), "{f}: too dark: its level"),
    Case(
        "one row less",
        pixels(lambda p: p[:-1]),
        "of one setup: shape differs; expected one",
        lines=0,
    ),
    Case("turned", pixels(lambda p: p.T.copy()), "shape differs; expected one", lines=0),
    Case("largest floats", pixels(lambda p: p * 1e300), "{f}: a level of .* ADU is no detector's"),
]

SETUP = {
    "exposure time, DIT": cards(EXPTIME=600.0, ESO_DET_SEQ1_DIT=600.0),
    "NDIT": cards(ESO_DET_NDIT=4),
    "arm": every(untagged, cards(ESO_SEQ_ARM="VIS")),
    "gain": cards(ESO_DET_OUT1_CONAD=1.1, ESO_DET_OUT1_GAIN=1 / 1.1),
    "readout id": cards(ESO_DET_READ_CURID=4),
    "readout name": cards(ESO_DET_READ_CURNAME="Fowler"),
    "instrument": cards(INSTRUME="XSHOOTER"),
    "binning": cards(ESO_DET_BINX=2, ESO_DET_BINY=2),
    "window": every(windowed, cards(ESO_DET_WIN1_STRX=11)),
}

HEADERS = of_headers(
    ("bias", cards(ESO_DPR_TYPE="BIAS", EXPTIME=0.0), "ESO DPR TYPE is 'BIAS', .*dark"),
    ("flat", cards(ESO_DPR_TYPE="LAMP,FLAT"), "ESO DPR TYPE is 'LAMP,FLAT', .*dark"),
    ("light", cards(ESO_DPR_TYPE="OBJECT"), "ESO DPR TYPE is 'OBJECT', .*dark"),
    ("reduced by ESO", cards(ESO_PRO_CATG="MASTER_DARK_NIR"), ".*reduced"),
    ("reduced by soxspipe", cards(SXSPRE=True), ".*reduced"),
    ("EXPTIME missing", cards(EXPTIME=None), "EXPTIME is missing"),
    ("EXPTIME text", cards(EXPTIME="long"), "EXPTIME is 'long', expected"),
    ("EXPTIME zero", cards(EXPTIME=0.0), "EXPTIME is 0.0, .*above 0"),
    ("EXPTIME negative", cards(EXPTIME=-300.0), "EXPTIME is -300.0, .*above 0"),
    ("EXPTIME true", cards(EXPTIME=True), "EXPTIME is True, expected"),
    ("EXPTIME NaN", card("EXPTIME =                  NaN", "EXPTIME"), ".*EXPTIME"),
    ("EXPTIME empty", card("EXPTIME =", "EXPTIME"), ".*EXPTIME"),
    ("EXPTIME beyond floats", card("EXPTIME = 1E999", "EXPTIME"), "EXPTIME is .*expected"),
    (
        "EXPTIME twice",
        card("EXPTIME = 600.0"),
        "EXPTIME is .given twice, with two",
    ),
    ("arm missing", every(untagged, cards(ESO_SEQ_ARM=None)), "ESO SEQ ARM is missing"),
    ("arm a number", cards(ESO_SEQ_ARM=4), "ESO SEQ ARM"),
    ("arm a path", cards(ESO_SEQ_ARM="../../etc"), "ESO SEQ ARM"),
    ("BITPIX of no kind", card("BITPIX  =                   17", "BITPIX"), ".*"),
    ("NAXIS1 negative", card("NAXIS1  =                 -128", "NAXIS1"), ".*"),
    (
        "NAXIS1 huge",
        card("NAXIS1  =         999999999999", "NAXIS1"),
        "cannot be read .*Invalid arg",
    ),
    ("NAXIS1 zero", card("NAXIS1  =                    0", "NAXIS1"), ".*"),
    ("NAXIS1 no number", card("NAXIS1  = 'wide'", "NAXIS1"), ".*"),
    ("BSCALE zero", card("BSCALE  = 0.0"), "no scatter at all, .* is 0 ADU"),
    ("BSCALE NaN", card("BSCALE  =                  NaN"), "cannot be read as FITS"),
    ("BSCALE huge", card("BSCALE  = 1E300"), "a level of .* ADU is no detector's"),
    (
        "BSCALE text",
        card("BSCALE  = 'high'"),
        "header cannot be understood .*BSCALE.*; correct it",
    ),
    (
        "BZERO beyond floats",
        card("BZERO   = 1E999"),
        ".*BZERO is inf, a number",
    ),
    (
        "BLANK a float",
        card("BLANK   = 1.5"),
        ".*BLANK is 1.5, a whole number",
    ),
    ("NDIT zero", cards(ESO_DET_NDIT=0), "ESO DET NDIT is 0"),
    ("NDIT negative", cards(ESO_DET_NDIT=-1), "ESO DET NDIT is -1"),
    ("NDIT a half", cards(ESO_DET_NDIT=1.5), "ESO DET NDIT is 1.5"),
    ("binning zero", cards(ESO_DET_BINX=0), "ESO DET .*BINX is 0"),
)


@pytest.mark.parametrize("case", [*FILES, *PIXELS, *HEADERS], ids=lambda case: case.name)
def test_a_bad_frame(night, tmp_path, monkeypatch, capsys, case):
    monkeypatch.chdir(night.sof.parent)
    case.harm(night.sof.parent)
    check_refused(case, night.sof.parent, tmp_path / "o", capsys)


@pytest.mark.parametrize(("keys", "harm"), SETUP.items(), ids=SETUP)
def test_another_setup(night, tmp_path, monkeypatch, capsys, keys, harm):
    monkeypatch.chdir(night.sof.parent)
    harm(night.sof.parent)
    case = Case(keys, harm, f"the 5 frames are not of one setup: {keys} differs?; .*", lines=0)
    _, *table = check_refused(case, night.sof.parent, tmp_path / "o", capsys).splitlines()
    # the frame that is harmed is the example of the value that one frame has
    assert any(re.search(rf" 1 +{FRAME}", line) for line in table)


SOUND = {
    "gzip under another name": content(gzip.compress),
    "plain under the name of gzip": every(
        lambda f: (f / FRAME).rename(f / f"{FRAME}.gz"),
        lambda f: (f / "darks.sof").write_text((f / "darks.sof").read_text().replace(
            f"{FRAME} ", f"{FRAME}.gz ")),
    ),
    "image in an extension": rewritten(lambda d, h: [fits.PrimaryHDU(None, h), fits.ImageHDU(d)]),
    "link": lambda f: (
        (f / FRAME).rename(f / "elsewhere"), (f / FRAME).symlink_to("elsewhere")),
    "no date": cards(**{"MJD-OBS": None, "DATE-OBS": None}),
    "date of no day": cards(**{"MJD-OBS": "never", "DATE-OBS": "2025-02-30T99:00:00"}),
    "letters that are no ASCII": card("ORIGFILE= 'd\xe9tecteur \xb5m'"),
    "HIERARCH without a value": card("HIERARCH ESO DET ="),
    "HIERARCH without a sign": card("HIERARCH ESO nothing follows"),
    "card without sense": card("\x01\x02 = = '"),
    "unclosed text": card("ORIGFILE= 'no end"),
    "other key twice": card("OBJECT  = 'ANOTHER'"),
    "EXPTIME twice, alike": card("EXPTIME = 300.0"),
    "BLANK as a float": card("BLANK   = -99999."),
    "BLANK that no pixel has": card("BLANK   = -999"),
    "64 bits": pixels(lambda p: p.astype("i8")),
    "doubles": pixels(lambda p: p.astype("f8")),
    "a byte too many": content(lambda c: c + b"#"),
    "empty sums": cards(DATASUM=""),
}  # fmt: skip


@pytest.mark.parametrize("harm", SOUND.values(), ids=SOUND)
def test_what_looks_bad_and_is_not(night, tmp_path, monkeypatch, capsys, harm):
    """The master is that of the unharmed set, whatever the wrapping."""
    monkeypatch.chdir(night.sof.parent)
    expected = fits.getdata(mdark("darks.sof", output=tmp_path / "e").master_dark)
    harm(night.sof.parent)
    before = snapshot(night.sof.parent)
    assert said(["mdark", "darks.sof", "-o", tmp_path / "o", "-q"], capsys) == (0, "", "")
    assert snapshot(night.sof.parent) == before
    np.testing.assert_array_equal(fits.getdata(tmp_path / "o" / "darks_MDARK.fits"), expected)


def stored(kind: str, scale: float, zero: float):
    """Store the pixels as another type, scaled; the values are as they were."""

    def change(folder: Path) -> None:
        for path in folder.glob("NIR*.fits"):
            with fits.open(path, memmap=False) as hdus:
                values, header = hdus[0].data.astype("f8"), hdus[0].header
            for key in ("BZERO", "BSCALE", "CHECKSUM", "DATASUM", "BITPIX"):
                header.remove(key, ignore_missing=True)
            hdu = fits.PrimaryHDU(np.rint((values - zero) / scale).astype(kind))
            hdu.header.extend(header, strip=True, unique=True)
            hdu.header["BSCALE"], hdu.header["BZERO"] = scale, zero
            hdu.writeto(path, overwrite=True, output_verify="ignore")

    return change


@pytest.mark.parametrize(
    ("kind", "scale", "zero"),
    [("i2", 0.5, 1000.25), ("i4", 0.01, -3.0), ("i4", 1.0, 2.0**31), ("u1", 1.0, 0.0)],
)
def test_odd_ways_to_store_the_pixels(night, tmp_path, kind, scale, zero):
    """The level of the frames is that of the values, to a step of the scale."""
    raw = night.sof.parent
    for path in raw.glob("NIR*.fits"):
        edit(path, lambda p: np.clip(p.astype("i4"), 0, 250).astype("i4"))
    expected = mdark(night.sof, output=tmp_path / "e").metrics["MDARK MEDIAN"]
    stored(kind, scale, zero)(raw)
    found = mdark(night.sof, output=tmp_path / "o").metrics["MDARK MEDIAN"]
    assert found == pytest.approx(expected, abs=1.5 * scale)


@pytest.mark.parametrize("share", [0.001, 0.05])
def test_blank_pixels_are_no_samples(night, tmp_path, share):
    raw, rng = night.sof.parent, np.random.default_rng(3)
    blank = rng.random(fits.getdata(raw / FRAME).shape) < share
    expected = fits.getdata(mdark(night.sof, output=tmp_path / "e").master_dark, "NCOM")
    edit(raw / FRAME, lambda p: np.where(blank, -999, p).astype("i4"), BLANK=-999)
    result = mdark(night.sof, output=tmp_path / "o")
    found = fits.getdata(result.master_dark, "NCOM")
    assert np.all(found[blank] <= 4)
    assert np.mean(found[~blank] == expected[~blank]) > 0.99
    assert np.isfinite(fits.getdata(result.master_dark)).all()

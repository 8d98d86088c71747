"""Reading raw frames: what cannot be read, is damaged, or changes meanwhile."""

import gzip

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.errors import InputError
from soxsdark.frame import Frame
from tests.frame.written import SHAPE, pixels_of, whole_range, write, write_stored


def lines_of(error: pytest.ExceptionInfo) -> int:
    return len(str(error.value).splitlines())


def test_table_only(tmp_path):
    path = tmp_path / "t.fits"
    fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.zeros(3))]).writeto(path)
    with pytest.raises(InputError, match=r"t\.fits: no 2-D image"):
        Frame.open(path)


@pytest.mark.parametrize("shape", [(2, 11, 17), (1, 11, 17), (17,)])
def test_image_that_is_not_two_dimensional(tmp_path, shape):
    path = write(tmp_path / "c.fits", np.zeros(shape, "i2"))
    with pytest.raises(InputError, match=rf"c\.fits: no 2-D image.*0 \({len(shape)}-D\)"):
        Frame.open(path)


@pytest.mark.parametrize(
    ("keep", "reason"),
    [
        (0, "empty file"),
        (1, "c.fits: "),
        (1000, "c.fits: "),
        (2879, "c.fits: "),
        (2880, "cut short"),
        (2881, "cut short"),
        (2880 + 2 * SHAPE[0] * SHAPE[1] - 1, "cut short"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_file_cut_short(tmp_path, keep, reason, packed):
    content = write(tmp_path / "whole.fits").read_bytes()[:keep]
    path = tmp_path / ("c.fits.gz" if packed else "c.fits")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(InputError, match=reason.replace("c.fits", path.name)) as error:
        Frame.open(path).load()
    assert str(path) in str(error.value)
    assert lines_of(error) == 1


def test_missing_padding_is_no_damage(tmp_path):
    content = write(tmp_path / "whole.fits").read_bytes()
    path = tmp_path / "unpadded.fits"
    path.write_bytes(content[: 2880 + 2 * SHAPE[0] * SHAPE[1]])
    np.testing.assert_array_equal(pixels_of(path), whole_range("i2"))


def test_packed_file_cut_short(tmp_path):
    packed = gzip.compress(write(tmp_path / "whole.fits").read_bytes())
    path = tmp_path / "c.fits.gz"
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"c\.fits\.gz: cut short or damaged"):
        Frame.open(path)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.85])
def test_tile_compressed_file_cut_short(tmp_path, part):
    pixels = np.random.default_rng(1).integers(0, 60000, (100, 100)).astype("u2")
    path = tmp_path / "c.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels)]).writeto(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(InputError, match=r"c\.fits\.fz: ") as error:
        Frame.open(path).load()
    assert lines_of(error) == 1


@pytest.mark.parametrize(
    "content", [b"path DARK_NIR\n" * 300, b"\0" * 6000, b"\x89PNG\r\n\x1a\n" * 900]
)
def test_not_fits(tmp_path, content):
    path = tmp_path / "n.fits"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"n\.fits: ") as error:
        Frame.open(path)
    assert lines_of(error) == 1


def test_not_gzip(tmp_path):
    path = tmp_path / "n.fits.gz"
    path.write_bytes(b"no gzip at all" * 400)
    with pytest.raises(InputError, match=r"n\.fits\.gz: "):
        Frame.open(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.fits: no such file"):
        Frame.open(tmp_path / "none.fits")


@pytest.mark.parametrize(("key", "value"), [("BZERO", "'high'"), ("BSCALE", "T")])
def test_scaling_that_is_no_number(tmp_path, key, value):
    path = write_stored(tmp_path / "s.fits", whole_range("i2"), **{key: 1.0})
    card = fits.Card(key, 1.0).image.encode()
    path.write_bytes(path.read_bytes().replace(card, f"{key:8}= {value:>20}".ljust(80).encode()))
    with pytest.raises(InputError, match=rf"s\.fits: .*{key}"):
        Frame.open(path).load()


def test_wrong_datasum(tmp_path):
    path = write(tmp_path / "d.fits", whole_range("f4"), checksum=True)
    content = bytearray(path.read_bytes())
    content[2880 + 200] ^= 1
    path.write_bytes(content)
    frame = Frame.open(path)
    with pytest.raises(InputError, match=r"d\.fits: HDU 0: DATASUM is \d+, the data sum to \d+"):
        frame.load()


def test_wrong_checksum_beside_a_right_datasum(tmp_path):
    path = write(tmp_path / "d.fits", header=[("OBJECT", "DARK")], checksum=True)
    path.write_bytes(path.read_bytes().replace(b"'DARK    '", b"'LARK    '"))
    with pytest.raises(InputError, match=r"d\.fits: HDU 0: CHECKSUM does not fit"):
        Frame.open(path).load()


def test_damage_in_another_hdu_is_seen(tmp_path):
    path = tmp_path / "d.fits"
    second = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.ones(99))])
    fits.HDUList([fits.PrimaryHDU(whole_range("i2")), second]).writeto(path, checksum=True)
    content = bytearray(path.read_bytes())
    content[-2880 + 5] ^= 64
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"d\.fits: HDU 1: DATASUM"):
        Frame.open(path).load()


def test_packed_frames_are_checked_too(tmp_path):
    content = bytearray(write(tmp_path / "d.fits", checksum=True).read_bytes())
    content[2880 + 20] ^= 1
    path = tmp_path / "d.fits.gz"
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(InputError, match=r"d\.fits\.gz: HDU 0: DATASUM"):
        Frame.open(path).load()


@pytest.mark.parametrize("pixels", [np.zeros(SHAPE, "i2"), np.full(SHAPE, -1, "i4")])
def test_sums_of_zero_are_right(tmp_path, pixels):
    path = write(tmp_path / "z.fits", pixels, checksum=True)
    np.testing.assert_array_equal(pixels_of(path), pixels)


@pytest.mark.parametrize("how", ["load", "read_rows"])
def test_file_that_shrinks_after_it_was_opened(tmp_path, how):
    path = write(tmp_path / "s.fits")
    frame = Frame.open(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"s\.fits: was written or replaced"):
        frame.load() if how == "load" else frame.read_rows(0, SHAPE[0])


@pytest.mark.parametrize("how", ["load", "read_rows"])
def test_file_that_vanishes_after_it_was_opened(tmp_path, how):
    path = write(tmp_path / "s.fits")
    frame = Frame.open(path)
    path.unlink()
    with pytest.raises(InputError, match=r"s\.fits: no such file"):
        frame.load() if how == "load" else frame.read_rows(0, SHAPE[0])


def test_opening_leaves_no_file_open(tmp_path):
    # an unclosed file is a ResourceWarning, and warnings are errors here
    path = write(tmp_path / "a.fits.gz")
    for _ in range(3):
        Frame.open(path).load()

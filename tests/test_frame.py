"""Reading raw frames: every pixel type, container and kind of damage; the oracle is astropy."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.errors import InputError
from soxsdark.fits_bytes import is_zero_sum, ones_complement_sum
from soxsdark.frame import Frame

SHAPE = (11, 17)
INTEGERS = ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8")


def whole_range(dtype: str) -> np.ndarray:
    """Pixels of every size, with both ends of the type's range among them."""
    rng = np.random.default_rng(5)
    if np.dtype(dtype).kind == "f":
        return rng.normal(-3, 1e4, SHAPE).astype(dtype)
    limits = np.iinfo(dtype)
    pixels = rng.integers(limits.min, limits.max, SHAPE, dtype=dtype, endpoint=True)
    pixels[0, :2] = limits.min, limits.max
    return pixels


def write(path: Path, pixels: np.ndarray | None = None, header=(), *, checksum=False) -> Path:
    if pixels is None:
        pixels = whole_range("i2")
    hdu = fits.PrimaryHDU(pixels)
    hdu.header.extend(list(header))
    hdu.writeto(path, checksum=checksum)
    return path


def write_stored(path: Path, stored: np.ndarray, **cards: float) -> Path:
    """Write integers as they are, beside scaling keywords that astropy does not touch."""
    fits.PrimaryHDU(stored).writeto(path)
    content = path.read_bytes()
    end = content.index(b"END" + b" " * 77)
    extra = b"".join(fits.Card(key, value).image.encode() for key, value in cards.items())
    header = (content[:end] + extra + b"END").ljust(2880)
    path.write_bytes(header + content[2880:])
    return path


def pixels_of(path: Path, extension: int | str | None = None) -> np.ndarray:
    """Pixels of a frame, read in both ways, which must agree."""
    frame = Frame.open(path, extension)
    whole = frame.load().pixels
    rows = frame.layout.shape[0]
    parts = [frame.read_rows(top, min(top + 4, rows)) for top in range(0, rows, 4)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert parts[0].dtype == whole.dtype
    assert whole.dtype.isnative
    return whole


# Pixel types


@pytest.mark.parametrize("dtype", [*INTEGERS, "f4", "f8"])
def test_pixels_are_those_of_astropy(tmp_path, dtype):
    path = write(tmp_path / "a.fits", whole_range(dtype))
    expected = fits.getdata(path)
    np.testing.assert_array_equal(expected, whole_range(dtype))
    found = pixels_of(path)
    if dtype == "u8":  # 2**63 is added in double precision, which is good to 2**11 there
        np.testing.assert_allclose(found, expected.astype(float), rtol=1e-15, atol=2**11)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("bitpix", "size"), [(8, "u1"), (16, "i2"), (32, "i4"), (64, "i8"), (-32, "f4"), (-64, "f8")]
)
def test_layout_holds_stored_type_and_shape(tmp_path, bitpix, size):
    path = write(tmp_path / "a.fits", whole_range(size))
    frame = Frame.open(path)
    assert frame.header["BITPIX"] == bitpix
    assert frame.layout.shape == SHAPE
    assert frame.layout.dtype.itemsize * 8 == abs(bitpix)
    assert frame.layout.quantum == (0 if bitpix < 0 else 1)


@pytest.mark.parametrize("dtype", ["i2", "i4", "f4"])
def test_negative_values_survive(tmp_path, dtype):
    pixels = np.full(SHAPE, -1, dtype)
    np.testing.assert_array_equal(pixels_of(write(tmp_path / "a.fits", pixels)), pixels)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8"])
def test_scaled_integers_become_physical_values(tmp_path, dtype):
    stored = whole_range(dtype)
    path = write_stored(tmp_path / "a.fits", stored, BSCALE=0.25, BZERO=-12.5)
    found = pixels_of(path)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, stored.astype(float) * 0.25 - 12.5, rtol=1e-15)
    assert Frame.open(path).layout.quantum == 0.25


@pytest.mark.parametrize("zero", [100, -70000, 2**31, 3e9])
def test_whole_offsets_neither_clip_nor_wrap(tmp_path, zero):
    stored = whole_range("i2")
    path = write_stored(tmp_path / "a.fits", stored, BSCALE=1.0, BZERO=float(zero))
    np.testing.assert_array_equal(pixels_of(path), stored.astype(np.int64) + int(zero))


def test_scaled_floats(tmp_path):
    stored = whole_range("f4")
    path = write_stored(tmp_path / "a.fits", stored, BSCALE=2.0, BZERO=5.0)
    np.testing.assert_allclose(pixels_of(path), stored.astype(float) * 2 + 5, rtol=1e-12)


@pytest.mark.parametrize("scaling", [{}, {"BSCALE": 1.0, "BZERO": 32768.0}, {"BSCALE": 0.5}])
def test_blank_is_nan_and_nothing_else_is(tmp_path, scaling):
    stored = whole_range("i2")
    stored[stored == -77] = 0
    stored[2, 3:6] = -77
    found = pixels_of(write_stored(tmp_path / "a.fits", stored, BLANK=-77, **scaling))
    np.testing.assert_array_equal(np.isnan(found), stored == -77)
    good = stored != -77
    physical = stored.astype(float) * scaling.get("BSCALE", 1) + scaling.get("BZERO", 0)
    np.testing.assert_array_equal(found[good], physical[good])


def test_blank_that_no_pixel_has_leaves_integers(tmp_path):
    stored = np.arange(20, dtype="i2").reshape(4, 5)
    found = pixels_of(write_stored(tmp_path / "a.fits", stored, BLANK=-32768))
    assert found.dtype.kind == "i"
    np.testing.assert_array_equal(found, stored)


def test_blank_of_a_float_image_means_nothing(tmp_path):
    stored = np.zeros(SHAPE, "f4")
    path = write_stored(tmp_path / "a.fits", stored, BLANK=0)
    np.testing.assert_array_equal(pixels_of(path), stored)


def test_nan_and_infinity_are_kept(tmp_path):
    pixels = whole_range("f4")
    pixels[1, 1:4] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(pixels_of(write(tmp_path / "a.fits", pixels)), pixels)


# Containers


@pytest.mark.parametrize("name", ["a.fits", "a.fit", "a.FTS", "a.Fits.gz", "a.fits.GZ"])
def test_names_and_gzip(tmp_path, name):
    plain = write(tmp_path / "plain.fits", whole_range("u2"), checksum=True)
    content = plain.read_bytes()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.lower().endswith("gz") else content)
    np.testing.assert_array_equal(pixels_of(path), whole_range("u2"))


def test_sha256_is_that_of_the_file_on_disk(tmp_path):
    plain = write(tmp_path / "a.fits", checksum=True)
    packed = tmp_path / "a.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    tail = tmp_path / "tail.fits"
    tail.write_bytes(plain.read_bytes() + b"\0" * 100)
    loaded = [Frame.open(path).load() for path in (plain, packed, tail)]
    for path, one in zip((plain, packed, tail), loaded, strict=True):
        assert one.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        np.testing.assert_array_equal(one.pixels, loaded[0].pixels)


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"])
@pytest.mark.parametrize("dtype", ["i2", "u2", "i4"])
def test_tile_compressed_integers_are_exact(tmp_path, kind, dtype):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 3000, (40, 50)).astype(dtype)
    path = tmp_path / "a.fits.fz"
    hdu = fits.CompImageHDU(pixels, compression_type=kind, name="RAW")
    hdu.header["EXPTIME"] = 300.0
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, checksum=True)
    frame = Frame.open(path)
    np.testing.assert_array_equal(pixels_of(path), fits.getdata(path, 1))
    np.testing.assert_array_equal(pixels_of(path), pixels)
    assert (frame.hdu, frame.header["EXPTIME"], frame.layout.shape) == (1, 300.0, (40, 50))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_tile_compressed_floats_are_those_of_astropy(tmp_path, dtype):
    pixels = np.random.default_rng(1).normal(10, 3, (40, 50)).astype(dtype)
    pixels[3, 4] = np.nan
    path = tmp_path / "a.fits.fz"
    hdu = fits.CompImageHDU(pixels, compression_type="RICE_1", quantize_level=16, dither_seed=3)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    found = pixels_of(path)
    np.testing.assert_array_equal(found, fits.getdata(path, 1))
    np.testing.assert_allclose(found, pixels, atol=3 / 16)


def test_compressed_image_of_a_cube_is_refused(tmp_path):
    path = tmp_path / "a.fits.fz"
    hdu = fits.CompImageHDU(np.zeros((3, 20, 20), "i2"))
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    with pytest.raises(InputError, match=r"a\.fits\.fz: .*(3-D|3 dimensions|2-D)"):
        Frame.open(path)


def test_image_in_an_extension_is_found(tmp_path):
    path = tmp_path / "a.fits"
    primary = fits.PrimaryHDU()
    primary.header["EXPTIME"], primary.header["OBJECT"] = 10.0, "DARK"
    image = fits.ImageHDU(whole_range("u2"), name="NIR")
    image.header["EXPTIME"] = 20.0
    fits.HDUList([primary, image]).writeto(path, checksum=True)
    frame = Frame.open(path)
    np.testing.assert_array_equal(pixels_of(path), whole_range("u2"))
    assert frame.hdu == 1
    # the header of the pixels wins over that of the file
    assert (frame.header["EXPTIME"], frame.header["OBJECT"]) == (20.0, "DARK")


@pytest.fixture
def several(tmp_path) -> Path:
    path = tmp_path / "several.fits"
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.zeros(3))], name="TAB")
    images = [fits.ImageHDU(np.full(SHAPE, i, "i2"), name=n) for i, n in ((1, "ONE"), (2, "TWO"))]
    fits.HDUList([fits.PrimaryHDU(), images[0], table, images[1]]).writeto(path)
    return path


def test_several_images_are_an_error_that_lists_them(several):
    with pytest.raises(
        InputError, match=r"several\.fits: several .*1 ONE \(2-D\), 3 TWO \(2-D\); .*data-extension"
    ):
        Frame.open(several)


@pytest.mark.parametrize(("extension", "value"), [(1, 1), (3, 2), ("ONE", 1), ("two", 2)])
def test_extension_by_number_or_name(several, extension, value):
    np.testing.assert_array_equal(pixels_of(several, extension), np.full(SHAPE, value))


@pytest.mark.parametrize(
    ("extension", "reason"),
    [(0, "not a 2-D image"), ("TAB", "not a 2-D image"), (9, "not there"), ("THREE", "not there")],
)
def test_wrong_extension_is_an_error_that_lists_them(several, extension, reason):
    with pytest.raises(InputError, match=rf"data-extension {extension} is {reason}; .*3 TWO"):
        Frame.open(several, extension)


# What cannot be read


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


# Sums


@pytest.mark.parametrize("length", [0, 4, 2880, 2881, 2882, 2883])
def test_ones_complement_sum_is_that_of_the_standard(length):
    data = np.random.default_rng(2).integers(0, 256, length, dtype=np.uint8).tobytes()
    total = 0
    for start in range(0, length, 4):
        total += int.from_bytes(data[start : start + 4].ljust(4, b"\0"), "big")
        total = (total & 0xFFFFFFFF) + (total >> 32)
    assert ones_complement_sum(data) == total


@pytest.mark.parametrize(("total", "zero"), [(0, True), (0xFFFFFFFF, True), (1, False)])
def test_both_zeros_count(total, zero):
    assert is_zero_sum(total) is zero

"""Frames that lie turned in the raw file: windows, maps, header cards, and whole runs."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from soxsdark.amplifiers import whole
from soxsdark.errors import InputError
from soxsdark.flags import Flag
from soxsdark.header_axes import place_axes
from soxsdark.instruments import Detector, load_profile, science_sections
from soxsdark.orientation import all_to_product, raw_window, to_product, to_raw, turned_lengths
from soxsdark.product import Mask
from soxsdark.recipe import mdark
from soxsdark.simulator import PixelClass, Scene, read_truth, simulate

ROTATIONS = (0, 90, 180, 270)
RAW = np.arange(5 * 7).reshape(5, 7)


@pytest.mark.parametrize(
    ("rotation", "first_row"),
    [
        (0, [0, 1, 2, 3, 4, 5, 6]),
        (90, [6, 13, 20, 27, 34]),
        (180, [34, 33, 32, 31, 30, 29, 28]),
        (270, [28, 21, 14, 7, 0]),
    ],
)
def test_to_product_is_rot90_and_to_raw_its_inverse(rotation, first_row):
    turned = to_product(RAW, rotation)
    assert turned[0].tolist() == first_row
    assert np.array_equal(turned, np.rot90(RAW, k=rotation / 90))
    assert turned.shape == turned_lengths(RAW.shape, rotation)
    assert turned.base is not None, "no copy"
    assert np.array_equal(to_raw(turned, rotation), RAW)


def test_all_images_are_turned():
    mask = Mask(flags=RAW, noise=RAW * 2, rejected=RAW * 3)
    turned = all_to_product(mask, 90)
    for one, factor in ((turned.flags, 1), (turned.noise, 2), (turned.rejected, 3)):
        assert np.array_equal(one, factor * np.rot90(RAW))


@st.composite
def windows(draw):
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    rotation = draw(st.sampled_from(ROTATIONS))
    parts = []
    for length in turned_lengths(shape, rotation):
        start = draw(st.integers(0, length - 1))
        parts.append(slice(start, draw(st.integers(start + 1, length))))
    return shape, rotation, tuple(parts)


@given(windows())
def test_cut_then_turn_is_turn_then_cut(case):
    shape, rotation, window = case
    raw = np.arange(shape[0] * shape[1]).reshape(shape)
    cut = to_product(raw[raw_window(window, shape, rotation)], rotation)
    assert np.array_equal(cut, np.rot90(raw, k=rotation / 90)[window])


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("binning", [(1, 1), (2, 2), (1, 2), (2, 1), (3, 1)])
def test_turned_and_trimmed_is_rot90_then_slice(rotation, binning):
    shape = (60, 84)
    rows, columns = ((7, 50), (13, 78)) if rotation % 180 == 0 else ((13, 78), (7, 50))
    detector = Detector(shape=shape, rotation=rotation, rows=rows, columns=columns)
    across, down = binning
    raw = np.random.default_rng(3).random((shape[0] // down, shape[1] // across))
    (section,), trimmed, remark = science_sections(raw.shape, detector, binning, True)
    window = section.raw
    assert (trimmed, remark) == (True, None)
    n_row, n_column = turned_lengths((down, across), rotation)
    expected = np.rot90(raw, k=rotation / 90)[
        -(-rows[0] // n_row) : rows[1] // n_row, -(-columns[0] // n_column) : columns[1] // n_column
    ]
    assert np.array_equal(to_product(raw[window], rotation), expected)
    (kept,), *rest = science_sections(raw[window].shape, detector, binning, True)
    assert (kept.raw, rest) == (whole(raw[window].shape), [False, None])


@pytest.mark.parametrize(
    ("arm", "raw", "science", "rows", "columns"),
    [
        ("UVB", (3000, 2144), (3000, 2048), (0, 3000), (48, 2096)),
        ("VIS", (4000, 2106), (4000, 2048), (0, 4000), (10, 2058)),
        ("NIR", (1100, 2048), (2040, 1056), (4, 2044), (20, 1076)),
    ],
)
def test_xshooter_windows(arm, raw, science, rows, columns):
    detector = load_profile("xsh").detector(arm)
    rng = np.random.default_rng(1)
    image = rng.integers(0, 1000, raw, dtype=np.int16)
    (section,), trimmed, _ = science_sections(raw, detector, (1, 1), True)
    window = section.raw
    product = to_product(image[window], detector.rotation)
    assert trimmed
    assert product.shape == science
    turned = np.rot90(image, k=detector.rotation / 90)
    assert np.array_equal(product, turned[slice(*rows), slice(*columns)])


# Header cards: astropy's WCS of the raw header and of the product's must agree on every point


def wcs_header(**cards) -> fits.Header:
    header = fits.Header()
    for key, value in cards.items():
        header[key] = value
    return header


LINEAR = {
    "CTYPE1": "PIXEL", "CTYPE2": "PIXEL", "CRPIX1": 3.0, "CRPIX2": 5.0, "CRVAL1": 10.0,
    "CRVAL2": 20.0, "CDELT1": 0.5, "CDELT2": 2.0,
}  # fmt: skip
SKY = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 3.0, "CRPIX2": 5.0, "CRVAL1": 10.0,
    "CRVAL2": 20.0, "CD1_1": -1e-4, "CD1_2": 2e-5, "CD2_1": 1e-5, "CD2_2": 1.1e-4,
}  # fmt: skip
ROTATED = LINEAR | {"PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8}
NO_REFERENCE = {key: value for key, value in LINEAR.items() if "CRPIX" not in key}


@pytest.mark.parametrize(
    ("cards", "rotation"),
    [
        *((cards, rotation) for cards in (LINEAR, SKY, ROTATED) for rotation in ROTATIONS),
        *((NO_REFERENCE, rotation) for rotation in ROTATIONS[1:]),
    ],
)
def test_world_coordinates_follow_the_pixels(cards, rotation):
    raw, window = wcs_header(**cards), (slice(2, 21), slice(5, 36))
    product = raw.copy()
    place_axes(product, window, rotation)
    y, x = np.mgrid[0:30, 0:40]
    x_there, y_there = (to_product(image[window], rotation) for image in (x, y))
    row, column = np.indices(x_there.shape)
    here = WCS(product).wcs_pix2world(column.ravel(), row.ravel(), 0)
    there = WCS(raw).wcs_pix2world(x_there.ravel(), y_there.ravel(), 0)
    np.testing.assert_allclose(here, there, rtol=1e-12)


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("before", [{}, {"LTV1": 4.0, "LTV2": -3.0, "LTM1_1": 0.5, "LTM2_2": 2.0}])
def test_physical_coordinates_follow_the_pixels(rotation, before):
    raw, window = wcs_header(**before), (slice(2, 21), slice(5, 36))
    product = raw.copy()
    place_axes(product, window, rotation)

    def physical(header, points):
        shift = [header.get("LTV1", 0.0), header.get("LTV2", 0.0)]
        matrix = [[header.get(f"LTM{i}_{j}", float(i == j)) for j in (1, 2)] for i in (1, 2)]
        return np.linalg.solve(np.array(matrix), points - np.array(shift)[:, None])

    y, x = np.mgrid[1:31, 1:41]
    raw_points = np.array([to_product(i[window], rotation).ravel() for i in (x, y)])
    rows, columns = np.indices(to_product(x[window], rotation).shape) + 1
    points = np.array([columns.ravel(), rows.ravel()])
    np.testing.assert_allclose(physical(product, points), physical(raw, raw_points), atol=1e-12)


def test_world_coordinates_that_cannot_be_turned_are_left_out():
    for odd in ({"CROTA2": 12.0}, {"A_ORDER": 2, "A_2_0": 1e-6}):
        header = wcs_header(**LINEAR | odd)
        place_axes(header, (slice(0, 5), slice(0, 9)), 90)
        assert set(header) == {"LTV1", "LTV2", "LTM1_1", "LTM1_2", "LTM2_1", "LTM2_2"}


# Whole runs


@pytest.fixture(scope="module", params=["UVB", "XSH-VIS", "XSH-NIR"])
def reduced(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    options = {"frames": 3, "list_bad_pixel_map": True, "gradient": 20.0}
    files = simulate(folder, Scene(arm=request.param, **options))
    return files, mdark(files.sof, output=folder / "out")


def test_products_of_xshooter_lie_as_the_truth(reduced):
    files, result = reduced
    truth = read_truth(files.truth)
    with fits.open(result.master_dark) as hdus:
        flux, qual, errs = (hdus[name].data for name in ("FLUX", "QUAL", "ERRS"))
        assert hdus["NCOM"].data.shape == flux.shape
    assert flux.shape == truth.expected.shape
    assert result.record["instrument-profile"] == "xsh"
    assert result.record["trimmed"] is True
    hot = (truth.classes & PixelClass.HOT != 0) & (truth.hits == 0)
    assert np.mean(qual[hot] & Flag.HOT != 0) > 0.99
    listed = truth.classes & PixelClass.LISTED != 0
    assert np.array_equal(qual & Flag.INPUT != 0, listed)
    good = (truth.classes == 0) & (truth.hits == 0)
    pull = (flux - truth.levels_e.mean() - truth.expected)[good] / errs[good]
    assert pull.std() == pytest.approx(1, abs=0.02)
    with fits.open(result.mask) as hdus:
        assert np.array_equal(hdus[0].data, qual)
        noisy = truth.classes & PixelClass.NOISY != 0
        noise = hdus["NOISE"].data
        assert np.median(noise[noisy]) > 3 * np.median(noise[good])
        hit = truth.hits == 1
        assert np.mean(hdus["NREJ"].data[hit]) > 10 * np.mean(hdus["NREJ"].data[good])


def test_record_and_header_say_how_the_products_lie(reduced):
    files, result = reduced
    header = fits.getheader(result.master_dark)
    raw = fits.getdata(files.frames[0])
    rows, columns = (slice(*bounds) for bounds in result.record["window"])
    rotation = result.record["rotation"]
    cut = to_product(raw[rows, columns], rotation)
    assert cut.shape == (header["NAXIS2"], header["NAXIS1"])
    # the corner of the product is this pixel of the raw frame, by IRAF's cards
    matrix = np.array([[header.get(f"LTM{i}_{j}", i == j) for j in (1, 2)] for i in (1, 2)])
    x, y = np.linalg.solve(matrix, 1 - np.array([header["LTV1"], header["LTV2"]]))
    assert raw[round(y) - 1, round(x) - 1] == cut[0, 0]


def small(folder, *, rotation_of="XSH-NIR", shape=(96, 64), **options):
    return simulate(folder, Scene(arm=rotation_of, shape=shape, frames=5, **options))


def test_frames_of_unknown_shape_are_turned_all_the_same(tmp_path):
    files = small(tmp_path, hot_fraction=0.02)
    truth = read_truth(files.truth)
    assert fits.getdata(files.frames[0]).shape == (64, 96)
    result = mdark(files.sof, output=tmp_path / "out")
    flux = fits.getdata(result.master_dark)
    assert flux.shape == truth.expected.shape == (96, 64)
    assert result.record["trimmed"] is False
    assert any("not trimmed: shape 64x96" in text for text in result.record["remarks"])
    hot = (truth.classes & PixelClass.HOT != 0) & (truth.hits == 0)
    np.testing.assert_allclose(flux[hot] - truth.levels_e.mean(), truth.expected[hot], rtol=0.2)


def test_own_mask_is_a_bad_pixel_map_again(tmp_path):
    files = small(tmp_path)
    first = mdark(files.sof, output=tmp_path / "a")
    again = mdark(files.sof, output=tmp_path / "b", bad_pixel_map=first.mask)
    bad = fits.getdata(first.mask) != 0
    assert np.array_equal(fits.getdata(again.mask) & Flag.INPUT != 0, bad)


def test_map_of_the_whole_turned_frame_is_cut(tmp_path):
    files = simulate(tmp_path, Scene(arm="XSH-NIR", frames=3))
    whole = np.zeros((2048, 1100), np.uint8)
    whole[100, 50] = whole[2, 3] = 1  # the second is outside the science pixels
    fits.PrimaryHDU(whole).writeto(tmp_path / "map.fits")
    result = mdark(files.sof, output=tmp_path / "a", bad_pixel_map=tmp_path / "map.fits")
    flagged = np.argwhere(fits.getdata(result.mask) & Flag.INPUT != 0)
    assert flagged.tolist() == [[100 - 4, 50 - 20]]


def test_map_that_lies_as_the_raw_frame_is_refused(tmp_path):
    files = small(tmp_path)
    fits.PrimaryHDU(np.eye(64, 96, dtype=np.uint8)).writeto(tmp_path / "map.fits")
    with pytest.raises(InputError, match="map of 64x96 pixels, 96x64 .*turned raw frame's 96x64"):
        mdark(files.sof, output=tmp_path / "a", bad_pixel_map=tmp_path / "map.fits")


def test_window_of_a_description_is_that_of_the_raw_file():
    detector = load_profile("xsh").detector("NIR")
    (section,), trimmed, _ = science_sections((1100, 2048), detector, (1, 1), True)
    window = section.raw
    assert trimmed
    # turned rows 4:2044 count from the right of the raw frame: 2048 - 2044 = 4, 2048 - 4 = 2044
    assert window == (slice(20, 1076), slice(4, 2044))
    odd = replace_window(detector, rows=(10, 2000))
    assert science_sections((1100, 2048), odd, (1, 1), True)[0][0].raw[1] == slice(48, 2038)


def replace_window(detector: Detector, **changes) -> Detector:
    return Detector.model_validate(detector.model_dump(by_alias=True) | changes)

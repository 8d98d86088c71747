"""Files written in one go: the same bytes as astropy's, the sums of the standard, little memory."""

import hashlib
import resource
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from soxsdark import fits_writer
from soxsdark.errors import ProductError
from soxsdark.fits_bytes import encoded_checksum, is_zero_sum, ones_complement_sum
from soxsdark.fits_writer import Image, Plan, write_files

UNIT = ("BUNIT", "electron", "Unit of the pixels")
LONG = "x" * 100


def plan(path: Path, shape: tuple[int, int] = (30, 41), md5: bool = True) -> Plan:
    rng = np.random.default_rng(3)
    header = fits.Header([("LONGSTRN", "OGIP 1.0", ""), ("PIPEFILE", LONG, "Name")])
    if md5:
        header["DATAMD5"] = ("", "MD5 of the data of all HDUs")
    images = (
        Image("FLUX", rng.normal(size=shape), np.dtype(">f4"), (UNIT,)),
        Image("QUAL", rng.integers(0, 2**15, shape, dtype=np.uint16), np.dtype(">i2")),
        Image("BIG", rng.integers(0, 2**31, shape).T.copy().T, np.dtype(">i4")),
    )
    return Plan(path, header, images)


def slow_sum(data: bytes) -> int:
    total = 0
    for start in range(0, len(data), 4):
        total += int.from_bytes(data[start : start + 4].ljust(4, b"\0"), "big")
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def units(path: Path) -> Iterator[tuple[list[str], bytes]]:
    """Header cards, without those that hold the time of writing, and data of every HDU."""
    content = path.read_bytes()
    with fits.open(path) as hdus:
        for hdu in hdus:
            info = hdu.fileinfo()
            header = content[info["hdrLoc"] : info["datLoc"]].decode("ascii")
            cards = [header[at : at + 80] for at in range(0, len(header), 80)]
            cards = [c[:30] if c.startswith("DATASUM") else c for c in cards]
            yield (
                [c for c in cards if not c.startswith("CHECKSUM")],
                content[info["datLoc"] : info["datLoc"] + info["datSpan"]],
            )


@pytest.mark.parametrize("shape", [(30, 41), (1, 1), (2, 721), (3, 1)])
@pytest.mark.parametrize("piece", [1, 1000, 1 << 19])
def test_the_same_file_as_astropy_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], piece: int
) -> None:
    monkeypatch.setattr(fits_writer, "PIECE", piece)
    mine = plan(tmp_path / "a.fits", shape)
    write_files([mine])
    ours = list(units(mine.path))

    header = mine.header.copy()
    header["DATAMD5"] = hashlib.md5(b"".join(data for _, data in ours)).hexdigest()
    hdus = fits.HDUList()
    for image in mine.images:
        pixels = image.pixels.astype(image.dtype)
        hdu = fits.ImageHDU(pixels) if hdus else fits.PrimaryHDU(pixels, header)
        hdu.header["EXTNAME"] = (image.name, "Name of this image")
        hdu.header.extend(image.cards)
        hdus.append(hdu)
    hdus.writeto(tmp_path / "b.fits", checksum=True)
    assert ours == list(units(tmp_path / "b.fits"))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("md5", [True, False])
def test_sums_and_hashes(tmp_path: Path, threads: int, md5: bool) -> None:
    plans = [plan(tmp_path / "a.fits", md5=md5), plan(tmp_path / "b.fits", (50, 7), md5)]
    written = write_files(plans, threads)
    assert [file.name for file in written] == ["a.fits", "b.fits"]
    for file in written:
        content = (tmp_path / file.name).read_bytes()
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert file.size == len(content)
        with fits.open(tmp_path / file.name, checksum=True) as hdus:
            assert ("DATAMD5" in hdus[0].header) == md5
            for hdu in hdus:
                assert hdu.verify_checksum() == hdu.verify_datasum() == 1


def test_little_memory(tmp_path: Path) -> None:
    wide = np.zeros((2000, 2000), np.float32)
    images = tuple(Image(name, wide, np.dtype(">f4")) for name in "AB")
    tracemalloc.start()
    try:
        write_files([Plan(tmp_path / "a.fits", fits.Header(), images)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
    assert (tmp_path / "a.fits").stat().st_size > 2 * wide.nbytes


def test_a_file_that_exists_stays(tmp_path: Path) -> None:
    (tmp_path / "b.fits").write_text("mine")
    with pytest.raises(ProductError, match=r"b\.fits: cannot be written: File exists"):
        write_files([plan(tmp_path / "a.fits"), plan(tmp_path / "b.fits")])
    assert (tmp_path / "b.fits").read_text() == "mine"


def test_a_disk_that_fills(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10000, before[1]))
    try:
        with pytest.raises(ProductError, match=r"a\.fits: cannot be written: File too large"):
            write_files([plan(tmp_path / "a.fits", (100, 100))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@given(st.binary(max_size=100), st.integers(0, 20000))
def test_sum_in_parts_is_the_slow_sum(data: bytes, repeats: int) -> None:
    data = data * (repeats // max(1, len(data)))
    cut = len(data) // 3 // 4 * 4
    total = ones_complement_sum(memoryview(data)[:cut])
    array = np.frombuffer(data, np.uint8)[cut:]
    assert ones_complement_sum(array, total) == ones_complement_sum(data) == slow_sum(data)


@pytest.mark.parametrize("byte", [0, 0xFF])
def test_sum_of_more_than_one_piece(byte: int) -> None:
    data = bytes([byte]) * (600_004) + b"\x12\x34\x56\x78" + b"\x01"
    assert ones_complement_sum(data) == slow_sum(data)


@given(st.integers(0, 0xFFFFFFFF))
def test_encoded_checksum_makes_the_sum_zero(words: int) -> None:
    card = b"CHECKSUM= '0000000000000000'".ljust(80)
    code = encoded_checksum(slow_sum(card + words.to_bytes(4, "big")))
    assert code.isalnum()
    assert len(code) == 16
    sealed = card.replace(b"0" * 16, code) + words.to_bytes(4, "big")
    assert is_zero_sum(slow_sum(sealed))

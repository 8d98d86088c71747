"""The page of a night."""

import re
import shutil

from astropy.io import fits

from tests.night.sets import NIR, damage


def test_pages_link_what_is_there_and_escape_the_rest(run, raw, tmp_path):
    for number in (1, 2, 3):
        path = raw / "nir" / f"NIR_dark_{number:03d}.fits"
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["ESO DET READ CURNAME"] = "<script>alert(1)</script>"
            hdus[0].add_checksum()
    shutil.copy(raw / "vis" / "VIS_dark_001.fits", raw / '"><img src=x>.fits')
    damage(raw / '"><img src=x>.fits')
    run()
    folder = tmp_path / "p" / "2026-01-10"
    (folder / f"{NIR}.html").write_text("a report")
    (folder / "night.json").unlink()
    run()
    page = (folder / "index.html").read_text()
    assert "<script" not in page
    assert "<img" not in page
    links = re.findall(r'href="([^"]*)"', page)
    assert f"{NIR}.html" in links
    for link in links:
        assert (folder / link).exists(), link
    index = (tmp_path / "p" / "index.html").read_text()
    assert 'href="2026-01-10/index.html"' in index
    assert 'href="2026-01-11/index.html"' in index

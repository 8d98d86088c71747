"""What a set leaves that is bad or partial."""

from astropy.io import fits

from soxsdark.cli import main
from soxsdark.simulator import Scene, simulate
from tests.quality.sets import SIDE


def test_a_bad_set_is_published_and_flagged(night, tmp_path, capsys):
    ranges = "qc-acceptable-ranges={raw-ron: [0, 5], nframes: [20, null], master-ron: [0, 9]}"
    arguments = ["mdark", str(night.sof), "-o", str(tmp_path / "o"), "--set", ranges]
    assert main([*arguments, "-q"]) == 10
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 2
    for line, name in zip(lines, ["NFRAMES is 5", "RAW RON is 7."], strict=True):
        assert line.startswith(f"soxsdark: {tmp_path}/o/darks_MDARK.fits: {name}")
        assert "is acceptable" in line
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == [
        "darks.json", "darks.log", "darks_BPM.fits", "darks_MDARK.fits",
    ]  # fmt: skip
    for name in ("darks_MDARK.fits", "darks_BPM.fits"):
        assert fits.getheader(tmp_path / "o" / name)["ESO PRO QA FLAG"] == "BAD"
    assert main([*arguments, "-x"]) == 10
    out, _ = capsys.readouterr()
    assert out.count("warning: ") == 2
    assert "QA FLAG" in out


def test_a_partial_set_says_so(tmp_path, capsys):
    files = simulate(tmp_path / "n", Scene(light_leak=60.0, **SIDE))
    assert main(["mdark", str(files.sof), "-o", str(tmp_path / "o"), "-q"]) == 11
    lines = capsys.readouterr().err.splitlines()
    names = [line.split(": ")[2].split(" is ")[0] for line in lines]
    assert "FRAME STRUCT" in names
    # what the leak adds to one of the frames is seen by others too; each says it once
    others = {"REJ FRAMEMAX", "NOISE FRAMEMAX", "MASTER RON", "NOISYPIX FRAC"}
    assert set(names) <= {"FRAME STRUCT", *others}
    assert len(set(names)) == len(names)

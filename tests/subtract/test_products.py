"""What subtraction writes, and the command that does it."""

import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData

from soxsdark import subtract_dark
from soxsdark.cli import main
from soxsdark.errors import InputError, ProductError
from soxsdark.record_file import read_record
from soxsdark.subtract import subtract_files
from tests.products import names
from tests.recipe.running import sha256
from tests.subtract.frames import HDUS

FAILED = ["NIR_dark_006_DSUB_FAILED.json", "NIR_dark_006_DSUB_FAILED.log"]

# Products


def test_products(nir, tmp_path):
    [result] = subtract_files([nir["frame"]], nir["master"], output=tmp_path / "o", command=["x"])
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == [
        "NIR_dark_006_DSUB.fits", "NIR_dark_006_DSUB.json", "NIR_dark_006_DSUB.log",
    ]  # fmt: skip
    found, expected = (
        CCDData.read(result.product, **HDUS),
        subtract_dark(nir["frame"], nir["master"]),
    )
    assert found.unit == units.electron
    np.testing.assert_array_equal(found.data, expected.data.astype("f4"))
    np.testing.assert_array_equal(found.uncertainty.array, expected.uncertainty.array.astype("f4"))
    np.testing.assert_array_equal(found.mask != 0, expected.mask)
    record = json.loads(result.record_file.read_text())
    assert record["dark"]["sha256"] == hashlib.sha256(nir["master"].read_bytes()).hexdigest()
    assert record["frame"]["sha256"] == hashlib.sha256(nir["frame"].read_bytes()).hexdigest()
    content = result.product.read_bytes()
    assert record["products"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert (record["command"], record["factor"]) == (["x"], 1.0)


def test_header(nir, tmp_path):
    [result] = subtract_files([nir["frame"]], nir["master"], output=tmp_path)
    with fits.open(result.product, checksum=True) as hdus:
        assert [hdu.name for hdu in hdus] == ["FLUX", "QUAL", "ERRS"]
        header = hdus[0].header
    dark = fits.getheader(nir["master"])
    assert header["ESO PRO CATG"] == "DARK_SUBTRACTED_NIR"
    assert header["ESO PRO REC1 ID"] == "subtract"
    assert header["ESO PRO REC1 RAW1 NAME"] == nir["frame"].name
    assert header["ESO PRO REC1 CAL1 NAME"] == "darks_MDARK.fits"
    assert header["ESO PRO REC1 CAL1 CATG"] == "MASTER_DARK_NIR"
    assert header["ESO PRO REC1 CAL1 DATAMD5"] == dark["DATAMD5"]
    assert header["ESO PRO REC1 PARAM3 VALUE"] == result.record["dark"]["sha256"]
    assert header["ESO PRO RUNID"] == result.record["run-id"]
    assert header["ESO SEQ ARM"] == "NIR"
    assert header["EXPTIME"] == 300
    for key in ("BZERO", "BSCALE", "ESO DPR TYPE", "ARCFILE", "ORIGFILE"):
        assert key not in header


def test_nothing_is_overwritten_or_half_done(nir, tmp_path):
    out = tmp_path / "o"
    subtract_files([nir["frame"]], nir["master"], output=out)
    before = (out / "NIR_dark_006_DSUB.fits").read_bytes()
    with pytest.raises(ProductError, match="NIR_dark_006_DSUB.fits.*exist already"):
        subtract_files([nir["frame"]], nir["master"], output=out)
    assert (out / "NIR_dark_006_DSUB.fits").read_bytes() == before
    subtract_files([nir["frame"]], nir["master"], output=out, overwrite=True)
    damaged = bytearray(nir["frame"].read_bytes())
    damaged[-5000] ^= 1
    (tmp_path / "b.fits").write_bytes(damaged)
    with pytest.raises(InputError, match=r"b\.fits: HDU 0: DATASUM"):
        subtract_files([nir["frame"], tmp_path / "b.fits"], nir["master"], output=tmp_path / "p")
    assert names(tmp_path / "p") == FAILED


def test_log(nir, tmp_path):
    other = tmp_path / "other.fits"
    other.write_bytes(nir["frame"].read_bytes())
    results = subtract_files([nir["frame"], other], nir["master"], output=tmp_path / "o")
    assert {r.log for r in results} == {tmp_path / "o" / "NIR_dark_006_DSUB.log"}
    lines = results[0].log.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [A-Z]+ \S", line) for line in lines)
    said = [line.partition(" INFO ")[2] for line in lines]
    assert said[0].endswith(f"run {results[0].record['run-id']}")
    assert said[1:3] == [
        "command: from Python",
        f"master dark darks_MDARK.fits: 300 s, profile soxs, SHA-256 {sha256(nir['master'])}",
    ]
    for result, frame in zip(results, (nir["frame"], other), strict=True):
        begin = said.index(f"frame {frame.name}: 300 s, in adu, dark x 1, SHA-256 {sha256(frame)}")
        size, checksum = result.product.stat().st_size, sha256(result.product)
        story = said[begin : begin + 7]
        assert f"QC BADPIX NUM = {result.metrics['BADPIX NUM']} count" in story
        assert f"product {result.product.name}: {size} bytes, SHA-256 {checksum}" in story
        assert [f"remark: {r}" for r in result.record["remarks"]] == [
            line for line in story if line.startswith("remark")
        ]
    assert said[-1] == "done"


def test_failed_run_leaves_log_and_record_until_one_succeeds(nir, tmp_path):
    out, missing = tmp_path / "o", tmp_path / "none.fits"
    frames = [nir["frame"], missing]
    with pytest.raises(InputError, match=r"none\.fits: no such file"):
        subtract_files(frames, nir["master"], output=out, command=["soxsdark", "subtract"])
    assert names(out) == FAILED
    record = read_record(out / FAILED[0])
    assert (record.recipe, record.name) == ("subtract", "NIR_dark_006")
    assert (record.error.exit_code, record.error.type) == (4, "InputError")
    assert record.error.message == f"{missing}: no such file"
    assert [given.path for given in record.inputs] == [*map(str, frames), str(nir["master"])]
    log = (out / FAILED[1]).read_text()
    assert f"run {record.run_id}\n" in log
    assert log.endswith(f"ERROR {missing}: no such file\n")
    other = tmp_path / "other.fits"
    other.write_bytes(nir["frame"].read_bytes())
    subtract_files([other, nir["frame"]], nir["master"], output=out)
    assert set(names(out)).isdisjoint(FAILED)


def test_bug_leaves_a_traceback_in_the_log_alone(nir, tmp_path):
    def broken(*step):
        raise RuntimeError("out of cheese")

    with pytest.raises(RuntimeError, match="out of cheese") as error:
        subtract_files([nir["frame"]], nir["master"], output=tmp_path, progress=broken)
    assert names(tmp_path) == FAILED
    assert error.value.__notes__ == [f"see {tmp_path / FAILED[1]}"]
    assert "Traceback" in (tmp_path / FAILED[1]).read_text()
    assert read_record(tmp_path / FAILED[0]).error.exit_code == 70


def test_names_must_differ(nir, tmp_path):
    (tmp_path / "NIR_dark_006.fit").write_bytes(nir["frame"].read_bytes())
    with pytest.raises(InputError, match="would have the name of that of .*one by one"):
        subtract_files([nir["frame"], tmp_path / "NIR_dark_006.fit"], nir["master"])


def test_inputs_are_spared(nir, tmp_path):
    dark = tmp_path / "NIR_dark_006_DSUB.fits"
    dark.write_bytes(nir["master"].read_bytes())
    with pytest.raises(ProductError, match="is an input of this run"):
        subtract_files([nir["frame"]], dark, output=tmp_path, overwrite=True)
    assert dark.read_bytes() == nir["master"].read_bytes()


# The command


def test_command(nir, tmp_path, capsys):
    arguments = ["subtract", str(nir["frame"]), "--dark", str(nir["master"]), "-o", str(tmp_path)]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    [line] = out.splitlines()
    assert err == ""
    assert line.startswith(f"{tmp_path}/NIR_dark_006_DSUB.fits: 300 s, dark of 300 s x 1, median ")
    assert main(arguments) == 5
    assert main([*arguments, "-x", "-q"]) == 0
    arguments[1] = str(nir["short"])
    capsys.readouterr()
    assert main([*arguments, "-x"]) == 4
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main([*arguments, "--scale", "maybe"]) == 2


def test_start_is_light():
    script = (
        "import sys; from soxsdark.cli import main; main(['subtract', '--help']);"
        "print({'numpy', 'astropy'} & set(sys.modules), file=sys.stderr); import soxsdark.subtract;"
        "print({'ccdproc', 'astropy.nddata', 'scipy'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.split() == ["set()", "set()"]
    assert "Example:" in done.stdout

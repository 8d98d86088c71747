"""`soxsdark sof`: the lists of the sets of a night."""

import shutil
import signal

from soxsdark.cli import main
from soxsdark.sof import read_inputs
from tests.night.sets import NIR, UVB, VIS


def test_sof_command(raw, tmp_path, capsys):
    handler = signal.getsignal(signal.SIGTERM)
    argv = ["sof", str(raw), "-o", str(tmp_path / "sofs")]
    assert main(argv) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.splitlines()[-3:] == [str(tmp_path / "sofs" / f"{n}.sof") for n in
                                           (VIS, NIR, UVB)]  # fmt: skip
    assert len(read_inputs(tmp_path / "sofs" / f"{VIS}.sof").frames) == 3
    # the same again is fine, others are not written over
    assert main(argv) == 0
    (raw / "vis" / "VIS_dark_003.fits").unlink()
    assert main(argv) == 5
    assert f"{VIS}.sof: exists already" in capsys.readouterr().err
    assert main([*argv, "-x"]) == 0
    assert "too small" in capsys.readouterr().out
    shutil.rmtree(raw)
    raw.mkdir()
    assert main(argv) == 4
    signal.signal(signal.SIGTERM, handler)

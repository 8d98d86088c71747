"""A run over an archive: what it makes, that it makes it once, and what it sweeps."""

import json
import os
from pathlib import Path

import pytest

from soxsdark import hashes, reduce_sets
from soxsdark.night import LOCK
from soxsdark.sof import read_inputs
from tests.night.sets import ENDS, NIR, UVB, VIS, rows, states


def snapshot(folder: Path) -> dict[str, tuple]:
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LOCK
    }


def test_everything_below_a_folder(run, raw, tmp_path):
    code, out, err = run()
    assert (code, err) == (0, "")
    assert rows(out) == dict.fromkeys((NIR, VIS, UVB), ["done", "GOOD"])
    assert out.splitlines()[-1] == "3 sets: 3 done; 6 files that are no raw darks"
    products = tmp_path / "p"
    names = {path.name for path in (products / "2026-01-10").iterdir()}
    assert names >= {f"{name}{end}" for name in (NIR, VIS) for end in ENDS}
    assert names >= {"night.json", "index.html"}
    assert f"{UVB}_MDARK.fits" in os.listdir(products / "2026-01-11")
    assert states(products) == {NIR: "done", VIS: "done"}
    files = read_inputs(products / "2026-01-10" / f"{NIR}.sof")
    assert [e.path for e in files.frames] == sorted((raw / "nir").glob("NIR_dark*.fits"))
    record = json.loads((products / "2026-01-10" / f"{NIR}.json").read_text())
    assert record["command"][:2] == ["soxsdark", "night"]
    assert not list(products.rglob(".soxsdark-*"))


def test_a_rerun_does_nothing(run, tmp_path, monkeypatch):
    monkeypatch.setattr(hashes, "TOO_NEW", 0)
    run()
    before = snapshot(tmp_path / "p")
    monkeypatch.setattr(reduce_sets, "mdark", None)
    # the sums of the raws are known from their records, those of the products not yet
    monkeypatch.setattr(hashes, "sha256_of", sha256_but_of(tmp_path / "raw"))
    code, out, err = run()
    assert (code, err) == (0, "")
    assert rows(out) == dict.fromkeys((NIR, VIS, UVB), ["unchanged", "GOOD"])
    after = snapshot(tmp_path / "p")
    assert {k: v for k, v in after.items() if "hashes" not in k} == {
        k: v for k, v in before.items() if "hashes" not in k
    }
    # by now the sums of the products are known as well
    monkeypatch.setattr(hashes, "sha256_of", lambda path: pytest.fail(f"{path} read again"))
    assert run("-q") == (0, "", "")
    assert snapshot(tmp_path / "p") == after


def sha256_but_of(raw: Path):
    """The checksum of a file, which must not lie below a folder."""
    from soxsdark.record import sha256_of

    def of(path):
        assert raw not in Path(path).parents, f"{path} read again"
        return sha256_of(path)

    return of


def test_quiet_is_silent_when_all_is_good(run):
    assert run("--quiet") == (0, "", "")


def test_a_dry_run_writes_nothing(run, tmp_path):
    code, out, err = run("--dry-run")
    assert (code, err) == (0, "")
    assert rows(out) == dict.fromkeys((NIR, VIS, UVB), ["to do", "-"])
    assert not (tmp_path / "p").exists()
    run()
    before = snapshot(tmp_path / "p")
    assert {state for state, _ in rows(run("--dry-run")[1]).values()} == {"unchanged"}
    assert snapshot(tmp_path / "p") == before


def test_redo(run, tmp_path):
    run()
    before = (tmp_path / "p" / "2026-01-10" / f"{NIR}.json").read_bytes()
    code, out, _ = run("--redo")
    assert code == 0
    assert rows(out)[NIR] == ["done", "GOOD"]
    assert (tmp_path / "p" / "2026-01-10" / f"{NIR}.json").read_bytes() != before


def test_orphans_of_a_killed_run_are_swept_though_nothing_is_due(run, tmp_path):
    run()
    for folder in (tmp_path / "p", tmp_path / "p" / "2026-01-10"):
        orphan = folder / ".soxsdark-abcdefgh"
        orphan.mkdir()
        (orphan / "night.json").write_text("half")
    assert run("-q") == (0, "", "")
    assert not list((tmp_path / "p").rglob(".soxsdark-*"))

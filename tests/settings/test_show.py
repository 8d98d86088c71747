"""soxsdark settings show: values, units, origins and meanings."""

import csv
import io
import json
import re

import numpy as np
import yaml
from astropy.io import fits

from soxsdark.commands import settings as commands
from soxsdark.settings import MdarkSettings
from soxsdark.settings_layers import ARMS
from soxsdark.settings_table import FORMATS
from soxsdark.simulator import Scene, simulate
from tests.interpreter import SOURCE
from tests.settings.files import section


def test_show_tells_value_unit_origin_and_meaning(command, write):
    path = write(section("hot-pixel-sigma: 6", "nir:", "    gain: 2.5"))
    code, out, _ = command("settings", "show", "-s", path, "--arm", "NIR", "--set", "ron=3")
    assert code == 0
    lines = [re.split(r"  +", line, maxsplit=2) for line in out.splitlines() if line[0] != " "]
    shown = {key: (value, origin) for key, value, origin in lines}
    assert list(shown) == [name.replace("_", "-") for name in MdarkSettings.model_fields]
    assert shown["gain"] == ("2.5 electron/ADU", "settings.yaml:4 (nir)")
    assert shown["hot-pixel-sigma"] == ("6 sigma", "settings.yaml:2")
    assert shown["ron"] == ("3 electron", "--set")
    assert shown["trim"] == ("true", "default")
    told = " ".join(out.split())
    for field in MdarkSettings.model_fields.values():
        assert field.description in told
    assert max(map(len, out.splitlines())) <= 100


def test_diff_shows_what_differs(command, write):
    path = write(section("hot-pixel-sigma: 5", "gain: 2", "threads: null"))
    _, out, _ = command("settings", "show", "-s", path, "--diff", "--format", "csv")
    assert [row["key"] for row in csv.DictReader(io.StringIO(out))] == ["gain"]
    assert command("settings", "show", "--diff")[1] == "every setting is at its default\n"
    assert command("settings", "show", "--diff", "--format", "csv")[1].count("\n") == 1


def test_formats_hold_the_same(command):
    path = ["--set", "instrument='=a|b'", "--set", "qc-acceptable-ranges={fpn: [null, 2]}"]
    shown = {style: command("settings", "show", *path, "--format", style)[1] for style in FORMATS}
    table = json.loads(shown["json"])
    assert yaml.safe_load(shown["yaml"]) == table
    cells = list(csv.DictReader(io.StringIO(shown["csv"])))
    assert [row["meaning"] for row in cells] == [row["meaning"] for row in table]
    assert cells[0]["value"] == "'=a|b"
    ranges = next(row for row in table if row["key"] == "qc-acceptable-ranges")
    assert ranges["value"] == {"fpn": [None, 2]}
    lines = shown["markdown"].splitlines()
    assert len(lines) == len(table) + 2
    assert r"`=a\|b`" in lines[2]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {7}


def test_show_takes_from_a_frame_what_the_settings_leave_to_it(command, tmp_path):
    made = simulate(tmp_path, Scene(arm="VIS", frames=1, shape=(64, 64)))
    frame = made.sof.with_name("VIS_dark_001.fits")
    path = tmp_path / "s.yaml"
    path.write_text(section("vis:", "    ron: 9"))
    _, out, _ = command("settings", "show", "-s", path, "--frame", frame, "--format", "json")
    found = {row["key"]: (row["value"], row["origin"]) for row in json.loads(out)}
    assert found["gain"] == (1, "header ESO DET OUT1 CONAD")
    assert found["ron"] == (9, "s.yaml:3 (vis)")
    assert found["saturation"] == (65535, "profile soxs")
    assert command("settings", "show", "--frame", frame, "--arm", "nir")[0] == 2


def test_show_tells_each_amplifier(command, tmp_path):
    amplifiers = [
        {"name": name, "rows": rows, "columns": [0, 8], "gain": gain, "ron": 4.0}
        for name, rows, gain in (("a", [0, 8], 1.5), ("b", [8, 16], 2.0))
    ]
    camera = yaml.safe_load((SOURCE / "soxsdark/instruments/generic.yaml").read_text())
    camera |= {"name": "two", "arms": {"*": {"shape": [16, 8], "amplifiers": amplifiers}}}
    profile, frame = tmp_path / "two.yaml", tmp_path / "dark.fits"
    profile.write_text(yaml.safe_dump(camera))
    header = fits.Header([("EXPTIME", 10.0), ("IMAGETYP", "DARK")])
    fits.writeto(frame, np.zeros((16, 8), np.int16), header)
    given = ("--set", f"instrument={profile}", "--frame", frame)
    _, out, _ = command("settings", "show", *given, "--format", "json")
    found = {row["key"]: (row["value"], row["origin"]) for row in json.loads(out)}
    assert found["gain"] == ([1.5, 2], "profile two")
    assert found["ron"] == (4, "profile two")


def test_choices_of_the_command_are_those_of_the_program():
    assert tuple(FORMATS) == commands.FORMATS
    assert sorted(commands.ARMS) == sorted(ARMS)


def test_unknown_arm_is_named(command):
    code, _, err = command("settings", "show", "--arm", "nri")
    assert code == 2
    assert "nri" in err
    assert "nir" in err

"""Whole sets judged: what is wrong is named, what is right is let alone."""

import json
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits

from soxsdark import mdark
from soxsdark.cli import main
from soxsdark.errors import InputError
from soxsdark.flags import Flag
from soxsdark.instruments import load_profile
from soxsdark.recipe import mbias
from soxsdark.simulator import Scene, read_truth, simulate
from soxsdark.sky import light_leak

CLEAN = {"hot_fraction": 0.0, "noisy_fraction": 0.0, "telegraph_fraction": 0.0}
SIDE = {"shape": (256, 256)}
ARMS = [
    {"arm": "NIR", "frames": 5},
    {"arm": "NIR", "frames": 25, "shape": (128, 128)},
    {"arm": "VIS", "frames": 11},
]


def made(folder: Path, *, settings=(), **options):
    """Simulate and reduce a set."""
    files = simulate(folder / "raw", Scene(**{**SIDE, **options}))
    return mdark(files.sof, output=folder / "out", overrides=settings)


def concerns(result) -> dict[str, str]:
    return {m.name: m.concern for m in result.reduced.judged.concerns}


# No false alarm


@pytest.mark.parametrize("options", ARMS)
@pytest.mark.parametrize("seed", range(200, 210))
def test_a_clean_set_is_good(tmp_path, options, seed):
    result = made(tmp_path, seed=seed, **options)
    assert concerns(result) == {}
    assert result.qa_flag == "GOOD"


@pytest.mark.parametrize("options", [{"glow": 60.0}, {"gradient": 40.0}, {"ron_spread": 0.1}])
def test_what_all_frames_share_is_no_reason(tmp_path, options):
    result = made(tmp_path, frames=7, seed=4, **options)
    assert concerns(result) == {}
    assert result.metrics["FRAME STRUCT"] < 0.3 * result.metrics["RAW RON"]


def test_a_bias_is_judged_too(tmp_path):
    files = simulate(tmp_path / "raw", Scene(arm="VIS", exptime=0.0, frames=7, **SIDE))
    result = mbias(
        files.sof,
        output=tmp_path / "o",
        overrides=["qc-acceptable-ranges={mdark-median: [0, 1], raw-ron: [3, 5]}"],
    )
    assert (result.qa_flag, concerns(result)) == ("GOOD", {})
    metric = result.reduced.judged["RAW RON"]
    assert (metric.acceptable, metric.warning) == ((3, 5), pytest.approx((2.85, 4.75)))


# The figures against the truth


def test_noise_of_the_master_is_that_of_the_truth(tmp_path):
    for number, options in enumerate(ARMS):
        result = made(tmp_path / str(number), seed=31, **CLEAN, **options)
        truth = read_truth(tmp_path / str(number) / "raw" / "truth.fits")
        frames = options["frames"]
        expected = np.median(truth.noise) / np.sqrt(frames)
        found = result.reduced.judged["MASTER RON"]
        assert found.value == pytest.approx(expected, abs=4 * found.error)
        assert found.error < 0.01 * found.value
        assert result.metrics["MASTER RON PRED"] == pytest.approx(expected, rel=0.01)


def add(files, values: np.ndarray, frames=slice(None)) -> None:
    """Add electrons to frames of the NIR arm."""
    for path in files.frames[frames]:
        with fits.open(path, mode="update", memmap=False) as hdus:
            hdus[0].data += np.rint(values / 2.3).astype(hdus[0].data.dtype)
            hdus[0].add_checksum()


def test_patterns_are_measured_each_by_its_metric(tmp_path):
    rng = np.random.default_rng(2)
    shape = (512, 512)
    patterns = {
        "FPN": 7 * rng.normal(size=shape),
        "COLSTRUCT": np.tile(7 * rng.normal(size=512), (512, 1)),
        "ROWSTRUCT": np.tile(7 * rng.normal(size=512), (512, 1)).T,
    }
    for name, pattern in patterns.items():
        files = simulate(tmp_path / name, Scene(shape=shape, seed=8, **CLEAN))
        add(files, pattern)
        result = mdark(files.sof, output=tmp_path / "out" / name)
        steps = np.rint(pattern / 2.3) * 2.3
        found = result.reduced.judged[name]
        assert found.value == pytest.approx(np.std(steps), abs=4 * found.error + 0.02)
        others = set(patterns) - {name, "FPN"}
        for other in others:
            assert result.metrics[other] < 0.5
        # every pattern is part of the spatial scatter, none of the noise
        assert result.metrics["FPN"] == pytest.approx(np.std(steps), rel=0.03)
        assert result.metrics["MASTER RON"] == pytest.approx(3.36, rel=0.01)
        assert result.qa_flag == "GOOD"


@pytest.mark.parametrize("arm", ["UVB", "XSH-NIR"])
def test_columns_are_those_of_the_product(tmp_path, arm):
    files = simulate(tmp_path / "n", Scene(arm=arm, shape=(300, 250), **CLEAN))
    column = np.rint(9 * np.random.default_rng(2).normal(size=250)).astype(int)
    for path in files.frames:
        with fits.open(path, mode="update", memmap=False) as hdus:
            turned = np.rot90(hdus[0].data, k={"UVB": 2, "XSH-NIR": 1}[arm])
            turned += column.astype(turned.dtype)
            hdus[0].add_checksum()
    result = mdark(files.sof, output=tmp_path / "o")
    gain = result.record["gain"]["value"]
    assert result.metrics["COLSTRUCT"] == pytest.approx(np.std(column) * gain, rel=0.1)
    assert result.metrics["ROWSTRUCT"] < 1


# One frame


def test_a_light_leak_names_its_frame(tmp_path):
    result = made(tmp_path, frames=5, light_leak=60.0, seed=3)
    assert result.qa_flag == "PARTIAL"
    said = concerns(result)["FRAME STRUCT"]
    assert "in NIR_dark_003.fits, at most 3.7" in said
    assert "0.5 x RAW RON" in said
    structure = [frame["structure"] for frame in result.record["frames"]]
    leak = light_leak(Scene(light_leak=60.0, **SIDE)).reshape(4, 64, 4, 64)
    # four fifths of it are beyond the mean of five frames
    expected = 0.8 * np.std(np.median(leak, axis=(1, 3)), ddof=1)
    assert max(structure) == structure[2] == pytest.approx(expected, rel=0.1)
    assert result.record["metrics"]["FRAME STRUCT"]["frame"] == "NIR_dark_003.fits"


def test_a_frame_with_five_times_the_cosmic_rays_is_named(tmp_path):
    scene = {"shape": (256, 256), "seed": 3, "cosmic_ray_rate": 4e-6}
    files = simulate(tmp_path / "a", Scene(**scene))
    scene["cosmic_ray_rate"] *= 5
    many = simulate(tmp_path / "b", Scene(**scene))
    shutil.copy(many.frames[3], files.frames[3])
    result = mdark(files.sof, output=tmp_path / "o")
    assert set(concerns(result)) == {"REJ FRAMEMAX"}
    assert "in NIR_dark_004.fits, at most 3 is expected" in concerns(result)["REJ FRAMEMAX"]
    assert result.metrics["REJ FRAMEMAX"] == pytest.approx(5, rel=0.2)


# Gain and read noise


@pytest.mark.parametrize(("key", "factor"), [("ESO_DET_OUT1_RON", 1.5), ("ESO_DET_OUT1_RON", 0.6)])
def test_a_wrong_ron_in_the_header_is_named(tmp_path, edit, key, factor):
    files = simulate(tmp_path / "n", Scene(hot_fraction=0.03, seed=6, **SIDE))
    for path in files.frames:
        edit(path, **{key: 7.3 * factor})
    result = mdark(files.sof, output=tmp_path / "o")
    said = concerns(result)
    assert set(said) == {"RAW RON"}
    assert (
        f"the RON of {7.3 * factor:.4g} e- (header ESO DET OUT1 RON) is likely wrong"
        in (said["RAW RON"])
    )
    assert "speaks for the gain" in said["RAW RON"]
    assert "0.75 to 1.25 x NOMINAL RON" in said["RAW RON"]


@pytest.mark.parametrize("factor", [0.6, 1.6])
def test_a_wrong_gain_is_named_and_the_right_one_told(tmp_path, factor):
    result = made(tmp_path, hot_fraction=0.03, header_gain=2.3 * factor, seed=6)
    said = concerns(result)
    assert set(said) == {"RAW RON", "GAIN SLOPE"}
    before, _, after = said["RAW RON"].partition("is likely wrong, ")
    assert f"the gain of {2.3 * factor:.4g} e-/ADU (header ESO DET OUT1 CONAD) " in before
    assert float(after.split()[0]) == pytest.approx(2.3, rel=0.1)


def test_ron_is_not_judged_where_the_gain_is_not_known(tmp_path, edit):
    files = simulate(tmp_path / "n", Scene(hot_fraction=0.03, **SIDE))
    for path in files.frames:
        edit(path, ESO_DET_OUT1_CONAD=None, ESO_DET_OUT1_GAIN=None, INSTRUME="OTHER")
    result = mdark(files.sof, output=tmp_path / "o")
    assert result.record["gain"]["source"] == "assumed"
    assert result.reduced.judged["RAW RON"].warning is None


def test_averaged_reads_have_the_noise_of_one_over_root_ndit(tmp_path):
    result = made(tmp_path, ndit=9, seed=6)
    assert concerns(result) == {}
    assert result.reduced.judged["RAW RON"].warning == pytest.approx(
        (0.75 * 7.3 / 3, 1.25 * 7.3 / 3)
    )


def test_frames_of_two_kinds_by_turns_are_told(tmp_path):
    files = simulate(tmp_path / "n", Scene(frames=10, dtype="float32", **CLEAN, **SIDE))
    pattern = np.random.default_rng(3).normal(0, 3, (256, 256))
    for number, path in enumerate(files.frames):
        with fits.open(path, mode="update", memmap=False) as hdus:
            hdus[0].data += ((-1) ** number * pattern / 2.3).astype("f4")
            hdus[0].add_checksum()
    result = mdark(files.sof, output=tmp_path / "o")
    said = concerns(result)["MASTER RON"]
    assert "0.9 to 1.1 x MASTER RON PRED" in said
    assert "not independent" in said
    # 7.3 e- of read noise and 3 of dark over root 10, and the pattern in full
    assert result.metrics["MASTER RON"] == pytest.approx(np.sqrt(56.3 / 10 + 9), rel=0.02)


# Ranges


@pytest.mark.parametrize("name", ["raw-ron", "RAW RON", "raw_ron", "Raw-Ron"])
def test_outside_an_acceptable_range_is_bad(night, tmp_path, name):
    (tmp_path / "s.yaml").write_text(
        f"soxs-mdark:\n    nir:\n        qc-acceptable-ranges:\n            {name}: [0, 5]\n"
    )
    result = mdark(night.sof, tmp_path / "s.yaml", output=tmp_path / "o")
    assert (result.qa_flag, result.qa_flag.exit_code) == ("BAD", 10)
    (said,) = concerns(result).values()
    assert said.startswith("RAW RON is 7.")
    assert "electron, 0 to 5 is acceptable (qc-acceptable-ranges, s.yaml:3 (nir))" in said
    # nothing is wrong with gain or read noise: nobody is sent to look there
    assert said.endswith(
        "agrees with the RON of 7.3 e- (header ESO DET OUT1 RON): look at the range"
    )
    with fits.open(result.master) as hdus:
        assert hdus[0].header["ESO PRO QA FLAG"] == "BAD"
    record = json.loads(result.record_file.read_text())
    assert record["qa-flag"] == "BAD"
    assert record["metrics"]["RAW RON"]["verdict"] == "BAD"
    assert record["metrics"]["RAW RON"]["acceptable-range"] == [0, 5]
    assert said in record["warnings"]
    assert said in (tmp_path / "o" / "darks.log").read_text()


def test_ranges_of_another_arm_do_not_count(night, tmp_path):
    (tmp_path / "s.yaml").write_text(
        "soxs-mdark:\n    vis:\n        qc-acceptable-ranges: {raw-ron: [0, 5]}\n"
    )
    assert mdark(night.sof, tmp_path / "s.yaml", output=tmp_path / "o").qa_flag == "GOOD"


@pytest.mark.parametrize("ends", ["[0, 30]", "[null, 30]", "[5, null]", "[null, null]"])
def test_inside_a_range_is_good(night, tmp_path, ends):
    settings = [f"qc-acceptable-ranges={{raw-ron: {ends}}}"]
    assert mdark(night.sof, output=tmp_path / "o", overrides=settings).qa_flag == "GOOD"


@pytest.mark.parametrize("name", ["cpath-temp", "dark-current", "rawron"])
def test_a_range_without_a_value_is_partial(night, tmp_path, name):
    settings = [f"qc-acceptable-ranges={{{name}: [0, 1]}}"]
    result = mdark(night.sof, output=tmp_path / "o", overrides=settings)
    assert result.qa_flag == "PARTIAL"
    shown = name.upper().replace("-", " ")
    assert concerns(result)[shown].startswith(f"{shown} has no value, 0 to 1 is acceptable")
    assert f"ESO QC {shown}" not in fits.getheader(result.master)


def test_levels_are_judged_only_without_pedestal(tmp_path):
    settings = ["qc-acceptable-ranges={mdark-median: [-15, 50], mdark-mean: [-15, 50]}"]
    held = made(tmp_path / "a", arm="VIS", settings=settings)
    assert held.metrics["MDARK MEDIAN"] > 900
    assert held.qa_flag == "GOOD"
    remarks = [r for r in held.record["remarks"] if "not judged" in r]
    assert len(remarks) == 2
    assert "give a master bias" in remarks[0]
    assert remarks[0] in (tmp_path / "a" / "out" / "darks.log").read_text()
    free = made(tmp_path / "b", settings=settings, pedestal=-10.0)
    assert free.qa_flag == "BAD"
    assert set(concerns(free)) == {"MDARK MEDIAN", "MDARK MEAN"}
    biases = simulate(tmp_path / "bias", Scene(arm="VIS", exptime=0.0, seed=9, **SIDE))
    bias = mbias(biases.sof, output=tmp_path / "bias").master
    biased = mdark(
        tmp_path / "a" / "raw" / "darks.sof",
        output=tmp_path / "c",
        master_bias=bias,
        overrides=settings,
    )
    assert biased.qa_flag == "GOOD"
    assert biased.reduced.judged["MDARK MEDIAN"].acceptable == (-15, 50)


def test_both_ranges_at_once_are_one_concern(night, tmp_path, edit):
    for path in night.frames:
        edit(path, ESO_DET_OUT1_RON=3.0)
    settings = ["qc-acceptable-ranges={raw-ron: [0, 5]}"]
    result = mdark(night.sof, output=tmp_path / "o", overrides=settings)
    assert result.qa_flag == "BAD"
    assert len(result.reduced.judged.concerns) == 1


@pytest.mark.parametrize(
    ("arm", "ranges", "flag"),
    [
        (None, {"hotpix-frac": [None, 1e-4]}, "PARTIAL"),
        (None, {"hotpix-frac": [1e-4, None]}, "GOOD"),
        (None, {}, "GOOD"),
        ({"hotpix-frac": [0.2, 0.3]}, {"hotpix-frac": [None, 0.5]}, "PARTIAL"),
        ({"hotpix-frac": None}, {"hotpix-frac": [0.2, 0.3]}, "GOOD"),
        (None, {"fpn": [5, None, "raw-ron"]}, "PARTIAL"),
        (None, {"fpn": [5, None, "nothing"]}, "GOOD"),
    ],
)
def test_ranges_of_a_profile_of_one_s_own(night, tmp_path, arm, ranges, flag):
    from soxsdark.instruments.listing import profile_text

    content = yaml.safe_load(profile_text(load_profile("soxs")))
    content |= {"qc-warning-ranges": ranges}
    if arm:
        content["arms"]["NIR"]["qc-warning-ranges"] = arm
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    result = mdark(night.sof, output=tmp_path / "o", instrument=str(tmp_path / "mine.yaml"))
    assert result.qa_flag == flag


def test_a_profile_without_ranges_has_those_of_the_generic_one(tmp_path):
    (tmp_path / "mine.yaml").write_text(MINIMAL)
    found = load_profile(tmp_path / "mine.yaml").warning_ranges(None)
    assert found == load_profile("generic").warning_ranges(None)
    assert found["raw-ron"] == (0.75, 1.25, "nominal-ron")


MINIMAL = """
name: mine
keywords: {exposure-time: [EXPTIME]}
dark-types: [DARK]
setup: [exposure time, shape]
"""


# What a failing set leaves


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
    assert set(names) <= {"FRAME STRUCT", "REJ FRAMEMAX", "MASTER RON", "NOISYPIX FRAC"}
    assert len(set(names)) == len(names)


# The previous master


@pytest.fixture(scope="module")
def two_nights(tmp_path_factory):
    """Two sets of one detector: 15 hot pixels came, 25 went, the level is 12 e- higher."""
    folder = tmp_path_factory.mktemp("nights")
    first = simulate(folder / "a", Scene(seed=11, drift=0.0, **CLEAN, **SIDE))
    # frames 6 to 10 of the same sky
    more = simulate(folder / "more", Scene(seed=11, drift=0.0, frames=10, **CLEAN, **SIDE))
    rng = np.random.default_rng(1)
    # few enough that nobody measures their shot noise, which they lack
    places = rng.choice(256 * 256, 75, replace=False)
    hot = np.zeros((2, 256 * 256))
    hot[0, places[:60]] = hot[1, places[:35]] = hot[1, places[60:]] = 500
    hot[1] += 12
    for files, frames, image in ((first, slice(0, 5), hot[0]), (more, slice(5, 10), hot[1])):
        add(files, image.reshape(256, 256), frames)
    old = mdark(first.sof, output=folder / "old")
    return folder, old, list(more.frames[5:])


def test_the_previous_master_is_compared(two_nights, tmp_path, capsys):
    folder, old, frames = two_nights
    result = mdark(frames, output=tmp_path / "o", previous=old.master)
    assert result.qa_flag == "GOOD"
    assert result.metrics["PREV HOT NEW"] == pytest.approx(15, abs=2)
    assert result.metrics["PREV HOT GONE"] == pytest.approx(25, abs=2)
    # all that moved, but for cosmic rays that nobody threw out
    assert result.metrics["PREV MOVED FRAC"] * 256**2 == pytest.approx(40, abs=3)
    level = np.rint(12 / 2.3) * 2.3
    assert result.metrics["PREV LEVEL DIFF"] == pytest.approx(level, abs=0.3)
    assert result.record["previous-master"]["path"] == old.master.absolute()
    assert fits.getheader(result.master)["ESO QC PREV HOT NEW"] == result.metrics["PREV HOT NEW"]
    arguments = ["mdark", *map(str, frames), "-o", str(tmp_path / "c"), "--previous"]
    assert main([*arguments, str(old.master)]) == 0
    assert "PREV LEVEL DIFF" in capsys.readouterr().out


def test_the_same_set_again_has_not_moved(two_nights, tmp_path):
    folder, old, _ = two_nights
    again = mdark(folder / "a" / "darks.sof", output=tmp_path / "o", previous=old.master)
    for name in ("PREV MOVED FRAC", "PREV HOT NEW", "PREV HOT GONE", "PREV LEVEL DIFF"):
        assert again.metrics[name] == 0


def test_a_range_on_the_previous_counts_only_if_there_is_one(two_nights, tmp_path):
    _, old, frames = two_nights
    settings = ["qc-acceptable-ranges={prev-hot-new: [0, 5]}"]
    without = mdark(frames, output=tmp_path / "a", overrides=settings)
    assert (without.qa_flag, "PREV HOT NEW" in without.metrics) == ("GOOD", False)
    assert without.record["previous-master"] is None
    given = mdark(frames, output=tmp_path / "b", overrides=settings, previous=old.master)
    assert given.qa_flag == "BAD"


def test_a_previous_master_may_be_replaced(night, tmp_path):
    first = mdark(night.sof, output=tmp_path)
    second = mdark(night.sof, output=tmp_path, previous=first.master, overwrite=True)
    assert second.metrics["PREV MOVED FRAC"] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"exptime": 10.0}, r"exposure time is 300 s, expected 10 s"),
        ({"shape": (96, 120)}, r"has 96x128"),
        ({"header_gain": 4.0}, r"another setup than .*gain 4 \(the dark: 2\.3\)"),
    ],
)
def test_a_previous_master_of_another_setup_is_refused(night, tmp_path, options, said):
    old = mdark(night.sof, output=tmp_path / "old").master
    files = simulate(tmp_path / "n", Scene(**{"shape": (96, 128), "seed": 7, **options}))
    with pytest.raises(InputError, match=said):
        mdark(files.sof, output=tmp_path / "o", previous=old)


def test_a_previous_master_that_is_none(night, tmp_path):
    result = mdark(night.sof, output=tmp_path / "old")
    with pytest.raises(InputError, match="BP_MAP_NIR', expected a master dark"):
        mdark(night.sof, output=tmp_path / "o", previous=result.mask)
    with pytest.raises(InputError, match="cannot be read as a master dark"):
        mdark(night.sof, output=tmp_path / "p", previous=tmp_path / "none.fits")


# The products as others read them


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Products of a BAD, long-named set with all calibrations."""
    folder = tmp_path_factory.mktemp("products")
    biases = simulate(folder / "b", Scene(arm="VIS", exptime=0.0, seed=9, **SIDE))
    bias = mbias(biases.sof, output=folder / "o")
    files = simulate(folder / "n", Scene(arm="VIS", **SIDE))
    sof = files.sof.rename(files.sof.with_name(f"{'long' * 15}.sof"))
    first = mdark(sof, output=folder / "first", master_bias=bias.master)
    result = mdark(
        sof,
        output=folder / "o",
        master_bias=bias.master,
        bad_pixel_map=first.mask,
        previous=first.master,
        overrides=["qc-acceptable-ranges={raw-ron: [0, 1]}"],
    )
    assert result.qa_flag == "BAD"
    return {"master": result.master, "mask": result.mask, "bias": bias.master}


@pytest.mark.parametrize("name", ["master", "mask", "bias"])
def test_fitsverify_finds_nothing(products, name):
    program = shutil.which("fitsverify")
    if program is None:
        pytest.skip("fitsverify is not installed")
    answer = subprocess.run([program, products[name]], capture_output=True, text=True, check=False)
    assert "found 0 warning(s) and 0 error(s)" in answer.stdout, answer.stdout


@pytest.mark.parametrize("name", ["master", "mask", "bias"])
def test_sums_verify_and_units_survive(products, name):
    with fits.open(products[name], checksum=True) as hdus:
        assert all(h.verify_checksum() == h.verify_datasum() == 1 for h in hdus)
        cards = [c for c in hdus[0].header.cards if c.keyword.startswith("ESO QC")]
    assert len(cards) > 15
    units = {c.keyword.removeprefix("ESO QC "): c.comment.partition("]")[0] for c in cards}
    for metric in ("RAW RON", "MASTER RON", "FPN", "FRAME STRUCT", "LEVEL DRIFT"):
        assert units[metric] == "[electron"


def test_soxspipe_can_use_master_and_mask(products):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from astropy import units
        from astropy.nddata import CCDData, bitfield_to_boolean_mask
    dark = CCDData.read(
        products["master"], hdu_uncertainty="ERRS", hdu_mask="QUAL", key_uncertainty_type="UTYPE"
    )
    assert dark.unit == units.electron
    assert dark.uncertainty.uncertainty_type == "std"
    assert dark.uncertainty.array.min() > 0
    assert (dark.header["ESO PRO CATG"], dark.header["ESO SEQ ARM"]) == ("MASTER_DARK_VIS", "VIS")
    bad = CCDData.read(products["mask"], hdu=0, unit=units.dimensionless_unscaled)
    mask = bitfield_to_boolean_mask(bad.data, ignore_flags=0, dtype=bool)
    np.testing.assert_array_equal(mask, dark.mask != 0)
    assert 0.001 < mask.mean() < 0.05
    science = CCDData(dark.data + 100, unit="electron", uncertainty=dark.uncertainty, mask=mask)
    left = science.subtract(dark)
    np.testing.assert_allclose(left.data[~left.mask.astype(bool)], 100, atol=1e-3)
    hot = fits.getdata(products["mask"]) & Flag.HOT != 0
    assert mask[hot].all()

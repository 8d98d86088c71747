"""Reading what is right: spellings, arms, overrides, layers, forms of a value."""

import subprocess
import sys

import pytest

from soxsdark.settings import MdarkSettings, Settings
from tests.interpreter import SOURCE
from tests.settings.files import SOXSPIPE, section, values


def test_soxspipe_file_works_as_it_is(write):
    read = Settings.read(write(SOXSPIPE))
    got = read.for_arm("NIR")
    assert got.values == MdarkSettings(
        stacked_clipping_sigma=3,
        stacked_clipping_iterations=5,
        frame_clipping_sigma=2.5,
        clipping_iteration_count=1,
        qc_acceptable_ranges={"mdark-median": (-15, 50), "raw-ron": (0, 30)},
    )
    assert got.origins["clipping-iteration-count"] == "settings.yaml:14"
    assert got.origins["gain"] == "default"
    assert [note.partition("settings.yaml:")[2] for note in read.notes[:2]] == [
        "3: instrument outside the section soxs-mdark is ignored",
        "4: data-extension outside the section soxs-mdark is ignored",
    ]


def test_misspelt_keys_of_soxspipe_are_understood(write):
    got = values(write(section("clipping-lower-simga: 2", "clipping-upper-simga: 4")))
    assert (got.frame_lower_sigma, got.frame_upper_sigma) == (2, 4)


@pytest.mark.parametrize("arm", ["vis", "VIS", "Vis"])
def test_arm_wins_over_section_and_override_over_both(write, arm):
    path = write(
        section("gain: 1", "ron: 2", "hot-pixel-sigma: 6", f"{arm}:", "    gain: 3", "    ron: 4")
    )
    got = Settings.read(path, ["ron=5"])
    vis, nir = got.for_arm("VIS"), got.for_arm("nir")
    assert (vis.values.gain, vis.values.ron, vis.values.hot_pixel_sigma) == (3, 5, 6)
    assert (nir.values.gain, nir.values.ron) == (1, 5)
    assert {key: vis.origins[key] for key in ("gain", "ron", "hot-pixel-sigma", "trim")} == {
        "gain": "settings.yaml:6 (vis)",
        "ron": "--set",
        "hot-pixel-sigma": "settings.yaml:4",
        "trim": "default",
    }


def test_unknown_arm_has_the_section_itself(write):
    path = write(section("gain: 2", "nir:", "    gain: 3"))
    assert values(path, "CCD1").gain == 2


@pytest.mark.parametrize("text", ["soxs-mdark:\n", "soxs-mdark: {}\n", "soxs_mdark:\n    nir:\n"])
def test_empty_section_is_fine(write, text):
    assert values(write(text), "nir") == MdarkSettings()


def test_file_without_our_section_says_so(write):
    read = Settings.read(write("soxs-mbias:\n    x: 1\n"))
    assert read.for_arm(None).values == MdarkSettings()
    assert "no section 'soxs-mdark'" in read.notes[0]


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("hot-pixel-rate: 1e-7", "hot_pixel_rate", 1e-7),
        ("hot_pixel_rate: .5", "hot_pixel_rate", 0.5),
        ("saturation: 65_535", "saturation", 65535.0),
        ("gain: 2.", "gain", 2.0),
        ("ron: 0", "ron", 0.0),
        ("stacked-clipping-iterations: 3.0", "stacked_clipping_iterations", 3),
        ("stacked-clipping-iterations: 0", "stacked_clipping_iterations", 0),
        ("clipping-iteration-count: 0", "clipping_iteration_count", 0),
        ("background-box: 0", "background_box", 0),
        ("maximum-nan-fraction: 0", "maximum_nan_fraction", 0.0),
        ("data-extension: 0", "data_extension", 0),
        ("data-extension: SCI", "data_extension", "SCI"),
        ("data-extension: '1'", "data_extension", "1"),
        ("data-extension: 12:00", "data_extension", "12:00"),
        ("data-extension: 2024-01-01", "data_extension", "2024-01-01"),
        ("data-extension: 010", "data_extension", "010"),
        ("data-extension: null", "data_extension", None),
        ("trim: no", "trim", False),
        ("noise-clipping-lower-sigma: ~", "noise_clipping_lower_sigma", None),
        ("qc-acceptable-ranges:", "qc_acceptable_ranges", {}),
        (
            "qc-acceptable-ranges: {Raw RON: [null, 3]}",
            "qc_acceptable_ranges",
            {"raw-ron": (None, 3)},
        ),
    ],
)
def test_value_means_what_it_says(write, line, name, value):
    got = getattr(values(write(section(line))), name)
    assert got == value
    assert type(got) is type(value)


def test_byte_order_mark_and_windows_lines(write):
    assert values(write(b"\xef\xbb\xbfsoxs-mdark:\r\n    gain: 2\r\n")).gain == 2


def test_later_layer_replaces_the_other_form(write):
    pair = section(
        "clipping-lower-sigma: 2", "clipping-upper-sigma: 4", "nir:", "    frame-clipping-sigma: 6"
    )
    path = write(pair)
    vis, nir = values(path, "vis"), values(path, "nir")
    assert (vis.frame_clipping_sigma, vis.frame_lower_sigma, vis.frame_upper_sigma) == (None, 2, 4)
    assert (nir.clipping_lower_sigma, nir.frame_lower_sigma, nir.frame_upper_sigma) == (None, 6, 6)
    one = values(path, "nir", ["clipping-lower-sigma=1", "clipping-upper-sigma=9"])
    assert (one.frame_lower_sigma, one.frame_upper_sigma) == (1, 9)
    side = Settings.read(
        write(section("clipping-lower-sigma: 2", "clipping-upper-sigma: 4")),
        ["clipping-upper-sigma=5"],
    )
    assert side.for_arm(None).values.frame_upper_sigma == 5
    assert side.for_arm(None).origins["clipping-lower-sigma"] == "settings.yaml:2"


def test_ranges_of_an_arm_are_added_to_those_of_the_section(write):
    path = write(
        section(
            "qc-acceptable-ranges: {raw-ron: [0, 30], fpn: [0, 3]}",
            "nir:",
            "    qc-acceptable-ranges: {raw_ron: [5, 9]}",
            "vis:",
            "    qc-acceptable-ranges:",
        )
    )
    both = Settings.read(path).for_arm("nir")
    assert both.values.qc_acceptable_ranges == {"raw-ron": (5, 9), "fpn": (0, 3)}
    assert both.origins["qc-acceptable-ranges"] == "settings.yaml:2, settings.yaml:4 (nir)"
    assert values(path, "vis").qc_acceptable_ranges == {"raw-ron": (0, 30), "fpn": (0, 3)}


def test_overrides_need_no_file():
    got = values(None, None, ["gain=2.5", "frame_clipping_iterations=0", "hot-pixel-rate=null"])
    assert (got.gain, got.clipping_iteration_count, got.hot_pixel_rate) == (2.5, 0, None)


@pytest.mark.parametrize("path", ["a: #b.yaml", 'it"s.yaml', "\N{CAMERA}.yaml", "null", "01"])
def test_instrument_is_taken_as_it_is(path):
    assert Settings.read(None, (), path).for_arm(None).values.instrument == path


def test_reading_settings_imports_no_numerics():
    code = (
        "import sys; from soxsdark.settings import Settings; Settings.read(); "
        "print([name for name in ('numpy', 'astropy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=SOURCE, check=True
    )
    assert done.stdout.strip() == "[]"

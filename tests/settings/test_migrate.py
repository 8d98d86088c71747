"""soxsdark settings migrate: names are changed, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soxsdark.errors import ProductError, SettingsError
from soxsdark.settings import Settings
from soxsdark.settings_check import check_settings
from soxsdark.settings_layers import ARMS
from soxsdark.settings_migrate import migrated, replace_file
from tests.settings.files import section
from tests.settings.generated import QUIET

OLD = """\
# by hand, 2021
version: 1
save-intermediate-products: False

soxs_mdark:
    # below the median
    clipping-lower-simga:  3   # as always
    clipping_upper_simga: 4.50
    clipping-iteration-count: 5

    stacked_clipping_sigma: 1e1
    qc_acceptable_ranges:
        mdark_median: [-15,50]
    nir:
          # warm
          frame_clipping_sigma: 2
          frame-clipping-iterations: 1

soxs-mflat:
    order_deg: [5,4] \x20
"""
NEW = """\
# by hand, 2021
version: 1
save-intermediate-products: False

soxs-mdark:
    # below the median
    clipping-lower-sigma:  3   # as always
    clipping-upper-sigma: 4.50
    clipping-iteration-count: 5

    stacked-clipping-sigma: 1e1
    qc-acceptable-ranges:
        mdark-median: [-15,50]
    nir:
          # warm
          frame-clipping-sigma: 2
          clipping-iteration-count: 1

soxs-mflat:
    order_deg: [5,4] \x20
"""


def test_migrate_changes_the_names_and_nothing_else(command, write):
    path = write(OLD)
    path.chmod(0o640)
    before = Settings.read(path)
    code, out, _ = command("settings", "migrate", path)
    assert code == 0
    assert path.read_text() == NEW
    assert path.with_name("settings.yaml.bak").read_text() == OLD
    assert path.stat().st_mode & 0o777 == 0o640
    assert f"{path}:7: clipping-lower-simga is now clipping-lower-sigma" in out
    for arm in (None, *ARMS):
        assert Settings.read(path).for_arm(arm).values == before.for_arm(arm).values
    assert command("settings", "check", path)[0] == 0
    assert command("settings", "migrate", path)[1] == f"{path}: nothing to change\n"
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, f"{path.name}.bak"]


def test_dry_run_prints_a_diff_and_writes_nothing(command, write):
    path = write(OLD)
    code, out, _ = command("settings", "migrate", path, "--dry-run")
    assert code == 0
    assert out.startswith(f"--- {path}\n+++ {path} (new)\n@@ ")
    assert "\n-    clipping_upper_simga: 4.50\n" in out
    assert "\n+    clipping-upper-sigma: 4.50\n" in out
    assert path.read_text() == OLD
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_backup_is_never_overwritten(write):
    path = write(OLD)
    for number in range(3):
        path.write_text(f"{OLD}# {number}\n")
        replace_file(path, migrated(path).text)
    for number, end in enumerate(("", ".1", ".2")):
        assert path.with_name(f"settings.yaml.bak{end}").read_text() == f"{OLD}# {number}\n"


def test_file_with_both_generations_of_keys(write):
    path = write(
        section(
            "frame-clipping-sigma: 3 ",
            "frame-clipping-iterations: 1",
            "clipping-lower-sigma: 2  # low",
            "clipping-upper-sigma: 2",
            "clipping-iteration-count: 5",
            "gain: 2",
            "gain: 2",
        )
    )
    assert migrated(path).text == section(
        "frame-clipping-sigma: 3 ",
        "clipping-iteration-count: 1",
        "# clipping-lower-sigma: 2  # low",
        "# clipping-upper-sigma: 2",
        "# clipping-iteration-count: 5",
        "gain: 2",
        "# gain: 2",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (section("stacked_clipping_sigma: 3", "colour: red"), ":3: colour: unknown key"),
        (section("stacked_clipping_sigma: -3"), ":2: stacked-clipping-sigma: found -3"),
        (
            "soxs-mdark: {frame-clipping-sigma: 3, clipping_lower_sigma: 2}\n",
            ":1: clipping_lower_sigma: frame-clipping-sigma is there, take it out by hand",
        ),
        ("soxs-mdark: [\n", "not valid YAML"),
        ("soxs-mflat:\n    clipping_upper_sigma: 2\n", "has no section 'soxs-mdark'"),
    ],
)
def test_what_cannot_be_brought_in_order_is_left_alone(command, write, text, message):
    path = write(text)
    code, out, err = command("settings", "migrate", path)
    assert (code, out) == (3, "")
    assert message in err
    assert path.read_text() == text
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_byte_order_mark_line_ends_and_links_stay(tmp_path):
    file, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    file.write_bytes(b"\xef\xbb\xbfsoxs_mdark:\r\n    gain: 2\r\n")
    link.symlink_to(file)
    backup = replace_file(link, migrated(link).text)
    assert link.is_symlink()
    assert file.read_bytes() == b"\xef\xbb\xbfsoxs-mdark:\r\n    gain: 2\r\n"
    assert backup == tmp_path / "real.yaml.bak"


def test_folder_that_cannot_be_written(write):
    path = write(OLD)
    new = migrated(path).text
    path.with_name("settings.yaml.bak").mkdir()
    path.with_name("settings.yaml.bak.1").symlink_to("nowhere")
    assert replace_file(path, new).name == "settings.yaml.bak.2"
    with pytest.raises(ProductError, match="none.yaml: cannot be written: No such file"):
        replace_file(path.parent / "none.yaml", new)


OLD_KEYS = st.sampled_from(
    ["frame_clipping_sigma", "frame-clipping-iterations", "clipping-iteration-count"]
    + ["clipping-lower-simga", "clipping_upper_sigma", "clipping-lower-sigma", "gain", "colour"]
)
LINES = st.lists(st.tuples(OLD_KEYS, st.sampled_from(["3", "1 # one", "2.", "[1,", "null"])))


@QUIET
@given(base=LINES, arm=LINES)
def test_a_migration_passes_the_check_or_changes_nothing(write, base, arm):
    text = "soxs_mdark: # ours\n" + "".join(f"    {key}:  {value}\n" for key, value in base)
    text += "    nir:\n" * bool(arm) + "".join(f"      {key}: {value}\n" for key, value in arm)
    path = write(text)
    try:
        made = migrated(path)
    except SettingsError:
        return
    path.write_text(made.text)
    assert check_settings(path).faults == ()
    assert migrated(path).edits == []
    assert len(made.text.splitlines()) == len(text.splitlines())

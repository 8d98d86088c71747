"""The rules of the house: who imports whom, who touches FITS and the terminal, how long things are.

LAYERS is the one list of all modules, lowest first. A module imports modules of its own layer and
of those below, and never in a circle. A new module gets its line here.

Files of tests are as short as those of the package: a subject that needs more than one has a
folder, with its fixtures in conftest.py and its other helpers in a module beside it.
"""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "soxsdark"

LAYERS = {
    "words": "errors version lasting chatter"
    " text kinds names clock nights metric_names logging_settings"
    " settings_text standard_streams termination report report.words",
    "files": "regular_file spool held_folder publish lock runlog yaml_nodes file_set pages",
    "arithmetic": "compiled parallel memory chi_square grid orientation sampling amplifiers"
    " baseline electrons level medians differences frame_noise slope noise_model detector_noise"
    " stacking noise_map block stack_input utilities flags metrics verdicts",
    "FITS": "fits_file fits_bytes fits_writer header_axes headers frame_layout product frame",
    "settings": "stage settings_types settings_layers settings_model settings settings_schema"
    " settings_table instruments instruments.detector instruments.window instruments.listing",
    "records": "record record_model record_file record_check",
    "sets": "observing_block sof frame_header gains description exposures setups one_setup"
    " master_file frame_source calibration dark_match previous find_frames find_sets hashes"
    " settings_frame settings_advice settings_check settings_migrate",
    "simulation": "simulated_arms scene cosmic_rays sky simulated_headers simulated_profile"
    " simulated_truth simulator",
    "reduction": "frame_checks channel survey saturation temperature region cross_check inputs"
    " combine quality reduction flags_explained explain explain_text subtraction",
    "pages": "trend_history trend_database"
    " report.style report.facts report.digest report.images report.charts report.maps"
    " report.trends report.page report.output report.finished explain_chart",
    "recipes": "report_record product_facts run_story logged_run recipe subtract_report subtract"
    " record_rerun set_report",
    "many runs": "set_state reduce_sets workers cluster trend"
    " trend_page night_files night_told night"
    " tune_sweep tune_file tune_frames tune_workbench tune_measures tuned tune_text tune_curves"
    " tune_charts tune_page tune tune_apply",
    "terminal": "screen record_text commands commands.common commands.completion"
    " commands.instruments commands.night commands.offers commands.recipes commands.record"
    " commands.report commands.settings commands.simulate commands.sof commands.subtract"
    " commands.trend commands.tune cli",
}
HEIGHT = {name: height for height, names in enumerate(LAYERS.values()) for name in names.split()}
OUTSIDE = {"", "__main__"}
"""The package itself, which offers names of every layer, and the way in."""

FITS = {"fits_file", "simulator", "simulated_truth"}
"""Those that open FITS files, or have them written; others hold headers at the most."""
SLOW = ("matplotlib", "scipy", "ccdproc", "dask", "distributed", "jinja2", "fundamentals", "tqdm")
SLOW += ("tabulate",)
SLOW_PARTS = ("astropy.nddata", "astropy.stats", "astropy.units")

MOST_LINES, MOST_OF_FUNCTION = 400, 60


def modules() -> dict[str, ast.Module]:
    """Every module of the package by its name below it."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = ast.parse(path.read_text("utf-8"))
    return found


def imported(node: ast.AST, at_once: bool = False) -> Iterator[str]:
    """Full names of what is imported; `at_once`: with the module, not within a function."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.If) and ast.unparse(inner.test) == "TYPE_CHECKING":
            continue
        if at_once and isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(inner, ast.Import):
            yield from (alias.name for alias in inner.names)
        elif isinstance(inner, ast.ImportFrom):
            yield from (f"{inner.module}.{alias.name}" for alias in inner.names)
        else:
            yield from imported(inner, at_once)


MODULES = modules()


def own(name: str) -> set[str]:
    """Modules of the package that a module imports."""
    found = set()
    for full in imported(MODULES[name]):
        below = full.removeprefix("soxsdark.")
        if below == full:
            continue
        while below and below not in MODULES:
            below = below.rpartition(".")[0]
        found.add(below)
    return found - {name}


def test_every_module_has_its_layer():
    listed = [name for names in LAYERS.values() for name in names.split()]
    assert sorted(listed) == sorted(set(MODULES) - OUTSIDE)


@pytest.mark.parametrize("name", sorted(set(MODULES) - OUTSIDE))
def test_imports_go_downward(name):
    upward = {other for other in own(name) if HEIGHT[other] > HEIGHT[name]}
    assert not upward


def test_no_imports_in_a_circle():
    TopologicalSorter({name: own(name) for name in MODULES}).prepare()


def test_modules_are_imported_by_their_full_names():
    nodes = ((name, node) for name, tree in MODULES.items() for node in ast.walk(tree))
    assert [n for n, node in nodes if isinstance(node, ast.ImportFrom) and node.level] == []


@pytest.mark.parametrize("name", sorted(MODULES))
def test_what_is_slow_to_import_waits(name):
    slow = [
        m
        for m in imported(MODULES[name], at_once=True)
        if m.partition(".")[0] in SLOW or m.startswith(SLOW_PARTS)
    ]
    assert slow == []


def test_few_open_and_write_fits():
    text = {name: ast.unparse(tree) for name, tree in MODULES.items()}
    calls = r"fits\.(open|getheader|getdata|writeto|Header\.fromfile)\(|\.writeto\("
    assert {name for name in text if re.search(calls, text[name])} == FITS


def test_only_the_terminal_layer_touches_the_terminal():
    allowed = {*LAYERS["terminal"].split(), *OUTSIDE}
    for name in set(MODULES) - allowed:
        roots = {full.partition(".")[0] for full in imported(MODULES[name])}
        assert not roots & {"click", "tqdm"}, name
        text = ast.unparse(MODULES[name])
        assert not re.search(r"\bprint\(|\binput\(|sys\.(stdout|stderr|stdin|argv)", text), name


def sources(*folders: str) -> list[Path]:
    """Python and C below folders of the project."""
    patterns = ("*.py", "*.[ch]")
    return sorted(path for f in folders for p in patterns for path in (ROOT / f).rglob(p))


def below_root(path: Path) -> str:
    return str(path.relative_to(ROOT))


PROGRAM = ("soxsdark", "bench", "docs")


@pytest.mark.parametrize("path", sources(*PROGRAM, "tests"), ids=below_root)
def test_files_are_short(path):
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines of every function of a file."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name, node.end_lineno - node.lineno + 1
        return
    # in C a function begins and ends with a brace in the first column
    for found in re.finditer(r"^[^\s#/}][^;{}]*\n\{\n.*?^\}", text, re.MULTILINE | re.DOTALL):
        yield found[0].partition("(")[0].split()[-1], found[0].count("\n") + 1


@pytest.mark.parametrize("path", sources(*PROGRAM), ids=below_root)
def test_functions_are_short(path):
    assert [f for f in functions(path) if f[1] > MOST_OF_FUNCTION] == []

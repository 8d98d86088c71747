"""How Sphinx builds the handbook: `make docs`."""

from pathlib import Path
from runpy import run_path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

ROOT = Path(__file__).parent.parent

project = "soxsdark"
author = "The soxsdark developers"
copyright = "The soxsdark developers, GPL-3.0-or-later"
version = release = run_path(str(ROOT / "soxsdark" / "version.py"))["__version__"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

# names of other libraries are not looked up: the handbook is built without a network
nitpicky = True
default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
autosummary_generate = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_title = f"soxsdark {release}"
html_static_path = ["_static"]
html_css_files = ["handbook.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "monokai"


def _visit_formula(writer, node: nodes.math) -> None:
    """Write a formula as MathML, which browsers draw without a script."""
    markup = tex2mathml(node.astext(), as_block=isinstance(node, nodes.math_block))
    block = isinstance(node, nodes.math_block)
    writer.body.append(f'<div class="formula">{markup}</div>' if block else markup)
    raise nodes.SkipNode


def setup(app) -> None:
    """Register the drawing of formulas."""
    renderers = (_visit_formula, None)
    app.add_html_math_renderer("mathml", renderers, renderers)


html_math_renderer = "mathml"

"""Pages made from the templates of the program."""

from typing import Any


def render(template: str, **values: Any) -> bytes:
    """Return a page made from a template of the program; what is put into it is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        autoescape=True, loader=PackageLoader("soxsdark"), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    # the names of files that are not UTF-8 are lone surrogates
    return pages.get_template(template).render(values).encode("utf-8", "backslashreplace")

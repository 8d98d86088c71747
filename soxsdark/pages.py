"""Pages made from the templates of the program."""

from typing import Any


def render(template: str, **values: Any) -> bytes:
    """Return a page made from a template of the program."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("soxsdark"), autoescape=True, undefined=StrictUndefined
    )
    # the names of files that are not UTF-8 are lone surrogates
    return pages.get_template(template).render(values).encode("utf-8", "backslashreplace")

"""A page read back, and a record changed by hand."""

import json
from html.parser import HTMLParser
from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n"


class Found(HTMLParser):
    """Elements with their attributes, and all text, of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def change(record: Path, **values) -> None:
    content = json.loads(record.read_text())
    content.update(values)
    record.write_text(json.dumps(content))

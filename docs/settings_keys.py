"""Write the table of keys into settings.md: python docs/settings_keys.py."""

from pathlib import Path

from soxsdark.settings import Settings
from soxsdark.settings_table import keys_table, rows

PAGE = Path(__file__).with_name("settings.md")
HEADING = "## Every key\n\n"


def page() -> str:
    """Return the page with the table as the model has it."""
    text = PAGE.read_text(encoding="utf-8").partition(HEADING)[0]
    return text + HEADING + keys_table(rows(Settings.read().for_arm(None)))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

"""Pictures of a run and the page that shows them; what draws is imported when it is asked for."""

PICTURES = ("master", "mask", "noise", "histogram", "frames", "profiles")
"""The pictures by name; a master bias has no noise map."""


def page_file(run: str) -> str:
    """File name of the page of a run."""
    return f"{run}.html"


def picture_file(run: str, picture: str) -> str:
    """File name of a picture of a run."""
    return f"{run}_{picture}.png"


def picture_files(run: str) -> tuple[str, ...]:
    """All names that the pictures of a run may take."""
    return tuple(picture_file(run, picture) for picture in PICTURES)

"""The two kinds of sets that are reduced: darks and biases."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from soxsdark.instruments import Profile

BIAS_TYPES = ("*BIAS*", "*ZERO*")


@dataclass(frozen=True)
class Kind:
    """A kind of raw frame, and what its product is called."""

    name: Literal["dark", "bias"]
    """As in "a dark frame"."""

    @property
    def recipe(self) -> str:
        """Name of the recipe and its command."""
        return f"m{self.name}"

    @property
    def product(self) -> str:
        """Last part of the product's file name, first word of its metrics."""
        return self.recipe.upper()

    @property
    def tag(self) -> str:
        """Tag of the raw frames, without the arm."""
        return self.name.upper()

    @property
    def category(self) -> str:
        """Category of the product, without the arm."""
        return f"MASTER_{self.tag}"

    def image_types(self, profile: "Profile", exposure_time: float | None) -> tuple[str, ...]:
        """Patterns (``*`` is anything) of the image types that are of this kind, upper case.

        A dark without exposure is a bias.
        """
        if self is DARK:
            return profile.dark_types
        return (*BIAS_TYPES, *profile.dark_types) if exposure_time == 0 else BIAS_TYPES


DARK = Kind("dark")
BIAS = Kind("bias")

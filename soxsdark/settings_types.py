"""What a setting can be: numbers within bounds, texts, ranges."""

import math
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a number")
    if isinstance(value, int) and value.bit_length() > 1000 or not math.isfinite(value):
        raise ValueError("not a finite number")
    return float(value)


def _whole(value: Any) -> int:
    number = _number(value)
    if not number.is_integer():
        raise ValueError("not a whole number")
    return int(value)


def ordered(limits: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a range, (low, high) or more; ValueError if low is above high, None being open."""
    low, high = limits[:2]
    if low is not None and high is not None and low > high:
        raise ValueError("low above high")
    return limits


def _printable(text: str) -> str:
    if not (text.strip() and text.isprintable()):
        raise ValueError("not printable")
    return text


def _box(pixels: int) -> int:
    if 0 < pixels < 8:
        raise ValueError("too small")
    return pixels


NUMBER = BeforeValidator(_number)
WHOLE = BeforeValidator(_whole)
Number = Annotated[float, NUMBER]
Positive = Annotated[float, Field(gt=0), NUMBER]
Gain = Annotated[float, Field(ge=1e-6, le=1e6), NUMBER]
NotNegative = Annotated[float, Field(ge=0), NUMBER]
Fraction = Annotated[float, Field(ge=0, le=1), NUMBER]
Text = Annotated[str, AfterValidator(_printable), Field(json_schema_extra={"pattern": r"[^\s]"})]
Iterations = Annotated[int, Field(ge=0, le=1000), WHOLE]
Extension = Annotated[int, Field(ge=0, le=10000), WHOLE]
Box = Annotated[int, Field(ge=0, le=65536), AfterValidator(_box), WHOLE]
Range = Annotated[tuple[Number | None, Number | None], AfterValidator(ordered)]
Ranges = Annotated[dict[Text, Range], BeforeValidator(lambda value: {} if value is None else value)]

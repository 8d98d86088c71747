"""Text from headers and file names, made harmless for terminals and logs."""


def printable(text: str) -> str:
    """`text` with control and other unprintable characters written as escapes; line ends stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def shown(value: float | int | None, unit: str) -> str:
    """A figure of quality as text; "-" if there is none."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if unit == "electron" else f"{value:.5g}"

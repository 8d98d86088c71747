"""How long the stages of a run take."""

from time import perf_counter


class Clock:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self._last = perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """A stage has ended."""
        now = perf_counter()
        self.seconds[stage] = round(now - self._last, 4)
        self._last = now

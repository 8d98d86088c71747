"""SIGTERM, as an exception and as a memory of it."""

from types import FrameType

from soxsdark.errors import ExitCode


class Termination:
    """SIGTERM as an exception, and as a memory of it.

    Python drops an exception that is raised in a callback of the interpreter's own (a weak
    reference that goes, say); so long runs ask at every step whether one was.
    """

    def __init__(self) -> None:
        self.requested = False

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        self.requested = True
        self.check()

    def check(self) -> None:
        """Stop the program if it was told to."""
        if self.requested:
            raise SystemExit(ExitCode.TERMINATED)

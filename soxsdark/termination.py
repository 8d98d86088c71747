"""SIGTERM, as an exception and as a memory of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from soxsdark.errors import ExitCode


@contextmanager
def unwrapped() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM out as they were raised.

    Before 3.12 Python makes a RuntimeError of what is raised while it names the parts of a class,
    as it does in every import.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__cause__, KeyboardInterrupt | SystemExit):
            raise error.__cause__ from None
        raise


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

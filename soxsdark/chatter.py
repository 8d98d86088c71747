"""What libraries say that is of no concern to who runs the program."""

import logging


def hush() -> None:
    """Keep what matplotlib says of its own caches off the screen; cron would mail it every night.

    It says so where there is no home, or one that cannot be written.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)

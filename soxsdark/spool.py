"""An unlinked temporary file that is closed when its owner goes."""

import os
import tempfile
import weakref
from typing import IO


class Spool:
    """Bytes on disk without a name; the space is free again when the object is collected."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as file:
            self.descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self.descriptor)

    @property
    def size(self) -> int:
        """Bytes in it."""
        return os.fstat(self.descriptor).st_size

    def writer(self) -> IO[bytes]:
        """A handle to write at the begin; close it before reading."""
        file = os.fdopen(os.dup(self.descriptor), "wb")
        file.seek(0)
        return file

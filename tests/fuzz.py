"""Fuzzing guided by coverage: ``python -m tests.fuzz TARGET [FOLDER ...] [OPTIONS of libFuzzer]``.

Needs atheris. The small corpus in ``tests/corpus`` is where it begins, and is replayed by the
tests; what it finds beyond goes to the first FOLDER, a crash to the current one.
"""

import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["soxsdark", "yaml", "astropy.io.fits"]):
    from tests.fuzz_targets import run

LIMITS = ("-timeout=10", "-rss_limit_mb=1500")
CORPUS = Path(__file__).with_name("corpus")

if __name__ == "__main__":
    name, *more = sys.argv[1:]
    warnings.simplefilter("ignore")
    atheris.Setup(
        [sys.argv[0], *more, str(CORPUS / name), *LIMITS], lambda data: run(name, data) and None
    )
    atheris.Fuzz()

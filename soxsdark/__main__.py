"""``python -m soxsdark``."""

from soxsdark.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

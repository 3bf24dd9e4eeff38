"""`python -m seal_core`: see `seal_core.cli`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

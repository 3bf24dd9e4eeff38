"""`python -m seal_core.world`: see `seal_core.world.cli`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

"""`python -m seal_core.world`: see `seal_core.world.commands`."""

import sys

from .commands import main

if __name__ == "__main__":
    sys.exit(main())

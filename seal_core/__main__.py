"""`python -m seal_core`: see `seal_core.cli.main`."""

import sys


def main() -> int:
    """The command line. Ctrl-C ends it quietly even while it is still being imported."""
    try:
        from .cli.main import main as run

        return run()
    except KeyboardInterrupt:
        print("\nstopped; nothing was begun.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

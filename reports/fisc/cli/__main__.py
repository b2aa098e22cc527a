"""Run with ``python -m fisc.cli``."""

from fisc.cli import main

if __name__ == "__main__":
    main()

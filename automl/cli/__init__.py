"""Commands without logic. They import their rooms when they run, so that `automl --help` starts quickly."""

import sys

from automl.importing import libraries_first


def main() -> None:
    """Run the command line (see `automl.cli.commands`), with libraries first on Python's path."""
    libraries_first(sys.argv[1:])
    from automl.cli import commands  # not before libraries come first

    commands.main()

"""`python -m automl.cli` is `automl`."""

from automl.cli import main

main()

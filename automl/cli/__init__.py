"""Commands without logic. They import their rooms when they run, so that `automl --help` starts quickly."""

from automl.cli.main import app, main

__all__ = ["app", "main"]

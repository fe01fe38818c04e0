"""Commands; no logic. What a command needs is imported when it runs, so that `automl --help` is quick."""

from automl.cli.main import app, main

__all__ = ["app", "main"]

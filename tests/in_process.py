"""The program in the tests' own process: starting another costs seconds."""

from __future__ import annotations

import sys

import pytest


def automl(patch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the program with these words; its exit code."""
    from automl.cli import main

    patch.setattr(sys, "argv", ["automl", *words])
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0

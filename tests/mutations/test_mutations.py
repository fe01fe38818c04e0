"""Mutated study files and data end with 0, 1 or 2, without a traceback, soon and in little memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mutated_checks import try_all
from patience import PATIENCE


def test_a_few() -> None:
    found = try_all(20, 9)
    assert {what: tally.wrong for what, tally in found.items()} == {"study files": 0, "data": 0}


@pytest.mark.slow
def test_hundreds() -> None:
    script = Path(__file__).with_name("mutated_checks.py")
    done = subprocess.run(
        [sys.executable, script, "300", "60"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=os.environ,
    )
    assert done.stdout.count("not as promised: 0") == 2, done.stdout + done.stderr[-5000:]
    memory = re.search(r"most memory: ([\d.]+) GiB", done.stdout)
    assert memory is not None and float(memory[1]) < 2

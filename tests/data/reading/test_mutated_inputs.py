"""Damaged images and arrays give a dataset or a refusal: no other error, no long wait, no full memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import mutations
import pytest
from patience import PATIENCE

GIB_IN_KIB = 1 << 20


@pytest.mark.parametrize("seed", range(2000, 2020))
def test_a_damaged_input_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    dataset = mutations.mutated(tmp_path, seed)
    start = time.process_time()
    assert mutations.outcome(dataset, seed)
    assert time.process_time() - start < 10


@pytest.mark.slow
def test_hundreds_of_damaged_inputs_are_read_or_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", mutations.__file__, str(tmp_path), "400"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    *outcomes, memory = map(json.loads, done.stdout.splitlines())
    assert len(outcomes) == 400
    assert [one for one in outcomes if one[2].startswith("raised") or one[1] > 10] == []
    read = sum(text == "read" for *_, text in outcomes)
    assert 40 < read < 360, "most are neither sound nor hopeless"
    assert memory < 2 * GIB_IN_KIB

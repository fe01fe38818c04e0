"""The worker of a Tune run: a silent trial leaves signs of what it has used."""

from __future__ import annotations

import time
from pathlib import Path

from patience import PATIENCE
from queue_source import job

from automl.executors.tune.actor import Conversation
from automl.signs import last_signs


def test_a_silent_trial_leaves_signs(tmp_path: Path) -> None:
    silent = job("sleeps", tmp_path)
    conversation = Conversation(silent)
    began = time.monotonic()
    assert "elapsed" in conversation.next()
    while not (signs := last_signs(Path(silent.workdir), silent.token)):
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.01)
    assert 0 < signs[silent.token] < time.monotonic() - began

"""A Ray of our own can be reached from this machine only."""

from __future__ import annotations

import os
import sys

import pytest
from sockets import LOOPBACK, below, listening

from automl import plugins

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


@pytest.mark.slow
def test_everything_listens_on_loopback() -> None:
    plugin = plugins.load("executors", "ray")
    executor = plugin(plugin.Options())
    executor.check()
    try:
        found = listening(below(os.getpid()))
    finally:
        executor.close()
    assert found and found <= LOOPBACK

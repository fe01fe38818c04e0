"""Simulated searches of the shipped strategies, also in another process; shared by the strategies' tests."""

from __future__ import annotations

import json
import sys

from automl import plugins
from automl.checking.searches import (
    LOSS,
    SIZE,
    SPACE,
    STEPS,
    Rows,
    advance,
    close,
    ended,
    loss,
    plan,
    trial_row,
)
from automl.checking.strategies import earlier
from automl.contracts import Config, PluginSpec
from automl.strategies.searcher import Searcher

History = Rows

__all__ = [
    "LOSS",
    "SIZE",
    "SPACE",
    "STEPS",
    "History",
    "advance",
    "close",
    "ended",
    "loss",
    "plan",
    "proposals",
    "spec",
    "trial_row",
]


def spec(name: str) -> PluginSpec:
    """A strategy or pruner with its example options."""
    kind = "strategies" if name in plugins.names("strategies") else "pruners"
    return PluginSpec(name, dict(plugins.load(kind, name).example_options))


def proposals(strategy: str, seed: int, trials: int = 8, *, remembering: bool = False) -> list[Config | None]:
    """The first proposals of a sequential search."""
    searcher = Searcher.build(SPACE, spec(strategy), PluginSpec("none"), [LOSS], seed)
    if remembering:
        searcher.with_memory(earlier()).with_default()
    history = History()
    events = [(event, number) for number in range(trials) for event in ("ask", "report", "tell")]
    advance(searcher, history, events)
    return [answer[2] for answer in history.answers if answer[0] == "ask"]


if __name__ == "__main__":  # another process, for the test that the seed alone decides
    with_memory, *names = sys.argv[1:]
    found = {name: proposals(name, 3, remembering=with_memory == "remembering") for name in names}
    sys.stdout.write(json.dumps(found))

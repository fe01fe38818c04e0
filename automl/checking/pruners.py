"""Checks of pruners: decisions depend on the reports alone, and survive a killed driver."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

from automl.checking.frame import Check
from automl.checking.options import check_options
from automl.checking.searches import LOSS, SPACE, check_restored
from automl.contracts import PluginSpec, Pruner
from automl.plugins import build
from automl.strategies.searcher import Searcher

TRIALS = 30  # of a simulated search
STEPS = (1, 2, 9, 100)  # of a trial


def checks(plugin: object) -> Iterator[Check]:
    """The checks of a pruner."""
    yield Check("it is a class that extends Pruner", partial(_check_class, plugin))
    if not (isinstance(plugin, type) and issubclass(plugin, Pruner)):
        return
    yield Check("options are described, frozen, and unknown ones refused", partial(check_options, plugin))
    yield Check("a restored search prunes as the uninterrupted one", partial(_check_restore, plugin))
    yield Check("rungs are rising steps of the trial", partial(_check_rungs, plugin))


def _check_class(plugin: object) -> None:
    assert isinstance(plugin, type) and issubclass(plugin, Pruner), (
        f"PLUGIN of a pruner must be a class that extends automl.contracts.Pruner, but is {plugin!r}; "
        "extend it"
    )


def _made(plugin: type[Pruner]) -> Pruner:
    return plugin(plugin.Options(**plugin.example_options))


def _searcher(plugin: type[Pruner]) -> Searcher:
    return Searcher(SPACE, build("strategies", PluginSpec("random")), _made(plugin), [LOSS], 0)


def _check_restore(plugin: type[Pruner]) -> None:
    """Whatever event the driver dies after, the rebuilt search decides as the uninterrupted one."""
    check_restored(lambda: _searcher(plugin), TRIALS)


def _check_rungs(plugin: type[Pruner]) -> None:
    for steps in STEPS:
        rungs = _made(plugin).rungs(steps)
        rising = all(low < high for low, high in pairwise(rungs))
        assert rising and all(1 <= rung <= steps for rung in rungs), (
            f"rungs({steps}) must rise from 1 to at most {steps}, but are {rungs}"
        )

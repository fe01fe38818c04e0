"""Checks of strategies: valid proposals that depend on seed and history alone, also after a killed driver."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from functools import partial

from automl.checking.frame import Check
from automl.checking.options import check_options
from automl.checking.searches import (
    BOUNDS,
    LOSS,
    SIZE,
    SPACE,
    STEPS,
    Rows,
    advance,
    check_restored,
    loss,
    plan,
)
from automl.contracts import (
    Config,
    EarlierTrial,
    Metric,
    PluginSpec,
    SearchMemory,
    Strategy,
    TrialState,
)
from automl.plugins import build
from automl.strategies.searcher import Searcher

TRIALS, CUTS = 12, 2  # of a simulated search; events after which its driver dies
WITH_MEMORY = 8  # trials of one that remembers: all but the first few are proposed from a history
LARGEST = 1000  # characters of the attributes of a trial


def checks(plugin: object) -> Iterator[Check]:
    """The checks of a strategy."""
    yield Check("it is a class that extends Strategy", partial(_check_class, plugin))
    if not (isinstance(plugin, type) and issubclass(plugin, Strategy)):
        return
    yield Check("options are described, frozen, and unknown ones refused", partial(check_options, plugin))
    yield Check("proposals are valid configurations and plain JSON", partial(_check_proposals, plugin))
    yield Check("the same seed gives the same search, another seed another", partial(_check_seeds, plugin))
    yield Check(
        "a restored search continues as the uninterrupted one", partial(check_restore, plugin, (LOSS,))
    )
    rule = "a restored search with constraints continues as the uninterrupted one"
    yield Check(rule, partial(check_constrained, plugin))
    yield Check("what it keeps with a trial is small plain JSON", partial(_check_attributes, plugin))
    yield Check("values that are not finite count as failures", partial(_check_not_finite, plugin))
    rule = "what is remembered is proposed first, by seed and history alone, and is part of no result"
    yield Check(rule, partial(check_memory, plugin))
    rule = "without learns it proposes the same whatever trials have given"
    yield Check(rule, partial(check_learns, plugin))
    if plugin.max_objectives != 1:
        rule = "a search by two metrics is restored alike"
        yield Check(rule, partial(check_restore, plugin, (LOSS, SIZE)))


def _check_class(plugin: object) -> None:
    assert isinstance(plugin, type) and issubclass(plugin, Strategy), (
        f"PLUGIN of a strategy must be a class that extends automl.contracts.Strategy, but is {plugin!r}; "
        "extend it"
    )


def new_searcher(plugin: type[Strategy], metrics: tuple[Metric, ...] = (LOSS,), seed: int = 0) -> Searcher:
    """A search of the simulation's space by the strategy with its example options, without pruning."""
    strategy = plugin(plugin.Options(**plugin.example_options))
    return Searcher(SPACE, strategy, build("pruners", PluginSpec("none")), list(metrics), seed)


def check_restore(plugin: type[Strategy], metrics: tuple[Metric, ...], trials: int = TRIALS) -> None:
    """Whatever event the driver dies after, the rebuilt search proposes as the uninterrupted one."""
    check_restored(lambda: new_searcher(plugin, metrics), trials, metrics, CUTS)


def check_constrained(plugin: type[Strategy]) -> None:
    """Of a search some of whose trials break a constraint, with values and without."""

    def make() -> Searcher:
        return new_searcher(plugin).with_constraints(BOUNDS)

    check_restored(make, TRIALS, (LOSS,), CUTS, BOUNDS)


def _proposals(plugin: type[Strategy], seed: int, trials: int = 8) -> list[Config]:
    rows = Rows()
    events = [(event, number) for number in range(trials) for event in ("ask", "report", "tell")]
    advance(new_searcher(plugin, seed=seed), rows, events)
    return [answer[2] for answer in rows.answers if answer[0] == "ask" and answer[2] is not None]


def _check_proposals(plugin: type[Strategy]) -> None:
    proposals = _proposals(plugin, 2)
    assert proposals, "a strategy must propose something, but its first proposal is None"
    for config in proposals:
        SPACE.check(config)
        assert json.loads(json.dumps(config)) == config, f"must be plain JSON, but {config} is not"


def _check_seeds(plugin: type[Strategy]) -> None:
    first, again, other = (_proposals(plugin, seed) for seed in (0, 0, 1))
    assert first == again, (
        f"the same seed must propose the same, but does not: {first} and {again}; draw from `seed` alone"
    )
    assert first != other, f"another seed must propose something else, but both propose {first}"


def check_learns(plugin: type[Strategy]) -> None:
    """One that says it does not learn must not: it is asked for many before any has ended."""
    if plugin.learns:
        return
    ways: list[list[Config | None]] = []
    for ends in (None, 1.0, -1.0):  # the value of the first trial, the others have a tenth of it; None: later
        searcher, asked = new_searcher(plugin), []
        for number in range(TRIALS):
            asked.append(searcher.ask(number))
            if ends is not None:
                searcher.tell(number, TrialState.COMPLETE, [ends / (1 + 9 * (number > 0))])
        ways.append(asked)
    assert ways[0] == ways[1] == ways[2], (
        f"a strategy that does not learn must propose the same whatever comes back, but does not: {ways}; "
        "leave learns = True"
    )


def _check_attributes(plugin: type[Strategy]) -> None:
    searcher, rows = new_searcher(plugin), Rows()
    advance(searcher, rows, plan(0, 9))
    for row in rows.trials.values():
        text = json.dumps(row.attributes, allow_nan=False)
        assert len(text) < LARGEST, f"attributes must be under {LARGEST} characters, but are {text}"


def earlier(metrics: int = 1) -> SearchMemory:
    """A memory of two campaigns: 24 trials, of which one source is comparable; the best three come first."""
    rng = random.Random(5)
    configs = [SPACE.sample(rng) for _ in range(24)]
    configs.sort(key=lambda config: loss(config, STEPS))
    trials = [
        EarlierTrial(
            config, [loss(config, STEPS) + place % 2, float(str(config["width"]))][:metrics], place % 2
        )
        for place, config in enumerate(configs)
    ]
    return SearchMemory(configs[:3], trials, [True, False])


def check_memory(plugin: type[Strategy]) -> None:
    """First proposals, purity and results of a search with a memory; a baseline refuses it."""
    memory = earlier()
    if plugin.remembers == "nothing":
        try:
            new_searcher(plugin).with_memory(memory)
        except ValueError:
            return
        raise AssertionError("a strategy that remembers nothing must not be given a memory")
    assert plugin.remembers in ("history", "proposals"), (
        f"remembers must be history, proposals or nothing, but is {plugin.remembers!r}; correct it"
    )

    def make() -> Searcher:
        return new_searcher(plugin).with_memory(memory).with_default()

    events = [(event, number) for number in range(8) for event in ("ask", "report", "tell")]
    found = []
    for _ in range(2):
        rows = Rows()
        advance(make(), rows, events)
        found.append([answer[2] for answer in rows.answers if answer[0] == "ask"])
    first = len(memory.first)
    assert found[0][:first] == memory.first, (
        f"the first proposals must be {memory.first}, but are {found[0][:first]}"
    )
    assert found[0] == found[1], f"the same seed must propose the same, but does not: {found}"
    assert len(rows.trials) == rows.told == len(events) // 3, (
        f"trials that are remembered must not be counted, but {rows.told} were told"
    )
    check_restored(make, WITH_MEMORY, (LOSS,), CUTS)


def _check_not_finite(plugin: type[Strategy]) -> None:
    searcher = new_searcher(plugin)
    for number, value in enumerate([math.nan, math.inf, -math.inf]):
        assert searcher.ask(number) is not None, "a strategy must continue after failures, but has ended"
        searcher.tell(number, TrialState.COMPLETE, [value])
    assert searcher.ask(3) is not None, "a strategy must continue after failures, but has ended"

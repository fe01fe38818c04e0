"""Earlier trials beside those of a search: shifted where values are not comparable, and unseen by pruners."""

from __future__ import annotations

from dataclasses import replace

import pytest
from histories import LOSS, SIZE, SPACE, STEPS, History, advance, loss, spec

from automl.checking.strategies import earlier
from automl.contracts import SearchMemory, TrialState
from automl.strategies.searcher import Searcher


def shown(searcher: Searcher, metrics: int = 1) -> dict[int, list[float]]:
    """How much the values of each source differ from those that the present objective gives."""
    memory = searcher._memory
    assert memory._remembered is not None
    found: dict[int, list[float]] = {}
    own = memory.storage.get_all_trials(memory.study._study_id, deepcopy=False)
    by_config = {SPACE.digest(trial.config): trial.source for trial in earlier().trials}
    for trial in memory._remembered.beside(own):
        source = by_config[SPACE.digest(trial.params)]
        found.setdefault(source, []).append(round(trial.values[0] - loss(trial.params, STEPS), 9))
    return found


def searching(strategy: str = "tpe") -> Searcher:
    return Searcher.build(SPACE, spec(strategy), spec("none"), [LOSS], 0).with_memory(earlier())


def test_values_that_are_not_comparable_are_hidden_until_one_is_known_and_then_shifted() -> None:
    searcher = searching()  # source 0 is comparable; the values of source 1 are 1 too large
    assert set(shown(searcher)) == {0}
    for number in range(2):
        config = searcher.ask(number)
        assert config is not None
        searcher.tell(number, TrialState.COMPLETE, [loss(config, STEPS)])
    found = shown(searcher)
    assert set(found) == {0, 1}
    assert set(found[0]) == set(found[1]) == {0.0}


def test_a_failed_first_proposal_compares_nothing() -> None:
    searcher = searching()
    for number in range(2):
        searcher.ask(number)
        searcher.tell(number, TrialState.FAILED, None)
    assert set(shown(searcher)) == {0}


@pytest.mark.parametrize("strategy", ["tpe", "gp"])
def test_a_history_changes_what_comes_after_the_first_proposals(strategy: str) -> None:
    proposed = []
    for memory in (earlier(), replace(earlier(), trials=[])):
        searcher = Searcher.build(SPACE, spec(strategy), spec("none"), [LOSS], 0).with_memory(memory)
        rows = History()
        events = [(event, number) for number in range(4) for event in ("ask", "tell")]
        advance(searcher, rows, events)
        proposed.append([answer[2] for answer in rows.answers if answer[0] == "ask"])
    assert proposed[0][:3] == proposed[1][:3]
    assert proposed[0][3] != proposed[1][3]


def test_pruners_do_not_see_a_history() -> None:
    searcher = Searcher.build(SPACE, spec("tpe"), spec("median"), [LOSS], 0).with_memory(earlier())
    searcher.ask(0)
    assert len(searcher._memory.study.get_trials()) == 1
    assert not searcher.report(0, 1, 1e9)


def test_the_default_is_not_evaluated_twice() -> None:
    default = SPACE.default_config()
    for first, place in (([default], None), ([], 0), (earlier().first, 3)):
        memory = SearchMemory(first)
        searcher = Searcher.build(SPACE, spec("tpe"), spec("none"), [LOSS], 0)
        searcher.with_memory(memory).with_default()
        asked = [searcher.ask(number) for number in range(5)]
        places = [number for number, config in enumerate(asked) if config == default]
        assert places == ([0] if place is None else [place])


def test_two_metrics_are_shifted_each() -> None:
    memory = earlier(2)
    searcher = Searcher.build(SPACE, spec("tpe"), spec("none"), [LOSS, SIZE], 0).with_memory(memory)
    for number in range(2):
        config = searcher.ask(number)
        assert config is not None
        searcher.tell(number, TrialState.COMPLETE, [loss(config, STEPS), float(str(config["width"])) + 7])
    inner = searcher._memory
    assert inner._remembered is not None
    own = inner.storage.get_all_trials(inner.study._study_id, deepcopy=False)
    seen = inner._remembered.beside(own)
    other = [t for t, e in zip(seen, memory.trials, strict=True) if e.source == 1]
    assert {round(t.values[1] - float(t.params["width"]), 9) for t in other} == {7.0}

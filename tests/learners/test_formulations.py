"""Which formulation runs: chosen by time, once, remembered with the state; never more tasks than fit."""

import time
from typing import Any

import pytest
import torch

from automl.checking.episodes import sinusoids
from automl.contracts import Episodes
from automl.learners import formulations
from automl.learners.backbones import Backbone
from automl.learners.formulations import Formulation, fastest, fit
from automl.learners.maml import Maml, MamlOptions


@pytest.fixture(autouse=True)
def _nothing_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formulations, "MEASURED", {})
    monkeypatch.setattr(formulations, "BUDGET", 0.01)


def maml(**options: Any) -> Maml:
    return Maml(MamlOptions(**options), Backbone("mlp", (1,), 4), ways=0, seed=0)


def test_parts_hold_every_task_once() -> None:
    episodes = sinusoids(5)
    assert [part.support_y.shape for part in Formulation(2).parts(episodes)] == [(2, 5), (2, 5), (1, 5)]
    assert [part.support_y.shape for part in Formulation(0).parts(episodes)] == [(5,)] * 5
    assert torch.equal(torch.cat([p.query_y for p in Formulation(2).parts(episodes)]), episodes.query_y)


@pytest.mark.parametrize(
    ("call", "task", "expected"), [(0.002, 0.0, 6), (0.0, 0.001, 0)], ids=["calls cost", "tasks cost"]
)
def test_the_fastest_is_taken_and_measured_once(call: float, task: float, expected: int) -> None:
    calls = []

    def run(formulation: Formulation, part: Episodes) -> None:
        calls.append(formulation)
        pieces = len(list(formulation.parts(part)))
        slower = 1.5 if formulation.tasks else 1.0
        end = time.thread_time() + call * pieces + task * len(part) * slower
        while time.thread_time() < end:
            pass

    assert fastest("key", sinusoids(6), 6, run) == Formulation(expected)
    count = len(calls)
    assert fastest("key", sinusoids(6), 6, run) == Formulation(expected)
    assert len(calls) == count


def test_small_networks_run_all_tasks_at_once() -> None:
    made = maml()
    made.meta_step(sinusoids(25))
    assert made.formulation == "batched, 25 tasks at once"
    made.predict(sinusoids(25))
    assert made.formulation == "batched, 25 tasks at once"
    assert len(made.state_dict()["chosen"]) == 2


def test_a_state_keeps_its_formulation() -> None:
    made = maml()
    made.meta_step(sinusoids(8))
    state = made.state_dict()
    state["chosen"] = dict.fromkeys(state["chosen"], 0)
    other = maml()
    other.load_state_dict(state)
    other.meta_step(sinusoids(8))
    assert other.formulation == "loop"


def test_a_formulation_may_be_named() -> None:
    for options, expected in (
        ({"formulation": "loop"}, "loop"),
        ({"formulation": "batched"}, "batched, 7 tasks at once"),
        ({"formulation": "batched", "tasks_at_once": 3}, "batched, 3 tasks at once"),
    ):
        made = maml(**options)
        made.meta_step(sinusoids(7))
        assert made.formulation == expected
    assert not formulations.MEASURED


def test_memory_bounds_the_tasks_at_once() -> None:
    cpu = torch.device("cpu")
    assert fit(2**28, cpu) == 4
    assert fit(2**40, cpu) == 1

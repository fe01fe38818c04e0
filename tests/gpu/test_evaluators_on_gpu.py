"""Every evaluator, supernet method and learner on a GPU: finite values, equal by the seed, bf16, memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from cards import Card, Measured, trials_of

from automl import plugins
from automl.contracts import UserError

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: torch finds no CUDA device"),
]
Note = Callable[..., None]
# by torch's notes on reproducibility, kernels of theirs add in any order on a GPU: equal only about so far
NOT_EXACT = {
    "supernet": "backward passes of average and max pooling",
    "metalearn": "gradients through the pooling of conv4",
    "proxy_score": "gradients through pooling",
}
CLOSE = 0.05  # of a metric from 0 to 1, on tasks of some dozens of examples


def cases() -> list[Any]:
    """Evaluators, and what they take by name: methods and learners."""
    found = [(name, {}) for name in plugins.names("evaluators")]
    found += [("supernet", {"method": name}) for name in plugins.names("supernets")]
    found += [("metalearn", {"learner": name}) for name in plugins.names("learners")]
    return [pytest.param(name, options, id="-".join([name, *options.values()])) for name, options in found]


def run(card: Card, evaluator: str, options: dict[str, Any], **fields: Any) -> Measured:
    try:
        trials = trials_of(evaluator, **options)
    except UserError as error:
        pytest.skip(f"no example: {error}")
    return card.run(trials, **fields)


@pytest.mark.parametrize(("evaluator", "options"), cases())
def test_it_runs_and_its_seed_repeats_it(
    evaluator: str, options: dict[str, Any], card: Card, note: Note
) -> None:
    first, again = (run(card, evaluator, options, seed=3) for _ in range(2))
    assert all(map(math.isfinite, first.result.values.values()))
    assert all(math.isfinite(value) for _, value in first.reports)
    exact = (first.result.values, first.reports) == (again.result.values, again.reports)
    what = ", ".join(["example", *options.values()])
    if evaluator in NOT_EXACT and not exact:
        far = max(abs(first.result.values[name] - again.result.values[name]) for name in first.result.values)
        note(evaluator, what, again, f"repeats to {far:.2g}: {NOT_EXACT[evaluator]}")
        assert far <= CLOSE
        return
    note(evaluator, what, again)
    assert exact, "the same seed must give the same values and reports"


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_networks_train_in_both_precisions(precision: str, card: Card, note: Note) -> None:
    options = {"precision": precision, "epochs": 8}
    measured = run(card, "network", options)
    note("network", precision, measured)
    assert all(map(math.isfinite, measured.result.values.values()))


def test_bf16_is_taken_by_itself_where_the_card_has_it(card: Card) -> None:
    from automl.training.recipe import NetworkOptions, uses_bf16

    assert uses_bf16(NetworkOptions(), card.device) == torch.cuda.is_bf16_supported()


def test_what_a_trial_allocated_is_given_back(card: Card, note: Note) -> None:
    run(card, "network", {})
    before = torch.cuda.memory_allocated(card.device)
    for _ in range(3):
        measured = run(card, "network", {})
    note("network", "three trials, memory kept", measured)
    assert torch.cuda.memory_allocated(card.device) <= before + 2**20


def test_a_network_learns_the_same_as_on_the_cpu(card: Card, note: Note) -> None:
    options = {"precision": "float32", "epochs": 4}
    here, there = run(card, "network", options), run(Card("cpu"), "network", options)
    note("network", "against the CPU", here)
    for name, value in here.result.values.items():
        assert value == pytest.approx(there.result.values[name], abs=0.2), "another rounding, the same task"

"""DARTS-PT: operations missed most stay, edges missed least go, time bounds it, strengths do the rest."""

from __future__ import annotations

import torch
from torch import Tensor
from toy_supernet import EDGES, OPERATIONS, SPACE, FakeSelection, Toy, batch, build, set_alpha

from automl.contracts import Config
from automl.space import Choice, Space
from automl.supernets.base import Mixture
from automl.supernets.darts_pt import DartsPt, DartsPtOptions

STRONG = [[0.0, 1.0, 5.0], [0.0, 5.0, 1.0], [0.0, 1.0, 5.0]]  # alpha's favourites: norm, tanh, norm
PLANTED = [1, 2, 1]  # and what is really needed
FIRST = OPERATIONS.index("tanh")


def needs_planted(mixture: Mixture) -> float:
    """Nine tenths, less a tenth for each planted operation that is missing."""
    assert mixture.active is not None
    assert not (mixture.strengths[~mixture.active] != 0).any()
    return 0.9 - 0.1 * sum(not mixture.active[row, column] for row, column in enumerate(PLANTED))


def make(**options: int) -> DartsPt:
    method = build(DartsPt, **options)
    set_alpha(method, STRONG)
    return method


def test_the_operation_missed_most_is_chosen_against_the_strengths() -> None:
    method, selection = make(tuning=7), FakeSelection(needs_planted)
    assert list(method.derive().values()) == ["norm", "tanh", "norm"]
    assert list(method.select(selection).values()) == ["tanh", "norm", "tanh"]
    assert len(selection.asked) == 6  # two operations besides none on three edges
    assert selection.trained == [7, 7]  # between the decisions
    assert method.selected["operations_by_perturbation"] == 3
    assert method.selected["operations_by_strength"] == 0
    mixture = method.mixture()
    assert torch.equal(mixture.strengths, method.supernet.path(method.derive()).double())
    assert torch.equal(mixture.strengths.bool(), mixture.active)


def test_one_operation_is_removed_at_a_time() -> None:
    method, selection = make(), FakeSelection(needs_planted)
    strengths = method.strengths().detach()
    method.select(selection)
    first = selection.asked[0]
    assert first.active is not None
    ((row, column),) = (~first.active).nonzero().tolist()
    expected = strengths.clone()
    expected[row, column] = 0
    assert torch.equal(first.strengths, expected) and OPERATIONS[column] != "none"


def test_equal_accuracies_are_decided_by_strength() -> None:
    method = make()
    assert list(method.select(FakeSelection(lambda _: 0.5)).values()) == ["norm", "tanh", "norm"]


def test_edges_come_in_an_order_of_the_selections_generator() -> None:
    orders = set()
    for seed in range(8):
        selection = FakeSelection(needs_planted)
        selection.rng.seed(seed)
        method = make()
        method.select(selection)
        orders.add(tuple(method.chosen))
    assert len(orders) > 1


def test_without_time_the_rest_is_decided_by_strength() -> None:
    method, selection = make(tuning=1), FakeSelection(needs_planted, seconds=3.0)
    derived = method.select(selection)
    (row,) = method.chosen
    expected = ["norm", "tanh", "norm"]
    expected[row] = OPERATIONS[PLANTED[row]]
    assert list(derived.values()) == expected
    assert method.selected["operations_by_perturbation"] == 1
    assert method.selected["operations_by_strength"] == 2
    assert selection.seconds == 0 and selection.trained == []  # decisions come first


def test_fixed_edges_need_no_scores() -> None:
    space = SPACE.narrow({"edge_0_1": ["none", "norm"], "edge_0_2": ["none"]})
    method, selection = build(DartsPt, space=space), FakeSelection(needs_planted, space)
    assert list(method.select(selection).values()) == ["norm", "none", "tanh"]
    assert len(selection.asked) == 2


def test_training_goes_on_with_what_is_left_at_a_rate_that_starts_again() -> None:
    method = make(tuning=2)
    rates: list[float] = []

    class Training(FakeSelection):
        def train(self, steps: int) -> None:
            alpha = method.alpha.detach().clone()
            for _ in range(steps):
                method.step(batch(1), batch(2), 1.0)
            rates.append(method.weight_optimiser.param_groups[0]["lr"])
            assert not torch.equal(alpha, method.alpha)

    method.step(batch(1), batch(2), 1.0)
    assert method.weight_optimiser.param_groups[0]["lr"] == method.options.minimum_rate
    method.select(Training(needs_planted))
    assert rates[0] == method.options.learning_rate / 10 and rates[1] < rates[0]
    assert torch.isfinite(method.alpha).all()


class Narrow(Toy):
    """The toy whose second node keeps one of its two edges."""

    def allowed(self, space: Space) -> Tensor:
        return torch.ones(3, 3, dtype=torch.bool)

    def derive(self, strengths: Tensor, space: Space) -> Config:
        best = [OPERATIONS[1 + int(row[1:].argmax())] for row in strengths]
        kept = 1 + int(strengths[1:, 1:].amax(1).argmax())
        return {EDGES[0]: best[0], "input_2": str(kept - 1), EDGES[kept]: best[kept]}

    def path(self, config: Config) -> Tensor:
        return torch.tensor([[config.get(edge) == name for name in OPERATIONS] for edge in EDGES])


NARROW = Space(
    {
        "input_2": Choice(["0", "1"]),
        "edge_0_1": Choice(OPERATIONS[1:]),
        "edge_0_2": Choice(OPERATIONS[1:], when={"input_2": ["0"]}),
        "edge_1_2": Choice(OPERATIONS[1:], when={"input_2": ["1"]}),
    }
)


def narrow() -> DartsPt:
    torch.manual_seed(0)
    method = DartsPt(DartsPtOptions(), Narrow().double(), space=NARROW, seed=0)
    set_alpha(method, [[0.0, 1.0, 5.0], [0.0, 9.0, 1.0], [0.0, 1.0, 5.0]])
    return method


def test_edges_missed_least_are_removed_until_a_node_has_as_many_as_in_a_configuration() -> None:
    """The second node's stronger edge, from 0, is not the one that is needed."""

    def score(mixture: Mixture) -> float:
        assert mixture.active is not None
        return needs_planted(mixture) - 0.5 * (not mixture.active[2].any())

    method, selection = narrow(), FakeSelection(score, NARROW)
    assert method.derive() == {"edge_0_1": "norm", "input_2": "0", "edge_0_2": "tanh"}
    derived = method.select(selection)
    assert derived == {"edge_0_1": "tanh", "input_2": "1", "edge_1_2": "tanh"}
    NARROW.check(derived)
    assert len(selection.asked) == 6 + 2
    assert method.selected["nodes_by_perturbation"] == 1 and method.selected["nodes_by_strength"] == 0
    mixture = method.mixture()
    assert mixture.active is not None and not mixture.active[1].any() and not mixture.strengths[1].any()
    method.step(batch(1), batch(2), 1.0)
    assert torch.isfinite(method.alpha).all()


def test_without_time_nodes_keep_their_strongest_edges() -> None:
    method = narrow()
    derived = method.select(FakeSelection(needs_planted, NARROW, seconds=7.0))
    assert method.selected["operations_by_perturbation"] == 3 and method.selected["nodes_by_strength"] == 1
    assert derived == {"edge_0_1": "tanh", "input_2": "0", "edge_0_2": "norm"}

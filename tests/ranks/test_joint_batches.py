"""A batch that ranks divide: rows, random numbers of the joint batch, gradients of both orders."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from two_ranks import on_ranks

from automl.layers.regularised import Droppable
from automl.ranks.group import Group, current, within
from automl.ranks.sharing import divided, normal, rows_of, share, shared, uniform

Loss = Callable[[], list[Tensor]]


class Pretended(Group):
    """One of `size` ranks without the others: what it gathers lacks their rows."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size


def each(size: int, run: Callable[[], Tensor]) -> list[Tensor]:
    """What each of `size` ranks makes, one after the other, from the same random state."""
    state, found = torch.get_rng_state(), []
    for rank in range(size):
        torch.set_rng_state(state)
        with within(Pretended(rank, size)):
            found.append(run())
    torch.set_rng_state(state)
    return found


def test_rows_are_in_order_and_balanced() -> None:
    for count, size in ((7, 2), (9, 4), (8, 3)):
        rows = []
        for rank in range(size):
            with within(Pretended(rank, size)):
                part = rows_of(count)
            assert part is not None
            rows.append(range(count)[part])
        assert [row for part in rows for row in part] == list(range(count))
        assert max(map(len, rows)) - min(map(len, rows)) <= 1


def test_a_batch_too_small_to_divide_is_run_whole_by_all() -> None:
    with within(Pretended(1, 2)):
        assert rows_of(3) is None
        assert shared(lambda x: x + 1, torch.zeros(3)).tolist() == [1, 1, 1]
        assert rows_of(3, fewest=1) == slice(1, 3)


@pytest.mark.parametrize("draw", [uniform, normal])
def test_random_numbers_are_those_of_the_joint_batch(draw: Callable[..., Tensor]) -> None:
    torch.manual_seed(5)
    parts = each(3, lambda: shared(lambda rows: draw(rows, 2), torch.zeros(8, 1)))
    drawn = draw(torch.zeros(8, 1), 2)
    assert torch.equal(sum(parts), drawn), "each rank has only its own rows here"


def test_generators_go_on_as_those_of_one_rank() -> None:
    def run() -> Tensor:
        shared(lambda rows: torch.rand(len(rows), 3) + uniform(rows, 3), torch.zeros(8, 1))
        return torch.rand(4)

    torch.manual_seed(5)
    ranks = each(2, run)
    uniform(torch.zeros(8, 1), 3)
    assert torch.equal(ranks[0], ranks[1])
    assert torch.equal(ranks[0], torch.rand(4)), "what a module draws by itself changes nothing"


def test_what_a_module_draws_by_itself_differs_between_ranks() -> None:
    torch.manual_seed(5)
    drawn: list[Tensor] = []
    for _ in range(2):
        each(2, lambda: shared(lambda rows: drawn.append(torch.rand(3)) or rows, torch.zeros(8, 1)))  # type: ignore[func-returns-value]
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])
    assert torch.equal(drawn[1], drawn[3])


def test_paths_are_dropped_as_on_one_rank() -> None:
    part = Droppable()
    part.drop_path = 0.5
    torch.manual_seed(1)
    parts = each(2, lambda: shared(part.dropped, torch.ones(16, 2, 3, 3)))
    assert torch.equal(sum(parts), part.dropped(torch.ones(16, 2, 3, 3)))


def functions(x: Tensor, y: Tensor, w: Tensor, s: Tensor, *, divide: bool) -> list[Tensor]:
    """A loss that no sum over images is, its gradients, and a gradient of those."""

    def run(rows: Tensor, weights: list[Tensor], scales: list[Tensor]) -> Tensor:
        return (rows @ weights[0]).tanh() * scales[0]

    outputs = shared(run, x, [w], [s]) if divide else run(x, [w], [s])
    loss = functional.cross_entropy(outputs, y) + 0.1 * outputs.std() + s.square().sum()
    slopes = torch.autograd.grad(loss, [w, s], create_graph=True)
    mixed = torch.autograd.grad(slopes[0].square().sum() + slopes[1].sin().sum(), [w, s])
    return [loss.detach(), *(slope.detach() for slope in slopes), *mixed]


@pytest.mark.parametrize("count", [6, 7])
def test_gradients_of_both_orders_are_those_of_the_joint_batch(count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 4, generator=generator, dtype=torch.float64)
    y = torch.randint(3, (count,), generator=generator)
    w = torch.randn(4, 3, generator=generator, dtype=torch.float64).requires_grad_()
    s = torch.randn(3, generator=generator, dtype=torch.float64).requires_grad_()
    joint = functions(x, y, w, s, divide=False)

    def run() -> list[Tensor]:
        own = [value.detach().clone().requires_grad_() for value in (w, s)]
        return functions(x, y, *own, divide=True)

    for rank in on_ranks(run, 2 if count == 6 else 3):
        for one, other in zip(rank, joint, strict=True):
            assert torch.allclose(one, other, rtol=0, atol=1e-14)


def test_what_is_not_used_gets_no_gradient() -> None:
    def run() -> list[Tensor | None]:
        used, unused = (nn.Parameter(torch.ones(2)) for _ in range(2))
        outputs = shared(lambda rows, weights: rows * weights[0], torch.ones(4, 2), [used, unused])
        torch.autograd.backward(outputs.sum())
        return [used.grad, unused.grad]

    for used, unused in on_ranks(run):
        assert used is not None
        assert used.tolist() == [4, 4]
        assert unused is None, "or momentum and decay would move it"


def test_several_outputs_and_no_share_left_behind() -> None:
    def run() -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = shared(lambda rows: (rows, rows.sum(1)), torch.arange(10.0).view(5, 2))
        assert share() is None
        return found

    for first, second in on_ranks(run):
        assert torch.equal(first, torch.arange(10.0).view(5, 2))
        assert torch.equal(second, torch.arange(10.0).view(5, 2).sum(1))


def test_batches_of_validation_are_divided() -> None:
    done: list[int] = []

    def run() -> Tensor:
        def one(place: int) -> Tensor:
            done.append(place)
            return torch.full((place + 1, 2), float(place))

        return divided(one, [1, 2, 3])

    expected = [0.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    for rank in on_ranks(run):
        assert rank[:, 0].tolist() == expected
    assert sorted(done) == [0, 1, 2]
    with within(Group()):
        assert current().size == 1
        assert run()[:, 1].tolist() == expected

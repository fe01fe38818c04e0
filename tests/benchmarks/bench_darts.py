"""Milliseconds of a DARTS step, against the plain form of the same mathematics. Run as a script:

    python tests/benchmarks/bench_darts.py [--steps 10] [--rounds 5] [--side 8] [--channels 8] [--batch 64]

One step is one alpha step and one weight step. `plain`: every operation of every edge on its own, in
torch's default memory layout, and gradients of everything. All ways run interleaved on one thread; the
figure is the best round. Both forms give the same strengths' gradient, which is checked first.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.searchspaces import nasbench201
from automl.searchspaces.nasbench201 import EDGES, OPERATIONS, PAIRS, MixedCell, Supernet
from automl.supernets.darts import Darts, DartsOptions


class PlainCell(nn.Module):
    """A mixed cell as the paper writes it; takes its weights from a `MixedCell`."""

    def __init__(self, cell: MixedCell) -> None:
        super().__init__()
        channels = cell.channels
        self.edges = nn.ModuleList()
        for source, target in PAIRS:
            place = slice((target - source - 1) * channels, (target - source) * channels)
            operations = nn.ModuleList()
            for kernel, wide in ((1, cell.narrow[source]), (3, cell.broad[source])):
                convolution = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False)
                convolution.weight.data.copy_(wide.weight.data[place])
                operations.append(nn.Sequential(nn.ReLU(), convolution, self.norm(channels)))
            pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
            operations.append(nn.Sequential(pool, self.norm(channels)))
            self.edges.append(operations)

    @staticmethod
    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, affine=False, track_running_stats=False)

    def forward(self, x: Tensor, strengths: Tensor) -> Tensor:
        nodes = [x]
        for target in range(1, nasbench201.NODES):
            total = torch.zeros_like(x)
            for source in range(target):
                index = PAIRS.index((source, target))
                values = [
                    torch.zeros_like(x),
                    nodes[source],
                    *(op(nodes[source]) for op in self.edges[index]),
                ]
                total = total + sum(s * value for s, value in zip(strengths[index], values, strict=True))
            nodes.append(total)
        return nodes[-1]


class PlainSupernet(nn.Module):
    """The supernet of `PlainCell`s with the weights of `fast`."""

    def __init__(self, fast: Supernet) -> None:
        super().__init__()
        self.edges, self.operations = fast.edges, fast.operations
        self.stem, self.head = fast.stem, fast.head
        self.body = nn.ModuleList(PlainCell(b) if isinstance(b, MixedCell) else b for b in fast.body)

    def forward(self, x: Tensor, strengths: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.body:
            x = block(x, strengths) if isinstance(block, PlainCell) else block(x)
        logits: Tensor = self.head(x)
        return logits


def plain_alpha_step(darts: Darts, validation: tuple[Tensor, Tensor]) -> None:
    """First order with gradients of everything, as one `backward()` gives them."""
    x, y = validation
    functional.cross_entropy(darts.supernet(x, darts.strengths()), y).backward()
    darts.alpha_optimiser.step()
    darts.alpha_optimiser.zero_grad()
    darts.weight_optimiser.zero_grad()


def build(plain: bool, args: argparse.Namespace, **options: object) -> Darts:
    torch.manual_seed(0)
    supernet: nn.Module = Supernet((3, args.side, args.side), 10, channels=args.channels, cells=args.cells)
    supernet = PlainSupernet(supernet) if plain else supernet.to(memory_format=torch.channels_last)
    allowed = torch.ones(len(EDGES), len(OPERATIONS), dtype=torch.bool)
    return Darts(DartsOptions.model_validate(options), supernet, allowed=allowed, seed=0)


def check(args: argparse.Namespace, batch: tuple[Tensor, Tensor]) -> None:
    """Raise unless both forms give one gradient, first and second order, in float64."""
    double = (batch[0].double(), batch[1])
    for order in (1, 2):
        gradients = []
        for plain in (True, False):
            darts = build(plain, args, order=order)
            darts.supernet.double()
            darts.alpha = darts.alpha.detach().double().requires_grad_()
            gradients.append((darts.first_order if order == 1 else darts.second_order)(double, double)[0])
        difference = float((gradients[0] - gradients[1]).norm() / gradients[0].norm())
        if difference > 1e-9:
            raise RuntimeError(f"order {order}: the two forms differ by {difference:.1e}")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    for name, default in (
        ("steps", 10),
        ("rounds", 5),
        ("side", 8),
        ("channels", 8),
        ("cells", 1),
        ("batch", 64),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(1)
    x = torch.randn(args.batch, 3, args.side, args.side)
    batch = (x, torch.randint(0, 10, (args.batch,)))
    check(args, batch)

    def step(darts: Darts) -> Callable[[], object]:
        return lambda: darts.step(batch, batch, 0.5)

    slow = build(True, args)

    def plain() -> None:
        plain_alpha_step(slow, batch)
        slow.weight_step(batch)

    ways: dict[str, Callable[[], object]] = {
        "order 1, plain": plain,
        "order 1": step(build(False, args)),
        "order 2, plain": step(build(True, args, order=2)),
        "order 2, exact": step(build(False, args, order=2)),
        "order 2, finite difference": step(build(False, args, order=2, hvp="finite_difference")),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(args.rounds):
        for name, way in ways.items():
            way()
            start = time.perf_counter()
            for _ in range(args.steps):
                way()
            best[name] = min(best[name], (time.perf_counter() - start) / args.steps)
    for name, seconds in best.items():
        sys.stdout.write(f"{name:28} {seconds * 1e3:8.1f} ms\n")


if __name__ == "__main__":
    main()

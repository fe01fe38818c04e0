"""Milliseconds of a DARTS step against the same step written plainly. Run as a script:

    python tests/benchmarks/bench_darts.py [--space darts] [--rounds 5] [--cells 8] [--channels 16]
                                           [--side 32] [--batch 16]

One step is one alpha step and one weight step. `reference`: every operation of every edge on its own, in
torch's default memory layout (`tests/reference_supernet.py`), and second-order gradients as the paper's
authors take them: by finite differences, with a copy of the network for w'. It is checked first that both
give the same gradients, to 1e-9 in float64 (on a small network) and to 1e-2 in float32. Second-order ones in
float32 are shown alone: at 8 cells those of the reference itself are 1e-2 from its own in float64, and
3e-2 once it is in channels-last memory.

All ways run in turns, on one thread, and the figures are medians (on a CPU of processor time, which other
processes disturb less). The floor is the time that the
multiplications of all convolutions would take at this machine's measured peak of a dense convolution; a step
takes 5 forwards' worth (alpha: forward, gradients of activations; weights: those and of weights) at order 1,
13 at order 2. On a CUDA device, if there is one, the shipped form runs in bfloat16 (autocast).
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.append(str(Path(__file__).parents[1]))
from reference_supernet import reference

from automl import plugins
from automl.executors.process import use_cpus
from automl.supernets.base import Batch, Mixture
from automl.supernets.darts import Darts, DartsOptions

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
FORWARDS = {1: 5, 2: 13}  # forwards' worth of multiplications in a step of this order
CHANNELS_LAST = torch.channels_last


class Plain(Darts):
    """The steps as the paper's authors wrote them."""

    def first_order(self, validation: Batch) -> tuple[list[Tensor], Tensor, Tensor]:
        """All gradients by one `backward`; those of the weights are thrown away."""
        logits = self.supernet(validation[0], *self.mixture())
        loss = functional.cross_entropy(logits, validation[1])
        loss.backward()
        slope = self.alpha.grad
        assert slope is not None
        self.alpha.grad = None
        self.weight_optimiser.zero_grad()
        return [slope], loss, logits

    def second_order(self, train: Batch, validation: Batch) -> tuple[list[Tensor], Tensor, Tensor]:
        """With a second network for w', and finite differences."""
        if self.options.hvp == "exact":
            return super().second_order(train, validation)
        weights = list(self.weights.values())
        slopes = torch.autograd.grad(self.plain_loss(self.supernet, train), weights)
        unrolled = copy.deepcopy(self.supernet)
        with torch.no_grad():
            for weight, value in zip(unrolled.parameters(), self.ahead(list(slopes)).values(), strict=True):
                weight.copy_(value)
        logits = unrolled(validation[0], *self.mixture())
        loss = functional.cross_entropy(logits, validation[1])
        direct, *v = torch.autograd.grad(loss, [self.alpha, *unrolled.parameters()])
        radius = 0.01 / torch.cat([part.flatten() for part in v]).norm()
        sides = []
        for move in (1, -2, 1):  # to w + Rv, to w - Rv, back
            with torch.no_grad():
                for weight, part in zip(weights, v, strict=True):
                    weight += move * radius * part
            if len(sides) < 2:
                sides += torch.autograd.grad(self.plain_loss(self.supernet, train), [self.alpha])
        rate = self.weight_optimiser.param_groups[0]["lr"]
        return [direct - rate * (sides[0] - sides[1]) / (2 * radius)], loss, logits

    def plain_loss(self, supernet: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy of the present mixture."""
        return functional.cross_entropy(supernet(batch[0], *self.mixture()), batch[1])


def build(args: argparse.Namespace, kind: type[Darts] = Darts, **options: Any) -> Darts:
    """A search of the space; `kind` Plain on the reference, which gets the same weights."""
    space = plugins.load("spaces", args.space)
    partial = options.pop("partial", 1)
    torch.manual_seed(0)
    shape = (3, args.side, args.side)
    supernet = space.supernet(shape, 10, channels=args.channels, cells=args.cells, partial=partial)
    supernet = reference(supernet) if kind is Plain else supernet.to(memory_format=CHANNELS_LAST)
    supernet = supernet.to(DEVICE, options.pop("dtype", torch.float32))
    return kind(DartsOptions.model_validate(options), supernet, space=space, seed=0)


def batches(args: argparse.Namespace, dtype: torch.dtype = torch.float32) -> tuple[Batch, Batch]:
    """Two batches of noise."""
    torch.manual_seed(1)
    images = torch.randn(2, args.batch, 3, args.side, args.side, dtype=torch.float64).to(DEVICE, dtype)
    labels = torch.randint(0, 10, (2, args.batch), device=DEVICE)
    return (images[0], labels[0]), (images[1], labels[1])


def distance(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """Relative L2 distance of all together, in whatever order the weights are."""
    a, b = (torch.cat([part.flatten() for part in parts]) for parts in (ours, theirs))
    return float((a - b).norm() / b.norm())


def check(args: argparse.Namespace, dtype: torch.dtype, tolerance: float) -> None:
    """Raise unless both forms give the same gradients (in float32 of the first order)."""
    train, validation = batches(args, dtype)
    searches = [build(args, kind, order=2, hvp="exact", dtype=dtype) for kind in (Darts, Plain)]
    seen: dict[str, list[list[Tensor]]] = {"alpha, order 1": [], "alpha, order 2": [], "weights": []}
    for search in searches:
        search.supernet.train()
        seen["alpha, order 2"].append(search.second_order(train, validation)[0])
        seen["alpha, order 1"].append(search.first_order(validation)[0])
        with torch.no_grad():
            mixture = search.mixture()
        functional.cross_entropy(search.supernet(train[0], *mixture), train[1]).backward()
        seen["weights"].append(sorted_gradients(search.supernet))
    for name, (ours, theirs) in seen.items():
        found = distance(ours, theirs)
        sys.stdout.write(f"{name:16} {dtype}: relative distance to the reference {found:.1e}\n")
        if found > tolerance and (dtype == torch.float64 or name != "alpha, order 2"):
            raise RuntimeError(f"{name}: the two forms differ by {found:.1e}, more than {tolerance}")


def sorted_gradients(supernet: nn.Module) -> list[Tensor]:
    """Gradients in an order that does not depend on names: by the sum of the weights they belong to."""
    weights = sorted(supernet.parameters(), key=lambda weight: weight.detach().double().sum().item())
    return [weight.grad for weight in weights if weight.grad is not None]


def forward_flops(args: argparse.Namespace) -> int:
    """Twice the multiplications of all convolutions and linear layers in one forward of the mixture."""
    search, total = build(args, Plain), 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, Tensor)
        total += 2 * output.numel() * weight[0].numel()

    for layer in search.supernet.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        search.supernet(batches(args)[0][0], *search.mixture())
    return total


def peak() -> float:
    """FLOPs per second of the best of some dense 3×3 convolutions in float32."""
    best = 0.0
    for channels, side in ((64, 32), (128, 16), (256, 16)):
        x = torch.randn(16, channels, side, side, device=DEVICE).contiguous(memory_format=CHANNELS_LAST)
        weight = torch.randn(channels, channels, 3, 3, device=DEVICE).contiguous(memory_format=CHANNELS_LAST)
        for _ in range(8):
            seconds = timed(lambda x=x, weight=weight: functional.conv2d(x, weight, padding=1))
            best = max(best, 2 * x.numel() * channels * 9 / seconds)
    return best


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    if DEVICE == "cpu":
        start = time.process_time()
        work()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def ways(args: argparse.Namespace) -> Iterator[tuple[str, int, Callable[[], object]]]:
    """What is timed: name, order, one step of it."""
    train, validation = batches(args)

    def step(search: Darts) -> Callable[[], object]:
        def once() -> None:
            with torch.autocast(DEVICE, torch.bfloat16, DEVICE == "cuda" and not isinstance(search, Plain)):
                search.step(train, validation, 0.5)

        return once

    yield "reference, order 1", 1, step(build(args, Plain))
    yield "order 1", 1, step(build(args))
    yield "reference, order 2", 2, step(build(args, Plain, order=2, hvp="finite_difference"))
    yield "order 2, finite differences", 2, step(build(args, order=2, hvp="finite_difference"))
    yield "order 2, exact", 2, step(build(args, order=2, hvp="exact"))
    yield "order 1, a quarter of the channels", 1, step(build(args, partial=4))
    one = build(args)
    path = one.supernet.path(one.space.default_config())
    one.mixture = lambda: Mixture(path.to(DEVICE, torch.float32) * one.strengths(), path)  # type: ignore[method-assign]
    yield "order 1, one path", 1, step(one)


def main() -> None:
    """Check, then print a table."""
    parser = argparse.ArgumentParser()
    for name, default in (("rounds", 5), ("side", 32), ("channels", 16), ("cells", 8), ("batch", 16)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--space", default="darts")
    args = parser.parse_args()
    use_cpus(1)
    small = argparse.Namespace(side=8, channels=4, cells=3, batch=8, space=args.space)
    check(small, torch.float64, 1e-9)
    check(args, torch.float32, 1e-2)
    timings: dict[str, list[float]] = {}
    steps = list(ways(args))
    for number in range(args.rounds + 1):
        for name, _, work in steps:
            seconds = timed(work)
            timings.setdefault(name, []).extend([seconds] if number else [])  # the first is a warm-up
    medians = {name: statistics.median(values) for name, values in timings.items()}
    floor, best = forward_flops(args), peak()
    sys.stdout.write(f"one forward {floor / 1e9:.2f} GFLOP, peak {best / 1e9:.0f} GFLOP/s\n")
    for name, order, _ in steps:
        ratio = medians[f"reference, order {order}"] / medians[name]
        line = f"{name:36}{medians[name] * 1e3:9.1f} ms {ratio:6.2f} × the reference"
        if "," not in name or "order 2" in name:
            line += f" {medians[name] / (FORWARDS[order] * floor / best):6.1f} × the floor"
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()

"""One rank against two on this machine's CPUs, in turns: seconds of a step at the same joint batch.

    python tests/benchmarks/bench_ranks.py [ROUNDS]

Two processes with a thread each. In every round first rank 0 takes the steps alone, while the other waits,
then both together. Printed are medians over the rounds, and the median of the rounds' quotients.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch

from automl import plugins
from automl.contracts import Episodes
from automl.learners.backbones import Backbone
from automl.ranks.group import ALONE, Group, within
from automl.ranks.norms import synchronise
from automl.ranks.processes import Processes, find_store, open_store
from automl.ranks.sharing import rows_of, shared

BATCH, SIDE, STEPS = 64, 16, 2
Step = Callable[[], object]


def images() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(BATCH, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    return x, torch.randint(10, (BATCH,))


def network(group: Group) -> Step:
    space = plugins.load("spaces", "resnet")
    model = space.network(space.default_config(), (3, SIDE, SIDE), 10, channels=16, cells=1)
    model.to(memory_format=torch.channels_last)
    synchronise(model)
    x, y = images()

    def step() -> None:
        model.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(shared(model, x), y).backward()
        if rows_of(BATCH) is not None:
            group.total_([w.grad for w in model.parameters() if w.grad is not None])

    return step


def darts(order: int) -> Callable[[Group], Step]:
    def build(group: Group) -> Step:
        space, plugin = plugins.load("spaces", "nasbench201"), plugins.load("supernets", "darts")
        supernet = space.supernet((3, SIDE, SIDE), 10, channels=16, cells=1).to(
            memory_format=torch.channels_last
        )
        synchronise(supernet)
        method = plugin(plugin.Options(order=order), supernet, space=space, seed=0)
        train, validation = images(), images()
        return lambda: method.step(train, validation, 0.0)

    return build


def maml(group: Group) -> Step:
    plugin = plugins.load("learners", "maml")
    options = plugin.Options(inner_rate=0.01, inner_steps=3, formulation="loop")
    learner = plugin(options, Backbone("conv4", (1, 28, 28), 32), ways=5, seed=0)
    x, y = torch.randn(4, 20, 1, 28, 28), torch.arange(5).repeat(4).expand(4, -1).contiguous()
    episodes = Episodes(x[:, :5], y[:, :5], x[:, 5:], y[:, 5:], 5)
    return lambda: learner.meta_gradient(episodes)


CASES: dict[str, Callable[[Group], Step]] = {
    "ResNet": network,
    "DARTS of order 1": darts(1),
    "DARTS of order 2": darts(2),
    "MAML": maml,
}


def timed(step: Step) -> float:
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    return (time.perf_counter() - start) / STEPS


def compared(group: Group, build: Callable[[Group], Step], rounds: int) -> Iterator[tuple[float, float]]:
    """Seconds of a step by rank 0 alone and by both, once for each round."""
    steps = []
    for used in (ALONE, group):
        torch.manual_seed(0)
        with within(used):
            steps.append(build(used))
            steps[-1]()
    for _ in range(rounds):
        group.exchanged(0)
        alone = timed(steps[0]) if group.rank == 0 else 0.0
        group.exchanged(0)
        with within(group):
            yield alone, timed(steps[1])


def rank(number: int, port: int, rounds: int) -> None:
    torch.set_num_threads(1)
    group = Processes(find_store(port), number, 2)
    for name, build in CASES.items():
        measured = list(compared(group, build, rounds))
        if number == 0:
            alone, both = (statistics.median(times) for times in zip(*measured, strict=True))
            factor = statistics.median(one / two for one, two in measured)
            sys.stdout.write(f"| {name} | {1000 * alone:.0f} ms | {1000 * both:.0f} ms | {factor:.2f} |\n")
            sys.stdout.flush()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    store = open_store()
    load = os.getloadavg()[0]
    sys.stdout.write(f"{os.cpu_count()} CPUs, load {load:.1f}, {rounds} rounds of {STEPS} steps\n")
    sys.stdout.write("| step | one rank | two ranks | factor |\n|---|---|---|---|\n")
    sys.stdout.flush()
    context = multiprocessing.get_context("spawn")
    ranks = [context.Process(target=rank, args=(number, store.port, rounds)) for number in range(2)]
    with nullcontext(store):
        for one in ranks:
            one.start()
        for one in ranks:
            one.join()


if __name__ == "__main__":
    main()
